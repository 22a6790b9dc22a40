import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import { comparedAny } from './compared.ts'
import { bytesOfBase64, unpadded } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import type { DerivationDigest } from './key-derivation.ts'
import {
  boundedBytes,
  decoyKey,
  decoySalt,
  derivationDigests,
  malformed,
  pbkdf2,
  portableOfOnly,
  saltBytes,
  storedAs,
  wholeNumber,
} from './key-derivation.ts'
import { portably } from './portable-form.ts'

/** Ory Kratos computes SHA-3 where its strings say sha224 and sha384; others mean what they write. */
const MEANT: Readonly<Record<string, readonly [DerivationDigest, ...DerivationDigest[]]>> = {
  '': ['sha1'],
  '-sha1': ['sha1'],
  '-sha224': ['sha3-224', 'sha224'],
  '-sha256': ['sha256'],
  '-sha384': ['sha3-384', 'sha384'],
  '-sha512': ['sha512'],
}
const KEY_BYTES = { least: 16, most: 128 }
const WHOLE = /^\$pbkdf2((?:-sha(?:1|224|256|384|512))?)\$i=(\d{1,20})(?:,l=(\d{1,4}))?\$([^$]*)\$([^$]+)$/

/** The form that Auth0, Ory Kratos and @phc/pbkdf2 share. Without `l` the key is as long as the digest. */
export const pbkdf2Phc: Family = {
  name: 'pbkdf2-phc',
  note: 'sha224 and sha384 are tried as SHA-3, which Ory Kratos means by them, and as SHA-2',
  sources: 'Auth0, Ory Kratos, Node.js (@phc/pbkdf2)',
  ceiling: ceilingWords.pbkdf2,
  example: '$pbkdf2-sha256$i=600000,l=32$Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo',
  shape: /^\$pbkdf2(?:-sha(?:1|224|256|384|512))?\$[a-z]=/i,
  read,
}

function read(encoded: string): ReadHash {
  const [, named = '', iterations, written, salt, key] = WHOLE.exec(encoded) ?? []
  const digests = MEANT[named]
  if (digests === undefined || salt === undefined || key === undefined) {
    throw malformed('a PBKDF2 hash in the PHC form has i and l, a salt and a key, each after a $')
  }
  const count = wholeNumber(iterations, 'the number of iterations')
  const length = written === undefined ? derivationDigests[digests[0]].bytes : wholeNumber(written, 'the l')
  const derivations = digests.map((digest) => pbkdf2(digest, count, length))
  const salted = saltBytes(bytesOfBase64(salt))
  const expected = boundedBytes(bytesOfBase64(key), 'the derived key', KEY_BYTES)
  if (expected.length !== length) throw malformed('the derived key has as many bytes as the l says')
  const millis = derivations.reduce((sum, derivation) => sum + derivation.millis, 0)
  return {
    scheme: pbkdf2Phc.name,
    pbkdf2: { digest: digests[0], iterations: count },
    millis: affordable(millis, ceilings.check.millis, 'the milliseconds of PBKDF2'),
    decoy: storedAs(
      `$pbkdf2${named}$i=${iterations},l=${length}$${base64(decoySalt(salted.length))}$${base64(decoyKey(length))}`,
    ),
    nulIsData: true,
    ...portably(
      comparedAny(expected, derivations.length, (password) =>
        derivations.map(({ derive }) => derive(password, salted)),
      ),
      () => portableOfOnly(derivations, salted, expected),
    ),
  }
}

function base64(bytes: Buffer): string {
  return unpadded(bytes.toString('base64'))
}
