import type { StoredHash } from '../domain.ts'
import { argon2idCost } from './argon2.ts'
import { argon2Digest } from './argon2-library.ts'
import { affordable, ceilings } from './ceilings.ts'
import { digestIn } from './compared.ts'
import type { HashContext } from './context.ts'
import { equalBytes } from './equal-bytes.ts'
import { HashError, type PasswordDigest, type ReadHash } from './format.ts'
import { isBlank } from './hardened-blank.ts'
import { DIGEST_BYTES, type Hardened, isHardened, opened, saltFor, sealed } from './hardened-text.ts'
import type { Hardening } from './hardening.ts'

/** What a hardened hash is recorded as: its legacy scheme behind this. */
export const HARDENED = 'hardened'
export const PREFIX = `${HARDENED}:`

/** The legacy scheme of a hash that is recorded as hardened. */
export function schemeInside(scheme: string): string | undefined {
  return scheme.startsWith(PREFIX) ? scheme.slice(PREFIX.length) : undefined
}

/**
 * Reads a hardened hash: Argon2id of what the legacy scheme makes of a password, under a key. Throws HashError.
 * `read` reads the legacy string in the same row.
 */
export function readHardened(
  encoded: string,
  stored: StoredHash,
  { hardening }: HashContext,
  read: (stored: StoredHash) => ReadHash,
): ReadHash {
  const hardened = opened(encoded, stored.id, hardening?.keys ?? [])
  const { cost, legacy } = hardened
  if (isHardened(legacy)) throw new HashError('malformed', 'no hash is hardened twice')
  const inner = read({ ...stored, encoded: legacy })
  const digest = digestIn(inner)
  if (!digest || !isBlank(legacy, inner))
    throw new HashError('malformed', 'a hardened hash has a legacy string without its digest')
  const { millis, memory } = argon2idCost(cost)
  return {
    scheme: PREFIX + inner.scheme,
    millis: affordable(
      inner.millis + digest.most * millis,
      ceilings.check.millis,
      'the milliseconds of a hardened hash',
    ),
    memory: Math.max(memory, inner.memory ?? 0),
    native: 'argon2',
    nulIsData: inner.nulIsData === true,
    // Worked out when it is asked for: a load reads millions of hashes, and uses the decoy of none.
    get decoy() {
      const constant = Buffer.alloc(DIGEST_BYTES, 'Z')
      return { ...stored, id: '', encoded: sealed({ ...hardened, digest: constant }, '') }
    },
    matches: (password) => matches(password, digest, hardened),
  }
}

async function matches(password: Uint8Array, legacy: PasswordDigest, hardened: Hardened): Promise<boolean> {
  const made = await legacy.of(password)
  // Where the legacy scheme takes no such password, the work is done all the same.
  const tried = made.length === 0 ? [Buffer.alloc(legacy.expected.length)] : made
  let found = false
  for (const bytes of tried) {
    const digest = await argon2Digest(bytes, argon2Of(hardened))
    if (equalBytes(digest, hardened.digest) && made.length > 0) found = true
  }
  return found
}

/** The parameters that the digest of a hardened hash is made with. */
export function argon2Of({ cost, salt }: Pick<Hardened, 'cost' | 'salt'>) {
  return { type: 'argon2id', version: 19, ...cost, salt, data: NOTHING, length: DIGEST_BYTES } as const
}

const NOTHING = new Uint8Array()

/** A hardened hash of a legacy scheme that nobody knows a password of. `blank`: a string of the scheme without its digest. */
export function hardenedExample(blank: StoredHash, { keys: [key], cost }: Hardening): StoredHash {
  const legacy = blank.encoded ?? ''
  const salt = saltFor({ key, legacy }, blank.id)
  const digest = Buffer.alloc(DIGEST_BYTES, 'Z')
  return { ...blank, encoded: sealed({ key, cost, legacy, salt, digest }, blank.id) }
}
