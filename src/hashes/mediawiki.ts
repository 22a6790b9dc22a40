import { createHash } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import { NO_CONTEXT } from './context.ts'
import { enveloped } from './dispatched.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import type { Derivation } from './key-derivation.ts'
import {
  boundedBytes,
  isDerivationDigest,
  keyBytes,
  malformed,
  pbkdf2,
  saltBytes,
  wholeNumber,
} from './key-derivation.ts'
import { pbkdf2Container } from './pbkdf2-container.ts'
import { prepared } from './wrapped.ts'

const KEY_BYTES = { least: 16, most: 512 }

export const mediawikiPbkdf2 = pbkdf2Container({
  name: 'mediawiki-pbkdf2',
  sources: 'MediaWiki',
  ceiling: ceilingWords.pbkdf2,
  example: `:pbkdf2:sha512:30000:64:Y2FycnlvdmVyY2Fycnlvdg==:${Buffer.alloc(64, 'Z').toString('base64')}`,
  shape: /^:pbkdf2:(?:md5|sha1|sha224|sha256|sha384|sha512):/,
  whole: /^:pbkdf2:([a-z0-9]+):(\d{1,20}):(\d{1,4}):([^:]*):([^:]+)$/,
  parts: ([digest = '', iterations = '', length = '', salt = '', key = '']) => {
    if (!isDerivationDigest(digest)) throw malformed('the digest of PBKDF2 is MD5, SHA-1 or SHA-2')
    const expected = boundedBytes(bytesOfPaddedBase64(key), 'the derived key', KEY_BYTES)
    return {
      digest,
      iterations,
      salt: saltBytes(bytesOfPaddedBase64(salt)),
      key: keyBytes(expected, wholeNumber(length, 'the length')),
      written: (otherSalt, otherKey) =>
        `:pbkdf2:${digest}:${iterations}:${length}:${otherSalt.toString('base64')}:${otherKey.toString('base64')}`,
    }
  },
})

const ARGON2_PREFIX = ':argon2:'

export const mediawikiArgon2: Family = {
  name: 'mediawiki-argon2',
  sources: 'MediaWiki',
  ceiling: ceilingWords.argon2,
  example: `${ARGON2_PREFIX}${argon2.example}`,
  shape: /^:argon2:\$argon2(?:id|i|d)\$/,
  read: (encoded, stored) =>
    enveloped(
      argon2.read(encoded.slice(ARGON2_PREFIX.length), stored, NO_CONTEXT),
      mediawikiArgon2.name,
      (inner) => `${ARGON2_PREFIX}${inner}`,
    ),
}

const BCRYPT = /^:bcrypt:(\d{1,2})\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})$/
const BCRYPT_INNER = /^\$2y\$0?(\d{1,2})\$(.{22})(.{31})$/

/** The cost without its leading zero, the salt and the digest apart. */
export const mediawikiBcrypt: Family = {
  name: 'mediawiki-bcrypt',
  sources: 'MediaWiki',
  ceiling: ceilingWords.bcrypt,
  example: mediawikiForm(`$2y$10$${bcrypt.example.slice(7)}`),
  shape: /^:bcrypt:\d/,
  read: (encoded, stored) => {
    const [, cost, salt, digest] = BCRYPT.exec(encoded) ?? []
    if (cost === undefined || salt === undefined || digest === undefined) {
      throw malformed('a bcrypt hash of MediaWiki has a cost, a salt and a digest')
    }
    return enveloped(
      bcrypt.read(crypted(cost, salt, digest), stored, NO_CONTEXT),
      mediawikiBcrypt.name,
      mediawikiForm,
    )
  },
}

function crypted(cost: string, salt: string, digest: string): string {
  return `$2y$${cost.padStart(2, '0')}$${salt}${digest}`
}

function mediawikiForm(inner: string): string {
  return inner.replace(BCRYPT_INNER, ':bcrypt:$1$$$2$$$3')
}

/** Deeper ones do not exist outside MediaWiki's tests, which have five. */
const MAX_LAYERS = 6
const LAYERED = /^:[A-Za-z0-9_-]{1,64}:([^:!]*(?::[^!]*)?(?:![^!]*)+)$/
/** A name of any kind, then at least a setting, an argument and a hash with `!` in between. */
const LAYERED_SHAPE = /^:[A-Za-z0-9_-]{1,64}:[A-Za-z0-9:]*![^:]*/

