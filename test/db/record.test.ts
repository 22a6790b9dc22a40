import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createChains } from '../../src/db/chains.ts'
import type { Database } from '../../src/db/client.ts'
import { readCounts } from '../../src/db/counts.ts'
import { readHistories } from '../../src/db/history.ts'
import { commonScheme, confirmUsers, outcomeRecorder, type ProposedOutcome } from '../../src/db/outcomes.ts'
import { userFinder } from '../../src/db/users.ts'
import { openAsHooks, type TestDatabase, testDatabase } from '../helpers/db.ts'

let db: TestDatabase
let database: Database
const later = () => performance.now() + 30_000

beforeAll(async () => {
  db = await testDatabase()
  database = openAsHooks(db.url, 8)
})
afterAll(async () => {
  await database.end()
  await db.drop()
})

beforeEach(async () => {
  await db.owner.query(`
    alter table carryover.outcomes disable trigger append_only;
    truncate legacy.users, carryover.users, carryover.outcomes, carryover.counts, carryover.refusals, carryover.confirmed_events,
      carryover.chains;
    alter table carryover.outcomes enable trigger append_only;
    insert into legacy.users (id, login, email, password_hash, cohort) values
      ('1', 'Ann', 'ann@example.com', 'h', 'retail'), ('2', 'bob', 'Bob@Example.com', 'h', 'retail'),
      ('3', 'carl', 'twins@example.com', 'h', 'staff'), ('4', 'dora', 'twins@example.com', 'h', 'staff'),
      ('5', 'ann@example.com', 'other@example.com', 'h', 'staff'), ('6', 'Straße', null, 'h', 'staff'),
      ('7', 'STRASSE', null, 'h', 'staff'), ('8', 'ΝΙΚΟΣ', null, 'h', 'staff'), ('9', 'İstanbul', null, 'h', 'staff'),
      ('10', 'ＦＵＬＬ', null, 'h', 'staff'), ('11', 'é', null, 'h', 'staff'), ('12', ' padded ', null, 'h', 'staff');
    insert into carryover.users (user_id, cohort, scheme, usable)
      select id, cohort, case when id = '4' then 'unknown' else 'bcrypt' end, id <> '4' from legacy.users;
    insert into carryover.counts (cohort, scheme, unmigrated, unverifiable)
      select cohort, scheme, count(*), count(*) filter (where not usable) from carryover.users group by 1, 2`)
})

function outcome(change: Partial<ProposedOutcome> = {}): ProposedOutcome {
  return {
    dialect: 'okta',
    hook: 'h',
    name: null,
    user_id: '1',
    cohort: 'retail',
    scheme: 'bcrypt',
    usable: true,
    verdict: 'mismatch',
    millis: 1,
    request_id: 'r',
    ...change,
  }
}

const NEVER = { overall: 1_000_000, windowSeconds: 900 }
const chains = createChains()
const recorder = (limit = 10, windowSeconds = 900) =>
  outcomeRecorder(database, { limit, overall: 1_000_000, windowSeconds }, chains)
const states = async () =>
  (await db.owner.query(`select user_id, state from carryover.users where state <> 'unmigrated' order by 1`))
    .rows

