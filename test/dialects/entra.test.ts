import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { AttemptHook, HandshakeHook, OwnSettings } from '../../src/dialects/dialect.ts'
import { entra } from '../../src/dialects/entra.ts'
import type { Verdict } from '../../src/domain.ts'
import { Failure, type FailureCode } from '../../src/errors.ts'
import { seeded } from '../helpers/random.ts'
import { damaged, encrypted, rsa, unsigned } from '../helpers/tokens.ts'

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`fixtures/entra.${name}.json`, import.meta.url), 'utf8'))

const sample = fixture('onPasswordSubmit')
const { tenantId: TENANT, customAuthenticationExtensionId: EXTENSION } = sample.data

const key = rsa()
const newer = rsa(4_096)
const stranger = rsa()
const pem = (...pairs: { privateKey: typeof key.privateKey }[]) =>
  pairs.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' })).join('')

const own = { TENANT_ID: TENANT, EXTENSION_ID: EXTENSION, KEY: pem(newer, key) }
const attemptHook = (settings: OwnSettings = own) =>
  entra.hooks(settings).find(({ flow }) => flow === 'attempt') as AttemptHook
const hook = attemptHook()

const context = {
  ...fixture('encryptedPasswordContext.claims'),
  'user-password': 'Pässwörd 🔑',
  nonce: 'n-1',
}

interface Change {
  readonly claims?: Record<string, unknown>
  readonly header?: Record<string, string>
  readonly inner?: string
  readonly for?: typeof key
}

const envelope = ({ claims = {}, header = {}, inner, for: pair = key }: Change = {}) =>
  encrypted(inner ?? unsigned({ ...context, ...claims }), pair.publicKey, header)

async function body(change: Change = {}, data: Record<string, unknown> = {}) {
  return {
    ...sample,
    data: { ...sample.data, encryptedPasswordContext: await envelope(change), ...data },
  }
}

const asked = {
  login: 'casey@contoso.com',
  password: 'Pässwörd 🔑',
  requestId: CORRELATION(),
  echo: { nonce: 'n-1' },
}
function CORRELATION(): string {
  return sample.data.authenticationContext.correlationId
}

async function fieldsOf(question: unknown): Promise<string[]> {
  const read = await hook.schema.safeParseAsync(question)
  return read.error?.issues.map(({ path }) => path.join('.')) ?? []
}

