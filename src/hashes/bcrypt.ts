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

/** The last characters of salt and digest carry spare bits, which are zero. */
const WHOLE = /^\$2([abxy]?)\$(\d\d)\$([./A-Za-z0-9]{21}[.Oeu])([./A-Za-z0-9]{30}[.CGKOSWaeimquy26])$/
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
  if (!WHOLE.test(encoded)) {
    throw new HashError(
      'malformed',
      'a bcrypt hash has a two-digit cost and 53 characters of salt and digest, whose spare bits are zero',
    )
  }
  const { cost, millis, decoy } = parametersOf(encoded.slice(0, encoded.indexOf('$', 1) + 4))
  return {
    scheme: bcrypt.name,
    millis,
    decoy,
    // Taken apart here and not before: a load reads millions of hashes and checks none.
    matches: (password) => {
      const [, revision = '', digits = '', salt = '', digest = ''] = WHOLE.exec(encoded) ?? []
      const digestOf = workOf(revision, { cost, digits, salt })
      return timingSafeEqual(digestOf(password), bytesOfBcrypt64(digest))
    },
  }
}

/** What all hashes of one revision and cost have in common. There are five revisions and eleven costs. */
const known = new Map<string, { cost: number } & Pick<ReadHash, 'millis' | 'decoy'>>()

/** @param prefix up to the third dollar sign */
function parametersOf(prefix: string) {
  const found = known.get(prefix)
  if (found) return found
  const cost = affordableCost(prefix.slice(-3, -1))
  const encoded = prefix + DECOY_SALT + DECOY_DIGEST
  const made = {
    cost,
    millis: 2 ** cost * MILLIS_PER_ROUND,
    decoy: { encoded, scheme: null, salt: null, login: '', id: '' },
  }
  known.set(prefix, made)
  return made
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
}

/** How each revision makes its digest. bcryptjs knows neither `$2$` nor `$2x$`, and takes text only. */
function workOf(revision: string, { cost, digits, salt }: Parameters): (password: Uint8Array) => Buffer {
  const bytewise = (key: EksKey) => eksBlowfish(key, bytesOfBcrypt64(salt), cost)
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
  return bytesOfBcrypt64(encoded.slice(-31))
}

const BCRYPT64 = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

function bytesOfBcrypt64(text: string): Buffer {
  const standard = text.replace(/./g, (character) => BASE64.charAt(BCRYPT64.indexOf(character)))
  const bytes = bytesOfBase64(unpadded(standard))
  if (bytes === null) throw new Error('salt and digest of bcrypt were read before')
  return bytes
}
