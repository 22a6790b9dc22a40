import { availableParallelism } from 'node:os'
import { rowEncoder } from '../db/encode.ts'
import type { StoredHash } from '../domain.ts'
import { createHardenPool } from '../harden/pool.ts'
import { classify } from '../hashes/classify.ts'
import type { HashContext } from '../hashes/context.ts'
import type { HardenedRow } from '../hashes/hardened-row.ts'
import { type Batch, type EncodeJob, encodeFile } from '../load/batches.ts'
import { StoppedError } from '../load/load.ts'

/** Rows that are hardened between two looks at whether somebody asked for an end: some seconds of one core. */
const ROWS = 256

/** `encodeFile` with every weak hash hardened: threads do that, and beside it the rest is little. */
export async function* encodeHardened(
  job: EncodeJob,
  context: HashContext,
  stop: AbortSignal,
): AsyncGenerator<Batch, void> {
  const pool = await createHardenPool(context, { threads: availableParallelism(), dry: false })
  const harden = async (rows: readonly StoredHash[]) => {
    const made: HardenedRow[] = []
    for (let at = 0; at < rows.length; at += ROWS) {
      if (stop.aborted) throw new StoppedError('stopped')
      made.push(...(await pool.harden(rows.slice(at, at + ROWS))))
    }
    return made
  }
  try {
    const deps = { classify: (stored: StoredHash) => classify(stored, context), encoder: rowEncoder, harden }
    yield* encodeFile(job, deps)
  } finally {
    await pool.close()
  }
}
