import type { BlockDigest } from './chain.ts'
import type { Code } from './wasm.ts'
import {
  add,
  and,
  constant,
  get,
  load,
  moduleBytes,
  or,
  repeatWhile,
  rotateLeft,
  set,
  store,
  subtract,
  xor,
} from './wasm.ts'

const PAGE_BYTES = 65_536
const PAGES = 2
const BLOCK_BYTES = 64

/** RFC 1321. */
export const MD5: BlockDigest = {
  name: 'md5',
  blockBytes: BLOCK_BYTES,
  digestBytes: 16,
  lengthBytes: 8,
  backward: false,
  memoryBytes: PAGES * PAGE_BYTES,
  module: md5Module,
}

function md5Module(): Uint8Array<ArrayBuffer> {
  const eachBlock = repeatWhile(
    [
      COPIES.map((copy, index) => set(STATE[index] ?? 0, get(copy))),
      Array.from({ length: 64 }, (_, operation) => operationCode(operation)),
      COPIES.map((copy, index) => set(copy, add(get(copy), get(STATE[index] ?? 0)))),
      set(MESSAGE, add(get(MESSAGE), constant(BLOCK_BYTES))),
      set(BLOCKS, subtract(get(BLOCKS), constant(1))),
    ],
    get(BLOCKS),
  )
  const code = [
    set(MESSAGE, load(0, get(STEP))),
    set(BLOCKS, load(4, get(STEP))),
    COPIES.map((copy, index) => set(copy, constant(FIRST_STATE[index] ?? 0))),
    eachBlock,
    COPIES.map((copy, index) => store(4 * index, load(8, get(STEP)), get(copy))),
  ]
  return moduleBytes(PAGES, [{ name: 'digest', variables: 10, code }])
}

const STEP = 0
const MESSAGE = 1
const BLOCKS = 2
/** The four words that a block changes, and what they are added to after it. */
const STATE = [3, 4, 5, 6]
const COPIES = [7, 8, 9, 10]
const FIRST_STATE = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476]
const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
]
/** Which word of the block an operation adds, by its round: `factor * operation + start` of 16. */
const ORDERS = [
  { factor: 1, start: 0 },
  { factor: 5, start: 1 },
  { factor: 3, start: 5 },
  { factor: 7, start: 0 },
]

function operationCode(operation: number): Code {
  const round = operation >> 4
  // The four words change places with every operation.
  const [a, b, c, d] = [0, 1, 2, 3].map((place) => STATE[(place - operation) & 3] ?? 0) as [
    number,
    number,
    number,
    number,
  ]
  const { factor, start } = ORDERS[round] ?? { factor: 0, start: 0 }
  const word = load(4 * ((factor * operation + start) % 16), get(MESSAGE))
  const sum = add(add(add(get(a), constant(sineOf(operation))), word), mixed(round, get(b), get(c), get(d)))
  return set(a, add(rotateLeft(sum, SHIFTS[round]?.[operation & 3] ?? 0), get(b)))
}

function sineOf(operation: number): number {
  return Math.floor(Math.abs(Math.sin(operation + 1)) * 2 ** 32) | 0
}

/** F, G, H and I of RFC 1321; the first two written so that they take one operation less. */
function mixed(round: number, b: Code, c: Code, d: Code): Code {
  if (round === 0) return xor(d, and(b, xor(c, d)))
  if (round === 1) return xor(c, and(d, xor(b, c)))
  if (round === 2) return xor(xor(b, c), d)
  return xor(c, or(b, xor(d, constant(-1))))
}
