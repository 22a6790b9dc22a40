import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { bcryptHash, disagreements, runLoad, scratch, versions } from './helpers.ts'

let database: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  database = await testDatabase()
  files = await scratch()
})
afterEach(async () => {
  await database.drop()
  await files.remove()
})

const HEADER = 'id,login,password_hash,cohort,profile,deleted'
const csv = (...rows: string[]) => files.file('users.csv', [HEADER, ...rows, ''].join('\n'))
const load = async (path: string, ...args: string[]) => {
  const result = await runLoad(database.url, path, ...args)
  expect(await disagreements(database.url)).toEqual([])
  return result
}
const query = async (text: string) => (await database.owner.query(text)).rows

/** As the ledger says: id, state, cohort, scheme, usable, deleted. */
const ledger = async () =>
  (
    await database.owner.query({
      text: `select user_id, state, cohort, scheme, usable, deleted_at is not null from carryover.users order by user_id`,
      rowMode: 'array',
    })
  ).rows

const indexes = () =>
  query(`select i.tablename, i.indexname, i.indexdef, c.contype from pg_indexes i
    left join pg_constraint c on c.conname = i.indexname and c.connamespace = i.schemaname::regnamespace
    where i.schemaname in ('legacy', 'carryover') order by 1, 2, 3`)

test('a first load fills copy, ledger and counts, and keeps every index', async () => {
  const before = await indexes()
  const { code, summary } = await load(
    await csv(
      `1,ann,${bcryptHash},retail,"{""given_name"":""Ann""}",`,
      '2,bob,,,,',
      '3,cyd,!,retail,,',
      '4,dan,,staff,,yes',
    ),
  )
  expect(code).toBe(0)
  expect(summary).toMatchObject({
    rows: 4,
    added: 3,
    changed: 0,
    unchanged: 0,
    deleted: 1,
    refused: 0,
    unusable: { 'locked-marker': 1, missing: 1 },
  })
  expect(
    await query(
      'select id, login, email, password_hash, cohort, status, profile from legacy.users order by id',
    ),
  ).toEqual([
    {
      id: '1',
      login: 'ann',
      email: null,
      password_hash: bcryptHash,
      cohort: 'retail',
      status: 'active',
      profile: { given_name: 'Ann' },
    },
    {
      id: '2',
      login: 'bob',
      email: null,
      password_hash: null,
      cohort: 'default',
      status: 'active',
      profile: {},
    },
    {
      id: '3',
      login: 'cyd',
      email: null,
      password_hash: '!',
      cohort: 'retail',
      status: 'active',
      profile: {},
    },
  ])
  expect(await ledger()).toEqual([
    ['1', 'unmigrated', 'retail', 'bcrypt', true, false],
    ['2', 'unmigrated', 'default', 'unknown', false, false],
    ['3', 'unmigrated', 'retail', 'unknown', false, false],
    ['4', 'unmigrated', 'staff', 'unknown', false, true],
  ])
  expect(await indexes()).toEqual(before)
  const [now] = await query(
    `select now() - updated_at < interval '1 minute' as recent from legacy.users where id = '1'`,
  )
  expect(now).toEqual({ recent: true })
})

test('the same file again writes no row at all', async () => {
  const path = await csv(`1,ann,${bcryptHash},retail,"{""b"":1,""a"":2}",`, '2,bob,,,,', '4,dan,,staff,,yes')
  await load(path)
  const before = await versions(database.owner)
  const { code, summary } = await load(path)
  expect(code).toBe(0)
  expect(summary).toMatchObject({
    rows: 3,
    added: 0,
    changed: 0,
    unchanged: 3,
    deleted: 0,
    refused: 0,
    unusable: {},
  })
  expect(await versions(database.owner)).toEqual(before)
})

