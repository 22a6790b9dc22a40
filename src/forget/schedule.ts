import { errorCode } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type PurgeSteps, purgeDue } from './purge.ts'

export interface Schedule {
  /** Resolves when a batch that is under way is done. */
  stop(): Promise<void>
}

/** Milliseconds after the start until the first purge, which leaves a service that starts alone. */
const FIRST_MS = 60_000

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
): Schedule {
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let timer = setTimeout(begin, Math.min(FIRST_MS, everyMs)).unref()

  function begin() {
    running = purge().finally(() => {
      if (!stop.signal.aborted) timer = setTimeout(begin, everyMs).unref()
    })
  }

  async function purge() {
    const done = { migrated: 0, verified: 0 }
    try {
      await purgeDue({
        ...steps,
        pause: () => new Promise((later) => setTimeout(later, PAUSE_MS)),
        stop: stop.signal,
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
  }

  return {
    stop: async () => {
      stop.abort()
      clearTimeout(timer)
      await running
    },
  }
}
