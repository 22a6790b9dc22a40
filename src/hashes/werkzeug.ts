import { createHash, createHmac } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { bytesOfHex } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import type { Derivation } from './key-derivation.ts'
import {
  derivationDigests,
  derivedKeyHash,
  isDerivationDigest,
  keyBytes,
  malformed,
  pbkdf2,
  saltBytes,
  scrypt,
  wholeNumber,
} from './key-derivation.ts'
import { portableDigest, portableHmac } from './portable-form.ts'

const SCRYPT_BYTES = 64
/** A digest of a password of 4 KiB. */
const DIGEST_MILLIS = 0.03
const WHOLE = /^([a-z0-9:]{1,64})\$([^$]{0,256})\$([0-9a-f]+)$/i

/**
 * Flask: the method, a text as salt and hexadecimal digits. Before PBKDF2 it was an HMAC keyed with the salt; its
 * `md5$` and `sha1$` look like Django's and are told as those, which tries both.
 */
export const werkzeug: Family = {
  name: 'werkzeug',
  note: 'scrypt:, pbkdf2: and the HMAC of old releases',
  sources: 'Flask (Werkzeug)',
  ceiling: `${ceilingWords.pbkdf2}; ${ceilingWords.scrypt}`,
  example: `scrypt:32768:8:1$carryovercarryov$${'5a'.repeat(SCRYPT_BYTES)}`,
  shape: /^(?:pbkdf2:sha|pbkdf2:md5|scrypt:|sha224\$|sha256\$|sha384\$|sha512\$)/,
  shapeByName: /^(?:pbkdf2:|scrypt:|md5\$|sha\d+\$)/,
  read,
}

function read(encoded: string): ReadHash {
  const [, method, salt, digits] = WHOLE.exec(encoded) ?? []
  if (method === undefined || salt === undefined || digits === undefined) {
    throw malformed('a hash of Werkzeug has a method, a salt and hexadecimal digits with a $ in between')
  }
  const text = saltBytes(Buffer.from(salt))
  const { derivation, length } = methodOf(method)
  return derivedKeyHash({
    scheme: werkzeug.name,
    derivation,
    salt: text,
    key: keyBytes(bytesOfHex(digits), length),
    written: (otherSalt, otherKey) => `${method}$${otherSalt}$${otherKey.toString('hex')}`,
  })
}

function methodOf(method: string): { derivation: Derivation; length: number } {
  const [name, first, second, third, ...more] = method.split(':')
  if (name === 'scrypt' && more.length === 0) {
    const cost = {
      cost: wholeNumber(first, 'the N'),
      width: wholeNumber(second, 'the r'),
      lanes: wholeNumber(third, 'the p'),
    }
    return { derivation: scrypt(cost, SCRYPT_BYTES), length: SCRYPT_BYTES }
  }
  if (name === 'pbkdf2' && isDerivationDigest(first) && third === undefined) {
    const length = derivationDigests[first].bytes
    return { derivation: pbkdf2(first, wholeNumber(second, 'the number of iterations'), length), length }
  }
  if (isDerivationDigest(name) && first === undefined) {
    return { derivation: keyed(name), length: derivationDigests[name].bytes }
  }
  throw malformed('the method of a Werkzeug hash is scrypt, pbkdf2 or a digest')
}

/** An empty salt made it a bare digest. */
function keyed(digest: string): Derivation {
  return {
    millis: DIGEST_MILLIS,
    derive: (password, salt) =>
      (salt.length === 0 ? createHash(digest) : createHmac(digest, salt)).update(password).digest(),
    portable: (salt, derived) =>
      salt.length === 0
        ? portableDigest(digest, derived, 'suffix', salt)
        : portableHmac(digest, derived, salt),
  }
}