test('changed rows are changed, their users keep their state, and the others are not written', async () => {
  await load(await csv(`1,ann,${bcryptHash},retail,,`, `2,bob,${bcryptHash},retail,,`, '3,cyd,,retail,,'))
  await database.owner.query(
    `select * from carryover.record_outcomes($1, 10, '1 hour', 1000000, gen_random_uuid(), 0)`,
    [
      JSON.stringify([
        {
          dialect: 'd',
          hook: 'h',
          name: 'ann',
          user_id: '1',
          cohort: 'retail',
          scheme: 'bcrypt',
          usable: true,
          verdict: 'match',
          millis: 1,
        },
      ]),
    ],
  )
  const before = await versions(database.owner)
  const { summary } = await load(
    await csv(
      `1,ann,${bcryptHash},staff,,`,
      `2,bob,${bcryptHash},retail,,`,
      `3,cyd,${bcryptHash},retail,,`,
      '5,eve,,,,',
    ),
  )
  expect(summary).toMatchObject({ added: 1, changed: 2, unchanged: 1, unusable: { missing: 1 } })
  expect(await ledger()).toEqual([
    ['1', 'verified', 'staff', 'bcrypt', true, false],
    ['2', 'unmigrated', 'retail', 'bcrypt', true, false],
    ['3', 'unmigrated', 'retail', 'bcrypt', true, false],
    ['5', 'unmigrated', 'default', 'unknown', false, false],
  ])
  const bob = (rows: unknown[]) => rows.filter((row) => JSON.stringify(row).includes('"id":"2"'))
  expect(bob(await versions(database.owner))).toEqual(bob(before))
})

test('a moment that the file does not name stays, and one that it names counts', async () => {
  const header = 'id,login,password_hash,updated_at\n'
  await load(await files.file('a.csv', `${header}1,ann,,2020-02-29T12:00:00.123456+02:00\n`))
  const moment = () =>
    query(
      `select updated_at at time zone 'UTC' as at, (updated_at at time zone 'UTC')::text as text from legacy.users`,
    )
  expect((await moment())[0]?.text).toBe('2020-02-29 10:00:00.123456')
  expect((await load(await files.file('a.csv', `${header}1,ann,,\n`))).summary).toMatchObject({
    unchanged: 1,
  })
  expect(
    (await load(await files.file('a.csv', `${header}1,ann,,0001-01-01T00:00:00Z\n`))).summary,
  ).toMatchObject({ changed: 1 })
  expect((await moment())[0]?.text).toBe('0001-01-01 00:00:00')
})

test('a deleted user is gone for good', async () => {
  await load(await csv(`1,ann,${bcryptHash},retail,,`, `2,bob,${bcryptHash},retail,,`))
  const first = await load(await files.file('gone.csv', 'id,deleted\n1,2024-05-01 10:00:00\n'))
  expect(first.summary).toMatchObject({ rows: 1, deleted: 1, unchanged: 0 })
  expect(await query('select id from legacy.users')).toEqual([{ id: '2' }])
  const before = await versions(database.owner)
  expect((await load(await files.file('gone.csv', 'id,deleted\n1,true\n'))).summary).toMatchObject({
    deleted: 0,
    unchanged: 1,
  })
  const back = await load(await csv(`1,ann,${bcryptHash},retail,,`, `2,bob,${bcryptHash},retail,,`))
  expect(back.code).toBe(1)
  expect(back.summary).toMatchObject({ unchanged: 1, refused: 1, refusedByRule: { 'deleted-earlier': 1 } })
  expect(back.err).toContain('line 2: deleted-earlier: ')
  expect(await readFile(back.summary.refusedPath, 'utf8')).toBe(`${HEADER}\n1,ann,${bcryptHash},retail,,\n`)
  expect(await versions(database.owner)).toEqual(before)
})

