import { pbkdf2Sync, scryptSync } from 'node:crypto'
import { ceilings } from './ceilings.ts'
import { inCodePage } from './code-pages.ts'
import type { Digest } from './digests/digest.ts'
import { digestFunctions } from './digests/digest.ts'
import { bytesOfBase64, bytesOfHex, textOfUtf8 } from './encodings.ts'
import { HashError } from './format.ts'
import { scryptMemory } from './key-derivation.ts'
import { saslPrepared } from './saslprep.ts'

const NOTHING = Buffer.alloc(0)

/**
 * How a value is written. `raw`: the bytes of a digest. `hex`, `base64`: a digest as text. `open`: nothing that
 * a stored hash could be, such as the password itself.
 */
export type Form = 'raw' | 'hex' | 'base64' | 'open'

/** One function of the notation. Bytes in, bytes out; null when the bytes cannot be read that way. */
export interface RecipeFunction {
  /** What stands between its parentheses. A number is a place or a length, a count is a cost. */
  readonly takes: readonly ('bytes' | 'number' | 'count')[]
  /** Throws HashError for counts and lengths that are out of bounds. */
  check?(numbers: readonly number[]): void
  apply(values: readonly Buffer[], numbers: readonly number[]): Buffer | null
  /** Bytes of the longest result for arguments of these lengths; exact for every form but `open`. */
  longest(lengths: readonly number[], numbers: readonly number[]): number
  form(argument: Form): Form
  /** Milliseconds on one core for arguments of these lengths; absent: it only reads them once. */
  millis?(lengths: readonly number[], numbers: readonly number[]): number
  /** Bytes that it holds outside of JavaScript; absent: nothing worth counting. */
  memory?(numbers: readonly number[]): number
}

/** The bytes of every digest: each has an HMAC and is a scheme of its own name. */
export const digests: ReadonlyMap<string, number> = new Map(
  Array.from(digestFunctions, ([name, { bytes }]) => [name, bytes]),
)

export const recipeFunctions: ReadonlyMap<string, RecipeFunction> = new Map([
  ...Array.from(digestFunctions, ([name, found]) => [name, digest(found)] as const),
  ...Array.from(digestFunctions, ([name, found]) => [`hmac_${name}`, hmac(found)] as const),
  ...Array.from(digestFunctions).flatMap(([name, found]) => {
    const derived = pbkdf2(found)
    return derived ? [[`pbkdf2_${name}`, derived] as const] : []
  }),
  ['scrypt', scrypt()],
  ['hex', hexadecimal((text) => text)],
  ['HEX', hexadecimal((text) => text.toUpperCase())],
  [
    'b64',
    {
      takes: ['bytes'],
      apply: ([bytes = NOTHING]) => Buffer.from(bytes.toString('base64'), 'latin1'),
      longest: ([length = 0]) => 4 * Math.ceil(length / 3),
      form: (argument) => (argument === 'open' ? 'open' : 'base64'),
    },
  ],
  ['unhex', decoder((bytes) => bytesOfHex(bytes.toString('latin1')), 1 / 2)],
  ['unb64', decoder((bytes) => bytesOfBase64(bytes.toString('latin1')), 3 / 4)],
  ['utf16le', decoder((bytes) => recoded(bytes, 'utf16le'), 2)],
  ['utf16be', decoder((bytes) => recoded(bytes, 'utf16le')?.swap16() ?? null, 2)],
  ['latin1', decoder(latin1, 1)],
  ...(['cp1252', 'cp437', 'cp850'] as const).map(
    (page) => [page, decoder((bytes) => inCodePage(bytes, page), 1)] as const,
  ),
  // UTF-8 grows by these factors at most (Unicode Standard Annex 15).
  ['nfc', decoder((bytes) => normalized(bytes, 'NFC'), 3)],
  ['nfkc', decoder((bytes) => normalized(bytes, 'NFKC'), 11)],
  ['saslprep', decoder(saslprep, 11)],
  ['lower', asciiCase(0x41, 0x5a, 0x20)],
  ['upper', asciiCase(0x61, 0x7a, -0x20)],
  ['trim', decoder(trimmed, 1)],
  [
    'substr',
    {
      takes: ['bytes', 'number', 'number'],
      apply: ([bytes = NOTHING], [from = 0, length = 0]) => bytes.subarray(from, from + length),
      longest: ([total = 0], [from = 0, length = 0]) => Math.min(length, Math.max(0, total - from)),
      form: (argument) => argument,
    },
  ],
] satisfies (readonly [string, RecipeFunction])[])

function digest({ bytes, millisPerByte, digest: made }: Digest): RecipeFunction {
  return {
    takes: ['bytes'],
    apply: ([message = NOTHING]) => made(message),
    longest: () => bytes,
    form: () => 'raw',
    millis: ([length = 0]) => (length + BLOCK_BYTES) * millisPerByte,
  }
}

/** The padding fills one block, and in HMAC the keys fill two. */
const BLOCK_BYTES = 64

function hmac({ bytes, millisPerByte, hmac: made }: Digest): RecipeFunction {
  return {
    takes: ['bytes', 'bytes'],
    apply: ([key = NOTHING, message = NOTHING]) => made(key, message),
    longest: () => bytes,
    form: () => 'raw',
    millis: ([key = 0, message = 0]) => (key + message + 4 * BLOCK_BYTES) * millisPerByte,
  }
}

/** The ceiling for PBKDF2 whatever the digest; the time it takes is bounded besides. */
const MAX_PBKDF2_ROUNDS = ceilings.recipe.pbkdf2Rounds.most
/** SolarWinds Orion derives 1,024 bytes and hashes them. */
const DERIVED_BYTES = ceilings.recipe.derivedBytes

