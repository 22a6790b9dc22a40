import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../src/cli.ts'
import { freezeFor } from '../../src/commands/freeze.ts'
import type { FreezeLine } from '../../src/commands/freeze-lines.ts'
import { provisionFor } from '../../src/commands/provision.ts'
import { openLoad } from '../../src/db/copy.ts'
import { BY_ID } from '../../src/db/filing.ts'
import { rehearseFreeze } from '../../src/db/freeze.ts'
import { okta } from '../../src/targets/okta.ts'
import { everyRow, type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { runCommand } from '../helpers/process.ts'
import { type OktaSimulator, startOkta } from '../helpers/simulators/okta.ts'
import { plannedOffline, targetEnvironment } from '../helpers/target-environment.ts'
import { md5 } from '../helpers/users.ts'
import { runLoad, scratch } from '../load/helpers.ts'

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  db = await testDatabase()
  files = await scratch()
})
afterEach(async () => {
  await db.drop()
  await files.remove()
})

interface Told {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly inStep: boolean | undefined
  readonly checks: readonly FreezeLine[]
  /** Names of what is behind. */
  readonly behind: readonly string[]
}

/** Verifies, and sees that nothing has changed by it. */
async function verify(args: readonly string[], env: Record<string, string> = {}): Promise<Told> {
  const before = await everyRow(db.owner)
  const { code, out, err } = await heard((io) => freezeFor([okta]).run(['--verify', ...args, '--json'], io), {
    env: { DATABASE_URL: db.url, ...env },
  })
  expect(await everyRow(db.owner)).toEqual(before)
  const { inStep, checks = [] }: { inStep?: boolean; checks?: FreezeLine[] } =
    out === '' ? {} : JSON.parse(out)
  const behind = checks.filter(({ ok }) => !ok).map(({ check }) => check)
  expect(inStep).toBe(out === '' ? undefined : behind.length === 0)
  return { code, out, err, inStep, checks, behind }
}

const idsOf = ({ checks }: Told, name: string) => checks.find(({ check }) => check === name)?.ids

const HEADER = 'id,login,email,password_hash,profile,updated_at,deleted'
const row = (id: string, more: { hash?: string; login?: string; deleted?: boolean; profile?: string } = {}) =>
  [
    id,
    more.login ?? `${id}@example.com`,
    `${id}@example.com`,
    more.hash ?? md5(id),
    `"{""given_name"":""${more.profile ?? 'Ann'}"",""family_name"":""Example""}"`,
    '2020-01-01T00:00:00Z',
    more.deleted ? 'true' : '',
  ].join(',')

const NAMES = ['ann', 'bob', 'cyd', 'dan', 'eve', 'fay', 'gil']
const everybody = () => NAMES.map((name) => row(name))
const write = (rows: readonly string[]) => files.file('users.csv', [HEADER, ...rows, ''].join('\n'))
const load = async (rows: readonly string[], ...args: string[]) =>
  runLoad(db.url, await write(rows), '--source', 'old', ...args)
const verifyFile = async (rows: readonly string[], ...args: string[]) =>
  verify([await write(rows), '--source', 'old', ...args])

const SOURCE_CHECKS = ['added', 'changed', 'deleted', 'missing', 'passwords', 'refused', 'counts', 'content']

