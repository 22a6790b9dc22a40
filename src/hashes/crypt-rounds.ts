import type { ChainMessage } from '../lanes/chain.ts'
import { digestChain } from './digest-chain.ts'

/**
 * The loop that md5crypt and SHA-crypt share: each round hashes the digest before it, the password and the salt
 * in an order that depends on the round. Costs one digest a round.
 */
export function cryptRounds(algorithm: string, { first, password, salt, rounds }: CryptRounds): Buffer {
  const messages = Array.from({ length: 8 }, (_, kind) => messageOf(kind, first.length, password, salt))
  return digestChain(algorithm, { messages, cycle: CYCLE, first, rounds })
}

/** 42 rounds, then the order of things begins again. */
const CYCLE = Array.from(
  { length: 2 * 3 * 7 },
  (_, round) => (round & 1) | (round % 3 ? 2 : 0) | (round % 7 ? 4 : 0),
)

interface CryptRounds {
  readonly first: Buffer
  readonly password: Uint8Array
  readonly salt: Uint8Array
  readonly rounds: number
}

/** There are eight, so that rounds only copy the digest. */
function messageOf(kind: number, digestLength: number, password: Uint8Array, salt: Uint8Array): ChainMessage {
  const room = Buffer.alloc(digestLength)
  const middle = [...(kind & 2 ? [salt] : []), ...(kind & 4 ? [password] : [])]
  const bytes = Buffer.concat(kind & 1 ? [password, ...middle, room] : [room, ...middle, password])
  return { bytes, digestAt: kind & 1 ? bytes.length - digestLength : 0 }
}

/** The first `length` bytes of these bytes repeated. */
export function repeatedTo(length: number, bytes: Uint8Array): Buffer {
  return Buffer.alloc(length, bytes)
}
