import { ceilingWords } from './ceilings.ts'
import { ab64, bytesOfAb64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import {
  derivationDigests,
  derivedKeyHash,
  isDerivationDigest,
  keyBytes,
  malformed,
  pbkdf2,
  saltBytes,
  wholeNumber,
} from './key-derivation.ts'

const WHOLE = /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$(\d{1,20})\$([^$]*)\$([^$]+)$/

/** passlib, TYPO3, Elixir and zitadel/passwap. Without a digest it is SHA-1. */
export const pbkdf2Passlib: Family = {
  name: 'pbkdf2-passlib',
  note: '$pbkdf2$, $pbkdf2-sha256$ and $pbkdf2-sha512$ with the bare number of iterations',
  sources: 'Python (passlib), TYPO3, Elixir, ZITADEL',
  ceiling: ceilingWords.pbkdf2,
  example:
    '$pbkdf2-sha512$25000$Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWg',
  shape: /^\$pbkdf2(?:-sha(?:1|256|512))?\$\d/,
  read,
}

function read(encoded: string): ReadHash {
  const [, named, iterations, salt, key] = WHOLE.exec(encoded) ?? []
  const digest = named ?? 'sha1'
  if (!isDerivationDigest(digest) || salt === undefined || key === undefined) {
    throw malformed('a PBKDF2 hash of passlib has iterations, a salt and a key, each after a $')
  }
  const length = derivationDigests[digest].bytes
  const prefix = named === undefined ? '$pbkdf2' : `$pbkdf2-${named}`
  return derivedKeyHash({
    scheme: pbkdf2Passlib.name,
    derivation: pbkdf2(digest, wholeNumber(iterations, 'the number of iterations'), length),
    salt: saltBytes(bytesOfAb64(salt)),
    key: keyBytes(bytesOfAb64(key), length),
    written: (otherSalt, otherKey) => `${prefix}$${iterations}$${ab64(otherSalt)}$${ab64(otherKey)}`,
  })
}