test.for([{ title: 'empty' }, { title: 'that has rows' }])(
  'an id that is repeated is refused, into a copy $title',
  async ({ title }) => {
    if (title !== 'empty') await load(await files.file('other.csv', 'id,login,password_hash\nx,x,\n'))
    const path = await csv(
      ',nobody,,,,',
      '1,ann,,,,',
      '2,bob,,,,',
      '1,"an\nother",,,,',
      '3,c,,,,x',
      '3,c,,,,',
      '2,b,,,,yes',
      '1,d,,,,',
    )
    const { code, summary, err } = await load(path)
    expect(code).toBe(1)
    expect(summary).toMatchObject({
      rows: 8,
      added: 3,
      refused: 5,
      refusedByRule: { required: 1, deleted: 1, 'repeated-id': 3 },
    })
    expect(
      err.split('\n').map((line) => line.replace(/^(line \d+: [a-z-]+).*?(: line \d+)?$/, '$1$2')),
    ).toEqual([
      'line 2: required',
      'line 5: repeated-id: line 3',
      'line 7: deleted',
      'line 9: repeated-id: line 4',
      'line 10: repeated-id: line 3',
      '',
    ])
    expect(await query(`select id, login from legacy.users where id <> 'x' order by id`)).toEqual([
      { id: '1', login: 'ann' },
      { id: '2', login: 'bob' },
      { id: '3', login: 'c' },
    ])
  },
)

test('the refused rows are corrected and loaded again', async () => {
  const path = await csv(
    `1,ann,${bcryptHash},,,`,
    `2,  ,${bcryptHash},,"{""a"":1}",`,
    `3,cyd,${bcryptHash},,[],`,
  )
  const { code, summary, err } = await load(path)
  expect(code).toBe(1)
  expect(err).not.toContain('nobodyKnows')
  const refused = await readFile(summary.refusedPath, 'utf8')
  expect(summary.refusedPath).toBe(path.replace('.csv', '.refused.csv'))
  await writeFile(summary.refusedPath, refused.replace('"  "', 'bob').replace('[]', '{}'))
  const again = await load(summary.refusedPath)
  expect(again.code).toBe(0)
  expect(again.summary).toMatchObject({ rows: 2, added: 2, refused: 0, refusedPath: null })
  expect(existsSync(path.replace('.csv', '.refused.refused.csv'))).toBe(false)
  expect(await query('select count(*)::int as users from legacy.users')).toEqual([{ users: 3 }])
})

test('JSON Lines', async () => {
  const path = await files.file(
    'users.ndjson',
    `{"id":1,"login":"ann","password_hash":"${bcryptHash}","profile":{"address":{"country":"DE"},"n":12345678901234567890}}\n{"id":2}\n`,
  )
  const { code, summary } = await load(path)
  expect(code).toBe(1)
  expect(summary).toMatchObject({ added: 1, refusedByRule: { required: 1 } })
  expect(await readFile(path.replace('.ndjson', '.refused.ndjson'), 'utf8')).toBe('{"id":2}\n')
  expect(await query('select profile from legacy.users')).toMatchObject([
    { profile: { address: { country: 'DE' } } },
  ])
})

test.for([
  {
    title: 'an unknown column',
    content: 'id,login,password_hash,shoe\n',
    args: [],
    says: /unknown columns.*: shoe/,
  },
  { title: 'an unknown extension', name: 'users.txt', content: '', args: [], says: /say --format/ },
  {
    title: 'a long delimiter',
    content: '',
    args: ['--delimiter', ';;'],
    says: /--delimiter takes one character/,
  },
  {
    title: 'refused rows into the file itself',
    content: '',
    args: ['--refused', 'users.csv'],
    says: /another file/,
    here: true,
  },
])('$title is not understood', async ({ content, args, says, name = 'users.csv', here }) => {
  const path = await files.file(name, content)
  const real = here ? ['--refused', path] : args
  await expect(runLoad(database.url, path, ...real)).rejects.toThrow(says)
})

test('a view cannot be loaded, and says what to do', async () => {
  await database.owner.query(
    `alter table legacy.users rename to people; create view legacy.users as select * from legacy.people`,
  )
  const { code, err } = await runLoad(database.url, await csv('1,ann,,,,'))
  expect(code).toBe(1)
  expect(err).toMatch(/a view, which cannot be loaded.*carryover sync/)
})
