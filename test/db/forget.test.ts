import { join } from 'node:path'
import type pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createChains } from '../../src/db/chains.ts'
import { connectOwner, openDatabase } from '../../src/db/client.ts'
import { eraseUser } from '../../src/db/erase.ts'
import { confirmUsers } from '../../src/db/outcomes.ts'
import { purgeMigrated, purgeVerified } from '../../src/db/purge.ts'
import { syncLedger } from '../../src/db/sync.ts'
import { UNTHROTTLED, userFinder } from '../../src/db/users.ts'
import { command, eraseNow, holders, moved } from '../forget/helpers.ts'
import { openAsHooks, type TestDatabase, testDatabase } from '../helpers/db.ts'
import { disagreements, fakeClassify, runLoad, scratch } from '../load/helpers.ts'

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  db = await testDatabase()
  files = await scratch()
})
afterEach(async () => {
  expect(await disagreements(db.url)).toEqual([])
  await db.drop()
  await files.remove()
})

const HOUR = 3_600
const owned = async <Result>(work: (database: ReturnType<typeof openDatabase>) => Promise<Result>) => {
  const database = openDatabase({
    connectionString: db.url,
    applicationName: 'test',
    max: 2,
    min: 0,
    onLost: () => {},
  })
  try {
    return await work(database)
  } finally {
    await database.end()
  }
}
const purgeNow = (kept = HOUR, most = 500) => owned((database) => purgeMigrated(database, kept, most))
const query = async <Row extends object = Record<string, unknown>>(text: string, values: unknown[] = []) =>
  (await db.owner.query<Row>(text, values)).rows
const ledgerOf = async (id: string) =>
  (
    await query(
      'select state, cohort, scheme, usable, purged_at is not null as purged from carryover.users where user_id = $1',
      [id],
    )
  )[0]

const md5 = (id: string | number) => `${id}`.padStart(32, 'a')
const HEADER = 'id,login,email,password_hash,hash_scheme,salt,cohort,deleted'
const row = (id: string, change: { email?: string; hash?: string; cohort?: string; deleted?: string } = {}) =>
  [
    id,
    `${id}@example.com`,
    change.email ?? '',
    change.hash ?? md5(id),
    'md5',
    'pinch',
    change.cohort ?? 'retail',
    change.deleted ?? '',
  ].join(',')
const loadRows = async (...rows: string[]) =>
  runLoad(db.url, await files.file('users.csv', [HEADER, ...rows, ''].join('\n')))
const sync = () =>
  syncLedger(db.url, { classify: fakeClassify, progress: () => {}, stop: new AbortController().signal })

test('a purge takes hash and salt of those who are confirmed long enough, and of nobody else', async () => {
  await loadRows(...['new', 'verified', 'recent', 'long', 'longer', 'gone'].map((id) => row(id)))
  await moved(db.owner, 'verified', 100 * HOUR, ['verified', 'long'])
  await moved(db.owner, 'migrated', HOUR / 2, ['recent'])
  await moved(db.owner, 'migrated', 2 * HOUR, ['long', 'longer', 'gone'])
  await loadRows(row('gone', { deleted: 'true' }))
  const before = await ledgerOf('long')

  expect(await purgeNow()).toBe(2)

  expect(await holders(db.owner)).toEqual(['new', 'recent', 'verified'])
  expect(await ledgerOf('long')).toEqual({ ...before, purged: true })
  expect(await query(`select login, cohort, hash_scheme from legacy.users where id = 'long'`)).toEqual([
    { login: 'long@example.com', cohort: 'retail', hash_scheme: 'md5' },
  ])
  expect(await purgeNow()).toBe(0)
  // Whatever is asked for: nobody is purged who is not migrated, and a negative time is none.
  expect(await purgeNow(-1_000_000)).toBe(1)
  expect(await holders(db.owner)).toEqual(['new', 'verified'])
})

