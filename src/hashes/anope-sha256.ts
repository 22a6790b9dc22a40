import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import { bytesOfHex } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { decoyKey, decoySalt, keyBytes, storedAs } from './key-derivation.ts'

const BYTES = 32
const BLOCK = 64
/** Of 4,096 bytes. */
const MILLIS = 0.5
const WHOLE = /^sha256:([0-9a-f]{64}):([0-9a-f]{64})$/i

/** enc_sha256 of Anope IRC Services: SHA-256 that starts from random words instead of those of FIPS 180. */
export const anopeSha256: Family = {
  name: 'anope-sha256',
  sources: 'Anope IRC services',
  ceiling: ceilingWords.fixed,
  example: written(decoyKey(BYTES), decoySalt(BYTES)),
  shape: WHOLE,
  read(encoded): ReadHash {
    const [, digest = '', initial = ''] = WHOLE.exec(encoded) ?? []
    const expected = keyBytes(bytesOfHex(digest), BYTES)
    const start = keyBytes(bytesOfHex(initial), BYTES)
    return {
      scheme: 'anope-sha256',
      millis: MILLIS,
      decoy: storedAs(written(decoyKey(BYTES), decoySalt(BYTES))),
      ...compared(expected, (password) => sha256From(start, password)),
    }
  },
}

function written(digest: Buffer, initial: Buffer): string {
  return `sha256:${digest.toString('hex')}:${initial.toString('hex')}`
}

/** SHA-256 after FIPS 180-4 from another initial value. */
function sha256From(start: Buffer, message: Uint8Array): Buffer {
  const padded = Buffer.alloc(Math.ceil((message.length + 9) / BLOCK) * BLOCK)
  padded.set(message)
  padded[message.length] = 0x80
  padded.writeUInt32BE(message.length * 8, padded.length - 4)
  const state = Int32Array.from({ length: 8 }, (_, word) => start.readInt32BE(4 * word))
  for (let at = 0; at < padded.length; at += BLOCK) compress(state, padded.subarray(at, at + BLOCK))
  const digest = Buffer.alloc(BYTES)
  for (const [word, value] of state.entries()) digest.writeInt32BE(value, 4 * word)
  return digest
}

function compress(state: Int32Array, block: Buffer): void {
  const words = schedule(block)
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state
  for (let step = 0; step < 64; step += 1) {
    const mixed = (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + ((e & f) ^ (~e & g))
    const first = (h + mixed + (CONSTANTS[step] ?? 0) + (words[step] ?? 0)) | 0
    const second = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))
    ;[h, g, f, e] = [g, f, e, (d + first) | 0]
    ;[d, c, b, a] = [c, b, a, (first + second) | 0]
  }
  for (const [word, value] of [a, b, c, d, e, f, g, h].entries()) state[word] = (state[word] ?? 0) + value
}

function schedule(block: Buffer): Int32Array {
  const words = new Int32Array(64)
  const at = (step: number) => words[step] ?? 0
  for (let step = 0; step < 16; step += 1) words[step] = block.readInt32BE(4 * step)
  for (let step = 16; step < 64; step += 1) {
    const [far, near] = [at(step - 15), at(step - 2)]
    const low = turned(far, 7) ^ turned(far, 18) ^ (far >>> 3)
    const high = turned(near, 17) ^ turned(near, 19) ^ (near >>> 10)
    words[step] = at(step - 16) + low + at(step - 7) + high
  }
  return words
}

function turned(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits))
}

/** The first bits behind the point of the cube roots of the first 64 primes. */
const CONSTANTS = Int32Array.from(primes(64), (prime) => (Math.cbrt(prime) % 1) * 2 ** 32)

function primes(count: number): readonly number[] {
  const found: number[] = []
  for (let number = 2; found.length < count; number += 1)
    if (found.every((prime) => number % prime !== 0)) found.push(number)
  return found
}
