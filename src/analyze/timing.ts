import type { StoredHash } from '../domain.ts'
import { errorCode } from '../errors.ts'
import { HashError } from '../hashes/format.ts'

/** Checks that cost the same. */
export interface CostClass {
  readonly scheme: string
  readonly parameters: string
  /** By the family's own estimate. */
  readonly millis: number
  readonly decoy: StoredHash
  readonly rows: number
}

export interface Timing {
  /** How many checks were timed, one at a time. Zero: worked out from the other costs of this store. */
  readonly checks: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
  /** Checks a second with every thread at work. */
  readonly perSecond: number
}

/** A code, when checks of this kind cannot be done on this machine at all. */
export type Timed = Timing | { readonly failure: string }

export interface TimingDeps {
  readonly check: (stored: StoredHash, password: Uint8Array, deadline: number) => Promise<boolean>
  readonly threads: number
  readonly stop: AbortSignal
  /** Told before each cost is timed. */
  progress(cost: CostClass): void
  readonly limits?: Limits
}

interface Limits {
  /** Milliseconds for all costs together, and for the checks of one. */
  readonly all: number
  readonly each: number
  /** Checks of one cost go on for this long, however many they are ... */
  readonly enough: number
  /** ... if they are so many at least. */
  readonly fewest: number
  readonly most: number
}

const LIMITS: Limits = { all: 60_000, each: 5_000, enough: 500, fewest: 5, most: 2_000 }

/** Nobody waits for these checks; the deadline only ends one that hangs. */
const PATIENCE_MS = 30_000
/** The first check of a scheme loads and compiles its code, which later ones do not. */
const WARM_UP_BELOW_MS = 500
const PASSWORD = new Uint8Array(16).fill(0x78)

/**
 * Times real checks of each cost, the most common cost first. What does not fit into the time for all is worked out
 * from those that were timed.
 */
export async function timeCosts(
  costs: readonly CostClass[],
  deps: TimingDeps,
): Promise<ReadonlyMap<CostClass, Timed>> {
  const limits = deps.limits ?? LIMITS
  const end = performance.now() + limits.all
  const timed = new Map<CostClass, Timed>()
  for (const cost of [...costs].sort((one, other) => other.rows - one.rows)) {
    if (deps.stop.aborted || performance.now() > end) break
    deps.progress(cost)
    timed.set(cost, await timeOne(cost, deps, limits))
  }
  const ratio = measuredRatio(timed)
  for (const cost of costs) if (!timed.has(cost)) timed.set(cost, workedOut(cost, ratio, deps.threads))
  return timed
}

async function timeOne(cost: CostClass, deps: TimingDeps, limits: Limits): Promise<Timed> {
  const check = () => deps.check(cost.decoy, PASSWORD, performance.now() + PATIENCE_MS)
  try {
    if (cost.millis < WARM_UP_BELOW_MS) await check()
    const times = await oneAtATime(check, limits, deps.stop)
    return {
      checks: times.length,
      p50: quantile(times, 0.5),
      p99: quantile(times, 0.99),
      perSecond: await together(check, deps.threads, limits),
    }
  } catch (error) {
    return { failure: error instanceof HashError ? error.defect : errorCode(error) }
  }
}

async function oneAtATime(
  check: () => Promise<boolean>,
  limits: Limits,
  stop: AbortSignal,
): Promise<readonly number[]> {
  const times: number[] = []
  for (let spent = 0; times.length < limits.most && spent < limits.each && !stop.aborted; ) {
    if (times.length >= limits.fewest && spent >= limits.enough) break
    const started = performance.now()
    await check()
    const taken = performance.now() - started
    times.push(taken)
    spent += taken
  }
  return times.sort((one, other) => one - other)
}

/** As many at once as there are threads. */
async function together(check: () => Promise<boolean>, threads: number, limits: Limits): Promise<number> {
  const started = performance.now()
  let done = 0
  const lane = async () => {
    do {
      await check()
      done += 1
    } while (performance.now() - started < limits.enough && done < threads * limits.most)
  }
  await Promise.all(Array.from({ length: threads }, lane))
  return (1_000 * done) / (performance.now() - started)
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}

/** How much slower than the families' estimates this machine is: by scheme, or for checks that are worth a thread. */
function measuredRatio(timed: ReadonlyMap<CostClass, Timed>): (scheme: string) => number {
  const seen: { scheme: string; millis: number; ratio: number }[] = []
  for (const [{ scheme, millis }, timing] of timed)
    if ('p50' in timing && millis > 0 && timing.p50 > 0)
      seen.push({ scheme, millis, ratio: timing.p50 / millis })
  const slowest = (ratios: readonly number[]) => (ratios.length === 0 ? undefined : Math.max(...ratios))
  return (scheme) =>
    slowest(seen.filter((one) => one.scheme === scheme).map(({ ratio }) => ratio)) ??
    slowest(seen.filter(({ millis }) => millis >= 1).map(({ ratio }) => ratio)) ??
    1
}

function workedOut({ scheme, millis }: CostClass, ratio: (scheme: string) => number, threads: number): Timed {
  const p50 = millis * ratio(scheme)
  return { checks: 0, p50, p99: p50, perSecond: p50 === 0 ? 0 : (1_000 * threads) / p50 }
}
