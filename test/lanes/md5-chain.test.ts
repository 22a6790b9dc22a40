import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createDigestChain } from '../../src/hashes/digest-chain.ts'
import type { Chain } from '../../src/lanes/md5-chain.ts'
import { createMd5Chain } from '../../src/lanes/md5-chain.ts'
import { MD5_MEMORY_BYTES, md5Module } from '../../src/lanes/md5-module.ts'

declare const WebAssembly: { validate(bytes: Uint8Array<ArrayBuffer>): boolean }

const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest()
const first = md5(Buffer.from('first'))

/** The chain by the book: every message is put together anew. */
function expected({ messages, cycle, rounds }: Chain): Buffer {
  return Array.from({ length: rounds }).reduce<Buffer>((digest, _, round) => {
    const message = messages[cycle[round % cycle.length] ?? 0]
    if (!message) throw new Error('the cycle names no message')
    const { bytes, digestAt } = message
    return md5(Buffer.concat([bytes.subarray(0, digestAt), digest, bytes.subarray(digestAt + 16)]))
  }, first)
}

const messageOf = (length: number, digestAt: number) => ({
  bytes: Buffer.alloc(length, `of ${length} bytes`),
  digestAt,
})

test('messages of every length up to 300 bytes, with the digest at either end', () => {
  const chain = createMd5Chain()
  for (let length = 16; length <= 300; length += 1) {
    for (const digestAt of [0, length - 16]) {
      const asked = { messages: [messageOf(length, digestAt)], cycle: [0], first, rounds: 3 }
      expect(chain(asked)).toEqual(expected(asked))
    }
  }
})

test.for([1, 2, 5, 6, 7, 41, 42, 43, 1000])('%d rounds of messages that take turns', (rounds) => {
  const messages = [messageOf(20, 3), messageOf(4_000, 3_984), messageOf(63, 1), messageOf(16, 0)]
  const asked = { messages, cycle: [0, 1, 2, 3, 1, 0, 2], first, rounds }
  expect(createMd5Chain()(asked)).toEqual(expected(asked))
})

test('the memory bounds what it takes, and the rest is left to node:crypto', () => {
  const asked = { messages: [messageOf(MD5_MEMORY_BYTES, 0)], cycle: [0], first, rounds: 2 }
  expect(createMd5Chain()(asked)).toBe(null)
  expect(createDigestChain()('md5', asked)).toEqual(expected(asked))
})

test('messages are not changed, and nothing of them is met by the next chain', () => {
  const chain = createMd5Chain()
  const long = messageOf(1_000, 0)
  const before = Buffer.from(long.bytes)
  chain({ messages: [long], cycle: [0], first, rounds: 5 })
  expect(long.bytes).toEqual(before)
  const asked = { messages: [messageOf(30, 0)], cycle: [0], first, rounds: 5 }
  expect(chain(asked)).toEqual(expected(asked))
})

test('the module is valid, and the same every time', () => {
  expect(WebAssembly.validate(md5Module())).toBe(true)
  expect(md5Module()).toEqual(md5Module())
})

describe('where the module does not pass its test', () => {
  const asked = { messages: [messageOf(40, 0)], cycle: [0], first, rounds: 10 }

  test.for([
    { title: 'no module', broken: createMd5Chain(() => Uint8Array.of(1)) },
    { title: 'a wrong constant', broken: createMd5Chain(() => changed(md5Module())) },
    { title: 'nothing but zeros', broken: () => Buffer.alloc(16) },
    { title: 'no answer', broken: () => null },
  ])('$title: the answers stay right', ({ broken }) => {
    expect(createDigestChain(broken)('md5', asked)).toEqual(expected(asked))
  })

  /** The start value 0x10325476, a number of five bytes in the module, becomes another one. */
  function changed(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const at = Buffer.from(bytes).indexOf(Buffer.from([0x41, 0xf6, 0xa8, 0xc9, 0x81, 0x01]))
    expect(at).toBeGreaterThan(0)
    const made = new Uint8Array(bytes)
    made[at + 1] = 0xf7
    expect(WebAssembly.validate(made)).toBe(true)
    return made
  }
})
