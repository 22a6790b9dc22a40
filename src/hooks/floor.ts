import type { Until } from './punctual.ts'

/** A call's place in time, on the clock of `performance.now()`. */
export interface CallTime {
  readonly started: number
  readonly deadline: number
}

/** Keeps a no until its moment, so that the time of an answer does not say which no it is. */
export interface Floor {
  /**
   * Resolves at the next whole step after the call's start, and in any case shortly before its deadline.
   * @param checked a check was done for it. Otherwise it takes the step that a recent no took for which one was.
   */
  reached(time: CallTime, checked: boolean): Promise<void>
}

export interface FloorOptions {
  /** Milliseconds of one step; 0: every no goes out as soon as it is there. */
  readonly step: () => number
  readonly until: Until
  readonly now: () => number
  /** From 0 to below 1. */
  readonly random: () => number
}

/** Milliseconds before the deadline at which every no goes out: what the answer needs to be written. */
const ANSWER_RESERVE_MS = 50
/** Durations that are kept, the newest: under load these are what an unchecked no has to look like. */
const KEPT = 32

export function createFloor({ step, until, now, random }: FloorOptions): Floor {
  const taken: number[] = []
  const chosen = () => taken[Math.floor(random() * taken.length)] ?? 0
  return {
    reached: async ({ started, deadline }, checked) => {
      const length = step()
      if (length === 0) return
      const own = now() - started
      if (checked) {
        taken.push(own)
        if (taken.length > KEPT) taken.shift()
      }
      const steps = Math.max(1, Math.ceil((checked ? own : Math.max(own, chosen())) / length))
      const moment = Math.min(started + steps * length, deadline - ANSWER_RESERVE_MS)
      if (moment > now()) await until(moment)
    },
  }
}

/** A step that follows what a check takes. */
export interface FollowingStep {
  /** Milliseconds. */
  current(): number
  /** Takes notice of what a check takes now. */
  look(): void
}

/** Milliseconds. A coarse grid, or the step itself would tell what was checked last. */
const GRID_MS = 50
/** Milliseconds. A longer one would keep more of a provider's calls open than it hides: set it where it is needed. */
const LONGEST_MS = 1_000
/** Of the check, for what else runs on its core, and in milliseconds for the look-up and the record. */
const MARGIN = { factor: 1.25, millis: 30 }
/** Looks that have to agree before the step becomes shorter. It becomes longer at once. */
const LOOKS = 30

/** @param expected milliseconds that a check of the most common scheme takes */
export function followingStep(expected: () => number): FollowingStep {
  const wanted: number[] = []
  const look = () => {
    wanted.push(expected() * MARGIN.factor + MARGIN.millis)
    if (wanted.length > LOOKS) wanted.shift()
  }
  look()
  return {
    current: () => Math.min(LONGEST_MS, Math.ceil(Math.max(...wanted) / GRID_MS) * GRID_MS),
    look,
  }
}