test('those who were only verified are purged by a function of its own, from the moment that is named', async () => {
  await loadRows(...['a', 'b', 'c', 'd', 'e'].map((id) => row(id)))
  await moved(db.owner, 'verified', 3 * HOUR, ['a', 'b', 'c'])
  await moved(db.owner, 'verified', HOUR, ['d'])
  const before = new Date(Date.now() - 2 * HOUR * 1_000)
  await owned(async (database) => {
    expect(await purgeVerified(database, before, null, 2)).toEqual({ users: 2, last: 'b' })
    expect(await purgeVerified(database, before, 'b', 2)).toEqual({ users: 1, last: 'c' })
    expect(await purgeVerified(database, before, 'c', 2)).toEqual({ users: 0, last: null })
  })
  expect(await holders(db.owner)).toEqual(['d', 'e'])
})

test('a purge leaves locked users for the next time, and waits for nobody', async () => {
  await loadRows(row('a'), row('b'))
  await moved(db.owner, 'migrated', 2 * HOUR, ['a', 'b'])
  await db.owner.query(`begin; select from carryover.users where user_id = 'a' for update`)
  expect(await purgeNow()).toBe(1)
  await db.owner.query('commit')
  expect(await holders(db.owner)).toEqual(['a'])
  expect(await purgeNow()).toBe(1)
})

test('sign-ins and events go on beside a purge that has not committed, of those whom it purges too', async () => {
  await loadRows(row('a'), row('b'), row('c'))
  await moved(db.owner, 'migrated', 2 * HOUR, ['a'])
  await db.owner.query(`begin; select carryover.purge_hashes('1 hour', 500)`)
  // The service's own limits: a statement that waits for a lock fails after half a second.
  const hooks = openAsHooks(db.url, 1)
  const outcome = {
    dialect: 'okta',
    hook: 'password-import',
    cohort: 'retail',
    scheme: 'md5',
    usable: true,
    millis: 1,
  }
  const { user } = await userFinder(hooks, UNTHROTTLED)('a@example.com', performance.now() + 5_000)
  expect(user?.hash.encoded).toBe(md5('a'))
  await hooks.query({
    name: 'record',
    text: `select carryover.record_outcomes($1::jsonb, 10, '1 hour', 1000, gen_random_uuid(), 0)`,
    values: [
      JSON.stringify([
        { ...outcome, user_id: 'a', verdict: 'migrated' },
        { ...outcome, user_id: 'b', verdict: 'match' },
      ]),
    ],
  })
  const notice = { dialect: 'okta', hook: 'events', result: 'stored' } as const
  expect(
    await confirmUsers(
      hooks,
      [
        { ...notice, name: 'a@example.com', event_id: '1' },
        { ...notice, name: 'c@example.com', event_id: '2' },
      ],
      createChains(),
    ),
  ).toEqual(['repeated', 'confirmed'])
  await hooks.end()
  await db.owner.query('commit')
  expect(await holders(db.owner)).toEqual(['b', 'c'])
})

test('while a load holds the copy a purge fails at once, and is done afterwards', async () => {
  await loadRows(row('a'))
  await moved(db.owner, 'migrated', 100 * HOUR, ['a'])
  await db.owner.query('begin; lock table legacy.users in share row exclusive mode')
  await expect(purgeNow()).rejects.toMatchObject({ detail: '55P03' })
  const told = await command(db.url, ['purge'])
  expect([told.code, told.out]).toEqual([1, ''])
  expect(told.err).toContain('a load holds the copy')
  await db.owner.query('rollback')
  expect(await purgeNow()).toBe(1)
})

