import { createHmac, sign } from 'node:crypto'
import { BlockList } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type BearerCheck, type BearerOptions, createBearerCheck } from '../../src/callers/bearer.ts'
import { Failure } from '../../src/errors.ts'
import { createKeysCall } from '../../src/issuer-keys.ts'
import { seeded } from '../helpers/random.ts'
import { damaged, rsa, signed, signingKey, tokenIssuer, unsigned } from '../helpers/tokens.ts'

const ISSUER = 'https://issuer.example/tenant/v2.0'
const CLIENT = 'client-of-the-provider'
const now = () => Math.floor(Date.now() / 1_000)
const claims = (change: Record<string, unknown> = {}) => ({
  iss: ISSUER,
  aud: 'us',
  azp: CLIENT,
  nbf: now() - 10,
  exp: now() + 300,
  ...change,
})

const first = signingKey('first')
const second = signingKey('second', 'ES256')
const stranger = signingKey('first')

let issuer: Awaited<ReturnType<typeof tokenIssuer>>
let elsewhere: Awaited<ReturnType<typeof tokenIssuer>>
beforeAll(async () => {
  issuer = await tokenIssuer(first)
  elsewhere = await tokenIssuer(first)
})
afterAll(() => Promise.all([issuer.close(), elsewhere.close()]))

const here = new BlockList()
here.addAddress('127.0.0.1')

const made: BearerCheck[] = []
afterEach(() => {
  for (const check of made.splice(0)) check.stop()
  issuer.publish(first)
})

/** Warm, and as if nothing but requests made it fetch. */
async function warmed(change: Partial<BearerOptions> = {}): Promise<BearerCheck> {
  const check = cold(change)
  await check.warm()
  return check
}

function cold(change: Partial<BearerOptions> = {}): BearerCheck {
  const check = createBearerCheck({
    issuer: ISSUER,
    audience: 'us',
    clients: [CLIENT],
    keysUrl: issuer.url,
    loopback: true,
    ask: createKeysCall({ allowAddresses: here }),
    ...change,
  })
  made.push(check)
  return check
}

const bearer = async (change: Record<string, unknown> = {}, key = first) =>
  `Bearer ${await signed(claims(change), key)}`

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    (error) => (error instanceof Failure ? error.code : 'no Failure'),
  )

test.each([
  { title: 'as version 2 has it', change: {} },
  { title: 'as version 1 has it', change: { azp: undefined, appid: CLIENT } },
  { title: 'as others have it', change: { azp: undefined, cid: CLIENT } },
  { title: 'with both names of the client', change: { appid: CLIENT } },
  { title: 'for several audiences', change: { aud: ['them', 'us'] } },
  { title: 'that ended half a minute ago', change: { exp: now() - 30 } },
  { title: 'that begins in half a minute', change: { nbf: now() + 30 } },
])('a token $title is believed', async ({ change }) => {
  expect(await (await warmed()).matches(await bearer(change))).toBe(true)
})

test.each(['RS256', 'PS256', 'ES256'])('%s is an algorithm', async (alg) => {
  const key = signingKey(alg, alg)
  issuer.publish(key)
  expect(await (await warmed()).matches(await bearer({}, key))).toBe(true)
})

test.each([
  { title: 'another audience', change: { aud: 'them' } },
  { title: 'no audience', change: { aud: undefined } },
  { title: 'another issuer', change: { iss: `${ISSUER}/` } },
  { title: 'no issuer', change: { iss: undefined } },
  { title: 'another client', change: { azp: 'somebody' } },
  { title: 'no client', change: { azp: undefined } },
  { title: 'two clients, one of them another', change: { appid: 'somebody' } },
  { title: 'a client that is a list', change: { azp: [CLIENT] } },
  { title: 'an end in the past', change: { exp: now() - 90 } },
  { title: 'no end', change: { exp: undefined } },
  { title: 'an end that is a text', change: { exp: '9999999999' } },
  { title: 'a beginning in the future', change: { nbf: now() + 90 } },
])('a token with $title is not believed', async ({ change }) => {
  expect(await (await warmed()).matches(await bearer(change))).toBe(false)
})

