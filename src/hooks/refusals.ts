/** How many of the attempts of the last minutes were refused, in this process. */
export interface RefusalWatch {
  count(refused: boolean): void
  /** Tells what has changed. To be called every few seconds: what is over is noticed when nobody calls any more. */
  look(): void
  /** From 0 to 1. */
  share(): number
  isHigh(): boolean
}

export interface RefusalNews {
  readonly high: boolean
  readonly attempts: number
  readonly refused: number
}

export interface RefusalWatchOptions {
  /** More than this share of a hundred is high. */
  readonly percent: number
  /** Milliseconds. */
  readonly now: () => number
  readonly tell: (news: RefusalNews) => void
}

/** Five minutes, in which the oldest ten seconds are forgotten at a time. */
const BUCKET_MS = 10_000
const BUCKETS = 30
/** Fewer attempts than this say nothing, whatever became of them. */
const LEAST_ATTEMPTS = 100
/** High is over when the share has come down this far, or attempts are half as many as it takes: not at the same line. */
const OVER = 0.8

export function createRefusalWatch({ percent, now, tell }: RefusalWatchOptions): RefusalWatch {
  const buckets = new Map<number, { attempts: number; refused: number }>()
  let high = false

  const current = () => {
    const newest = Math.floor(now() / BUCKET_MS)
    for (const bucket of buckets.keys()) if (bucket <= newest - BUCKETS) buckets.delete(bucket)
    return newest
  }
  const sums = () => {
    current()
    const all = [...buckets.values()]
    return {
      attempts: all.reduce((sum, { attempts }) => sum + attempts, 0),
      refused: all.reduce((sum, { refused }) => sum + refused, 0),
    }
  }
  const share = () => {
    const { attempts, refused } = sums()
    return attempts === 0 ? 0 : refused / attempts
  }
  const look = () => {
    const { attempts, refused } = sums()
    const limit = (percent / 100) * attempts
    const next = high
      ? refused > limit * OVER && attempts >= LEAST_ATTEMPTS / 2
      : refused > limit && attempts >= LEAST_ATTEMPTS
    if (next === high) return
    high = next
    tell({ high, attempts, refused })
  }

  return {
    count: (refused) => {
      const bucket = current()
      const { attempts = 0, refused: before = 0 } = buckets.get(bucket) ?? {}
      buckets.set(bucket, { attempts: attempts + 1, refused: before + (refused ? 1 : 0) })
      look()
    },
    look,
    share,
    isHigh: () => high,
  }
}
