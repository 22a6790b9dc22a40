import { timingSafeEqual } from 'node:crypto'
import type { PortableHash } from '../portable-hash.ts'
import { argon2Digest } from './argon2-library.ts'
import { affordable, type Bounds, ceilings, ceilingWords, isWithin } from './ceilings.ts'
import { bytesOfBase64, unpadded } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { portably } from './portable-form.ts'

/** The algorithm needs eight blocks a lane. */
const MIN_KIBIBYTES_PER_LANE = 8
/**
 * One pass over one KiB on one core of an ordinary server: 64 MiB and 3 passes take about 70 ms. Lanes are computed on
 * as many threads as there are cores, which shortens it only while nothing else is checked.
 */
const MILLIS_PER_KIBIBYTE = 0.00035
/** Several lanes wait for each other four times a pass, on threads that are started for it. */
const MILLIS_PER_PASS_OF_LANES = 0.2
/** Only the slower library takes associated data. */
const MILLIS_PER_KIBIBYTE_WITH_DATA = 0.0008

const TYPES = ['argon2d', 'argon2i', 'argon2id'] as const
const VERSIONS: Readonly<Record<string, 16 | 19>> = { 'v=16': 16, 'v=19': 19 }
/** Strings from before 2015 name no version. */
const UNNAMED_VERSION = 16
const WHOLE = /^\$(argon2(?:id|i|d))(?:\$(v=[^$]*))?\$([^$]+)\$([^$]+)\$([^$]+)$/

export const argon2: Family = {
  name: 'argon2',
  aliases: TYPES,
  note: 'argon2id, argon2i and argon2d',
  sources: 'PHP, Node.js, Spring Security, libsodium',
  ceiling: ceilingWords.argon2,
  example:
    '$argon2id$v=19$m=19456,t=2,p=1$Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo',
  shape: /^\$argon2(?:id|i|d)\$/,
  read,
}

function read(encoded: string): ReadHash {
  const [, type, version, settings, salt, digest] = WHOLE.exec(encoded) ?? []
  if (!isType(type) || settings === undefined || salt === undefined || digest === undefined) {
    throw new HashError(
      'malformed',
      'an Argon2 hash has a version, parameters, a salt and a digest, each after a $',
    )
  }
  const found = {
    type,
    version: versionOf(version),
    ...costOf(readSettings(settings)),
    salt: boundedBytes(salt, 'the salt', ceilings.argon2.saltBytes),
    digest: boundedBytes(digest, 'the digest', ceilings.argon2.digestBytes),
  }
  return {
    scheme: argon2.name,
    millis: millisOf(found),
    memory: found.kibibytes * 1024,
    native: 'argon2',
    nulIsData: true,
    decoy: { encoded: decoyLike(found), scheme: null, salt: null, login: '', id: '' },
    ...portably(
      { matches: async (password) => timingSafeEqual(await digestOf(password, found), found.digest) },
      () => portableArgon2(found),
    ),
  }
}

/** Others read the version of 2015 alone, and have no associated data. */
function portableArgon2({ type, version, kibibytes, passes, lanes, data, salt, digest }: Found) {
  if (version !== 19 || data.length > 0) return null
  return { kind: 'argon2', type, memory: kibibytes, passes, lanes, salt, digest } satisfies PortableHash
}

interface Cost {
  readonly kibibytes: number
  readonly passes: number
  readonly lanes: number
  readonly data: Buffer
}

interface Found extends Cost {
  readonly type: (typeof TYPES)[number]
  readonly version: 16 | 19
  readonly salt: Buffer
  readonly digest: Buffer
}

function isType(name: string | undefined): name is (typeof TYPES)[number] {
  return TYPES.some((type) => type === name)
}

function versionOf(text: string | undefined): 16 | 19 {
  if (text === undefined) return UNNAMED_VERSION
  const version = Object.hasOwn(VERSIONS, text) ? VERSIONS[text] : undefined
  if (version === undefined) throw new HashError('malformed', 'the version of an Argon2 hash is 16 or 19')
  return version
}

/** Reads `m=65536,t=3,p=4` in any order: libraries differ in it. */
function readSettings(text: string): ReadonlyMap<string, string> {
  const settings = new Map<string, string>()
  for (const setting of text.split(',')) {
    const [, name, value] = /^(m|t|p|data|keyid)=([A-Za-z0-9+/]*)$/.exec(setting) ?? []
    if (name === undefined || value === undefined || settings.has(name)) {
      throw new HashError('malformed', 'the parameters of an Argon2 hash are m, t, p and data, each once')
    }
    settings.set(name, value)
  }
  if (settings.has('keyid')) {
    throw new HashError('malformed', 'an Argon2 hash with a keyid cannot be checked without its secret key')
  }
  return settings
}

