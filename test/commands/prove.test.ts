import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand } from '../helpers/process.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

let db: TestDatabase
let directory: string
const run = (...args: string[]) => runCommand(['prove', ...args], { DATABASE_URL: db.url })

const users = (cohort: string, count: number, hash: string | undefined, scheme?: string) =>
  Array.from({ length: count }, (_, at) => ({
    id: `${cohort}-${at}`,
    login: `${cohort}${at}@example.com`,
    cohort,
    ...(hash !== undefined && { password_hash: hash }),
    ...(scheme !== undefined && { hash_scheme: scheme }),
  }))

beforeAll(async () => {
  db = await testDatabase()
  directory = await mkdtemp(join(tmpdir(), 'carryover-prove-'))
  await loadUsers(db.url, [
    ...users('seen', 40, md5('x'), 'md5'),
    ...users('failing', 2, md5('x'), 'md5'),
    ...users('known', 3, md5('x'), 'md5'),
    ...users('wrong', 3, md5('x'), 'md5'),
    ...users('<b>plain</b>', 2, md5('x'), 'md5'),
    ...users('=unread', 2, undefined),
    ...users('hardened', 6, md5('x'), 'md5'),
  ])
  // As `harden` leaves it behind.
  for (const table of ['users', 'counts'])
    await db.owner.query(`update carryover.${table} set scheme = 'hardened:md5' where cohort = 'hardened'`)
  await db.owner.query(
    `insert into legacy.users (id, login, password_hash) values ('-stray, "quoted"', 'stray@example.com', 'x')`,
  )
  const outcomes: [string, string, string][] = [
    // Twice the same user is one user; a mistyped password before a match is none of ours.
    ...Array.from({ length: 31 }, (_, at) => [`seen-${at % 30}`, 'match', 'md5'] as [string, string, string]),
    ['seen-0', 'mismatch', 'md5'],
    ['seen-35', 'mismatch', 'md5'],
    // Under another scheme than the row has now: no evidence.
    ['seen-36', 'match', 'sha1'],
    ['failing-0', 'match', 'md5'],
    ['failing-1', 'unusable-hash', 'md5'],
    // Before it was hardened, and since; the last one cannot be used since.
    ['hardened-0', 'match', 'md5'],
    ['hardened-1', 'match', 'hardened:md5'],
    ['hardened-2', 'mismatch', 'md5'],
    ['hardened-3', 'match', 'sha1'],
    ['hardened-4', 'match', 'md5'],
    ['hardened-4', 'unusable-hash', 'hardened:md5'],
  ]
  for (const [id, verdict, scheme] of outcomes)
    await db.owner.query(`select carryover.record_outcomes($1, 1000, '1 hour', 1000, gen_random_uuid(), 0)`, [
      JSON.stringify([{ dialect: 'okta', hook: 'password-import', user_id: id, verdict, scheme, millis: 1 }]),
    ])
  for (const [id, cohort, matched] of [
    ['known-0', 'known', false],
    ['known-0', 'known', true],
    ['known-1', 'known', true],
    ['wrong-0', 'wrong', true],
    ['wrong-1', 'wrong', false],
    ['hardened-5', 'hardened', true],
  ])
    await db.owner.query(
      `insert into carryover.probes (user_id, cohort, scheme, matched) values ($1, $2, 'md5', $3)`,
      [id, cohort, matched],
    )
})
afterAll(async () => {
  await db.drop()
  await rm(directory, { recursive: true })
})

test('each cohort and scheme has its numbers, its grade and its bound', async () => {
  const { code, out, err } = await run('--json')
  expect([code, err]).toEqual([1, ''])
  const proof = JSON.parse(out)
  expect(proof).toMatchObject({ users: 59, uncovered: 3, unlisted: 1 })
  const row = {
    scheme: 'md5',
    probed: 0,
    probesFailed: 0,
    observed: 0,
    failed: 0,
    refusedOnly: 0,
    uncovered: 0,
    upperBound: null,
  }
  expect(proof.rows).toEqual([
    { ...row, cohort: '<b>plain</b>', users: 2, read: 2, grade: 'read' },
    { ...row, cohort: '=unread', scheme: 'unknown', users: 2, read: 0, uncovered: 2, grade: 'none' },
    { ...row, cohort: 'failing', users: 2, read: 2, observed: 1, failed: 1, grade: 'read' },
    {
      ...row,
      cohort: 'hardened',
      scheme: 'hardened:md5',
      users: 6,
      read: 6,
      probed: 1,
      observed: 2,
      failed: 1,
      refusedOnly: 1,
      grade: 'probed',
    },
    { ...row, cohort: 'known', users: 3, read: 3, probed: 2, grade: 'probed' },
    {
      ...row,
      cohort: 'seen',
      users: 40,
      read: 40,
      observed: 30,
      refusedOnly: 1,
      grade: 'observed',
      upperBound: 0.1,
    },
    { ...row, cohort: 'wrong', users: 3, read: 3, probed: 1, probesFailed: 1, grade: 'read' },
  ])
})

test('for people: the bound is rounded up, and what is missing is said', async () => {
  const { out } = await run()
  expect(out).toMatch(/seen +md5 +40 +40 +0 +30 +≤ 10 % +1 +observed/)
  expect(out).toContain(
    '3 of 59 users are covered by no grade\n1 of them are in the copy and not in the ledger',
  )
})

test('the page is whole in itself, and takes nothing of the copy for HTML', async () => {
  const file = join(directory, 'proof.html')
  expect((await run('--html', file)).code).toBe(1)
  const page = await readFile(file, 'utf8')
  expect(page).toContain('&lt;b&gt;plain&lt;/b&gt;')
  expect(page).not.toContain('<b>plain')
  expect(page).not.toMatch(/<script|https?:|src=/)
})

test('the users that no grade covers: for their owner alone, safe in a spreadsheet', async () => {
  const file = join(directory, 'rows.csv')
  await writeFile(file, 'before', { mode: 0o644 })
  await run('--rows', file)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  expect((await readFile(file, 'utf8')).trimEnd().split('\n')).toEqual([
    'id,cohort,scheme,why',
    `"'=unread-0","'=unread","unknown","the hash cannot be checked"`,
    `"'=unread-1","'=unread","unknown","the hash cannot be checked"`,
    `"'-stray, ""quoted""","default","","not in the ledger"`,
  ])
})

test('a file that cannot be written is exit 2', async () => {
  const { code, err } = await run('--rows', join(directory, 'no', 'such'))
  expect([code, err]).toEqual([2, 'carryover prove: the file of --rows cannot be written (ENOENT)\n'])
})

test('a database of an older version is exit 1', async () => {
  const old = await testDatabase('template0')
  const { code, err } = await runCommand(['prove'], { DATABASE_URL: old.url })
  expect([code, err]).toEqual([1, 'carryover prove: the database failed while reading the grades (42P01)\n'])
  await old.drop()
})

test('nobody but the owner reads or writes the record of probes', async () => {
  for (const role of ['carryover_hooks', 'carryover_admin']) {
    await db.owner.query(`set role ${role}`)
    await expect(db.owner.query('select from carryover.probes')).rejects.toThrow('permission denied')
    await expect(
      db.owner.query(
        `insert into carryover.probes (user_id, cohort, scheme, matched) values ('a', 'b', 'c', true)`,
      ),
    ).rejects.toThrow('permission denied')
    await db.owner.query('reset role')
  }
})