test('a purge whose backend is killed in the middle is whole after the next one', async () => {
  const ids = Array.from({ length: 1_500 }, (_, at) => `u${at}`)
  await loadRows(...ids.map((id) => row(id)), row('kept'))
  await moved(db.owner, 'migrated', 2 * HOUR, ids)
  const victim: pg.Client = await connectOwner(db.url, 'victim')
  await victim.query('begin')
  await victim.query(`select carryover.purge_hashes('1 hour', 1000)`)
  const { rows } = await victim.query<{ pid: number }>('select pg_backend_pid() as pid')
  // Beside it another one takes the rest.
  expect(await purgeNow(HOUR, 1_000)).toBe(500)
  await db.owner.query('select pg_terminate_backend($1, 5000)', [rows[0]?.pid])
  await victim.end().catch(() => {})
  expect(await holders(db.owner)).toHaveLength(1_001)
  expect(await purgeNow(HOUR, 5_000)).toBe(1_000)
  expect(await holders(db.owner)).toEqual(['kept'])
})

test('no load brings a hash back: of an older file, of a newer one, and of a row that others have deleted', async () => {
  await loadRows(row('a'), row('b'), row('c'))
  await moved(db.owner, 'migrated', 2 * HOUR, ['a', 'b'])
  await purgeNow()

  const same = await loadRows(row('a'), row('b'), row('c'))
  expect(same).toMatchObject({
    code: 0,
    summary: { rows: 3, unchanged: 3, changed: 0, refused: 0, keptPurged: 2, unusable: {} },
  })
  await db.owner.query(`delete from legacy.users where id = 'b'`)
  const newer = await loadRows(
    row('a', { hash: md5('newer'), cohort: 'staff', email: 'a@mail.example' }),
    row('b', { hash: '' }),
  )
  expect(newer).toMatchObject({ code: 0, summary: { added: 1, changed: 1, keptPurged: 2, unusable: {} } })

  expect(await holders(db.owner)).toEqual(['c'])
  expect(await query(`select email, cohort from legacy.users where id = 'a'`)).toEqual([
    { email: 'a@mail.example', cohort: 'staff' },
  ])
  // The cohort follows the file; the scheme is what the hash was.
  expect(await ledgerOf('a')).toEqual({
    state: 'migrated',
    cohort: 'staff',
    scheme: 'md5',
    usable: true,
    purged: true,
  })
  const text = await command(db.url, ['load', await files.file('users.csv', `${HEADER}\n${row('a')}\n`)])
  expect(text.out).toContain('kept purged: 1')
})

test('no load brings an erased user back, not even into an empty copy, and nothing of the row is written anywhere', async () => {
  await loadRows(row('a', { email: 'ann@mail.example' }), row('b'))
  await eraseNow(db.url, 'a')
  const again = await loadRows(row('a'), row('a'), row('b'), row('c'))
  expect(again).toMatchObject({
    code: 1,
    summary: {
      added: 1,
      unchanged: 1,
      refused: 2,
      refusedByRule: { 'erased-earlier': 2 },
      refusedPath: null,
    },
  })
  expect(again.err).toContain('line 2: erased-earlier: the row has the id of a user who was erased')
  expect(await query('select id from legacy.users order by id')).toEqual([{ id: 'b' }, { id: 'c' }])
  // A file that calls the user deleted is right.
  expect(await loadRows(row('a', { deleted: 'true' }))).toMatchObject({ code: 0, summary: { refused: 0 } })
  expect(await ledgerOf('a')).toBeUndefined()

  await eraseNow(db.url, 'b')
  await eraseNow(db.url, 'c')
  expect(await loadRows(row('a'), row('b'), row('c'), row('d'))).toMatchObject({
    code: 1,
    summary: { added: 1, refused: 3 },
  })
  expect(await query('select user_id from carryover.users')).toEqual([{ user_id: 'd' }])
  // Ids are what they are: another case is another user.
  expect(await loadRows(row('A'))).toMatchObject({ code: 0, summary: { added: 1 } })
})