describe('the question', () => {
  test('is read from the documented sample', async () => {
    expect(await hook.schema.parseAsync(await body())).toEqual(asked)
  })

  test.each(
    ['RSA-OAEP', 'RSA-OAEP-256'].flatMap((alg) =>
      ['A256CBC-HS512', 'A128CBC-HS256', 'A256GCM', 'A128GCM'].map((enc) => ({ alg, enc })),
    ),
  )('is opened with $alg and $enc', async (header) => {
    expect(await hook.schema.parseAsync(await body({ header }))).toEqual(asked)
  })

  test('is opened with each of several keys', async () => {
    expect(await hook.schema.parseAsync(await body({ for: newer }))).toEqual(asked)
    expect(await hook.schema.parseAsync(await body({ for: key }))).toEqual(asked)
  })

  test.each([
    { title: 'no username', claims: { username: undefined }, login: 'casey@contoso.com' },
    { title: 'an empty username', claims: { username: ' ' }, login: 'casey@contoso.com' },
    { title: 'a username of its own', claims: { username: 'casey' }, login: 'casey' },
  ])('with $title asks for $login', async ({ claims, login }) => {
    expect((await hook.schema.parseAsync(await body({ claims }))).login).toBe(login)
  })

  test('never falls back to the principal name, which Entra makes up', async () => {
    const { mail: _, ...user } = sample.data.authenticationContext.user
    const question = await body({ claims: { username: undefined } }, { authenticationContext: { user } })
    expect(await fieldsOf(question)).toEqual(['data.authenticationContext.user.mail'])
  })

  test.each([
    {
      title: 'a correlation id that is a number',
      data: { authenticationContext: { ...sample.data.authenticationContext, correlationId: 7 } },
    },
    { title: 'an unknown field', data: { futureField: [1] } },
    { title: 'no listener', data: { authenticationEventListenerId: undefined } },
    { title: 'a tenant in capitals', data: { tenantId: TENANT.toUpperCase() } },
  ])('may have $title', async ({ data }) => {
    expect(await fieldsOf(await body({}, data))).toEqual([])
  })

  test('may be of any extension where none is configured', async () => {
    const open = attemptHook({ ...own, EXTENSION_ID: '' })
    const question = await body({}, { customAuthenticationExtensionId: undefined })
    expect((await open.schema.safeParseAsync(question)).success).toBe(true)
    expect(await fieldsOf(question)).toEqual(['data.customAuthenticationExtensionId'])
  })

  test('of a tenant is nobody’s where none is configured', async () => {
    const unset = attemptHook({ ...own, TENANT_ID: '' })
    expect((await unset.schema.safeParseAsync(await body({}, { tenantId: '' }))).success).toBe(false)
    expect((await unset.schema.safeParseAsync(await body())).success).toBe(false)
  })

  test.each([
    { title: 'another tenant', data: { tenantId: EXTENSION }, at: 'data.tenantId' },
    {
      title: 'another extension',
      data: { customAuthenticationExtensionId: TENANT },
      at: 'data.customAuthenticationExtensionId',
    },
    {
      title: 'a password in the clear',
      data: { encryptedPasswordContext: undefined, ...fixture('plaintext-variant').data },
      at: 'data.passwordContext',
    },
    {
      title: 'a password in the clear besides',
      data: fixture('plaintext-variant').data,
      at: 'data.passwordContext',
    },
    {
      title: 'no envelope',
      data: { encryptedPasswordContext: undefined },
      at: 'data.encryptedPasswordContext',
    },
    {
      title: 'the placeholder of the documentation',
      data: { encryptedPasswordContext: '{5-part-JWE}' },
      at: 'data.encryptedPasswordContext',
    },
    {
      title: 'an envelope that is a JWT without one',
      data: { encryptedPasswordContext: unsigned(context) },
      at: 'data.encryptedPasswordContext',
    },
  ])('with $title is refused, and the field named', async ({ data, at }) => {
    expect(await fieldsOf(await body({}, data))).toContain(at)
  })

  test.each<{ title: string; change: Change }>([
    { title: 'for another key', change: { for: stranger } },
    { title: 'of another content encryption', change: { header: { enc: 'A192GCM' } } },
    { title: 'of another key management', change: { header: { alg: 'RSA-OAEP-512' } } },
    { title: 'that is compressed', change: { header: { zip: 'DEF' } } },
    { title: 'without a nonce', change: { claims: { nonce: undefined } } },
    { title: 'with an empty nonce', change: { claims: { nonce: '' } } },
    { title: 'with a nonce that is a number', change: { claims: { nonce: 7 } } },
    { title: 'with a nonce without an end', change: { claims: { nonce: 'x'.repeat(257) } } },
    { title: 'without a password', change: { claims: { 'user-password': undefined } } },
    { title: 'with a password that is a number', change: { claims: { 'user-password': 1 } } },
    { title: 'around bare JSON', change: { inner: JSON.stringify(context) } },
    { title: 'around nothing', change: { inner: '' } },
  ])('in an envelope $title is refused', async ({ change }) => {
    expect(await fieldsOf(await body(change))).toEqual(['data.encryptedPasswordContext'])
  })

  test.each([0, 1, 2, 3, 4])('with part %i of its envelope changed is refused', async (at) => {
    const parts = (await envelope()).split('.')
    const part = parts[at] ?? ''
    parts[at] = (part.startsWith('A') ? 'B' : 'A') + part.slice(1)
    expect(await fieldsOf(await body({}, { encryptedPasswordContext: parts.join('.') }))).toEqual([
      'data.encryptedPasswordContext',
    ])
  })

  test('damaged anywhere outside the envelope’s own bytes is the same question or none', async () => {
    const random = seeded(6_1)
    const whole = JSON.stringify(await body())
    let read = 0
    for (let at = 0; at < 1_500; at++) {
      const question = parsed(damaged(whole, random))
      if (question === undefined) continue
      const result = await hook.schema.safeParseAsync(question)
      if (!result.success) continue
      read += 1
      const { password, login, echo } = result.data
      expect({ password, login, echo }).toEqual({
        password: asked.password,
        login: asked.login,
        echo: asked.echo,
      })
    }
    expect(read).toBeGreaterThan(0)
  })

  test('damaged before it was encrypted never ends in an exception', async () => {
    const random = seeded(6_2)
    const claims = JSON.stringify(context)
    for (let at = 0; at < 400; at++) {
      const inner = unsigned({}).split('.')[0] as string
      const payload = Buffer.from(damaged(claims, random)).toString('base64url')
      const token = random() < 0.5 ? `${inner}.${payload}.` : damaged(unsigned(context), random)
      const result = await hook.schema.safeParseAsync(
        await body({ inner: token, header: { enc: 'A128GCM' } }),
      )
      if (result.success) expect(result.data.echo?.nonce).toEqual(expect.any(String))
    }
  })
})

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

