import type { VerdictKind } from '../domain.ts'
import { batched } from './batch.ts'
import type { Chains, Head } from './chains.ts'
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

/** How much guessing is borne, by all processes together. */
export interface Throttle {
  /** Refusals of one subject within a window. */
  readonly limit: number
  /** Refusals of everybody within a window. */
  readonly overall: number
  readonly windowSeconds: number
}

/**
 * Writes outcomes, many callers in one statement and one commit; resolves when the commit is on disk, with the verdict
 * that is to be given.
 */
export function outcomeRecorder(
  database: Database,
  { limit, overall, windowSeconds }: Throttle,
  chains: Chains,
) {
  return batched<ProposedOutcome, ProposedOutcome['verdict']>(
    (outcomes) =>
      chains.append(async (run, lane) => {
        const [row] = await database.query<{ said: { given: ProposedOutcome['verdict'][]; head: Head } }>({
          name: 'record-outcomes',
          text: 'select carryover.record_outcomes($1::jsonb, $2, make_interval(secs => $3), $4, $5, $6) as said',
          values: [JSON.stringify(outcomes), limit, windowSeconds, overall, run, lane],
        })
        return { result: row?.said.given ?? [], head: row?.said.head ?? null }
      }),
    // A commit takes a millisecond or two. A statement that waits for a lock does not keep the others.
    { most: 100, lanes: 2, patience: 10 },
  )
}

export interface Notice {
  readonly dialect: string
  readonly hook: string
  readonly name: string
  readonly result: 'stored' | 'not-stored'
  readonly event_id: string
}

export type NoticeResult = 'confirmed' | 'repeated' | 'not-stored' | 'unknown'

/** Takes in what a provider confirms, at most 100 notices. Answers in their order. */
export function confirmUsers(
  database: Database,
  notices: readonly Notice[],
  chains: Chains,
): Promise<readonly NoticeResult[]> {
  return chains.append(async (run, lane) => {
    const [row] = await database.query<{ said: { results: NoticeResult[]; head: Head | null } }>({
      name: 'confirm-users',
      text: 'select carryover.confirm_users($1::jsonb, $2, $3) as said',
      values: [JSON.stringify(notices), run, lane],
    })
    return { result: row?.said.results ?? [], head: row?.said.head ?? null }
  })
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
