import type { BlockDigest } from './chain.ts'
import type { Arithmetic, Code } from './wasm.ts'
import {
  ARITHMETIC_32,
  ARITHMETIC_64,
  constant,
  get,
  load,
  moduleBytes,
  repeatWhile,
  set,
  subtract,
} from './wasm.ts'

const PAGE_BYTES = 65_536
const PAGES = 2
const STATE_WORDS = 8
const BLOCK_WORDS = 16

/** SHA-256 and SHA-512 (FIPS 180-4). */
export const SHA256: BlockDigest = blockDigest(ARITHMETIC_32, {
  name: 'sha256',
  rounds: 64,
  sums: { a: [2, 13, 22], e: [6, 11, 25] },
  schedule: { far: { turns: [7, 18], shift: 3 }, near: { turns: [17, 19], shift: 10 } },
})
export const SHA512: BlockDigest = blockDigest(ARITHMETIC_64, {
  name: 'sha512',
  rounds: 80,
  sums: { a: [28, 34, 39], e: [14, 18, 41] },
  schedule: { far: { turns: [1, 8], shift: 7 }, near: { turns: [19, 61], shift: 6 } },
})

interface Sha2 {
  readonly name: 'sha256' | 'sha512'
  readonly rounds: number
  /** By how many bits the first word of the state and the fifth are rotated, for the functions Σ of the standard. */
  readonly sums: Readonly<Record<'a' | 'e', readonly [number, number, number]>>
  /** The functions σ, of the word 15 places before and of that 2 places before. */
  readonly schedule: Readonly<Record<'far' | 'near', Mixing>>
}

interface Mixing {
  readonly turns: readonly [number, number]
  readonly shift: number
}

const STEP = 0
const MESSAGE = 1
const BLOCKS = 2
/** The words that a block changes, what they are added to after it, and the last 16 words of the schedule. */
const STATE = 3
const COPIES = STATE + STATE_WORDS
const SCHEDULE = COPIES + STATE_WORDS
/** In which bits the first two words of the state differ: in this round, and in the one before. */
const DIFFERENCES = SCHEDULE + BLOCK_WORDS
const WORD_VARIABLES = DIFFERENCES + 2 - STATE

function blockDigest(arithmetic: Arithmetic, sha2: Sha2): BlockDigest {
  return {
    name: sha2.name,
    blockBytes: BLOCK_WORDS * arithmetic.bytes,
    digestBytes: STATE_WORDS * arithmetic.bytes,
    lengthBytes: 2 * arithmetic.bytes,
    backward: true,
    memoryBytes: PAGES * PAGE_BYTES,
    module: () => sha2Module(arithmetic, sha2),
  }
}

/** All bytes lie backward in the memory, so that loads of little-endian words are loads of big-endian ones. */
function sha2Module(words: Arithmetic, sha2: Sha2): Uint8Array<ArrayBuffer> {
  const blockBytes = BLOCK_WORDS * words.bytes
  const roots = rootsOfPrimes(sha2.rounds, 3n)
  const start = rootsOfPrimes(STATE_WORDS, 2n)
  /** The first bits of the root that a word has. */
  const rootOf = (root = 0n) => words.constant(root >> BigInt(64 - 8 * words.bytes))
  const eachState = (code: (word: number) => Code) => Array.from({ length: STATE_WORDS }, (_, w) => code(w))
  const eachBlock = repeatWhile(
    [
      eachState((word) => set(STATE + word, get(COPIES + word))),
      set(DIFFERENCES + 1, words.xor(get(STATE + 1), get(STATE + 2))),
      Array.from({ length: sha2.rounds }, (_, round) => [
        round < BLOCK_WORDS
          ? set(SCHEDULE + round, words.load(blockBytes - words.bytes * (round + 1), get(MESSAGE)))
          : scheduled(words, sha2, round),
        roundCode(words, sha2, round, words.add(rootOf(roots[round]), get(SCHEDULE + (round % BLOCK_WORDS)))),
      ]),
      eachState((word) => set(COPIES + word, words.add(get(COPIES + word), get(STATE + word)))),
      set(MESSAGE, subtract(get(MESSAGE), constant(blockBytes))),
      set(BLOCKS, subtract(get(BLOCKS), constant(1))),
    ],
    get(BLOCKS),
  )
  const code = [
    set(BLOCKS, load(4, get(STEP))),
    set(MESSAGE, load(0, get(STEP))),
    eachState((word) => set(COPIES + word, rootOf(start[word]))),
    eachBlock,
    eachState((word) =>
      words.store(words.bytes * (STATE_WORDS - 1 - word), load(8, get(STEP)), get(COPIES + word)),
    ),
  ]
  const variables =
    words.bytes === 4 ? { variables: 2 + WORD_VARIABLES } : { variables: 2, wideVariables: WORD_VARIABLES }
  return moduleBytes(PAGES, [{ name: 'digest', ...variables, code }])
}

