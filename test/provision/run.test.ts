import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../src/db/client.ts'
import { controlPlan, openPresence } from '../../src/db/plan-items.ts'
import { createBell } from '../../src/provision/bell.ts'
import { UNAVAILABLE } from '../../src/provision/run.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import {
  loop,
  openForRuns,
  planUsers,
  readyAsTheyAre,
  simulatedServer,
  simulatedTarget,
  statesOf,
  wrongCounts,
} from './simulated-target.ts'

let copy: TestDatabase
let database: Database

beforeAll(async () => {
  copy = await testDatabase()
  database = openForRuns(copy.url)
})

afterAll(async () => {
  await database.end()
  await copy.drop()
})

const provisioned = async () => {
  const { rows } = await copy.owner.query<{ users: number; keys: number }>(
    `select count(*)::int as users, count(target_id)::int as keys from carryover.provisioned where removed_at is null`,
  )
  return rows[0]
}

const reasonsOf = async (plan: string) => {
  const { rows } = await copy.owner.query<{ state: string; reason: string; users: number }>(
    `select state, reason, count(*)::int as users from carryover.plan_items
    where plan = $1 and reason is not null group by 1, 2 order by 1, 2`,
    [plan],
  )
  return rows
}

test('three processes bring every user exactly once to a target whose answers fail', async () => {
  const plan = await planUsers(copy.owner, { count: 2_000 })
  const server = simulatedServer()
  server.faults = { tooMany: 3, lostAfter: 5, lostBefore: 5, error: 5 }
  const loops = [1, 2, 3].map(() => loop(database, copy.url, plan, server.call))
  const ends = await Promise.all(loops.map(({ ended }) => ended))
  expect(ends.map(({ kind }) => kind)).toEqual(['done', 'done', 'done'])
  expect([...server.created.values()].filter((times) => times !== 1)).toEqual([])
  const states = await statesOf(copy.owner, plan)
  // Eight failures in a row are possible, if unlikely.
  expect((states.created ?? 0) + (states.postponed ?? 0)).toBe(2_000)
  expect(server.created.size).toBeGreaterThanOrEqual(states.created ?? 0)
  expect(await wrongCounts(copy.owner, plan)).toEqual([])
  expect(await provisioned()).toEqual({ users: states.created, keys: states.created })
}, 120_000)

test('what a process that died had claimed is brought by another one, and nobody twice', async () => {
  const plan = await planUsers(copy.owner, { count: 300, after: 5_000 })
  const server = simulatedServer({ latencyMs: 5 })
  let dead = false
  const never = new Promise<never>(() => {})
  // From one moment on nothing that it does reaches anybody, and nothing reaches it.
  const mortal =
    <Args extends unknown[], Answer>(ask: (...args: Args) => Promise<Answer>) =>
    async (...args: Args): Promise<Answer> => {
      if (dead) return never
      const answer = await ask(...args)
      return dead ? never : answer
    }
  const died = createBell()
  const { store } = loop(database, copy.url, plan, server.call, { leaseSeconds: 1, hold: async () => false })
  const victim = loop(
    database,
    copy.url,
    plan,
    mortal(async (request) => {
      if (server.created.size > 100 && !dead) {
        dead = true
        died.ring()
      }
      return server.call(request)
    }),
    {
      leaseSeconds: 1,
      store: {
        now: mortal(store.now),
        claim: mortal(store.claim),
        renew: mortal(store.renew),
        record: mortal(store.record),
        release: mortal(store.release),
        pause: mortal(store.pause),
        finish: mortal(store.finish),
      },
    },
  )
  victim.ended.catch(() => {})
  await died.wait(60_000)
  expect(dead).toBe(true)
  const { pending = 0 } = await statesOf(copy.owner, plan)
  expect(pending).toBeGreaterThan(0)
  const other = loop(database, copy.url, plan, server.call, { leaseSeconds: 1 })
  expect((await other.ended).kind).toBe('done')
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 300 })
  expect([...server.created.values()].filter((times) => times !== 1)).toEqual([])
  expect(await wrongCounts(copy.owner, plan)).toEqual([])
}, 60_000)

