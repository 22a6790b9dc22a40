import { ceilings, isWithin } from './ceilings.ts'
import { bytesOfBase64, bytesOfHex } from './encodings.ts'
import { HashError } from './format.ts'

/** What systems write in place of a hash that nobody may sign in with. MySQL's `*` and 40 digits is not one. */
const LOCKED = /^(?:\*[01]?|\*\*|!.*|x|\*?(?:np|up|nl|lk)\*?|\*lk\*.*|\*?lock(?:ed)?\*?|\*?disabled\*?)$/is
/** How a missing value comes out of exports. */
const MISSING = /^(?:\s*|null|\\n)$/i
/** What no hash of a modern format begins with, to tell millions of them quickly. */
const MARKER_START = /^[*!xnuld]/i

/** The stored string, where there is one that may be a hash. Throws HashError. */
export function presentHash(encoded: string | null): string {
  if (encoded === null || MISSING.test(encoded)) throw new HashError('missing', 'the row has no hash')
  if (!isWithin(encoded.length, ceilings.stored.characters)) {
    throw new HashError(
      'malformed',
      `a stored hash has at most ${ceilings.stored.characters.most} characters`,
    )
  }
  if (MARKER_START.test(encoded) && LOCKED.test(encoded))
    throw new HashError('locked-marker', 'in place of a hash the row says that nobody may sign in')
  return encoded
}

/** The lengths of every digest in use, MySQL 3.23 and halved MD5 included. */
const DIGEST_BYTES: ReadonlySet<number> = new Set([8, 16, 20, 28, 32, 48, 64])

/** Whether it is hexadecimal or base64 of as many bytes as some digest has, and nothing besides. */
export function isBareDigest(encoded: string): boolean {
  const bytes = bytesOfHex(encoded.replace(/^0x/i, '')) ?? bytesOfBase64(encoded)
  return bytes !== null && DIGEST_BYTES.has(bytes.length)
}
