import type { EksKey } from './eks-key.ts'
import { bigEndianWords } from './eks-key.ts'
import { eksModule, P_WORDS, S_WORDS, WORDS } from './eks-module.ts'
import type { Exports } from './instance.ts'
import { instantiated } from './instance.ts'
import { initialState } from './pi.ts'

/**
 * A fourth lane takes as much time as it saves: with three, the 12 registers that V8 has left on x86-64 are in use.
 */
export const MOST_LANES = 3

export interface EksJob {
  readonly key: EksKey
  /** 16 bytes. */
  readonly salt: Uint8Array
}

/**
 * The 23 bytes that bcrypt stores, for each of 1 to MOST_LANES jobs in their order. Takes 2^cost times two key
 * expansions, whatever the number of jobs, in one go. Throws where WebAssembly does not work.
 */
export type EksLanes = (jobs: readonly EksJob[], cost: number) => Buffer[]

/** Modules are made when they are first needed, one for each number of lanes. */
export function createEksLanes(moduleOf: (lanes: number) => Uint8Array<ArrayBuffer> = eksModule): EksLanes {
  const made = new Map<number, Instance>()
  const instanceOf = (lanes: number) => {
    const instance = made.get(lanes) ?? instanceFrom(moduleOf(lanes))
    made.set(lanes, instance)
    return instance
  }
  return (jobs, cost) => {
    if (jobs.length < 1 || jobs.length > MOST_LANES) throw new RangeError(`expected 1 to ${MOST_LANES} jobs`)
    const instance = instanceOf(jobs.length)
    try {
      return digestsOf(instance, jobs, cost)
    } finally {
      // What is left of a key and its state in the memory would last as long as the process.
      instance.words.fill(0)
    }
  }
}

/** Of the 24 bytes of the enciphered text, bcrypt stores 23. */
const STORED_BYTES = 23
const TEXT = bigEndianWords(Buffer.from('OrpheanBeholderScryDoubt', 'latin1'), 6)
const ROUNDS_OF_TEXT = 64

interface Instance {
  readonly words: Int32Array
  readonly encipher: () => void
  readonly rounds: (count: number) => void
}

interface EksExports extends Exports {
  readonly encipher: (unused: number) => void
  readonly rounds: (count: number) => void
}

function instanceFrom(bytes: Uint8Array<ArrayBuffer>): Instance {
  const { memory, encipher, rounds } = instantiated<EksExports>(bytes)
  return { words: new Int32Array(memory.buffer), encipher: () => encipher(0), rounds }
}

function digestsOf(instance: Instance, jobs: readonly EksJob[], cost: number): Buffer[] {
  const bases = jobs.map((_, lane) => lane * WORDS.lane)
  jobs.forEach((job, lane) => {
    placeJob(instance.words, lane * WORDS.lane, job)
  })
  saltedSchedule(instance, bases)
  instance.rounds(2 ** cost)
  return encipheredTexts(instance, bases)
}

/** The first state, with the key added to P. */
function placeJob(words: Int32Array, base: number, { key, salt }: EksJob): void {
  const { p, s } = initialState()
  words.set(s, base + WORDS.s)
  words.set(key.words, base + WORDS.key)
  words.set(bigEndianWords(salt, P_WORDS), base + WORDS.salt)
  for (let index = 0; index < P_WORDS; index += 1)
    words[base + WORDS.p + index] = (p[index] ?? 0) ^ (key.words[index] ?? 0)
  addTo(words, base + WORDS.p, key.guard)
}

/** The first expansion, in which the salt goes round through the chain of blocks. */
function saltedSchedule({ words, encipher }: Instance, bases: readonly number[]): void {
  const replace = (from: number, count: number, before: number) => {
    for (let index = 0; index < count; index += 2) {
      const turn = (before + index) & 3
      for (const base of bases) {
        addTo(words, base + WORDS.block, words[base + WORDS.salt + turn] ?? 0)
        addTo(words, base + WORDS.block + 1, words[base + WORDS.salt + turn + 1] ?? 0)
      }
      encipher()
      for (const base of bases)
        words.copyWithin(base + from + index, base + WORDS.block, base + WORDS.block + 2)
    }
  }
  replace(WORDS.p, P_WORDS, 0)
  replace(WORDS.s, S_WORDS, P_WORDS)
}

/** Each pair of words of the text is enciphered 64 times by itself. */
function encipheredTexts({ words, encipher }: Instance, bases: readonly number[]): Buffer[] {
  const digests = bases.map(() => Buffer.alloc(4 * TEXT.length))
  for (let pair = 0; pair < TEXT.length; pair += 2) {
    for (const base of bases) words.set(TEXT.subarray(pair, pair + 2), base + WORDS.block)
    for (let round = 0; round < ROUNDS_OF_TEXT; round += 1) encipher()
    bases.forEach((base, lane) => {
      digests[lane]?.writeInt32BE(words[base + WORDS.block] ?? 0, 4 * pair)
      digests[lane]?.writeInt32BE(words[base + WORDS.block + 1] ?? 0, 4 * pair + 4)
    })
  }
  return digests.map((bytes) => bytes.subarray(0, STORED_BYTES))
}

function addTo(words: Int32Array, place: number, bits: number): void {
  words[place] = (words[place] ?? 0) ^ bits
}
