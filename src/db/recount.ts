import type pg from 'pg'
import { connectOwner } from './client.ts'
import { step } from './step.ts'

export interface Recount {
  /** Whether the kept counts are what a full count of ledger and copy gives. */
  readonly agree: boolean
  /** Sentences: what does not agree. */
  readonly differences: readonly string[]
}

const states = ['unmigrated', 'verified', 'migrated', 'unverifiable'] as const

type Kept = Record<`kept_${(typeof states)[number]}` | `real_${(typeof states)[number]}`, number> & {
  cohort: string
  scheme: string
}

/**
 * Counts again from scratch and compares, all in one snapshot. A user in the copy without a ledger row is counted
 * nowhere yet, and an unmigrated ledger row whose user has vanished from the copy is counted wrongly: `carryover sync`
 * mends both. Verified and migrated users stay counted when they leave the copy.
 */
export async function recount(url: string): Promise<Recount> {
  const client = await step('connecting', () => connectOwner(url, 'carryover counts'))
  try {
    return await step('counting', () => compare(client))
  } finally {
    await client.end().catch(() => {})
  }
}

async function compare(client: pg.Client): Promise<Recount> {
  await client.query('begin isolation level repeatable read read only')
  const { rows: groups } = await client.query<Kept>(wrongCounts)
  const { rows: strays } = await client.query<{ unlisted: number; vanished: number }>(strayRows)
  await client.query('commit')
  const differences = groups.flatMap((group) =>
    states
      .filter((state) => group[`kept_${state}`] !== group[`real_${state}`])
      .map(
        (state) =>
          `cohort ${JSON.stringify(group.cohort)}, scheme ${JSON.stringify(group.scheme)}: ` +
          `${state} is kept as ${group[`kept_${state}`]} and is ${group[`real_${state}`]}`,
      ),
  )
  const { unlisted = 0, vanished = 0 } = strays[0] ?? {}
  if (unlisted > 0) differences.push(`${unlisted} in the copy and not yet in the ledger: run carryover sync`)
  if (vanished > 0)
    differences.push(`${vanished} unmigrated in the ledger and no longer in the copy: run carryover sync`)
  return { agree: differences.length === 0, differences }
}

const wrongCounts = `with real as (
    select cohort, scheme,
      count(*) filter (where state = 'unmigrated') as unmigrated,
      count(*) filter (where state = 'verified') as verified,
      count(*) filter (where state = 'migrated') as migrated,
      count(*) filter (where state = 'unmigrated' and not usable) as unverifiable
    from carryover.users where deleted_at is null group by cohort, scheme
  ),
  compared as (
    select cohort, scheme,
      ${states.map((state) => `coalesce(k.${state}, 0)::float8 as kept_${state}, coalesce(r.${state}, 0)::float8 as real_${state}`).join(', ')}
    from carryover.counts k full join real r using (cohort, scheme)
  )
  select * from compared
  where (${states.map((state) => `kept_${state}`).join(', ')})
    is distinct from (${states.map((state) => `real_${state}`).join(', ')})
  order by cohort, scheme`

const strayRows = `select
    (select count(*) from legacy.users u
      where u.id is not null and not exists (select from carryover.users l where l.user_id = u.id))::float8 as unlisted,
    (select count(*) from carryover.users l
      where l.deleted_at is null and l.state = 'unmigrated'
        and not exists (select from legacy.users u where u.id = l.user_id))::float8 as vanished`
