import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Defect, StoredHash } from '../../src/domain.ts'
import { classify } from '../../src/hashes/classify.ts'
import { digestIn } from '../../src/hashes/compared.ts'
import type { HashContext } from '../../src/hashes/context.ts'
import { HashError } from '../../src/hashes/format.ts'
import { HardeningError, hardeningOf, recipeSecrets } from '../../src/hashes/hardening.ts'
import { detect, exampleStored, harden, readHash } from '../../src/hashes/index.ts'
import { matchesPassword } from '../../src/hashes/password-forms.ts'
import { HARDENING_CONTEXT, readVectors, unsalted, type Vector } from './vectors.ts'

const { hardening } = HARDENING_CONTEXT
const COST = { kibibytes: 8, passes: 1, lanes: 1 }
const MD5 = '5f4dcc3b5aa765d61d8327deb882cf99'
const TYPED = Buffer.from('password')
const ROW: StoredHash = { ...unsalted(MD5, 'md5'), id: 'user-1' }
const NOT_DRY = { dry: false }

describe('vectors that were made elsewhere', () => {
  const vectors = readVectors('hardened')

  test.for(vectors.filter(({ defect }) => defect === undefined))(
    'vector $id',
    async ({ stored, context, password, expect: expected }) => {
      const read = readHash(stored, context)
      expect(read.scheme).toMatch(/^hardened:/)
      expect(await matchesPassword(read, password)).toBe(expected)
    },
  )

  test.for(vectors.filter(({ defect }) => defect !== undefined))(
    '$id is refused, before any work',
    ({ stored, context, defect }) => {
      expect(defectOf(stored, context)).toBe(defect)
    },
  )

  test('the program writes what the others wrote', async () => {
    const [vector] = vectors
    if (!vector) throw new Error('there is no vector')
    const encoded = createHash('md5').update(vector.password).digest('hex')
    const cost = { kibibytes: 64, passes: 1, lanes: 1 }
    const context = { ...HARDENING_CONTEXT, hardening: { ...hardening, cost } }
    expect(await harden({ ...vector.stored, encoded }, context, NOT_DRY)).toMatchObject({
      encoded: vector.stored.encoded,
    })
  })
})

describe('every other vector', () => {
  const all = readdirSync(new URL('./vectors/', import.meta.url))
    .map((file) => file.replace('.json', ''))
    .filter((name) => name !== 'hardened')
    .flatMap((name) => readVectors(name))
    .filter(({ bomb, defect, stored, context }) => !bomb && !defect && !defectOf(stored, context))

  test('that is weak is wrapped, answers as before, and has lost its digest', {
    timeout: 240_000,
  }, async () => {
    const left = new Map<string, number>()
    let wrapped = 0
    for (const vector of all) {
      const context = { ...vector.context, hardening }
      const made = await harden(vector.stored, context, NOT_DRY)
      left.set(made.kind, (left.get(made.kind) ?? 0) + 1)
      if (made.kind !== 'wrapped') continue
      wrapped++
      const before = readHash(vector.stored, context)
      const after = readHash({ ...vector.stored, encoded: made.encoded }, context)
      expect([made.from, made.scheme, after.scheme], vector.id).toEqual([
        before.scheme,
        `hardened:${before.scheme}`,
        made.scheme,
      ])
      expect(await matchesPassword(after, vector.password), vector.id).toBe(vector.expect)
      expect(await matchesPassword(after, Buffer.from('nobody has this')), vector.id).toBe(false)
      expect(after.nulIsData === true, vector.id).toBe(before.nulIsData === true)
      for (const text of writingsOf(vector, context)) expect(made.encoded.toLowerCase()).not.toContain(text)
    }
    expect(wrapped).toBeGreaterThan(850)
    // Weak ones that are left: bcrypt, scrypt and Argon2 of low cost, SCRAM, and what compares in a way of its own.
    expect(left.get('not-possible') ?? 0).toBeLessThan(200)
    expect(left.get('unusable') ?? 0).toBe(0)
  })
})