test('the role of the load keeps away who was erased, and the hashes of those who were purged', async () => {
  await loadRows(row('a'), row('b'), row('c'))
  await moved(db.owner, 'migrated', 2 * HOUR, ['b'])
  await purgeNow()
  await eraseNow(db.url, 'a')
  const name = (await query<{ name: string }>('select current_database() as name'))[0]?.name
  const account = `load_of_${name}`
  await query(`create user ${account} in role carryover_load`)
  await query(`grant temporary on database ${name} to ${account}`)
  const path = join(files.directory, 'users.csv')
  const asLoader = () => runLoad(db.url.replace('postgres@', `${account}@`), path)
  try {
    await files.file('users.csv', [HEADER, row('a'), row('b'), row('c'), row('d'), ''].join('\n'))
    expect(await asLoader()).toMatchObject({
      code: 1,
      summary: { added: 1, unchanged: 2, keptPurged: 1, refusedByRule: { 'erased-earlier': 1 } },
    })
    expect(await holders(db.owner)).toEqual(['c', 'd'])
    // An empty copy too: who was erased is asked for all the same.
    await query('delete from legacy.users')
    expect(await asLoader()).toMatchObject({ code: 1, summary: { added: 3, refused: 1, keptPurged: 1 } })
    expect(await holders(db.owner)).toEqual(['c', 'd'])
  } finally {
    await query(`drop owned by ${account}`)
    await query(`drop user ${account}`)
  }
})

test('sync removes once more what others have written into the table', async () => {
  await loadRows(row('a'), row('b'), row('c'))
  await moved(db.owner, 'migrated', 2 * HOUR, ['a'])
  await purgeNow()
  await eraseNow(db.url, 'b')
  await db.owner.query(`update legacy.users set password_hash = 'md5:back', cohort = 'staff' where id = 'a';
    insert into legacy.users (id, login, password_hash) values ('b', 'b@example.com', 'md5:back')`)
  expect(await sync()).toMatchObject({ purgedAgain: 1, erasedAgain: 1, beneathView: false })
  expect(await holders(db.owner)).toEqual(['c'])
  expect(await query('select id from legacy.users order by id')).toEqual([{ id: 'a' }, { id: 'c' }])
  expect(await ledgerOf('a')).toMatchObject({ cohort: 'staff', scheme: 'md5', usable: true })
  expect(await ledgerOf('b')).toBeUndefined()
  expect(await sync()).toMatchObject({ purgedAgain: 0, erasedAgain: 0 })
})

test('beneath a view nothing is ours to remove: purge refuses, erase does the ledger, sync reports', async () => {
  await loadRows(row('a'), row('b'))
  await moved(db.owner, 'migrated', 2 * HOUR, ['a'])
  await purgeNow()
  await db.owner.query(`alter table legacy.users rename to people;
    update legacy.people set password_hash = 'md5:back' where id = 'a';
    create view legacy.users as select * from legacy.people`)
  await expect(purgeNow()).rejects.toMatchObject({ detail: '42809' })
  const purge = await command(db.url, ['purge'])
  expect([purge.code, purge.out]).toEqual([1, ''])
  expect(purge.err).toContain('legacy.users is a view: remove the hashes beneath it')

  expect(await eraseNow(db.url, 'b')).toMatchObject({ kind: 'erased', beneathView: true })
  expect(await ledgerOf('b')).toBeUndefined()
  expect(await sync()).toMatchObject({ purgedAgain: 1, erasedAgain: 1, beneathView: true })
  const told = await command(db.url, ['sync'])
  expect(told.code).toBe(1)
  expect(told.err).toContain('remove them beneath the view')
  expect(await ledgerOf('b')).toBeUndefined()
  await db.owner.query(`delete from legacy.people where id = 'b'`)
})

