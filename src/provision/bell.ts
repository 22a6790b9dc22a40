/** Waiting for whatever comes first: a moment, a ring, or the end. */
export interface Bell {
  /** Everybody who waits goes on. */
  ring(): void
  /** Resolves after so many milliseconds, at the next ring, or when the signal is aborted; at once if it is. */
  wait(ms: number, signal?: AbortSignal): Promise<void>
}

/** Node fires a longer timer at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export function createBell(): Bell {
  const waiting = new Set<() => void>()
  return {
    ring: () => {
      for (const goOn of [...waiting]) goOn()
    },
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const goOn = () => {
          clearTimeout(timer)
          waiting.delete(goOn)
          signal?.removeEventListener('abort', goOn)
          resolve()
        }
        const timer = setTimeout(goOn, Math.min(Math.max(0, ms), LONGEST_TIMER_MS))
        waiting.add(goOn)
        signal?.addEventListener('abort', goOn, { once: true })
      }),
  }
}

/**
 * Milliseconds before try number `tried + 1`: twice as long each time, of which a random half, so that many who were
 * refused together do not come back together.
 */
export function backoff(tried: number, first: number, longest: number, random: () => number): number {
  const most = Math.min(longest, first * 2 ** Math.min(tried, 30))
  return Math.round(most / 2 + (most / 2) * random())
}
