/** Work that is done again and again while the service runs. */
export interface Repeating {
  /** Resolves when what is under way is done. */
  stop(): Promise<void>
}

/** Milliseconds after the start until the work is done first, which leaves a service that starts alone. */
const FIRST_MS = 60_000

/** @param work never throws; ends early when asked to stop */
export function repeat(everyMs: number, work: (stop: AbortSignal) => Promise<void>): Repeating {
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let timer = setTimeout(begin, Math.min(FIRST_MS, everyMs)).unref()

  function begin() {
    running = work(stop.signal).finally(() => {
      if (!stop.signal.aborted) timer = setTimeout(begin, everyMs).unref()
    })
  }

  return {
    stop: async () => {
      stop.abort()
      clearTimeout(timer)
      await running
    },
  }
}