/** What of a digest must not be found any more: in hexadecimal, in base64, and as text. */
function writingsOf({ stored, id }: Vector, context: HashContext): string[] {
  const expected = Buffer.from(digestIn(readHash(stored, context))?.expected ?? [])
  expect(expected.length, id).toBeGreaterThan(7)
  const writings = [expected.toString('hex'), expected.toString('latin1'), expected.toString('base64')]
  return writings.map((text) => text.replace(/=+$/, '').toLowerCase())
}

test('a string with something more that was made of the password is not wrapped', async () => {
  const scram = readVectors('postgres-scram').find(({ expect: matches }) => matches)
  const several = [
    scram?.stored,
    unsalted(`S:${'5a'.repeat(30)};H:${'5a'.repeat(16)}`),
    unsalted(`0x0100${'5a'.repeat(44)}`),
    unsalted(`{CRAM-MD5}${'5a'.repeat(32)}`),
  ]
  for (const stored of several) {
    if (!stored) throw new Error('there is no such vector')
    expect((await harden(stored, HARDENING_CONTEXT, NOT_DRY)).kind).toBe('not-possible')
  }
})

test.for([
  { title: 'bcrypt of ordinary cost', encoded: exampleStored('bcrypt').encoded, kind: 'strong' },
  { title: 'Argon2', encoded: exampleStored('argon2').encoded, kind: 'strong' },
  { title: 'a locked account', encoded: '*', kind: 'unusable' },
  { title: 'no hash', encoded: null, kind: 'unusable' },
  { title: 'nothing known', encoded: 'hunter2', kind: 'unusable' },
])('$title is left as it is: $kind', async ({ encoded, kind }) => {
  expect((await harden(unsalted(encoded), HARDENING_CONTEXT, NOT_DRY)).kind).toBe(kind)
})

test('the same row comes to the same string, however its digest is written, and another row to another', async () => {
  const { encoded } = await hardened(ROW)
  expect((await hardened(ROW)).encoded).toBe(encoded)
  expect((await hardened({ ...ROW, encoded: MD5.toUpperCase() })).encoded).toBe(encoded)
  const other = (await hardened({ ...ROW, id: 'user-2' })).encoded
  expect(other.split('$').slice(-2)).not.toEqual(encoded.split('$').slice(-2))
  expect(saltOf(other)).not.toBe(saltOf(encoded))
})

test('the salt says nothing of the password, so that a thief of the key has to compute Argon2 for each guess', async () => {
  const one = (await hardened(ROW)).encoded
  const other = (await hardened({ ...ROW, encoded: MD5.replaceAll('5', '6') })).encoded
  expect(saltOf(other)).toBe(saltOf(one))
  expect(other).not.toBe(one)
})

test('moved to another row it is unusable, and never a wrong password', async () => {
  const made = await hardened(ROW)
  const read = readHash({ ...ROW, encoded: made.encoded }, HARDENING_CONTEXT)
  expect(await read.matches(TYPED)).toBe(true)
  expect(defectOf({ ...ROW, encoded: made.encoded, id: 'user-2' })).toBe('malformed')
})

test('with any character changed, or cut off anywhere, it is refused', async () => {
  const { encoded } = await hardened(ROW)
  for (let at = 0; at < encoded.length; at += 1) {
    const changed = `${encoded.slice(0, at)}${encoded[at] === 'a' ? 'b' : 'a'}${encoded.slice(at + 1)}`
    for (const text of [changed, encoded.slice(0, at)])
      expect(defectOf({ ...ROW, encoded: text }), `at ${at}`).toBeDefined()
  }
})

