import { connectOwner } from './client.ts'
import { step } from './step.ts'

/** What is known of the users of one cohort and scheme. */
export interface ProofRow {
  readonly cohort: string
  readonly scheme: string
  readonly users: number
  /** Their stored hash is well-formed and affordable. */
  readonly read: number
  /** Accounts with known passwords that matched, and that did not, when each was probed last. */
  readonly probed: number
  readonly probesFailed: number
  /** Users whose first sign-ins have matched under this scheme. */
  readonly observed: number
  /** Users who signed in and whose hash could not be used: a failure of ours. */
  readonly failed: number
  /** Users who have only ever been refused: a wrong password, or a wrong scheme. */
  readonly refusedOnly: number
  /** Unmigrated users whose hash nothing here can check. */
  readonly uncovered: number
}

export interface Proof {
  readonly rows: readonly ProofRow[]
  /** Users of the copy who are not in the ledger: nothing has looked at them. */
  readonly unlisted: number
}

export interface Uncovered {
  readonly id: string
  readonly cohort: string
  readonly scheme: string
  readonly why: 'the hash cannot be checked' | 'not in the ledger'
}

/**
 * Every number of one snapshot. The outcomes are read once and in any order, and grouped by user and scheme by hash: the
 * time grows with the number of outcomes and no faster, and the memory is bounded by work_mem, beyond which it goes to
 * temporary files of some 200 bytes a user who has signed in.
 *
 * What was found before a hash was hardened counts for it still: it is the same digest, read in the same way. A hash that
 * cannot be used any more since is not made good by it.
 */
const GRADES = `
  with kept as (
    select user_id, cohort, scheme, usable, state, case when scheme like 'hardened:%' then substr(scheme, 10) end as before
    from carryover.users where deleted_at is null
  ),
  seen as (
    select user_id, scheme, bool_or(verdict = 'match') as matched, bool_or(verdict = 'mismatch') as mismatched,
      bool_or(verdict = 'unusable-hash') as unusable
    from carryover.outcomes
    where user_id is not null and verdict in ('match', 'mismatch', 'unusable-hash')
    group by user_id, scheme
  ),
  known as (
    select k.*, coalesce(s.unusable, false) and not s.matched as failed,
      coalesce(s.matched, false) or coalesce(b.matched, false) as matched,
      coalesce(s.mismatched, false) or coalesce(b.mismatched, false) as mismatched
    from kept k left join seen s on s.user_id = k.user_id and s.scheme = k.scheme
    left join seen b on b.user_id = k.user_id and b.scheme = k.before
  ),
  ledger as (
    select cohort, scheme, count(*) as users, count(*) filter (where usable) as read,
      count(*) filter (where matched and not failed) as observed,
      count(*) filter (where failed) as failed,
      count(*) filter (where mismatched and not matched and not failed) as refused_only,
      count(*) filter (where state = 'unmigrated' and not usable) as uncovered
    from known group by cohort, scheme
  ),
  last_probe as (
    select distinct on (user_id) user_id, scheme, matched from carryover.probes order by user_id, id desc
  ),
  probes as (
    select k.cohort, k.scheme, count(*) filter (where p.matched) as probed, count(*) filter (where not p.matched) as failed
    from last_probe p join kept k on k.user_id = p.user_id and p.scheme in (k.scheme, k.before)
    group by k.cohort, k.scheme
  )
  select l.cohort, l.scheme, l.users::float8, l.read::float8, coalesce(p.probed, 0)::float8 as probed,
    coalesce(p.failed, 0)::float8 as "probesFailed", l.observed::float8, l.failed::float8,
    l.refused_only::float8 as "refusedOnly", l.uncovered::float8
  from ledger l left join probes p using (cohort, scheme)
  order by l.cohort, l.scheme`

const UNLISTED = `from legacy.users l where not exists (select from carryover.users u where u.user_id = l.id)`

const UNCOVERED = `
  select user_id as id, cohort, scheme, 'the hash cannot be checked' as why
  from carryover.users where deleted_at is null and state = 'unmigrated' and not usable
  union all
  select l.id, l.cohort, '', 'not in the ledger' ${UNLISTED}`

/** Rows of the list that are held at a time. */
const CHUNK = 5_000

/**
 * Reads what is proved, as the owner and in one read-only snapshot.
 * @param uncovered gets the users that no grade covers, a chunk at a time
 */
export async function readProof(
  url: string,
  uncovered?: (users: readonly Uncovered[]) => Promise<void>,
): Promise<Proof> {
  const client = await step('connecting', () => connectOwner(url, 'carryover prove'))
  try {
    await client.query('begin isolation level repeatable read read only')
    // Hash tables of this size; the default of 4 MiB would go to temporary files at a few thousand users.
    await client.query(`set local work_mem = '64MB'`)
    const { rows } = await step('reading the grades', () => client.query<ProofRow>(GRADES))
    const { rows: strays } = await step('looking for users without a ledger row', () =>
      client.query<{ unlisted: number }>(`select count(*)::float8 as unlisted ${UNLISTED}`),
    )
    if (uncovered !== undefined) {
      await step('listing users', () => client.query(`declare uncovered no scroll cursor for ${UNCOVERED}`))
      for (;;) {
        const chunk = await step('listing users', () =>
          client.query<Uncovered>(`fetch ${CHUNK} from uncovered`),
        )
        if (chunk.rows.length === 0) break
        await uncovered(chunk.rows)
      }
    }
    return { rows, unlisted: strays[0]?.unlisted ?? 0 }
  } finally {
    await client.end().catch(() => {})
  }
}
