import { pbkdf2Sync, scryptSync, timingSafeEqual } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { ceilings } from './ceilings.ts'
import type { ReadHash } from './format.ts'
import { HashError } from './format.ts'

const MAX_MILLIS = ceilings.pbkdf2.millis.most
const MAX_ITERATIONS = ceilings.pbkdf2.iterations.most
/** scrypt holds 128 * N * r bytes. */
const MAX_SCRYPT_BLOCKS = ceilings.scrypt.bytes.most / 128
const MAX_SCRYPT_COST = ceilings.scrypt.n.most
const MAX_SCRYPT_WIDTH = ceilings.scrypt.r.most
const MAX_SCRYPT_LANES = ceilings.scrypt.p.most
/** N * r * p units of scrypt on one core: N=16384, r=8, p=1 take about 50 ms. */
const MILLIS_PER_SCRYPT_BLOCK = 0.0004
const MAX_KEY_BYTES = ceilings.pbkdf2.keyBytes.most
const MAX_SALT_BYTES = ceilings.pbkdf2.saltBytes.most

/** The digests of PBKDF2: bytes, and milliseconds of one iteration of one block on one core. */
export const derivationDigests = {
  md5: { bytes: 16, millis: 0.0003 },
  sha1: { bytes: 20, millis: 0.00022 },
  sha224: { bytes: 28, millis: 0.00034 },
  sha256: { bytes: 32, millis: 0.00022 },
  sha384: { bytes: 48, millis: 0.00055 },
  sha512: { bytes: 64, millis: 0.00055 },
  'sha3-224': { bytes: 28, millis: 0.0009 },
  'sha3-384': { bytes: 48, millis: 0.0009 },
} as const
export type DerivationDigest = keyof typeof derivationDigests

/** PBKDF2 or scrypt with its parameters within the bounds. Blocks; meant for the threads of the checker. */
export interface Derivation {
  readonly millis: number
  derive(password: Uint8Array, salt: Uint8Array): Buffer
}

export function isDerivationDigest(name: string | undefined): name is DerivationDigest {
  return name !== undefined && Object.hasOwn(derivationDigests, name)
}

/** Throws HashError before any work. `length`: bytes of the key, each block of which costs all iterations. */
export function pbkdf2(digest: DerivationDigest, iterations: number, length: number): Derivation {
  checkLength(length)
  const { bytes, millis } = derivationDigests[digest]
  const estimate = iterations * Math.ceil(length / bytes) * millis
  if (iterations > MAX_ITERATIONS || estimate > MAX_MILLIS) {
    throw new HashError(
      'too-costly',
      `PBKDF2 may take at most ${MAX_ITERATIONS} iterations and ${MAX_MILLIS} ms`,
    )
  }
  if (iterations < 1) throw malformed('PBKDF2 has at least one iteration')
  return {
    millis: estimate,
    derive: (password, salt) => pbkdf2Sync(password, salt, iterations, length, digest),
  }
}

export interface ScryptCost {
  /** A power of two, N in the papers. */
  readonly cost: number
  readonly width: number
  readonly lanes: number
}

/** Throws HashError before any work. */
export function scrypt({ cost, width, lanes }: ScryptCost, length: number): Derivation {
  checkLength(length)
  if (width < 1 || lanes < 1) throw malformed('the r and the p of scrypt are whole numbers above zero')
  const millis = cost * width * lanes * MILLIS_PER_SCRYPT_BLOCK
  if (
    cost > MAX_SCRYPT_COST ||
    width > MAX_SCRYPT_WIDTH ||
    lanes > MAX_SCRYPT_LANES ||
    cost * width > MAX_SCRYPT_BLOCKS ||
    millis > MAX_MILLIS
  ) {
    throw new HashError('too-costly', `scrypt may take at most 256 MiB, 16 lanes and ${MAX_MILLIS} ms`)
  }
  if (cost < 2 || !Number.isInteger(Math.log2(cost))) throw malformed('the N of scrypt is a power of two')
  // Node counts the lanes and the scratch space too.
  const maxmem = 128 * width * (cost + lanes + 2) + 1024
  return {
    millis,
    derive: (password, salt) => scryptSync(password, salt, length, { N: cost, r: width, p: lanes, maxmem }),
  }
}

function checkLength(length: number): void {
  if (length < 1 || length > MAX_KEY_BYTES) throw malformed(`a derived key has 1 to ${MAX_KEY_BYTES} bytes`)
}

/** Reads decimal digits as they are printed: no sign, no blank, no leading zero. */
export function wholeNumber(digits: string | undefined, name: string): number {
  if (digits === undefined || !/^(?:0|[1-9]\d*)$/.test(digits)) {
    throw malformed(`${name} is a whole number without leading zeros`)
  }
  // Sixteen digits would lose their last; every ceiling lies far below.
  return digits.length > 15 ? Number.MAX_SAFE_INTEGER : Number(digits)
}

/** The bytes, if they could be read and are as many as may be. */
export function boundedBytes(
  bytes: Buffer | null,
  name: string,
  { least, most }: { readonly least: number; readonly most: number },
): Buffer {
  if (bytes && bytes.length >= least && bytes.length <= most) return bytes
  throw malformed(`${name} is encoded in ${least} to ${most} bytes`)
}

export function saltBytes(bytes: Buffer | null): Buffer {
  return boundedBytes(bytes, 'the salt', { least: 0, most: MAX_SALT_BYTES })
}

/** A key cut short would match by what is left of it, so its length is one that the family writes. */
export function keyBytes(bytes: Buffer | null, ...lengths: readonly number[]): Buffer {
  if (bytes && lengths.includes(bytes.length)) return bytes
  throw malformed(`the derived key is encoded in ${lengths.join(' or ')} bytes`)
}

export function malformed(message: string): HashError {
  return new HashError('malformed', message)
}

export interface DerivedKeyHash {
  readonly scheme: string
  readonly derivation: Derivation
  readonly salt: Buffer
  readonly key: Buffer
  /** The stored string with another salt and another key. */
  readonly written: (salt: Buffer, key: Buffer) => string
  /** What goes into the derivation in place of the password. */
  readonly prepared?: (password: Uint8Array) => Uint8Array
  /** What is stored in place of the derived key. */
  readonly finished?: (derived: Buffer) => Buffer
}

/** The check of a hash that is a derived key, or a digest of one. */
export function derivedKeyHash(hash: DerivedKeyHash): ReadHash {
  const { scheme, derivation, salt, key, written, prepared, finished } = hash
  return {
    scheme,
    millis: derivation.millis,
    decoy: storedAs(written(decoySalt(salt.length), decoyKey(key.length)), scheme),
    matches: (password) => {
      const derived = derivation.derive(prepared ? prepared(password) : password, salt)
      return equalBytes(finished ? finished(derived) : derived, key)
    },
  }
}

/** Letters and digits only, because some families take the salt as text. */
export function decoySalt(length: number): Buffer {
  return Buffer.alloc(length, 'carryover')
}

/** Nobody knows a password that leads to it. */
export function decoyKey(length: number): Buffer {
  return Buffer.alloc(length, 'Z')
}

export function storedAs(encoded: string, scheme: string | null = null, login = ''): StoredHash {
  return { encoded, scheme, salt: null, login, id: '' }
}

export function equalBytes(made: Uint8Array, expected: Uint8Array): boolean {
  return made.length === expected.length && timingSafeEqual(made, expected)
}