function costOf(settings: ReadonlyMap<string, string>): Cost {
  const kibibytes = wholeNumber(settings, 'm', ceilings.argon2.kibibytes)
  const passes = wholeNumber(settings, 't', ceilings.argon2.passes)
  const lanes = wholeNumber(settings, 'p', ceilings.argon2.lanes)
  if (kibibytes < MIN_KIBIBYTES_PER_LANE * lanes) {
    throw new HashError(
      'malformed',
      `the m of an Argon2 hash is at least ${MIN_KIBIBYTES_PER_LANE} times its p`,
    )
  }
  const data = boundedBytes(settings.get('data') ?? '', 'data', ceilings.argon2.dataBytes)
  const cost = { kibibytes, passes, lanes, data }
  affordable(millisOf(cost), ceilings.argon2.millis, 'the milliseconds of an Argon2 hash')
  return cost
}

function wholeNumber(settings: ReadonlyMap<string, string>, name: string, bounds: Bounds): number {
  const digits = settings.get(name) ?? ''
  if (!/^[1-9]\d{0,9}$/.test(digits)) {
    throw new HashError('malformed', `the ${name} of an Argon2 hash is a whole number above zero`)
  }
  return affordable(Number(digits), bounds, `the ${name} of an Argon2 hash`)
}

function boundedBytes(text: string, name: string, bounds: Bounds): Buffer {
  const bytes = text.includes('=') ? null : bytesOfBase64(text)
  if (!bytes || !isWithin(bytes.length, bounds)) {
    throw new HashError(
      'malformed',
      `${name} of an Argon2 hash is base64 without padding, of ${bounds.least} to ${bounds.most} bytes`,
    )
  }
  return bytes
}

function decoyLike({ type, version, kibibytes, passes, lanes, salt, digest }: Found): string {
  const constantSalt = base64(Buffer.alloc(salt.length, 'carryover'))
  const constantDigest = base64(Buffer.alloc(digest.length, 'Z'))
  return `$${type}$v=${version}$m=${kibibytes},t=${passes},p=${lanes}$${constantSalt}$${constantDigest}`
}

function base64(bytes: Buffer): string {
  return unpadded(bytes.toString('base64'))
}

function digestOf(password: Uint8Array, { digest, ...parameters }: Found): Promise<Buffer> {
  return argon2Digest(password, { ...parameters, length: digest.length })
}

function millisOf({ kibibytes, passes, lanes, data }: Cost): number {
  const perKibibyte = data.length === 0 ? MILLIS_PER_KIBIBYTE : MILLIS_PER_KIBIBYTE_WITH_DATA
  return passes * (kibibytes * perKibibyte + (lanes > 1 ? MILLIS_PER_PASS_OF_LANES : 0))
}

export interface Argon2idCost {
  readonly kibibytes: number
  readonly passes: number
  readonly lanes: number
}

/** What one Argon2id 1.3 costs. Throws HashError when the bounds do not allow it. */
export function argon2idCost({ kibibytes, passes, lanes }: Argon2idCost): {
  readonly millis: number
  readonly memory: number
} {
  const settings = { m: kibibytes, t: passes, p: lanes }
  const cost = costOf(new Map(Object.entries(settings).map(([name, value]) => [name, String(value)])))
  return { millis: millisOf(cost), memory: cost.kibibytes * 1024 }
}

/**
 * sodium_crypto_pwhash: Argon2id 1.3 with one lane, for schemes that store its digest in a form of their own.
 * Throws HashError when the bounds do not allow it; the digest comes from the function that is returned.
 */
export function sodiumPwhash(
  salt: Buffer,
  { passes, bytes, length }: { readonly passes: number; readonly bytes: number; readonly length: number },
): { readonly millis: number; readonly memory: number; digestOf(password: Uint8Array): Promise<Buffer> } {
  const settings = new Map([
    ['m', String(Math.floor(bytes / 1024))],
    ['t', String(passes)],
    ['p', '1'],
  ])
  const cost = costOf(settings)
  const digest = Buffer.alloc(length)
  return {
    millis: millisOf(cost),
    memory: cost.kibibytes * 1024,
    digestOf: (password) => digestOf(password, { ...cost, type: 'argon2id', version: 19, salt, digest }),
  }
}
