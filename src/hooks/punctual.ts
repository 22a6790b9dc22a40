import { performance } from 'node:perf_hooks'

/** What time is, for tests. */
export interface Clock {
  /** Milliseconds. */
  now(): number
  /** Calls `act` after about so many milliseconds. The result makes that undone. */
  after(millis: number, act: () => void): () => void
  /** Calls `act` once what has arrived meanwhile has had its turn. */
  soon(act: () => void): void
}

/** Resolves at a moment of the clock, never before. */
export type Until = (moment: number) => Promise<void>

/** Milliseconds. Timers are late by one, and count in whole ones: what they would show is left to the turns of the loop. */
const WAKE_EARLY_MS = 2
/**
 * Moments that are kept to the turn. With more of them there is one every few milliseconds, and the loop would do nothing
 * but turn: a timer of a millisecond does then, whose error is the same for everybody and less than that of the load.
 */
const MOST_EXACT = 64

const REAL: Clock = {
  now: () => performance.now(),
  after: (millis, act) => {
    const timer = setTimeout(act, millis)
    return () => clearTimeout(timer)
  },
  soon: (act) => void setImmediate(act),
}

/**
 * One loop for all who wait. A timer sleeps until shortly before the first moment; from there the event loop is asked at every
 * turn, so that nothing of how long the sleep was can be seen in when it ends.
 */
export function createUntil(clock: Clock = REAL): Until {
  const waiting: { readonly moment: number; readonly resolve: () => void }[] = []
  let turning = false
  let alarm: { readonly moment: number; readonly cancel: () => void } | undefined

  const look = () => {
    const now = clock.now()
    const later = waiting.findIndex(({ moment }) => moment > now)
    for (const { resolve } of waiting.splice(0, later === -1 ? waiting.length : later)) resolve()
    arrange()
  }

  const arrange = () => {
    const [first] = waiting
    if (turning || first === undefined) return
    const sleep = first.moment - clock.now() - WAKE_EARLY_MS
    if (sleep <= 0 && waiting.length <= MOST_EXACT) {
      turning = true
      clock.soon(() => {
        turning = false
        look()
      })
    } else if (alarm === undefined || alarm.moment > first.moment) {
      alarm?.cancel()
      const cancel = clock.after(Math.max(1, sleep), () => {
        alarm = undefined
        look()
      })
      alarm = { moment: first.moment, cancel }
    }
  }

  return (moment) =>
    new Promise((resolve) => {
      const place = waiting.findLastIndex((other) => other.moment <= moment) + 1
      waiting.splice(place, 0, { moment, resolve })
      arrange()
    })
}
