import { createHash, createHmac } from 'node:crypto'
import { bytesOfBase64, bytesOfHex, textOfUtf8 } from './encodings.ts'

const NOTHING = Buffer.alloc(0)

/**
 * How a value is written. `raw`: the bytes of a digest. `hex`, `base64`: a digest as text. `open`: nothing that
 * a stored hash could be, such as the password itself.
 */
export type Form = 'raw' | 'hex' | 'base64' | 'open'

/** One function of the notation. Bytes in, bytes out; null when the bytes cannot be read that way. */
export interface RecipeFunction {
  /** What stands between its parentheses. */
  readonly takes: readonly ('bytes' | 'number')[]
  apply(values: readonly Buffer[], numbers: readonly number[]): Buffer | null
  /** Bytes of the longest result for arguments of these lengths; exact for every form but `open`. */
  longest(lengths: readonly number[], numbers: readonly number[]): number
  form(argument: Form): Form
}

/** The bytes of a digest. One line makes the digest, its HMAC and the scheme of its name. */
export const digests: ReadonlyMap<string, number> = new Map([
  ['md5', 16],
  ['sha1', 20],
  ['sha224', 28],
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
])

export const recipeFunctions: ReadonlyMap<string, RecipeFunction> = new Map([
  ...Array.from(digests, ([name, bytes]) => [name, digest(name, bytes)] as const),
  ...Array.from(digests, ([name, bytes]) => [`hmac_${name}`, hmac(name, bytes)] as const),
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

function digest(name: string, bytes: number): RecipeFunction {
  return {
    takes: ['bytes'],
    apply: ([message = NOTHING]) => createHash(name).update(message).digest(),
    longest: () => bytes,
    form: () => 'raw',
  }
}

function hmac(name: string, bytes: number): RecipeFunction {
  return {
    takes: ['bytes', 'bytes'],
    apply: ([key = NOTHING, message = NOTHING]) => createHmac(name, key).update(message).digest(),
    longest: () => bytes,
    form: () => 'raw',
  }
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
