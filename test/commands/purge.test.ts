import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectOwner } from '../../src/db/client.ts'
import { command, eraseNow, holders, moved } from '../forget/helpers.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { md5 } from '../helpers/users.ts'
import { disagreements, runLoad, scratch } from '../load/helpers.ts'

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
const HOUR = 3_600

beforeEach(async () => {
  db = await testDatabase()
  files = await scratch()
  const user = (id: string, cohort: string, scheme = 'md5') =>
    `${id},${id}@example.com,${scheme === 'md5' ? md5(id) : ''},${scheme},${cohort}`
  await load(
    user('new', 'retail'),
    user('verified', 'retail'),
    user('recent', 'retail'),
    user('long', 'retail'),
    user('longer', 'staff'),
    user('empty', 'staff', ''),
    user('erased', 'staff'),
  )
  await moved(db.owner, 'verified', 50 * HOUR, ['verified', 'recent'])
  await moved(db.owner, 'migrated', 2 * HOUR, ['recent'])
  await moved(db.owner, 'migrated', 30 * HOUR, ['long', 'longer'])
})
afterEach(async () => {
  expect(await disagreements(db.url)).toEqual([])
  await db.drop()
  await files.remove()
})

async function load(...rows: string[]) {
  const path = await files.file(
    'users.csv',
    ['id,login,password_hash,hash_scheme,cohort', ...rows, ''].join('\n'),
  )
  return runLoad(db.url, path)
}
const purge = async (args: readonly string[] = [], env = {}) => {
  const { code, out, err } = await command(db.url, ['purge', '--json', ...args], env)
  return { code, err, report: out === '' ? undefined : JSON.parse(out) }
}

const nothing = {
  purgedNow: 0,
  purgedEarlier: 0,
  unmigrated: 0,
  verified: 0,
  withinGrace: 0,
  due: 0,
  deleted: 0,
  back: 0,
}

test('the report counts by cohort and scheme what was removed, and what is held and why', async () => {
  const dry = await purge(['--dry-run'])
  expect(dry).toMatchObject({
    code: 0,
    report: { dryRun: true, total: { ...nothing, unmigrated: 2, verified: 1, withinGrace: 1, due: 2 } },
  })
  expect(await holders(db.owner)).toHaveLength(6)

  const first = await purge()
  expect(first).toEqual({
    code: 0,
    err: '',
    report: {
      asOf: expect.stringMatching(/^\d{4}-.*Z$/),
      dryRun: false,
      complete: true,
      rewritten: false,
      total: { ...nothing, purgedNow: 2, unmigrated: 2, verified: 1, withinGrace: 1 },
      byCohortAndScheme: [
        {
          ...nothing,
          cohort: 'retail',
          scheme: 'md5',
          purgedNow: 1,
          unmigrated: 1,
          verified: 1,
          withinGrace: 1,
        },
        { ...nothing, cohort: 'staff', scheme: 'md5', purgedNow: 1, unmigrated: 1 },
        { ...nothing, cohort: 'staff', scheme: 'unknown' },
      ],
      unlisted: 0,
    },
  })
  expect(await holders(db.owner)).toEqual(['erased', 'new', 'recent', 'verified'])

  await eraseNow(db.url, 'erased')
  await db.owner.query(`insert into legacy.users (id, login, password_hash) values ('stray', 'stray', 'x');
    update legacy.users set password_hash = 'x' where id = 'long'`)
  expect(await purge()).toMatchObject({
    report: {
      total: { ...nothing, purgedEarlier: 2, unmigrated: 1, verified: 1, withinGrace: 1, back: 1 },
      unlisted: 1,
    },
  })
  const text = await command(db.url, ['purge'])
  expect(text.code).toBe(0)
  expect(text.out).toContain('cohort retail, scheme md5')
  expect(text.out).toContain('not in the ledger yet, with a hash: 1')
  for (const id of ['new', 'verified', 'recent', 'long']) {
    expect(text.out).not.toContain(`${id}@`)
    expect(text.out).not.toContain(md5(id))
  }
  await db.owner.query(`delete from legacy.users where id = 'stray'`)
})

