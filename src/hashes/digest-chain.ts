import { hash } from 'node:crypto'
import type { BlockDigest, Chain, RunChain } from '../lanes/chain.ts'
import { createChain } from '../lanes/chain.ts'
import { MD5 } from '../lanes/md5-module.ts'
import { SHA256, SHA512 } from '../lanes/sha2-module.ts'

/** The last digest of a chain of digests, which are called as node:crypto calls them. */
export type DigestChain = (digest: string, chain: Chain) => Buffer

/** MD5, SHA-256 and SHA-512 in WebAssembly where that passes its test, and everything else by node:crypto. */
export function createDigestChain(
  create: (digest: BlockDigest) => RunChain = (digest) => createChain(digest),
): DigestChain {
  const lanes = new Map<string, RunChain>(
    [MD5, SHA256, SHA512].map((digest) => [digest.name, tested(digest, create)]),
  )
  return (digest, chain) => lanes.get(digest)?.(chain) ?? chainByOpenssl(digest, chain)
}

/** One for this thread, so that each module and its test are made once. */
export const digestChain = createDigestChain()

/** Tests the way in WebAssembly before its first chain; null for every chain where it does not pass. */
function tested(digest: BlockDigest, create: (digest: BlockDigest) => RunChain): RunChain {
  const run = create(digest)
  let passed: boolean | undefined
  return (chain) => {
    passed ??= passesTest(run, digest)
    return passed ? run(chain) : null
  }
}

/** The same chain without WebAssembly. */
function chainByOpenssl(digest: string, { messages, cycle, first, rounds }: Chain): Buffer {
  const own = messages.map(({ bytes, digestAt }) => ({ bytes: Buffer.from(bytes), digestAt }))
  let last = Buffer.from(first)
  for (let round = 0; round < rounds; round += 1) {
    const message = own[cycle[round % cycle.length] ?? 0]
    if (!message) throw new RangeError('expected a cycle of the messages')
    last.copy(message.bytes, message.digestAt)
    last = hash(digest, message.bytes, 'buffer')
  }
  return last
}

/** Around the lengths at which a message takes another block, and with the digest at a place of any remainder. */
function passesTest(run: RunChain, { name, blockBytes, digestBytes, lengthBytes }: BlockDigest): boolean {
  const lengths = [1, 2, 3].flatMap((blocks) => {
    const longest = blocks * blockBytes - lengthBytes - 1
    return [longest, longest + 1, longest + 2, blocks * blockBytes]
  })
  const chain: Chain = {
    messages: [digestBytes, digestBytes + 1, ...lengths].map((length) => ({
      bytes: Buffer.alloc(length, 'carryover'),
      digestAt: length % 2 === 0 ? 0 : length - digestBytes,
    })),
    cycle: Array.from({ length: lengths.length + 2 }, (_, index) => index),
    first: Buffer.alloc(digestBytes, 'first'),
    rounds: 20,
  }
  try {
    return run(chain)?.equals(chainByOpenssl(name, chain)) === true
  } catch {
    return false
  }
}
