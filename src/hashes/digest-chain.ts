import { hash } from 'node:crypto'
import type { Chain, Md5Chain } from '../lanes/md5-chain.ts'
import { createMd5Chain } from '../lanes/md5-chain.ts'

export type ChainDigest = 'md5' | 'sha256' | 'sha512'

/** The last digest of a chain of digests. */
export type DigestChain = (digest: ChainDigest, chain: Chain) => Buffer

/** MD5 in WebAssembly where that passes its test, and everything else by node:crypto. */
export function createDigestChain(md5: Md5Chain = createMd5Chain()): DigestChain {
  let passed: boolean | undefined
  const works = () => {
    passed ??= passesTest(md5)
    return passed
  }
  return (digest, chain) => (digest === 'md5' && works() ? md5(chain) : null) ?? chainByOpenssl(digest, chain)
}

/** One for this thread, so that its module and its test are made once. */
export const digestChain = createDigestChain()

function chainByOpenssl(digest: ChainDigest, { messages, cycle, first, rounds }: Chain): Buffer {
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

/** Around the lengths at which a message takes another block, and with the digest at a place that is no multiple of four. */
function passesTest(md5: Md5Chain): boolean {
  const chain: Chain = {
    messages: [16, 17, 55, 56, 63, 64, 119, 120, 200].map((length) => ({
      bytes: Buffer.alloc(length, 'carryover'),
      digestAt: length % 2 === 0 ? 0 : length - 16,
    })),
    cycle: [0, 1, 2, 3, 4, 5, 6, 7, 8],
    first: Buffer.alloc(16, 'first'),
    rounds: 20,
  }
  try {
    return md5(chain)?.equals(chainByOpenssl('md5', chain)) === true
  } catch {
    return false
  }
}
