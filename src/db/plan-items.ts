// What a run does with a plan's rows. Every change is one statement, so that a process may die between any two of them; every
// statement says whose lease it acts on.
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { StoredHash } from '../domain.ts'
import type { CopiedUser } from '../mapping/user.ts'
import { batched } from './batch.ts'
import { connectOwner, type Database } from './client.ts'
import { copiedUserIn, hashIn } from './copied.ts'

export type PlanState = 'ready' | 'running' | 'paused' | 'stopped' | 'done'
export type ItemState =
  | 'pending'
  | 'created'
  | 'updated'
  | 'unchanged'
  | 'removed'
  | 'refused'
  | 'postponed'
  | 'left-out'

/** A plan as it stands now. */
export interface PlanNow {
  readonly state: PlanState
  readonly pausedFor: string | null
  /** Calls a minute at most, of all processes together. */
  readonly speed: number | null
  /** Processes that work on it. */
  readonly processes: number
  readonly counts: Readonly<Partial<Record<ItemState, number>>>
}

export interface Claimed {
  readonly place: number
  readonly userId: string
  readonly action: 'create' | 'update' | 'deactivate' | 'delete' | 'none'
  readonly method: 'hash' | 'hook' | 'reset' | 'none'
  readonly content: Buffer | null
  /** Tries, this one among them. */
  readonly attempts: number
  readonly row: {
    readonly user: CopiedUser
    readonly stored: StoredHash
  } | null
  readonly deleted: boolean
  readonly confirmedSincePlan: boolean
  readonly there: { readonly targetId: string | null; readonly removed: boolean } | null
}

/** What became of an item. */
export interface Ended {
  readonly place: number
  readonly state: Exclude<ItemState, 'pending'>
  readonly reason: string | null
  readonly targetCode: string | null
  readonly targetText: string | null
  readonly targetId: string | null
  /** What the target has now; null: as before. */
  readonly brings: {
    readonly content: Buffer
    readonly method: Claimed['method']
    readonly hash: Buffer | null
  } | null
}

/** An item that goes back to the others. */
export interface Released {
  readonly place: number
  /** Milliseconds for which nobody takes it. */
  readonly forMs: number
  /** It was never begun, so the claim was no try. */
  readonly untried: boolean
}

export interface RunStore {
  now(): Promise<PlanNow>
  /**
   * Takes pending items that nobody has, with a lease; none while the plan is not running. In the order of the plan, but that those
   * who became free again may come some seconds later.
   */
  claim(most: number): Promise<readonly Claimed[]>
  /** Lengthens leases. The places that are still ours. */
  renew(places: readonly number[]): Promise<ReadonlySet<number>>
  /** Writes what became of an item, with counts and what the target has. False: somebody else has it by now. */
  record(ended: Ended): Promise<boolean>
  release(items: readonly Released[]): Promise<void>
  /** Nobody claims any more until it is resumed. */
  pause(reason: string): Promise<void>
  /** Ends the plan if nothing is pending. */
  finish(): Promise<void>
}

export interface RunIdentity {
  readonly plan: string
  readonly target: string
  /** Of this process and run: `newOwner()`. */
  readonly owner: string
  /** How long an item stays with a process that has died. */
  readonly leaseSeconds: number
}

export function newOwner(): string {
  return randomUUID()
}

/**
 * That an item of ours is pending, said so that the index of pending items is of no use for it: whoever knows the places looks
 * items up by the key. Of a plan that was made a minute ago there are no statistics, PostgreSQL takes its pending items for one
 * or two, and would read them all each time.
 */
const IS_PENDING = `coalesce(i.state, '') = 'pending'`

/** Rows of one statement of `record`. */
const MOST_RECORDED = 500

export function openRunStore(database: Database, run: RunIdentity): RunStore {
  // One lane: what has finished while a statement is in flight travels in the next one.
  const record = batched((ended: readonly Ended[]) => recordAll(database, run, ended), {
    most: MOST_RECORDED,
    lanes: 1,
    patience: 0,
  })
  return {
    now: () => readPlanNow(database, run.plan),
    claim: claimer(database, run),
    renew: (places) => renew(database, run, places),
    record: (ended) => record(ended, Number.POSITIVE_INFINITY),
    release: (items) => release(database, run, items),
    pause: (reason) => pauseFor(database, run.plan, reason),
    finish: () => finish(database, run.plan),
  }
}

