import { createHash, randomUUID } from 'node:crypto'
import type pg from 'pg'
import { type Database, openDatabase } from '../../src/db/client.ts'
import { type Claimed, newOwner, openPresence, openRunStore } from '../../src/db/plan-items.ts'
import type { StoredHash } from '../../src/domain.ts'
import { type Call, CallFailure, type OutboundAnswer } from '../../src/outbound/call.ts'
import { type Readied, readied } from '../../src/provision/order.ts'
import { type RunDeps, runPlan } from '../../src/provision/run.ts'
import { type Brought, type Candidate, type Order, RunHalt, type Target } from '../../src/targets/target.ts'

/** Percent of calls that go wrong in each way. */
export interface Faults {
  readonly tooMany?: number
  /** Heard, and the answer is lost. */
  readonly lostAfter?: number
  readonly lostBefore?: number
  readonly error?: number
}

export interface SimulatedServer {
  readonly call: Call
  /** Creations by the user's id: each is to be 1. */
  readonly created: Map<string, number>
  readonly removed: Set<string>
  faults: Faults
  authorized: boolean
  /** Ids that it refuses. */
  readonly bad: Set<string>
  /** Calls by window; the limit holds for each. */
  readonly windows: Map<number, number>
  readonly most: { flying: number }
}

/** A target's side of the network. `limit` calls in a window of `windowMs`, where it is given. */
export function simulatedServer(
  options: { limit?: number; windowMs?: number; latencyMs?: number } = {},
): SimulatedServer {
  const { limit, windowMs = 1_000, latencyMs = 0 } = options
  const keys = new Map<string, string>()
  let flying = 0
  const server: SimulatedServer = {
    created: new Map(),
    removed: new Set(),
    faults: {},
    authorized: true,
    bad: new Set(),
    windows: new Map(),
    most: { flying: 0 },
    call: async (request) => {
      flying += 1
      server.most.flying = Math.max(server.most.flying, flying)
      try {
        await new Promise((done) => setTimeout(done, latencyMs * Math.random()))
        return serve(request.method, request.url, typeof request.body === 'string' ? request.body : '')
      } finally {
        flying -= 1
      }
    },
  }
  const serve = (method: string, url: string, body: string): OutboundAnswer => {
    const dice = Math.random() * 100
    const { tooMany = 0, lostAfter = 0, lostBefore = 0, error = 0 } = server.faults
    const window = Math.floor(Date.now() / windowMs)
    const used = (server.windows.get(window) ?? 0) + 1
    server.windows.set(window, used)
    const headers: Record<string, string> =
      limit === undefined
        ? {}
        : {
            limit: String(limit),
            remaining: String(Math.max(0, limit - used)),
            reset: String((window + 1) * windowMs),
            now: String(Date.now()),
          }
    const answer = (status: number, text = '') => ({ status, headers, text })
    if (!server.authorized) return answer(401)
    if (limit !== undefined && used > limit) return answer(429)
    if (dice < tooMany) return { status: 429, headers: { wait: '1' }, text: '' }
    if (dice < tooMany + lostBefore) throw new CallFailure('timeout')
    if (dice < tooMany + lostBefore + error) return answer(500)
    const done = act(method, new URL(url).pathname.split('/')[2], body)
    if (dice > 100 - lostAfter) throw new CallFailure('timeout')
    return answer(done.status, done.text)
  }
  const act = (method: string, key: string | undefined, body: string) => {
    if (method === 'DELETE') {
      server.removed.add(key ?? '')
      return { status: 204, text: '' }
    }
    if (method === 'GET') {
      const found = keys.get(decodeURIComponent(key ?? ''))
      return found === undefined ? { status: 404, text: '' } : { status: 200, text: found }
    }
    const ids: string[] = JSON.parse(body)
    if (ids.some((id) => server.bad.has(id)))
      return { status: 400, text: `bad: ${ids.join()}: mail is no address` }
    for (const id of ids) {
      server.created.set(id, (server.created.get(id) ?? 0) + 1)
      keys.set(id, `key-${id}`)
    }
    return { status: 201, text: ids.map((id) => `key-${id}`).join() }
  }
  return server
}