function pbkdf2({ native, bytes, millisPerRound }: Digest): RecipeFunction | undefined {
  if (native === undefined || millisPerRound === undefined) return undefined
  return {
    takes: ['bytes', 'bytes', 'count', 'number'],
    check: ([rounds = 0, length = 0]) => {
      if (rounds > MAX_PBKDF2_ROUNDS) {
        throw new HashError('too-costly', `a recipe may have at most ${MAX_PBKDF2_ROUNDS} rounds of PBKDF2`)
      }
      checkDerived(length)
    },
    apply: ([password = NOTHING, salt = NOTHING], [rounds = 1, length = 8]) =>
      pbkdf2Sync(password, salt, rounds, length, native),
    longest: (_lengths, [, length = 0]) => length,
    form: () => 'raw',
    millis: (_lengths, [rounds = 0, length = 0]) => rounds * Math.ceil(length / bytes) * millisPerRound,
  }
}

/** 128 * n * r bytes are held at once. */
const MAX_SCRYPT_BYTES = ceilings.scrypt.bytes.most
const MAX_SCRYPT = { n: 2 ** 18, r: 16, p: 10 }
/** One block of 128 bytes, written and read: n = 16384, r = 8, p = 1 takes about 35 ms. */
const MILLIS_PER_SCRYPT_BLOCK = 0.00027

function scrypt(): RecipeFunction {
  const memory = ([cost = 2, width = 1, lanes = 1]: readonly number[]) => scryptMemory({ cost, width, lanes })
  return {
    takes: ['bytes', 'bytes', 'count', 'count', 'count', 'number'],
    check: ([n = 0, r = 0, p = 0, length = 0]) => {
      if (n < 2 || !Number.isInteger(Math.log2(n)))
        throw new HashError('bad-recipe', 'the n of scrypt is a power of two')
      if (n > MAX_SCRYPT.n || r > MAX_SCRYPT.r || p > MAX_SCRYPT.p || 128 * n * r > MAX_SCRYPT_BYTES)
        throw new HashError(
          'too-costly',
          `scrypt may have at most n ${MAX_SCRYPT.n}, r ${MAX_SCRYPT.r}, p ${MAX_SCRYPT.p} and 256 MiB`,
        )
      checkDerived(length)
    },
    apply: ([password = NOTHING, salt = NOTHING], [n = 2, r = 1, p = 1, length = 8]) =>
      scryptSync(password, salt, length, { N: n, r, p, maxmem: memory([n, r, p]) + 65_536 }),
    longest: (_lengths, [, , , length = 0]) => length,
    form: () => 'raw',
    millis: (_lengths, [n = 0, r = 0, p = 0]) => n * r * p * MILLIS_PER_SCRYPT_BLOCK,
    memory,
  }
}

function checkDerived(length: number): void {
  const { least, most } = DERIVED_BYTES
  if (length < least || length > most)
    throw new HashError('bad-recipe', `a derived key has ${least} to ${most} bytes`)
}

function hexadecimal(cased: (text: string) => string): RecipeFunction {
  return {
    takes: ['bytes'],
    apply: ([bytes = NOTHING]) => Buffer.from(cased(bytes.toString('hex')), 'latin1'),
    longest: ([length = 0]) => 2 * length,
    form: (argument) => (argument === 'open' ? 'open' : 'hex'),
  }
}

/** A function of one value whose result is at most `growth` times as long and no longer a digest. */
function decoder(read: (bytes: Buffer) => Buffer | null, growth: number): RecipeFunction {
  return {
    takes: ['bytes'],
    apply: ([bytes = NOTHING]) => read(bytes),
    longest: ([length = 0]) => Math.ceil(length * growth),
    form: () => 'open',
  }
}

/** ASCII letters only, as strtolower and strtoupper of PHP do in the C locale; other bytes stay as they are. */
function asciiCase(first: number, last: number, distance: number): RecipeFunction {
  return {
    takes: ['bytes'],
    apply: ([bytes = NOTHING]) =>
      Buffer.from(bytes.map((byte) => (byte >= first && byte <= last ? byte + distance : byte))),
    longest: ([length = 0]) => length,
    form: (argument) => argument,
  }
}

function recoded(bytes: Buffer, encoding: BufferEncoding): Buffer | null {
  const text = textOfUtf8(bytes)
  return text === null ? null : Buffer.from(text, encoding)
}

/** Characters beyond ISO 8859-1 have no byte in such a store, so a password with one cannot be in it. */
function latin1(bytes: Buffer): Buffer | null {
  const text = textOfUtf8(bytes)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is the whole of ISO 8859-1
  return text === null || !/^[\x00-\xff]*$/.test(text) ? null : Buffer.from(text, 'latin1')
}

function normalized(bytes: Buffer, form: 'NFC' | 'NFKC'): Buffer | null {
  const text = textOfUtf8(bytes)
  return text === null ? null : Buffer.from(text.normalize(form))
}

function saslprep(bytes: Buffer): Buffer | null {
  const text = textOfUtf8(bytes)
  return text === null ? null : Buffer.from(saslPrepared(text))
}

/** The bytes that trim() of PHP takes away. */
function trimmed(bytes: Buffer): Buffer {
  const isBlank = (byte: number | undefined) =>
    byte !== undefined && ' \t\n\r\0\v'.includes(String.fromCharCode(byte))
  let from = 0
  let to = bytes.length
  while (from < to && isBlank(bytes[from])) from += 1
  while (to > from && isBlank(bytes[to - 1])) to -= 1
  return bytes.subarray(from, to)
}
