import { createHash } from 'node:crypto'
import type { StoredHash } from '../domain.ts'

/** Threads that may be lost over one hash alone. The first may have had another cause. */
const ALLOWED = 1
/** Milliseconds. Long enough that threads are not lost all the time, short enough that a program that was mended is tried. */
const REMEMBERED_MS = 600_000
/** Far more than there ever are; the oldest give way. */
const MOST = 1_000

/** Hashes over which threads were lost. They are known by a digest: this memory outlives the call. */
export interface Quarantine {
  holds(stored: StoredHash): boolean
  /** A thread was lost over this hash alone. True: from now on it is held. */
  blame(stored: StoredHash): boolean
}

export function createQuarantine(now: () => number = () => performance.now()): Quarantine {
  const blamed = new Map<string, { times: number; until: number }>()

  const known = (key: string) => {
    const entry = blamed.get(key)
    if (entry === undefined || entry.until > now()) return entry
    blamed.delete(key)
    return undefined
  }
  const isHeld = (key: string) => (known(key)?.times ?? 0) > ALLOWED

  return {
    holds: (stored) => blamed.size > 0 && isHeld(keyOf(stored)),
    blame: (stored) => {
      const key = keyOf(stored)
      const times = (known(key)?.times ?? 0) + 1
      blamed.delete(key)
      blamed.set(key, { times, until: now() + REMEMBERED_MS })
      const [oldest] = blamed.keys()
      if (blamed.size > MOST && oldest !== undefined) blamed.delete(oldest)
      return isHeld(key)
    },
  }
}

/** Of the user and of everything that a check takes from the row: another hash of the same user is another matter. */
function keyOf({ id, login, encoded, scheme, salt, cohort }: StoredHash): string {
  return createHash('sha256')
    .update(JSON.stringify([id, login, encoded, scheme, salt, cohort]))
    .digest('base64')
}
