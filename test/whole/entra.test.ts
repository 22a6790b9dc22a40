import { createHmac } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectNoPlanted, plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { seeded } from '../helpers/random.ts'
import { damaged, encrypted, rsa, signed, signingKey, tokenIssuer, unsigned } from '../helpers/tokens.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const fixture = async (name: string) =>
  JSON.parse(await readFile(new URL(`../dialects/fixtures/entra.${name}.json`, import.meta.url), 'utf8'))

const sample = await fixture('onPasswordSubmit')
const { tenantId: TENANT, customAuthenticationExtensionId: EXTENSION } = sample.data
const AUDIENCE = '00001111-aaaa-2222-bbbb-3333cccc4444'
const CLIENT = '99045fe1-7639-4a75-9d4a-577b6ca3810f'
const ISSUER = `https://contoso.ciamlogin.com/${TENANT}/v2.0`
const NONCE = '0f5c4e0a-1111-4222-8333-444455556666'
const PATH = '/entra/password-submit'
const RIGHT = 'Right-pa55word-ü'

const first = signingKey('first')
const second = signingKey('second')
const ours = rsa()
const replaced = rsa()
const theirs = rsa()

let db: TestDatabase
let issuer: Awaited<ReturnType<typeof tokenIssuer>>
let directory: string
let service: ServiceProcess

beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, [
    { id: '1', login: 'casey@contoso.com', password_hash: bcrypt.hashSync(RIGHT, 10) },
    { id: '2', login: 'mail.only@contoso.com', password_hash: md5(RIGHT), hash_scheme: 'md5' },
    { id: '3', login: 'off@contoso.com', password_hash: md5(RIGHT), hash_scheme: 'md5', status: 'disabled' },
    { id: '4', login: 'odd@contoso.com', password_hash: '{ODD}x' },
    { id: '5', login: 'guessed@contoso.com', password_hash: md5(RIGHT), hash_scheme: 'md5' },
    { id: '6', login: 'moved@contoso.com', password_hash: md5(RIGHT), hash_scheme: 'md5' },
  ])
  issuer = await tokenIssuer(first)
  directory = await mkdtemp(join(tmpdir(), 'carryover-entra-'))
  const pems = [replaced, ours].map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(join(directory, 'keys.pem'), pems.join(''), { mode: 0o600 })
  service = await start()
})
afterAll(async () => {
  expectNoPlanted('the log', service.output())
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await Promise.all([issuer.close(), db.drop(), rm(directory, { recursive: true })])
})

/** No other provider is configured. */
function start(more: Record<string, string> = {}): Promise<ServiceProcess> {
  return startProcess(db.url, {
    OKTA_HOOK_SECRETS: '',
    ENTRA_TENANT_ID: TENANT,
    ENTRA_DOMAIN: 'contoso.ciamlogin.com',
    ENTRA_JWKS_URL: issuer.url,
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.1',
    ENTRA_AUDIENCE: AUDIENCE,
    ENTRA_EXTENSION_ID: EXTENSION,
    ENTRA_KEY_FILE: join(directory, 'keys.pem'),
    ...more,
  })
}

const now = () => Math.floor(Date.now() / 1_000)
const claims = (change: Record<string, unknown> = {}) => ({
  iss: ISSUER,
  aud: AUDIENCE,
  azp: CLIENT,
  tid: TENANT,
  iat: now(),
  nbf: now(),
  exp: now() + 300,
  ver: '2.0',
  ...change,
})
const bearer = async (change: Record<string, unknown> = {}, key = first) =>
  `Bearer ${await signed(claims(change), key)}`

interface Question {
  readonly login?: string
  readonly password?: string
  readonly claims?: Record<string, unknown>
  readonly header?: Record<string, string>
  readonly key?: typeof ours
  readonly data?: Record<string, unknown>
}

async function body({ login, password = RIGHT, key = ours, ...more }: Question = {}) {
  plant(password)
  const context = {
    'user-password': password,
    username: login ?? 'casey@contoso.com',
    nonce: NONCE,
    ...more.claims,
  }
  const encryptedPasswordContext = await encrypted(unsigned(context), key.publicKey, more.header)
  return JSON.stringify({ ...sample, data: { ...sample.data, encryptedPasswordContext, ...more.data } })
}

async function post(text: string, authorization?: string, base = service.hooksUrl) {
  const response = await fetch(base + PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: authorization ?? (await bearer()) },
    body: text,
  })
  const answer = await response.text()
  expectNoPlanted('an answer', answer)
  expect(response.headers.get('content-type')).toBe('application/json')
  return { status: response.status, json: JSON.parse(answer) }
}

