import { open } from 'node:fs/promises'
import type { CopyRow, EncodePlan, Piece, RowEncoder, Tally } from '../db/encode.ts'
import type { StoredHash } from '../domain.ts'
import type { HardenedRow } from '../hashes/hardened-row.ts'
import { readLines } from './lines.ts'
import type { RefusedLine } from './refusals.ts'
import { type Classified, hashOf, rowReader } from './row.ts'
import { createSeen } from './seen.ts'
import { type FileOptions, shapeOf } from './shape.ts'

/** Rows of the file, ready for the database; and those that were refused, as they stand in the file. */
export interface Batch {
  readonly pieces: readonly Piece[]
  readonly refused: readonly { readonly refusal: RefusedLine; readonly raw: string }[]
  /** How far the file has been read. */
  readonly rows: number
  readonly bytes: number
  /** With the last batch. */
  readonly tally: Tally | null
}

export interface EncodeJob {
  readonly options: FileOptions
  readonly plan: EncodePlan
  /** Ids of users who were deleted earlier. */
  readonly deletedIds: AsyncIterable<readonly string[]>
}

export interface EncodeDeps {
  /** What a stored hash counts as. Never throws. */
  classify(stored: StoredHash): Classified
  encoder(plan: EncodePlan): RowEncoder
  /** What is stored in place of weak hashes, for rows in their order; as they are when absent. */
  harden?(rows: readonly StoredHash[]): Promise<readonly HardenedRow[]>
}

/** Shorter rows than this are rare; more of them make the filter of known ids less sharp, not wrong. */
const BYTES_PER_ROW = 100

/** Reads, checks and encodes a file. All the work that is ours is here, so that it can be done on a thread. */
export async function* encodeFile(
  { options, plan, deletedIds }: EncodeJob,
  deps: EncodeDeps,
): AsyncGenerator<Batch, void> {
  const file = await open(options.path, 'r')
  try {
    const shape = await shapeOf(file, options)
    const seen = createSeen((await file.stat()).size / BYTES_PER_ROW)
    for await (const ids of deletedIds) for (const id of ids) seen.remember(id)
    const reader = rowReader(shape.layout, options.cohort, {
      classify: deps.classify,
      remember: seen.remember,
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
    const records = shape.reader({
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
    })
    const batch = (tally: Tally | null): Batch => {
      const made = { pieces: encoder.take(tally !== null), refused, rows, bytes, tally }
      refused = []
      return made
    }
    for await (const lines of readLines(file)) {
      records.take(lines)
      await addWaiting()
      bytes = lines.bytes
      const made = batch(null)
      if (made.pieces.length > 0 || made.refused.length > 0) yield made
    }
    records.end()
    await addWaiting()
    yield batch(encoder.tally())
  } finally {
    await file.close()
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
