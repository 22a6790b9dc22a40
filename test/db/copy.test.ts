import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openLoad } from '../../src/db/copy.ts'
import { type CopyRow, rowEncoder } from '../../src/db/encode.ts'
import { recount } from '../../src/db/recount.ts'
import { syncLedger } from '../../src/db/sync.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { disagreements, fakeClassify, versions } from '../load/helpers.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await testDatabase()
})
afterEach(() => database.drop())

function row(number: number, changes: Partial<CopyRow> = {}): CopyRow {
  const id = `u${String(number).padStart(6, '0')}`
  return {
    line: number + 2,
    id,
    login: `${id}@example.com`,
    email: null,
    passwordHash: `md5:${number}`,
    hashScheme: null,
    salt: null,
    status: 'active',
    cohort: 'retail',
    profile: '{"a":1}',
    updatedAt: 0,
    deleted: false,
    scheme: 'md5',
    defect: null,
    raw: null,
    ...changes,
  }
}

async function loadRows(rows: Iterable<CopyRow>) {
  const load = await openLoad(database.url)
  try {
    const encoder = rowEncoder(load.plan)
    for (const one of rows) {
      encoder.add(one)
      await load.send(encoder.take(false))
    }
    await load.send(encoder.take(true))
    for await (const late of load.lateRefusals(encoder.tally())) expect(late).toBeUndefined()
    return await load.commit(encoder.tally())
  } finally {
    await load.close()
  }
}

function* rowsOf(count: number, changes: (number: number) => Partial<CopyRow> = () => ({})) {
  for (let number = 0; number < count; number++) yield row(number, changes(number))
}

test.for([{ title: 'empty' }, { title: 'full' }])(
  'two loads at once into a copy that is $title: the second is told to wait',
  async ({ title }) => {
    if (title === 'full') await loadRows(rowsOf(3))
    const first = await openLoad(database.url)
    await expect(openLoad(database.url)).rejects.toThrow('another load or sync is running')
    await expect(
      syncLedger(database.url, {
        classify: fakeClassify,
        progress: () => {},
        stop: new AbortController().signal,
      }),
    ).rejects.toThrow('another load or sync is running')
    await first.close()
    await (await openLoad(database.url)).close()
  },
)

test.for([
  { title: 'an empty copy, while rows are copied', rows: 0, when: 'copying' },
  { title: 'an empty copy, before the commit', rows: 0, when: 'before the commit' },
  { title: 'a copy with rows, while rows are copied', rows: 500, when: 'copying' },
  { title: 'a copy with rows, before the commit', rows: 500, when: 'before the commit' },
])('a load into $title whose backend is killed changes nothing', async ({ rows, when }) => {
  if (rows > 0) await loadRows(rowsOf(rows))
  const before = await versions(database.owner)
  const kill = () =>
    database.owner.query(
      `select pg_terminate_backend(pid, 10000) from pg_stat_activity
      where application_name = 'carryover load' and datname = current_database()`,
    )
  const load = await openLoad(database.url)
  const work = async () => {
    const encoder = rowEncoder(load.plan)
    let number = 0
    for (const one of rowsOf(60_000, () => ({ cohort: 'other' }))) {
      encoder.add(one)
      await load.send(encoder.take(false))
      if (++number === 30_000 && when === 'copying') await kill()
    }
    await load.send(encoder.take(true))
    for await (const late of load.lateRefusals(encoder.tally())) expect(late).toBeUndefined()
    await kill()
    await load.commit(encoder.tally())
  }
  const failure = await work().catch((error: unknown) => error)
  await load.close()
  expect(String(failure)).toMatch(/the database failed while [a-z ]+ \((57P01|connection-lost)\)/)
  expect(await versions(database.owner)).toEqual(before)
  expect(await disagreements(database.url)).toEqual([])
  await loadRows(rowsOf(10))
})

test('what PostgreSQL says of a row is not repeated', async () => {
  const failure = await loadRows([row(1, { login: 'canary\0canary' })]).catch((error: unknown) => error)
  expect(String(failure)).toBe('Error: the database failed while copying rows (22021)')
  expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('canary')
})

