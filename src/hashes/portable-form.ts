import type { PortableHash } from '../portable-hash.ts'
import type { ReadHash } from './format.ts'

/** The digests that portable hashes are made with. */
export type PortableAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha512'

const ALGORITHMS: readonly PortableAlgorithm[] = ['md5', 'sha1', 'sha256', 'sha512']

/** A check, and what the hash that it checks is made of. `made` is called when somebody asks; null: of nothing portable. */
export function portably(
  check: Pick<ReadHash, 'matches' | 'digest'>,
  made: () => PortableHash | null,
): Pick<ReadHash, 'matches' | 'digest' | 'portable'> {
  return { ...check, portable: { made, checkedBy: check.matches } }
}

/** The same for a check that comes to what the check of `inner` comes to. */
export function portablyAs(inner: ReadHash, checkedBy: ReadHash['matches']): Pick<ReadHash, 'portable'> {
  return inner.portable?.checkedBy === inner.matches ? { portable: { ...inner.portable, checkedBy } } : {}
}

/**
 * What a read hash is made of. A hash that was given another check than the one that its family made, such as one that
 * prepares the password, is not made of that.
 */
export function portableIn({ portable, matches }: ReadHash): PortableHash | null {
  return portable?.checkedBy === matches ? portable.made() : null
}

/** A digest of salt and password; null where the algorithm is none of the portable ones. Without bytes there is no salt. */
export function portableDigest(
  algorithm: string,
  digest: Buffer,
  position: 'prefix' | 'suffix',
  salt: Buffer,
): PortableHash | null {
  const known = portableAlgorithm(algorithm)
  return (
    known && { kind: 'digest', algorithm: known, digest, salt: salt.length === 0 ? null : salt, position }
  )
}

export function portableHmac(algorithm: string, digest: Buffer, key: Buffer): PortableHash | null {
  const known = portableAlgorithm(algorithm)
  return known && { kind: 'hmac', algorithm: known, digest, key }
}

export function portablePbkdf2(
  algorithm: string,
  iterations: number,
  salt: Buffer,
  derived: Buffer,
): PortableHash | null {
  const known = portableAlgorithm(algorithm)
  return known === null || known === 'md5'
    ? null
    : { kind: 'pbkdf2', algorithm: known, iterations, salt, derived }
}

function portableAlgorithm(name: string): PortableAlgorithm | null {
  return ALGORITHMS.find((known) => known === name) ?? null
}
