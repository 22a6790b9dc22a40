import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import type { HashContext } from './context.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import { DERIVED_BYTES, enciphered, portableFirebase, SIGNER_BYTES } from './firebase-scrypt-kratos.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { boundedBytes, derivedKeyHash, saltBytes, scrypt } from './key-derivation.ts'

const SIGNER_KEY = 'firebase_signer_key'
const SEPARATOR = 'firebase_salt_separator'
const ROUNDS = 'firebase_rounds'
const MEMORY_COST = 'firebase_mem_cost'
/** What every project of Firebase has. */
const DEFAULTS = { [ROUNDS]: 8, [MEMORY_COST]: 14 }
/** Longer ones are refused as too costly in any case. */
const MAX_LOG2 = 31
/** What `auth:export` of Firebase writes; its API writes the digits of URLs. */
const WHOLE = /^([A-Za-z0-9+/_-]{20,180}={0,2})(?::([A-Za-z0-9+/_-]{0,340}={0,2}))?$/

/** Firebase's modified scrypt. The parameters of the project are secrets of the operator's. */
export const firebaseScrypt: Family = {
  name: 'firebase-scrypt',
  note: `base64; the salt in its own column or behind a colon. Secrets: \`${SIGNER_KEY}\` and \`${SEPARATOR}\` in base64, and where they are not 8 and 14 \`${ROUNDS}\` and \`${MEMORY_COST}\``,
  sources: 'Firebase Auth',
  ceiling: ceilingWords.scrypt,
  example: written(Buffer.from('carryover'), Buffer.alloc(64, 'Z')),
  shape: WHOLE,
  byNameOnly: true,
  read,
}

function read(encoded: string, stored: StoredHash, { secrets }: HashContext): ReadHash {
  const signerKey = secretBytes(secrets, SIGNER_KEY, SIGNER_BYTES)
  const separator = secretBytes(secrets, SEPARATOR, { least: 0, most: 64 })
  const memoryCost = secretNumber(secrets, MEMORY_COST)
  const width = secretNumber(secrets, ROUNDS)
  const derivation = scrypt({ cost: 2 ** Math.min(memoryCost, MAX_LOG2), width, lanes: 1 }, DERIVED_BYTES)
  const [, digest = '', inline] = WHOLE.exec(encoded) ?? []
  const salt = inline ?? stored.salt
  if (!salt) throw new HashError('bad-salt', 'a Firebase hash needs the salt of the row')
  const own = saltOf(salt)
  // A key cut short would match by what is left of it.
  const key = boundedBytes(bytesOf(digest), 'the hash', { least: signerKey.length, most: signerKey.length })
  return derivedKeyHash({
    scheme: firebaseScrypt.name,
    derivation,
    salt: Buffer.concat([own, separator]),
    key,
    written: (_, otherKey) => written(Buffer.from('carryover'), otherKey),
    finished: (derived) => enciphered(signerKey, derived),
    // With the signer key, which every hash of a project is of no use without.
    portable: () =>
      portableFirebase({
        memoryCost,
        rounds: width,
        lanes: 1,
        salt: own,
        saltSeparator: separator,
        signerKey,
        digest: key,
      }),
  })
}

function saltOf(text: string): Buffer {
  try {
    return saltBytes(bytesOf(text.trim()))
  } catch {
    throw new HashError('bad-salt', 'the salt of a Firebase hash is base64')
  }
}

function written(salt: Buffer, key: Buffer): string {
  return `${key.toString('base64')}:${salt.toString('base64')}`
}

function bytesOf(text: string): Buffer | null {
  const standard = text.replaceAll('-', '+').replaceAll('_', '/')
  return bytesOfPaddedBase64(standard.padEnd(4 * Math.ceil(standard.length / 4), '='))
}

function secretBytes(
  secrets: HashContext['secrets'],
  name: string,
  { least, most }: { readonly least: number; readonly most: number },
): Buffer {
  const text = secrets.get(name)
  if (text === undefined) throw new HashError('bad-recipe', `the secret ${name} is not set`)
  const bytes = bytesOf(text.toString('latin1').trim())
  if (!bytes || bytes.length < least || bytes.length > most)
    throw new HashError('bad-recipe', `the secret ${name} is base64 of ${least} to ${most} bytes`)
  return bytes
}

function secretNumber(secrets: HashContext['secrets'], name: keyof typeof DEFAULTS): number {
  const text = secrets.get(name)?.toString('latin1').trim()
  if (text === undefined) return DEFAULTS[name]
  if (!/^[1-9]\d?$/.test(text)) throw new HashError('bad-recipe', `the secret ${name} is a whole number`)
  return Number(text)
}