describe('looking up', () => {
  test.each([
    { title: 'a login in any case', name: 'ANN', id: '1' },
    { title: 'a login, though it is also the e-mail address of another', name: 'ann@example.com', id: '5' },
    { title: 'an e-mail address in any case', name: 'bob@EXAMPLE.com', id: '2' },
    { title: 'an e-mail address that two have', name: 'twins@example.com', id: null, ambiguous: true },
    { title: 'nobody', name: 'nobody', id: null },
    { title: 'the name that nobody can have', name: null, id: null },
    { title: 'sharp s, which is not ss', name: 'STRAßE', id: '6' },
    { title: 'ss, which is not sharp s', name: 'strasse', id: '7' },
    { title: 'the final sigma', name: 'νικος', id: '8' },
    { title: 'the other sigma', name: 'νικοσ', id: '8' },
    { title: 'a dotted capital i', name: 'İSTANBUL', id: '9' },
    { title: 'a plain i, which is not the dotted one', name: 'istanbul', id: null },
    { title: 'full-width letters', name: 'full', id: '10' },
    { title: 'e and a combining accent', name: 'e\u0301', id: '11' },
    { title: 'blanks in the copy', name: 'padded', id: '12' },
    { title: 'a wildcard', name: '%', id: null },
  ])('$title', async ({ name, id, ambiguous = false }) => {
    const found = await userFinder(database, NEVER)(name, later())
    expect([found.user?.id ?? null, found.ambiguous]).toEqual([id, ambiguous])
  })

  test('many at once, each its own answer', async () => {
    const find = userFinder(database, NEVER)
    const names = Array.from({ length: 500 }, (_, at) => ['ann', 'bob', 'nobody', 'carl'][at % 4] ?? '')
    const found = await Promise.all(names.map((name) => find(name, later())))
    expect(found.map(({ user }) => user?.login ?? null)).toEqual(
      names.map((_, at) => ['Ann', 'bob', null, 'carl'][at % 4]),
    )
  })

  test('a deleted user is found no more, wherever the row comes from', async () => {
    await db.owner.query(`update carryover.users set deleted_at = now() where user_id = '1'`)
    expect((await userFinder(database, NEVER)('ann', later())).user).toBeNull()
  })

  test('more than 100 names at once are refused', async () => {
    await expect(
      db.owner.query('select carryover.find_users(array_fill($1::text, array[101]), $2)', ['a', '1 s']),
    ).rejects.toMatchObject({ code: '54000' })
  })

  test('the indexes serve, even before there are statistics', async () => {
    await db.owner.query(
      `insert into legacy.users (id, login) select 'x' || n, 'x' || n from generate_series(1, 20000) n`,
    )
    // What this connection has not reported yet, so only the difference counts.
    const rowsRead = async () =>
      (
        await db.owner.query(
          `select (seq_tup_read + idx_tup_fetch)::int as read from pg_stat_xact_user_tables where relid = 'legacy.users'::regclass`,
        )
      ).rows[0].read
    await db.owner.query('begin')
    const before = await rowsRead()
    await db.owner.query(
      `select * from carryover.find_users(array['x777', 'nobody', 'bob@example.com'], '1 s')`,
    )
    const after = await rowsRead()
    await db.owner.query('rollback')
    expect(after - before).toBeLessThan(10)
  })
})