/** A step whose result is the text that the next one starts from. */
interface Layer {
  readonly millis: number
  textOf(message: Uint8Array): string
}

/**
 * LayeredParameterizedPassword: settings of every layer, arguments of every layer, then the last hash. The name of
 * the type belongs to the wiki's configuration; what each layer is, its settings tell.
 */
export const mediawikiLayered: Family = {
  name: 'mediawiki-layered',
  note: ':pbkdf2-legacyB: and others: MD5, PBKDF2 and bcrypt in layers',
  sources: 'MediaWiki after wrapOldPasswords',
  ceiling: `${ceilingWords.pbkdf2}; ${ceilingWords.bcrypt}`,
  example: `:pbkdf2-legacyB:!sha512:30000:64!1234abcd!Y2FycnlvdmVyY2Fycg==!${Buffer.alloc(64, 'Z').toString('base64')}`,
  shape: LAYERED_SHAPE,
  read: readLayered,
}

function readLayered(encoded: string, stored: StoredHash): ReadHash {
  const fields = LAYERED.exec(encoded)?.[1]?.split('!') ?? []
  const count = (fields.length - 1) / 2
  const expected = fields.at(-1) ?? ''
  if (!Number.isInteger(count) || count < 1 || count > MAX_LAYERS) {
    throw malformed('a layered hash of MediaWiki has a setting and an argument for each layer, and a hash')
  }
  const settings = fields.slice(0, count)
  const salts = fields.slice(count, 2 * count)
  const lower = settings.slice(0, -1).map((setting, index) => layerOf(setting, salts[index] ?? ''))
  const last = finalRead(settings.at(-1) ?? '', salts.at(-1) ?? '', expected, stored)
  const prefix = encoded.slice(0, encoded.length - expected.length)
  const millis = lower.reduce((sum, layer) => sum + layer.millis, last.millis)
  return {
    ...last,
    scheme: mediawikiLayered.name,
    // The first layer gets the password, and none of those that may be first stops at a NUL.
    nulIsData: true,
    millis: affordable(millis, ceilings.check.millis, 'the milliseconds of all layers'),
    decoy: { encoded: prefix + constantLike(expected), scheme: null, salt: null, login: '', id: '' },
    ...prepared(last, (password) =>
      lower.reduce((message, { textOf }) => Buffer.from(textOf(message)), password),
    ),
  }
}

/** As long as the hash, readable wherever that was. */
function constantLike(hash: string): string {
  return hash
    .replace(/[^=]/g, 'Z')
    .replace(/Z(?==*$)/, 'g')
    .replace(/Zg$/, 'Z.')
}

function layerOf(setting: string, salt: string): Layer {
  if (setting === '') return legacyLayer(salt)
  const { derivation, salted } = pbkdf2LayerOf(setting, salt)
  return {
    millis: derivation.millis,
    textOf: (message) => derivation.derive(message, salted).toString('base64'),
  }
}

const LEGACY_MILLIS = 0.05

/** MediaWiki's types A (no salt) and B. */
function legacyLayer(salt: string): Layer {
  return {
    millis: LEGACY_MILLIS,
    textOf: (message) => {
      const digest = md5Hex(message)
      return salt === '' ? digest : md5Hex(Buffer.from(`${salt}-${digest}`))
    },
  }
}

function md5Hex(message: Uint8Array): string {
  return createHash('md5').update(message).digest('hex')
}

function pbkdf2LayerOf(
  setting: string,
  salt: string,
): { derivation: Derivation; salted: Buffer; length: number } {
  const [digest, iterations, length, ...more] = setting.split(':')
  if (!isDerivationDigest(digest) || more.length > 0) {
    throw malformed('the setting of a layer of MediaWiki is empty, a cost, or digest, iterations and length')
  }
  const bytes = wholeNumber(length, 'the length')
  return {
    derivation: pbkdf2(digest, wholeNumber(iterations, 'the number of iterations'), bytes),
    salted: saltBytes(bytesOfPaddedBase64(salt)),
    length: bytes,
  }
}

/** The outermost layer is read as the hash of its own type that it is. */
function finalRead(setting: string, salt: string, expected: string, stored: StoredHash): ReadHash {
  if (/^\d{1,2}$/.test(setting))
    return mediawikiBcrypt.read(`:bcrypt:${setting}$${salt}$${expected}`, stored, NO_CONTEXT)
  return mediawikiPbkdf2.read(`:pbkdf2:${setting}:${salt}:${expected}`, stored, NO_CONTEXT)
}
