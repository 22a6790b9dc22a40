import { setImmediate } from 'node:timers/promises'
import type { LegacyUser, StoredHash } from '../domain.ts'
import { usablePassword } from '../input.ts'
import { type CheapTrial, type CheapVariant, cheapTrials } from '../variants/cheap.ts'
import { matches, type Read, readable } from '../variants/variant.ts'

export interface MismatchVariant {
  readonly scheme: string
  /** `none`: none of those that were tried matches, as when the password is simply wrong. */
  readonly variant: CheapVariant | 'none'
  readonly count: number
}

/** Where wrong passwords may come from: counted, and nothing else. No answer depends on it. */
export interface Diagnosis {
  /** Takes a copy of the password and returns at once. The work is done after the answer has gone out. */
  mismatched(user: LegacyUser, password: string): void
  counts(): MismatchVariant[]
  /** Clears what waits. */
  stop(): void
}

export interface DiagnosisOptions {
  readonly perMinute: number
  readonly count: (scheme: string, variant: string) => void
  readonly read: Read
  /** What a row may be checked as: its scheme, or the candidates of its cohort. */
  readonly schemesOf: (stored: StoredHash) => readonly string[]
}

/** Milliseconds after which an answer has been written; passwords wait no longer than that. */
const AFTER_ANSWER_MS = 250
/** A burst is sampled, not kept. */
const MOST_WAITING = 16
/** Hashes of a millisecond and more would take the time of sign-ins. */
const CHEAP_MILLIS = 1
/** Milliseconds of work at a time, between which sign-ins have their turn, and for one mismatch in all. */
const SLICE_MS = 2
const MOST_MS = 50
/** Recipes come from rows and could be many; metric labels must not be. */
const MOST_RECIPE_LABELS = 50

export function createDiagnosis({ perMinute, count, read, schemesOf }: DiagnosisOptions): Diagnosis {
  const tallies = new Map<string, MismatchVariant>()
  const recipeLabels = new Set<string>()
  const waiting = new Map<NodeJS.Timeout, Uint8Array>()
  let running = Promise.resolve()
  let minute = Number.NEGATIVE_INFINITY
  let taken = 0

  const labelOf = (scheme: string): string => {
    if (!scheme.includes('(') || recipeLabels.has(scheme)) return scheme
    if (recipeLabels.size >= MOST_RECIPE_LABELS) return 'other'
    recipeLabels.add(scheme)
    return scheme
  }

  const tally = (scheme: string, variant: MismatchVariant['variant']) => {
    const label = labelOf(scheme)
    const key = JSON.stringify([label, variant])
    const before = tallies.get(key)?.count ?? 0
    tallies.set(key, { scheme: label, variant, count: before + 1 })
    count(label, variant)
  }

  const isFull = (): boolean => {
    const now = performance.now()
    if (now - minute >= 60_000) {
      minute = now
      taken = 0
    }
    return taken >= perMinute
  }

  const diagnose = async (user: LegacyUser, password: Uint8Array): Promise<void> => {
    const hash = readable(user.hash, read)
    if (user.status !== 'active' || hash === null || hash.millis >= CHEAP_MILLIS || isFull()) return
    taken++
    const trials = cheapTrials(user.hash, password, schemesOf(user.hash))
    tally(hash.scheme, await firstMatch(trials, read))
  }

  return {
    mismatched: (user, password) => {
      if (isFull() || waiting.size >= MOST_WAITING) return
      const copy = usablePassword(password)
      if (copy === undefined) return
      const timer = setTimeout(() => {
        // One at a time, so that the slices of several do not add up.
        running = running.then(async () => {
          try {
            await diagnose(user, copy)
          } catch {
            // Nothing is known then, and nothing is counted.
          } finally {
            copy.fill(0)
            waiting.delete(timer)
          }
        })
      }, AFTER_ANSWER_MS).unref()
      waiting.set(timer, copy)
    },
    counts: () => [...tallies.values()],
    stop: () => {
      for (const [timer, copy] of waiting) {
        clearTimeout(timer)
        copy.fill(0)
      }
      waiting.clear()
    },
  }
}

async function firstMatch(trials: Iterable<CheapTrial>, read: Read): Promise<CheapVariant | 'none'> {
  let spent = 0
  let slice = performance.now()
  for (const trial of trials) {
    if (await isMatch(trial, read)) return trial.variant
    const worked = performance.now() - slice
    if (worked < SLICE_MS) continue
    spent += worked
    if (spent > MOST_MS) break
    await setImmediate()
    slice = performance.now()
  }
  return 'none'
}

async function isMatch({ stored, password }: CheapTrial, read: Read): Promise<boolean> {
  try {
    const hash = readable(stored, read)
    return hash !== null && hash.millis < CHEAP_MILLIS && (await matches({ read: hash, password }))
  } finally {
    password.fill(0)
  }
}