describe('recording', () => {
  test('a match moves the user to verified, once, and the counts with it', async () => {
    const record = recorder()
    expect(await record(outcome({ verdict: 'match' }), later())).toBe('match')
    expect(await record(outcome({ verdict: 'match' }), later())).toBe('match')
    expect(await states()).toEqual([{ user_id: '1', state: 'verified' }])
    expect(await readCounts(countsOf())).toMatchObject({
      total: 12,
      unmigrated: 11,
      verified: 1,
      migrated: 0,
      unverifiable: 1,
    })
  })

  test('every verdict is in the record, and an unknown login only as a digest', async () => {
    const record = recorder()
    await record(outcome({ verdict: 'disabled', request_id: 'r1' }), later())
    await record(
      outcome({
        user_id: null,
        cohort: null,
        scheme: null,
        name: 'Typed@Example.com',
        verdict: 'unknown-login',
      }),
      later(),
    )
    const { rows } = await db.owner.query(
      'select user_id, login_digest, verdict, request_id from carryover.outcomes order by id',
    )
    expect(rows[0]).toEqual({ user_id: '1', login_digest: null, verdict: 'disabled', request_id: 'r1' })
    expect(rows[1]).toMatchObject({ user_id: null, verdict: 'unknown-login' })
    expect(rows[1].login_digest).toHaveLength(16)
    const { rows: everything } = await db.owner.query(
      'select o::text || r::text as line from carryover.outcomes o, carryover.refusals r',
    )
    expect(JSON.stringify(everything).toLowerCase()).not.toContain('typed')
  })

  test('the tenth refusal is given, the eleventh attempt is throttled, right or wrong, and others are not', async () => {
    const record = recorder(10)
    for (let at = 0; at < 10; at++) expect(await record(outcome(), later())).toBe('mismatch')
    expect(await record(outcome({ verdict: 'match' }), later())).toBe('throttled')
    expect(await record(outcome(), later())).toBe('throttled')
    expect(await record(outcome({ user_id: '2', verdict: 'match' }), later())).toBe('match')
    expect(await states()).toEqual([{ user_id: '2', state: 'verified' }])
  })

  test('200 refusals at once through several batches: 10 are given', async () => {
    const record = recorder(10)
    const given = await Promise.all(Array.from({ length: 200 }, () => record(outcome(), later())))
    expect(given.filter((verdict) => verdict === 'mismatch')).toHaveLength(10)
  })

  test('unknown logins are throttled like known ones', async () => {
    const record = recorder(2)
    const unknown = (name: string) =>
      record(outcome({ user_id: null, cohort: null, name, verdict: 'unknown-login' }), later())
    expect([await unknown('zoe'), await unknown('ZOE'), await unknown(' zoe')]).toEqual([
      'unknown-login',
      'unknown-login',
      'throttled',
    ])
  })

  test('names that nobody can have are recorded and throttled too', async () => {
    const record = recorder(1)
    const unnamed = outcome({
      user_id: null,
      cohort: null,
      scheme: null,
      name: null,
      verdict: 'unknown-login',
    })
    expect([await record(unnamed, later()), await record(unnamed, later())]).toEqual([
      'unknown-login',
      'throttled',
    ])
  })

  const refusals = async () =>
    (await db.owner.query('select sum(refusals)::int as counted from carryover.refusals')).rows[0].counted

  const once = { request_id: 'same', once_per_request: true }

  test.each([
    { title: 'a user', one: {} },
    {
      title: 'an unknown login',
      one: { user_id: null, cohort: null, scheme: null, name: 'zoe', verdict: 'unknown-login' as const },
    },
  ])('a request that is repeated twice is one refusal of $title, but four are two', async ({ one }) => {
    const record = recorder()
    const counted: number[] = []
    for (let at = 0; at < 5; at++) {
      await record(outcome({ ...one, ...once }), later())
      counted.push(await refusals())
    }
    expect(counted).toEqual([1, 1, 1, 2, 3])
    expect((await db.owner.query('select from carryover.outcomes')).rowCount).toBe(5)
  })

  test.each([
    { title: 'another request', change: { request_id: 'other' } },
    { title: 'a provider whose ids may mean anything', change: { once_per_request: false } },
    { title: 'another dialect', change: { dialect: 'other' } },
    { title: 'another hook', change: { hook: 'other' } },
    { title: 'another user', change: { user_id: '2' } },
  ])('$title counts again', async ({ change }) => {
    const record = recorder()
    const one = outcome(once)
    await record(one, later())
    await record({ ...one, ...change }, later())
    expect(await refusals()).toBe(2)
  })

  test('without a request id every refusal counts', async () => {
    const record = recorder()
    for (let at = 0; at < 2; at++) await record(outcome({ ...once, request_id: null }), later())
    expect(await refusals()).toBe(2)
  })

  test('a match does not make a refusal of the same request free', async () => {
    const record = recorder()
    await record(outcome({ ...once, verdict: 'match' }), later())
    await record(outcome(once), later())
    expect(await refusals()).toBe(1)
  })

  test('a repeated request is throttled like any other', async () => {
    const record = recorder(2)
    const last = outcome(once)
    await record(outcome(), later())
    expect(await record(last, later())).toBe('mismatch')
    expect(await record({ ...last, verdict: 'match' }, later())).toBe('throttled')
    expect(await record(last, later())).toBe('throttled')
    expect(await refusals()).toBe(2)
  })

  test('100 at once under one request id are 100 refusals', async () => {
    const record = recorder(10)
    const given = await Promise.all(Array.from({ length: 100 }, () => record(outcome(once), later())))
    expect(given.filter((verdict) => verdict === 'mismatch')).toHaveLength(10)
  })

  test('the window ends by itself, and what is over is swept with the next refusal', async () => {
    const record = recorder(1, 60)
    await record(outcome(), later())
    expect(await record(outcome(), later())).toBe('throttled')
    await db.owner.query(`update carryover.refusals set window_start = window_start - interval '61 s'`)
    expect(await record(outcome({ verdict: 'match' }), later())).toBe('match')
    await record(outcome({ user_id: '2' }), later())
    expect((await db.owner.query('select subject, refusals from carryover.refusals')).rows).toEqual([
      { subject: 'user:2', refusals: 1 },
    ])
  })

  test('an admission is never throttled and moves nobody', async () => {
    const record = recorder(1)
    await record(outcome(), later())
    expect(await record(outcome({ verdict: 'denied', hook: 'registration' }), later())).toBe('denied')
    expect(await states()).toEqual([])
  })

  test('a user without a ledger row gets one', async () => {
    await db.owner.query(`insert into legacy.users (id, login, cohort) values ('99', 'late', 'new')`)
    expect(
      await recorder()(outcome({ user_id: '99', cohort: 'new', scheme: 'md5', verdict: 'match' }), later()),
    ).toBe('match')
    expect(await readCounts(countsOf())).toMatchObject({
      total: 13,
      verified: 1,
      schemes: expect.arrayContaining([expect.objectContaining({ scheme: 'md5', total: 1, verified: 1 })]),
    })
  })

  test('the record can only grow', async () => {
    await recorder()(outcome(), later())
    for (const statement of [
      'update carryover.outcomes set verdict = $$match$$',
      'delete from carryover.outcomes',
      'truncate carryover.outcomes',
    ]) {
      await expect(db.owner.query(statement)).rejects.toThrow('append-only')
    }
  })
})

