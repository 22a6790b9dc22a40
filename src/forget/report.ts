import type { HeldRow, Holdings } from '../db/purge.ts'

/** Users by what became of their hashes. */
export type Held = Omit<HeldRow, 'cohort' | 'scheme'>

/** What `carryover purge` says, to be filed. Numbers alone: no login, no id. */
export interface PurgeReport {
  /** ISO 8601, UTC, by the clock of the database. */
  readonly asOf: string
  readonly dryRun: boolean
  /** Whether everything that was due was gone through. */
  readonly complete: boolean
  /** Whether the file of the table was written anew, without any old row. */
  readonly rewritten: boolean
  readonly total: Held
  readonly byCohortAndScheme: readonly HeldRow[]
  /** In the copy with a hash, and not in the ledger: `carryover sync` lists them. */
  readonly unlisted: number
}

export function purgeReport(
  { asOf, rows, unlisted }: Holdings,
  how: Pick<PurgeReport, 'dryRun' | 'complete' | 'rewritten'>,
): PurgeReport {
  return { asOf: asOf.toISOString(), ...how, total: totalOf(rows), byCohortAndScheme: rows, unlisted }
}

const NOTHING: Held = {
  purgedNow: 0,
  purgedEarlier: 0,
  unmigrated: 0,
  verified: 0,
  withinGrace: 0,
  due: 0,
  deleted: 0,
  back: 0,
}

function totalOf(rows: readonly HeldRow[]): Held {
  return rows.reduce<Held>(
    (sum, row) => ({
      purgedNow: sum.purgedNow + row.purgedNow,
      purgedEarlier: sum.purgedEarlier + row.purgedEarlier,
      unmigrated: sum.unmigrated + row.unmigrated,
      verified: sum.verified + row.verified,
      withinGrace: sum.withinGrace + row.withinGrace,
      due: sum.due + row.due,
      deleted: sum.deleted + row.deleted,
      back: sum.back + row.back,
    }),
    NOTHING,
  )
}
