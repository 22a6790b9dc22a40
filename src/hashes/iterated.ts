import { hash } from 'node:crypto'
import { digestChain } from './digest-chain.ts'

/** The digest of a message, then of itself: `count` digests in all, at least 1. `digest` as node:crypto calls it. */
export function iterated(digest: string, message: Uint8Array, count: number): Buffer {
  const first = hash(digest, message, 'buffer')
  if (count === 1) return first
  return digestChain(digest, {
    messages: [{ bytes: first, digestAt: 0 }],
    cycle: [0],
    first,
    rounds: count - 1,
  })
}
