import type pg from 'pg'
import type { StoredHash } from '../domain.ts'
import { connectOwner } from './client.ts'
import { type CopiedHash, cohortIn, hashIn } from './copied.ts'
import { step } from './step.ts'

/** A user of the copy, as far as the stored hash goes. */
export interface CopyRow {
  readonly cohort: string
  readonly hash: StoredHash
  /** Another row of the copy has the same `password_hash`. */
  readonly hashShared: boolean
  /** Another row of the copy has the same text in the column `salt`. */
  readonly saltShared: boolean
}

interface FetchedRow extends CopiedHash {
  readonly hash_shared: boolean
  readonly salt_shared: boolean
}

/** Rows of one fetch: about a megabyte. */
const FETCH = 4_000

/**
 * Every user of the copy who is neither deleted nor purged, a few thousand at a time, in no order and in one snapshot. PostgreSQL
 * sorts hashes and salts to find equal ones, on its own disk when they are many. It sorts 64 bits made of each: among
 * ten million different ones two are taken for equal in one copy of 370,000. Nothing of it is indexed, so a view is
 * read three times.
 */
export async function* readCopy(url: string, stop: AbortSignal): AsyncGenerator<readonly CopyRow[]> {
  const client = await step('connecting', () => connectOwner(url, 'carryover analyze'))
  // Ends even the statement in flight, which may be grouping for minutes.
  const end = () => void client.end().catch(() => {})
  stop.addEventListener('abort', end, { once: true })
  if (stop.aborted) end()
  try {
    await step('grouping equal hashes', () => declare(client))
    const fetched = () => step('reading the copy', () => fetchRows(client))
    let next = fetched()
    for (;;) {
      const rows = await next
      if (rows.length === 0) return
      // PostgreSQL works on these while the caller does on those.
      next = fetched()
      next.catch(() => {})
      yield rows.map(rowIn)
    }
  } finally {
    stop.removeEventListener('abort', end)
    await client.end().catch(() => {})
  }
}

async function declare(client: pg.Client): Promise<void> {
  await client.query('begin isolation level repeatable read read only')
  // All rows are wanted, not the first ones soon. Without statistics, as after a load, nested loops look cheap.
  await client.query('set local cursor_tuple_fraction = 1')
  await client.query('set local enable_nestloop = off')
  // Sorted numbers take a third of the time of a table of them, and little harm when they do not fit.
  await client.query('set local enable_hashagg = off')
  await client.query(`set local work_mem = '64MB'`)
  await client.query(`declare copy no scroll cursor for
    with present as not materialized (
      select u.id::text, u.login::text, u.password_hash::text, u.hash_scheme::text, u.salt::text, u.cohort::text
      from legacy.users u
      where u.id is not null
        and not exists (select from carryover.users d where d.user_id = u.id::text
          and (d.deleted_at is not null or d.purged_at is not null))
    ),
    hashes as (
      select hashtextextended(password_hash collate "C", 0) as digest from present
      where password_hash <> '' group by 1 having count(*) > 1
    ),
    salts as (
      select hashtextextended(salt collate "C", 0) as digest from present
      where salt <> '' group by 1 having count(*) > 1
    )
    select p.id, p.login, p.password_hash, p.hash_scheme, p.salt, p.cohort,
      h.digest is not null as hash_shared, s.digest is not null as salt_shared
    from present p
    left join hashes h on h.digest = hashtextextended(p.password_hash collate "C", 0)
    left join salts s on s.digest = hashtextextended(p.salt collate "C", 0)`)
}

async function fetchRows(client: pg.Client): Promise<readonly FetchedRow[]> {
  const { rows } = await client.query<FetchedRow>(`fetch ${FETCH} from copy`)
  return rows
}

function rowIn(row: FetchedRow): CopyRow {
  return {
    cohort: cohortIn(row),
    hash: hashIn(row),
    hashShared: row.hash_shared,
    saltShared: row.salt_shared,
  }
}