async function expected(action: 'MigratePassword' | 'Retry') {
  const answer = await fixture(`response.${action}`)
  return { ...answer, data: { ...answer.data, nonce: NONCE } }
}

test('the right password is to be stored, as documented, with the nonce from within', async () => {
  expect(await post(await body())).toEqual({ status: 200, json: await expected('MigratePassword') })
})

test.each<{ title: string; question: Question }>([
  { title: 'a key that is about to be replaced', question: { key: replaced } },
  { title: 'RSA-OAEP and A256GCM', question: { header: { alg: 'RSA-OAEP', enc: 'A256GCM' } } },
  { title: 'the mail address where there is no username', question: { claims: { username: undefined } } },
])('the right password matches with $title', async ({ question }) => {
  expect((await post(await body(question))).json).toEqual(await expected('MigratePassword'))
})

test.each<{ title: string; question: Question; action: 'Retry' }>([
  { title: 'a wrong password', question: { password: 'Wrong-pa55word' }, action: 'Retry' },
  { title: 'an empty password', question: { password: '' }, action: 'Retry' },
  { title: 'an unknown login', question: { login: 'nobody@contoso.com' }, action: 'Retry' },
  { title: 'a hash that nothing can read', question: { login: 'odd@contoso.com' }, action: 'Retry' },
  { title: 'a disabled user', question: { login: 'off@contoso.com' }, action: 'Retry' },
])('$title is answered $action, with the nonce', async ({ question, action }) => {
  const { status, json } = await post(await body(question))
  const wanted = await expected(action)
  expect(status).toBe(200)
  expect(json).toEqual(wanted)
})

test('after ten wrong passwords the right one is Retry too', async () => {
  const wrong = await body({ login: 'guessed@contoso.com', password: 'Wrong-pa55word' })
  for (let at = 0; at < 10; at++) await post(wrong)
  expect((await post(await body({ login: 'guessed@contoso.com' }))).json).toEqual(await expected('Retry'))
})

test('once the time of grace is over, an old password replaces none', async () => {
  const strict = await start({ VERIFIED_GRACE_SECONDS: '0' })
  const ask = async () =>
    (await post(await body({ login: 'moved@contoso.com' }), undefined, strict.hooksUrl)).json
  expect(await ask()).toEqual(await expected('MigratePassword'))
  await expect.poll(ask).toEqual(await expected('Retry'))
  strict.child.kill('SIGTERM')
  await strict.ended
})

test('the probe is answered to everybody, and nothing else is', async () => {
  const probe = await fetch(service.hooksUrl + PATH)
  expect([probe.status, await probe.text()]).toEqual([200, '{}'])
  for (const [method, path] of [
    ['PUT', PATH],
    ['HEAD', PATH],
    ['GET', `${PATH}/`],
    ['POST', '/okta/password-import'],
  ] as const) {
    const response = await fetch(service.hooksUrl + path, {
      method,
      headers: { authorization: await bearer() },
    })
    expect(response.status, `${method} ${path}`).toBe(404)
  }
})

describe('a stranger', () => {
  test.each<{ title: string; header: () => Promise<string> }>([
    { title: 'nothing', header: async () => '' },
    { title: 'a token for another audience', header: () => bearer({ aud: CLIENT }) },
    {
      title: 'a token of another issuer',
      header: () => bearer({ iss: ISSUER.replace('contoso', 'fabrikam') }),
    },
    { title: 'a token of another application', header: () => bearer({ azp: AUDIENCE }) },
    { title: 'a token of nobody', header: () => bearer({ azp: undefined }) },
    { title: 'a token that is over', header: () => bearer({ exp: now() - 120 }) },
    { title: 'a token that has not begun', header: () => bearer({ nbf: now() + 120 }) },
    { title: 'a token that is not signed', header: async () => `Bearer ${unsigned(claims())}` },
    { title: 'a token of another key', header: () => bearer({}, { ...second, kid: 'first' }) },
    {
      title: 'a token signed with the public key as a secret',
      header: async () => {
        const token = unsigned(claims(), { alg: 'HS256', kid: 'first' }).slice(0, -1)
        const secret = first.publicKey.export({ format: 'pem', type: 'spki' })
        return `Bearer ${token}.${createHmac('sha256', secret).update(token).digest('base64url')}`
      },
    },
  ])('with $title is turned away', async ({ header }) => {
    expect(await post(await body(), await header())).toEqual({
      status: 401,
      json: { status: 401, title: 'unauthorized' },
    })
  })
})