describe('confirming', () => {
  const notice = (name: string, event_id: string, result: 'stored' | 'not-stored' = 'stored') => ({
    dialect: 'okta',
    hook: 'events',
    name,
    result,
    event_id,
  })

  test('moves to migrated from wherever the user was; the same event twice is one', async () => {
    await recorder()(outcome({ verdict: 'match' }), later())
    expect(
      await confirmUsers(
        database,
        [
          notice('ann', 'e1'),
          notice('bob', 'e2'),
          notice('ann', 'e1'),
          notice('nobody', 'e3'),
          notice('twins@example.com', 'e4'),
        ],
        chains,
      ),
    ).toEqual(['confirmed', 'confirmed', 'repeated', 'unknown', 'unknown'])
    expect(await confirmUsers(database, [notice('ANN', 'e1'), notice('ann', 'e9')], chains)).toEqual([
      'repeated',
      'repeated',
    ])
    expect(await states()).toEqual([
      { user_id: '1', state: 'migrated' },
      { user_id: '2', state: 'migrated' },
    ])
    expect(await readCounts(countsOf())).toMatchObject({
      total: 12,
      unmigrated: 10,
      verified: 0,
      migrated: 2,
      unverifiable: 1,
    })
  })

  test('events out of order: a failure that was told late undoes nothing, a late match neither', async () => {
    await confirmUsers(database, [notice('ann', 'e2')], chains)
    expect(await confirmUsers(database, [notice('ann', 'e1', 'not-stored')], chains)).toEqual(['not-stored'])
    await recorder()(outcome({ verdict: 'match' }), later())
    expect(await states()).toEqual([{ user_id: '1', state: 'migrated' }])
  })

  test('an unverifiable user who is migrated is unverifiable no more', async () => {
    await confirmUsers(database, [notice('dora', 'e1')], chains)
    expect(await readCounts(countsOf())).toMatchObject({ migrated: 1, unverifiable: 0 })
  })

  test('a user whom a load deletes at the same moment is not counted again', async () => {
    const before = await readCounts(countsOf())
    await db.owner.query(`begin; update carryover.users set deleted_at = now() where user_id = '1';
      update carryover.counts set unmigrated = unmigrated - 1 where cohort = 'retail'`)
    const confirming = confirmUsers(database, [notice('ann', 'e1')], chains)
    await waitingForLock()
    await db.owner.query('commit')
    await confirming
    expect(await readCounts(countsOf())).toMatchObject({ total: before.total - 1, migrated: 0 })
  })

  test('the history tells what happened, newest first, without hash or profile', async () => {
    await recorder()(outcome({ request_id: 'r1' }), later())
    await recorder()(outcome({ verdict: 'match', request_id: 'r2' }), later())
    await confirmUsers(database, [notice('ann', 'e1')], chains)
    const [ann] = await readHistories(countsOf(), 'ANN')
    expect(ann?.history.map(({ verdict, requestId }) => [verdict, requestId])).toEqual([
      ['confirmed', 'e1'],
      ['match', 'r2'],
      ['mismatch', 'r1'],
    ])
    expect(Object.keys(ann ?? {}).sort()).toEqual([
      'cohort',
      'email',
      'history',
      'id',
      'login',
      'migratedAt',
      'purgedAt',
      'scheme',
      'state',
      'status',
      'verifiable',
      'verifiedAt',
    ])
  })
})

test('the common scheme is that of the most unmigrated users whose hash can be used', async () => {
  expect(await commonScheme(database)).toBe('bcrypt')
})

test('two processes at once on the same users: no deadlock, and the kept counts are exact', async () => {
  const other = openAsHooks(db.url, 8)
  const recorders = [recorder(1000), outcomeRecorder(other, { limit: 1000, ...NEVER }, createChains())]
  const ids = ['1', '2', '3', '5', '6', '7', '8']
  await Promise.all(
    Array.from({ length: 3000 }, (_, at) => {
      const id = ids[at % ids.length] ?? '1'
      const record = recorders[at % 2]
      return record?.(outcome({ user_id: id, verdict: at % 3 === 0 ? 'match' : 'mismatch' }), later())
    }),
  )
  await other.end()
  expect(await readCounts(countsOf())).toMatchObject({ total: 12, unmigrated: 5, verified: 7 })
  expect((await db.owner.query('select from carryover.outcomes')).rowCount).toBe(3000)
})

/** Until some connection of this database waits for a row that another one holds. */
async function waitingForLock(): Promise<void> {
  const blocked = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  while ((await db.owner.query(blocked)).rowCount === 0) await new Promise((later) => setTimeout(later, 5))
}

/** The admin's account, which reads counts and states. */
function countsOf(): Database {
  return {
    query: async ({ text, values }) => {
      await db.owner.query('set role carryover_admin')
      try {
        return (await db.owner.query(text, [...values])).rows
      } finally {
        await db.owner.query('reset role')
      }
    },
    end: async () => {},
  }
}
