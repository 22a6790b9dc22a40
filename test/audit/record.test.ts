import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { verify } from '../../src/audit/verify.ts'
import { type Chains, createChains } from '../../src/db/chains.ts'
import type { Database } from '../../src/db/client.ts'
import { confirmUsers, outcomeRecorder, type ProposedOutcome } from '../../src/db/outcomes.ts'
import { withRecord } from '../../src/db/read-record.ts'
import { userFinder } from '../../src/db/users.ts'
import { openAsHooks, type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'

let db: TestDatabase
let database: Database
let chains: Chains
const directory = mkdtempSync(join(tmpdir(), 'carryover-audit-'))
const later = () => performance.now() + 30_000
const THROTTLE = { limit: 10_000, overall: 1_000_000, windowSeconds: 900 }

beforeAll(async () => {
  db = await testDatabase()
  database = openAsHooks(db.url, 8)
})
afterAll(async () => {
  await database.end()
  await db.drop()
  rmSync(directory, { recursive: true })
})

/** Texts that JSON writes in more than one way, or that PostgreSQL might. */
const oddTexts = [
  'sha256($salt."x".$pass)',
  'tab\t, new\nline',
  'back\\slash /',
  'é\u007f\u0001\u2028 😀 "',
  '',
]

function outcome(at: number, change: Partial<ProposedOutcome> = {}): ProposedOutcome {
  return {
    dialect: 'okta',
    hook: 'password-import',
    name: null,
    user_id: String((at % 7) + 1),
    cohort: 'retail',
    scheme: oddTexts[at % oddTexts.length] ?? null,
    usable: true,
    verdict: at % 3 === 0 ? 'match' : 'mismatch',
    millis: at,
    request_id: at % 2 === 0 ? null : `request-${at}`,
    ...change,
  }
}

beforeEach(async () => {
  await unlocked(`truncate legacy.users, carryover.users, carryover.outcomes, carryover.counts, carryover.refusals,
    carryover.confirmed_events, carryover.chains`)
  await db.owner.query(`
    insert into legacy.users (id, login) select n, 'user-' || n from generate_series(1, 7) n;
    insert into carryover.users (user_id, cohort, scheme, usable) select id, 'retail', 'md5', true from legacy.users;
    insert into carryover.counts (cohort, scheme, unmigrated) values ('retail', 'md5', 7)`)
  chains = createChains()
  const record = outcomeRecorder(database, THROTTLE, chains)
  await Promise.all(Array.from({ length: 250 }, (_, at) => record(outcome(at), later())))
  await record(outcome(1, { user_id: null, name: 'nobody', cohort: null, verdict: 'unknown-login' }), later())
  const notice = { dialect: 'okta', hook: 'events', result: 'stored' as const }
  await confirmUsers(
    database,
    ['user-1', 'user-2', 'nobody'].map((name) => ({ ...notice, name, event_id: `event of ${name}` })),
    chains,
  )
})

/** As whoever owns the database can. */
async function unlocked(statement: string): Promise<void> {
  await db.owner.query('alter table carryover.outcomes disable trigger all')
  await db.owner.query(statement)
  await db.owner.query('alter table carryover.outcomes enable trigger all')
}

const verified = (heads = chains.moved()) =>
  withRecord(db.url, (listed, outcomes) => verify(listed, outcomes, heads))

describe('the record', () => {
  test('is whole after batches on several lanes, whatever stands in it', async () => {
    const result = await verified()
    expect(result).toEqual({
      chains: 2,
      outcomes: 253,
      forgotten: 0,
      heads: 2,
      broken: 0,
      findings: [],
    })
  })

  test('of two processes has chains of its own for each', async () => {
    const other = outcomeRecorder(database, THROTTLE, createChains())
    await Promise.all([other(outcome(1), later()), other(outcome(2), later())])
    expect(await verified()).toMatchObject({ chains: 3, outcomes: 255, broken: 0 })
  })

  test('takes another lane after a statement that failed', async () => {
    const record = outcomeRecorder(database, THROTTLE, chains)
    await expect(record(outcome(1, { millis: 2 ** 40 }), later())).rejects.toMatchObject({
      code: 'unavailable',
    })
    await record(outcome(1), later())
    expect(await verified()).toMatchObject({ outcomes: 254, broken: 0 })
  })

  test.each([
    {
      title: 'an altered verdict',
      by: `update carryover.outcomes set verdict = 'match' where verdict = 'mismatch' and place = 5`,
      kinds: ['altered'],
    },
    {
      title: 'an altered moment',
      by: `update carryover.outcomes set at = at + interval '1 microsecond' where request_id = 'request-3'`,
      kinds: ['altered'],
    },
    {
      title: 'an altered request id',
      by: `update carryover.outcomes set request_id = 'other' where request_id = 'request-3'`,
      kinds: ['altered'],
    },
    {
      title: 'another user',
      by: `update carryover.outcomes set user_id = '99' where request_id = 'request-3'`,
      kinds: ['other-user'],
    },
    {
      title: 'another user with a reference that fits',
      by: `update carryover.outcomes set user_id = '99', user_ref = sha256(user_salt || '99') where request_id = 'request-3'`,
      kinds: ['altered'],
    },
    {
      title: 'an outcome taken out',
      by: `delete from carryover.outcomes where request_id = 'request-3'`,
      kinds: ['gap'],
    },
    {
      title: 'the last outcome of a chain taken out',
      by: `delete from carryover.outcomes where id = (select max(id) from carryover.outcomes)`,
      kinds: ['cut', 'head-missing'],
    },
    {
      title: 'the last outcome taken out, and the list of chains mended',
      by: `with gone as (delete from carryover.outcomes where id = (select max(id) from carryover.outcomes) returning chain, place)
        update carryover.chains c set length = g.place - 1,
          head = (select link from carryover.outcomes o where o.chain = g.chain and o.place = g.place - 1)
        from gone g where c.id = g.chain`,
      kinds: ['head-missing'],
    },
    {
      title: 'an outcome put in',
      by: `insert into carryover.outcomes (dialect, hook, verdict, millis, chain, place, link)
        select 'okta', 'password-import', 'match', 1, chain, place + 1, sha256('') from carryover.outcomes order by id desc limit 1`,
      kinds: ['altered', 'cut'],
    },
    {
      title: 'a whole chain taken out',
      by: `delete from carryover.outcomes where chain = (select max(id) from carryover.chains);
        delete from carryover.chains where id = (select max(id) from carryover.chains)`,
      kinds: ['head-missing'],
    },
    {
      title: 'a chain taken off the list',
      by: `delete from carryover.chains where lane = 1`,
      kinds: ['no-chain', 'head-missing'],
    },
  ])('shows $title', async ({ by, kinds }) => {
    await unlocked(by)
    const result = await verified()
    expect(new Set(result.findings.map(({ kind }) => kind))).toEqual(new Set(kinds))
    expect(result.broken).toBeGreaterThan(0)
  })

  test('stays whole when a person is forgotten, and says no more whose the outcomes are', async () => {
    const { rows } = await db.owner.query(`select carryover.forget_outcomes('3') as number`)
    const left = await db.owner.query(`select from carryover.outcomes where user_id = '3'`)
    expect([Number(rows[0].number), left.rowCount]).toEqual([36, 0])
    expect(await verified()).toMatchObject({ outcomes: 253, forgotten: 36, broken: 0 })
  })

  test.each([
    `update carryover.outcomes set verdict = 'match'`,
    `update carryover.outcomes set user_id = '2' where user_id = '3'`,
    `update carryover.outcomes set user_id = null`,
    `update carryover.outcomes set user_id = null, user_salt = null, millis = 0`,
    'delete from carryover.outcomes',
    'truncate carryover.outcomes',
  ])('refuses its owner: %s', async (statement) => {
    await expect(db.owner.query(statement)).rejects.toMatchObject({ code: '42501' })
  })
})

describe('carryover audit', () => {
  const run = (...args: string[]) => runCommand(['audit', ...args], { DATABASE_URL: db.url })

  test('verifies, exports and verifies the export', async () => {
    const file = join(directory, 'record.jsonl')
    expect(await run('verify')).toMatchObject({
      code: 0,
      out: '253 outcomes in 2 chains, 0 of forgotten people, 0 kept links\nthe record is whole\n',
    })
    expect(await run('export', file)).toMatchObject({ code: 0, err: '253 outcomes written\n' })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(await run('export', file)).toMatchObject({ code: 2 })
    const log = join(directory, 'log')
    const heads = chains
      .moved()
      .map((head) => JSON.stringify({ level: 'info', event: 'record-head', ...head }))
    writeFileSync(log, ['not json', '{"event":"started"}', ...heads].join('\n'))
    const whole = await run('verify', file, '--heads', log, '--json')
    expect([whole.code, JSON.parse(whole.out)]).toMatchObject([0, { outcomes: 253, heads: 2, broken: 0 }])

    const lines = readFileSync(file, 'utf8').split('\n')
    writeFileSync(file, lines.map((line) => line.replace('"request-3"', '"request-4"')).join('\n'))
    const altered = await run('verify', file)
    expect([altered.code, altered.out]).toEqual([
      1,
      expect.stringContaining('the record is BROKEN in 1 places'),
    ])
  })

  test.each([
    { title: 'no word', args: [] },
    { title: 'another word', args: ['mend'] },
    { title: 'a file that is not there', args: ['verify', '/nowhere/record'] },
    { title: 'a file of something else', args: ['verify', import.meta.filename] },
    { title: 'an export without a file', args: ['export'] },
  ])('does not understand $title', async ({ args }) => {
    expect(await run(...args)).toMatchObject({ code: 2, out: '' })
  })
})

describe('guessing overall', () => {
  const overall = { limit: 1_000, overall: 20, windowSeconds: 900 }
  const states = async () =>
    (await db.owner.query(`select count(*)::int as n from carryover.users where state <> 'unmigrated'`))
      .rows[0].n

  beforeEach(() => unlocked('truncate carryover.outcomes, carryover.chains, carryover.refusals'))

  test('is bounded over logins and processes, and then a right password is not told either', async () => {
    const recorders = [1, 2].map(() => outcomeRecorder(database, overall, createChains()))
    const before = await states()
    const given: string[] = []
    for (let at = 0; at < 40; at++)
      given.push(
        (await recorders[at % 2]?.(
          outcome(at, { verdict: 'unknown-login', user_id: null, name: `login-${at}` }),
          later(),
        )) ?? '',
      )
    expect(given).toEqual(given.map((_, at) => (at < 20 ? 'unknown-login' : 'throttled')))
    expect(await recorders[0]?.(outcome(0, { user_id: '6', verdict: 'match' }), later())).toBe('throttled')
    expect(await states()).toBe(before)
    const find = userFinder(database, overall)
    expect((await find('user-6', later())).refusals).toBe(Number.POSITIVE_INFINITY)
    expect((await userFinder(database, THROTTLE)('user-6', later())).refusals).toBe(0)
  })

  test('within one batch, too', async () => {
    const record = outcomeRecorder(database, overall, createChains())
    const given = await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        record(outcome(at, { verdict: 'unknown-login', user_id: null, name: `login-${at}` }), later()),
      ),
    )
    expect(given.filter((verdict) => verdict === 'throttled')).toHaveLength(20)
  })

  test('is over with the window, and never a lock for good', async () => {
    const brief = { ...overall, overall: 2, windowSeconds: 1 }
    const record = outcomeRecorder(database, brief, createChains())
    const refuse = () =>
      record(outcome(1, { verdict: 'unknown-login', user_id: null, name: 'somebody' }), later())
    expect([await refuse(), await refuse(), await refuse()]).toEqual([
      'unknown-login',
      'unknown-login',
      'throttled',
    ])
    await new Promise((done) => setTimeout(done, 1_100))
    expect(await refuse()).toBe('unknown-login')
  })
})

test('the service writes the newest links into its log, so that what is cut off later shows', async () => {
  const service = await startProcess(db.url)
  const okta = caller(service.hooksUrl)
  for (const login of ['user-1', 'user-2', 'nobody'])
    await okta('/okta/password-import', passwordImport(login, 'no password of anybody'))
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  const log = join(directory, 'service.log')
  writeFileSync(log, service.output())
  const verifyNow = () => runCommand(['audit', 'verify', '--heads', log, '--json'], { DATABASE_URL: db.url })
  const whole = JSON.parse((await verifyNow()).out)
  expect(whole).toMatchObject({ broken: 0 })
  expect(whole.heads).toBeGreaterThan(0)
  await unlocked('truncate carryover.outcomes, carryover.chains')
  expect((await verifyNow()).code).toBe(1)
})
