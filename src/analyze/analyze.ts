import type { CopyRow } from '../db/copy-cursor.ts'
import type { Defect, StoredHash } from '../domain.ts'
import type { Classified } from '../hashes/classify.ts'
import { buildReport, costClasses, type Report } from './report.ts'
import { createTally } from './tally.ts'
import { type CostClass, timeCosts } from './timing.ts'

/** A row that nothing can check. */
export interface UnreadRow {
  readonly id: string
  readonly cohort: string
  readonly defect: Defect
}

export interface AnalyzeDeps {
  /** Every user of the copy, some at a time. */
  readonly rows: AsyncIterable<readonly CopyRow[]>
  /** What a stored hash counts as. Never throws. */
  readonly classify: (stored: StoredHash) => Classified
  readonly check: (stored: StoredHash, password: Uint8Array, deadline: number) => Promise<boolean>
  /** How many checks run at once. */
  readonly threads: number
  /** Milliseconds that a caller leaves for one check. */
  readonly clock: number
  /** Keeps the ids of rows that are not read. */
  readonly keepUnread: (rows: readonly UnreadRow[]) => Promise<void>
  readonly progress: (seen: { rows: number } | { timing: CostClass }) => void
  readonly stop: AbortSignal
}

/** Asked to stop before everything had been seen. */
export class StoppedError extends Error {}

/** What the copy holds and what this machine makes of it. Memory is bounded whatever the number of rows. */
export async function analyze(deps: AnalyzeDeps): Promise<Report> {
  const asOf = new Date()
  const tally = createTally()
  let rows = 0
  deps.progress({ rows })
  for await (const batch of deps.rows) {
    if (deps.stop.aborted) throw new StoppedError()
    const unread: UnreadRow[] = []
    for (const row of batch) {
      const classified = deps.classify(row.hash)
      tally.add(row, classified)
      if (!classified.usable) unread.push({ id: row.hash.id, cohort: row.cohort, defect: classified.defect })
    }
    if (unread.length > 0) await deps.keepUnread(unread)
    rows += batch.length
    deps.progress({ rows })
  }
  const timed = await timeCosts(costClasses(tally.cells()), {
    check: deps.check,
    threads: deps.threads,
    stop: deps.stop,
    progress: (cost) => deps.progress({ timing: cost }),
  })
  if (deps.stop.aborted) throw new StoppedError()
  return buildReport(tally.cells(), timed, { asOf, clock: deps.clock, threads: deps.threads })
}