test.each([
  { title: 'nothing', header: async () => undefined },
  { title: 'an empty header', header: async () => '' },
  { title: 'the word alone', header: async () => 'Bearer ' },
  { title: 'another scheme', header: async () => (await bearer()).replace('Bearer', 'Basic') },
  { title: 'two tokens', header: async () => `${await bearer()}, ${await bearer()}` },
  { title: 'a token without a signature', header: async () => `Bearer ${unsigned(claims())}` },
  {
    title: 'a token of alg none with a signature',
    header: async () => `Bearer ${unsigned(claims(), { alg: 'none', kid: 'first' })}AAAA`,
  },
  { title: 'a key of the same name', header: () => bearer({}, stranger) },
  { title: 'the right key and another algorithm', header: () => bearer({}, { ...first, alg: 'RS384' }) },
  { title: 'a name of a key that is none', header: () => bearer({}, { ...first, kid: 'third' }) },
  {
    title: 'a token of an elliptic key that claims an RSA one',
    header: () => bearer({}, { ...second, kid: 'first' }),
  },
  {
    title: 'HS256 with the public key as the secret',
    header: async () => {
      const token = unsigned(claims(), { alg: 'HS256', kid: 'first' }).slice(0, -1)
      const secret = first.publicKey.export({ format: 'pem', type: 'spki' })
      return `Bearer ${token}.${createHmac('sha256', secret).update(token).digest('base64url')}`
    },
  },
])('$title is a stranger', async ({ header }) => {
  expect(await (await warmed()).matches(await header())).toBe(false)
})

test('a scope, where one is asked for', async () => {
  const check = await warmed({ scope: 'hooks' })
  const told = [undefined, 'others', 'hooks', 'others hooks', ['hooks']].map(async (scp) =>
    check.matches(await bearer({ scp })),
  )
  expect(await Promise.all(told)).toEqual([false, false, true, true, true])
})

test('a key that is for one algorithm alone signs with no other', async () => {
  issuer.publishText(
    JSON.stringify({
      keys: [{ ...first.publicKey.export({ format: 'jwk' }), kid: 'first', alg: 'PS256' }],
    }),
  )
  const check = await warmed()
  expect(await check.matches(await bearer())).toBe(false)
  expect(await check.matches(await bearer({}, { ...first, alg: 'PS256' }))).toBe(true)
})

test('entries that are no keys for signatures are left out', async () => {
  const jwk = { ...first.publicKey.export({ format: 'jwk' }), kid: 'first' }
  const odd = [
    null,
    7,
    { kid: 'first' },
    { ...jwk, use: 'enc' },
    { ...jwk, n: '' },
    { kty: 'oct', k: 'AA', kid: 'o' },
  ]
  issuer.publishText(JSON.stringify({ keys: [...odd, jwk] }))
  expect(await (await warmed()).matches(await bearer())).toBe(true)
})

test('a key of 1024 bits is nobody’s', async () => {
  const weak = { kid: 'weak', alg: 'RS256', ...rsa(1_024) }
  issuer.publish(weak, first)
  const check = await warmed()
  const text = `${Buffer.from('{"alg":"RS256","kid":"weak"}').toString('base64url')}.${unsigned(claims()).split('.')[1]}`
  const signature = sign('sha256', Buffer.from(text), weak.privateKey).toString('base64url')
  expect(await check.matches(`Bearer ${text}.${signature}`)).toBe(false)
})

test('a rotated key is found by one fetch, and the old one is gone', async () => {
  const check = await warmed()
  expect(await check.matches(await bearer())).toBe(true)
  const before = issuer.fetches()
  issuer.publish(second)
  const together = Array.from({ length: 20 }, async () => check.matches(await bearer({}, second)))
  expect(new Set(await Promise.all(together))).toEqual(new Set([true]))
  expect(issuer.fetches()).toBe(before + 1)
  expect(await check.matches(await bearer())).toBe(false)
})

