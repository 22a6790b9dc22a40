import { pbkdf2Sync } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { ceilings } from './ceilings.ts'
import { sameBytes } from './crypt64.ts'
import type { ReadHash } from './format.ts'
import { HashError } from './format.ts'

export type Pbkdf2Digest = 'sha1' | 'sha256' | 'sha512'

const DIGEST_BYTES: Readonly<Record<Pbkdf2Digest, number>> = { sha1: 20, sha256: 32, sha512: 64 }
/** One iteration makes as many bytes as the digest has; longer keys take that for each part. */
const MILLIS_PER_ITERATION: Readonly<Record<Pbkdf2Digest, number>> = {
  sha1: 0.0003,
  sha256: 0.0004,
  sha512: 0.0006,
}
const MAX_MILLIS = ceilings.pbkdf2.millis.most
const MAX_ITERATIONS = ceilings.pbkdf2.iterations.most
const SALT_BYTES = { least: 1, most: 128 }
/** Below 16 bytes chance would come into reach; 389 Directory Server writes 256. */
const KEY_BYTES = { least: 16, most: 256 }

export interface Pbkdf2Hash {
  readonly scheme: string
  readonly digest: Pbkdf2Digest
  readonly iterations: number
  readonly salt: Buffer
  readonly key: Buffer
  readonly decoy: StoredHash
  /** What the password becomes first. */
  readonly prepare?: (password: Uint8Array) => Uint8Array
}

/** Checks the bounds of all parts. Throws HashError. */
export function readPbkdf2({ scheme, digest, iterations, salt, key, decoy, prepare }: Pbkdf2Hash): ReadHash {
  requireLength(scheme, 'salt', salt, SALT_BYTES)
  requireLength(scheme, 'key', key, KEY_BYTES)
  const millis = affordableMillis(scheme, { digest, iterations, bytes: key.length })
  return {
    scheme,
    millis,
    decoy,
    matches: (password) =>
      sameBytes(
        pbkdf2Sync(prepare ? prepare(password) : password, salt, iterations, key.length, digest),
        key,
      ),
  }
}

export interface Pbkdf2Cost {
  readonly digest: Pbkdf2Digest
  readonly iterations: number
  readonly bytes: number
}

/** What the work takes. Throws HashError where that is too much. */
export function affordableMillis(scheme: string, { digest, iterations, bytes }: Pbkdf2Cost): number {
  if (iterations < 1) throw new HashError('malformed', `hashes of ${scheme} have at least one iteration`)
  const millis = iterations * Math.ceil(bytes / DIGEST_BYTES[digest]) * MILLIS_PER_ITERATION[digest]
  if (iterations > MAX_ITERATIONS || millis > MAX_MILLIS) {
    throw new HashError('too-costly', `hashes of ${scheme} may take at most ${MAX_MILLIS} ms`)
  }
  return millis + 0.02
}

function requireLength(
  scheme: string,
  part: string,
  bytes: Buffer,
  { least, most }: { least: number; most: number },
): void {
  if (bytes.length < least || bytes.length > most) {
    throw new HashError('malformed', `hashes of ${scheme} have ${least} to ${most} bytes of ${part}`)
  }
}