describe('a file', () => {
  test('that the copy has is in step', async () => {
    await load(everybody())
    const told = await verifyFile([...everybody()].reverse())
    expect([told.code, told.err, told.behind]).toEqual([0, '', []])
    expect(told.checks.map(({ check }) => check)).toEqual([...SOURCE_CHECKS, 'open-passwords'])
    expect(told.checks.find(({ check }) => check === 'counts')?.says).toBe(
      '7 users in the source, 7 of it in the copy',
    )
  })

  test.for([
    {
      title: 'one changed row',
      rows: () => [row('ann', { login: 'other' }), ...everybody().slice(1)],
      behind: ['changed', 'content'],
      ids: ['ann'],
    },
    {
      title: 'one changed hash',
      rows: () => [...everybody().slice(0, 6), row('gil', { hash: md5('other') })],
      behind: ['changed', 'content'],
      ids: ['gil'],
    },
    {
      title: 'one new row',
      rows: () => [...everybody(), row('hal')],
      behind: ['added', 'counts', 'content'],
      ids: ['hal'],
    },
    {
      title: 'a row that is not there any more',
      rows: () => everybody().slice(1),
      behind: ['missing', 'counts', 'content'],
      ids: ['ann'],
    },
    {
      title: 'a row that says that its user is deleted',
      rows: () => [row('ann', { deleted: true }), ...everybody().slice(1)],
      behind: ['deleted', 'counts', 'content'],
      ids: ['ann'],
    },
    {
      title: 'six rows that are not there any more, of whom five are named',
      rows: () => everybody().slice(0, 1),
      behind: ['missing', 'counts', 'content'],
      ids: ['bob', 'cyd', 'dan', 'eve', 'fay'],
    },
    {
      title: 'a row that is refused, which no load has told',
      rows: () => [...everybody(), row('hal', { login: '' })],
      behind: ['refused'],
      ids: [],
    },
  ])('with $title is behind in that', async ({ rows, behind, ids }) => {
    await load(everybody())
    const told = await verifyFile(rows())
    expect([told.code, told.behind]).toEqual([1, behind])
    expect(idsOf(told, behind[0] ?? '')).toEqual(ids)
    expect(told.out).not.toMatch(/example\.com|Ann/)
  })

  test('with rows that the last load refused is in step', async () => {
    const rows = [...everybody(), row('hal', { login: '' }), row('ann')]
    await load(rows)
    const told = await verifyFile(rows)
    expect([told.code, told.behind]).toEqual([0, []])
    expect(told.checks.find(({ check }) => check === 'refused')?.says).toMatch(
      /^2 rows refused, as ever; load \d+ was the last to read all of it$/,
    )
  })

  test('that came in under no name, or another one, is not in step', async () => {
    expect(await verifyFile(everybody())).toMatchObject({
      code: 1,
      err: 'carryover freeze: no load with this --source has been committed; nothing was proved, and nothing was changed\n',
    })
    await runLoad(db.url, await write(everybody()))
    await load(everybody().slice(1))
    const told = await verifyFile(everybody())
    expect([told.behind, idsOf(told, 'counts')]).toEqual([['counts', 'content'], ['ann']])
  })

  test('of which some was purged and some is hardened: their hashes are left out, and said to be', async () => {
    await load(everybody())
    await db.owner.query(`update carryover.users set state = 'migrated', purged_at = now(), purged_hash =
      carryover.hash_digest('${md5('ann')}', null, (select login_key from carryover.installation)) where user_id = 'ann'`)
    await db.owner.query(`update legacy.users set password_hash = null where id = 'ann'`)
    await db.owner.query(`update carryover.users set scheme = 'hardened:md5' where user_id in ('bob', 'cyd')`)
    await db.owner.query(
      `update legacy.users set password_hash = 'hardened' || id where id in ('bob', 'cyd')`,
    )
    const told = await verifyFile(everybody())
    expect([told.code, told.behind]).toEqual([0, []])
    expect(told.checks.find(({ check }) => check === 'content')?.says).toBe(
      'the digests of both sides are equal; without the hashes of 3 users, which cannot be compared: 1 purged, 2 hardened',
    )
    const changed = await verifyFile([row('ann', { hash: md5('new') }), ...everybody().slice(1)])
    expect([changed.code, changed.behind, idsOf(changed, 'passwords')]).toEqual([1, ['passwords'], ['ann']])
  })

  test('that was hardened as it was loaded is compared with --harden, hashes and all', async () => {
    await mkdir(join(files.directory, 'keys'))
    await writeFile(join(files.directory, 'keys', 'hardening_key'), 'k'.repeat(40))
    const env = {
      DATABASE_URL: db.url,
      HASH_SECRETS_DIR: join(files.directory, 'keys'),
      SECRET_FILE_MODE: '0644',
      HARDEN_MEMORY_KIB: '8',
      HARDEN_PASSES: '1',
    }
    const header = 'id,login,password_hash,hash_scheme'
    const users = (hash: string) =>
      files.file('hardened.csv', [header, `ann,ann,${md5('ann')},md5`, `bob,bob,${hash},md5`, ''].join('\n'))
    const path = await users(md5('bob'))
    const loaded = await heard((io) => run(['load', path, '--source', 'old', '--harden'], io), { env })
    expect([loaded.code, loaded.err]).toEqual([0, ''])
    const { rows } = await db.owner.query(
      `select scheme from carryover.users where scheme like 'hardened:%' order by user_id`,
    )
    expect(rows).toHaveLength(2)
    const same = await verify([path, '--source', 'old', '--harden'], env)
    expect([same.code, same.err, same.behind]).toEqual([0, '', []])
    expect(same.checks.find(({ check }) => check === 'content')?.says).toBe(
      'the digests of both sides are equal',
    )
    await users(md5('another'))
    const other = await verify([path, '--source', 'old', '--harden'], env)
    expect([other.behind, idsOf(other, 'changed')]).toEqual([['changed', 'content'], ['bob']])
    // Without the key nothing is known of it, and that is said.
    const blind = await verify([path, '--source', 'old'])
    expect([blind.code, blind.checks.find(({ check }) => check === 'content')?.says]).toEqual([
      0,
      'the digests of both sides are equal; without the hashes of 2 users, which cannot be compared: 0 purged, 2 hardened',
    ])
  })

  test('says in words what is behind', async () => {
    await load(everybody())
    const path = await write([row('a\u001bb'), ...everybody()])
    const { code, out } = await heard((io) => run(['freeze', '--verify', path, '--source', 'old'], io), {
      env: { DATABASE_URL: db.url },
    })
    expect(code).toBe(1)
    expect(out).toMatch(/^BEHIND {2}added +1 in the source and not in the copy, as a\?b\n/)
    expect(out).toMatch(/\nok {6}missing +0 in the copy/)
    expect(out).toMatch(/\n3 of 9 are behind\n$/)
  })
})

