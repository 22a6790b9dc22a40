/** The newest check counts a fifth: ten checks after a machine has become slower, the estimate has followed. */
const WEIGHT = 0.2
/** One check that was held up for long must not make every later one look impossible. */
const FASTEST = 0.1
const SLOWEST = 10
/** Schemes are few; recipes come from rows and could be many. */
const KEPT_SCHEMES = 256

/** How long checks really take here, as a multiple of what their format says. */
export interface Estimates {
  of(scheme: string, millis: number): number
  learn(scheme: string, millis: number, taken: number): void
  /** Comes nearer to what the format says. A scheme that is always refused would teach nothing otherwise. */
  doubt(scheme: string): void
}

export function createEstimates(): Estimates {
  const ratios = new Map<string, number>()
  const ratio = (scheme: string) => ratios.get(scheme) ?? 1

  function keep(scheme: string, value: number): void {
    ratios.delete(scheme)
    const [oldest] = ratios.keys()
    if (ratios.size >= KEPT_SCHEMES && oldest !== undefined) ratios.delete(oldest)
    ratios.set(scheme, value)
  }

  return {
    of: (scheme, millis) => ratio(scheme) * millis,
    learn: (scheme, millis, taken) => {
      const seen = Math.min(SLOWEST, Math.max(FASTEST, taken / millis))
      keep(scheme, (1 - WEIGHT) * ratio(scheme) + WEIGHT * seen)
    },
    doubt: (scheme) => {
      if (ratio(scheme) > 1) keep(scheme, (ratio(scheme) + 1) / 2)
    },
  }
}
