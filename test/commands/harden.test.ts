import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { run as runHere } from '../../src/cli.ts'
import { openHardening } from '../../src/db/harden.ts'
import type { StoredHash } from '../../src/domain.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { startCommand, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { bcryptHash } from '../load/helpers.ts'

const TYPED = 'Right-pa55word'
const ssha = (text: string) =>
  `{SSHA}${Buffer.concat([createHash('sha1').update(`${text}saltsalt`).digest(), Buffer.from('saltsalt')]).toString('base64')}`
const md5 = (text: string) => createHash('md5').update(text).digest('hex')
const HEADER = 'id,login,password_hash,hash_scheme,salt'
const ROWS = [
  `1,ann@example.com,${md5(TYPED)},md5,`,
  `2,bob@example.com,${ssha(TYPED)},,`,
  `3,cyd@example.com,${createHash('sha256').update(`s1${TYPED}`).digest('hex')},sha256($salt.$pass),s1`,
  `4,dan@example.com,${bcryptHash},,`,
  '5,eve@example.com,*,,',
  '6,fay@example.com,,,',
  `7,gus@example.com,$2b$04$${'CarryoverCarryoverCarO'}nobodyKnowsAPasswordForThisHas.,,`,
]

let directory: string
let db: TestDatabase
let settings: Record<string, string>
/** Without a process of its own, as those cost most of the time of these tests. */
const run = (...args: string[]) => heard((io) => runHere(args, io), { env: settings, typed: TYPED })
const asJson = async (...args: string[]) => JSON.parse((await run(...args, '--json')).out)
const file = async (name: string, rows: readonly string[]) => {
  const path = join(directory, name)
  await writeFile(path, [HEADER, ...rows, ''].join('\n'))
  return path
}
const stored = async () =>
  (await db.owner.query('select id, password_hash from legacy.users order by id')).rows.map(
    ({ id, password_hash }) => [id, password_hash],
  )
const schemes = async () =>
  Object.fromEntries(
    (await asJson('counts')).schemes.map(({ scheme, total }: { scheme: string; total: number }) => [
      scheme,
      total,
    ]),
  )
const countsAgree = async () => expect((await run('counts', '--check')).out).toMatch(/agree with/)
const secrets = async (name: string, keys: Readonly<Record<string, string>>) => {
  await mkdir(join(directory, name))
  for (const [key, text] of Object.entries(keys))
    await writeFile(join(directory, name, key), text, { mode: 0o600 })
  return join(directory, name)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryover-harden-'))
  await secrets('keys', { hardening_key: 'k'.repeat(40) })
  await secrets('short', { hardening_key: 'k'.repeat(31) })
  await secrets('other', { hardening_key: 'o'.repeat(40) })
  await secrets('both', { hardening_key: 'o'.repeat(40), hardening_key_previous: 'k'.repeat(40) })
})
afterAll(() => rm(directory, { recursive: true }))

beforeEach(async () => {
  db = await testDatabase()
  settings = {
    DATABASE_URL: db.url,
    HASH_SECRETS_DIR: join(directory, 'keys'),
    HARDEN_MEMORY_KIB: '8',
    HARDEN_PASSES: '1',
  }
})
afterEach(() => db.drop())

