import { createHmac, hash } from 'node:crypto'
import { md4 } from './md4.ts'
import { whirlpool } from './whirlpool.ts'

/** A digest function, from node:crypto or made here. */
export interface Digest {
  readonly bytes: number
  /** Its name in node:crypto; absent when it is made here. */
  readonly native?: string
  /** Milliseconds for one byte of message on one core of an ordinary server. */
  readonly millisPerByte: number
  /** Milliseconds for one round of PBKDF2 on one core; absent when node:crypto does not know the digest. */
  readonly millisPerRound?: number
  digest(message: Uint8Array): Buffer
  hmac(key: Uint8Array, message: Uint8Array): Buffer
}

/** The slowest digest of node:crypto reads about 270 KB a millisecond. */
const NATIVE_MILLIS_PER_BYTE = 1 / 270_000

/** Every digest, by the name that recipes and `hash_scheme` use. Node 20, 22 and 24 have the native ones alike. */
export const digestFunctions: ReadonlyMap<string, Digest> = new Map([
  ['md5', native('md5', 16, 0.0003)],
  ['sha1', native('sha1', 20, 0.0003)],
  ['sha224', native('sha224', 28, 0.0003)],
  ['sha256', native('sha256', 32, 0.0003)],
  ['sha384', native('sha384', 48, 0.0006)],
  ['sha512', native('sha512', 64, 0.0006)],
  ['sha512_224', native('sha512-224', 28, 0.0006)],
  ['sha512_256', native('sha512-256', 32, 0.0006)],
  ['sha3_224', native('sha3-224', 28, 0.0009)],
  ['sha3_256', native('sha3-256', 32, 0.0009)],
  ['sha3_384', native('sha3-384', 48, 0.0009)],
  ['sha3_512', native('sha3-512', 64, 0.0009)],
  ['blake2b', native('blake2b512', 64, 0.0008)],
  ['blake2s', native('blake2s256', 32, 0.0007)],
  ['ripemd160', native('ripemd160', 20, 0.0006)],
  ['sm3', native('sm3', 32, 0.0006)],
  ['md4', made(md4, 16, 1 / 20_000)],
  ['whirlpool', made(whirlpool, 64, 1 / 1_000)],
])

function native(name: string, bytes: number, millisPerRound: number): Digest {
  return {
    bytes,
    native: name,
    millisPerByte: NATIVE_MILLIS_PER_BYTE,
    millisPerRound,
    digest: (message) => hash(name, message, 'buffer'),
    hmac: (key, message) => createHmac(name, key).update(message).digest(),
  }
}

/** Both digests that are made here read blocks of this many bytes. */
const BLOCK_BYTES = 64

function made(digest: (message: Uint8Array) => Buffer, bytes: number, millisPerByte: number): Digest {
  return { bytes, millisPerByte, digest, hmac: (key, message) => hmacOf(digest, key, message) }
}

/** HMAC after RFC 2104. */
function hmacOf(digest: (message: Uint8Array) => Buffer, key: Uint8Array, message: Uint8Array): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  block.set(key.length > BLOCK_BYTES ? digest(key) : key)
  const inner = digest(Buffer.concat([block.map((byte) => byte ^ 0x36), message]))
  return digest(Buffer.concat([block.map((byte) => byte ^ 0x5c), inner]))
}
