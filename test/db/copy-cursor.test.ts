import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CopyRow, readCopy } from '../../src/db/copy-cursor.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.drop())

async function everyRow(stop = new AbortController().signal): Promise<CopyRow[]> {
  const rows: CopyRow[] = []
  for await (const batch of readCopy(db.url, stop)) rows.push(...batch)
  return rows.sort((one, other) => (one.hash.id < other.hash.id ? -1 : 1))
}

test('an empty copy has no rows', async () => {
  expect(await everyRow()).toEqual([])
})

test('each row with its cohort, and whether others have the same hash or salt', async () => {
  await db.owner.query(`insert into legacy.users (id, login, password_hash, hash_scheme, salt, cohort) values
    ('1', 'a', 'same', 'md5', 's', 'retail'), ('2', 'b', 'same', null, '', 'staff'), ('3', 'c', 'other', null, 's', 'staff'),
    ('4', 'd', null, null, null, 'staff'), ('5', 'e', null, null, '', 'staff'), ('6', 'f', 'same', null, null, 'staff'),
    ('7', 'g', 'gone', null, null, 'staff'), ('8', 'h', 'gone', null, null, 'staff'), ('9', 'i', '', null, null, 'staff')`)
  await db.owner.query(`insert into carryover.users (user_id, cohort, scheme, usable, deleted_at)
    values ('7', 'staff', 'unknown', false, now())`)
  const rows = await everyRow()
  expect(rows[0]).toEqual({
    cohort: 'retail',
    hash: { encoded: 'same', scheme: 'md5', salt: 's', login: 'a', id: '1', cohort: 'retail' },
    hashShared: true,
    saltShared: true,
  })
  expect(rows.map(({ hash, hashShared, saltShared }) => [hash.id, hashShared, saltShared])).toEqual([
    ['1', true, true],
    ['2', true, false],
    ['3', false, true],
    ['4', false, false],
    ['5', false, false],
    ['6', true, false],
    ['8', false, false],
    ['9', false, false],
  ])
})

test('more rows than one fetch, each once', async () => {
  await db.owner.query(`insert into legacy.users (id, login, password_hash)
    select 'x' || i, 'x' || i, 'x' || i from generate_series(1, 9000) i`)
  const rows = await everyRow()
  expect(new Set(rows.map(({ hash }) => hash.id)).size).toBe(9_008)
})

test('a stop ends the statement in flight', async () => {
  const stop = new AbortController()
  const reading = everyRow(stop.signal)
  setTimeout(() => stop.abort(), 5)
  await expect(reading).rejects.toThrow(/^the database failed while /)
})

test('a view of other types, with empty cohorts and ids', async () => {
  await db.owner.query('alter table legacy.users rename to beneath')
  await db.owner.query(`create view legacy.users as select v.id, v.login, v.password_hash::varchar(99), null::text as hash_scheme,
    null::text as salt, null::text as cohort from (values (1, 'a', 'same'), (2, null, 'same'), (null, 'c', 'same')) v (id, login, password_hash)`)
  expect(
    (await everyRow()).map(({ cohort, hash, hashShared }) => [cohort, hash.id, hash.login, hashShared]),
  ).toEqual([
    ['default', '1', 'a', true],
    ['default', '2', '', true],
  ])
})
