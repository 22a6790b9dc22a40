import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { LegacyUser } from '../../src/domain.ts'
import { schemesOf } from '../../src/hashes/candidates.ts'
import { type HashContext, NO_CONTEXT } from '../../src/hashes/context.ts'
import { readHash } from '../../src/hashes/index.ts'
import { createDiagnosis } from '../../src/hooks/diagnose.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

const TYPED = ' Größe & Pa55word'
const digest = (name: string, value: string | Buffer) => createHash(name).update(value).digest('hex')

function user(encoded: string, scheme: string | null, change: Partial<LegacyUser> = {}): LegacyUser {
  const hash = { encoded, scheme, salt: '00ff', login: 'Ann', id: '1' }
  return {
    id: '1',
    login: 'Ann',
    email: null,
    hash,
    status: 'active',
    cohort: 'c',
    profile: {},
    state: 'unmigrated',
    verifiedAt: null,
    migratedAt: null,
    ...change,
  }
}

function setUp(perMinute = 60, context: HashContext = NO_CONTEXT) {
  const counted: string[] = []
  const diagnosis = createDiagnosis({
    perMinute,
    read: (stored) => readHash(stored, context),
    schemesOf: (stored) => schemesOf(stored, context),
    count: (scheme, variant) => counted.push(`${scheme} ${variant}`),
  })
  const settle = async () => {
    vi.advanceTimersByTime(300)
    for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
  }
  return { diagnosis, counted, settle }
}

test.each([
  { variant: 'latin1', hash: digest('md5', Buffer.from(TYPED, 'latin1')), scheme: 'md5' },
  { variant: 'utf16le', hash: digest('sha1', Buffer.from(TYPED, 'utf16le')), scheme: 'sha1' },
  { variant: 'trimmed', hash: digest('md5', TYPED.trim()), scheme: 'md5' },
  { variant: 'nfd', hash: digest('md5', TYPED.normalize('NFD')), scheme: 'md5' },
  { variant: 'lower-case', hash: digest('md5', TYPED.toLowerCase()), scheme: 'md5' },
  { variant: 'html-escaped', hash: digest('md5', TYPED.replace('&', '&amp;')), scheme: 'md5' },
  { variant: 'md5-first', hash: digest('md5', digest('md5', TYPED)), scheme: 'md5' },
  { variant: 'login-lower-case', hash: digest('sha256', `ann${TYPED}`), scheme: 'sha256($login.$pass)' },
  { variant: 'recipe-changed', hash: digest('sha256', `${TYPED}00ff`), scheme: 'sha256($salt.$pass)' },
  {
    variant: 'salt-hexadecimal',
    hash: digest('md5', Buffer.concat([Buffer.from('00ff', 'hex'), Buffer.from(TYPED)])),
    scheme: 'md5($salt.$pass)',
  },
  { variant: 'none', hash: digest('md5', 'something else'), scheme: 'md5' },
])('$variant is counted, and only after the answer', async ({ variant, hash, scheme }) => {
  const { diagnosis, counted, settle } = setUp()
  diagnosis.mismatched(user(hash, scheme), TYPED)
  expect([counted, diagnosis.counts()]).toEqual([[], []])
  await settle()
  expect(counted).toEqual([`${scheme} ${variant}`])
  expect(diagnosis.counts()).toEqual([{ scheme, variant, count: 1 }])
})

test.each([
  { variant: 'trimmed', hash: digest('md5', TYPED.trim()) },
  { variant: 'recipe-changed', hash: digest('md5', `${TYPED}00ff`) },
  {
    variant: 'salt-hexadecimal',
    hash: digest('md5', Buffer.concat([Buffer.from('00ff', 'hex'), Buffer.from(TYPED)])),
  },
  { variant: 'none', hash: digest('md5', 'something else') },
])('$variant is counted of a row that names no scheme', async ({ variant, hash }) => {
  const { diagnosis, counted, settle } = setUp(60, {
    ...NO_CONTEXT,
    recipes: new Map([['shop', 'md5($salt.$pass)']]),
    candidates: new Map([['*', ['md5', 'shop']]]),
  })
  diagnosis.mismatched(user(hash, null), TYPED)
  await settle()
  expect(counted).toEqual([`candidates ${variant}`])
})

test.each([
  { title: 'a slow hash', who: user(`$2b$10$${'a'.repeat(53)}`, null) },
  { title: 'a hash that cannot be used', who: user('zzz', 'md5') },
  { title: 'a disabled user', who: user(digest('md5', 'x'), 'md5', { status: 'disabled' }) },
])('$title is left out', async ({ who }) => {
  const { diagnosis, settle } = setUp()
  diagnosis.mismatched(who, TYPED)
  await settle()
  expect(diagnosis.counts()).toEqual([])
})

test('a minute has its bound, and the next one its own', async () => {
  const { diagnosis, counted, settle } = setUp(3)
  const ann = user(digest('md5', 'x'), 'md5')
  for (let at = 0; at < 10; at++) diagnosis.mismatched(ann, TYPED)
  await settle()
  expect(counted).toHaveLength(3)
  diagnosis.mismatched(ann, TYPED)
  await settle()
  expect(counted).toHaveLength(3)
  vi.advanceTimersByTime(60_000)
  diagnosis.mismatched(ann, TYPED)
  await settle()
  expect(counted).toHaveLength(4)
})

test('recipes beyond the fiftieth share a label', async () => {
  const { diagnosis, settle } = setUp(1_000)
  for (let at = 0; at < 60; at++) {
    diagnosis.mismatched(user(digest('md5', 'x'), `md5('${at}'.$pass)`), 'typed-pa55word')
    await settle()
  }
  const schemes = diagnosis.counts().map(({ scheme }) => scheme)
  expect(schemes).toHaveLength(51)
  expect(diagnosis.counts().at(-1)).toEqual({ scheme: 'other', variant: 'none', count: 10 })
})

test('the copies of the passwords are cleared, those that wait too', async () => {
  const copies: Uint8Array[] = []
  const from = Buffer.from
  const spy = vi.spyOn(Buffer, 'from').mockImplementation(((...args: Parameters<typeof from>) => {
    const made = from(...args)
    if (args[0] === TYPED) copies.push(made)
    return made
  }) as typeof from)
  const { diagnosis, settle } = setUp()
  const ann = user(digest('md5', 'x'), 'md5')
  diagnosis.mismatched(ann, TYPED)
  await settle()
  diagnosis.mismatched(ann, TYPED)
  diagnosis.stop()
  await settle()
  spy.mockRestore()
  expect(copies.length).toBeGreaterThan(1)
  for (const copy of copies) expect(copy.every((byte) => byte === 0)).toBe(true)
  expect(diagnosis.counts()).toHaveLength(1)
})
