import type { StoredHash } from '../domain.ts'
import { argon2Digest } from './argon2-library.ts'
import { digestIn } from './compared.ts'
import { HashError, type PasswordDigest, type ReadHash } from './format.ts'
import { argon2Of, PREFIX } from './hardened.ts'
import { withoutDigest } from './hardened-blank.ts'
import { DIGEST_BYTES, isHardened, opened, saltFor, sealed } from './hardened-text.ts'
import type { Hardening } from './hardening.ts'

/** What became of a row, or with `dry` what would become of it. */
export type HardenedRow =
  /** `from`: the legacy scheme. `scheme`: what it counts as now. */
  | { readonly kind: 'wrapped'; readonly from: string; readonly scheme: string; readonly encoded: string }
  /** It was hardened under the previous key: its seal is new, and nothing else. */
  | { readonly kind: 'resealed'; readonly scheme: string; readonly encoded: string }
  | { readonly kind: Left; readonly scheme: string }

/** Why a row is left as it is. */
export type Left =
  | 'hardened'
  /** A guess costs enough as it is. */
  | 'strong'
  /** Weak, and of a family that cannot be wrapped. */
  | 'not-possible'
  /** Nobody can sign in with it. */
  | 'unusable'

export interface HardenDeps {
  readonly hardening: Hardening
  read(stored: StoredHash): ReadHash
  /** Without the work of Argon2, and with `encoded` that is of no use. */
  readonly dry: boolean
}

/**
 * Milliseconds of a check on one core. A legacy hash that costs as much or more is not weak: a guess costs a thief about as
 * much as with the least that OWASP names for Argon2.
 */
const STRONG_MILLIS = 10

/** Hardens a row, if it is weak and can be. Throws for nothing that the row may hold. */
export async function hardenRow(stored: StoredHash, deps: HardenDeps): Promise<HardenedRow> {
  const hash = readOrNothing(stored, deps)
  if (!hash) return { kind: 'unusable', scheme: 'unknown' }
  const { scheme } = hash
  if (isHardened(stored.encoded ?? '')) return resealed(stored, scheme, deps)
  if (hash.millis >= STRONG_MILLIS) return { kind: 'strong', scheme }
  const digest = digestIn(hash)
  const legacy = await withoutDigest(stored, hash, deps.read)
  if (!digest || legacy === null) return { kind: 'not-possible', scheme }
  return wrapped(stored, scheme, digest, legacy, deps)
}

async function wrapped(
  stored: StoredHash,
  scheme: string,
  { expected }: PasswordDigest,
  legacy: string,
  deps: HardenDeps,
): Promise<HardenedRow> {
  const { keys, cost } = deps.hardening
  const [key] = keys
  const salt = saltFor({ key, legacy }, stored.id)
  const written = (digest: Buffer) => sealed({ key, cost, legacy, salt, digest }, stored.id)
  // A long legacy string, or several candidates, may come to more than is read of a stored hash.
  if (!readOrNothing({ ...stored, encoded: written(NOBODYS) }, deps)) return { kind: 'not-possible', scheme }
  const digest = deps.dry ? NOBODYS : await argon2Digest(expected, argon2Of({ cost, salt }))
  return { kind: 'wrapped', from: scheme, scheme: PREFIX + scheme, encoded: written(digest) }
}

const NOBODYS = Buffer.alloc(DIGEST_BYTES, 'Z')

function resealed(stored: StoredHash, scheme: string, { hardening: { keys } }: HardenDeps): HardenedRow {
  const [key] = keys
  const hardened = opened(stored.encoded ?? '', stored.id, keys)
  if (hardened.key.id === key.id) return { kind: 'hardened', scheme }
  return { kind: 'resealed', scheme, encoded: sealed({ ...hardened, key }, stored.id) }
}

function readOrNothing(stored: StoredHash, { read }: HardenDeps): ReadHash | undefined {
  try {
    return read(stored)
  } catch (error) {
    if (error instanceof HashError) return undefined
    throw error
  }
}
