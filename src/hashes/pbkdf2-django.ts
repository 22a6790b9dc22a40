import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
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

const WHOLE = /^pbkdf2_(sha1|sha256|sha512)\$(\d{1,20})\$([^$]*)\$([^$]+)$/

/** Django's default since 1.4. The salt is used as the text that stands there. */
export const pbkdf2Django: Family = {
  name: 'pbkdf2-django',
  note: 'pbkdf2_sha256, pbkdf2_sha1 and pbkdf2_sha512',
  sources: 'Django 1.4 and later',
  ceiling: ceilingWords.pbkdf2,
  example: 'pbkdf2_sha256$600000$carryovercarryoverca$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^pbkdf2_sha(?:1|256|512)\$/,
  read,
}

function read(encoded: string): ReadHash {
  const [, digest, iterations, salt, key] = WHOLE.exec(encoded) ?? []
  if (!isDerivationDigest(digest) || salt === undefined || key === undefined) {
    throw malformed('a PBKDF2 hash of Django has iterations, a salt and a key, each after a $')
  }
  const length = derivationDigests[digest].bytes
  return derivedKeyHash({
    scheme: pbkdf2Django.name,
    derivation: pbkdf2(digest, wholeNumber(iterations, 'the number of iterations'), length),
    salt: saltBytes(Buffer.from(salt)),
    key: keyBytes(bytesOfPaddedBase64(key), length),
    written: (otherSalt, otherKey) =>
      `pbkdf2_${digest}$${iterations}$${otherSalt}$${otherKey.toString('base64')}`,
  })
}
