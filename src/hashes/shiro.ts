import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import { NO_CONTEXT } from './context.ts'
import { enveloped } from './dispatched.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { iterated } from './iterated.ts'
import { derivedKeyHash, keyBytes, malformed, saltBytes, wholeNumber } from './key-derivation.ts'
import { portableDigest } from './portable-form.ts'

const DIGESTS: ReadonlyMap<
  string,
  { readonly name: string; readonly bytes: number; readonly millis: number }
> = new Map([
  ['MD5', { name: 'md5', bytes: 16, millis: 0.0001 }],
  ['SHA-1', { name: 'sha1', bytes: 20, millis: 0.001 }],
  ['SHA-256', { name: 'sha256', bytes: 32, millis: 0.00017 }],
  ['SHA-384', { name: 'sha384', bytes: 48, millis: 0.0013 }],
  ['SHA-512', { name: 'sha512', bytes: 64, millis: 0.00024 }],
])
const WHOLE = /^\$shiro1\$([A-Za-z0-9-]{3,16})\$(\d{1,20})\$([^$]*)\$([^$]+)$/

/** Apache Shiro 1: a digest of salt and password, then of itself. */
export const shiro1: Family = {
  name: 'shiro1',
  note: 'MD5, SHA-1 and SHA-2',
  sources: 'Apache Shiro 1, Nexus Repository, Opal',
  ceiling: ceilingWords.shiro,
  example: '$shiro1$SHA-256$500000$Y2FycnlvdmVyY2Fycnlvdg==$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=',
  shape: /^\$shiro1\$/,
  read: readFirst,
}

function readFirst(encoded: string): ReadHash {
  const [, written = '', iterations, salt, key] = WHOLE.exec(encoded) ?? []
  const digest = DIGESTS.get(written.toUpperCase())
  if (!digest || salt === undefined || key === undefined) {
    throw malformed('a $shiro1$ hash has a digest, iterations, a salt and a key, each after a $')
  }
  const count = affordable(
    wholeNumber(iterations, 'the number of iterations'),
    ceilings.shiro.iterations,
    'the iterations of a $shiro1$ hash',
  )
  return derivedKeyHash({
    scheme: shiro1.name,
    derivation: {
      millis: count * digest.millis,
      derive: (password, salted) => iterated(digest.name, Buffer.concat([salted, password]), count),
      portable: (salted, derived) =>
        count === 1 ? portableDigest(digest.name, derived, 'prefix', salted) : null,
    },
    salt: saltBytes(bytesOfPaddedBase64(salt)),
    key: keyBytes(bytesOfPaddedBase64(key), digest.bytes),
    written: (otherSalt, otherKey) =>
      `$shiro1$${written}$${iterations}$${otherSalt.toString('base64')}$${otherKey.toString('base64')}`,
  })
}

const PREFIX = '$shiro2'

/** Apache Shiro 2 puts its name before a string of Argon2 or bcrypt. */
export const shiro2: Family = {
  name: 'shiro2',
  note: '$shiro2$argon2id$… and $shiro2$2y$…',
  sources: 'Apache Shiro 2',
  ceiling: `${ceilingWords.argon2}; ${ceilingWords.bcrypt}`,
  example: `${PREFIX}${argon2.example}`,
  shape: /^\$shiro2\$/,
  read: (encoded, stored) => {
    const inner = encoded.slice(PREFIX.length)
    const format = [argon2, bcrypt].find(({ shape }) => shape.test(inner))
    if (!format) throw malformed('a $shiro2$ hash is one of Argon2 or of bcrypt')
    return enveloped(format.read(inner, stored, NO_CONTEXT), shiro2.name, (text) => `${PREFIX}${text}`)
  },
}
