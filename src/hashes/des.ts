/**
 * DES (FIPS 46-3), with the salt of crypt(3), which exchanges bits of the expansion. OpenSSL 3 has no single DES,
 * and no library has the salt.
 */

/** The substitutions in hexadecimal, row by row as the standard prints them. */
const SUBSTITUTIONS = [
  'e4d12fb83a6c59070f74e2d1a6cb953841e8d62bfc973a50fc8249175b3ea06d',
  'f18e6b34972dc05a3d47f28ec01a69b50e7ba4d158c6932fd8a13f42b67c05e9',
  'a09e63f51dc7b428d709346a285ecbf1d6498f30b12c5ae71ad069874fe3b52c',
  '7de3069a1285bc4fd8b56f03472c1ae9a690cb7df13e52843f06a1d8945bc72e',
  '2c417ab6853fd0e9eb2c47d150fa3986421bad78f9c5630eb8c71e2d6f09a453',
  'c1af92680d34e75baf427c9561de0b389ef528c3704a1db6432c95fabe17608d',
  '4b2ef08d3c975a61d0b7491ae35c2f8614bdc37eaf6805926bd814a7950fe23c',
  'd2846fb1a93e50c71fd8a374c56b0e927b419ce206adf35821e74a8dfc90356b',
] as const

/** Places of bits are counted from 1 at the left, as in the standard. */
const PERMUTATION = [
  16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22,
  11, 4, 25,
]
const KEY_CHOICE_1 = [
  57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
  63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
]
const KEY_CHOICE_2 = [
  14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47,
  55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
]
const KEY_SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
const HALF_KEY_BITS = 28

export interface DesWork {
  /** Bit i exchanges bits i and i + 24 of the expansion. */
  readonly salt: number
  /** How often the block goes through the sixteen rounds. */
  readonly times: number
}

const PLAIN: DesWork = { salt: 0, times: 1 }
const BLOCK = 8

/** Enciphers 8 bytes under 8 bytes of key, whose lowest bits do not count. */
export function desEncrypt(key: Uint8Array, block: Uint8Array, work = PLAIN): Buffer {
  const bytes = Buffer.from(block)
  return bytesOf(turned([bytes.readInt32BE(0), bytes.readInt32BE(4)], keySchedule(key), work))
}

/** The last block of CBC mode, which starts from a block of zeros. The length is a multiple of eight bytes. */
export function desCbcLast(key: Uint8Array, blocks: Buffer): Buffer {
  const schedule = keySchedule(key)
  let halves: Halves = [0, 0]
  for (let at = 0; at < blocks.length; at += BLOCK) {
    const [left, right] = halves
    const mixed: Halves = [left ^ blocks.readInt32BE(at), right ^ blocks.readInt32BE(at + 4)]
    halves = turned(mixed, schedule, PLAIN)
  }
  return bytesOf(halves)
}

/** Of each character seven bits count. Bytes beyond the eighth are left alone. */
export function desKey(characters: Uint8Array): Buffer {
  return Buffer.from(Array.from({ length: 8 }, (_, at) => (characters[at] ?? 0) << 1))
}

/** Spreads 7 bytes over the 8 of a DES key, whose lowest bits are parity that nobody checks. */
export function desKeyOfSeven(seven: Uint8Array): Buffer {
  const bits = bitsOf(seven)
  return Buffer.from(Array.from({ length: 8 }, (_, at) => wordOf(bits.slice(7 * at, 7 * at + 7)) << 1))
}

type Halves = readonly [left: number, right: number]

function turned(block: Halves, schedule: readonly number[], { salt, times }: DesWork): Halves {
  const mask = reversed24(salt)
  let [left, right] = initial(block)
  for (let time = 0; time < times; time += 1) {
    for (let round = 0; round < 32; round += 2) {
      const mixed = left ^ substituted(right, mask, schedule[round] ?? 0, schedule[round + 1] ?? 0)
      left = right
      right = mixed
    }
    const swapped = left
    left = right
    right = swapped
  }
  return final([left, right])
}

/** The initial permutation is five exchanges of every other bit, pair, four, eight and sixteen. */
function initial(block: Halves): Halves {
  let [left, right] = exchanged(block, 4, 0x0f0f0f0f)
  ;[left, right] = exchanged([left, right], 16, 0x0000ffff)
  ;[right, left] = exchanged([right, left], 2, 0x33333333)
  ;[right, left] = exchanged([right, left], 8, 0x00ff00ff)
  return exchanged([left, right], 1, 0x55555555)
}

