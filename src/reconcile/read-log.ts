import type { Call } from '../outbound/call.ts'
import { type ConfirmationLog, type LoggedPassword, LogPositionError } from '../targets/confirmations.ts'

/** What became of the entries of a log. */
export interface ReadTally {
  /** Users who are migrated now, and were not before. */
  readonly confirmed: number
  /** Entries, or migrations, that were known already. */
  readonly repeated: number
  /** The provider tried to store a password and could not. */
  readonly notStored: number
  /** About nobody in the copy, or about a name that several users have. */
  readonly unknown: number
}

export interface ReadLogDeps {
  readonly log: Pick<ConfirmationLog, 'read'>
  readonly call: Call
  /** Where the reading stopped last time; null: it never began. */
  position(): Promise<string | null>
  /** Notes how far it was read, if nobody else has read on meanwhile. False: somebody has. */
  move(from: string | null, to: string): Promise<boolean>
  /** Takes entries into the ledger: durable when it resolves. The same entry twice is one. */
  confirm(passwords: readonly LoggedPassword[]): Promise<ReadTally>
  /** Where a first reading begins, and one whose position is not known any more. */
  readonly since: Date
  readonly stop: AbortSignal
}

/**
 * Reads a provider's log from where it was left to its end. What is read is in the ledger before the position moves, so that an
 * end at any moment loses nothing; entries that are read twice count once.
 */
export async function readLog(deps: ReadLogDeps): Promise<ReadTally> {
  let total: ReadTally = { confirmed: 0, repeated: 0, notStored: 0, unknown: 0 }
  let position = await deps.position()
  while (!deps.stop.aborted) {
    const page = await pageAt(deps, position)
    total = sum(total, await deps.confirm(page.passwords))
    if (page.position !== position && !(await deps.move(position, page.position))) break
    position = page.position
    if (!page.more) break
  }
  return total
}

async function pageAt({ log, call, since }: ReadLogDeps, position: string | null) {
  try {
    return await log.read(call, position, since)
  } catch (error) {
    if (!(error instanceof LogPositionError) || position === null) throw error
    return log.read(call, null, since)
  }
}

function sum(one: ReadTally, other: ReadTally): ReadTally {
  return {
    confirmed: one.confirmed + other.confirmed,
    repeated: one.repeated + other.repeated,
    notStored: one.notStored + other.notStored,
    unknown: one.unknown + other.unknown,
  }
}