test('sign-ins during loads stay exact', async () => {
  const users = 3_000
  await loadRows(rowsOf(users))
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  let loading = true
  let signIns = 0
  const signIn = async () => {
    while (loading || signIns < users / 2) {
      const batch = Array.from({ length: 20 }, () => row(signIns++ % users))
      // Sign-ins see the copy as it was before the load: cohort and scheme may be old by the time they are recorded.
      const outcomes = batch.map(({ id }) => ({
        dialect: 'test',
        hook: 'test',
        name: id,
        user_id: id,
        cohort: 'retail',
        scheme: 'md5',
        usable: true,
        verdict: 'match',
        millis: 1,
        request_id: null,
      }))
      await client.query(
        `select * from carryover.record_outcomes($1, 10, '1 hour', 1000000, gen_random_uuid(), 0)`,
        [JSON.stringify(outcomes)],
      )
      const events = batch.slice(0, 5).map(({ login }) => ({
        dialect: 'test',
        hook: 'test',
        name: login,
        result: 'stored',
        event_id: randomUUID(),
      }))
      await client.query('select * from carryover.confirm_users($1, gen_random_uuid(), 0)', [
        JSON.stringify(events),
      ])
    }
  }
  const signingIn = signIn()
  for (let round = 0; round < 6; round++) {
    await loadRows(
      rowsOf(users + round * 100, (number) => ({
        cohort: (number + round) % 3 === 0 ? 'retail' : 'staff',
        scheme: (number + round) % 5 === 0 ? 'unknown' : 'md5',
        defect: (number + round) % 5 === 0 ? 'malformed' : null,
        deleted: number % 500 === 7 * round + 1,
      })),
    )
  }
  loading = false
  await signingIn
  await client.end()
  expect(await disagreements(database.url)).toEqual([])
  const { rows } = await database.owner.query(
    `select count(*) filter (where state <> 'unmigrated')::int as moved from carryover.users`,
  )
  expect(rows[0].moved).toBeGreaterThan(users / 3)
})

test('a recount finds what does not agree', async () => {
  await loadRows(rowsOf(5))
  expect(await recount(database.url)).toEqual({ agree: true, differences: [] })
  await database.owner.query(`update carryover.counts set unmigrated = 4, verified = 1;
    insert into legacy.users (id, login) values ('stranger', 's'); delete from legacy.users where id = 'u000001'`)
  expect(await recount(database.url)).toEqual({
    agree: false,
    differences: [
      'cohort "retail", scheme "md5": unmigrated is kept as 4 and is 5',
      'cohort "retail", scheme "md5": verified is kept as 1 and is 0',
      '1 in the copy and not yet in the ledger: run carryover sync',
      '1 unmigrated in the ledger and no longer in the copy: run carryover sync',
    ],
  })
})

test('sync brings the ledger in step with a view', async () => {
  const sync = () =>
    syncLedger(database.url, {
      classify: fakeClassify,
      progress: () => {},
      stop: new AbortController().signal,
    })
  await database.owner.query(`alter table legacy.users rename to people;
    create view legacy.users as select * from legacy.people;
    insert into legacy.people (id, login, password_hash, cohort)
      select 'u' || n, 'u' || n, case when n % 10 = 0 then '!' else 'md5:x' end, 'c' || n % 3 from generate_series(1, 25000) n`)
  expect(await sync()).toEqual({
    users: 25_000,
    added: 25_000,
    reclassified: 0,
    forgotten: 0,
    purgedAgain: 0,
    erasedAgain: 0,
    beneathView: false,
    complete: true,
  })
  expect(await disagreements(database.url)).toEqual([])
  const before = await versions(database.owner, 'legacy.people')
  expect(await sync()).toMatchObject({ added: 0, reclassified: 0, forgotten: 0 })
  expect(await versions(database.owner, 'legacy.people')).toEqual(before)

  await database.owner.query(`update carryover.users set state = 'migrated' where user_id in ('u1', 'u2');
    select carryover.add_counts('[{"cohort":"c1","scheme":"md5","unmigrated":-1,"verified":0,"migrated":1,"unverifiable":0},
      {"cohort":"c2","scheme":"md5","unmigrated":-1,"verified":0,"migrated":1,"unverifiable":0}]');
    delete from legacy.people where id in ('u1', 'u3', 'u4');
    update legacy.people set cohort = 'moved' where id in ('u2', 'u5');
    insert into legacy.people (id, login) values ('new', 'new')`)
  expect(await sync()).toMatchObject({
    users: 24_998,
    added: 1,
    reclassified: 2,
    forgotten: 2,
    complete: true,
  })
  expect(await disagreements(database.url)).toEqual([])
  const { rows } = await database.owner.query({
    text: `select user_id, state, cohort from carryover.users where user_id in ('u1', 'u2', 'u3', 'u4', 'u5', 'new') order by 1`,
    rowMode: 'array',
  })
  expect(rows).toEqual([
    ['new', 'unmigrated', 'default'],
    ['u1', 'migrated', 'c1'],
    ['u2', 'migrated', 'moved'],
    ['u5', 'unmigrated', 'moved'],
  ])
})