test.each([
  { state: 'unmigrated', hash: undefined },
  { state: 'unmigrated', hash: '!' },
  { state: 'verified', hash: undefined },
  { state: 'migrated', hash: undefined },
  { state: 'purged', hash: undefined },
])('an erased user who was $state is nowhere, and the counts are exact', async ({ state, hash }) => {
  await loadRows(row('ann', { email: 'ann@mail.example', ...(hash && { hash }) }), row('bob'))
  if (state === 'verified') await moved(db.owner, 'verified', HOUR, ['ann', 'bob'])
  if (state === 'migrated' || state === 'purged') await moved(db.owner, 'migrated', 2 * HOUR, ['ann', 'bob'])
  if (state === 'purged') await purgeNow()
  const hooks = openAsHooks(db.url, 1)
  const outcome = (change: object) => ({
    dialect: 'okta',
    hook: 'password-import',
    cohort: 'retail',
    scheme: 'md5',
    usable: true,
    verdict: 'mismatch',
    millis: 1,
    ...change,
  })
  await hooks.query({
    name: 'record',
    text: `select carryover.record_outcomes($1::jsonb, 10, '1 hour', 1000, gen_random_uuid(), 0)`,
    values: [
      JSON.stringify([
        outcome({ user_id: 'ann' }),
        outcome({ user_id: 'ann' }),
        outcome({ user_id: 'bob' }),
        outcome({ name: 'ann@mail.example', user_id: null, cohort: null, verdict: 'unknown-login' }),
      ]),
    ],
  })
  for (const id of ['ann', 'ann', 'ann', 'bob'])
    await query(
      `insert into carryover.probes (user_id, cohort, scheme, matched) values ($1, 'retail', 'md5', true)`,
      [id],
    )

  const removed = {
    'legacy.users': 1,
    'carryover.users': 1,
    'carryover.refusals': 2,
    'carryover.outcomes': 2,
    'carryover.probes': 3,
  }
  const { rows: before } = await db.owner.query('select * from carryover.counts')
  expect(await eraseNow(db.url, 'ann', true)).toMatchObject({ kind: 'erased', removed })
  expect((await db.owner.query('select * from carryover.counts')).rows).toEqual(before)
  expect(await query('select * from carryover.erased')).toEqual([])

  expect(await eraseNow(db.url, 'ann')).toMatchObject({ kind: 'erased', removed, beneathView: false })
  expect(await eraseNow(db.url, 'ann')).toEqual({ kind: 'nobody' })
  const find = userFinder(hooks, UNTHROTTLED)
  expect(await find('ann@example.com', performance.now() + 5_000)).toEqual({
    user: null,
    ambiguous: false,
    refusals: 0,
  })
  await hooks.end()
  expect(await query('select id from legacy.users')).toEqual([{ id: 'bob' }])
  expect(await query('select user_id from carryover.users')).toEqual([{ user_id: 'bob' }])
  expect(await query('select distinct user_id from carryover.probes')).toEqual([{ user_id: 'bob' }])
  expect(await query('select subject from carryover.refusals')).toEqual([{ subject: 'user:bob' }])
  await expect(query('delete from carryover.probes')).rejects.toMatchObject({ code: '42501' })
})

test('a sign-in that had found the user before, and writes of them afterwards, is swept up', async () => {
  await loadRows(row('ann'), row('bob'))
  const hooks = openAsHooks(db.url, 1)
  const late = () =>
    hooks.query({
      name: 'record',
      text: `select carryover.record_outcomes($1::jsonb, 10, '1 hour', 1000, gen_random_uuid(), 0)`,
      values: [
        JSON.stringify([
          {
            dialect: 'okta',
            hook: 'password-import',
            user_id: 'ann',
            cohort: 'retail',
            scheme: 'md5',
            usable: true,
            verdict: 'match',
            millis: 1,
          },
        ]),
      ],
    })
  const erasure = await eraseUser(
    db.url,
    { login: ' ANN@example.com' },
    {
      dryRun: false,
      settled: async () => {
        await late()
      },
    },
  )
  await hooks.end()
  expect(erasure).toMatchObject({
    removed: { 'legacy.users': 1, 'carryover.users': 2, 'carryover.outcomes': 1 },
  })
  expect(await ledgerOf('ann')).toBeUndefined()
})