/**
 * Milliseconds. How often the plan is looked through from its first place, for items that became free behind those that were
 * claimed last.
 */
const LOOK_BACK_MS = 5_000

/**
 * Goes on where the last claim was. From the first place on, a claim walks over all that has ended since the last vacuum; and
 * vacuum may wait for hours, for a backup or a replica.
 */
function claimer(database: Database, run: RunIdentity): RunStore['claim'] {
  let from = 0
  let lookedBackAt = Number.NEGATIVE_INFINITY
  const claimFrom = async (place: number, most: number) => {
    if (place === 0) lookedBackAt = performance.now()
    const items = await claim(database, run, most, place)
    from = items[0]?.place ?? 0
    return items
  }
  return async (most) => {
    const start = performance.now() - lookedBackAt < LOOK_BACK_MS ? from : 0
    const items = await claimFrom(start, most)
    if (start === 0 || items.length === most) return items
    return [...items, ...(await claimFrom(0, most - items.length))]
  }
}

interface ClaimedRow {
  place: number
  user_id: string
  action: Claimed['action']
  method: Claimed['method']
  content: Buffer | null
  attempts: number
  id: string | null
  login: string | null
  email: string | null
  password_hash: string | null
  hash_scheme: string | null
  salt: string | null
  status: string | null
  cohort: string | null
  profile: Record<string, unknown> | null
  deleted: boolean
  confirmed: boolean
  there: boolean
  target_id: string | null
  removed: boolean
}

async function claim(
  database: Database,
  { plan, target, owner, leaseSeconds }: RunIdentity,
  most: number,
  from: number,
): Promise<Claimed[]> {
  const rows = await database.query<ClaimedRow>({
    name: 'plan-claim',
    text: `with due as (
        select i.place from carryover.plan_items i
        where i.plan = $1 and i.state = 'pending' and i.place >= $6 and (i.lease_until is null or i.lease_until < clock_timestamp())
          and exists (select from carryover.plans p where p.id = $1 and p.state = 'running')
        order by i.place limit $3
        for update of i skip locked
      ),
      mine as (
        update carryover.plan_items i
        set lease_until = clock_timestamp() + $4 * interval '1 second', leased_by = $2, attempts = i.attempts + 1
        from due where i.plan = $1 and i.place = due.place
        returning i.place, i.user_id, i.action, i.method, i.content, i.attempts
      )
      select m.place::float8 as place, m.user_id, m.action, m.method, m.content, m.attempts,
        u.id::text, u.login::text, u.email::text, u.password_hash::text, u.hash_scheme::text, u.salt::text,
        u.status::text, u.cohort::text, u.profile::jsonb,
        coalesce(l.deleted_at is not null, false) as deleted,
        coalesce(l.state = 'migrated' and l.migrated_at > p.created_at, false) as confirmed,
        t.user_id is not null as there, t.target_id, coalesce(t.removed_at is not null, false) as removed
      from mine m
      join carryover.plans p on p.id = $1
      left join legacy.users u on u.id::text = m.user_id
      left join carryover.users l on l.user_id = m.user_id
      left join lateral (
        -- \`offset 0\`: looked up by the whole key, however few rows of the target PostgreSQL believes there are.
        select p.user_id, p.target_id, p.removed_at from carryover.provisioned p where p.target = $5 and p.user_id = m.user_id
        offset 0
      ) t on true
      order by m.place`,
    values: [plan, owner, most, leaseSeconds, target, from],
  })
  return rows.map(claimedIn)
}

function claimedIn(row: ClaimedRow): Claimed {
  const { id } = row
  return {
    place: row.place,
    userId: row.user_id,
    action: row.action,
    method: row.method,
    content: row.content,
    attempts: row.attempts,
    row:
      id === null
        ? null
        : {
            user: copiedUserIn({ ...row, id }),
            stored: hashIn({ ...row, id }),
          },
    deleted: row.deleted,
    confirmedSincePlan: row.confirmed,
    there: row.there ? { targetId: row.target_id, removed: row.removed } : null,
  }
}