test.each<{ title: string; question: Question; at: string }>([
  { title: 'an envelope for another key', question: { key: theirs }, at: 'data.encryptedPasswordContext' },
  {
    title: 'an algorithm that is not allowed',
    question: { header: { enc: 'A192GCM' } },
    at: 'data.encryptedPasswordContext',
  },
  { title: 'no nonce', question: { claims: { nonce: undefined } }, at: 'data.encryptedPasswordContext' },
  {
    title: 'a password in the clear',
    question: {
      data: { encryptedPasswordContext: undefined, passwordContext: { userPassword: RIGHT, nonce: NONCE } },
    },
    at: 'data.passwordContext',
  },
  { title: 'another tenant', question: { data: { tenantId: AUDIENCE } }, at: 'data.tenantId' },
  {
    title: 'another extension',
    question: { data: { customAuthenticationExtensionId: TENANT } },
    at: 'data.customAuthenticationExtensionId',
  },
])('$title is an error that names the field', async ({ question, at }) => {
  const { status, json } = await post(await body(question))
  expect([status, Object.keys(json), json.fields.includes(at)]).toEqual([
    400,
    ['status', 'title', 'fields'],
    true,
  ])
})

test('the sample of the documentation, which has no envelope, is an error', async () => {
  expect((await post(JSON.stringify(sample))).json.fields).toEqual(['data.encryptedPasswordContext'])
})

test('whatever is damaged, nothing crashes and nobody gets in', async () => {
  const random = seeded(20_261_121)
  const whole = await body({ password: 'Wrong-pa55word', login: 'nobody.at.all@contoso.com' })
  const token = await bearer()
  const seen = new Set<number>()
  for (let at = 0; at < 300; at++) {
    const { status, json } = await post(damaged(whole, random), token)
    seen.add(status)
    if (status === 200) expect(json).toEqual(await expected('Retry'))
  }
  expect([...seen].filter((status) => status !== 200 && status !== 400)).toEqual([])
  expect(seen.has(400)).toBe(true)
})

test('outcomes stand under the correlation id', async () => {
  const { correlationId } = sample.data.authenticationContext
  expect(service.output()).toContain(`"requestId":"${correlationId}"`)
  const counts = (await admin(service.adminUrl, '/counts')).json()
  expect(counts).toMatchObject({ total: 6, migrated: 0 })
})

test('the issuer replaces its keys in the middle', async () => {
  const question = await body()
  issuer.publish(first, second)
  expect((await post(question, await bearer({}, second))).status).toBe(200)
  expect((await post(question)).status).toBe(200)
})

test('an issuer that is down stops nobody who is known, and makes nobody a stranger', async () => {
  issuer.publishText('', 500)
  const question = await body()
  expect((await post(question)).status).toBe(200)
  const later = await start()
  expect(await post(question, undefined, later.hooksUrl)).toEqual({
    status: 503,
    json: { status: 503, title: 'temporarily unavailable' },
  })
  expect((await post(question, await bearer({ aud: 'x' }), later.hooksUrl)).status).toBe(401)
  expect(later.output()).toContain('"event":"caller-keys-lost","dialect":"entra","code":"status-500"')
  later.child.kill('SIGTERM')
  await later.ended
})

test('keys are replaced while the service runs', async () => {
  const file = join(directory, 'rotated.pem')
  const put = (...keys: (typeof ours)[]) =>
    writeFile(
      file,
      keys.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' })).join(''),
      {
        mode: 0o600,
      },
    )
  await put(replaced)
  issuer.publish(first)
  const rotated = await start({ ENTRA_KEY_FILE: file })
  const renewals = () => rotated.output().split('"event":"settings-renewed"').length - 1
  const opened = async () =>
    Promise.all(
      [replaced, ours].map(
        async (key) => (await post(await body({ key }), undefined, rotated.hooksUrl)).status === 200,
      ),
    )
  const renewed = async (...keys: (typeof ours)[]) => {
    const before = renewals()
    await put(...keys)
    rotated.child.kill('SIGHUP')
    await expect.poll(renewals, { timeout: 10_000 }).toBe(before + 1)
  }
  expect(await opened()).toEqual([true, false])
  await renewed(replaced, ours)
  expect(await opened()).toEqual([true, true])
  await renewed(ours)
  expect(await opened()).toEqual([false, true])
  rotated.child.kill('SIGTERM')
  expect(await rotated.ended).toBe(0)
})
