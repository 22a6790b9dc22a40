import { createHash } from 'node:crypto'
import { affordable, ceilings, ceilingWords, isWithin } from './ceilings.ts'
import { compared } from './compared.ts'
import { cryptRounds } from './crypt-rounds.ts'
import { bytesOfHex } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { decoySalt, malformed, storedAs } from './key-derivation.ts'

const SALT_BYTES = 20
/** The number is of thousands of rounds, in hexadecimal: three digits, of which the default uses one. */
const ROUNDS_PER_UNIT = 1000
/** One round of a short password. The plugin takes no password above 256 bytes. */
const MILLIS_PER_ROUND = 0.00028
const DIGEST_CHARACTERS = 43

const PLAIN = /^\$A\$([0-9a-f]{3})\$([\s\S]{20})([./0-9A-Za-z]{43})$/i
/** hashcat's and john's way to print it: salt and digest in hexadecimal. */
const PRINTED = /^\$mysql\$A\$([0-9a-f]{3})\*([0-9a-f]{40})\*([0-9a-f]{86})$/i

/** caching_sha2_password of MySQL 8: SHA-256 crypt over a salt of 20 bytes, of which any may be unprintable. */
export const mysqlCachingSha2: Family = {
  name: 'mysql-caching-sha2',
  note: '$A$005$ as in mysql.user, or $mysql$A$ with salt and digest in hexadecimal',
  sources: 'MySQL 8',
  ceiling: ceilingWords.cachingSha2,
  example: `$A$005$${decoySalt(SALT_BYTES)}${'Z'.repeat(DIGEST_CHARACTERS - 1)}.`,
  shape: /^\$(?:mysql\$)?A\$[0-9a-f]{3}[$*]/i,
  read,
}

function read(encoded: string): ReadHash {
  const { units, salt, digest } = partsOf(encoded)
  const rounds = affordable(
    Number.parseInt(units, 16) * ROUNDS_PER_UNIT,
    ceilings.cachingSha2.rounds,
    'the rounds of caching_sha2_password',
  )
  return {
    scheme: mysqlCachingSha2.name,
    millis: rounds * MILLIS_PER_ROUND,
    decoy: storedAs(`$A$${units}$${decoySalt(SALT_BYTES)}${'Z'.repeat(DIGEST_CHARACTERS - 1)}.`),
    ...compared(digest, (password) =>
      // Quadratic in the length, so longer ones are a mismatch: the server would not have taken them.
      isWithin(password.length, ceilings.cachingSha2.passwordBytes)
        ? Buffer.from(crypt64(sha256Crypt(password, salt, rounds)))
        : null,
    ),
  }
}

function partsOf(encoded: string): { units: string; salt: Buffer; digest: Buffer } {
  const [, units, salt, digest] = PLAIN.exec(encoded) ?? []
  if (units !== undefined && salt !== undefined && digest !== undefined) {
    // A text that is not UTF-8 cannot have reached us, so these are the bytes of the column.
    const saltBytes = Buffer.from(salt)
    if (saltBytes.length === SALT_BYTES) return { units, salt: saltBytes, digest: Buffer.from(digest) }
  }
  const [, printedUnits, printedSalt = '', printedDigest = ''] = PRINTED.exec(encoded) ?? []
  const saltBytes = bytesOfHex(printedSalt)
  const digestBytes = bytesOfHex(printedDigest)
  if (printedUnits === undefined || !saltBytes || !digestBytes) {
    throw malformed('a caching_sha2_password hash has three digits, 20 bytes of salt and 43 characters')
  }
  return { units: printedUnits, salt: saltBytes, digest: digestBytes }
}

/** SHA-crypt of Ulrich Drepper with SHA-256, but with the whole salt instead of 16 characters. */
function sha256Crypt(password: Uint8Array, salt: Buffer, rounds: number): Buffer {
  const length = password.length
  const b = createHash('sha256').update(password).update(salt).update(password).digest()
  const a = createHash('sha256').update(password).update(salt).update(repeated(b, length))
  for (let bits = length; bits > 0; bits >>= 1) a.update(bits & 1 ? b : password)
  const first = a.digest()
  const passwords = createHash('sha256')
  for (let count = 0; count < length; count += 1) passwords.update(password)
  const p = repeated(passwords.digest(), length)
  const salts = createHash('sha256')
  for (let count = 0; count < 16 + (first[0] ?? 0); count += 1) salts.update(salt)
  const s = repeated(salts.digest(), salt.length)
  return cryptRounds('sha256', { first, password: p, salt: s, rounds })
}

function repeated(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes)
}

const CRYPT64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Drepper's order of the bytes: three at a time from the thirds of the digest, lowest six bits first. */
function crypt64(digest: Buffer): string {
  let text = ''
  let [first, second, third] = [0, 10, 20]
  for (let group = 0; group < 10; group += 1) {
    text += sixes([digest[first] ?? 0, digest[second] ?? 0, digest[third] ?? 0], 4)
    ;[first, second, third] = [third + 1, first + 1, second + 1]
  }
  return text + sixes([0, digest[31] ?? 0, digest[30] ?? 0], 3)
}

function sixes([high, middle, low]: readonly [number, number, number], count: number): string {
  const value = (high << 16) | (middle << 8) | low
  return Array.from({ length: count }, (_, index) => CRYPT64.charAt((value >> (6 * index)) & 63)).join('')
}
