import { createHash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { comparedAny } from './compared.ts'
import { md4 } from './digests/md4.ts'
import { bytesOfHex, bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { decoyKey, decoySalt, malformed, storedAs } from './key-derivation.ts'
import { portableDigest, portably } from './portable-form.ts'

type DigestOf = (message: Buffer) => Buffer

/** By the bytes of the digest, because the string does not name it. Spring has an encoder for MD4 as well. */
const DIGESTS: ReadonlyMap<number, readonly DigestOf[]> = new Map<number, readonly DigestOf[]>([
  [16, [named('md5'), md4]],
  [20, [named('sha1')]],
  [28, [named('sha224')]],
  [32, [named('sha256')]],
  [48, [named('sha384')]],
  [64, [named('sha512')]],
])
/** By the bytes of the digest, where the length tells which it is. */
const ONLY: ReadonlyMap<number, string> = new Map([
  [20, 'sha1'],
  [32, 'sha256'],
  [64, 'sha512'],
])
/** Two digests of a password of 4 KiB. */
const MILLIS = 0.1
const WHOLE = /^((?:\{[^{}]{0,128}\})?)([A-Za-z0-9+/]+={0,2})$/

/**
 * MessageDigestPasswordEncoder and Md4PasswordEncoder of Spring Security: a digest of the password and, with its
 * braces, the salt. Told by the salt that Spring makes: base64 of 32 bytes; other salts look like names of LDAP.
 */
export const springDigest: Family = {
  name: 'spring-digest',
  note: '{salt}digest; MD4, MD5, SHA-1 and SHA-2, told by the length',
  sources: 'Spring Security 5, MessageDigestPasswordEncoder',
  ceiling: ceilingWords.fixed,
  example: `{Y2FycnlvdmVyY2FycnlvdmVyY2FycnlvdmVyY2Fycnk=}${'5a'.repeat(32)}`,
  shape: /^\{[A-Za-z0-9+/]{43}=\}[A-Za-z0-9+/]{16,128}={0,2}$/,
  probable: true,
  shapeByName: /^(?:\{[^{}]{0,128}\})?[A-Za-z0-9+/]{16,128}={0,2}$/,
  read,
}

function read(encoded: string): ReadHash {
  const [, salt, text] = WHOLE.exec(encoded) ?? []
  if (salt === undefined || text === undefined) {
    throw malformed('a digest of Spring is hexadecimal or base64, after the salt in braces')
  }
  const expected = digestIn(text)
  const digests = DIGESTS.get(expected.length) ?? []
  const suffix = Buffer.from(salt)
  return {
    scheme: springDigest.name,
    millis: MILLIS,
    decoy: storedAs(`${constantSalt(salt)}${decoyKey(expected.length).toString('hex')}`, springDigest.name),
    nulIsData: true,
    ...portably(
      comparedAny(expected, digests.length, (password) => {
        const message = Buffer.concat([password, suffix])
        return digests.map((digestOf) => digestOf(message))
      }),
      () => portableDigest(ONLY.get(expected.length) ?? '', expected, 'suffix', suffix),
    ),
  }
}

/** As long as the row's own, which is as much of the message. */
function constantSalt(salt: string): string {
  return salt === '' ? '' : `{${decoySalt(Buffer.byteLength(salt) - 2)}}`
}

/** Hexadecimal of a digest is base64 of another length, which no digest has: hexadecimal goes first. */
function digestIn(text: string): Buffer {
  for (const bytes of [bytesOfHex(text), bytesOfPaddedBase64(text)]) {
    if (bytes && DIGESTS.has(bytes.length)) return bytes
  }
  throw malformed('the digest of a Spring hash is MD4, MD5, SHA-1 or SHA-2 in hexadecimal or base64')
}

function named(name: string): DigestOf {
  return (message) => createHash(name).update(message).digest()
}