test('one bad user of a batch is found by halves, refused alone, and named without a value', async () => {
  const plan = await planUsers(copy.owner, { count: 200 })
  const server = simulatedServer()
  for (const id of ['17', '18', '143']) server.bad.add(id)
  const { ended } = loop(database, copy.url, plan, server.call, { batch: 50 })
  expect((await ended).kind).toBe('done')
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 197, refused: 3 })
  expect([...server.created.values()].filter((times) => times !== 1)).toEqual([])
  const { rows } = await copy.owner.query(
    `select user_id, reason, target_code, target_text from carryover.plan_items
    where plan = $1 and state = 'refused' order by place`,
    [plan],
  )
  expect(rows).toEqual(
    ['17', '18', '143'].map((user_id) => ({
      user_id,
      reason: 'invalid-attribute',
      target_code: '400',
      target_text: `bad: ${user_id}: mail is no address: …`,
    })),
  )
  expect(await wrongCounts(copy.owner, plan)).toEqual([])
})

test('three processes exceed a limit by no more than their calls in flight', async () => {
  const plan = await planUsers(copy.owner, { count: 150 })
  const server = simulatedServer({ limit: 50, windowMs: 1_000, latencyMs: 10 })
  const loops = [1, 2, 3].map(() => loop(database, copy.url, plan, server.call, { share: 80 }))
  await Promise.all(loops.map(({ ended }) => ended))
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 150 })
  // 20 % of 50 stay free.
  expect(Math.max(...server.windows.values())).toBeLessThanOrEqual(40 + 3 * 4)
}, 60_000)

test('a token that is not taken pauses the plan for all, and nothing is lost', async () => {
  const plan = await planUsers(copy.owner, { count: 60 })
  const server = simulatedServer({ latencyMs: 5 })
  const loops = [1, 2].map(() => loop(database, copy.url, plan, server.call))
  server.authorized = false
  const ends = await Promise.all(loops.map(({ ended }) => ended))
  expect(ends.map(({ kind, now }) => [kind, now.pausedFor])).toEqual([
    ['paused', 'unauthorized'],
    ['paused', 'unauthorized'],
  ])
  expect(ends.some(({ halt }) => halt?.targetCode === '401')).toBe(true)
  expect(await statesOf(copy.owner, plan)).toEqual({ pending: 60 })
  const { rows } = await copy.owner.query(
    'select count(*)::int as leased from carryover.plan_items where plan = $1 and leased_by is not null',
    [plan],
  )
  expect(rows).toEqual([{ leased: 0 }])
  server.authorized = true
  expect(await controlPlan(database, plan).resume()).toEqual({ kind: 'done' })
  expect((await loop(database, copy.url, plan, server.call).ended).kind).toBe('done')
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 60 })
  expect([...server.created.values()].filter((times) => times !== 1)).toEqual([])
})

test('a target that answers nobody pauses the plan before the tries of everybody are used up', async () => {
  const plan = await planUsers(copy.owner, { count: 100 })
  const server = simulatedServer()
  server.faults = { lostBefore: 100 }
  const { kind, now } = await loop(database, copy.url, plan, server.call).ended
  expect({ kind, pausedFor: now.pausedFor }).toEqual({ kind: 'paused', pausedFor: UNAVAILABLE })
  expect(await statesOf(copy.owner, plan)).toEqual({ pending: 100 })
})

test('pause holds every process until it is resumed, and stop ends them for good', async () => {
  const plan = await planUsers(copy.owner, { count: 400 })
  const server = simulatedServer({ latencyMs: 20 })
  const control = controlPlan(database, plan)
  const loops = [1, 2].map(() => loop(database, copy.url, plan, server.call))
  const bell = createBell()
  while (server.created.size < 20) await bell.wait(5)
  expect(await control.pause()).toEqual({ kind: 'done' })
  const leased = async () => {
    const { rows } = await copy.owner.query<{ leased: number }>(
      'select count(*)::int as leased from carryover.plan_items where plan = $1 and leased_by is not null',
      [plan],
    )
    return rows[0]?.leased
  }
  await expect.poll(leased, { timeout: 10_000 }).toBe(0)
  const { pending = 0 } = await statesOf(copy.owner, plan)
  expect(pending).toBeGreaterThan(0)
  expect(await control.resume()).toEqual({ kind: 'done' })
  const before = server.created.size
  while (server.created.size === before) await bell.wait(5)
  expect(await control.stop()).toEqual({ kind: 'done' })
  const ends = await Promise.all(loops.map(({ ended }) => ended))
  expect(ends.map(({ kind }) => kind)).toEqual(['stopped', 'stopped'])
  expect(await control.resume()).toEqual({ kind: 'nothing', state: 'stopped' })
  expect(await wrongCounts(copy.owner, plan)).toEqual([])
}, 30_000)

