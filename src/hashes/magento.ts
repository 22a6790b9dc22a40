import { hash } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { sodiumPwhash } from './argon2.ts'
import { affordable, ceilings, ceilingWords } from './ceilings.ts'
import { bytesOfHex } from './encodings.ts'
import { equalBytes } from './equal-bytes.ts'
import type { Family, ReadHash } from './format.ts'
import { decoyKey, malformed, saltBytes, wholeNumber } from './key-derivation.ts'
import { portableDigest, portably } from './portable-form.ts'

const MD5_BYTES = 16
const SHA256_BYTES = 32
/** One digest of a password of 4 KiB with its salt. */
const DIGEST_MILLIS = 0.03
/** An upgraded hash is hashed once more by each later version; four were ever made. */
const MAX_LAYERS = 4
/** Version 2 names no parameters: those of sodium's interactive use. */
const INTERACTIVE = { length: 32, passes: 2, bytes: 67_108_864 }
const SODIUM_SALT_BYTES = 16
const ARGON2_BYTES = { least: 16, most: 64 }
const WHOLE = /^([0-9a-f]+)(?::([^:]*)((?::[0-9_]+)*))?$/i

/** A step from the password, or from the text of the step before, to a digest. */
interface Layer {
  readonly bytes: number
  readonly millis: number
  /** Bytes that Argon2 holds; 0: no Argon2. */
  readonly memory: number
  /** The digest of salt and message, where it is one; empty for Argon2, whose salt is made to fit. */
  readonly digest: string
  digestOf(message: Uint8Array): Buffer | Promise<Buffer>
}

/** Magento: a digest, its salt and the versions that made it, in the order in which they were applied. */
export const magento: Family = {
  name: 'magento',
  note: 'versions 0 to 3 and what was upgraded to them; under its name also without version or salt',
  sources: 'Magento 1 and 2, Adobe Commerce',
  ceiling: ceilingWords.argon2,
  example: `${'5a'.repeat(SHA256_BYTES)}:carryovercarryover:1`,
  shape: /^(?:[0-9a-f]{32}|[0-9a-f]{64}):[^:]{0,128}(?::(?:[0-2]|3_\d{1,3}_\d{1,4}_\d{1,12})){1,4}$/i,
  probable: true,
  shapeByName: /^[0-9a-f]{32,128}(?::|$)/i,
  read,
}

function read(encoded: string, stored: StoredHash): ReadHash {
  const [, digits = '', inside, versions = ''] = WHOLE.exec(encoded) ?? []
  const expected = bytesOfHex(digits)
  if (!expected)
    throw malformed('a Magento hash is hexadecimal, then a salt and versions, each after a colon')
  const salt = saltBytes(Buffer.from(inside ?? stored.salt ?? ''))
  const named = versions.split(':').slice(1)
  if (named.length > MAX_LAYERS) throw malformed(`a Magento hash has at most ${MAX_LAYERS} versions`)
  const layers = (named.length ? named : [versionOf(expected)]).map((version) => layerOf(version, salt))
  if (layers.at(-1)?.bytes !== expected.length) {
    throw malformed('the digest of a Magento hash is as long as its last version makes it')
  }
  const millis = layers.reduce((sum, layer) => sum + layer.millis, 0)
  const memory = Math.max(...layers.map((layer) => layer.memory))
  const matches = async (password: Uint8Array) => equalBytes(await applied(layers, password), expected)
  return {
    scheme: magento.name,
    millis: affordable(millis, ceilings.check.millis, 'the milliseconds of all versions'),
    decoy: {
      encoded: [decoyKey(expected.length).toString('hex'), 'carryover', ...named].join(':'),
      scheme: magento.name,
      salt: null,
      login: '',
      id: '',
    },
    ...(memory > 0 && { memory, native: 'argon2' as const }),
    nulIsData: true,
    ...portably({ matches }, () => {
      const [only, ...others] = layers
      return others.length === 0 ? portableDigest(only?.digest ?? '', expected, 'prefix', salt) : null
    }),
    digest: {
      expected,
      of: async (password) => [await applied(layers, password)],
      most: 1,
      comparedBy: matches,
    },
  }
}

/** Without a version Magento 1 is MD5 and Magento 2 its first version, which the length tells. */
function versionOf(digest: Buffer): string {
  return digest.length === MD5_BYTES ? '0' : '1'
}

async function applied(layers: readonly Layer[], password: Uint8Array): Promise<Buffer> {
  let message = password
  let digest = Buffer.alloc(0)
  for (const { digestOf } of layers) {
    digest = Buffer.from(await digestOf(message))
    message = Buffer.from(digest.toString('hex'))
  }
  return digest
}

function layerOf(version: string, salt: Buffer): Layer {
  if (version === '0') return digestLayer('md5', MD5_BYTES, salt)
  if (version === '1') return digestLayer('sha256', SHA256_BYTES, salt)
  if (version === '2') return argon2Layer(INTERACTIVE, salt)
  const [kind, length, passes, bytes, ...more] = version.split('_')
  if (kind !== '3' || more.length > 0) throw malformed('the version of a Magento hash is 0 to 3')
  return argon2Layer(
    {
      length: wholeNumber(length, 'the length'),
      passes: wholeNumber(passes, 'the number of passes'),
      bytes: wholeNumber(bytes, 'the memory'),
    },
    salt,
  )
}

function digestLayer(name: string, bytes: number, salt: Buffer): Layer {
  return {
    bytes,
    millis: DIGEST_MILLIS,
    memory: 0,
    digest: name,
    digestOf: (message) => hash(name, Buffer.concat([salt, message]), 'buffer'),
  }
}

/** Magento fills a salt that is too short with itself, and of a longer one takes the beginning. */
function argon2Layer(parameters: typeof INTERACTIVE, salt: Buffer): Layer {
  const { length } = parameters
  if (length < ARGON2_BYTES.least || length > ARGON2_BYTES.most || salt.length === 0) {
    throw malformed('Argon2 in a Magento hash makes 16 to 64 bytes, with a salt')
  }
  const filled = salt.length < SODIUM_SALT_BYTES ? Buffer.alloc(SODIUM_SALT_BYTES, salt) : salt
  const { millis, memory, digestOf } = sodiumPwhash(filled.subarray(0, SODIUM_SALT_BYTES), parameters)
  return { bytes: length, millis, memory, digest: '', digestOf }
}
