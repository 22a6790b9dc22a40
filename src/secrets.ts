import { createHash, timingSafeEqual } from 'node:crypto'

/** Secrets that are accepted, of which digests alone are kept. */
export interface AcceptedSecrets {
  /**
   * Whether a presented secret is one of them. Digests are compared, so that neither length nor content shows in the time
   * taken, and every accepted secret is compared, so that its place does not show.
   */
  has(presented: string): boolean
}

export function acceptedSecrets(secrets: readonly string[]): AcceptedSecrets {
  const digests = secrets.map(sha256)
  return {
    has: (presented) => {
      const digest = sha256(presented)
      let found = false
      for (const accepted of digests) {
        const equal = timingSafeEqual(digest, accepted)
        found = found || equal
      }
      return found
    },
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}