test('weak hashes are wrapped, counted as what they are, and sign-ins go on', async () => {
  await run('load', await file('users.csv', ROWS))
  const before = await stored()
  const service = await startProcess(db.url, settings)
  const post = caller(service.hooksUrl)
  const answers = async () => {
    const given: string[] = []
    for (const login of ['ann', 'bob', 'cyd']) {
      for (const typed of [TYPED, `${TYPED}x`]) {
        const { text } = await post('/okta/password-import', passwordImport(`${login}@example.com`, typed))
        given.push(/"(UN)?VERIFIED"/.exec(text)?.[0] ?? text)
      }
    }
    return given
  }
  const right = ['"VERIFIED"', '"UNVERIFIED"', '"VERIFIED"', '"UNVERIFIED"', '"VERIFIED"', '"UNVERIFIED"']
  expect(await answers()).toEqual(right)

  const planned = await asJson('harden', '--dry-run')
  expect(await stored()).toEqual(before)
  const { code, out, err } = await run('harden', '--json')
  expect([code, err]).toEqual([0, expect.stringContaining('dead rows')])
  expect(JSON.parse(out)).toEqual(planned)
  expect(planned).toMatchObject({
    rows: 6,
    complete: true,
    total: { wrapped: 3, hardened: 0, strong: 1, 'not-possible': 1, unusable: 1 },
  })
  const after = await stored()
  expect(after.filter(([, hash]) => hash?.startsWith('$carryover$')).map(([id]) => id)).toEqual([
    '1',
    '2',
    '3',
  ])
  expect(after.slice(3)).toEqual(before.slice(3))
  expect(await schemes()).toEqual({
    'hardened:md5': 1,
    'hardened:ldap-ssha': 1,
    'hardened:sha256($salt.$pass)': 1,
    bcrypt: 2,
    unknown: 2,
  })
  await countsAgree()
  expect(await answers()).toEqual(right)
  expect((await run('try', 'bob@example.com')).out).toMatch(/^match/)

  expect((await asJson('harden')).total).toMatchObject({ wrapped: 0, hardened: 3 })
  expect(await stored()).toEqual(after)
  expect((await run('harden')).out).toContain('6 hashes: 0 wrapped, 3 wrapped before')
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  expect(service.output()).not.toContain('k'.repeat(40))
})

test('with another key, or none, the answer is that the service cannot say, and never a wrong password', async () => {
  await run('load', '--harden', await file('users.csv', ROWS))
  for (const given of [{ HASH_SECRETS_DIR: join(directory, 'other') }, {}]) {
    const service = await startProcess(db.url, given)
    const post = caller(service.hooksUrl)
    for (const typed of [TYPED, `${TYPED}x`]) {
      const { status, text } = await post('/okta/password-import', passwordImport('ann@example.com', typed))
      expect([status, text]).toEqual([503, expect.not.stringContaining('VERIFIED')])
    }
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    expect(service.output()).toContain('missing-secret')
  }
  const { rows } = await db.owner.query('select count(*)::int as outcomes from carryover.outcomes')
  expect(rows).toEqual([{ outcomes: 0 }])
})

test('after kill -9 in the middle counts and rows agree, and the next run does the rest', {
  timeout: 120_000,
}, async () => {
  const rows = Array.from({ length: 800 }, (_, at) => `${at},u${at}@example.com,${md5(`u${at}`)},md5,`)
  await run('load', await file('many.csv', rows))
  settings = { ...settings, HARDEN_MEMORY_KIB: '8192' }
  const wrapped = async () =>
    (
      await db.owner.query(
        `select count(*)::int as n from legacy.users where password_hash like '$carryover$%'`,
      )
    ).rows[0].n
  const running = startCommand(['harden', '--threads', '1'], settings)
  while ((await wrapped()) === 0) {
    expect(running.exitCode).toBe(null)
    await new Promise((later) => setTimeout(later, 20))
  }
  running.kill('SIGKILL')
  await new Promise((done) => running.once('close', done))
  const done = await wrapped()
  expect(done).toBeGreaterThan(0)
  expect(done).toBeLessThan(800)
  expect(await schemes()).toEqual({ md5: 800 - done, 'hardened:md5': done })
  await countsAgree()
  expect((await asJson('harden')).total).toMatchObject({ wrapped: 800 - done, hardened: done })
  expect(await schemes()).toEqual({ 'hardened:md5': 800 })
  await countsAgree()
})

test('a load says whether it hardens, changes nothing that is the same, and is the way back', async () => {
  const path = await file('users.csv', ROWS)
  await run('load', path)
  const legacy = await stored()
  await run('harden')
  const hardened = await stored()
  expect(await asJson('load', '--harden', path)).toMatchObject({ changed: 0, unchanged: 7 })
  expect(await stored()).toEqual(hardened)

  const refused = await run('load', path)
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('--unharden')])
  expect(await stored()).toEqual(hardened)
  expect((await run('load', '--harden', '--unharden', path)).code).toBe(2)

  expect(await asJson('load', '--unharden', path)).toMatchObject({ changed: 3, unchanged: 4 })
  expect(await stored()).toEqual(legacy)
  await countsAgree()
  // Nothing is hardened any more, so there is nothing to decide.
  expect((await run('load', path)).code).toBe(0)
})

