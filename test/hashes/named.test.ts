import { expect, test } from 'vitest'
import { HashError } from '../../src/hashes/format.ts'
import { exampleStored, formats, isSchemeName, readHash } from '../../src/hashes/index.ts'
import { namedRecipes } from '../../src/hashes/named-recipes.ts'
import type { Vector } from './vectors.ts'
import { readVectors, unsalted } from './vectors.ts'

const vectors = readVectors('named')
const SECRETS = {
  recipes: new Map(),
  secrets: new Map([['pepper', Buffer.from('pepper')]]),
  plaintext: false,
}

test.for(vectors.filter(({ defect }) => defect === undefined))(
  '$stored.scheme: vector $id',
  async (vector) => {
    expect(await verdict(vector)).toBe(vector.expect)
  },
)

test.for(vectors.filter(({ defect }) => defect !== undefined))('$id is refused', (vector) => {
  expect(readAs(vector)).toBe(vector.defect)
})

test('names are unique, and no format has them', () => {
  const names = namedRecipes.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  expect(formats.filter(({ name }) => names.includes(name))).toEqual([])
})

test.for(namedRecipes)(
  '$name: its example is read, matches nothing, and so does its decoy',
  async ({ name }) => {
    expect(isSchemeName(name)).toBe(true)
    const example = readHash({ ...exampleStored(name), scheme: name.toUpperCase() }, SECRETS)
    const decoy = readHash(example.decoy, SECRETS)
    expect([example.scheme, decoy.scheme, decoy.millis]).toEqual([name, name, example.millis])
    for (const password of ['', 'password', name]) {
      expect(await example.matches(Buffer.from(password))).toBe(false)
      expect(await decoy.matches(Buffer.from(password))).toBe(false)
    }
  },
)

// A salt that is neither hexadecimal nor base64 leaves some recipes out, and the decoy's salt is both.
test('every decoy costs no less and matches nothing', async () => {
  for (const vector of vectors.filter(({ expect: expected }) => expected)) {
    const read = readHash(vector.stored, vector.context)
    const decoy = readHash(read.decoy, vector.context)
    expect(decoy.scheme).toBe(read.scheme)
    expect(decoy.millis).toBeGreaterThanOrEqual(read.millis)
    if (read.millis < 5) expect(await decoy.matches(vector.password)).toBe(false)
  }
})

test('without a column for it the salt stands behind the hash', async () => {
  const hash = '28f9975808ae2bdc5847b1cda26033ea'
  for (const stored of [
    { ...unsalted(hash, 'vbulletin'), salt: '308' },
    unsalted(`${hash}:308`, 'vbulletin'),
    { ...unsalted(`${hash}:308`, 'vbulletin'), salt: '' },
  ])
    expect(await readHash(stored).matches(Buffer.from('hashcat'))).toBe(true)
  expect(() => readHash(unsalted(hash, 'vbulletin'))).toThrow(HashError)
})

async function verdict({ stored, context, password }: Vector): Promise<boolean> {
  try {
    return await readHash(stored, context).matches(password)
  } catch (error) {
    if (error instanceof HashError) return false
    throw error
  }
}

function readAs({ stored, context }: Vector): string {
  try {
    return readHash(stored, context).scheme
  } catch (error) {
    if (error instanceof HashError) return error.defect
    throw error
  }
}
