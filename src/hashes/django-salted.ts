import { createHash, createHmac } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import { comparedAny } from './compared.ts'
import { bytesOfHex } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { decoyKey, decoySalt, keyBytes, malformed, saltBytes, storedAs } from './key-derivation.ts'
import { portableDigest, portably } from './portable-form.ts'

/** A digest of a password of 4 KiB, twice. */
const MILLIS = 0.05
const DIGEST_BYTES = { md5: 16, sha1: 20 } as const
const WHOLE = /^(md5|sha1)\$([^$]{0,128})\$([0-9a-f]+)$/i

/**
 * Django up to 1.3: a digest of salt and password. Old Werkzeug writes an HMAC in the same form, keyed with the
 * salt, and nothing in the string tells them apart, so both are tried unless `hash_scheme` names one of them.
 */
export const djangoSalted: Family = {
  name: 'django-salted',
  note: 'md5$salt$digest and sha1$salt$digest; without hash_scheme also as the HMAC of old Werkzeug',
  sources: 'Django up to 1.3; Flask (old Werkzeug)',
  ceiling: ceilingWords.fixed,
  example: 'sha1$carryover$5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a',
  shape: /^(?:md5|sha1)\$/,
  probable: true,
  read,
}

function read(encoded: string, { scheme }: StoredHash): ReadHash {
  const [, written, salt, digest] = WHOLE.exec(encoded) ?? []
  if (!isWritten(written) || salt === undefined || digest === undefined) {
    throw malformed('a salted digest of Django has a salt and hexadecimal digits, each after a $')
  }
  const key = saltBytes(Buffer.from(salt))
  const expected = keyBytes(bytesOfHex(digest), DIGEST_BYTES[written])
  const plain = (password: Uint8Array) => createHash(written).update(key).update(password).digest()
  const keyed = (password: Uint8Array) => createHmac(written, key).update(password).digest()
  const ways = scheme?.trim() ? [plain] : [plain, keyed]
  return {
    scheme: djangoSalted.name,
    millis: MILLIS,
    decoy: storedAs(`${written}$${decoySalt(key.length)}$${decoyKey(expected.length).toString('hex')}`),
    nulIsData: true,
    ...portably(
      comparedAny(expected, ways.length, (password) => ways.map((digestOf) => digestOf(password))),
      () => (ways.length === 1 ? portableDigest(written, expected, 'prefix', key) : null),
    ),
  }
}

function isWritten(name: string | undefined): name is keyof typeof DIGEST_BYTES {
  return name !== undefined && Object.hasOwn(DIGEST_BYTES, name)
}
