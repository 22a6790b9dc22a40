import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import type { Argon2idCost } from './argon2.ts'
import { bytesOfBase64, unpadded } from './encodings.ts'
import { HashError } from './format.ts'
import type { HardeningKey } from './hardening.ts'

/** What the stored string of a hardened hash says, its seal broken. */
export interface Hardened {
  readonly key: HardeningKey
  readonly cost: Argon2idCost
  /** The legacy string with nothing in the place of its digest. */
  readonly legacy: string
  readonly salt: Buffer
  /** Argon2id of the legacy digest. */
  readonly digest: Buffer
}

/** Bytes. */
export const DIGEST_BYTES = 32
const SALT_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16

const START = '$carryover$'
/** The seal stands last, so that no truncation is a hash. What stands before the salt may hold anything. */
const WHOLE =
  /^\$carryover\$v=1\$k=([0-9a-f]{8})\$m=([1-9]\d{0,6}),t=([1-9]\d?),p=([1-9]\d?)\$(.+)\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{80})$/s

export function isHardened(encoded: string): boolean {
  return encoded.startsWith(START)
}

/**
 * Reads a hardened string. Throws HashError: `missing-secret` where it was sealed with a key that is not here,
 * `malformed` where it was changed, or was sealed for the row of another id.
 */
export function opened(encoded: string, id: string, keys: readonly HardeningKey[]): Hardened {
  const [, keyId, kibibytes, passes, lanes, legacy, saltText, sealedText] = WHOLE.exec(encoded) ?? []
  const salt = bytesOfBase64(saltText ?? '')
  const sealed = bytesOfBase64(sealedText ?? '')
  if (legacy === undefined || !salt || !sealed)
    throw new HashError('malformed', 'a hardened hash has a key, a cost, a legacy string, a salt and a seal')
  const key = keys.find((known) => known.id === keyId)
  if (!key) throw new HashError('missing-secret', 'the key of a hardened hash is not in HASH_SECRETS_DIR')
  const cost = { kibibytes: Number(kibibytes), passes: Number(passes), lanes: Number(lanes) }
  const digest = unsealed(key, sealed, boundTo(id, unsealedPart({ key, cost, legacy, salt })))
  return { key, cost, legacy, salt, digest }
}

/** Writes a hardened string for the row of this id. The same is written for the same. */
export function sealed(hardened: Hardened, id: string): string {
  const { key, digest } = hardened
  const part = unsealedPart(hardened)
  const bound = boundTo(id, part)
  const nonce = createHmac('sha256', key.nonce).update(bound).update(digest).digest().subarray(0, NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key.seal, nonce).setAAD(bound)
  const bytes = [nonce, cipher.update(digest), cipher.final(), cipher.getAuthTag()]
  return `${part}$${Buffer.concat(bytes).toString('base64')}`
}

/**
 * The salt of a row. Not random, so that the same row is hardened to the same string whenever it is loaded; and not made of
 * the digest, so that a thief of dump and key has nothing to compare guesses with but Argon2.
 */
export function saltFor({ key, legacy }: Pick<Hardened, 'key' | 'legacy'>, id: string): Buffer {
  return createHmac('sha256', key.salt).update(boundTo(id, legacy)).digest().subarray(0, SALT_BYTES)
}

function unsealedPart({ key, cost, legacy, salt }: Omit<Hardened, 'digest'>): string {
  const { kibibytes, passes, lanes } = cost
  const settings = `v=1$k=${key.id}$m=${kibibytes},t=${passes},p=${lanes}`
  return `${START}${settings}$${legacy}$${unpadded(salt.toString('base64'))}`
}

/** Neither an id nor a stored string of PostgreSQL has a NUL. */
function boundTo(id: string, text: string): Buffer {
  return Buffer.from(`${id}\0${text}`)
}

function unsealed(key: HardeningKey, bytes: Buffer, bound: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key.seal, bytes.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(bound).setAuthTag(bytes.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    throw new HashError('malformed', 'a hardened hash was changed, or is that of another row')
  }
}