test('who is told to stop gives back what it has, untried, and another one goes on', async () => {
  const plan = await planUsers(copy.owner, { count: 200, after: 10_000 })
  const server = simulatedServer({ latencyMs: 10 })
  const first = loop(database, copy.url, plan, server.call)
  const bell = createBell()
  while (server.created.size < 20) await bell.wait(5)
  first.stop()
  expect((await first.ended).kind).toBe('interrupted')
  const { rows } = await copy.owner.query<{ tried: number; leased: number }>(
    `select count(*) filter (where attempts > 0)::int as tried, count(leased_by)::int as leased
    from carryover.plan_items where plan = $1 and state = 'pending'`,
    [plan],
  )
  expect(rows).toEqual([{ tried: 0, leased: 0 }])
  expect((await loop(database, copy.url, plan, server.call).ended).kind).toBe('done')
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 200 })
})

test('users who changed after the plan was made are not brought as they were', async () => {
  const plan = await planUsers(copy.owner, { count: 6, method: 'hash' })
  await copy.owner.query(`update legacy.users set email = 'new@example.com' where id = '1'`)
  await copy.owner.query(`delete from legacy.users where id = '2'`)
  await copy.owner.query(
    `update carryover.users set state = 'migrated', migrated_at = now() where user_id = '3'`,
  )
  await copy.owner.query(
    `update carryover.users set state = 'migrated', migrated_at = now() - interval '1 year' where user_id = '4'`,
  )
  await copy.owner.query(`update legacy.users set password_hash = null where id = '5'`)
  const server = simulatedServer()
  await loop(database, copy.url, plan, server.call).ended
  expect([...server.created.keys()].sort()).toEqual(['4', '6'])
  expect(await reasonsOf(plan)).toEqual([
    { state: 'left-out', reason: 'deleted-since-plan', users: 1 },
    { state: 'postponed', reason: 'changed-since-plan', users: 2 },
    { state: 'postponed', reason: 'confirmed-since-plan', users: 1 },
  ])
  expect(await wrongCounts(copy.owner, plan)).toEqual([])
})

test.each([
  { method: 'hash', asked: { 7: 'keep', 8: 'hash' }, states: { created: 2 } },
  // Or the list of changed passwords would say that something was done about it.
  { method: 'hook', asked: { 8: 'hook' }, states: { created: 1, postponed: 1 } },
  { method: 'reset', asked: { 8: 'reset' }, states: { created: 1, postponed: 1 } },
] as const)(
  'the password of who was confirmed after the plan was made is left alone by an update ($method)',
  async ({ method, asked: wanted, states }) => {
    const plan = await planUsers(copy.owner, { count: 8, action: 'update', method })
    await copy.owner.query(`delete from carryover.plan_items where plan = $1 and user_id not in ('7', '8')`, [
      plan,
    ])
    await copy.owner.query('update carryover.plan_counts set users = 2 where plan = $1', [plan])
    await copy.owner.query(
      `update carryover.users set state = 'migrated', migrated_at = now() where user_id = '7'`,
    )
    const server = simulatedServer()
    const asked = new Map<string, string>()
    const target = simulatedTarget()
    const watching: typeof target = {
      ...target,
      bring: (orders, context) => {
        for (const { user } of orders) asked.set(user.id, user.credential.kind)
        return target.bring(orders, context)
      },
    }
    await loop(database, copy.url, plan, server.call, { target: watching }).ended
    expect(Object.fromEntries(asked)).toEqual(wanted)
    expect(await statesOf(copy.owner, plan)).toEqual(states)
  },
)

