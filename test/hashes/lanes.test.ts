import { describe, expect, test } from 'vitest'
import type { StoredHash } from '../../src/domain.ts'
import type { ReadHash } from '../../src/hashes/format.ts'
import { HashError } from '../../src/hashes/format.ts'
import { formats, readHash } from '../../src/hashes/index.ts'
import { runLanes } from '../../src/hashes/lanes.ts'
import { readVectors, type Vector } from './vectors.ts'

/** What checks of a lane are told from others by, at a cost that tests can afford. */
const CHEAP_MILLIS = 10

function readOrNothing({ stored, context }: Vector): ReadHash | null {
  try {
    return readHash(stored, context)
  } catch (error) {
    if (error instanceof HashError) return null
    throw error
  }
}

const names = [...formats.map(({ name }) => name), 'recipe', 'named']
const checks = names
  .flatMap((name) => readVectors(name).map((vector) => ({ ...vector, name })))
  .flatMap((vector) => {
    const read = readOrNothing(vector)
    return read?.lane && read.millis < CHEAP_MILLIS ? [{ ...vector, read, lane: read.lane }] : []
  })

const bcryptOf = (scheme: string | null, encoded: string): StoredHash => ({
  encoded,
  scheme,
  salt: null,
  login: '',
  id: '',
})
const TAIL = 'CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.'

describe('a lane of one comes to what the check by itself comes to', () => {
  test.for(checks)('$name: $id', async ({ read, lane, password, expect: expected }) => {
    const other = Buffer.from('another password')
    expect(runLanes([lane.job(password)])).toEqual([expected])
    expect(await read.matches(password)).toBe(expected)
    expect(runLanes([lane.job(other)])).toEqual([await read.matches(other)])
  })

  test('families with bcrypt inside hand its lane on', () => {
    expect([...new Set(checks.map(({ name }) => name))].sort()).toEqual([
      'bcrypt',
      'bcrypt-django',
      'bcrypt-sha256-django',
      'bcrypt-sha256-passlib',
      'jenkins',
      'ldap-crypt',
      'mediawiki-bcrypt',
      'named',
      'recipe',
      'wordpress-wp',
    ])
  })
})

test('lanes of one kind: right and wrong passwords, and of several families, in any order', () => {
  const kinds = [...new Set(checks.map(({ lane }) => lane.kind))]
  expect(kinds).toEqual(expect.arrayContaining(['bcrypt 4', 'bcrypt 5']))
  for (const kind of kinds) {
    const list = checks.filter(({ lane }) => lane.kind === kind)
    for (let at = 0; at + 3 <= list.length; at += 1) {
      const group = list.slice(at, at + (list[0]?.lane.most ?? 0))
      const wrong = at % (group.length + 1)
      const jobs = group.map(({ lane, password }, index) =>
        lane.job(index === wrong ? Buffer.from('another password') : password),
      )
      expect(runLanes(jobs)).toEqual(group.map(({ expect: expected }, index) => index !== wrong && expected))
    }
  }
})

test('a password of which nothing can be made never matches, and takes its place in the answer', () => {
  const right = checks.find((check) => check.name === 'bcrypt' && check.expect)
  const { lane } = readHash(bcryptOf('bcrypt(unhex($pass))', `$2b$04$${TAIL}`))
  const unprepared = lane?.job(Buffer.from('not hexadecimal')) ?? null
  for (const impossible of [unprepared, null]) {
    expect(runLanes([impossible])).toEqual([false])
    expect(runLanes([impossible, right?.lane.job(right.password) ?? null])).toEqual([false, true])
  }
})

test.for([
  { scheme: null, encoded: `$2b$10$${TAIL}`, kind: 'bcrypt 10' },
  { scheme: null, encoded: `$2x$07$${TAIL}`, kind: 'bcrypt 7' },
  { scheme: null, encoded: `{bcrypt}$2a$10$${TAIL}`, kind: 'bcrypt 10' },
  { scheme: null, encoded: `{CRYPT}$2y$12$${TAIL}`, kind: 'bcrypt 12' },
  { scheme: null, encoded: `$wp$2y$10$${TAIL}`, kind: 'bcrypt 10' },
  { scheme: 'bcrypt(hex(md5($pass)))', encoded: `$2b$04$${TAIL}`, kind: 'bcrypt 4' },
  { scheme: 'wbb4', encoded: `Bcrypt:$2a$08$${TAIL}`, kind: 'bcrypt 8' },
  { scheme: 'wbb4', encoded: `$2a$08$${TAIL}`, kind: undefined },
  { scheme: 'md5', encoded: '5a'.repeat(16), kind: undefined },
])('$encoded as $scheme is of the kind $kind', ({ scheme, encoded, kind }) => {
  expect(readHash(bcryptOf(scheme, encoded)).lane?.kind).toBe(kind)
})
