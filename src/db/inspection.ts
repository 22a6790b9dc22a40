import type pg from 'pg'
import { errorCode } from '../errors.ts'
import type { Database } from './client.ts'
import { type CopiedHash, hashIn } from './copied.ts'

/** Milliseconds. The service goes on while somebody inspects, so nothing here takes the server for longer. */
const INSPECTION_LIMIT_MS = 10_000

export interface ServerFacts {
  readonly version: number
  /** Whether the connection leaves the machine without TLS. */
  readonly inClear: boolean
  /** A commit may be lost although it was reported. */
  readonly unsafeCommits: boolean
  /** Whether values of statements may come into the server's log. */
  readonly logsValues: boolean
}

export interface ClockReading {
  /** Milliseconds that the database's clock is ahead of ours. */
  readonly ahead: number
  /** Milliseconds by which that may be wrong. */
  readonly give: number
}

/** A read that takes longer than its limit (milliseconds) is ended: `undefined`. */
export async function inspecting<Result>(
  client: pg.Client,
  work: () => Promise<Result>,
  limit = INSPECTION_LIMIT_MS,
): Promise<Result | undefined> {
  await client.query('begin read only')
  await client.query(`set local statement_timeout = ${limit}`)
  try {
    return await work()
  } catch (error) {
    if (errorCode(error) === '57014') return undefined
    throw error
  } finally {
    await client.query('rollback')
  }
}

/** What any account may know of the server. */
export async function readServer(client: pg.Client): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(`
    select current_setting('server_version_num')::int as version,
      inet_client_addr() is not null
        and not (inet_client_addr() <<= '127.0.0.0/8' or inet_client_addr() = '::1')
        and not coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as "inClear",
      current_setting('fsync') = 'off' or current_setting('full_page_writes') = 'off' as "unsafeCommits",
      current_setting('log_parameter_max_length_on_error') <> '0' or current_setting('log_parameter_max_length') <> '0'
        and (current_setting('log_statement') = 'all' or current_setting('log_min_duration_statement') <> '-1'
          or current_setting('log_min_duration_sample') <> '-1') as "logsValues"`)
  const [facts] = rows
  if (facts === undefined) throw new Error('no row')
  return facts
}

/** The quickest of five readings says most: half of its round trip is what it may be wrong by. */
export async function readClock(client: pg.Client): Promise<ClockReading> {
  const readings: ClockReading[] = []
  for (let reading = 0; reading < 5; reading++) {
    const [asked, started] = [Date.now(), performance.now()]
    const { rows } = await client.query<{ now: string }>(
      'select extract(epoch from clock_timestamp()) * 1000 as now',
    )
    const half = (performance.now() - started) / 2
    readings.push({ ahead: Number(rows[0]?.now) - (asked + half), give: half })
  }
  return readings.reduce((best, one) => (one.give < best.give ? one : best))
}

/** Milliseconds that look-ups of a name that nobody has take, one after another, the median of 20. */
export async function readPace(database: Database): Promise<number> {
  const find = () =>
    database.query({
      name: 'pace',
      text: `select place from carryover.find_users(array[null::text], interval '1 second')`,
      values: [],
    })
  await find() // opens the connection and plans
  const times: number[] = []
  for (let lookup = 0; lookup < 20; lookup++) {
    const started = performance.now()
    await find()
    times.push(performance.now() - started)
  }
  return times.sort((one, other) => one - other)[10] ?? 0
}

interface PlanNode {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly Schema?: string
  readonly Plans?: readonly PlanNode[]
}

export interface LookupPlans {
  readonly kind: 'table' | 'view'
  /** Relations that a look-up of one user reads whole, because no index serves it. */
  readonly wholly: readonly string[]
  /** Relations beneath the copy that hold rows and have no statistics. */
  readonly unanalyzed: readonly string[]
}

/** How the server would find one user. Nothing is looked up. */
export async function readLookupPlans(client: pg.Client): Promise<LookupPlans> {
  await client.query('set local enable_seqscan = off')
  const plans: PlanNode[] = []
  for (const statement of [
    `select * from carryover.candidates('somebody')`,
    `select * from legacy.users where id = 'somebody' limit 1`,
  ]) {
    const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
      `explain (verbose, format json) ${statement}`,
    )
    plans.push(...rows.flatMap((row) => row['QUERY PLAN'].map(({ Plan }) => Plan)))
  }
  const nodes = plans.flatMap(everyNode)
  const named = (found: readonly PlanNode[]) => [
    ...new Set(
      found.flatMap((node) => (node['Relation Name'] ? [`${node.Schema}.${node['Relation Name']}`] : [])),
    ),
  ]
  const { rows } = await client.query<{ kind: 'table' | 'view'; unanalyzed: string[] }>(
    `select case when (select relkind from pg_class where oid = 'legacy.users'::regclass) in ('r', 'p') then 'table' else 'view' end as kind,
      array(select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname || '.' || c.relname = any ($1) and c.relkind in ('r', 'm') and c.reltuples < 0
          and pg_relation_size(c.oid) > 0 order by 1) as unanalyzed`,
    [named(nodes)],
  )
  return {
    kind: rows[0]?.kind ?? 'table',
    wholly: named(nodes.filter((node) => node['Node Type'] === 'Seq Scan')),
    unanalyzed: rows[0]?.unanalyzed ?? [],
  }
}

function everyNode(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(everyNode)]
}

/** More are not counted: the sentence is the same. */
export const MOST_NAMES = 1_000

/** Names that several users answer to, up to `MOST_NAMES` and one: as `carryover.candidates` sees them. */
export async function countSharedNames(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ names: number }>(
    `with present as (
      select login, email from legacy.users l
      where not exists (select from carryover.users d where d.user_id = l.id and d.deleted_at is not null)
    ),
    by_login as (
      select carryover.name_key(login) from present where carryover.name_key(login) <> ''
      group by 1 having count(*) > 1 limit $1
    ),
    by_email as (
      select name from (
        select carryover.name_key(email) as name from present
        where email <> login and carryover.name_key(email) <> carryover.name_key(login) and carryover.name_key(email) <> ''
        group by 1 having count(*) > 1
      ) e
      where not exists (select from present p where carryover.name_key(p.login) = e.name) limit $1
    )
    select ((select count(*) from by_login) + (select count(*) from by_email))::int as names`,
    [MOST_NAMES + 1],
  )
  return rows[0]?.names ?? 0
}

/** One unmigrated user of each scheme that the ledger says can be checked; the schemes with most of them first. */
export async function sampleSchemes(client: pg.Client) {
  const { rows } = await client.query<CopiedHash & { counted: string; users: string }>(
    `select s.scheme as counted, s.users, l.id, l.login, l.password_hash, l.hash_scheme, l.salt, l.cohort
    from (
      select scheme, sum(unmigrated - unverifiable) as users from carryover.counts
      group by scheme having sum(unmigrated - unverifiable) > 0 order by 2 desc limit 200
    ) s
    cross join lateral (
      select u.user_id from carryover.users u
      where u.scheme = s.scheme and u.usable and u.state = 'unmigrated' and u.deleted_at is null limit 1
    ) u
    join legacy.users l on l.id = u.user_id`,
  )
  return rows.map(({ counted, users, ...row }) => ({
    scheme: counted,
    users: Number(users),
    stored: hashIn(row),
  }))
}
