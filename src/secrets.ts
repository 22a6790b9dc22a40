import { createHash, timingSafeEqual } from 'node:crypto'

/**
 * Whether a presented secret is one of the accepted ones. Digests are compared, so that neither length nor
 * content shows in the time taken, and every accepted secret is compared, so that its place does not show.
 */
export function isOneOf(presented: string, accepted: readonly string[]): boolean {
  const digest = sha256(presented)
  let found = false
  for (const secret of accepted) {
    const equal = timingSafeEqual(digest, sha256(secret))
    found = found || equal
  }
  return found
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text, 'utf8').digest()
}