test.each([
  { title: 'a shorter time', env: { PURGE_AFTER_SECONDS: '0' }, left: ['erased', 'new', 'verified'] },
  {
    title: 'a longer grace than the time',
    env: { PURGE_AFTER_SECONDS: '0', MIGRATED_GRACE_SECONDS: '86400' },
    left: ['erased', 'new', 'recent', 'verified'],
  },
  {
    title: 'a longer time',
    env: { PURGE_AFTER_SECONDS: '864000' },
    left: ['erased', 'long', 'longer', 'new', 'recent', 'verified'],
  },
  { title: 'verified users too', env: { PURGE_VERIFIED: 'on' }, left: ['erased', 'new', 'recent'] },
  {
    title: 'verified users within their grace',
    env: { PURGE_VERIFIED: 'on', VERIFIED_GRACE_SECONDS: '864000' },
    left: ['erased', 'new', 'recent', 'verified'],
  },
])('with $title', async ({ env, left }) => {
  expect((await purge([], env)).code).toBe(0)
  expect(await holders(db.owner)).toEqual(left)
})

test('verified users are purged up to a moment that is named, and never within their grace', async () => {
  const ago = (hours: number) => new Date(Date.now() - hours * HOUR * 1_000).toISOString()
  await purge(['--verified-before', ago(60)])
  expect(await holders(db.owner)).toContain('verified')
  await purge(['--verified-before', ago(0)], { VERIFIED_GRACE_SECONDS: '864000' })
  expect(await holders(db.owner)).toContain('verified')
  await purge(['--verified-before', ago(49)])
  expect(await holders(db.owner)).toEqual(['erased', 'new', 'recent'])
})

test('after --vacuum the file of the table holds none of the removed hashes, and still those of the others', async () => {
  const inFile = async (id: string) => {
    await db.owner.query('checkpoint')
    const { rows } = await db.owner.query<{ found: boolean }>(
      `select position(convert_to($1, 'UTF8') in pg_read_binary_file(pg_relation_filepath('legacy.users'))) > 0 as found`,
      [md5(id)],
    )
    return rows[0]?.found
  }
  await purge()
  // An update leaves the old row where it was: this is what the option is for.
  expect(await inFile('long')).toBe(true)
  const { code, report } = await purge(['--vacuum'])
  expect([code, report.rewritten]).toEqual([0, true])
  for (const [id, found] of [
    ['long', false],
    ['longer', false],
    ['new', true],
    ['recent', true],
  ] as const)
    expect(await inFile(id), id).toBe(found)
})

test('old rows that an open transaction may still want are not said to be gone', async () => {
  const other = await connectOwner(db.url, 'test')
  await other.query('begin isolation level repeatable read; select 1')
  const { code, err, report } = await purge(['--vacuum'])
  // The end of a connection is not waited for by the server, the end of its transaction is.
  await other.query('rollback')
  await other.end()
  expect([code, report.total.purgedNow, report.rewritten]).toEqual([1, 2, false])
  expect(err).toContain('2 old rows had to be kept in the file')
  expect(await purge(['--vacuum'])).toMatchObject({ code: 0, err: '', report: { rewritten: true } })
})

test.each([
  { args: ['--vacuum', '--dry-run'], says: '--dry-run changes nothing' },
  { args: ['--verified-before', '2025-01-31'], says: '--verified-before takes a moment' },
  { args: ['now'], says: 'no argument was expected' },
])('$args is not understood', async ({ args, says }) => {
  const { code, err } = await purge(args)
  expect(code).toBe(2)
  expect(err).toContain(says)
  expect(await holders(db.owner)).toHaveLength(6)
})

test('try says of a purged user that the hash was purged, and of one who never had any that there is none', async () => {
  await purge()
  const tried = async (login: string) => {
    const { code, out, err } = await command(db.url, ['try', login], {}, 'Right-pa55word')
    return { code, out, err }
  }
  expect(await tried('long@example.com')).toEqual({
    code: 1,
    out: 'unusable-hash: the stored hash was purged; see docs/forgetting.md\n',
    err: '',
  })
  expect((await tried('empty@example.com')).out).toBe(
    'unusable-hash: the stored hash cannot be used: missing\n',
  )
})