test('without its key, or with another one, it is unusable for want of a secret', async () => {
  const { encoded } = await hardened(ROW)
  const stored = { ...ROW, encoded }
  const { hardening: _, ...keyless } = HARDENING_CONTEXT
  expect(defectOf(stored, keyless)).toBe('missing-secret')
  expect(defectOf(stored, contextOf('a'))).toBe('missing-secret')
  expect(classify(stored, keyless)).toEqual({ usable: false, scheme: 'hardened', defect: 'missing-secret' })
  expect(detect(encoded)).toEqual({ confidence: 'exact', format: 'hardened' })
})

test('a new key reads what the previous one sealed, and seals it anew without any password', async () => {
  const before = await harden(ROW, contextOf('a'), NOT_DRY)
  if (before.kind !== 'wrapped') throw new Error(before.kind)
  const stored = { ...ROW, encoded: before.encoded }
  expect(await readHash(stored, contextOf('b', 'a')).matches(TYPED)).toBe(true)
  const after = await harden(stored, contextOf('b', 'a'), NOT_DRY)
  if (after.kind !== 'resealed') throw new Error(after.kind)
  expect(after.scheme).toBe('hardened:md5')
  const resealed = { ...ROW, encoded: after.encoded }
  expect(await readHash(resealed, contextOf('b')).matches(TYPED)).toBe(true)
  expect(defectOf(resealed, contextOf('a'))).toBe('missing-secret')
  expect(await harden(resealed, contextOf('b'), NOT_DRY)).toEqual({
    kind: 'hardened',
    scheme: 'hardened:md5',
  })
})

test('its decoys and the example of its scheme cost the same, and nobody has a password of them', async () => {
  const { encoded } = await hardened(ROW)
  const read = readHash({ ...ROW, encoded }, HARDENING_CONTEXT)
  for (const stored of [read.decoy, exampleStored('hardened:md5', HARDENING_CONTEXT)]) {
    const decoy = readHash(stored, HARDENING_CONTEXT)
    expect([decoy.scheme, decoy.millis, decoy.memory]).toEqual([read.scheme, read.millis, read.memory])
    expect(await decoy.matches(TYPED)).toBe(false)
  }
  expect(readHash(exampleStored('hardened:md5')).scheme).toBe('bcrypt')
})

test('a key is of 32 bytes at least, and no recipe may use it', () => {
  const secrets = new Map([
    ['hardening_key', Buffer.alloc(31, 'k')],
    ['pepper', Buffer.from('p')],
  ])
  expect(() => hardeningOf(secrets, COST)).toThrow(HardeningError)
  expect(() => hardeningOf(new Map([['hardening_key_previous', Buffer.alloc(32)]]), COST)).toThrow(
    HardeningError,
  )
  expect(() =>
    hardeningOf(new Map([['hardening_key', Buffer.alloc(32)]]), { kibibytes: 8, passes: 1, lanes: 2 }),
  ).toThrow(HardeningError)
  expect(hardeningOf(new Map(), COST)).toBeUndefined()
  expect([...recipeSecrets(secrets).keys()]).toEqual(['pepper'])
})

function saltOf(encoded: string): string | undefined {
  return encoded.split('$').at(-2)
}

function contextOf(key: string, previous?: string) {
  const secrets = new Map([['hardening_key', Buffer.alloc(32, key)]])
  if (previous !== undefined) secrets.set('hardening_key_previous', Buffer.alloc(32, previous))
  const made = hardeningOf(secrets, COST)
  if (made === undefined) throw new Error('there is no key')
  return { ...HARDENING_CONTEXT, hardening: made }
}

async function hardened(stored: StoredHash): Promise<{ readonly encoded: string }> {
  const made = await harden(stored, HARDENING_CONTEXT, NOT_DRY)
  if (made.kind !== 'wrapped') throw new Error(`not wrapped: ${made.kind}`)
  return made
}

function defectOf(stored: StoredHash, context: HashContext = HARDENING_CONTEXT): Defect | undefined {
  try {
    readHash(stored, context)
    return undefined
  } catch (error) {
    if (error instanceof HashError) return error.defect
    throw error
  }
}
