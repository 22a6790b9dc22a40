import type { CopyRow, EncodePlan, Piece, RowEncoder, Tally } from '../db/encode.ts'
import type { StoredHash } from '../domain.ts'
import type { HardenedRow } from '../hashes/hardened-row.ts'
import { openRecords } from './records.ts'
import type { RefusedLine } from './refusals.ts'
import { type Classified, hashOf, rowReader } from './row.ts'
import { createSeen } from './seen.ts'
import type { FileOptions, Sink } from './shape.ts'
import type { SourceRows } from './source-row.ts'

/** Rows of the file, ready for the database; and those that were refused, as they stand in the file. */
export interface Batch {
  readonly pieces: readonly Piece[]
  readonly refused: readonly { readonly refusal: RefusedLine; readonly raw: string | null }[]
  /** How far the file has been read. */
  readonly rows: number
  readonly bytes: number
  /** With the last batch. */
  readonly tally: Tally | null
  /** With the last batch: SHA-256 of the file in hexadecimal. */
  readonly digest: string | null
}

export interface EncodeJob {
  readonly options: FileOptions
  readonly plan: EncodePlan
  /** Ids of users who were deleted earlier. */
  readonly deletedIds: AsyncIterable<readonly string[]>
  /** What is read in place of the file. */
  readonly source?: SourceRows
}

export interface EncodeDeps {
  /** What a stored hash counts as. Never throws. */
  classify(stored: StoredHash): Classified
  encoder(plan: EncodePlan): RowEncoder
  /** What is stored in place of weak hashes, for rows in their order; as they are when absent. */
  harden?(rows: readonly StoredHash[]): Promise<readonly HardenedRow[]>
}

/** Reads, checks and encodes a file, or the rows of a source. All the work that is ours is here, so that it can be done on a thread. */
export async function* encodeFile(
  { options, plan, deletedIds, source }: EncodeJob,
  deps: EncodeDeps,
): AsyncGenerator<Batch, void> {
  const records = await openRecords(options, source)
  try {
    const seen = createSeen(records.expected)
    for await (const ids of deletedIds) for (const id of ids) seen.remember(id)
    const reader = rowReader(records.layout, options.cohort, {
      classify: deps.classify,
      remember: plan.keepRaw ? () => true : seen.remember,
      ...(plan.updateOnly && { updateOnly: true }),
    })
    const encoder = deps.encoder(plan)
    const waiting: CopyRow[] = []
    const add = (row: CopyRow) => {
      // The reader fills the same row again.
      if (deps.harden) waiting.push({ ...row })
      else encoder.add(row)
    }
    const addWaiting = async () => {
      for (const row of await hardened(waiting.splice(0), deps)) encoder.add(row)
    }
    let rows = 0
    let bytes = 0
    let refused: Batch['refused'][number][] = []
    const sink: Sink = {
      record: (cells, line, raw) => {
        rows++
        const refusal = reader.read(cells, line, raw)
        if (refusal === null) add(reader.row)
        else refused.push({ refusal: { line, ...refusal }, raw: raw() })
      },
      broken: (rule, line, raw, field) => {
        rows++
        refused.push({ refusal: { line, rule, ...(field === undefined ? {} : { field }) }, raw })
      },
    }
    const batch = (tally: Tally | null): Batch => {
      const digest = tally === null ? null : records.digest()
      const made = { pieces: encoder.take(tally !== null), refused, rows, bytes, tally, digest }
      refused = []
      return made
    }
    for await (const read of records.pieces(sink)) {
      await addWaiting()
      bytes = read
      const made = batch(null)
      if (made.pieces.length > 0 || made.refused.length > 0) yield made
    }
    yield batch(encoder.tally())
  } finally {
    await records.close()
  }
}

async function hardened(rows: readonly CopyRow[], { harden }: EncodeDeps): Promise<readonly CopyRow[]> {
  if (!harden || rows.length === 0) return rows
  const made = await harden(rows.map(hashOf))
  return rows.map((row, at) => {
    const result = made[at]
    if (result === undefined || !('encoded' in result)) return row
    return { ...row, passwordHash: result.encoded, scheme: result.scheme }
  })
}
