import { errorCode } from '../errors.ts'

/** Milliseconds that calls in flight have after an error that nobody expected: a call takes 2.4 s at most. */
const DRAIN_MS = 3_000

/**
 * An error that nobody expected ends the process, exit code 1, and the supervisor starts a fresh one. Of the error nothing
 * but its code is told, once. The function that is returned takes what stops the service, and from then on calls in flight
 * are finished first; it returns the same, to be called as often as one likes.
 */
export function endOnCrash(tell: (code: string) => void): (stop: () => Promise<void>) => () => Promise<void> {
  let stopOnce = async () => {}
  let crashed = false
  const end = async (error: unknown) => {
    if (crashed) return
    crashed = true
    tell(errorCode(error))
    setTimeout(() => process.exit(1), DRAIN_MS)
    await stopOnce().catch(() => {})
    process.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
  return (stop) => {
    let stopped: Promise<void> | undefined
    stopOnce = () => {
      stopped ??= stop()
      return stopped
    }
    return stopOnce
  }
}

/** For commands of the terminal: nothing is in flight. A command with an answer of its own has the word. */
export function endOnOtherCrash(tell: (code: string) => void): void {
  const end = (event: 'uncaughtException' | 'unhandledRejection') => (error: unknown) => {
    if (process.listenerCount(event) > 1) return
    tell(errorCode(error))
    process.exit(1)
  }
  process.on('uncaughtException', end('uncaughtException'))
  process.on('unhandledRejection', end('unhandledRejection'))
}
