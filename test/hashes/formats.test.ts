import { describe, expect, test } from 'vitest'
import type { Defect, StoredHash } from '../../src/domain.ts'
import { HashError } from '../../src/hashes/format.ts'
import { exampleStored, formats, readHash } from '../../src/hashes/index.ts'
import type { Vector } from './vectors.ts'
import { ALLOWED, readVectors } from './vectors.ts'

describe.each(formats)('$name', (format) => {
  const vectors = readVectors(format.name)

  test.for(vectors.filter(({ bomb, defect }) => !bomb && defect === undefined))(
    'vector $id',
    async ({ stored, context, password, expect: expected }) => {
      expect(await verdict(stored, password, context)).toBe(expected)
    },
  )

  test('vectors that would take too long are refused by their parameters', () => {
    for (const { stored, context } of vectors.filter(({ bomb }) => bomb))
      expect(defectOf(stored, context)).toBeDefined()
  })

  test.for(vectors.filter(({ defect }) => defect !== undefined))(
    '$id is refused, before any work',
    ({ stored, context, defect }) => {
      // The work of the costly ones would take days.
      expect(defectOf(stored, context)).toBe(defect)
    },
  )

  test('has vectors of hashes that are malformed', () => {
    expect(vectors.some(({ defect }) => defect === 'malformed')).toBe(true)
  })

  test('every truncation is refused, or is a shorter digest that does not match', async () => {
    const { stored, context, password } = cheapest(format.name)
    const encoded = stored.encoded ?? ''
    // Only the padding of base64 may be missing.
    for (let length = 0; length < encoded.replace(/=+$/, '').length; length += 1) {
      expect(await verdict({ ...stored, encoded: encoded.slice(0, length) }, password, context)).toBe(false)
    }
    expect(defectOf({ ...stored, encoded: '' })).toBe('missing')
  })

  test('its example matches nothing', async () => {
    for (const password of ['', 'password', format.name, format.example]) {
      expect(await verdict(exampleStored(format.name), Buffer.from(password))).toBe(false)
    }
  })

  test('its decoys are read, and cost the same', () => {
    for (const { stored, context } of vectors) {
      if (defectOf(stored, context) !== undefined) continue
      const read = readHash(stored, context)
      const decoy = readHash(read.decoy, context)
      expect([decoy.scheme, decoy.millis]).toEqual([read.scheme, read.millis])
      expect(read.decoy.encoded).not.toBe(stored.encoded)
    }
  })

  test('its names find it, and its example is the first decoy', () => {
    for (const name of [format.name, format.name.toUpperCase(), ...(format.aliases ?? [])]) {
      expect(readHash({ ...exampleStored(format.name), scheme: name }, ALLOWED).scheme).toBe(format.name)
      expect(exampleStored(name).encoded).toEqual(format.example)
    }
  })
})

test('no string is claimed by two formats', () => {
  const strings = formats.flatMap(({ name, example }) => [
    example,
    ...readVectors(name).map(({ stored }) => stored.encoded ?? ''),
  ])
  for (const text of strings)
    expect(formats.filter(({ shape, byNameOnly }) => !byNameOnly && shape.test(text)).length).toBeLessThan(2)
})

test('$2x$ of a password in ASCII is $2b$', async () => {
  const vectors = readVectors('bcrypt').filter(
    ({ stored, password, expect: expected }) =>
      expected && stored.encoded?.startsWith('$2b$04$') && password.every((byte) => byte < 0x80),
  )
  expect(vectors.length).toBeGreaterThan(2)
  for (const { stored, password } of vectors) {
    expect(
      await verdict({ ...stored, encoded: stored.encoded?.replace('$2b$', '$2x$') ?? '' }, password),
    ).toBe(true)
  }
})

/** Characters at the end that are no part of salt or digest. */
const BEHIND: Readonly<Record<string, number>> = { 'juniper-ive': 24 }

// Salt and digest stand in the second half; what stands before may say the same in several ways.
test.for(formats)(
  '$name: with one character of its second half changed it never matches',
  async ({ name }) => {
    const { stored, context, password } = cheapest(name)
    const encoded = stored.encoded ?? ''
    const end = encoded.length - (BEHIND[name] ?? 0)
    for (let at = Math.floor(encoded.length / 2); at < end; at += 1) {
      const changed = `${encoded.slice(0, at)}${encoded[at] === 'a' ? 'b' : 'a'}${encoded.slice(at + 1)}`
      if (changed.toLowerCase() === encoded.toLowerCase()) continue
      expect(await verdict({ ...stored, encoded: changed }, password, context)).toBe(false)
    }
  },
)

/** The vector that takes least among those that match. */
function cheapest(format: string): Vector {
  const [vector] = readVectors(format)
    .filter((one) => one.expect && defectOf(one.stored, one.context) === undefined)
    .sort((one, other) => costOf(one) - costOf(other))
  if (!vector) throw new Error('no vector matches')
  return vector
}

function costOf({ stored, context }: Vector): number {
  return defectOf(stored, context) === undefined ? readHash(stored, context).millis : 0
}

/** An unusable hash is no match either; what is unusable about it is asked elsewhere. */
async function verdict(stored: StoredHash, password: Uint8Array, context = ALLOWED): Promise<boolean> {
  if (defectOf(stored, context) !== undefined) return false
  return await readHash(stored, context).matches(password)
}

function defectOf(stored: StoredHash, context = ALLOWED): Defect | undefined {
  try {
    readHash(stored, context)
    return undefined
  } catch (error) {
    if (error instanceof HashError) return error.defect
    throw error
  }
}
