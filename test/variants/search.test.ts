import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StoredHash } from '../../src/domain.ts'
import { HashError, type ReadHash } from '../../src/hashes/format.ts'
import { readHash } from '../../src/hashes/index.ts'
import { compare } from '../../src/variants/compare.ts'
import { search } from '../../src/variants/search.ts'
import { describe } from '../../src/variants/variant.ts'

const md5 = (value: string | Buffer) => createHash('md5').update(value).digest('hex')
const account = (encoded: string, password: string, change: Partial<StoredHash> = {}) => ({
  stored: { encoded, scheme: 'md5', salt: null, login: 'ann', id: '1', ...change },
  password,
  typed: 'ann',
  email: 'ann@example.com',
})
/** Made with Python's hashlib, of "typed" and the salt "pinch". */
const ITERATED: ReadonlyMap<string, string> = new Map([
  ['repeat(999,md5,md5($salt.$pass))', '95c390efab4c8a1334b2bbf4348b26a3'],
  [
    'repeat(1024,hex(sha256($_)),hex(sha256($pass.$salt)))',
    '10a3fe333bba5e324fba6078e79d6a04f3631685b7c8cd8caa129db25ef1ec9d',
  ],
  [
    "repeat(4999,sha1($_.$pass.'{'.$salt.'}'),sha1($pass.'{'.$salt.'}'))",
    'dd9de4e5e726eb62c12daf34d0a378c3e1b5e7ec',
  ],
])
const limits = { most: 20_000, slowMillis: 1_000 }

test('nothing is found of another password, within the limit', async () => {
  const all = await search(account(md5('x'), 'typed'), readHash, limits)
  expect(all.found).toEqual([])
  const few = await search(account(md5('x'), 'typed'), readHash, { ...limits, most: 50 })
  expect([few.found, few.tried, few.cut]).toEqual([[], 50, true])
})

test('a stop ends it', async () => {
  const stop = AbortSignal.abort()
  expect(await search(account(md5('x'), 'typed'), readHash, limits, { stop })).toMatchObject({
    tried: 0,
    cut: true,
  })
})

test('slow hashes have a limit of their own', async () => {
  let checks = 0
  const read = (stored: StoredHash): ReadHash => {
    if (stored.scheme !== null) throw new HashError('unknown-scheme', 'none')
    const matches = () => {
      checks++
      return false
    }
    return { scheme: 'slow', millis: 100, decoy: stored, matches }
  }
  const { cut } = await search(account('x', 'Typed', { scheme: null }), read, limits)
  expect([checks, cut]).toEqual([10, true])
})

test('what the notation can put around an expression is told as a scheme', async () => {
  const read = (stored: StoredHash): ReadHash => {
    const inner = /^slow(?:\((.*)\))?$/.exec(stored.scheme ?? '')
    if (inner === null) throw new HashError('unknown-scheme', 'none')
    const matches = (password: Uint8Array) =>
      inner[1] === 'hex(md5($pass))'
        ? true
        : inner[1] === undefined && Buffer.from(password).equals(Buffer.from(md5('typed')))
    return { scheme: stored.scheme ?? '', millis: 1, decoy: stored, matches }
  }
  const { found } = await search(account('x', 'typed', { scheme: 'slow' }), read, limits)
  expect(found.map(describe)).toEqual(['hash_scheme slow(hex(md5($pass)))'])
})

test.each([
  { scheme: 'repeat(999,md5,md5($salt.$pass))' },
  { scheme: 'repeat(1024,hex(sha256($_)),hex(sha256($pass.$salt)))' },
  { scheme: "repeat(4999,sha1($_.$pass.'{'.$salt.'}'),sha1($pass.'{'.$salt.'}'))" },
])('$scheme is found', async ({ scheme }) => {
  const encoded = ITERATED.get(scheme) ?? ''
  const { found } = await search(account(encoded, 'typed', { salt: 'pinch' }), readHash, {
    most: 50_000,
    slowMillis: 10_000,
  })
  expect(found.map(describe)).toContain(`hash_scheme ${scheme}`)
})

test('the e-mail address as the salt is said in words', async () => {
  const { found } = await search(account(md5('ann@example.comtyped'), 'typed'), readHash, limits)
  expect(found.map(describe)).toContain('hash_scheme md5($login.$pass); the e-mail address as the login')
})

test('what suits every account is told before what suits one', async () => {
  const accounts = [account(md5('plain'), 'plain'), account(md5(Buffer.from('größe', 'latin1')), 'größe')]
  const found = (await Promise.all(accounts.map((one) => search(one, readHash, limits)))).flatMap(
    (one) => one.found,
  )
  const standings = await compare(accounts, found, readHash)
  const [best] = standings
  expect([best && describe(best.variant), best?.matched]).toEqual(['hash_scheme md5(latin1($pass))', 2])
  expect(standings.at(-1)?.matched).toBe(1)
})
