import type pg from 'pg'
import { addToLedger, type CountDelta, reclassifyLedger } from './ledger.ts'
import { step } from './step.ts'

/**
 * Rows on their way into the copy. `raw` stands where a row may turn out to be refused: see `CopyRow`. `suspect` says so to
 * the planner, whose statistics are samples of values and must be none of `raw`, which holds hashes.
 */
export const staging = `create temp table load_staged (
    line bigint not null, id text not null, login text not null, email text, password_hash text, hash_scheme text,
    salt text, status text not null, cohort text not null, profile jsonb not null, updated_at timestamptz,
    deleted boolean not null, scheme text not null, defect text, raw text,
    suspect boolean generated always as (raw is not null) stored, purged boolean not null default false
  ) on commit drop;
  create temp table load_late (line bigint not null, rule text not null, id text not null, raw text) on commit drop`

/** A row that was good in itself, and refused for what stood in the file or in the ledger before it. */
export interface LateRefusal {
  readonly line: number
  readonly rule: 'repeated-id' | 'deleted-earlier' | 'erased-earlier'
  readonly id: string
  /** Null: the row is of somebody who was erased, and is written nowhere. */
  readonly raw: string | null
}

/** What a load did to the copy. */
export interface Merged {
  readonly added: number
  readonly changed: number
  readonly deleted: number
  /** Rows of users whose hash was purged: it stayed away, and the other columns were taken over. */
  readonly keptPurged: number
  /** Of those added and changed: hashes that cannot be used, by defect. */
  readonly unusable: Readonly<Record<string, number>>
}

/** Fewer rows than this are left to autovacuum's own analyze. */
const WORTH_ANALYZING = 1_000

/** Takes out of the staging table what may not be merged. */
export async function* setAside(
  client: pg.Client,
  { fresh, suspects }: { fresh: boolean; suspects: number },
): AsyncGenerator<LateRefusal> {
  const erased = await step('sorting the rows', async () => {
    await client.query('analyze pg_temp.load_staged (line, id, suspect)')
    const gone = fresh ? 0 : await dropErased(client)
    if (!fresh) await client.query(emptyPurged)
    if (suspects === 0) return gone
    for (const late of fresh ? [repeatedInCopy, repeated] : [repeated, deletedEarlier]) {
      await client.query(late)
      await client.query('delete from pg_temp.load_staged s using pg_temp.load_late l where s.line = l.line')
    }
    return gone
  })
  if (suspects + erased > 0) yield* lateRefusals(client)
}

/** First of all, so that no second row of an erased user is told, and written down, as a repeated one. */
async function dropErased(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ some: boolean }>(
    'select exists (select from carryover.erased) as some',
  )
  if (rows[0]?.some !== true) return 0
  return (await client.query(erasedEarlier)).rowCount ?? 0
}

/**
 * Whom the file calls deleted is gone already, which is no mistake of the file's. The function is asked for thousands at once;
 * whoever loads need not have the key of its digests.
 */
const erasedEarlier = `with erased as materialized (
    select e.id from (select array_agg(s.id) as ids from pg_temp.load_staged s group by s.line / 10000) part
    cross join lateral carryover.erased_among(part.ids) e (id)
  ),
  gone as (
    delete from pg_temp.load_staged s using erased e where e.id = s.id
    returning s.line, s.id, s.deleted
  )
  insert into pg_temp.load_late select line, 'erased-earlier', id, null from gone where not deleted`

/** The copy is locked, so nobody is purged between here and the commit. */
const emptyPurged = `update pg_temp.load_staged s set password_hash = null, salt = null, purged = true
  from carryover.users l where l.user_id = s.id and l.purged_at is not null and not s.deleted`

const repeated = `insert into pg_temp.load_late
  select s.line, 'repeated-id', s.id, s.raw from pg_temp.load_staged s
  where s.suspect and exists (select from pg_temp.load_staged e where e.id = s.id and e.line < s.line)`

/** The copy was empty: whoever is in it now came from this file. */
const repeatedInCopy = `insert into pg_temp.load_late
  select s.line, 'repeated-id', s.id, s.raw from pg_temp.load_staged s
  where s.suspect and exists (select from legacy.users u where u.id = s.id)`

const deletedEarlier = `insert into pg_temp.load_late
  select s.line, 'deleted-earlier', s.id, s.raw
  from pg_temp.load_staged s join carryover.users l on l.user_id = s.id
  where s.suspect and not s.deleted and l.deleted_at is not null`

