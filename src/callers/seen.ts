import { createHash } from 'node:crypto'
import { Failure } from '../errors.ts'

export interface SeenIds {
  /** Whether the id is new; from now on it is not. Throws Failure `overloaded` when there is no room for another one. */
  claim(id: string): boolean
  /** Makes a claim undone. */
  release(id: string): void
}

/**
 * Ids that were seen within `millis`. Never forgets one earlier to make room: an id that is forgotten can be used again,
 * while a call that is refused for want of room can be repeated.
 */
export function createSeenIds(millis: number, most: number): SeenIds {
  /** When an id may be forgotten. All are kept equally long, so those that were put in first are over first. */
  const over = new Map<string, number>()
  return {
    claim: (id) => {
      const now = Date.now()
      for (const [key, moment] of over) {
        if (moment > now) break
        over.delete(key)
      }
      const key = keyOf(id)
      if (over.has(key)) return false
      if (over.size >= most) throw new Failure('overloaded', { detail: 'ids' })
      over.set(key, now + millis)
      return true
    },
    release: (id) => over.delete(keyOf(id)),
  }
}

/** 22 characters, whatever length an id has. */
function keyOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url').slice(0, 22)
}