describe('a source that only adds to users whom others have brought', () => {
  const HR = 'id,email,profile'
  const number = (name: string, nr: string) =>
    `hr-${name},${name.toUpperCase()}@example.com,"{""number"":""${nr}""}"`
  const write = (rows: readonly string[]) => files.file('hr.csv', [HR, ...rows, ''].join('\n'))
  const options = ['--source', 'hr', '--key', 'email']

  beforeEach(async () => {
    await load(everybody())
    await runLoad(db.url, await write([number('ann', '1'), number('bob', '2')]), ...options)
  })

  test('is compared by what it adds, of those whom it has', async () => {
    const rows = [number('ann', '1'), number('bob', '2')]
    const told = await verify([await write(rows), ...options])
    expect([told.code, told.err, told.behind]).toEqual([0, '', []])
    expect(told.checks.find(({ check }) => check === 'counts')?.says).toBe(
      '2 users in the source, 2 of it in the copy',
    )
  })

  test.for([
    {
      title: 'another value',
      rows: [number('ann', '9'), number('bob', '2')],
      behind: ['changed', 'content'],
      ids: ['ann'],
    },
    {
      title: 'one user more',
      rows: [number('ann', '1'), number('bob', '2'), number('cyd', '3')],
      behind: ['changed', 'counts', 'content'],
      ids: ['cyd'],
    },
    {
      title: 'one user less',
      rows: [number('bob', '2')],
      behind: ['missing', 'counts', 'content'],
      ids: ['ann'],
    },
    {
      title: 'somebody whom nobody has brought',
      rows: [number('ann', '1'), number('bob', '2'), number('zoe', '3')],
      behind: ['refused'],
      ids: [],
    },
  ])('with $title is behind', async ({ rows, behind, ids }) => {
    const told = await verify([await write(rows), ...options])
    expect([told.code, told.behind, idsOf(told, behind[0] ?? '')]).toEqual([1, behind, ids])
  })
})

test('the copy is a view: it cannot be loaded, and nothing is proved', async () => {
  await load(everybody())
  await db.owner.query(
    'alter table legacy.users rename to people; create view legacy.users as select * from legacy.people',
  )
  const { code, err } = await verifyFile(everybody())
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(
      /^carryover freeze: legacy\.users is not a table .*; nothing was proved, and nothing was changed\n$/,
    ),
  ])
})

test('sign-ins go on while a source is compared, and loads are refused', async () => {
  await load(everybody())
  const { rehearsal } = rehearseFreeze('old')
  const opened = await openLoad(db.url, { ...BY_ID, source: 'old' }, rehearsal)
  try {
    const clients = await db.owner.query(`set lock_timeout = '2s'; select count(*) from legacy.users`)
    expect(clients).toHaveLength(2)
    await db.owner.query(`update carryover.users set state = 'verified' where user_id = 'ann'`)
    const other = await load([row('hal')])
    expect([other.code, other.err]).toEqual([1, expect.stringContaining('another load or sync is running')])
  } finally {
    await opened.close()
  }
})

test('a freeze that is stopped proves nothing', async () => {
  await load(everybody())
  const stop = new AbortController()
  stop.abort()
  let err = ''
  const path = await write(everybody())
  const code = await freezeFor([okta]).run(['--verify', path, '--source', 'old'], {
    env: { DATABASE_URL: db.url },
    stdin: Readable.from([]),
    out: () => expect.unreachable('nothing was proved'),
    err: (text) => {
      err += text
    },
    terminal: false,
    stop: stop.signal,
  })
  expect([code, err]).toEqual([1, 'carryover freeze: stopped; nothing was proved, and nothing was changed\n'])
})