async function* lateRefusals(client: pg.Client): AsyncGenerator<LateRefusal> {
  await client.query(
    'declare late no scroll cursor for select line::float8, rule, id, raw from pg_temp.load_late order by line',
  )
  for (;;) {
    const { rows } = await step('reading refused rows', () =>
      client.query<LateRefusal>('fetch 1000 from late'),
    )
    if (rows.length === 0) break
    yield* rows
  }
  await client.query('close late')
}

/**
 * Brings the staged rows into copy and ledger. A row that is already there as it should be is neither written nor
 * locked. Sign-ins are held up only by the last step, and only those of users who are reclassified.
 *
 * @param direct rows that went into the copy beside the staging table
 */
export async function mergeStaged(
  client: pg.Client,
  direct: number,
): Promise<Merged & { readonly deltas: readonly CountDelta[] }> {
  const merged = await step('comparing rows', () => compare(client))
  await step('changing the copy', async () => {
    if (merged.changed > 0) await client.query(change)
    if (merged.added > 0) await client.query(add)
    if (merged.deleted > 0) await client.query(remove)
  })
  const added = await step('adding to the ledger', () => addToLedger(client, classified))
  if (direct + merged.added + merged.changed + merged.deleted >= WORTH_ANALYZING) {
    await step('gathering statistics', async () => {
      // A tenth of the usual sample says how large the tables are; autovacuum looks closer within a minute.
      await client.query('set local default_statistics_target = 10')
      await client.query('analyze legacy.users')
      await client.query('analyze carryover.users')
    })
  }
  const moved = await step('reclassifying the ledger', () => reclassifyLedger(client, classified))
  return { ...merged, deltas: [...added, ...moved] }
}

const classified = `(select id, cohort, scheme, defect is null and not deleted as usable, deleted from pg_temp.load_staged)`

async function compare(client: pg.Client): Promise<Merged> {
  await client.query(fates)
  await client.query('analyze pg_temp.load_fates')
  const { rows } = await client.query<{ fate: string; defect: string | null; rows: number }>(
    'select fate, defect, count(*)::float8 as rows from pg_temp.load_fates group by fate, defect order by defect',
  )
  const { rows: purged } = await client.query<{ rows: number }>(
    'select count(*)::float8 as rows from pg_temp.load_staged where purged',
  )
  const sum = (fate: string) =>
    rows.filter((row) => row.fate === fate).reduce((all, row) => all + row.rows, 0)
  const unusable = new Map<string, number>()
  for (const { fate, defect, rows: count } of rows) {
    if (defect !== null && fate !== 'deleted') unusable.set(defect, (unusable.get(defect) ?? 0) + count)
  }
  return {
    added: sum('added'),
    changed: sum('changed'),
    deleted: sum('deleted'),
    keptPurged: purged[0]?.rows ?? 0,
    unusable: Object.fromEntries(unusable),
  }
}

/** What becomes of each staged row that is not in the copy as it should be. */
const fates = `create temp table load_fates on commit drop as
  select s.id, case when not s.purged then s.defect end as defect,
    case when s.deleted then 'deleted' when u.id is null then 'added' else 'changed' end as fate
  from pg_temp.load_staged s left join legacy.users u on u.id = s.id
  where case
    when s.deleted then u.id is not null
      or not exists (select from carryover.users l where l.user_id = s.id and l.deleted_at is not null)
    when u.id is null then true
    else (u.login, u.email, u.password_hash, u.hash_scheme, u.salt, u.status, u.cohort, u.profile)
        is distinct from (s.login, s.email, s.password_hash, s.hash_scheme, s.salt, s.status, s.cohort, s.profile)
      or (s.updated_at is not null and u.updated_at is distinct from s.updated_at)
  end`

const change = `update legacy.users u set login = s.login, email = s.email, password_hash = s.password_hash,
    hash_scheme = s.hash_scheme, salt = s.salt, status = s.status, cohort = s.cohort, profile = s.profile,
    updated_at = coalesce(s.updated_at, now())
  from pg_temp.load_fates f join pg_temp.load_staged s on s.id = f.id
  where f.fate = 'changed' and u.id = s.id`

const add = `insert into legacy.users
    (id, login, email, password_hash, hash_scheme, salt, status, cohort, profile, updated_at)
  select s.id, s.login, s.email, s.password_hash, s.hash_scheme, s.salt, s.status, s.cohort, s.profile,
    coalesce(s.updated_at, now())
  from pg_temp.load_fates f join pg_temp.load_staged s on s.id = f.id
  where f.fate = 'added'`

const remove = `delete from legacy.users u using pg_temp.load_fates f where f.fate = 'deleted' and u.id = f.id`
