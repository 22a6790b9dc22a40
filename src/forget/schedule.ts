import { errorCode } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type Repeating, repeat } from '../repeating.ts'
import { type PurgeSteps, purgeDue } from './purge.ts'

/** Milliseconds between two batches: a purge takes a fraction of the database's time at most. */
const PAUSE_MS = 50

/**
 * Purges again and again. What fails is logged and tried again next time, and no answer ever waits for it. Several
 * processes may do it at once: each leaves alone what another one is at.
 */
export function schedulePurge(
  steps: Pick<PurgeSteps, 'migrated' | 'verified'>,
  everyMs: number,
  { log, metrics }: { log: Log; metrics: Pick<Metrics, 'hashesPurged'> },
): Repeating {
  return repeat(everyMs, async (stop) => {
    const done = { migrated: 0, verified: 0 }
    try {
      await purgeDue({
        ...steps,
        pause: () => new Promise((later) => setTimeout(later, PAUSE_MS)),
        stop,
        told: (kind, users) => {
          done[kind] += users
          metrics.hashesPurged.inc(users)
        },
      })
    } catch (error) {
      // 55P03: a load is under way. 42501: the role lacks the grant. 42809: the copy is a view.
      log({ event: 'purge-failed', code: errorCode(error) })
    }
    const { migrated, verified } = done
    if (migrated + verified > 0) log({ event: 'purged', migrated, verified })
  })
}