test('names of keys that nobody has cause one fetch in a cool-down, and those of strangers none', async () => {
  const check = await warmed()
  const before = issuer.fetches()
  for (let at = 0; at < 10; at++) {
    expect(await check.matches(await bearer({ aud: 'them' }, { ...first, kid: `kid-${at}` }))).toBe(false)
  }
  expect(await check.matches(`Bearer ${unsigned(claims(), { alg: 'HS256', kid: 'kid' })}AAAA`)).toBe(false)
  expect(issuer.fetches()).toBe(before)
  for (let at = 0; at < 10; at++) {
    expect(await check.matches(await bearer({}, { ...first, kid: `kid-${at}` }))).toBe(false)
  }
  expect(issuer.fetches()).toBe(before + 1)
})

test('keys that are known are used without a fetch while the issuer is down', async () => {
  const check = await warmed()
  issuer.publishText('', 500)
  expect(await check.matches(await bearer())).toBe(true)
  expect(await codeOf(check.matches(await bearer({}, second)))).toBe('unavailable')
  expect(await codeOf(check.matches(await bearer({}, second)))).toBe('unavailable')
  expect(await check.matches(await bearer())).toBe(true)
})

test('keys that could not be fetched anew for too long are used no more', async () => {
  const check = await warmed({ staleAfter: 0, coolDown: 0 })
  issuer.publishText('', 500)
  expect(await codeOf(check.matches(await bearer()))).toBe('unavailable')
})

test.each([
  { title: 'an error', act: () => issuer.publishText('{}', 500) },
  { title: 'nothing at all', act: () => issuer.hang() },
  { title: 'another address', act: () => issuer.publishText('', 302, { location: elsewhere.url }) },
  { title: 'no JSON', act: () => issuer.publishText('canary-canary') },
  { title: 'null', act: () => issuer.publishText('null') },
  { title: 'no keys', act: () => issuer.publishText('{"keys":[]}') },
  {
    title: 'more than there can be',
    act: () =>
      issuer.publishText(
        JSON.stringify({
          keys: [{ ...first.publicKey.export({ format: 'jwk' }), kid: 'first' }],
          x: 'x'.repeat(300_000),
        }),
      ),
  },
])('where the issuer answers $title, whoever has a token finds us unavailable', async ({ act }) => {
  act()
  const codes: string[] = []
  const check = cold({ fetchWithin: 200, failed: (code) => codes.push(code) })
  expect(await codeOf(check.warm())).toBe('unavailable')
  const token = await bearer()
  const error = await check.matches(token).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'unavailable' })
  expect(JSON.stringify([error, codes])).not.toMatch(/canary/)
  expect(String((error as Failure).stack)).not.toContain(token.slice(7))
  expect(await check.matches('Bearer x')).toBe(false)
})

test('the background makes up for a failed start, and renews the keys', async () => {
  issuer.publishText('', 500)
  const check = cold({ coolDown: 20, refreshEvery: 20 })
  expect(await codeOf(check.warm())).toBe('unavailable')
  issuer.publish(first)
  await expect.poll(async () => check.matches(await bearer()).catch(() => false)).toBe(true)
  const before = issuer.fetches()
  await expect.poll(() => issuer.fetches()).toBeGreaterThan(before + 2)
})

test.each([
  'http://127.0.0.1:1/',
  'http://issuer.example/',
  'https://a:b@issuer.example/',
  'file:///etc/passwd',
])('keys do not come from %s', (keysUrl) => {
  expect(() => cold({ keysUrl, loopback: false })).toThrow(RangeError)
})

test('a damaged token is a stranger, whatever is damaged', async () => {
  const check = await warmed()
  const random = seeded(20_261_121)
  const whole = await signed(claims(), first)
  const bytes = (token: string) => Buffer.from(token.split('.')[2] ?? '', 'base64url').toString('hex')
  const unsignedPart = (token: string) => token.split('.').slice(0, 2).join('.')
  for (let at = 0; at < 2_000; at++) {
    const token = damaged(whole, random)
    // Base64 has several spellings of the same bytes.
    const same = bytes(token) === bytes(whole) && unsignedPart(token) === unsignedPart(whole)
    const matches = await check.matches(`Bearer ${token}`)
    if (!same) expect(matches, `number ${at}`).toBe(false)
  }
})
