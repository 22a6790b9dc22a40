import { createHmac, hash, pbkdf2Sync } from 'node:crypto'

/**
 * yescrypt by Alexander Peslyak, version 1.1, with the one flavour that crypt(3) writes, without parallelism and
 * without ROM. It follows the reference yescrypt-ref.c. Words of 64 bits are pairs of 32.
 */

/** 128 bytes; a block of r of them is what is mixed. */
const WORDS_PER_R = 32
/** Three tables of 256 entries of 16 bytes. */
const TABLE_WORDS = 1024
/** Which 16 bytes of a table, as an offset in words. */
const ENTRY = 0xff0
/** Where the rounds have written up to, in words. */
const WRITE_MASK = TABLE_WORDS - 4
/** A first pass over a sixty-fourth of the memory, for parameters from these on. */
const PREHASH = { leastN: 0x100, leastNr: 0x20000, fraction: 64 }

export interface YescryptCost {
  /** Blocks in memory: a power of two, at least 4. */
  readonly n: number
  /** Each of 128 times r bytes. */
  readonly r: number
}

/** The 32 bytes that are stored. Takes 128 times n times r bytes of memory. */
export function yescrypt(password: Uint8Array, salt: Uint8Array, { n, r }: YescryptCost): Buffer {
  const prehashed =
    n >= PREHASH.leastN && n * r >= PREHASH.leastNr
      ? derived(password, salt, { n: n / PREHASH.fraction, r }, 'yescrypt-prehash')
      : password
  const key = derived(prehashed, salt, { n, r }, 'yescrypt')
  return hash('sha256', hmac(key, 'Client Key'), 'buffer')
}

function derived(password: Uint8Array, salt: Uint8Array, { n, r }: YescryptCost, label: string): Buffer {
  const block = pbkdf2Sync(hmac(Buffer.from(label), password), salt, 1, 128 * r, 'sha256')
  const first = Buffer.from(block.subarray(0, 32))
  const tables = filledTables(block)
  const key = hmac(block.subarray(-64), first)
  const words = readWords(block, r)
  mix(words, tables, { n, r })
  writeWords(words, block, r)
  return pbkdf2Sync(key, block, 1, 32, 'sha256')
}

function hmac(key: Uint8Array, message: Uint8Array | string): Buffer {
  return createHmac('sha256', key).update(message).digest()
}

/** The tables of pwxform. They change places after every use, and are written while they are read. */
interface Tables {
  readonly words: Int32Array
  first: number
  second: number
  third: number
  written: number
}

/** Fills the tables by classic scrypt over the first 128 bytes, which it replaces. */
function filledTables(block: Buffer): Tables {
  const words = new Int32Array(3 * TABLE_WORDS)
  const pair = readWords(block, 1)
  for (let at = 0; at < words.length; at += WORDS_PER_R) {
    words.set(pair, at)
    addWords(pair, 0, pair, 16, 16)
    salsa20(pair, 0, 4)
    addWords(pair, 16, pair, 0, 16)
    salsa20(pair, 16, 4)
  }
  writeWords(pair, block, 1)
  return { words, first: 2 * TABLE_WORDS, second: TABLE_WORDS, third: 0, written: 0 }
}

/** Both loops of SMix: the first fills the memory, the second goes through it at random and changes it. */
function mix(block: Int32Array, tables: Tables, { n, r }: YescryptCost): void {
  const size = WORDS_PER_R * r
  const memory = new Int32Array(n * size)
  for (let index = 0; index < n; index += 1) {
    memory.set(block, index * size)
    if (index > 1) addWords(block, 0, memory, size * wrapped(lastWord(block, r), index), size)
    mixBlock(block, tables)
  }
  for (let left = secondLoop(n); left > 0; left -= 1) {
    const at = size * (lastWord(block, r) & (n - 1))
    addWords(block, 0, memory, at, size)
    memory.set(block, at)
    mixBlock(block, tables)
  }
}

/** A third of n, rounded up, then up to an even number. */
function secondLoop(n: number): number {
  return 2 * Math.ceil(Math.floor((n + 2) / 3) / 2)
}

/** An index among the `index` blocks that are there, of which the newest power of two are in reach. */
function wrapped(word: number, index: number): number {
  const power = 2 ** (31 - Math.clz32(index))
  return (word & (power - 1)) + (index - power)
}

function lastWord(block: Int32Array, r: number): number {
  return block[WORDS_PER_R * r - 16] ?? 0
}

