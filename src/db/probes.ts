import type { Database } from './client.ts'

/** What was found about one account. Never a password. */
export interface Probe {
  readonly user_id: string
  readonly cohort: string
  readonly scheme: string
  readonly matched: boolean
  /** The variant that matches where the row as it is does not. */
  readonly found: string | null
}

/** Appends to the record of `carryover probe`. */
export async function recordProbes(database: Database, probes: readonly Probe[]): Promise<void> {
  await database.query({
    name: 'record-probes',
    text: `insert into carryover.probes (user_id, cohort, scheme, matched, found)
      select p.user_id, p.cohort, p.scheme, p.matched, p.found
      from jsonb_to_recordset($1) as p (user_id text, cohort text, scheme text, matched boolean, found text)`,
    values: [JSON.stringify(probes)],
  })
}