describe('the answer', () => {
  const nonce = '{nonce-value-from-external-id}'
  const question = { ...asked, echo: { nonce } }
  const verdicts: Record<Verdict['kind'], { verdict: Verdict; action: string }> = {
    match: { verdict: { kind: 'match', user: {} as never }, action: 'MigratePassword' },
    mismatch: { verdict: { kind: 'mismatch' }, action: 'Retry' },
    'unknown-login': { verdict: { kind: 'unknown-login' }, action: 'Retry' },
    disabled: { verdict: { kind: 'disabled' }, action: 'Retry' },
    throttled: { verdict: { kind: 'throttled' }, action: 'Retry' },
    'unusable-hash': { verdict: { kind: 'unusable-hash', defect: 'malformed' }, action: 'Retry' },
    migrated: { verdict: { kind: 'migrated' }, action: 'Retry' },
  }

  test.each([
    ...Object.values(verdicts).map((one) => ({ ...one, blocks: 'off' })),
    { ...verdicts.disabled, blocks: 'on', action: 'Block' },
    { ...verdicts.mismatch, blocks: 'on' },
  ])('to $verdict.kind is $action, as documented, with BLOCK_DISABLED $blocks', (expectation) => {
    const { verdict, action, blocks } = expectation
    const hook = attemptHook({ ...own, BLOCK_DISABLED: blocks })
    const expected = fixture(`response.${action}`)
    const [{ title, message }] = expected.data.actions
    const { status, body } = hook.answer(verdict, question)
    const words = title === undefined ? {} : { title: expect.any(String), message: expect.any(String) }
    expect(message === undefined).toBe(action !== 'Block')
    expect([status, body]).toEqual([
      200,
      { data: { ...expected.data, actions: [{ ...expected.data.actions[0], ...words }] } },
    ])
  })

  test('to the probe says nothing', () => {
    const probe = entra.hooks(own).find(({ flow }) => flow === 'handshake') as HandshakeHook
    expect([probe.method, probe.path, probe.open, probe.answer(() => undefined)]).toEqual([
      'GET',
      hook.path,
      true,
      { status: 200, body: {} },
    ])
  })

  test.each<{ code: FailureCode; status: number }>([
    { code: 'bad-request', status: 400 },
    { code: 'unauthorized', status: 401 },
    { code: 'not-found', status: 404 },
    { code: 'too-large', status: 413 },
    { code: 'unsupported-media-type', status: 415 },
    { code: 'overloaded', status: 429 },
    { code: 'unavailable', status: 503 },
    { code: 'internal', status: 503 },
  ])('to $code is $status without an action', ({ code, status }) => {
    const failure = new Failure(code, { detail: 'inside', fields: ['data.tenantId'] })
    expect(entra.failure(failure, hook)).toEqual({
      status,
      body: { status, title: failure.message, fields: ['data.tenantId'] },
    })
  })
})

describe('whose tokens are believed', () => {
  const settings = {
    TENANT_ID: TENANT,
    DOMAIN: 'contoso.ciamlogin.com',
    ISSUER: '',
    JWKS_URL: '',
    AUDIENCE: 'app',
  }
  const made = { audience: 'app', clients: ['99045fe1-7639-4a75-9d4a-577b6ca3810f'] }
  test.each([
    {
      title: 'the domain',
      change: {},
      issuer: `https://contoso.ciamlogin.com/${TENANT}/v2.0`,
      keysUrl: `https://contoso.ciamlogin.com/${TENANT}/discovery/v2.0/keys`,
      loopback: false,
    },
    {
      title: 'the issuer',
      change: { ISSUER: `https://login.microsoftonline.com/${TENANT}/v2.0` },
      issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
      keysUrl: `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`,
      loopback: false,
    },
    {
      title: 'an address of the keys',
      change: { ISSUER: `https://sts.windows.net/${TENANT}/`, JWKS_URL: 'https://login.example/keys' },
      issuer: `https://sts.windows.net/${TENANT}/`,
      keysUrl: 'https://login.example/keys',
      loopback: true,
    },
  ])('is said by $title', ({ change, issuer, keysUrl, loopback }) => {
    expect(entra.caller?.trust({ ...settings, ...change })).toEqual({ ...made, issuer, keysUrl, loopback })
  })
})
