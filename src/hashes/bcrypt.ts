import { timingSafeEqual } from 'node:crypto'
import { hashSync } from 'bcryptjs'
import type { EksKey } from './eksblowfish.ts'
import { eksBlowfish, guardedKey, plainKey, signExtendedKey } from './eksblowfish.ts'
import { bytesOfBase64, textOfUtf8, unpadded } from './encodings.ts'
import type { HashFormat, ReadHash } from './format.ts'
import { HashError } from './format.ts'

/** bcrypt itself starts at 4; a smaller figure is a damaged row. */
const MIN_COST = 4
/** Cost 14 takes more than a second here, and the strictest caller waits three. No platform's default exceeds 12. */
const MAX_COST = 14
/** One round on one core of an ordinary server: cost 10 takes about 70 ms. */
const MILLIS_PER_ROUND = 0.07
/** bcrypt ignores the rest of a password. A login that worked with it before must go on working. */
const KEY_BYTES = 72

const WHOLE = /^\$2([abxy]?)\$(\d\d)\$([./A-Za-z0-9]{22})([./A-Za-z0-9]{31})$/
const DECOY_SALT = 'CarryoverCarryoverCarO'
const DECOY_DIGEST = 'nobodyKnowsAPasswordForThisHas.'

export const bcrypt: HashFormat = {
  name: 'bcrypt',
  note: '$2$, $2a$, $2b$, $2x$ and $2y$, cost 4 to 14; 72 bytes of the password count',
  example: `$2b$10$${DECOY_SALT}${DECOY_DIGEST}`,
  shape: /^\$2[abxy]?\$/,
  read,
}

function read(encoded: string): ReadHash {
  const { revision, cost, digits, digestBytes, digestOf } = readParts(encoded)
  return {
    scheme: bcrypt.name,
    millis: 2 ** cost * MILLIS_PER_ROUND,
    decoy: {
      encoded: `$2${revision}$${digits}$${DECOY_SALT}${DECOY_DIGEST}`,
      scheme: null,
      salt: null,
      login: '',
      id: '',
    },
    matches: (password) => timingSafeEqual(digestOf(password), digestBytes),
  }
}

/** What crypt() answers for this password with the salt and the cost of a stored hash. Throws HashError. */
export function bcryptText(encoded: string, password: Uint8Array): Buffer {
  const { digestOf } = readParts(encoded)
  return Buffer.from(encoded.slice(0, -DIGEST_CHARACTERS) + bcrypt64OfBytes(digestOf(password)), 'latin1')
}

/** The digest that ends a stored hash, as text. */
const DIGEST_CHARACTERS = 31

function readParts(encoded: string) {
  const [, revision, digits, salt, digest] = WHOLE.exec(encoded) ?? []
  if (revision === undefined || digits === undefined || salt === undefined || digest === undefined) {
    throw new HashError(
      'malformed',
      'a bcrypt hash has a two-digit cost and 53 characters of salt and digest',
    )
  }
  const cost = affordableCost(digits)
  const saltBytes = bytesOfBcrypt64(salt)
  const digestBytes = bytesOfBcrypt64(digest)
  if (!saltBytes || !digestBytes) {
    throw new HashError('malformed', 'the spare bits of the salt and of the digest of a bcrypt hash are zero')
  }
  const digestOf = workOf(revision, { cost, digits, salt, saltBytes })
  return { revision, cost, digits, digestBytes, digestOf }
}

function affordableCost(digits: string): number {
  const cost = Number(digits)
  if (cost < MIN_COST) throw new HashError('malformed', `a bcrypt cost is at least ${MIN_COST}`)
  if (cost > MAX_COST) throw new HashError('too-costly', `a bcrypt cost may be at most ${MAX_COST}`)
  return cost
}

interface Parameters {
  readonly cost: number
  readonly digits: string
  readonly salt: string
  readonly saltBytes: Buffer
}

/** How each revision makes its digest. bcryptjs knows neither `$2$` nor `$2x$`, and takes text only. */
function workOf(
  revision: string,
  { cost, digits, salt, saltBytes }: Parameters,
): (password: Uint8Array) => Buffer {
  const bytewise = (key: EksKey) => eksBlowfish(key, saltBytes, cost)
  const textwise = (keyOf: (bytes: Uint8Array) => EksKey) => (password: Uint8Array) => {
    const text = textOfUtf8(password)
    if (text === null) return bytewise(keyOf(terminated(password)))
    return digestIn(hashSync(text, `$2b$${digits}$${salt}`))
  }
  if (revision === '') return (password) => bytewise(plainKey(unterminated(password)))
  if (revision === 'x') return (password) => bytewise(signExtendedKey(terminated(password)))
  return textwise(revision === 'a' ? guardedKey : plainKey)
}

/** The final NUL of the C string belongs to the key since `$2a$`. */
function terminated(password: Uint8Array): Uint8Array {
  return Buffer.concat([password.subarray(0, KEY_BYTES), Buffer.alloc(1)])
}

/** `$2$` repeats the password without its final NUL. Of the empty password only the NUL is left. */
function unterminated(password: Uint8Array): Uint8Array {
  return password.length === 0 ? Buffer.alloc(1) : password.subarray(0, KEY_BYTES)
}

function digestIn(encoded: string): Buffer {
  const bytes = bytesOfBcrypt64(encoded.slice(-DIGEST_CHARACTERS))
  if (!bytes) throw new Error('bcryptjs returned something other than a bcrypt hash')
  return bytes
}

const BCRYPT64 = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

function bytesOfBcrypt64(text: string): Buffer | null {
  return bytesOfBase64(
    unpadded(text.replace(/./g, (character) => BASE64.charAt(BCRYPT64.indexOf(character)))),
  )
}

function bcrypt64OfBytes(bytes: Buffer): string {
  return unpadded(bytes.toString('base64')).replace(/./g, (character) =>
    BCRYPT64.charAt(BASE64.indexOf(character)),
  )
}