async function renew(
  database: Database,
  { plan, owner, leaseSeconds }: RunIdentity,
  places: readonly number[],
): Promise<ReadonlySet<number>> {
  if (places.length === 0) return new Set()
  const rows = await database.query<{ place: number }>({
    name: 'plan-renew',
    text: `update carryover.plan_items i set lease_until = clock_timestamp() + $4 * interval '1 second'
      where i.plan = $1 and i.leased_by = $2 and ${IS_PENDING} and i.place = any($3::bigint[])
      returning i.place::float8 as place`,
    values: [plan, owner, places, leaseSeconds],
  })
  return new Set(rows.map(({ place }) => place))
}

async function recordAll(
  database: Database,
  { plan, target, owner }: RunIdentity,
  ended: readonly Ended[],
): Promise<boolean[]> {
  const rows = await database.query<{ place: number }>({
    name: 'plan-record',
    text: `with given as (
        select * from unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bytea[],
          $11::text[], $12::bytea[])
          as g (place, state, reason, target_code, target_text, target_id, content, sent, hash)
      ),
      ended as (
        update carryover.plan_items i
        set state = g.state, reason = g.reason, target_code = g.target_code, target_text = g.target_text,
          ended_at = clock_timestamp(), lease_until = null, leased_by = null
        from given g
        where i.plan = $1 and i.place = g.place and i.place = any($4::bigint[]) and i.leased_by = $2 and ${IS_PENDING}
        returning i.place, i.user_id, i.action, i.method, i.state, coalesce(i.reason, '') as reason,
          g.target_id, g.content, g.sent, g.hash
      ),
      counted as (
        insert into carryover.plan_counts as c (plan, action, method, state, reason, users)
        select $1, d.* from (
          select action, method, state, reason, count(*) as users from ended group by 1, 2, 3, 4
          union all
          select action, method, 'pending', '', -count(*) from ended group by 1, 2
        ) d
        order by 2, 3, 4, 5 -- the same order everywhere, so that two processes never wait for each other
        on conflict (plan, action, method, state, reason) do update set users = c.users + excluded.users
      ),
      kept as (
        insert into carryover.provisioned as p (target, user_id, target_id, content, method, hash, at)
        select $3, user_id, target_id, content, sent, hash, clock_timestamp() from ended
        where content is not null and state in ('created', 'updated', 'unchanged')
        order by user_id
        on conflict (target, user_id) do update
        set target_id = coalesce(excluded.target_id, p.target_id), content = excluded.content,
          method = case when excluded.method = 'none' then p.method else excluded.method end,
          hash = coalesce(excluded.hash, p.hash), at = excluded.at, removed_at = null
      ),
      removed as (
        update carryover.provisioned p set removed_at = clock_timestamp(), at = clock_timestamp()
        from ended e where e.state = 'removed' and p.target = $3 and p.user_id = e.user_id
      )
      select place::float8 as place from ended`,
    values: [
      plan,
      owner,
      target,
      ended.map(({ place }) => place),
      ended.map(({ state }) => state),
      ended.map(({ reason }) => reason),
      ended.map(({ targetCode }) => targetCode),
      ended.map(({ targetText }) => targetText),
      ended.map(({ targetId }) => targetId),
      ended.map(({ brings }) => brings?.content ?? null),
      ended.map(({ brings }) => brings?.method ?? null),
      ended.map(({ brings }) => brings?.hash ?? null),
    ],
  })
  const ours = new Set(rows.map(({ place }) => place))
  return ended.map(({ place }) => ours.has(place))
}

async function release(
  database: Database,
  { plan, owner }: RunIdentity,
  items: readonly Released[],
): Promise<void> {
  if (items.length === 0) return
  await database.query({
    name: 'plan-release',
    text: `update carryover.plan_items i
      set leased_by = null, attempts = i.attempts - g.untried,
        lease_until = case when g.ms > 0 then clock_timestamp() + g.ms * interval '1 millisecond' end
      from unnest($3::bigint[], $4::float8[], $5::int[]) as g (place, ms, untried)
      where i.plan = $1 and i.place = g.place and i.place = any($3::bigint[]) and i.leased_by = $2 and ${IS_PENDING}`,
    values: [
      plan,
      owner,
      items.map(({ place }) => place),
      items.map(({ forMs }) => forMs),
      items.map(({ untried }) => (untried ? 1 : 0)),
    ],
  })
}