/** Translates for it: one user a call, or a batch that one bad user spoils. */
export function simulatedTarget(inFlight = 4): Target {
  const url = 'https://target.test/users'
  const bringOne = async ({ action, attempts, user, targetId }: Order, call: Call): Promise<Brought> => {
    const one = (result: Extract<Brought, { kind: 'each' }>['results'][number]): Brought => ({
      kind: 'each',
      results: [result],
    })
    if (action === 'deactivate' || action === 'delete') {
      const { status } = await call({ method: 'DELETE', url: `${url}/${targetId}` })
      return one(status === 204 ? { kind: 'removed', targetId: null } : { kind: 'postponed', reason: 'busy' })
    }
    if (attempts > 0 || action === 'update') {
      const found = await call({ method: 'GET', url: `${url}/${user.id}` })
      if (found.status === 500) return one({ kind: 'postponed', reason: 'busy' })
      if (found.status === 200)
        return one({ kind: action === 'update' ? 'updated' : 'created', targetId: found.text })
    }
    return bringBatch([user], call)
  }
  const bringBatch = async (users: readonly Candidate[], call: Call): Promise<Brought> => {
    const body = JSON.stringify(users.map(({ id }) => id))
    const { status, text } = await call({ method: 'POST', url, body })
    if (status === 401) throw new RunHalt('unauthorized', '401')
    if (status === 500)
      return { kind: 'each', results: users.map(() => ({ kind: 'postponed', reason: 'busy' })) }
    if (status === 400)
      return {
        kind: 'whole',
        refused: {
          kind: 'refused',
          reason: 'invalid-attribute',
          targetCode: '400',
          targetText: `${text}: ${users.map(({ login }) => login.toUpperCase()).join()}`,
        },
      }
    return { kind: 'each', results: text.split(',').map((targetId) => ({ kind: 'created', targetId })) }
  }
  return {
    hosts: ['target.test'],
    authorize: async () => ({ headers: {} }),
    inFlight,
    examine: async () => [],
    bring: (orders, { call }) => {
      const [only, ...others] = orders
      return only !== undefined && others.length === 0
        ? bringOne(only, call)
        : bringBatch(
            orders.map(({ user }) => user),
            call,
          )
    },
    limitOf: ({ headers }) =>
      headers.wait !== undefined
        ? { waitMs: Number(headers.wait) }
        : headers.limit === undefined
          ? null
          : {
              limit: Number(headers.limit),
              remaining: Number(headers.remaining),
              resetAt: Number(headers.reset),
              now: Number(headers.now),
            },
  }
}

export const digestOf = (text: string) => createHash('sha256').update(text).digest()

const digestOfCandidate = ({ login, email, attributes }: Candidate) =>
  digestOf(JSON.stringify([login, email, attributes]))

/** Makes orders of users whose attributes are their profiles. */
export const readyAsTheyAre = (item: Claimed): Readied =>
  readied(item, {
    prepare: (user) => ({ kind: 'ready', user, attributes: user.profile }),
    portable: ({ encoded }: StoredHash) =>
      encoded === null ? null : { kind: 'crypt', scheme: 'sha512-crypt', text: encoded },
    reads: () => true,
    contentDigest: digestOfCandidate,
    hashDigest: ({ encoded }) => digestOf(encoded ?? ''),
    tag: null,
  })

export interface PlannedUsers {
  readonly count: number
  /** The first id less one. */
  readonly after?: number
  readonly action?: string
  readonly method?: string
  readonly state?: string
}

