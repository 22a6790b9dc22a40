/** The newest check counts a fifth: ten checks after a machine has become slower, the estimate has followed. */
const WEIGHT = 0.2
/** One check that was held up for long must not make every later one look impossible. */
const FASTEST = 0.1
const SLOWEST = 10
/** Kinds are few; recipes come from rows and could be many. */
const KEPT_KINDS = 256
/** What several checks in one call take, as a multiple of one alone, until it has been seen. */
const COMPANY = [1, 1.05, 1.2, 1.55]

/** Checks that cost the same. */
export interface Cost {
  readonly scheme: string
  /** What is learned is learned for a kind: a scheme, or a scheme and its cost. */
  readonly kind: string
  /** Milliseconds of one check alone, as its format says. */
  readonly millis: number
}

/** How long checks really take here, as a multiple of what their format says. */
export interface Estimates {
  /** Milliseconds. @param company how many checks run in one call */
  of(cost: Cost, company?: number): number
  learn(cost: Cost, company: number, taken: number): void
  /** What is assumed of kinds that have not been seen. */
  calibrate(slowness: number): void
  /** Comes nearer to what is assumed. A kind that is always refused would teach nothing otherwise. */
  doubt(cost: Cost): void
}

export function createEstimates(): Estimates {
  const ratios = new Map<string, number>()
  let assumed = 1

  const keyOf = (kind: string, company: number) => `${company} ${kind}`
  const ratio = (kind: string, company: number): number =>
    ratios.get(keyOf(kind, company)) ??
    (company === 1 ? assumed : ratio(kind, 1) * (COMPANY[company - 1] ?? company))

  function keep(key: string, value: number): void {
    ratios.delete(key)
    const [oldest] = ratios.keys()
    if (ratios.size >= KEPT_KINDS && oldest !== undefined) ratios.delete(oldest)
    ratios.set(key, value)
  }

  return {
    of: ({ kind, millis }, company = 1) => ratio(kind, company) * millis,
    learn: ({ kind, millis }, company, taken) => {
      const seen = Math.min(SLOWEST, Math.max(FASTEST, taken / millis))
      keep(keyOf(kind, company), (1 - WEIGHT) * ratio(kind, company) + WEIGHT * seen)
    },
    calibrate: (slowness) => {
      assumed = Math.min(SLOWEST, Math.max(FASTEST, slowness))
    },
    doubt: ({ kind }) => {
      for (let company = 1; company <= COMPANY.length; company += 1) {
        const key = keyOf(kind, company)
        const kept = ratios.get(key)
        const plain = assumed * (COMPANY[company - 1] ?? company)
        if (kept !== undefined && kept > plain) ratios.set(key, (kept + plain) / 2)
      }
    },
  }
}
