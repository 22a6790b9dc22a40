import type { VerdictKind } from '../domain.ts'
import { batched } from './batch.ts'
import type { Database } from './client.ts'

/** One line of the record, as `carryover.record_outcomes` reads it. */
export interface ProposedOutcome {
  readonly dialect: string
  readonly hook: string
  /** For a login that nobody has: becomes a digest inside the database. */
  readonly name: string | null
  readonly user_id: string | null
  readonly cohort: string | null
  readonly scheme: string | null
  readonly usable: boolean
  readonly verdict: VerdictKind | 'allowed' | 'denied' | 'found' | 'not-found'
  readonly millis: number
  readonly request_id: string | null
  /** The same request asked again is not another refusal. */
  readonly once_per_request?: boolean
}

/**
 * Writes outcomes, many callers in one statement and one commit; resolves when the commit is on disk, with the verdict
 * that is to be given.
 */
export function outcomeRecorder(database: Database, refusalLimit: number, refusalWindowSeconds: number) {
  return batched<ProposedOutcome, ProposedOutcome['verdict']>(
    async (outcomes) => {
      const [row] = await database.query<{ given: ProposedOutcome['verdict'][] }>({
        name: 'record-outcomes',
        text: 'select carryover.record_outcomes($1::jsonb, $2, make_interval(secs => $3)) as given',
        values: [JSON.stringify(outcomes), refusalLimit, refusalWindowSeconds],
      })
      return row?.given ?? []
    },
    // Commits of two lanes overlap; more would only split the batches.
    { most: 100, lanes: 2 },
  )
}

export interface Notice {
  readonly dialect: string
  readonly hook: string
  readonly name: string
  readonly result: 'stored' | 'not-stored'
  readonly event_id: string
}

/** Takes in what a provider confirms, at most 100 notices. Answers in their order. */
export async function confirmUsers(
  database: Database,
  notices: readonly Notice[],
): Promise<('confirmed' | 'repeated' | 'not-stored' | 'unknown')[]> {
  const rows = await database.query<{ result: 'confirmed' | 'repeated' | 'not-stored' | 'unknown' }>({
    name: 'confirm-users',
    text: 'select place, result from carryover.confirm_users($1::jsonb) order by place',
    values: [JSON.stringify(notices)],
  })
  return rows.map(({ result }) => result)
}

/** The scheme that most unmigrated users have, or null while the copy is empty. */
export async function commonScheme(database: Database): Promise<string | null> {
  const [row] = await database.query<{ scheme: string | null }>({
    name: 'common-scheme',
    text: 'select carryover.common_scheme() as scheme',
    values: [],
  })
  return row?.scheme ?? null
}

/** The newest migration that the database has, or null when it has none. */
export async function schemaVersion(database: Database): Promise<number | null> {
  const [row] = await database.query<{ version: string | null }>({
    name: 'schema-version',
    text: 'select carryover.schema_version() as version',
    values: [],
  })
  return row?.version == null ? null : Number(row.version)
}

/** Whether it takes in rows. A standby, and a database that was set to read-only, does not. */
export async function takesRows(database: Database): Promise<boolean> {
  const [row] = await database.query<{ writable: boolean }>({
    name: 'takes-rows',
    text: `select current_setting('transaction_read_only') = 'off' as writable`,
    values: [],
  })
  return row?.writable === true
}
