import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import type { Database } from '../../src/db/client.ts'
import { type Claimed, newOwner, openRunStore, type RunStore } from '../../src/db/plan-items.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'

const PLAN = '00000000-0000-4000-8000-000000000001'
/** Of fewer rows PostgreSQL rightly reads all. */
const ITEMS = 50_000
const CLAIMED = 20

let db: TestDatabase
let store: RunStore

/** A plan that was made just now, and a target that has a few users already: PostgreSQL has no statistics of either. */
beforeAll(async () => {
  db = await testDatabase()
  await db.owner.query(
    `insert into carryover.plans (id, target, content, settings_digest, copy_digest, users, report, state)
    values ($1, 'okta', '{}', '', '', $2, '{}', 'running')`,
    [PLAN, ITEMS],
  )
  await db.owner.query(
    `insert into carryover.plan_items (plan, place, user_id, action, method, why, cohort, scheme, content, state)
    select $1, n, 'u' || n, 'create', 'hook', 'hook', 'default', 'bcrypt', '', 'pending' from generate_series(1, $2::int) n`,
    [PLAN, ITEMS],
  )
  await db.owner.query(
    `insert into carryover.provisioned (target, user_id, content, method)
    select 'okta', 'v' || n, '', 'hook' from generate_series(1, $1::int) n`,
    [ITEMS],
  )
})

afterAll(() => db.drop())

beforeEach(async () => {
  const database: Database = {
    query: async <Row>({ text, values }: { text: string; values: readonly unknown[] }) =>
      (await db.owner.query(text, [...values])).rows as Row[],
    end: async () => {},
  }
  store = openRunStore(database, { plan: PLAN, target: 'okta', owner: newOwner(), leaseSeconds: 30 })
  await db.owner.query('begin')
})

afterEach(async () => {
  await db.owner.query('rollback')
})

/** Rows of the plan and of the target that the connection has read lately. */
async function rowsRead(): Promise<number> {
  const { rows } = await db.owner.query<{ read: number }>(
    `select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as read from pg_stat_xact_user_tables
    where schemaname = 'carryover' and relname in ('plan_items', 'provisioned')`,
  )
  return rows[0]?.read ?? 0
}

const record = ({ place }: Claimed) =>
  store.record({
    place,
    state: 'created',
    reason: null,
    targetCode: null,
    targetText: null,
    targetId: null,
    brings: { content: Buffer.alloc(0), method: 'hook', hash: null },
  })

test.for<{ what: string; after: (items: readonly Claimed[]) => Promise<unknown> }>([
  { what: 'claimed', after: async () => {} },
  { what: 'renewed', after: (items) => store.renew(items.map(({ place }) => place)) },
  { what: 'recorded', after: (items) => Promise.all(items.map(record)) },
  {
    what: 'released',
    after: (items) => store.release(items.map(({ place }) => ({ place, forMs: 0, untried: true }))),
  },
])('of a plan without statistics only the items that are $what are read', async ({ after }) => {
  const before = await rowsRead()
  const items = await store.claim(CLAIMED)
  expect(items).toHaveLength(CLAIMED)
  await after(items)
  // Some statements look at a row more than once.
  expect((await rowsRead()) - before).toBeLessThan(10 * CLAIMED)
})

const placesOf = (items: readonly Claimed[]) => items.map(({ place }) => place)
const span = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, at) => first + at)
const releaseOf = (places: readonly number[]) =>
  store.release(places.map((place) => ({ place, forMs: 0, untried: true })))

test('a claim goes on from the first place of the last one, and looks back after five seconds', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    expect(placesOf(await store.claim(20))).toEqual(span(1, 20))
    await releaseOf(span(1, 5))
    vi.advanceTimersByTime(4_000)
    expect(placesOf(await store.claim(20))).toEqual([...span(1, 5), ...span(21, 35)])
    expect(placesOf(await store.claim(20))).toEqual(span(36, 55))
    await releaseOf(span(1, 5))
    expect(placesOf(await store.claim(20))).toEqual(span(56, 75))
    vi.advanceTimersByTime(1_000)
    expect(placesOf(await store.claim(20))).toEqual([...span(1, 5), ...span(76, 90)])
  } finally {
    vi.useRealTimers()
  }
})

test('what became free behind the last claim is taken at once when there is nothing else', async () => {
  await store.claim(20)
  expect(await store.claim(ITEMS)).toHaveLength(ITEMS - 20)
  await releaseOf(span(1, 5))
  expect(placesOf(await store.claim(20))).toEqual(span(1, 5))
})
