import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BCRYPT_TAIL } from '../analyze/helpers.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand } from '../helpers/process.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

/** Five milliseconds at least, on any machine. */
const BCRYPT_7 = `$2b$07$${BCRYPT_TAIL}`
const SAME = md5('one password for two')

let db: TestDatabase
let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryover-analyze-'))
  db = await testDatabase()
  await loadUsers(db.url, [
    { id: '1', login: 'a', password_hash: SAME, hash_scheme: 'md5', cohort: 'retail' },
    { id: '2', login: 'b', password_hash: SAME, hash_scheme: 'md5', cohort: 'staff' },
    { id: '3', login: 'c', password_hash: BCRYPT_7, cohort: 'staff' },
  ])
})
afterAll(async () => {
  await db.drop()
  await rm(directory, { recursive: true })
})

const analyze = (...args: string[]) =>
  runCommand(['analyze', ...args], { DATABASE_URL: db.url, CHECK_THREADS: '1' })

test('every row can be checked: exit 0', async () => {
  const { code, out, err } = await analyze('--json')
  expect([code, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toMatchObject({
    clock: 1_200,
    threads: 1,
    rows: 3,
    read: 3,
    unread: 0,
    defects: {},
    unavailable: 0,
    late: 0,
    lateShare: 0,
    hashShared: 2,
    saltShared: 0,
    weak: { unsalted: 2, 'md5-or-sha1': 2, 'bcrypt-cost': 1 },
    perSecond: expect.any(Number),
    groups: [
      { cohort: 'retail', scheme: 'md5', rows: 1, read: 1, hashShared: 1 },
      { cohort: 'staff', scheme: 'md5', rows: 1, hashShared: 1 },
      { cohort: 'staff', scheme: 'bcrypt', rows: 1, hashShared: 0, p50: expect.any(Number) },
    ],
    costs: [
      { scheme: 'md5', rows: 2, late: false, failure: null },
      { scheme: 'bcrypt', parameters: 'cost 7', rows: 1, perSecond: expect.any(Number) },
    ],
  })
})

test('a caller with a shorter clock', async () => {
  const report = JSON.parse((await analyze('--json', '--clock', '3')).out)
  expect(report).toMatchObject({ clock: 3, late: 1, lateShare: 1 / 3 })
})

test('rows that nothing can check: exit 1, their ids in a file, and no hash anywhere', async () => {
  await db.owner.query(`insert into legacy.users (id, login, password_hash, cohort)
    values ('=1', 'd', '${SAME}', 'staff'), ('5', 'e', null, 'retail')`)
  const [rows, html] = [join(directory, 'rows.csv'), join(directory, 'page.html')]
  const { code, out, err } = await analyze('--rows', rows, '--html', html)
  expect([code, err]).toEqual([1, ''])
  expect(out).toContain('5 rows: 3 are read (60.0 %), 2 are not\n')
  expect(out).toMatch(/^ambiguous +1 +a digest alone/m)
  expect(out).toMatch(/^staff +bcrypt +exact +1 +1 +0 +0 % +0 +0 /m)
  const [csv, page] = [await readFile(rows, 'utf8'), await readFile(html, 'utf8')]
  expect(csv.split('\r\n').sort()).toEqual([
    '',
    `"'=1","staff","ambiguous"`,
    '"5","retail","missing"',
    'id,cohort,defect',
  ])
  expect(page).toContain('5 rows: 3 are read')
  for (const text of [out, csv, page]) {
    expect(text).not.toContain(SAME)
    expect(text).not.toContain(BCRYPT_TAIL)
  }
  expect((await stat(rows)).mode & 0o777).toBe(0o600)
})

test.each([
  { title: 'a clock that is no number', args: ['--clock', 'soon'] },
  { title: 'a file in a place that is not there', args: ['--rows', '/nowhere/rows.csv'] },
  { title: 'one file for two things', args: ['--rows', '/tmp/one', '--html', '/tmp/one'] },
])('$title is not understood', async ({ args }) => {
  const { code, out } = await analyze(...args)
  expect([code, out]).toEqual([2, ''])
})

test('a database without the schema is exit 1, and told', async () => {
  const { code, err } = await runCommand(['analyze'], {
    DATABASE_URL: db.url.replace(/\/test_\w+/, '/postgres'),
  })
  expect([code, err]).toEqual([
    1,
    expect.stringMatching(/^carryover analyze: the database failed while grouping/),
  ])
})
