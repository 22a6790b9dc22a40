import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { derivedKeyHash, keyBytes, malformed, saltBytes, scrypt, wholeNumber } from './key-derivation.ts'

const KEY_BYTES = 64
const KEY = 'WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWg=='
const OWN = /^scrypt\$(\d{1,20})\$([^$]*)\$(\d{1,9})\$(\d{1,9})\$([^$]+)$/
const THIRD_PARTY = /^scrypt\$([^$]*)\$(\d{1,9})\$(\d{1,9})\$(\d{1,9})\$(\d{1,9})\$([^$]+)$/
const MAX_LOG2 = 31

/** Django 4: N, the salt as text, r, p. */
export const scryptDjango: Family = {
  name: 'scrypt-django',
  sources: 'Django 4 and later',
  ceiling: ceilingWords.scrypt,
  example: `scrypt$16384$carryovercarryoverca$8$1$${KEY}`,
  shape: /^scrypt\$\d+\$[^$]*\$\d+\$\d+\$[^$]*$/,
  shapeByName: /^scrypt\$/,
  read: readOwn,
}

/** The package django-scrypt: the salt as text, log2 of N, r, p, the length of the key. */
export const scryptDjango3rdparty: Family = {
  name: 'scrypt-django-3rdparty',
  note: 'the package django-scrypt',
  sources: 'Django with django-scrypt',
  ceiling: ceilingWords.scrypt,
  example: `scrypt$carryovercar$14$8$1$64$${KEY}`,
  shape: /^scrypt\$[^$]*\$\d+\$\d+\$\d+\$\d+\$[^$]*$/,
  shapeByName: /^scrypt\$/,
  read: readThirdParty,
}

function readOwn(encoded: string): ReadHash {
  const [, cost, salt, width, lanes, key] = OWN.exec(encoded) ?? []
  if (salt === undefined || key === undefined)
    throw malformed('an scrypt hash of Django has N, a salt, r, p and a key')
  const parameters = {
    cost: wholeNumber(cost, 'the N'),
    width: wholeNumber(width, 'the r'),
    lanes: wholeNumber(lanes, 'the p'),
  }
  return derivedKeyHash({
    scheme: scryptDjango.name,
    derivation: scrypt(parameters, KEY_BYTES),
    salt: saltBytes(Buffer.from(salt)),
    key: keyBytes(bytesOfPaddedBase64(key), KEY_BYTES),
    written: (otherSalt, otherKey) =>
      `scrypt$${cost}$${otherSalt}$${width}$${lanes}$${otherKey.toString('base64')}`,
  })
}

function readThirdParty(encoded: string): ReadHash {
  const [, salt, log2, width, lanes, length, key] = THIRD_PARTY.exec(encoded) ?? []
  if (salt === undefined || key === undefined) {
    throw malformed('a hash of django-scrypt has a salt, log2 of N, r, p, a length and a key')
  }
  const exponent = wholeNumber(log2, 'log2 of N')
  if (exponent > MAX_LOG2) throw malformed(`log2 of N is at most ${MAX_LOG2}`)
  const parameters = {
    cost: 2 ** exponent,
    width: wholeNumber(width, 'the r'),
    lanes: wholeNumber(lanes, 'the p'),
  }
  const expected = keyBytes(bytesOfPaddedBase64(key), wholeNumber(length, 'the length of the key'))
  if (expected.length < 16) throw malformed('the derived key has at least 16 bytes')
  return derivedKeyHash({
    scheme: scryptDjango3rdparty.name,
    derivation: scrypt(parameters, expected.length),
    salt: saltBytes(Buffer.from(salt)),
    key: expected,
    written: (otherSalt, otherKey) =>
      `scrypt$${otherSalt}$${log2}$${width}$${lanes}$${length}$${otherKey.toString('base64')}`,
  })
}