interface NowRow {
  state: PlanState
  paused_for: string | null
  speed: number | null
  processes: number
  counts: Partial<Record<ItemState, number>>
}

async function readPlanNow(database: Database, plan: string): Promise<PlanNow> {
  const [row] = await database.query<NowRow>({
    name: 'plan-now',
    text: `select p.state, p.paused_for, p.speed,
        (select count(*)::int from pg_locks k
          where k.locktype = 'advisory' and k.granted and k.objsubid = 2
            and k.database = (select oid from pg_database where datname = current_database())
            and k.classid = hashtext('carryover.provision')::oid and k.objid = hashtext($1::text)::oid) as processes,
        coalesce((select jsonb_object_agg(c.state, c.users) from (
          select state, sum(users) as users from carryover.plan_counts where plan = $1::uuid group by state
        ) c where c.users <> 0), '{}') as counts
      from carryover.plans p where p.id = $1::uuid`,
    values: [plan],
  })
  // A plan that is gone has nothing left to do.
  if (row === undefined) return { state: 'stopped', pausedFor: null, speed: null, processes: 0, counts: {} }
  return {
    state: row.state,
    pausedFor: row.paused_for,
    speed: row.speed,
    processes: row.processes,
    counts: row.counts,
  }
}

async function pauseFor(database: Database, plan: string, reason: string): Promise<void> {
  await database.query({
    name: 'plan-pause',
    text: `update carryover.plans set state = 'paused', paused_for = $2 where id = $1 and state = 'running'`,
    values: [plan, reason],
  })
}

/** `retryFailed` holds the same row, so that neither sees half of the other. */
async function finish(database: Database, plan: string): Promise<void> {
  await database.query({
    name: 'plan-finish',
    text: 'select carryover.finish_plan($1)',
    values: [plan],
  })
}

/** What people may do to a plan. `nothing`: it is not in a state in which that can be done. */
export type Steered =
  | { readonly kind: 'done' }
  | { readonly kind: 'nothing'; readonly state: PlanState | null }

export interface PlanControl {
  /** From `ready`. */
  begin(): Promise<Steered>
  pause(): Promise<Steered>
  resume(): Promise<Steered>
  /** For good: what is pending stays pending. */
  stop(): Promise<Steered>
  speed(callsAMinute: number | null): Promise<Steered>
  /** Refused and postponed items are pending again; how many. */
  retryFailed(): Promise<number>
}

export function controlPlan(database: Database, plan: string): PlanControl {
  const move = async (from: readonly PlanState[], to: PlanState): Promise<Steered> => {
    const rows = await database.query<{ moved: boolean; state: PlanState }>({
      name: 'plan-move',
      text: `with moved as (
          update carryover.plans set state = $3, paused_for = null,
            started_at = case when $3 = 'running' then coalesce(started_at, clock_timestamp()) else started_at end,
            ended_at = case when $3 = 'stopped' then clock_timestamp() else ended_at end
          where id = $1 and state = any($2::text[]) returning id
        )
        select exists (select from moved) as moved, state from carryover.plans where id = $1`,
      values: [plan, from, to],
    })
    const row = rows[0]
    return row?.moved ? { kind: 'done' } : { kind: 'nothing', state: row?.state ?? null }
  }
  return {
    begin: () => move(['ready'], 'running'),
    pause: () => move(['running'], 'paused'),
    resume: () => move(['paused'], 'running'),
    stop: () => move(['ready', 'running', 'paused'], 'stopped'),
    speed: async (callsAMinute) => {
      const rows = await database.query<{ state: PlanState }>({
        name: 'plan-speed',
        text: 'update carryover.plans set speed = $2 where id = $1 returning state',
        values: [plan, callsAMinute],
      })
      return rows.length > 0 ? { kind: 'done' } : { kind: 'nothing', state: null }
    },
    retryFailed: async () => {
      const rows = await database.query<{ again: number }>({
        name: 'plan-retry-failed',
        text: 'select carryover.retry_failed($1)::float8 as again',
        values: [plan],
      })
      return rows[0]?.again ?? 0
    },
  }
}