test('only those who failed are tried again', async () => {
  const plan = await planUsers(copy.owner, { count: 40 })
  await copy.owner.query(`update carryover.users set state = 'unmigrated', migrated_at = null`)
  await copy.owner.query(
    `update legacy.users set email = 'mail' || id || '@example.com', password_hash = 'hash-of-' || id`,
  )
  const server = simulatedServer()
  for (const id of ['11', '12']) server.bad.add(id)
  await loop(database, copy.url, plan, server.call).ended
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 38, refused: 2 })
  server.bad.delete('11')
  expect(await controlPlan(database, plan).retryFailed()).toBe(2)
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 38, pending: 2 })
  expect(await wrongCounts(copy.owner, plan)).toEqual([])
  expect((await loop(database, copy.url, plan, server.call).ended).kind).toBe('done')
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 39, refused: 1 })
  expect(await wrongCounts(copy.owner, plan)).toEqual([])
})

test('removals are done by the key of the target, and not to users who are there again', async () => {
  const plan = await planUsers(copy.owner, { count: 30, action: 'delete', method: 'none' })
  await copy.owner.query(`delete from legacy.users where id::int <= 20`)
  await copy.owner.query(
    `insert into carryover.provisioned (target, user_id, content, method)
    select p.target, n::text, '', 'hook' from carryover.plans p, generate_series(1, 30) n where p.id = $1
    on conflict do nothing`,
    [plan],
  )
  await loop(database, copy.url, plan, simulatedServer().call).ended
  expect(await statesOf(copy.owner, plan)).toEqual({ postponed: 10, removed: 20 })
  const { rows } = await copy.owner.query(
    `select count(*)::int as removed from carryover.provisioned where removed_at is not null and user_id::int <= 20`,
  )
  expect(rows).toEqual([{ removed: 20 }])
})

test('a target that lets one process call keeps the others waiting', async () => {
  const plan = await planUsers(copy.owner, { count: 90 })
  await copy.owner.query(`delete from carryover.plan_items where plan = $1 and user_id::int <= 30`, [plan])
  await copy.owner.query(`update carryover.plan_counts set users = 60 where plan = $1`, [plan])
  const server = simulatedServer({ latencyMs: 5 })
  const busy = new Set<number>()
  const counted = (place: number) => async (request: Parameters<typeof server.call>[0]) => {
    busy.add(place)
    return server.call(request)
  }
  const loops = [1, 2].map((place) =>
    loop(database, copy.url, plan, counted(place), { target: { ...simulatedTarget(), processes: 1 } }),
  )
  await Promise.all(loops.map(({ ended }) => ended))
  expect(busy.size).toBe(1)
  expect(await statesOf(copy.owner, plan)).toEqual({ created: 60 })
})

test('looks that overlap share one connection and one place', async () => {
  const [plan, target] = [randomUUID(), 'of-one-process']
  const presence = openPresence(copy.url, plan, target, 1)
  expect(await Promise.all([presence.hold(), presence.hold()])).toEqual([true, true])
  const other = openPresence(copy.url, plan, target, 1)
  expect(await other.hold()).toBe(false)
  await presence.end()
  await expect.poll(other.hold).toBe(true)
  await other.end()
})

test('an error that is ours ends the run, and what it held is free again', async () => {
  const plan = await planUsers(copy.owner, { count: 100 })
  await copy.owner.query(`delete from carryover.plan_items where plan = $1 and user_id::int <= 30`, [plan])
  await copy.owner.query(`update carryover.plan_counts set users = 70 where plan = $1`, [plan])
  const wrong = { ...simulatedTarget(), bring: async () => ({ kind: 'each', results: [] }) as const }
  const { ended } = loop(database, copy.url, plan, simulatedServer().call, {
    target: wrong,
    ready: readyAsTheyAre,
  })
  await expect(ended).rejects.toMatchObject({ code: 'internal', detail: 'target-results-missing' })
  const { rows } = await copy.owner.query(
    'select count(*)::int as leased from carryover.plan_items where plan = $1 and leased_by is not null',
    [plan],
  )
  expect(rows).toEqual([{ leased: 0 }])
})
