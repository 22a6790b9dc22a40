import type pg from 'pg'

/** What is added to one row of `carryover.counts`. */
export interface CountDelta {
  readonly cohort: string
  readonly scheme: string
  readonly unmigrated: number
  readonly verified: number
  readonly migrated: number
  readonly unverifiable: number
  /** How many users came to this row; who moved within the counts left another. */
  readonly arrived: number
}

/** One at a time of everything that writes the copy or reclassifies the ledger. */
export const LOAD_LOCK = `hashtext('carryover.load')`

/**
 * Adds a ledger row for every user of `source` that has none. `source` is a relation, or a query in parentheses, of
 * (id, cohort, scheme, usable, deleted); an id stands in it once. In the order of the key, as `record_outcomes` does,
 * which may be adding the same rows.
 */
export async function addToLedger(client: pg.Client, source: string): Promise<CountDelta[]> {
  return deltasOf(
    client,
    `with added as (
      insert into carryover.users (user_id, cohort, scheme, usable, deleted_at)
      select s.id, s.cohort, s.scheme, s.usable, case when s.deleted then now() end
      from ${source} s
      where not exists (select from carryover.users l where l.user_id = s.id)
      order by s.id
      on conflict do nothing
      returning cohort, scheme, usable, deleted_at
    )
    select cohort, scheme, count(*)::float8 as unmigrated, 0 as verified, 0 as migrated,
      (count(*) filter (where not usable))::float8 as unverifiable, count(*)::float8 as arrived
    from added where deleted_at is null group by cohort, scheme`,
  )
}

/**
 * Brings cohort, scheme and usability of existing ledger rows up to date, and marks deleted ones. The state of a user
 * is kept: it moves from one row of the counts to another within its state. The rows are locked in the order of the
 * key and as they are at that moment, so that a sign-in that comes first is counted as what it became. Scheme and
 * usability of a purged user stay what they were: there is no hash left that could say.
 */
export async function reclassifyLedger(client: pg.Client, source: string): Promise<CountDelta[]> {
  return deltasOf(
    client,
    `with locked as (
      select l.user_id, l.state, l.cohort, l.scheme, l.usable,
        s.cohort as new_cohort, s.deleted,
        case when l.purged_at is null then s.scheme else l.scheme end as new_scheme,
        case when l.purged_at is null then s.usable else l.usable end as new_usable
      from carryover.users l join ${source} s on s.id = l.user_id
      where l.deleted_at is null
        and (s.deleted or l.cohort is distinct from s.cohort
          or l.purged_at is null and (l.scheme, l.usable) is distinct from (s.scheme, s.usable))
      order by l.user_id
      for update of l
    ),
    reclassified as (
      update carryover.users l set cohort = k.new_cohort, scheme = k.new_scheme, usable = k.new_usable
      from locked k where l.user_id = k.user_id and not k.deleted
    ),
    deleted as (
      update carryover.users l set deleted_at = now()
      from locked k where l.user_id = k.user_id and k.deleted
    ),
    moved as (
      select -1 as sign, state, cohort, scheme, usable from locked
      union all
      select 1, state, new_cohort, new_scheme, new_usable from locked where not deleted
    )
    ${sumOfMoved}`,
  )
}

/** Adds up `moved` (sign, state, cohort, scheme, usable). */
const sumOfMoved = `select cohort, scheme,
    coalesce(sum(sign) filter (where state = 'unmigrated'), 0)::float8 as unmigrated,
    coalesce(sum(sign) filter (where state = 'verified'), 0)::float8 as verified,
    coalesce(sum(sign) filter (where state = 'migrated'), 0)::float8 as migrated,
    coalesce(sum(sign) filter (where state = 'unmigrated' and not usable), 0)::float8 as unverifiable,
    (count(*) filter (where sign > 0))::float8 as arrived
  from moved group by cohort, scheme`

/**
 * Forgets those of `ids` that are unmigrated and no longer in the copy, as a view loses its rows: if such a user comes
 * back, it begins anew. One that was verified or migrated stays, and stays counted, for that has happened and must
 * not happen again.
 */
export async function forgetVanished(client: pg.Client, ids: readonly string[]): Promise<CountDelta[]> {
  return deltasOf(
    client,
    `with locked as (
      select l.user_id, l.state, l.cohort, l.scheme, l.usable from carryover.users l
      where l.user_id = any ($1) and l.state = 'unmigrated' and l.deleted_at is null
      order by l.user_id
      for update
    ),
    forgotten as (delete from carryover.users l using locked k where l.user_id = k.user_id),
    moved as (select -1 as sign, state, cohort, scheme, usable from locked)
    ${sumOfMoved}`,
    [ids],
  )
}

/** The last thing before a commit: sign-ins wait for the rows of the counts until then. */
export async function addCounts(client: pg.Client, deltas: readonly CountDelta[]): Promise<void> {
  const real = deltas.filter(
    (delta) => delta.unmigrated || delta.verified || delta.migrated || delta.unverifiable,
  )
  if (real.length > 0) await client.query('select carryover.add_counts($1)', [JSON.stringify(real)])
}

async function deltasOf(client: pg.Client, text: string, values: unknown[] = []): Promise<CountDelta[]> {
  return (await client.query<CountDelta>(text, values)).rows
}