describe('a query', () => {
  const query = async (...args: string[]) => [
    ...['--from', 'postgresql', '--query-file', await files.file('q.sql', 'select * from public.people')],
    ...['--source', 'old', '--watermark', 'changed', ...args],
  ]
  const env = () => ({ SOURCE_DATABASE_URL: db.url })
  const load = async () =>
    heard(async (io) => run(['load', ...(await query()), '--refused', `${files.directory}/refused`], io), {
      env: { DATABASE_URL: db.url, ...env() },
    })
  const add = (id: string, login: string, changed: string) =>
    db.owner.query('insert into public.people values ($1, $2, $3, $4)', [id, login, md5(id), changed])

  beforeEach(async () => {
    await db.owner.query(
      'create table public.people (id text, login text, password_hash text, changed timestamptz)',
    )
    await add('ann', 'ann', '2025-01-01')
    await add('bob', '', '2025-01-02')
    await add('cyd', 'cyd', '2025-01-03')
  })

  test('is read from its beginning, and refused rows are those of the last load that did so', async () => {
    await load()
    expect((await verify(await query(), env())).behind).toEqual([])
    // From the watermark on: this load does not see the row that was refused.
    await add('dan', 'dan', '2025-01-04')
    await load()
    const told = await verify(await query(), env())
    expect([told.code, told.behind]).toEqual([0, []])
    expect(told.checks.find(({ check }) => check === 'watermark')?.ok).toBe(true)
    // What a watermark does not see.
    await add('eve', 'eve', '2024-01-01')
    await load()
    expect((await verify(await query(), env())).behind).toEqual(['added', 'counts', 'content'])
  })

  test('whose watermark is ahead is behind in that, although every row is the same', async () => {
    await load()
    await db.owner.query(`update public.people set changed = '2025-02-01' where id = 'ann'`)
    const told = await verify(await query(), env())
    expect([told.code, told.behind]).toEqual([1, ['watermark']])
  })

  test('is rehearsed from its watermark on, by a load that moves none', async () => {
    await load()
    await add('dan', 'dan', '2025-01-04')
    const before = await everyRow(db.owner)
    const dry = await heard(
      async (io) => run(['load', ...(await query('--commit-every', '1', '--dry-run'))], io),
      {
        env: { DATABASE_URL: db.url, ...env() },
      },
    )
    expect([dry.code, dry.out]).toEqual([
      0,
      expect.stringMatching(/^dry run: nothing was changed\n2 rows .* 1 added, 0 changed, 1 unchanged/),
    ])
    expect(await everyRow(db.owner)).toEqual(before)
  })

  test('of a source that cannot be reached proves nothing', async () => {
    await load()
    const told = await verify(await query(), {
      SOURCE_DATABASE_URL: db.url.replace(/test_[0-9a-f]+/, 'test_none'),
    })
    expect([told.code, told.out]).toEqual([1, ''])
    expect(told.err).toBe(
      'carryover freeze: the source failed while connecting (3D000); nothing was proved, and nothing was changed\n',
    )
  })
})

test('a password change that nobody has decided is behind, whatever the source', async () => {
  await load(everybody())
  await db.owner.query(`insert into carryover.password_changes (user_id) values ('bob')`)
  const told = await verifyFile(everybody())
  expect([told.code, told.behind, idsOf(told, 'open-passwords')]).toEqual([1, ['open-passwords'], ['bob']])
  await db.owner.query(`update carryover.password_changes set decision = 'left'`)
  expect((await verifyFile(everybody())).code).toBe(0)
})

test('the built program, which reads on a thread, says the same', async () => {
  const env = { DATABASE_URL: db.url }
  const path = await write([...everybody(), row('hal', { login: '' })])
  expect((await runCommand(['load', path, '--source', 'old'], env)).code).toBe(1)
  const before = await everyRow(db.owner)
  const same = await runCommand(['freeze', '--verify', path, '--source', 'old'], env)
  expect([same.code, same.err]).toEqual([0, ''])
  expect(same.out).toMatch(/\nnothing is behind\n$/)
  await write([...everybody(), row('hal')])
  expect((await runCommand(['load', path, '--dry-run'], env)).out).toMatch(
    /^dry run: nothing was changed\n8 rows .* 1 added,/,
  )
  expect((await runCommand(['freeze', '--verify', path, '--source', 'old'], env)).code).toBe(1)
  expect(await everyRow(db.owner)).toEqual(before)
})

