import type pg from 'pg'
import { completeRows, dropErased, findUsers, present, setLate } from './filed.ts'
import { type Filing, mayRefuseAny } from './filing.ts'
import { addToLedger, type CountDelta, reclassifyLedger } from './ledger.ts'
import { noteAnswered, notePurged, purgedRows } from './password-changes.ts'
import { step } from './step.ts'

/**
 * Rows on their way into the copy. `raw` stands where a row may turn out to be refused: see `CopyRow`. `suspect` says so to
 * the planner, whose statistics are samples of values and must be none of `raw`, which holds hashes. `source_id`: the row's
 * own id where it is filed under another; `known`: its source had it before; `kept`: it has no hash and leaves what is there;
 * `unlisted`: so does whoever reads the copy later, for the ledger lacks the user.
 */
export const staging = `create temp table load_staged (
    line bigint not null, id text not null, login text not null, email text, password_hash text, hash_scheme text,
    salt text, status text not null, cohort text not null, profile jsonb not null, updated_at timestamptz,
    deleted boolean not null, scheme text not null, defect text, raw text,
    suspect boolean generated always as (raw is not null) stored, purged boolean not null default false,
    source_id text, known boolean not null default false, kept boolean not null default false,
    unlisted boolean not null default false
  ) on commit drop;
  create temp table load_late (line bigint not null, rule text not null, id text not null, raw text, field text, first bigint)
  on commit drop`

/** A row that was good in itself, and refused for what stood in the file or in the ledger before it. */
export interface LateRefusal {
  readonly line: number
  readonly rule:
    | 'repeated-id'
    | 'repeated-key'
    | 'required'
    | 'ambiguous-key'
    | 'id-taken'
    | 'unknown-user'
    | 'deleted-earlier'
    | 'erased-earlier'
  readonly id: string
  /** Null: the row is of somebody who was erased, and is written nowhere. */
  readonly raw: string | null
  readonly field?: string | undefined
  /** Of a repeated one, where that is known without reading the file again: the line that had it first. */
  readonly first?: number | undefined
}

/** What a load did to the copy. */
export interface Merged {
  readonly added: number
  readonly changed: number
  readonly deleted: number
  /** Rows of users whose hash was purged: it stayed away, and the other columns were taken over. */
  readonly keptPurged: number
  /** Users whose password is another than when their migration was confirmed, or their hash was purged. */
  readonly changedAfterMigration: number
  /** Of those added and changed: hashes that cannot be used, by defect. */
  readonly unusable: Readonly<Record<string, number>>
}

/** Fewer rows than this are left to autovacuum's own analyze. */
const WORTH_ANALYZING = 1_000

/** Takes out of the staging table what may not be merged. */
export async function* setAside(
  client: pg.Client,
  { fresh, suspects, filing }: { fresh: boolean; suspects: number; filing: Filing },
): AsyncGenerator<LateRefusal> {
  const some = await step('sorting the rows', async () => {
    await client.query('analyze pg_temp.load_staged (line, id, suspect)')
    if (fresh) {
      if (suspects > 0) await setLate(client, repeatedInCopy)
      return suspects > 0
    }
    if (filing.wholeWithin !== null) await client.query(present)
    const erased = await dropErased(client, filing.source)
    if (suspects > 0) await setLate(client, repeated)
    if (mayRefuseAny(filing)) await findUsers(client, filing)
    if (suspects > 0) await setLate(client, deletedEarlier)
    if (filing.updateOnly) await completeRows(client)
    await client.query(purgedRows)
    await client.query(emptyPurged)
    return suspects + erased > 0
  })
  if (some) yield* lateRefusals(client)
}

/** The copy is locked, so nobody is purged between here and the commit. */
const emptyPurged = `update pg_temp.load_staged s set password_hash = null, salt = null, purged = true
  from carryover.users l where l.user_id = s.id and l.purged_at is not null and not s.deleted`

const repeated = `insert into pg_temp.load_late (line, rule, id, raw, first)
  select s.line, 'repeated-id', s.id, s.raw, f.first
  from (
    select id, min(line) as first from pg_temp.load_staged
    where id in (select id from pg_temp.load_staged where suspect) group by id having count(*) > 1
  ) f
  join pg_temp.load_staged s on s.id = f.id and s.line > f.first
  where s.suspect`

/** The copy was empty: whoever is in it now came from this file. */
const repeatedInCopy = `insert into pg_temp.load_late
  select s.line, 'repeated-id', s.id, s.raw from pg_temp.load_staged s
  where s.suspect and exists (select from legacy.users u where u.id = s.id)`

const deletedEarlier = `insert into pg_temp.load_late
  select s.line, 'deleted-earlier', s.id, s.raw
  from pg_temp.load_staged s join carryover.users l on l.user_id = s.id
  where s.suspect and not s.deleted and l.deleted_at is not null`

/** As rows of a query have it. */
interface LateRow extends Omit<LateRefusal, 'field' | 'first'> {
  readonly field: string | null
  readonly first: number | null
}

async function* lateRefusals(client: pg.Client): AsyncGenerator<LateRefusal> {
  await client.query(
    `declare late no scroll cursor for
    select line::float8, rule, id, raw, field, first::float8 from pg_temp.load_late order by line`,
  )
  for (;;) {
    const { rows } = await step('reading refused rows', () => client.query<LateRow>('fetch 1000 from late'))
    if (rows.length === 0) break
    for (const { field, first, ...late } of rows)
      yield { ...late, field: field ?? undefined, first: first ?? undefined }
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
  { fresh, load }: { fresh: boolean; load: number | null },
): Promise<Merged & { readonly deltas: readonly CountDelta[] }> {
  const merged = await step('comparing rows', () => compare(client))
  const ofAnswered = merged.changed > 0 ? await step('comparing hashes', () => noteAnswered(client, load)) : 0
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
  const ofPurged = fresh ? 0 : await step('comparing hashes', () => notePurged(client, load))
  return { ...merged, changedAfterMigration: ofAnswered + ofPurged, deltas: [...added, ...moved] }
}

/**
 * What `mergeStaged` would do, by the same comparison. Writes neither copy nor ledger; what it notes of passwords is to be
 * rolled back.
 */
export async function compareStaged(client: pg.Client): Promise<Merged> {
  const merged = await step('comparing rows', () => compare(client))
  const changedAfterMigration = await step('comparing hashes', async () => {
    const ofAnswered = merged.changed > 0 ? await noteAnswered(client, null) : 0
    return ofAnswered + (await notePurged(client, null))
  })
  return { ...merged, changedAfterMigration }
}

const classified = `(select id, cohort, scheme, defect is null and not deleted as usable, deleted from pg_temp.load_staged where not unlisted)`

async function compare(client: pg.Client): Promise<Omit<Merged, 'changedAfterMigration'>> {
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
  select s.id, case when not s.purged and not s.kept then s.defect end as defect,
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
