import { pbkdf2Sync, scryptSync } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import type { PortableHash } from '../portable-hash.ts'
import { affordable, type Bounds, ceilings, isWithin } from './ceilings.ts'
import { compared } from './compared.ts'
import type { ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { portablePbkdf2, portably } from './portable-form.ts'

/** N * r * p units of scrypt on one core: N=16384, r=8, p=1 take about 50 ms. */
const MILLIS_PER_SCRYPT_BLOCK = 0.0004

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
  /** As in ReadHash. */
  readonly memory?: number
  /** Its rounds, where it is PBKDF2. */
  readonly pbkdf2?: { readonly digest: DerivationDigest; readonly iterations: number }
  derive(password: Uint8Array, salt: Uint8Array): Buffer
  /** What a key is that was derived so. Absent: nothing portable. */
  portable?(salt: Buffer, derived: Buffer): PortableHash | null
}

export function isDerivationDigest(name: string | undefined): name is DerivationDigest {
  return name !== undefined && Object.hasOwn(derivationDigests, name)
}

/** The digest of this name, in any case. Throws HashError. */
export function digestNamed(name: string): DerivationDigest {
  const lower = name.toLowerCase()
  if (isDerivationDigest(lower)) return lower
  throw malformed('the digest of PBKDF2 is MD5, SHA-1 or SHA-2')
}

/** Throws HashError before any work. `length`: bytes of the key, each block of which costs all iterations. */
export function pbkdf2(digest: DerivationDigest, iterations: number, length: number): Derivation {
  checkLength(length)
  const { bytes, millis } = derivationDigests[digest]
  affordable(iterations, ceilings.pbkdf2.iterations, 'the iterations of PBKDF2')
  const estimate = iterations * Math.ceil(length / bytes) * millis
  return {
    millis: affordable(estimate, ceilings.pbkdf2.millis, 'the milliseconds of PBKDF2'),
    pbkdf2: { digest, iterations },
    derive: (password, salt) => pbkdf2Sync(password, salt, iterations, length, digest),
    portable: (salt, derived) => portablePbkdf2(digest, iterations, salt, derived),
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
  affordable(width, ceilings.scrypt.r, 'the r of scrypt')
  affordable(lanes, ceilings.scrypt.p, 'the p of scrypt')
  affordable(cost, ceilings.scrypt.n, 'the N of scrypt')
  affordable(128 * cost * width, ceilings.scrypt.bytes, 'the memory of scrypt in bytes')
  const estimate = cost * width * lanes * MILLIS_PER_SCRYPT_BLOCK
  const millis = affordable(estimate, ceilings.scrypt.millis, 'the milliseconds of scrypt')
  if (!Number.isInteger(Math.log2(cost))) throw malformed('the N of scrypt is a power of two')
  const memory = scryptMemory({ cost, width, lanes })
  const maxmem = memory + 1024
  return {
    millis,
    memory,
    derive: (password, salt) => scryptSync(password, salt, length, { N: cost, r: width, p: lanes, maxmem }),
    portable: (salt, derived) => ({
      kind: 'scrypt',
      cost,
      blockSize: width,
      parallelism: lanes,
      salt,
      derived,
    }),
  }
}

/** Bytes that OpenSSL takes: the blocks, those of the lanes, and scratch space. */
export function scryptMemory({ cost, width, lanes }: ScryptCost): number {
  return 128 * width * (cost + lanes + 2)
}

function checkLength(length: number): void {
  const { least, most } = ceilings.pbkdf2.keyBytes
  if (!isWithin(length, ceilings.pbkdf2.keyBytes))
    throw malformed(`a derived key has ${least} to ${most} bytes`)
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
export function boundedBytes(bytes: Buffer | null, name: string, bounds: Bounds): Buffer {
  if (bytes && isWithin(bytes.length, bounds)) return bytes
  throw malformed(`${name} is encoded in ${bounds.least} to ${bounds.most} bytes`)
}

export function saltBytes(bytes: Buffer | null): Buffer {
  return boundedBytes(bytes, 'the salt', ceilings.pbkdf2.saltBytes)
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
  /** What it is made of, where something is done before or after the derivation and it is portable all the same. */
  readonly portable?: () => PortableHash | null
  /** Said where it is not so: most origins are languages whose strings may hold a NUL. */
  readonly nulIsData?: false
}

/** The check of a hash that is a derived key, or a digest of one. */
export function derivedKeyHash(hash: DerivedKeyHash): ReadHash {
  const { scheme, derivation, salt, key, written, prepared, finished, nulIsData = true } = hash
  return {
    scheme,
    millis: derivation.millis,
    ...(derivation.pbkdf2 && { pbkdf2: derivation.pbkdf2 }),
    ...(derivation.memory !== undefined && { memory: derivation.memory }),
    decoy: storedAs(written(decoySalt(salt.length), decoyKey(key.length)), scheme),
    nulIsData,
    ...portably(
      compared(key, (password) => {
        const derived = derivation.derive(prepared ? prepared(password) : password, salt)
        return finished ? finished(derived) : derived
      }),
      () => (hash.portable ? hash.portable() : portableDerivation(hash)),
    ),
  }
}

function portableDerivation({ derivation, salt, key, prepared, finished }: DerivedKeyHash) {
  return prepared || finished ? null : (derivation.portable?.(salt, key) ?? null)
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

/** What a key is that was derived in one way; null where several may be meant. */
export function portableOfOnly(
  derivations: readonly Derivation[],
  salt: Buffer,
  derived: Buffer,
): PortableHash | null {
  const [only, ...others] = derivations
  return others.length === 0 ? (only?.portable?.(salt, derived) ?? null) : null
}
