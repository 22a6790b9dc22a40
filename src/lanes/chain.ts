import type { Exports } from './instance.ts'
import { instantiated } from './instance.ts'

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

/** A digest as a WebAssembly module, and what a message needs to lie in its memory. */
export interface BlockDigest {
  /** As node:crypto calls it. */
  readonly name: 'md5' | 'sha256' | 'sha512'
  readonly blockBytes: number
  readonly digestBytes: number
  /** A byte of one bits and this many bytes of the length in bits follow every message. */
  readonly lengthBytes: number
  /**
   * Whether messages and digests lie in the memory with their last byte first, and the last block of a message with
   * them: for digests of big-endian words, because WebAssembly has little-endian ones.
   */
  readonly backward: boolean
  readonly memoryBytes: number
  /**
   * Exports `digest(step)` besides `memory`, with the address of three words: where the first block of the padded
   * message lies, how many blocks there are, and where the digest goes.
   */
  readonly module: () => Uint8Array<ArrayBuffer>
}

/** The last digest of a chain; null when it is too long for the memory. Throws where WebAssembly does not work. */
export type RunChain = (chain: Chain) => Buffer | null

/** Without the way to OpenSSL and back for every digest, which takes several times what the digest takes. */
export function createChain(digest: BlockDigest, moduleOf = digest.module): RunChain {
  let exports: DigestExports | undefined
  return (chain) => {
    exports ??= instantiated<DigestExports>(moduleOf())
    const layout = layoutOf(chain, digest)
    if (layout.end > digest.memoryBytes) return null
    const memory = Buffer.from(exports.memory.buffer)
    try {
      write(memory, layout, digest)
      memory.set(inOrder(Buffer.from(chain.first), digest), digestPlace(layout, 0))
      run(exports.digest, chain)
      const last = digestPlace(layout, chain.rounds)
      return inOrder(Buffer.from(memory.subarray(last, last + digest.digestBytes)), digest)
    } finally {
      // The messages hold the password.
      memory.fill(0, 0, layout.end)
    }
  }
}

const STEP_BYTES = 12

interface DigestExports extends Exports {
  readonly digest: (step: number) => void
}

/** Where things lie in the memory. The steps of the cycle stand first, then the messages. */
interface Layout {
  readonly messages: readonly Placed[]
  /** The message of each turn of the cycle. */
  readonly turns: readonly Placed[]
  readonly end: number
}

interface Placed {
  readonly bytes: Uint8Array
  /** Of the message with its padding. */
  readonly start: number
  readonly end: number
  readonly digestPlace: number
}

function layoutOf({ messages, cycle }: Chain, digest: BlockDigest): Layout {
  const placed: Placed[] = []
  let end = cycle.length * STEP_BYTES
  for (const { bytes, digestAt } of messages) {
    const start = end
    end += digest.blockBytes * Math.ceil((bytes.length + 1 + digest.lengthBytes) / digest.blockBytes)
    const digestPlace = digest.backward ? end - digestAt - digest.digestBytes : start + digestAt
    placed.push({ bytes, start, end, digestPlace })
  }
  return { messages: placed, turns: cycle.flatMap((index) => placed[index] ?? []), end }
}

/** Where the digest goes that the message of a turn carries. */
function digestPlace({ turns }: Layout, turn: number): number {
  return turns[turn % turns.length]?.digestPlace ?? 0
}

function write(memory: Buffer, layout: Layout, digest: BlockDigest): void {
  for (const message of layout.messages) writeMessage(memory, message, digest)
  for (const [turn, { start, end }] of layout.turns.entries()) {
    const step = turn * STEP_BYTES
    memory.writeInt32LE(digest.backward ? end - digest.blockBytes : start, step)
    memory.writeInt32LE((end - start) / digest.blockBytes, step + 4)
    memory.writeInt32LE(digestPlace(layout, turn + 1), step + 8)
  }
}

function writeMessage(memory: Buffer, { bytes, start, end }: Placed, digest: BlockDigest): void {
  memory.set(bytes, start)
  memory[start + bytes.length] = 0x80
  if (digest.backward) memory.writeUInt32BE(8 * bytes.length, end - 4)
  else memory.writeUInt32LE(8 * bytes.length, end - digest.lengthBytes)
  inOrder(memory.subarray(start, end), digest)
}

/** Turns the bytes around in their place where they lie backward in the memory. */
function inOrder(bytes: Buffer, { backward }: BlockDigest): Buffer {
  return backward ? bytes.reverse() : bytes
}

function run(digest: (step: number) => void, { cycle, rounds }: Chain): void {
  const end = cycle.length * STEP_BYTES
  for (let round = 0, step = 0; round < rounds; round += 1) {
    digest(step)
    step += STEP_BYTES
    if (step === end) step = 0
  }
}
