import type { StoredHash } from '../domain.ts'
import type { ReadHash } from '../hashes/format.ts'

/** A stored hash that costs what a check of the store's most common scheme costs, and that nobody has a password of. */
export interface Decoys {
  current(): StoredHash
  /** The most common scheme among the unmigrated has become known. */
  expect(scheme: string): void
  /** A hash that was really checked: its parameters are those of this store. */
  learn(read: ReadHash): void
}

/** What most stores have. */
const ORDINARY = 'bcrypt'

/**
 * @param exampleOf a stored hash of a scheme that nobody has a password of
 * @param usable whether it can be checked: a scheme may need a secret that has been taken away
 */
export function createDecoys(
  exampleOf: (scheme: string) => StoredHash,
  usable: (stored: StoredHash) => boolean,
): Decoys {
  let scheme = ORDINARY
  let decoy = exampleOf(scheme)
  return {
    current: () => decoy,
    expect: (common) => {
      if (common === scheme) return
      scheme = common
      const example = exampleOf(common)
      decoy = usable(example) ? example : exampleOf(ORDINARY)
    },
    learn: (read) => {
      if (read.scheme === scheme) decoy = read.decoy
    },
  }
}
