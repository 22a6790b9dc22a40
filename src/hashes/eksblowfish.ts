/**
 * EksBlowfish over bytes without WebAssembly, for what bcryptjs cannot do where the lanes do not work. It follows
 * Provos and Mazieres, "A Future-Adaptable Password Scheme" (1999).
 */
import type { EksKey } from '../lanes/eks-key.ts'
import { bigEndianWords } from '../lanes/eks-key.ts'
import { P_WORDS } from '../lanes/eks-module.ts'
import { initialState } from '../lanes/pi.ts'

/** Of the 24 bytes of the last block, bcrypt stores 23. */
const STORED_BYTES = 23
const ROUNDS_OF_TEXT = 64

/** The 23 bytes that bcrypt stores. Costs 2^cost times two key schedules. */
export function eksBlowfish(key: EksKey, salt: Uint8Array, cost: number): Buffer {
  const initial = initialState()
  const p = initial.p.slice()
  const s = initial.s.slice()
  const saltKey = bigEndianWords(salt, P_WORDS)
  addKey(p, key.words)
  p[0] = (p[0] ?? 0) ^ key.guard
  schedule(p, s, saltKey)
  for (let round = 2 ** cost; round > 0; round -= 1) {
    addKey(p, key.words)
    schedule(p, s, NO_SALT)
    addKey(p, saltKey)
    schedule(p, s, NO_SALT)
  }
  return encipheredText(p, s)
}

function addKey(p: Int32Array, key: Int32Array): void {
  for (let index = 0; index < P_WORDS; index += 1) p[index] = (p[index] ?? 0) ^ (key[index] ?? 0)
}

const NO_SALT = new Int32Array(P_WORDS)

/** Replaces the whole state by a chain of enciphered blocks; the salt goes round through the chain. */
function schedule(p: Int32Array, s: Int32Array, salt: Int32Array): void {
  const block = new Int32Array(2)
  replace(p, 0)
  replace(s, P_WORDS)

  function replace(words: Int32Array, before: number): void {
    for (let index = 0; index < words.length; index += 2) {
      const turn = (before + index) & 3
      block[0] = (block[0] ?? 0) ^ (salt[turn] ?? 0)
      block[1] = (block[1] ?? 0) ^ (salt[turn + 1] ?? 0)
      encipher(p, s, block, 0)
      words[index] = block[0] ?? 0
      words[index + 1] = block[1] ?? 0
    }
  }
}

/** Enciphers the two words at `place`. The check spends all of its time here. */
function encipher(p: Int32Array, s: Int32Array, words: Int32Array, place: number): void {
  let left = (words[place] ?? 0) ^ (p[0] ?? 0)
  let right = words[place + 1] ?? 0
  for (let round = 1; round <= 16; round += 2) {
    right ^= mixed(s, left) ^ (p[round] ?? 0)
    left ^= mixed(s, right) ^ (p[round + 1] ?? 0)
  }
  words[place] = right ^ (p[17] ?? 0)
  words[place + 1] = left
}

function mixed(s: Int32Array, word: number): number {
  const sum = ((s[word >>> 24] ?? 0) + (s[256 + ((word >>> 16) & 255)] ?? 0)) | 0
  return ((sum ^ (s[512 + ((word >>> 8) & 255)] ?? 0)) + (s[768 + (word & 255)] ?? 0)) | 0
}

function encipheredText(p: Int32Array, s: Int32Array): Buffer {
  const words = bigEndianWords(Buffer.from('OrpheanBeholderScryDoubt', 'latin1'), 6)
  for (let round = 0; round < ROUNDS_OF_TEXT; round += 1) {
    for (let place = 0; place < 6; place += 2) encipher(p, s, words, place)
  }
  const bytes = Buffer.alloc(24)
  words.forEach((word, index) => {
    bytes.writeInt32BE(word, 4 * index)
  })
  return bytes.subarray(0, STORED_BYTES)
}
