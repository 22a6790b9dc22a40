import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { derivedKeyHash, keyBytes, malformed, saltBytes, scrypt, wholeNumber } from './key-derivation.ts'

const WHOLE = /^SCRYPT:(\d{1,20}):(\d{1,9}):(\d{1,9}):([^:]*):([^:]+)$/

export const scryptHashcat: Family = {
  name: 'scrypt-hashcat',
  sources: 'hashcat',
  ceiling: ceilingWords.scrypt,
  example: 'SCRYPT:16384:8:1:Y2FycnlvdmVyY2Fycnlvdg==:WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^SCRYPT:/,
  read,
}

function read(encoded: string): ReadHash {
  const [, cost, width, lanes, salt, key] = WHOLE.exec(encoded) ?? []
  if (salt === undefined || key === undefined) {
    throw malformed('an scrypt hash of hashcat has N, r, p, a salt and a key, each after a colon')
  }
  const expected = keyBytes(bytesOfPaddedBase64(key), 16, 32, 64)
  const parameters = {
    cost: wholeNumber(cost, 'the N'),
    width: wholeNumber(width, 'the r'),
    lanes: wholeNumber(lanes, 'the p'),
  }
  return derivedKeyHash({
    scheme: scryptHashcat.name,
    derivation: scrypt(parameters, expected.length),
    salt: saltBytes(bytesOfPaddedBase64(salt)),
    key: expected,
    written: (otherSalt, otherKey) =>
      `SCRYPT:${cost}:${width}:${lanes}:${otherSalt.toString('base64')}:${otherKey.toString('base64')}`,
  })
}
