import type { Code } from './wasm.ts'
import {
  add,
  and,
  call,
  constant,
  get,
  less,
  load,
  moduleBytes,
  repeatWhile,
  set,
  shiftLeft,
  shiftRight,
  store,
  subtract,
  xor,
} from './wasm.ts'

/** Where the memory of a module has what, in words of 32 bits from the start of its lane. */
export const WORDS = { s: 0, p: 1024, key: 1042, salt: 1060, block: 1078, lane: 1088 } as const
export const P_WORDS = 18
export const S_WORDS = 1024

const S_BOX_BYTES = 1024
const BLOWFISH_ROUNDS = 16
const BLOCK_BYTES = 8
const PAGES = 1

/**
 * The part of eksblowfish that takes the time, for several independent passwords at once. Blowfish spends most of
 * its time waiting for its own table look-ups, and a core does those of other lanes meanwhile. Exports, besides
 * `memory`: `encipher(0)` enciphers the block of every lane in place; `rounds(n)` does the two key expansions that
 * alternate, of key and salt, n times.
 */
export function eksModule(lanes: number): Uint8Array<ArrayBuffer> {
  return moduleBytes(PAGES, [
    { name: 'encipher', ...encipherFunction(lanes) },
    expandFunction(lanes),
    { name: 'rounds', variables: 0, code: roundsCode() },
  ])
}

const PARAMETER = 0
const ZERO = constant(0)
const EXPAND = 1

function roundsCode(): Code {
  const once = [call(EXPAND, constant(4 * WORDS.key)), call(EXPAND, constant(4 * WORDS.salt))]
  return repeatWhile([once, set(PARAMETER, subtract(get(PARAMETER), constant(1)))], get(PARAMETER))
}

function encipherFunction(lanes: number) {
  const state = variablesOf(lanes)
  const code = perLane(lanes, (lane) => [
    set(state.left(lane), wordAt(lane, WORDS.block)),
    set(state.right(lane), wordAt(lane, WORDS.block + 1)),
  ])
  const write = perLane(lanes, (lane) => [
    store(byteOf(lane, WORDS.block), ZERO, get(state.left(lane))),
    store(byteOf(lane, WORDS.block + 1), ZERO, get(state.right(lane))),
  ])
  const inMemory = (lane: number, index: number) => wordAt(lane, WORDS.p + index)
  return { variables: state.count, code: [code, enciphered(lanes, state, inMemory), write] }
}

/**
 * Adds the words at its parameter, bytes from the start of the lane, to P. Then the chain of enciphered blocks
 * replaces P and the S-boxes. Local variables hold P for the S-boxes: engines add them from the stack in one
 * instruction, where a word of the memory takes a register before.
 */
function expandFunction(lanes: number) {
  const state = variablesOf(lanes)
  const inMemory = (lane: number, index: number) => wordAt(lane, WORDS.p + index)
  const inVariable = (lane: number, index: number) => get(state.p(lane, index))
  const wordsOfP = (each: (lane: number, index: number) => Code) =>
    perLane(lanes, (lane) => Array.from({ length: P_WORDS }, (_, index) => each(lane, index)))

  const addKey = wordsOfP((lane, index) =>
    store(
      byteOf(lane, WORDS.p + index),
      ZERO,
      xor(inMemory(lane, index), load(byteOf(lane, index), get(PARAMETER))),
    ),
  )
  const replace = (from: number, words: number, p: (lane: number, index: number) => Code) => [
    set(state.place, ZERO),
    repeatWhile(
      [
        enciphered(lanes, state, p),
        perLane(lanes, (lane) => [
          store(byteOf(lane, from), get(state.place), get(state.left(lane))),
          store(byteOf(lane, from + 1), get(state.place), get(state.right(lane))),
        ]),
        set(state.place, add(get(state.place), constant(BLOCK_BYTES))),
      ],
      less(get(state.place), constant(4 * words)),
    ),
  ]
  return {
    variables: state.count,
    code: [
      addKey,
      replace(WORDS.p, P_WORDS, inMemory),
      wordsOfP((lane, index) => set(state.p(lane, index), inMemory(lane, index))),
      replace(WORDS.s, S_WORDS, inVariable),
    ],
  }
}

type State = ReturnType<typeof variablesOf>

/** The numbers of the local variables; 0 is the parameter. */
function variablesOf(lanes: number) {
  return {
    place: 1,
    swap: 2,
    left: (lane: number) => 3 + 2 * lane,
    right: (lane: number) => 4 + 2 * lane,
    p: (lane: number, index: number) => 3 + 2 * lanes + P_WORDS * lane + index,
    count: 2 + (2 + P_WORDS) * lanes,
  }
}

/** Blowfish over the left and right words of all lanes, which take turns round by round. */
function enciphered(lanes: number, state: State, p: (lane: number, index: number) => Code): Code {
  const code: Code[] = [
    perLane(lanes, (lane) => set(state.left(lane), xor(get(state.left(lane)), p(lane, 0)))),
  ]
  for (let round = 1; round <= BLOWFISH_ROUNDS; round += 1) {
    const [to, from] = round % 2 === 1 ? [state.right, state.left] : [state.left, state.right]
    code.push(
      perLane(lanes, (lane) =>
        set(to(lane), xor(xor(get(to(lane)), p(lane, round)), mixed(lane, get(from(lane))))),
      ),
    )
  }
  code.push(
    perLane(lanes, (lane) => [
      set(state.swap, xor(get(state.right(lane)), p(lane, BLOWFISH_ROUNDS + 1))),
      set(state.right(lane), get(state.left(lane))),
      set(state.left(lane), get(state.swap)),
    ]),
  )
  return code
}

/** The four look-ups. Each index is four times a byte of the word, so that it is an address. */
function mixed(lane: number, word: Code): Code {
  const looked = (box: number, shifted: Code) =>
    load(byteOf(lane, WORDS.s) + box * S_BOX_BYTES, and(shifted, constant(4 * 0xff)))
  const sum = add(looked(0, shiftRight(word, 22)), looked(1, shiftRight(word, 14)))
  return add(xor(sum, looked(2, shiftRight(word, 6))), looked(3, shiftLeft(word, 2)))
}

function wordAt(lane: number, word: number): Code {
  return load(byteOf(lane, word), ZERO)
}

function byteOf(lane: number, word: number): number {
  return 4 * (lane * WORDS.lane + word)
}

function perLane(lanes: number, code: (lane: number) => Code): Code {
  return Array.from({ length: lanes }, (_, lane) => code(lane))
}