test('whoever answers to a name together with others is not erased by it', async () => {
  await loadRows(row('a'), row('b').replace('b@example.com', 'A@example.com'), row('c'))
  const by = (login: string) => eraseUser(db.url, { login }, { dryRun: false, settled: async () => {} })
  expect(await by('a@example.com')).toEqual({ kind: 'several', ids: ['a', 'b'] })
  expect(await by('nobody@example.com')).toEqual({ kind: 'nobody' })
  expect(await query('select count(*)::int as rows from legacy.users')).toEqual([{ rows: 3 }])
})

test('while a load is under way nobody is erased', async () => {
  await loadRows(row('a'))
  await db.owner.query(`begin; select pg_advisory_xact_lock(hashtext('carryover.load'))`)
  await expect(eraseNow(db.url, 'a')).rejects.toThrow('a load or sync is running')
  await db.owner.query('rollback')
})

test('no statistics hold a hash', async () => {
  const rows = Array.from({ length: 1_200 }, (_, at) => row(`u${at}`))
  await loadRows(...rows)
  await loadRows(...rows.map((line) => line.replace(',pinch,', ',ounce,')), ...rows.slice(0, 300))
  await db.owner.query('analyze legacy.users; checkpoint')
  const [found] = await query<{ hashes: boolean; something: boolean }>(
    `select position(convert_to('aaaaaaaaaaaa', 'UTF8') in file) > 0 as hashes,
      position(convert_to('@example.com', 'UTF8') in file) > 0 as something
    from pg_read_binary_file(pg_relation_filepath('pg_statistic')) file`,
  )
  expect(found).toEqual({ hashes: false, something: true })
})

test('the role of the purge can purge, and nothing else', async () => {
  await loadRows(row('a'), row('b'))
  await moved(db.owner, 'migrated', 2 * HOUR, ['a'])
  const tables = await query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('legacy', 'carryover')`,
  )
  const callable = await query<{ name: string }>(
    `select p.proname as name from pg_proc p where p.pronamespace = 'carryover'::regnamespace
      and p.prorettype <> 'trigger'::regtype and has_function_privilege('carryover_purge', p.oid, 'execute') order by 1`,
  )
  expect(callable).toEqual([{ name: 'purge_hashes' }, { name: 'schema_version' }])
  const forbidden = [
    ...tables.flatMap(({ name }) => [
      `select * from ${name}`,
      `delete from ${name}`,
      `truncate ${name}`,
      `drop table ${name}`,
    ]),
    `update legacy.users set password_hash = null`,
    `update carryover.users set state = 'migrated'`,
    `select carryover.purge_verified(now(), null, 1)`,
    `select carryover.erase_user('a')`,
    `select * from carryover.find_users(array['a@example.com'], '1 s')`,
    'create table carryover.mine (id int)',
    'set role carryover_hooks',
    'set role carryover_admin',
  ]
  for (const statement of forbidden) {
    await db.owner.query('begin; set local session authorization carryover_purge')
    await expect(db.owner.query(statement), statement).rejects.toMatchObject({ code: '42501' })
    await db.owner.query('rollback')
  }
  for (const role of ['carryover_hooks', 'carryover_admin']) {
    await db.owner.query(`begin; set local session authorization ${role}`)
    await expect(db.owner.query(`select carryover.purge_hashes('1 s', 1)`)).rejects.toMatchObject({
      code: '42501',
    })
    await db.owner.query('rollback')
  }
  await db.owner.query('begin; set local session authorization carryover_purge')
  const { rows } = await db.owner.query(`select carryover.purge_hashes('1 hour', 500)::int as users`)
  expect(rows).toEqual([{ users: 1 }])
  await db.owner.query('commit')
  expect(await holders(db.owner)).toEqual(['b'])
})