function addWords(target: Int32Array, at: number, source: Int32Array, from: number, count: number): void {
  for (let word = 0; word < count; word += 1)
    target[at + word] = (target[at + word] ?? 0) ^ (source[from + word] ?? 0)
}

function mixBlock(block: Int32Array, tables: Tables): void {
  let before = block.length - 16
  for (let at = 0; at < block.length; at += 16) {
    addWords(block, at, block, before, 16)
    parallelWideTransform(block, at, tables)
    before = at
  }
  salsa20(block, before, 1)
}

/** pwxform: six rounds over 64 bytes, of which the second to fifth also write to a table. */
function parallelWideTransform(block: Int32Array, at: number, tables: Tables): void {
  const { words, first, second, third } = tables
  let write = third + tables.written
  for (let round = 0; round < 6; round += 1) {
    for (let lane = at; lane < at + 16; lane += 4) {
      const low = block[lane] ?? 0
      const high = block[lane + 1] ?? 0
      const one = first + ((low & ENTRY) >>> 2)
      const other = second + ((high & ENTRY) >>> 2)
      multiplyAddXor(block, lane, words, one, other)
      multiplyAddXor(block, lane + 2, words, one + 2, other + 2)
    }
    if (round === 0 || round === 5) continue
    for (let word = 0; word < 16; word += 1) words[write + word] = block[at + word] ?? 0
    write += 16
  }
  tables.first = third
  tables.second = first
  tables.third = second
  tables.written = (tables.written + 64) & WRITE_MASK
}

/** Of a word of 64 bits: low half times high half, plus one entry, exclusive or another. The check's time goes here. */
function multiplyAddXor(block: Int32Array, at: number, words: Int32Array, one: number, other: number): void {
  const a = block[at] ?? 0
  const b = block[at + 1] ?? 0
  const aLow = a & 0xffff
  const aHigh = a >>> 16
  const bLow = b & 0xffff
  const bHigh = b >>> 16
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) >>> 0
  const other32 = (Math.imul(aLow, bHigh) + (middle & 0xffff)) >>> 0
  const productHigh = Math.imul(aHigh, bHigh) + (middle >>> 16) + (other32 >>> 16)
  const sum = (Math.imul(a, b) >>> 0) + ((words[one] ?? 0) >>> 0)
  const carry = sum > 0xffffffff ? 1 : 0
  block[at] = (sum | 0) ^ (words[other] ?? 0)
  block[at + 1] = ((productHigh + (words[one + 1] ?? 0) + carry) | 0) ^ (words[other + 1] ?? 0)
}

/** Salsa20 keeps its diagonals together here, so that pwxform finds pairs. */
const DIAGONAL = Array.from({ length: 16 }, (_, at) => (5 * at) % 16)

function readWords(bytes: Buffer, r: number): Int32Array {
  return Int32Array.from({ length: WORDS_PER_R * r }, (_, at) => bytes.readInt32LE(4 * placeOf(at)))
}

function writeWords(words: Int32Array, bytes: Buffer, r: number): void {
  for (let at = 0; at < WORDS_PER_R * r; at += 1) bytes.writeInt32LE(words[at] ?? 0, 4 * placeOf(at))
}

function placeOf(at: number): number {
  return (at & ~15) + (DIAGONAL[at & 15] ?? 0)
}

/** The Salsa20 core over 64 bytes. */
function salsa20(words: Int32Array, at: number, doubleRounds: number): void {
  const x = new Int32Array(16)
  for (let word = 0; word < 16; word += 1) x[DIAGONAL[word] ?? 0] = words[at + word] ?? 0
  for (let round = 0; round < doubleRounds; round += 1) {
    for (const [a, b, c, d] of QUARTERS) quarter(x, a, b, c, d)
  }
  for (let word = 0; word < 16; word += 1)
    words[at + word] = (words[at + word] ?? 0) + (x[DIAGONAL[word] ?? 0] ?? 0)
}

/** Columns, then rows. */
const QUARTERS: readonly (readonly [number, number, number, number])[] = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
]

function quarter(x: Int32Array, a: number, b: number, c: number, d: number): void {
  turn(x, b, a, d, 7)
  turn(x, c, b, a, 9)
  turn(x, d, c, b, 13)
  turn(x, a, d, c, 18)
}

function turn(x: Int32Array, target: number, one: number, other: number, bits: number): void {
  const sum = ((x[one] ?? 0) + (x[other] ?? 0)) | 0
  x[target] = (x[target] ?? 0) ^ ((sum << bits) | (sum >>> (32 - bits)))
}
