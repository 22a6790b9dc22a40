import { performance } from 'node:perf_hooks'
import { describe, expect, test } from 'vitest'
import type { Defect } from '../../src/domain.ts'
import { HashError } from '../../src/hashes/format.ts'
import { exampleStored, formats, readHash } from '../../src/hashes/index.ts'
import type { Vector } from './vectors.ts'
import { readVectors, unsalted } from './vectors.ts'

/** Strings whose work would take seconds to weeks. Every format has some. */
const TOO_COSTLY: Readonly<Record<string, readonly string[]>> = {
  bcrypt: ['15', '31', '32', '99'].map(
    (cost) => `$2b$${cost}$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy`,
  ),
  argon2: [
    'm=262145,t=2,p=1',
    'm=8388608,t=2,p=4',
    'm=65536,t=11,p=1',
    'm=65536,t=2,p=17',
    'm=9999999999,t=1,p=1',
  ].map((settings) => `$argon2id$v=19$${settings}$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw`),
}

const MALFORMED: Readonly<Record<string, readonly string[]>> = {
  bcrypt: [
    '$2b$03$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy',
    '$2b$5$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy',
    // Spare bits of the salt, spare bits of the digest, one character too many, a line break.
    '$2b$05$CCCCCCCCCCCCCCCCCCCCC/7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy',
    '$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNz',
    '$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNyA',
    '$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy\n',
  ],
  argon2: [
    'm=65536,t=2',
    'm=65536,t=2,p=1,q=1',
    'm=65536,t=2,p=1,m=8',
    'm=7,t=2,p=1',
    'm=08,t=2,p=1',
    'm=65536,t=0,p=1',
    'm=65536,t=2,p=0',
    'm=65536,t=2,p=1,keyid=AAAA',
    'm=65536,t=2,p=1,data=A',
    'm=0x100,t=2,p=1',
  ]
    .map((settings) => `$argon2id$v=19$${settings}$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw`)
    .concat([
      '$argon2id$v=18$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw',
      '$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ==$MNzk5BtR2vUhrp6qQEjRNw',
      '$argon2id$v=19$m=32,t=2,p=4$c2FsdA$MNzk5BtR2vUhrp6qQEjRNw',
      '$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vU',
    ]),
}

describe.each(formats)('$name', (format) => {
  const vectors = readVectors(format.name)

  test.for(vectors.filter(({ bomb }) => !bomb))(
    'vector $id',
    async ({ stored, password, expect: expected }) => {
      expect(await verdict(stored.encoded, password)).toBe(expected)
    },
  )

  test('vectors that would take too long are refused by their parameters', () => {
    for (const { stored } of vectors.filter(({ bomb }) => bomb))
      expect(defectOf(stored.encoded)).toBeDefined()
  })

  test('too costly hashes are refused before any work', () => {
    const bombs = TOO_COSTLY[format.name] ?? []
    expect(bombs).not.toEqual([])
    for (const bomb of bombs) {
      const started = performance.now()
      expect(defectOf(bomb)).toBe('too-costly')
      expect(performance.now() - started).toBeLessThan(5)
    }
  })

  test('damaged hashes are refused as malformed', () => {
    const damaged = MALFORMED[format.name] ?? []
    expect(damaged).not.toEqual([])
    expect(damaged.map(defectOf)).toEqual(damaged.map(() => 'malformed'))
  })

  test('every truncation is refused, or is a shorter digest that does not match', async () => {
    const { stored, password } = cheapest(format.name)
    const encoded = stored.encoded ?? ''
    for (let length = 0; length < encoded.length; length += 1) {
      expect(await verdict(encoded.slice(0, length), password)).toBe(false)
    }
    for (const length of [0, 1, 8, 20]) expect(defectOf(format.example.slice(0, length))).toBeDefined()
  })

  test('its example matches nothing', async () => {
    for (const password of ['', 'password', format.name, format.example]) {
      expect(await verdict(format.example, Buffer.from(password))).toBe(false)
    }
  })

  test('its decoys are read, and cost the same', () => {
    for (const { stored } of vectors) {
      if (defectOf(stored.encoded) !== undefined) continue
      const read = readHash(stored)
      const decoy = readHash(read.decoy)
      expect([decoy.scheme, decoy.millis]).toEqual([read.scheme, read.millis])
      expect(read.decoy.encoded).not.toBe(stored.encoded)
    }
  })

  test('its names find it, and its example is the first decoy', () => {
    for (const name of [format.name, format.name.toUpperCase(), ...(format.aliases ?? [])]) {
      expect(readHash(unsalted(format.example, name)).scheme).toBe(format.name)
      expect(exampleStored(name)).toEqual(unsalted(format.example))
    }
  })
})

test('no string is claimed by two formats', () => {
  const strings = formats.flatMap(({ name, example }) => [
    example,
    ...readVectors(name).map(({ stored }) => stored.encoded ?? ''),
  ])
  for (const text of strings) expect(formats.filter(({ shape }) => shape.test(text)).length).toBeLessThan(2)
})

test('$2x$ of a password in ASCII is $2b$', async () => {
  const vectors = readVectors('bcrypt').filter(
    ({ stored, password, expect: expected }) =>
      expected && stored.encoded?.startsWith('$2b$04$') && password.every((byte) => byte < 0x80),
  )
  expect(vectors.length).toBeGreaterThan(2)
  for (const { stored, password } of vectors) {
    expect(await verdict(stored.encoded?.replace('$2b$', '$2x$') ?? '', password)).toBe(true)
  }
})

describe('a digest or salt with one character changed never matches', () => {
  const hashes = [
    { format: 'bcrypt', from: 7 },
    { format: 'argon2', from: 28 },
  ]
  test.for(hashes)('$format', async ({ format, from }) => {
    const { stored, password } = cheapest(format)
    const encoded = stored.encoded ?? ''
    for (let at = from; at < encoded.length; at += 1) {
      const changed = `${encoded.slice(0, at)}${encoded[at] === 'a' ? 'b' : 'a'}${encoded.slice(at + 1)}`
      expect(await verdict(changed, password)).toBe(false)
    }
  })
})

function cheapest(format: string): Vector {
  const vector = readVectors(format).find(
    ({ stored, expect: expected }) => expected && isCheap(stored.encoded ?? ''),
  )
  if (!vector) throw new Error('no cheap vector')
  return vector
}

function isCheap(encoded: string): boolean {
  return /^\$2b\$04\$|m=32,/.test(encoded)
}

/** An unusable hash is no match either; what is unusable about it is asked elsewhere. */
async function verdict(encoded: string | null, password: Uint8Array): Promise<boolean> {
  if (defectOf(encoded) !== undefined) return false
  return await readHash(unsalted(encoded)).matches(password)
}

function defectOf(encoded: string | null): Defect | undefined {
  try {
    readHash(unsalted(encoded))
    return undefined
  } catch (error) {
    if (error instanceof HashError) return error.defect
    throw error
  }
}
