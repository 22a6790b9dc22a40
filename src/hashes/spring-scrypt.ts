import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { derivedKeyHash, keyBytes, malformed, saltBytes, scrypt } from './key-derivation.ts'

/** log2 of N, then r and p of two digits each: `e0801` is N=2^14, r=8, p=1. */
const WHOLE = /^\$([0-9a-f]{1,2})([0-9a-f]{2})([0-9a-f]{2})\$([^$]+)\$([^$]+)$/

/** SCryptPasswordEncoder of Spring Security. */
export const springScrypt: Family = {
  name: 'spring-scrypt',
  sources: 'Spring Security, SCryptPasswordEncoder',
  ceiling: ceilingWords.scrypt,
  example: '$100801$Y2FycnlvdmVyY2Fycnlvdg==$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^\$[0-9a-f]{5,6}\$[A-Za-z0-9+/=]*\$/,
  probable: true,
  read,
}

function read(encoded: string): ReadHash {
  const [, log2, width, lanes, salt, key] = WHOLE.exec(encoded) ?? []
  if (
    log2 === undefined ||
    width === undefined ||
    lanes === undefined ||
    salt === undefined ||
    key === undefined
  ) {
    throw malformed('an scrypt hash of Spring has hexadecimal parameters, a salt and a key, each after a $')
  }
  const expected = keyBytes(bytesOfPaddedBase64(key), 16, 32, 64)
  const cost = { cost: 2 ** hexadecimal(log2), width: hexadecimal(width), lanes: hexadecimal(lanes) }
  return derivedKeyHash({
    scheme: springScrypt.name,
    derivation: scrypt(cost, expected.length),
    salt: saltBytes(bytesOfPaddedBase64(salt)),
    key: expected,
    written: (otherSalt, otherKey) =>
      `$${log2}${width}${lanes}$${otherSalt.toString('base64')}$${otherKey.toString('base64')}`,
  })
}

function hexadecimal(digits: string): number {
  return Number.parseInt(digits, 16)
}
