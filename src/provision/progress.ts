import type { ItemState, PlanNow } from '../db/plan-items.ts'
import { duration } from '../duration.ts'

/** What is told of a run while it goes on. */
export interface Progress {
  readonly done: number
  readonly of: number
  /** Users a minute, of all processes, in the last minute; null: it is too early to say. */
  readonly aMinute: number | null
  /** Seconds; null: nobody knows. */
  readonly left: number | null
  readonly failed: number
}

/** Milliseconds over which the rate is taken: windows of targets are a minute long, in which a run goes by fits and starts. */
const OVER_MS = 60_000

/** Milliseconds before which a rate says nothing. */
const AT_LEAST_MS = 2_000

/** Remembers how far the run was. `now`: milliseconds of a clock that only goes forward. */
export function createProgress(now: () => number) {
  const seen: { readonly at: number; readonly done: number }[] = []
  return (counts: PlanNow['counts']): Progress => {
    const of = totalOf(counts)
    const done = of - (counts.pending ?? 0)
    const at = now()
    // Of items that became pending again.
    if (seen.some((earlier) => earlier.done > done)) seen.length = 0
    seen.push({ at, done })
    while (seen.length > 2 && (seen[1]?.at ?? at) <= at - OVER_MS) seen.shift()
    const [first] = seen
    const ms = at - (first?.at ?? at)
    const aMinute = ms < AT_LEAST_MS ? null : ((done - (first?.done ?? done)) * 60_000) / ms
    return {
      done,
      of,
      aMinute,
      left: aMinute === null || aMinute === 0 ? null : ((of - done) * 60) / aMinute,
      failed: failedOf(counts),
    }
  }
}

export function totalOf(counts: PlanNow['counts']): number {
  return Object.values(counts).reduce((sum, users) => sum + users, 0)
}

/** Refused and postponed. */
export function failedOf(counts: PlanNow['counts']): number {
  return (counts.refused ?? 0) + (counts.postponed ?? 0)
}

/** `41000 of 200000 users, 590 a minute, 4 h 30 min left, 12 refused or postponed` */
export function inOneLine({ done, of, aMinute, left, failed }: Progress, waitingMs: number): string {
  return [
    `${done} of ${of} users`,
    ...(aMinute === null ? [] : [`${Math.round(aMinute)} a minute`]),
    ...(left === null ? [] : [`${duration(left)} left`]),
    ...(failed > 0 ? [`${failed} refused or postponed`] : []),
    ...(waitingMs > 2_000 ? [`the target's limit is reached, on in ${Math.ceil(waitingMs / 1_000)} s`] : []),
  ].join(', ')
}

/** The words of the summary, in their order. */
export const states: readonly ItemState[] = [
  'created',
  'updated',
  'unchanged',
  'removed',
  'refused',
  'postponed',
  'left-out',
  'pending',
]
