import { createHmac } from 'node:crypto'
import { type Argon2idCost, argon2idCost } from './argon2.ts'
import { HashError } from './format.ts'

/** What hardened hashes are sealed with, and what a new one costs. May be handed to a thread. */
export interface Hardening {
  /** The first one seals; a hash that any of them has sealed can be read. */
  readonly keys: readonly [HardeningKey, ...HardeningKey[]]
  readonly cost: Argon2idCost
}

/** One secret of the operator's, as keys for one purpose each. */
export interface HardeningKey {
  /** Eight hexadecimal digits, which stand in every hash that the key has sealed. */
  readonly id: string
  readonly seal: Uint8Array
  readonly nonce: Uint8Array
  readonly salt: Uint8Array
}

/** The secrets of the operator's that hardened hashes are read with. No recipe may use them. */
export const HARDENING_KEY = 'hardening_key'
export const PREVIOUS_HARDENING_KEY = 'hardening_key_previous'

/** Below this a key could be guessed. */
const LEAST_KEY_BYTES = 32
const ID_DIGITS = 8

/** A key or a cost that cannot be. The message names the setting and repeats nothing of it. */
export class HardeningError extends Error {}

/** undefined: there is no key, so that no hash can be hardened and none that is can be read. Throws HardeningError. */
export function hardeningOf(secrets: ReadonlyMap<string, Buffer>, cost: Argon2idCost): Hardening | undefined {
  const secret = secrets.get(HARDENING_KEY)
  const previous = secrets.get(PREVIOUS_HARDENING_KEY)
  if (secret === undefined) {
    if (previous === undefined) return undefined
    throw new HardeningError(`HASH_SECRETS_DIR has ${PREVIOUS_HARDENING_KEY} without ${HARDENING_KEY}`)
  }
  try {
    argon2idCost(cost)
  } catch (error) {
    if (!(error instanceof HashError)) throw error
    throw new HardeningError(`HARDEN_MEMORY_KIB, HARDEN_PASSES and HARDEN_LANES: ${error.message}`)
  }
  const first = keyOf(HARDENING_KEY, secret)
  const second = previous === undefined ? first : keyOf(PREVIOUS_HARDENING_KEY, previous)
  return { keys: second.id === first.id ? [first] : [first, second], cost }
}

/** The secrets that recipes may use. */
export function recipeSecrets(secrets: ReadonlyMap<string, Buffer>): ReadonlyMap<string, Buffer> {
  const own = [HARDENING_KEY, PREVIOUS_HARDENING_KEY]
  return new Map([...secrets].filter(([name]) => !own.includes(name)))
}

function keyOf(name: string, secret: Buffer): HardeningKey {
  if (secret.length < LEAST_KEY_BYTES)
    throw new HardeningError(`HASH_SECRETS_DIR: ${name} has ${LEAST_KEY_BYTES} bytes at least`)
  const derived = (purpose: string) =>
    createHmac('sha256', secret).update(`carryover hardened 1 ${purpose}`).digest()
  return {
    id: derived('id').toString('hex').slice(0, ID_DIGITS),
    seal: derived('seal'),
    nonce: derived('nonce'),
    salt: derived('salt'),
  }
}
