import type { Database } from './client.ts'

/** Takes away the hashes of at most `most` users whose migration was confirmed longer ago than that. Says how many. */
export async function purgeMigrated(database: Database, keptSeconds: number, most: number): Promise<number> {
  const [row] = await database.query<{ users: number }>({
    name: 'purge-hashes',
    text: 'select carryover.purge_hashes(make_interval(secs => $1), $2)::float8 as users',
    values: [keptSeconds, most],
  })
  return row?.users ?? 0
}

/** Where a purge of users whom nobody confirmed stands: `last` null is its end. */
export interface VerifiedPurge {
  readonly users: number
  readonly last: string | null
}

/** Likewise of users who were verified before a moment; those after `after`, in the order of their ids. */
export async function purgeVerified(
  database: Database,
  before: Date,
  after: string | null,
  most: number,
): Promise<VerifiedPurge> {
  const [row] = await database.query<VerifiedPurge>({
    name: 'purge-verified',
    text: 'select users::float8 as users, last from carryover.purge_verified($1, $2, $3)',
    values: [before, after, most],
  })
  return row ?? { users: 0, last: null }
}

/** Whether this user's hash was taken away. */
export async function isPurged(database: Database, id: string): Promise<boolean> {
  const rows = await database.query({
    name: 'is-purged',
    text: 'select from carryover.users where user_id = $1 and purged_at is not null',
    values: [id],
  })
  return rows.length > 0
}

/** Of one cohort and scheme of the ledger. All but the first two still have a hash in the copy. */
export interface HeldRow {
  readonly cohort: string
  readonly scheme: string
  readonly purgedNow: number
  readonly purgedEarlier: number
  readonly unmigrated: number
  readonly verified: number
  /** Confirmed, and not long enough ago. */
  readonly withinGrace: number
  /** Nothing keeps these: the next purge takes them. */
  readonly due: number
  /** Deleted in the ledger, and the row is still there: a view, or a table that others write. */
  readonly deleted: number
  /** The user was purged and others have brought a hash back: `carryover sync` removes it. */
  readonly back: number
}

export interface Holdings {
  /** By the clock of the database. */
  readonly asOf: Date
  readonly rows: readonly HeldRow[]
  /** In the copy with a hash and not in the ledger. */
  readonly unlisted: number
}

export interface HoldingsQuestion {
  /** Purged since then is purged now. */
  readonly since: Date
  readonly keptSeconds: number
  /** Users verified before then are due; null: none of them is. */
  readonly verifiedBefore: Date | null
}

/** Counts the copy and the ledger once through, in one statement and so of one moment. */
export async function readHoldings(database: Database, question: HoldingsQuestion): Promise<Holdings> {
  const rows = await database.query<HeldRow & { asOf: Date; unlisted: number }>({
    name: 'holdings',
    text: HOLDINGS,
    values: [question.since, question.keptSeconds, question.verifiedBefore],
  })
  const [first] = rows
  if (first === undefined) throw new Error('no row')
  return {
    asOf: first.asOf,
    unlisted: first.unlisted,
    rows: rows.flatMap(({ asOf, unlisted, ...row }) => (row.cohort === null ? [] : [row])),
  }
}

const HOLDINGS = `
  with held as (
    select u.user_id, u.cohort, u.scheme, u.state, u.purged_at, u.deleted_at,
      u.state = 'migrated' and u.migrated_at < statement_timestamp() - make_interval(secs => $2)
        or u.state = 'verified' and coalesce(u.verified_at < $3::timestamptz, false) as is_due,
      l.password_hash is not null or l.salt is not null as has_hash
    from carryover.users u left join legacy.users l on l.id = u.user_id
  ),
  still as (
    select *, has_hash and purged_at is null and deleted_at is null as keeps from held
  ),
  grouped as (
    select cohort, scheme,
      count(*) filter (where purged_at >= $1)::float8 as "purgedNow",
      count(*) filter (where purged_at < $1)::float8 as "purgedEarlier",
      count(*) filter (where keeps and state = 'unmigrated')::float8 as unmigrated,
      count(*) filter (where keeps and state = 'verified' and not is_due)::float8 as verified,
      count(*) filter (where keeps and state = 'migrated' and not is_due)::float8 as "withinGrace",
      count(*) filter (where keeps and is_due)::float8 as due,
      count(*) filter (where has_hash and purged_at is null and deleted_at is not null)::float8 as deleted,
      count(*) filter (where has_hash and purged_at is not null)::float8 as back
    from still group by cohort, scheme
  )
  select statement_timestamp() as "asOf", g.*, (
      select count(*) from legacy.users l where (l.password_hash is not null or l.salt is not null)
        and not exists (select from carryover.users u where u.user_id = l.id))::float8 as unlisted
  from (values (1)) as always (one) left join grouped g on true
  order by g.cohort, g.scheme`

/** The moment by the clock of the database, and whether the copy is a table of ours. */
export async function readPurgeStart(database: Database): Promise<{ now: Date; table: boolean }> {
  const [row] = await database.query<{ now: Date; table: boolean }>({
    name: 'purge-start',
    text: `select clock_timestamp() as now,
      (select relkind from pg_class where oid = 'legacy.users'::regclass) in ('r', 'p') as "table"`,
    values: [],
  })
  if (row === undefined) throw new Error('no row')
  return row
}