/** The word of the schedule for a round takes the place of that 16 rounds before. */
function scheduled(words: Arithmetic, { schedule }: Sha2, round: number): Code {
  const before = (rounds: number) => SCHEDULE + ((round - rounds) % BLOCK_WORDS)
  const mixed = (variable: number, { turns, shift }: Mixing) =>
    words.xor(
      words.xor(words.rotateRight(get(variable), turns[0]), words.rotateRight(get(variable), turns[1])),
      words.shiftRight(get(variable), shift),
    )
  const sum = words.add(get(before(16)), words.add(get(before(7)), mixed(before(15), schedule.far)))
  return set(before(16), words.add(sum, mixed(before(2), schedule.near)))
}

/** Ch and Maj of the standard are written so that they take fewer operations. */
function roundCode(words: Arithmetic, { sums }: Sha2, round: number, added: Code): Code {
  // The words of the state change places with every round.
  const place = (word: number) => STATE + ((word - round) & (STATE_WORDS - 1))
  const [a, b, d, h] = [place(0), place(1), place(3), place(7)]
  const [e, f, g] = [get(place(4)), get(place(5)), get(place(6))]
  const [difference, before] = [DIFFERENCES + (round % 2), DIFFERENCES + ((round + 1) % 2)]
  // One rotation within the other, which lets engines do with fewer copies of the word.
  const sumOf = (word: Code, [one, two, three]: readonly [number, number, number]) => {
    const inner = words.xor(word, words.rotateRight(word, three - two))
    return words.rotateRight(words.xor(word, words.rotateRight(inner, two - one)), one)
  }
  const chosen = words.xor(g, words.and(e, words.xor(f, g)))
  const majority = words.xor(get(b), words.and(get(difference), get(before)))
  return [
    set(h, words.add(words.add(words.add(get(h), added), chosen), sumOf(e, sums.e))),
    set(d, words.add(get(d), get(h))),
    set(difference, words.xor(get(a), get(b))),
    set(h, words.add(words.add(get(h), sumOf(get(a), sums.a)), majority)),
  ]
}

/** The first 64 bits behind the point of the square or cube roots of the first primes. */
function rootsOfPrimes(count: number, degree: 2n | 3n): bigint[] {
  return primes(count).map((prime) => BigInt.asUintN(64, rootOf(BigInt(prime) << (64n * degree), degree)))
}

/** The largest whole number whose power is no larger than the value; Newton's method from above. */
function rootOf(value: bigint, degree: 2n | 3n): bigint {
  let root = 1n << 76n
  for (;;) {
    const next = ((degree - 1n) * root + value / root ** (degree - 1n)) / degree
    if (next >= root) return root
    root = next
  }
}

function primes(count: number): readonly number[] {
  const found: number[] = []
  for (let number = 2; found.length < count; number += 1)
    if (found.every((prime) => number % prime !== 0)) found.push(number)
  return found
}
