import { randomUUID } from 'node:crypto'
import type { Erasure } from '../db/erase.ts'

/** What is filed of an erasure. Nothing in it leads to the person but the operator's own note of the reference. */
export interface Certificate {
  readonly certificate: 'erasure of one user'
  /** Made for this certificate alone: to be noted in the request that it answers. */
  readonly reference: string
  /** ISO 8601, UTC, by the clock of the database. */
  readonly at: string
  readonly dryRun: boolean
  /** Rows by table. Of the outcomes: rows that no longer name anybody. */
  readonly removed: Readonly<Record<string, number>>
  /** Sentences. */
  readonly remains: readonly string[]
}

const REMAINS = [
  'a keyed digest of the id in carryover.erased, so that no load brings the user back',
  'outcomes without id: time, provider, verdict',
  'keyed digests of names in outcomes of times when no user of the copy answered to them',
  'write-ahead log and backups of the database, for as long as these are kept',
  'what identity providers have of the user, until it is erased there',
  'log lines of the service that carry the id, for as long as these are kept',
]

export function certificateOf(
  { at, removed, beneathView }: Extract<Erasure, { kind: 'erased' }>,
  dryRun: boolean,
): Certificate {
  return {
    certificate: 'erasure of one user',
    reference: randomUUID(),
    at: at.toISOString(),
    dryRun,
    removed,
    remains: beneathView
      ? ['the row beneath the view legacy.users, until its owner deletes it', ...REMAINS]
      : REMAINS,
  }
}
