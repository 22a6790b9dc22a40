import type { Log } from '../log.ts'
import { type Repeating, repeat } from '../repeating.ts'
import { troubleOf } from '../targets/target.ts'
import type { ReadTally } from './read-log.ts'

/**
 * Reads a provider's log again and again. What fails is logged and tried again next time, from where the log was left; no answer
 * ever waits for it. Several processes may do it at once: an entry that is read twice counts once.
 */
export function scheduleReading(
  target: string,
  everyMs: number,
  read: (stop: AbortSignal) => Promise<ReadTally>,
  log: Log,
): Repeating {
  return repeat(everyMs, async (stop) => {
    try {
      const { confirmed, repeated, notStored, unknown } = await read(stop)
      if (confirmed + notStored > 0)
        log({ event: 'reconciled', target, confirmed, repeated, notStored, unknown })
    } catch (error) {
      if (stop.aborted) return
      log({ event: 'reconcile-failed', target, code: troubleOf(error) })
    }
  })
}