test('an account that only loads may ask; with a target, one that plans as well', async () => {
  await load(everybody())
  const path = await write(everybody())
  const role = `freezing_${randomBytes(6).toString('hex')}`
  const as = (name: string) => ({ DATABASE_URL: `${db.url}&options=-c%20role%3D${name}` })
  expect((await verify([path, '--source', 'old'], as('carryover_load'))).behind).toEqual([])
  const refused = await verify([path, '--source', 'old', '--target', 'okta'], as('carryover_load'))
  expect([refused.code, refused.out, refused.err]).toEqual([1, '', expect.stringContaining('42501')])
  await db.owner.query(`create role ${role}; grant carryover_load, carryover_provision to ${role}`)
  try {
    expect((await verify([path, '--source', 'old', '--target', 'okta'], as(role))).behind).toEqual([
      'to-bring',
    ])
  } finally {
    await db.owner.query(`drop role ${role}`)
  }
})

describe('a target', () => {
  let server: OktaSimulator
  let env: Record<string, string>
  beforeEach(async () => {
    server = await startOkta()
    env = await targetEnvironment('okta', server, db.url, files)
  })
  afterEach(() => server.close())

  const plan = (...args: string[]) => plannedOffline(okta, env, ...args)
  const provision = async (id: string) => heard((io) => provisionFor([okta]).run([id], io), { env })
  const look = async (rows: readonly string[], ...args: string[]) =>
    verifyFile(rows, '--target', 'okta', ...args)

  test('that has everybody is in step; users whom it lacks, and a plan that was not ended, are behind', async () => {
    await load(everybody())
    expect((await look(everybody())).behind).toEqual(['to-bring'])
    const first = await plan('--hashes', 'never')
    const begun = await look(everybody())
    expect([begun.behind, idsOf(begun, 'pending')]).toEqual([['to-bring', 'pending'], NAMES.slice(0, 5)])
    expect((await provision(first)).code).toBe(0)
    const calls = server.log().length
    const told = await look(everybody())
    expect([told.code, told.behind]).toEqual([0, []])
    expect(server.log()).toHaveLength(calls)
    // One user more, who is in the copy and not at the target.
    const more = [...everybody(), row('hal')]
    await load(more)
    const behind = await look(more)
    expect([behind.code, behind.behind, idsOf(behind, 'to-bring')]).toEqual([1, ['to-bring'], ['hal']])
    // And one whose profile is another.
    const other = [row('ann', { profile: 'Anna' }), ...more.slice(1)]
    await load(other)
    expect(idsOf(await look(other), 'to-bring')).toEqual(['ann', 'hal'])
  })

  test('that refused a user is behind in that', async () => {
    const rows = [...everybody().slice(1), row('ann', { profile: 'n'.repeat(60) })]
    await load(rows)
    await provision(await plan('--hashes', 'never'))
    const told = await look(rows)
    expect([told.code, told.behind]).toEqual([1, ['to-bring', 'refused-by-target']])
    expect(idsOf(told, 'refused-by-target')).toEqual(['ann'])
  })

  test('is compared by the options of the newest plan, and of every cohort', async () => {
    const rows = [row('ann'), row('bob')]
    await load(rows)
    await db.owner.query(`update legacy.users set status = 'disabled' where id = 'bob'`)
    // The rows are not those of the file any more; what the target lacks is another question.
    const toBring = async () => idsOf(await look(rows), 'to-bring')
    expect(await toBring()).toEqual(['ann'])
    await plan('--inactive', 'bring', '--cohort', 'nobody')
    expect(await toBring()).toEqual(['ann', 'bob'])
  })

  test('lists whom the ledger does not have', async () => {
    await load(everybody())
    await db.owner.query(`delete from carryover.users where user_id = 'ann'`)
    expect((await look(everybody())).behind).toEqual(['to-bring', 'unlisted'])
  })
})

test.each([
  { args: ['FILE', '--source', 'old'], says: 'say --verify' },
  { args: ['--verify', 'FILE'], says: '--source is missing' },
  { args: ['--verify', 'FILE', '--source', 'old', '--target', 'else'], says: '--target is one of okta' },
  { args: ['--verify', 'FILE', '--source', 'old', '--mapping', 'm'], says: '--mapping needs --target' },
  { args: ['--verify', '--source', 'old'], says: 'expected FILE' },
])('$args is not understood', async ({ args, says }) => {
  const path = await write([row('ann')])
  const given = args.map((arg) => (arg === 'FILE' ? path : arg))
  const asked = heard((io) => freezeFor([okta]).run(given, io), { env: { DATABASE_URL: db.url } })
  await expect(asked).rejects.toThrow(says)
})