/** Users `1` to `count`, or those after some others, in the copy, listed, and planned as running. The plan's id. */
export async function planUsers(
  owner: pg.Client,
  { count, after = 0, action = 'create', method = 'hook', state = 'running' }: PlannedUsers,
): Promise<string> {
  const plan = randomUUID()
  await owner.query(
    `insert into legacy.users (id, login, email, password_hash, profile)
    select n::text, 'user' || n || '@example.com', 'mail' || n || '@example.com', 'hash-of-' || n, '{"given_name": "Ann"}'
    from generate_series($2::int + 1, $2::int + $1::int) n on conflict do nothing`,
    [count, after],
  )
  await owner.query(
    `insert into carryover.users (user_id, cohort, scheme, usable)
    select n::text, 'default', 'bcrypt', true from generate_series($2::int + 1, $2::int + $1::int) n on conflict do nothing`,
    [count, after],
  )
  await owner.query(
    `insert into carryover.plans (id, target, content, settings_digest, copy_digest, users, report, state)
    values ($1, 'simulated', '{}', '', '', $2, '{}', $3)`,
    [plan, count, state],
  )
  const contents = Array.from({ length: count }, (_, at) =>
    digestOf(
      JSON.stringify([
        `user${after + at + 1}@example.com`,
        `mail${after + at + 1}@example.com`,
        { given_name: 'Ann' },
      ]),
    ),
  )
  await owner.query(
    `insert into carryover.plan_items (plan, place, user_id, action, method, why, cohort, scheme, content, state)
    select $1, n, (n + $5::int)::text, $3, $4, 'test', 'default', 'bcrypt', c, 'pending'
    from unnest($2::bytea[]) with ordinality as g (c, n)`,
    [plan, contents, action, method, after],
  )
  await owner.query(
    `insert into carryover.plan_counts (plan, action, method, state, users) values ($1, $2, $3, 'pending', $4)`,
    [plan, action, method, count],
  )
  return plan
}

export function openForRuns(connectionString: string): Database {
  return openDatabase({
    connectionString,
    applicationName: 'test',
    role: 'carryover_provision',
    max: 8,
    min: 0,
    patient: true,
    onLost: () => {},
  })
}

/** One process's loop, with times that do not keep a test waiting. */
export function loop(
  database: Database,
  url: string,
  plan: string,
  call: Call,
  more: Partial<RunDeps> & { leaseSeconds?: number } = {},
) {
  const stop = new AbortController()
  const { leaseSeconds = 30, ...deps } = more
  const target = deps.target ?? simulatedTarget()
  const presence = openPresence(url, plan, 'simulated', target.processes)
  const store = openRunStore(database, { plan, target: 'simulated', owner: newOwner(), leaseSeconds })
  const ended = runPlan({
    target,
    batch: 1,
    store,
    hold: presence.hold,
    ready: readyAsTheyAre,
    call,
    append: async () => {},
    share: 100,
    stop: stop.signal,
    times: { look: 30, lease: leaseSeconds * 1_000, grace: 5_000, firstRetry: 5, lastRetry: 50 },
    ...deps,
  }).finally(presence.end)
  return { ended, stop: () => stop.abort(), store }
}

/** Users by state, as they stand and as they are counted. */
export async function statesOf(owner: pg.Client, plan: string) {
  const { rows: items } = await owner.query<{ state: string; users: number }>(
    `select state, count(*)::int as users from carryover.plan_items where plan = $1 group by 1 order by 1`,
    [plan],
  )
  return Object.fromEntries(items.map(({ state, users }) => [state, users]))
}

/** Where the kept counts differ from a recount; nothing is right. */
export async function wrongCounts(owner: pg.Client, plan: string): Promise<unknown[]> {
  const { rows } = await owner.query(
    `select * from (
      select action, method, state, reason, users::int from carryover.plan_counts where plan = $1 and users <> 0
    ) kept full join (
      select action, method, state, coalesce(reason, '') as reason, count(*)::int as users
      from carryover.plan_items where plan = $1 group by 1, 2, 3, 4
    ) counted using (action, method, state, reason, users)
    where kept.* is null or counted.* is null`,
    [plan],
  )
  return rows
}
