import type { Family } from './format.ts'

/**
 * What a stored string alone says of its scheme. `exact`: it bears a mark of its family, as `$2b$`. `probable`: it only
 * has the shape, as 13 characters of crypt. `needs a scheme`: nothing claims it, or it is a bare digest, which is never
 * guessed.
 */
export type Confidence = 'exact' | 'probable' | 'needs a scheme'

export interface Detection {
  readonly confidence: Confidence
  readonly format: string | null
}

export interface Detector {
  /** The only format whose shape claims the string. */
  formatOf(encoded: string): Family | undefined
  /** Nothing is read but the shape: what is detected may still be malformed or too costly. */
  detect(encoded: string): Detection
}

/** No two families may claim the same string, so their order does not matter. */
export function createDetector(families: readonly Family[]): Detector {
  const told = families.filter(({ byNameOnly }) => !byNameOnly)
  /** A store has one or two formats, so the one that fitted last is tried first. */
  let fittedLast: Family | undefined = told[0]

  function formatOf(encoded: string): Family | undefined {
    if (fittedLast?.shape.test(encoded)) return fittedLast
    const family = told.find(({ shape }) => shape.test(encoded))
    if (family) fittedLast = family
    return family
  }

  return {
    formatOf,
    detect: (encoded) => {
      const family = formatOf(encoded)
      if (!family) return { confidence: 'needs a scheme', format: null }
      return { confidence: family.probable ? 'probable' : 'exact', format: family.name }
    },
  }
}
