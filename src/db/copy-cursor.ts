import type { StoredHash } from '../domain.ts'
import { type CopiedHash, cohortIn, hashIn } from './copied.ts'
import { snapshotOf } from './fetch.ts'

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

/**
 * Every user of the copy who is neither deleted nor purged, a few thousand at a time, in no order and in one snapshot. PostgreSQL
 * sorts hashes and salts to find equal ones, on its own disk when they are many. It sorts 64 bits made of each: among
 * ten million different ones two are taken for equal in one copy of 370,000. Nothing of it is indexed, so a view is
 * read three times.
 */
export async function* readCopy(url: string, stop: AbortSignal): AsyncGenerator<readonly CopyRow[]> {
  const snapshot = {
    applicationName: 'carryover analyze',
    // Sorted numbers take a third of the time of a table of them, and little harm when they do not fit.
    settings: ['enable_hashagg = off', `work_mem = '64MB'`],
    beginning: 'grouping equal hashes',
    select: PRESENT,
  }
  for await (const rows of snapshotOf<FetchedRow>(url, snapshot, stop)) yield rows.map(rowIn)
}

const PRESENT = `with present as not materialized (
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
  left join salts s on s.digest = hashtextextended(p.salt collate "C", 0)`

function rowIn(row: FetchedRow): CopyRow {
  return {
    cohort: cohortIn(row),
    hash: hashIn(row),
    hashShared: row.hash_shared,
    saltShared: row.salt_shared,
  }
}
