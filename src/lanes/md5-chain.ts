import type { Exports } from './instance.ts'
import { instantiated } from './instance.ts'
import { BLOCK_BYTES, MD5_MEMORY_BYTES, md5Module, STEP_WORDS } from './md5-module.ts'

/** A message with room for the digest of the message before. */
export interface ChainMessage {
  readonly bytes: Uint8Array
  /** Where the digest goes. */
  readonly digestAt: number
}

/** Digests of messages that each carry the digest before. */
export interface Chain {
  readonly messages: readonly ChainMessage[]
  /** Which message is hashed in each round; it begins again at its end. */
  readonly cycle: readonly number[]
  /** The digest that the first message carries. */
  readonly first: Uint8Array
  /** At least 1. */
  readonly rounds: number
}

/** The last digest of a chain; null when it is too long for the memory. Throws where WebAssembly does not work. */
export type Md5Chain = (chain: Chain) => Buffer | null

/** Without the way to OpenSSL and back for every digest, which takes several times what an MD5 takes. */
export function createMd5Chain(moduleOf: () => Uint8Array<ArrayBuffer> = md5Module): Md5Chain {
  let exports: Md5Exports | undefined
  return (chain) => {
    exports ??= instantiated<Md5Exports>(moduleOf())
    const layout = layoutOf(chain)
    if (layout.end > MD5_MEMORY_BYTES) return null
    const memory = Buffer.from(exports.memory.buffer)
    try {
      write(memory, chain, layout)
      return run(memory, exports.digest, chain, layout)
    } finally {
      // The messages hold the password.
      memory.fill(0, 0, layout.end)
    }
  }
}

const DIGEST_BYTES = 16
const STEP_BYTES = 4 * STEP_WORDS
/** A byte of one bits and eight bytes of length follow every message. */
const LEAST_PADDING = 9
const LENGTH_BYTES = 8

interface Md5Exports extends Exports {
  readonly digest: (step: number) => void
}

interface Layout {
  /** Where each message begins. The steps of the cycle stand before them all. */
  readonly starts: readonly number[]
  readonly end: number
}

function layoutOf({ messages, cycle }: Chain): Layout {
  const starts: number[] = []
  let end = cycle.length * STEP_BYTES
  for (const { bytes } of messages) {
    starts.push(end)
    end += BLOCK_BYTES * blocksOf(bytes)
  }
  return { starts, end }
}

function blocksOf(bytes: Uint8Array): number {
  return Math.ceil((bytes.length + LEAST_PADDING) / BLOCK_BYTES)
}

function write(memory: Buffer, { messages, cycle, first }: Chain, layout: Layout): void {
  messages.forEach(({ bytes }, index) => {
    const start = layout.starts[index] ?? 0
    memory.set(bytes, start)
    memory[start + bytes.length] = 0x80
    memory.writeUInt32LE(8 * bytes.length, start + BLOCK_BYTES * blocksOf(bytes) - LENGTH_BYTES)
  })
  cycle.forEach((index, turn) => {
    const step = turn * STEP_BYTES
    memory.writeInt32LE(layout.starts[index] ?? 0, step)
    memory.writeInt32LE(blocksOf(messages[index]?.bytes ?? first), step + 4)
    memory.writeInt32LE(placeOf(turn + 1, messages, cycle, layout), step + 8)
  })
  memory.set(first, placeOf(0, messages, cycle, layout))
}

/** Where the digest goes that the message of a turn carries. */
function placeOf(
  turn: number,
  messages: readonly ChainMessage[],
  cycle: readonly number[],
  { starts }: Layout,
): number {
  const index = cycle[turn % cycle.length] ?? 0
  return (starts[index] ?? 0) + (messages[index]?.digestAt ?? 0)
}

function run(
  memory: Buffer,
  digest: (step: number) => void,
  { messages, cycle, rounds }: Chain,
  layout: Layout,
): Buffer {
  const end = cycle.length * STEP_BYTES
  for (let round = 0, step = 0; round < rounds; round += 1) {
    digest(step)
    step += STEP_BYTES
    if (step === end) step = 0
  }
  const last = placeOf(rounds, messages, cycle, layout)
  return Buffer.from(memory.subarray(last, last + DIGEST_BYTES))
}