/** The lock by which a process says that it works on a plan, and, where a target bounds them, its place at the target. */
export interface Presence {
  /** Whether the process may work: it is counted and, where places are bounded, has one. Connects again where it has to. */
  hold(): Promise<boolean>
  end(): Promise<void>
}

/** @param places processes that may call the target at the same time, over all plans; undefined: as many as there are */
export function openPresence(
  url: string,
  plan: string,
  target: string,
  places: number | undefined,
): Presence {
  let client: pg.Client | undefined
  let holds = false
  const open = async () => {
    if (client !== undefined) return client
    const fresh = await connectOwner(url, 'carryover provision')
    fresh.once('end', () => {
      if (client === fresh) client = undefined
      holds = false
    })
    await fresh.query(`select pg_advisory_lock_shared(hashtext('carryover.provision'), hashtext($1))`, [plan])
    client = fresh
    return fresh
  }
  const takePlace = async (connection: pg.Client) => {
    for (let place = 0; place < (places ?? 0); place++) {
      const { rows } = await connection.query<{ taken: boolean }>(
        `select pg_try_advisory_lock(hashtext('carryover.provision.place'), hashtext($1)) as taken`,
        [`${target} ${place}`],
      )
      if (rows[0]?.taken) return true
    }
    return places === undefined
  }
  const take = async () => {
    try {
      holds = await takePlace(await open())
    } catch {
      // Without the lock nothing is begun; the next look tries again.
      const broken = client
      client = undefined
      await broken?.end().catch(() => {})
      holds = false
    }
    return holds
  }
  let taking: Promise<boolean> | undefined
  return {
    hold: async () => {
      if (holds) return true
      // Looks overlap while a connection is slow to come. With a connection each, one would keep the place from the other.
      taking ??= take().finally(() => {
        taking = undefined
      })
      return taking
    },
    end: async () => {
      await taking
      holds = false
      await client?.end().catch(() => {})
    },
  }
}

/** A user whom a run could not bring, as the copy has it. */
export interface FailedItem {
  readonly place: number
  readonly userId: string
  readonly state: 'refused' | 'postponed'
  readonly reason: string | null
  readonly targetCode: string | null
  readonly targetText: string | null
  /** The row as `carryover load` reads it; null: no longer in the copy. */
  readonly row: Readonly<Record<string, unknown>> | null
}

/** Every failed item in the order of the plan, a thousand at a time. */
export async function* readFailed(
  database: Database,
  plan: string,
  most = 1_000,
): AsyncGenerator<readonly FailedItem[]> {
  for (let after = -1; ; ) {
    const rows: FailedRow[] = await database.query<FailedRow>({
      name: 'plan-failed',
      text: `select i.place::float8 as place, i.user_id, i.state, i.reason, i.target_code, i.target_text, u.id::text as found,
          jsonb_build_object('id', u.id, 'login', u.login, 'email', u.email, 'password_hash', u.password_hash,
            'hash_scheme', u.hash_scheme, 'salt', u.salt, 'status', u.status, 'cohort', u.cohort, 'profile', u.profile,
            'updated_at', u.updated_at) as row
        from carryover.plan_items i left join legacy.users u on u.id::text = i.user_id
        where i.plan = $1 and i.state in ('refused', 'postponed') and i.place > $2 order by i.place limit $3`,
      values: [plan, after, most],
    })
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.map((row) => ({
      place: row.place,
      userId: row.user_id,
      state: row.state,
      reason: row.reason,
      targetCode: row.target_code,
      targetText: row.target_text,
      row: row.found === null ? null : row.row,
    }))
    after = last.place
  }
}

interface FailedRow {
  place: number
  user_id: string
  state: 'refused' | 'postponed'
  reason: string | null
  target_code: string | null
  target_text: string | null
  found: string | null
  row: Record<string, unknown>
}