test('loaded hardened from the start, the copy is the same as one that was hardened later', async () => {
  const path = await file('users.csv', ROWS)
  await run('load', '--harden', path)
  const loaded = await stored()
  await countsAgree()
  await run('load', '--unharden', path)
  await run('harden')
  expect(await stored()).toEqual(loaded)
})

test('a changed key seals anew what the previous one sealed', async () => {
  await run('load', '--harden', await file('users.csv', ROWS))
  settings = { ...settings, HASH_SECRETS_DIR: join(directory, 'both') }
  expect((await asJson('harden')).total).toMatchObject({ wrapped: 0, resealed: 3 })
  settings = { ...settings, HASH_SECRETS_DIR: join(directory, 'other') }
  expect((await asJson('harden')).total).toMatchObject({ hardened: 3, resealed: 0 })
  expect((await run('try', 'ann@example.com')).out).toMatch(/^match/)
})

test('a row that was changed since it was read stays as it is', async () => {
  await run('load', await file('users.csv', ROWS))
  const copy = await openHardening(db.url)
  try {
    const pages: (readonly StoredHash[])[] = []
    for await (const rows of copy.rows(4)) pages.push(rows)
    expect(pages.map(({ length }) => length)).toEqual([4, 2])
    const before = pages[0]?.[0]
    if (!before) throw new Error('there is no row')
    const change = { id: '1', before, encoded: 'made', scheme: 'hardened:md5' }
    for (const [column, value] of [
      ['password_hash', md5('changed')],
      ['login', 'anna@example.com'],
      ['salt', 's'],
      ['hash_scheme', 'sha1'],
    ]) {
      await db.owner.query(`update legacy.users set ${column} = $1 where id = '1'`, [value])
      expect((await copy.write([change])).size, column).toBe(0)
      await run('load', '--unharden', join(directory, 'users.csv'))
    }
    expect([...(await copy.write([change]))]).toEqual(['1'])
  } finally {
    await copy.close()
  }
  await countsAgree()
})

test('--vacuum leaves no old digest in the file of the table', async () => {
  await run('load', await file('users.csv', ROWS))
  const inFile = async () => {
    await db.owner.query('checkpoint')
    const { rows } = await db.owner.query(
      `select position($1::bytea in pg_read_binary_file(pg_relation_filepath('legacy.users'))) > 0 as found`,
      [Buffer.from(md5(TYPED))],
    )
    return rows[0].found
  }
  await run('harden')
  expect(await inFile()).toBe(true)
  expect(await run('harden', '--vacuum')).toMatchObject({ code: 0, err: '' })
  expect(await inFile()).toBe(false)
})

test('--vacuum says when a transaction keeps old digests in the file of the table', async () => {
  await run('load', await file('users.csv', ROWS))
  const other = new pg.Client({ connectionString: db.url })
  await other.connect()
  try {
    await other.query('begin isolation level repeatable read')
    await other.query('select count(*) from carryover.users')
    const { code, err } = await run('harden', '--vacuum')
    expect([code, err]).toEqual([1, expect.stringMatching(/\d+ old rows had to be kept in the file/)])
    // The end of a connection is not waited for by the server, the end of its transaction is.
    await other.query('rollback')
  } finally {
    await other.end()
  }
  expect(await run('harden', '--vacuum')).toMatchObject({ code: 0, err: '' })
})

test.for([
  { title: 'no key', given: { HASH_SECRETS_DIR: '' }, says: 'hardening_key' },
  { title: 'a short key', given: 'short', says: '32 bytes' },
  { title: 'a cost that no Argon2 has', given: { HARDEN_LANES: '4' }, says: 'HARDEN_LANES' },
  { title: 'an option that does not fit', args: ['--dry-run', '--vacuum'], says: '--dry-run' },
  { title: 'no number of threads', args: ['--threads', '0'], says: '--threads' },
])('$title: nothing is done, and said why', async ({ given = {}, args = [], says }) => {
  const changed = typeof given === 'string' ? { HASH_SECRETS_DIR: join(directory, given) } : given
  settings = { ...settings, ...changed }
  const { code, err } = await run('harden', ...args)
  expect([code, err]).toEqual([2, expect.stringContaining(says)])
})

test('a view is refused', async () => {
  await db.owner.query('alter table legacy.users rename to people')
  await db.owner.query('create view legacy.users as select * from legacy.people')
  const { code, err } = await run('harden')
  expect([code, err]).toEqual([1, expect.stringContaining('view')])
})
