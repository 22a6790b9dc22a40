import type { Database } from './client.ts'

export interface Tally {
  readonly total: number
  readonly unmigrated: number
  readonly verified: number
  readonly migrated: number
  /** Those of the unmigrated whose stored hash nothing here can check. */
  readonly unverifiable: number
}

export interface Counts extends Tally {
  /** ISO 8601, UTC. */
  readonly asOf: string
  readonly cohorts: readonly (Tally & { readonly cohort: string })[]
  readonly schemes: readonly (Tally & { readonly scheme: string })[]
}

interface CountRow {
  as_of: Date
  cohort: string | null
  scheme: string | null
  unmigrated: string
  verified: string
  migrated: string
  unverifiable: string
}

/** What `/counts` answers: a handful of kept rows, whatever the size of the copy. */
export async function readCounts(database: Database): Promise<Counts> {
  const rows = await database.query<CountRow>({
    name: 'counts',
    text: `select statement_timestamp() as as_of, c.* from (values (1)) as always (one)
      left join (select * from carryover.counts where unmigrated + verified + migrated > 0) c on true`,
    values: [],
  })
  const counted = rows.flatMap(({ cohort, scheme, ...row }) =>
    cohort === null || scheme === null ? [] : [{ cohort, scheme, tally: tallyIn(row) }],
  )
  const by = (key: 'cohort' | 'scheme') => [...new Set(counted.map((row) => row[key]))].sort()
  const sumWhere = (key: 'cohort' | 'scheme', value: string) =>
    sum(counted.filter((row) => row[key] === value).map(({ tally }) => tally))
  return {
    asOf: (rows[0]?.as_of ?? new Date()).toISOString(),
    ...sum(counted.map(({ tally }) => tally)),
    cohorts: by('cohort').map((cohort) => ({ cohort, ...sumWhere('cohort', cohort) })),
    schemes: by('scheme').map((scheme) => ({ scheme, ...sumWhere('scheme', scheme) })),
  }
}

function tallyIn(row: Pick<CountRow, 'unmigrated' | 'verified' | 'migrated' | 'unverifiable'>): Tally {
  const unmigrated = Number(row.unmigrated)
  const verified = Number(row.verified)
  const migrated = Number(row.migrated)
  return {
    total: unmigrated + verified + migrated,
    unmigrated,
    verified,
    migrated,
    unverifiable: Number(row.unverifiable),
  }
}

function sum(tallies: readonly Tally[]): Tally {
  const zero = { total: 0, unmigrated: 0, verified: 0, migrated: 0, unverifiable: 0 }
  return tallies.reduce(
    (total, one) => ({
      total: total.total + one.total,
      unmigrated: total.unmigrated + one.unmigrated,
      verified: total.verified + one.verified,
      migrated: total.migrated + one.migrated,
      unverifiable: total.unverifiable + one.unverifiable,
    }),
    zero,
  )
}
