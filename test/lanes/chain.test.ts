import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createDigestChain } from '../../src/hashes/digest-chain.ts'
import type { Chain, ChainMessage } from '../../src/lanes/chain.ts'
import { createChain } from '../../src/lanes/chain.ts'
import { MD5 } from '../../src/lanes/md5-module.ts'
import { SHA256, SHA512 } from '../../src/lanes/sha2-module.ts'
import { bytesOf } from '../helpers/bytes.ts'
import { memoriesMadeBy } from '../helpers/wasm-memory.ts'

declare const WebAssembly: {
  validate(bytes: Uint8Array<ArrayBuffer>): boolean
}

const messageOf = (length: number, digestAt: number): ChainMessage => ({
  bytes: bytesOf(`${length} ${digestAt}`, length),
  digestAt,
})

describe.each([
  { digest: MD5, rotation: [0x41, 7, 0x77] },
  { digest: SHA256, rotation: [0x41, 6, 0x78] },
  { digest: SHA512, rotation: [0x42, 14, 0x8a] },
])('$digest.name', ({ digest, rotation }) => {
  const { name, digestBytes, memoryBytes } = digest
  const first = bytesOf('first', digestBytes)

  /** The chain by the book: every message is put together anew. */
  function expected({ messages, cycle, rounds }: Chain): Buffer {
    return Array.from({ length: rounds }).reduce<Buffer>((last, _, round) => {
      const message = messages[cycle[round % cycle.length] ?? 0]
      if (!message) throw new Error('the cycle names no message')
      const { bytes, digestAt } = message
      return createHash(name)
        .update(bytes.subarray(0, digestAt))
        .update(last)
        .update(bytes.subarray(digestAt + digestBytes))
        .digest()
    }, first)
  }

  const chainOf = (message: ChainMessage, rounds: number): Chain => ({
    messages: [message],
    cycle: [0],
    first,
    rounds,
  })

  test('messages of every length up to 300 bytes, with the digest at either end and between', () => {
    const run = createChain(digest)
    for (let length = digestBytes; length <= 300; length += 1) {
      for (const digestAt of [0, (length - digestBytes) >> 1, length - digestBytes]) {
        const asked = chainOf(messageOf(length, digestAt), 3)
        expect(run(asked)).toEqual(expected(asked))
      }
    }
  })

  test.for([1, 2, 5, 6, 7, 41, 42, 43, 1000])('%d rounds of messages that take turns', (rounds) => {
    const messages = [
      messageOf(digestBytes + 4, 3),
      messageOf(4_000, 4_000 - digestBytes),
      messageOf(digestBytes + 47, 1),
      messageOf(digestBytes, 0),
    ]
    const asked = { messages, cycle: [0, 1, 2, 3, 1, 0, 2], first, rounds }
    expect(createChain(digest)(asked)).toEqual(expected(asked))
  })

  test('the memory bounds what it takes, and the rest is left to node:crypto', () => {
    const asked = chainOf(messageOf(memoryBytes, 0), 2)
    expect(createChain(digest)(asked)).toBe(null)
    expect(createDigestChain()(name, asked)).toEqual(expected(asked))
  })

  test('messages are not changed, and nothing of them is met by the next chain', () => {
    const run = createChain(digest)
    const long = messageOf(1_000, 0)
    const before = { bytes: Buffer.from(long.bytes), first: Buffer.from(first) }
    run(chainOf(long, 5))
    expect({ bytes: long.bytes, first }).toEqual(before)
    const asked = chainOf(messageOf(digestBytes + 14, 0), 5)
    expect(run(asked)).toEqual(expected(asked))
  })

  test('nothing stays in the memory of the module', () => {
    const memories = memoriesMadeBy(() => {
      const chain = createDigestChain()
      chain(name, chainOf(messageOf(300, 7), 5))
    })
    expect(memories.length).toBe(1)
    for (const { buffer } of memories) expect(new Uint8Array(buffer).every((byte) => byte === 0)).toBe(true)
  })

  test('the module is valid, and the same every time', () => {
    expect(WebAssembly.validate(digest.module())).toBe(true)
    expect(digest.module()).toEqual(digest.module())
  })

  describe('where the module does not pass its test', () => {
    const asked = chainOf(messageOf(digestBytes + 24, 0), 10)

    test.for([
      { title: 'no module', broken: createChain(digest, () => Uint8Array.of(1)) },
      { title: 'another rotation', broken: createChain(digest, otherRotation) },
      { title: 'a word in another place', broken: createChain(digest, otherPlace) },
      { title: 'nothing but zeros', broken: () => Buffer.alloc(digestBytes) },
      { title: 'no answer', broken: () => null },
      { title: 'right for one block alone', broken: oneBlockAlone },
    ])('$title: the answers stay right', ({ broken }) => {
      let asks = 0
      const chain = createDigestChain(() => (given) => {
        asks += 1
        return broken(given)
      })
      for (let count = 0; count < 3; count += 1) expect(chain(name, asked)).toEqual(expected(asked))
      // The test alone, and once.
      expect(asks).toBe(1)
    })

    test('the other digests keep theirs', () => {
      const others = [MD5, SHA256, SHA512].filter((other) => other !== digest)
      const asks: string[] = []
      const chain = createDigestChain((one) => (given) => {
        asks.push(one.name)
        return one === digest ? null : createChain(one)(given)
      })
      for (const other of others)
        chain(other.name, {
          ...asked,
          first: bytesOf('first', other.digestBytes),
          messages: [messageOf(100, 0)],
        })
      // Test and chain.
      expect(asks).toEqual(others.flatMap((other) => [other.name, other.name]))
    })

    function otherRotation(): Uint8Array<ArrayBuffer> {
      const made = digest.module()
      const at = Buffer.from(made).lastIndexOf(Buffer.from(rotation))
      expect(at).toBeGreaterThan(0)
      return changed(made, at + 1)
    }

    /** The last instruction but the end stores a word of the digest, at the offset in its last byte. */
    function otherPlace(): Uint8Array<ArrayBuffer> {
      const made = digest.module()
      return changed(made, made.length - 2)
    }

    function changed(made: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
      const other = made.with(at, (made[at] ?? 0) ^ 4) as Uint8Array<ArrayBuffer>
      expect(WebAssembly.validate(other)).toBe(true)
      return other
    }

    function oneBlockAlone(given: Chain): Buffer {
      const cut = digest.blockBytes - digest.lengthBytes - 1
      const messages = given.messages.map(({ bytes, digestAt }) => ({
        bytes: bytes.subarray(0, cut),
        digestAt: Math.min(digestAt, cut - digestBytes),
      }))
      return createChain(digest)({ ...given, messages }) ?? Buffer.alloc(0)
    }
  })
})
