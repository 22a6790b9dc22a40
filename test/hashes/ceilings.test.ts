import { expect, test } from 'vitest'
import type { Defect } from '../../src/domain.ts'
import { affordable, type Bounds, ceilings, ceilingWords } from '../../src/hashes/ceilings.ts'
import { HashError, type ReadHash } from '../../src/hashes/format.ts'
import { formats, readHash } from '../../src/hashes/index.ts'
import { parameters } from './parameters.ts'
import { ALLOWED, unsalted } from './vectors.ts'

/** What these cost, secrets of the operator's say. */
const COSTED_BY_SECRETS = ['firebase-scrypt']

test('every family whose cost varies has its numbers in the data', () => {
  const costed = formats
    .filter(({ ceiling }) => ceiling !== ceilingWords.fixed && ceiling !== ceilingWords.inner)
    .map(({ name }) => name)
  expect(costed.filter((name) => !COSTED_BY_SECRETS.includes(name) && !(name in parameters))).toEqual([])
})

test.for(Object.entries(parameters))('%s is read up to its ceiling and not above', ([name, numbers]) => {
  const read = readerOf(name)
  for (const { most, written, millis, work = identity } of numbers) {
    expect(read(written(most + 1))).toBe('too-costly')
    const edge = greatestRead(most, (value) => read(written(value)))
    expect(edge).toBeGreaterThan(0)
    expect(read(written(edge + 1))).toBe('too-costly')
    if (edge === most) continue
    // The time is what stops it: it grows with the number, and one more would be too much.
    expect((work(edge + 1) / work(edge)) * millisOf(read(written(edge)))).toBeGreaterThan(0.999 * millis)
  }
})

const lengths: readonly {
  readonly title: string
  readonly bounds: Bounds
  readonly written: (bytes: number) => string
}[] = [
  {
    title: 'the stored string',
    bounds: ceilings.stored.characters,
    // Magento's salt is within bounds of its own; blanks before the JSON of Keycloak are not.
    written: (length) => exampleOf('keycloak').padStart(length),
  },
  {
    title: 'a salt of PBKDF2',
    bounds: ceilings.pbkdf2.saltBytes,
    written: (bytes) => `$pbkdf2-sha256$1000$${base64(bytes)}$${base64(32)}`,
  },
  {
    title: 'a derived key of PBKDF2',
    bounds: ceilings.pbkdf2.keyBytes,
    written: (bytes) =>
      `:pbkdf2:sha512:1000:${bytes}:Y2FycnlvdmVyY2Fycnlvdg==:${Buffer.alloc(bytes, 'Z').toString('base64')}`,
  },
  {
    title: 'a salt of Argon2',
    bounds: ceilings.argon2.saltBytes,
    written: (bytes) => `$argon2id$v=19$m=64,t=1,p=1$${base64(bytes)}$${base64(32)}`,
  },
  {
    title: 'a digest of Argon2',
    bounds: ceilings.argon2.digestBytes,
    written: (bytes) => `$argon2id$v=19$m=64,t=1,p=1$${base64(16)}$${base64(bytes)}`,
  },
  {
    title: 'a salt of LDAP',
    bounds: ceilings.digest.saltBytes,
    written: (bytes) => `{SSHA256}${Buffer.alloc(32 + bytes, 'Z').toString('base64')}`,
  },
  {
    title: 'a salt of SAP',
    bounds: ceilings.sap.saltBytes,
    written: (bytes) => `{x-issha, 1024}${Buffer.alloc(20 + bytes, 'Z').toString('base64')}`,
  },
]

test.for(lengths)(
  '$title is read up to its greatest length, and is malformed beyond',
  ({ bounds, written }) => {
    const read = (bytes: number) => readOrDefect(written(bytes), null)
    expect(read(bounds.most)).toMatchObject({ millis: expect.any(Number) })
    expect(read(bounds.most + 1)).toBe('malformed')
  },
)

test('below the least is malformed, above the most too costly, and not a number neither', () => {
  const bounds = { least: 2, most: 4 }
  const defectOf = (value: number) => thrown(() => affordable(value, bounds, 'the rounds'))
  expect([1, 2, 4, 5, Number.NaN, Number.POSITIVE_INFINITY].map(defectOf)).toEqual([
    'malformed',
    2,
    4,
    'too-costly',
    'malformed',
    'too-costly',
  ])
})

test('a recipe has the ceilings of the table', () => {
  const read = (scheme: string) =>
    thrown(() => readHash({ ...unsalted('5a'.repeat(16), scheme), salt: 'abcdefgh' }))
  const { rounds, pbkdf2Rounds, characters } = ceilings.recipe
  expect(read(`repeat(${rounds.most + 1},md5,$pass)`)).toBe('too-costly')
  expect(read(`pbkdf2_sha1($pass,$salt,${pbkdf2Rounds.most},16)`)).toMatchObject({
    scheme: expect.any(String),
  })
  expect(read(`pbkdf2_sha1($pass,$salt,${pbkdf2Rounds.most + 1},16)`)).toBe('too-costly')
  expect(read(`md5($pass${' '.repeat(characters.most - 10)})`)).toMatchObject({ scheme: 'md5' })
  expect(read(`md5($pass${' '.repeat(characters.most - 9)})`)).toBe('bad-recipe')
})

test('a recipe and the hash around it are bounded as a whole', () => {
  const read = (rounds: number, cost: number) =>
    readOrDefect(
      exampleOf('bcrypt').replace('$10$', () => `$${cost}$`),
      `bcrypt(pbkdf2_sha1($pass,'salt',${rounds},16))`,
    )
  const { pbkdf2Rounds } = ceilings.recipe
  const { cost } = ceilings.bcrypt
  expect(read(1, cost.most)).toMatchObject({ millis: expect.any(Number) })
  expect(read(pbkdf2Rounds.most, cost.most - 1)).toMatchObject({ millis: expect.any(Number) })
  expect(read(pbkdf2Rounds.most, cost.most)).toBe('too-costly')
})

/** The greatest number up to `most` that is read, where smaller ones are as well. */
function greatestRead(most: number, read: (value: number) => ReadHash | Defect): number {
  let good = most
  while (good > 0 && typeof read(good) === 'string') good = Math.floor(good / 2)
  let bad = Math.min(most + 1, 2 * good + 2)
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2)
    if (typeof read(middle) === 'string') bad = middle
    else good = middle
  }
  return good
}

function readerOf(name: string): (encoded: string) => ReadHash | Defect {
  const scheme = formats.find((format) => format.name === name)?.byNameOnly ? name : null
  return (encoded) => readOrDefect(encoded, scheme)
}

/** Reading does no work. */
function readOrDefect(encoded: string, scheme: string | null): ReadHash | Defect {
  return thrown(() => readHash(unsalted(encoded, scheme), ALLOWED))
}

function thrown<Value>(work: () => Value): Value | Defect {
  try {
    return work()
  } catch (error) {
    if (error instanceof HashError) return error.defect
    throw error
  }
}

function millisOf(read: ReadHash | Defect): number {
  return typeof read === 'string' ? 0 : read.millis
}

function exampleOf(name: string): string {
  return formats.find((format) => format.name === name)?.example ?? ''
}

function base64(bytes: number): string {
  return Buffer.alloc(bytes, 'Z').toString('base64').replace(/=+$/, '')
}

function identity(value: number): number {
  return value
}