/** The same exchanges backwards. */
function final(block: Halves): Halves {
  let [left, right] = exchanged(block, 1, 0x55555555)
  ;[right, left] = exchanged([right, left], 8, 0x00ff00ff)
  ;[right, left] = exchanged([right, left], 2, 0x33333333)
  ;[left, right] = exchanged([left, right], 16, 0x0000ffff)
  return exchanged([left, right], 4, 0x0f0f0f0f)
}

function exchanged([one, other]: Halves, shift: number, mask: number): Halves {
  const bits = ((one >>> shift) ^ other) & mask
  return [one ^ (bits << shift), other ^ bits]
}

/**
 * One round: expansion, salt, key, substitutions, permutation. A check by `bsdi-crypt` spends all of its time here.
 */
function substituted(half: number, salt: number, highKey: number, lowKey: number): number {
  const high =
    ((((half >>> 27) | (half << 5)) & 63) << 18) |
    (((half >>> 23) & 63) << 12) |
    (((half >>> 19) & 63) << 6) |
    ((half >>> 15) & 63)
  const low =
    (((half >>> 11) & 63) << 18) |
    (((half >>> 7) & 63) << 12) |
    (((half >>> 3) & 63) << 6) |
    (((half << 1) | (half >>> 31)) & 63)
  const exchanged = (high ^ low) & salt
  const one = high ^ exchanged ^ highKey
  const other = low ^ exchanged ^ lowKey
  return (
    (BOXES[one >>> 18] ?? 0) |
    (BOXES[64 | ((one >>> 12) & 63)] ?? 0) |
    (BOXES[128 | ((one >>> 6) & 63)] ?? 0) |
    (BOXES[192 | (one & 63)] ?? 0) |
    (BOXES[256 | (other >>> 18)] ?? 0) |
    (BOXES[320 | ((other >>> 12) & 63)] ?? 0) |
    (BOXES[384 | ((other >>> 6) & 63)] ?? 0) |
    (BOXES[448 | (other & 63)] ?? 0)
  )
}

/** The substitutions with the permutation already applied to their results. */
const BOXES = Int32Array.from({ length: 512 }, (_, place) => {
  const box = place >>> 6
  const row = ((place >>> 4) & 2) | (place & 1)
  const digit = SUBSTITUTIONS[box]?.[16 * row + ((place >>> 1) & 15)] ?? '0'
  const before = bitsOfWord(Number.parseInt(digit, 16) << (28 - 4 * box))
  return wordOf(chosen(before, PERMUTATION))
})

/** Sixteen keys, each as two words of 24 bits. */
function keySchedule(key: Uint8Array): number[] {
  const halves = chosen(bitsOf(key), KEY_CHOICE_1)
  const left = halves.slice(0, HALF_KEY_BITS)
  const right = halves.slice(HALF_KEY_BITS)
  return KEY_SHIFTS.flatMap((shift) => {
    left.push(...left.splice(0, shift))
    right.push(...right.splice(0, shift))
    const bits = chosen([...left, ...right], KEY_CHOICE_2)
    return [wordOf(bits.slice(0, 24)), wordOf(bits.slice(24))]
  })
}

function reversed24(word: number): number {
  return wordOf(bitsOfWord(word).slice(8).reverse())
}

function chosen(bits: readonly number[], places: readonly number[]): number[] {
  return places.map((place) => bits[place - 1] ?? 0)
}

function bitsOf(bytes: Uint8Array): number[] {
  return Array.from(bytes).flatMap((byte) => Array.from({ length: 8 }, (_, at) => (byte >>> (7 - at)) & 1))
}

function bitsOfWord(word: number): number[] {
  return Array.from({ length: 32 }, (_, at) => (word >>> (31 - at)) & 1)
}

function wordOf(bits: readonly number[]): number {
  return bits.reduce((word, bit) => (word << 1) | bit, 0)
}

function bytesOf([left, right]: Halves): Buffer {
  const bytes = Buffer.alloc(BLOCK)
  bytes.writeInt32BE(left)
  bytes.writeInt32BE(right, 4)
  return bytes
}
