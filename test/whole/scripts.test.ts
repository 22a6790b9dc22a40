import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { type Ran, type Script, withoutPassword, withPassword } from '../helpers/scripts.ts'
import { SECRET } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const RIGHT = 'Right-pa55word'
const WRONG = 'Wrong-pa55word'
const ANN = 'ann@example.com'
const OFF = 'off@example.com'
const NOBODY = 'nobody@example.com'
const UNPROVED = 'unproved@example.com'

/** Keys of every length that base64 pads in another way, and one that is longer than a block of SHA-256. */
const SIGNING_SECRETS = [24, 31, 32, 100].map((length) => `whsec_${randomBytes(length).toString('base64')}`)
const OTHER_SECRET = `whsec_${randomBytes(32).toString('base64')}`

let db: TestDatabase
let service: ServiceProcess
let configured: Record<string, string>
let signing: Record<string, string>

beforeAll(async () => {
  for (const password of [RIGHT, WRONG]) plant(password)
  db = await testDatabase()
  const known = { password_hash: md5(RIGHT), hash_scheme: 'md5' }
  const profile = {
    given_name: 'Ann',
    family_name: 'Lee',
    name: 'Ann Lee',
    email_verified: true,
    phone_number: '+12065550100',
    birthdate: '1976',
    plan: 'gold',
    inner: 'stays',
  }
  await loadUsers(db.url, [
    { ...known, id: '42', login: 'ann', email: ANN, profile: JSON.stringify(profile) },
    { ...known, id: '43', login: OFF, status: 'disabled', profile: '{"email_verified":true}' },
    { ...known, id: '44', login: UNPROVED, profile: '{}' },
  ])
  service = await startProcess(db.url, {
    OKTA_HOOK_SECRETS: '',
    GENERIC_HOOK_SECRETS: SECRET,
    GENERIC_HMAC_SECRETS: SIGNING_SECRETS.join(),
    GENERIC_LOOKUP: 'on',
    GENERIC_ATTRIBUTES: 'plan',
    // Every no is the same to a script otherwise.
    GENERIC_REFUSAL_REASONS: 'on',
  })
  configured = { CARRYOVER_URL: `${service.hooksUrl}/verify`, CARRYOVER_SECRET: SECRET }
  signing = { CARRYOVER_URL: `${service.hooksUrl}/verify` }
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await db.drop()
})

const asking = Object.entries(withPassword).map(([name, run]) => ({ name, run: run as Script }))
const unattended = Object.entries(withoutPassword)
  .filter(([name]) => !name.includes('administrator'))
  .map(([name, run]) => ({ name, run: run as Script }))

function result(ran: Ran): unknown {
  expect(ran.outcome).toBe('yes')
  return ran.outcome === 'yes' ? ran.result : undefined
}

/** The words of a no, without the mark that only the log of the provider has. */
const words = (ran: Ran) => (ran.outcome === 'yes' ? 'yes' : ran.said.replace(/ f[pu]$/, ''))

describe.each(asking)('$name', ({ run }) => {
  test('says yes to the right password alone, and the same words to every no', async () => {
    expect((await run(configured, ANN, RIGHT)).outcome).toBe('yes')
    const refused = [
      await run(configured, ANN, WRONG),
      await run(configured, NOBODY, RIGHT),
      await run(configured, OFF, RIGHT),
    ]
    expect(refused.map(({ outcome }) => outcome)).toEqual(['no', 'no', 'no'])
    expect(new Set(refused.map(words)).size).toBe(1)
  })

  test('does not say yes to a stranger', async () => {
    expect((await run({ ...configured, CARRYOVER_SECRET: `${SECRET}x` }, ANN, RIGHT)).outcome).not.toBe('yes')
  })
})

describe('signed', () => {
  test.each(asking)('$name says yes to the right password alone, call after call', async ({ run }) => {
    for (const CARRYOVER_SIGNING_SECRET of SIGNING_SECRETS) {
      const signed = { ...signing, CARRYOVER_SIGNING_SECRET }
      expect((await run(signed, ANN, RIGHT)).outcome).toBe('yes')
      expect((await run(signed, ANN, RIGHT)).outcome).toBe('yes')
      expect((await run(signed, 'änn\u{1f511}', WRONG)).outcome).toBe('no')
    }
  })

  test.each(unattended)('$name learns who is nobody', async ({ name, run }) => {
    const signed = { ...signing, CARRYOVER_SIGNING_SECRET: SIGNING_SECRETS[0] ?? '' }
    const outcomes = [(await run(signed, ANN, null)).outcome, (await run(signed, NOBODY, null)).outcome]
    expect(outcomes).toEqual(name.includes('sign-up') ? ['no', 'yes'] : ['yes', 'no'])
  })

  test.each([...asking, ...unattended])(
    '$name with another secret does not find out',
    async ({ name, run }) => {
      const password = asking.some((one) => one.name === name) ? RIGHT : null
      // The fixed header is not sent besides: it would let the call in.
      for (const secret of [OTHER_SECRET, 'whsec_', 'not a secret']) {
        const ran = await run({ ...configured, CARRYOVER_SIGNING_SECRET: secret }, ANN, password)
        // OneLogin has one answer for everything that is no yes.
        expect(ran.outcome).toBe(name.startsWith('onelogin') ? 'no' : 'error')
        expect(words(ran)).toMatch(/temporarily unavailable|"success":false/)
      }
    },
  )
})

describe('what a yes brings', () => {
  test('auth0', async () => {
    const profile = {
      user_id: 'legacy-42',
      email: ANN,
      email_verified: true,
      name: 'Ann Lee',
      given_name: 'Ann',
      family_name: 'Lee',
      metadata: { birthdate: '1976', phone_number: '+12065550100', plan: 'gold' },
    }
    expect(result(await withPassword['auth0 login'](configured, ANN, RIGHT))).toEqual(profile)
    expect(result(await withoutPassword['auth0 get user'](configured, ANN, null))).toEqual(profile)
    const named = { ...configured, WITH_USERNAME: 'yes' }
    expect(result(await withPassword['auth0 login'](named, ANN, RIGHT))).toEqual({
      ...profile,
      username: 'ann',
    })
  })

  test('auth0: the log of the tenant tells a wrong password from an unknown user', async () => {
    const said = async (login: string, password: string) => {
      const ran = await withPassword['auth0 login'](configured, login, password)
      return ran.outcome === 'no' ? ran.said : ran.outcome
    }
    expect(await said(ANN, WRONG)).toBe('Wrong username or password. fp')
    expect(await said(NOBODY, WRONG)).toBe('Wrong username or password. fu')
  })

  test('auth0: both scripts make the same profile', () => {
    const profileOf = (name: string) =>
      readFileSync(new URL(`../../docs/scripts/auth0/${name}.js`, import.meta.url), 'utf8').split(
        'both must make the same profile of the same user.',
      )[1]
    expect(profileOf('login')).toBe(profileOf('getUser'))
    expect(profileOf('login')).toContain('user_id')
  })

  test('cognito', async () => {
    const named = { ...configured, LEGACY_ID_ATTRIBUTE: 'custom:legacy_id' }
    const attributes = {
      email: ANN,
      email_verified: 'true',
      given_name: 'Ann',
      family_name: 'Lee',
      name: 'Ann Lee',
      phone_number: '+12065550100',
      phone_number_verified: 'false',
    }
    expect(result(await withPassword['cognito user migration'](named, ANN, RIGHT))).toMatchObject({
      triggerSource: 'UserMigration_Authentication',
      userName: ANN,
      response: {
        userAttributes: { ...attributes, 'custom:legacy_id': '42' },
        finalUserStatus: 'CONFIRMED',
        messageAction: 'SUPPRESS',
        forceAliasCreation: false,
      },
    })
    const forgotten = result(await withoutPassword['cognito forgotten password'](configured, ANN, null))
    expect(forgotten).toMatchObject({ response: { userAttributes: attributes, messageAction: 'SUPPRESS' } })
    expect(forgotten).not.toHaveProperty('response.userAttributes.custom:legacy_id')
  })

  test('onelogin', async () => {
    const named = { ...configured, CUSTOM_ATTRIBUTES: 'plan, inner' }
    expect(result(await withPassword['onelogin user migration'](named, ANN, RIGHT))).toEqual({
      success: true,
      user: {
        username: 'ann',
        password: RIGHT,
        email: ANN,
        firstname: 'Ann',
        lastname: 'Lee',
        phone: '+12065550100',
        external_id: '42',
        custom_attributes: { plan: 'gold' },
      },
    })
    expect(await withPassword['onelogin user migration'](configured, ANN, WRONG)).toEqual({
      outcome: 'no',
      said: '{"success":false,"user":{}}',
    })
  })

  test('logto', async () => {
    expect(result(await withPassword['logto, nobody yet'](configured, ANN, RIGHT))).toEqual({
      action: 'createUser',
      passwordVerified: true,
      user: {
        primaryEmail: ANN,
        name: 'Ann Lee',
        profile: { givenName: 'Ann', familyName: 'Lee' },
        customData: { legacyUserId: '42' },
      },
    })
    expect(result(await withPassword['logto, somebody'](configured, ANN, RIGHT))).toEqual({
      action: 'updateUser',
      passwordVerified: true,
      user: { customData: { legacyUserId: '42' } },
    })
  })
})

test.each([
  { name: 'cognito user migration', sample: 'cognito.user-migration.return', part: 'response' },
  { name: 'onelogin user migration', sample: 'onelogin.user-migration.return.success', part: 'user' },
] as const)('$name says nothing that is not documented', async ({ name, sample, part }) => {
  const file = new URL(`../dialects/fixtures/${sample}.json`, import.meta.url)
  const documented = JSON.parse(readFileSync(file, 'utf8'))
  const told = result(await withPassword[name](configured, ANN, RIGHT)) as Record<string, object>
  expect(Object.keys(documented)).toEqual(expect.arrayContaining(Object.keys(told)))
  expect(Object.keys(documented[part])).toEqual(expect.arrayContaining(Object.keys(told[part] ?? {})))
})

describe('without a password', () => {
  test.each([
    { name: 'auth0 get user', login: NOBODY, outcome: 'no' },
    { name: 'auth0 get user', login: OFF, outcome: 'error' },
    { name: 'cognito forgotten password', login: NOBODY, outcome: 'no' },
    { name: 'cognito forgotten password', login: OFF, outcome: 'no' },
    { name: 'cognito forgotten password', login: UNPROVED, outcome: 'no' },
    { name: 'cognito sign-up', login: NOBODY, outcome: 'yes' },
    { name: 'cognito sign-up', login: 'ANN@example.com', outcome: 'no' },
    { name: 'cognito sign-up', login: OFF, outcome: 'no' },
    { name: 'cognito sign-up by an administrator', login: ANN, outcome: 'yes' },
  ] as const)('$name of $login: $outcome', async ({ name, login, outcome }) => {
    expect((await withoutPassword[name](configured, login, null)).outcome).toBe(outcome)
  })
})

describe('somebody else than the service who says yes', () => {
  const MATCH = JSON.stringify({
    verdict: 'match',
    mustReset: false,
    user: { id: '1', login: 'ann', email: ANN, email_verified: true, status: 'active' },
  })
  const FOUND = MATCH.replace('"match"', '"found"')
  let impostor: Server
  let base: string

  beforeAll(async () => {
    impostor = createServer((incoming, outgoing) => {
      incoming.resume()
      const [, place, body] = (incoming.url ?? '').split('/')
      const text = body === 'match' ? MATCH : body === 'found' ? FOUND : '<html>signed in</html>'
      if (place === 'redirect') outgoing.writeHead(Number(body), { location: '/plain/match' }).end()
      else if (place === 'error') outgoing.writeHead(503, { 'content-type': 'application/json' }).end(text)
      else outgoing.writeHead(200, { 'content-type': 'application/json' }).end(text)
    })
    await new Promise<void>((listening) => impostor.listen(0, '127.0.0.1', listening))
    base = `http://127.0.0.1:${(impostor.address() as AddressInfo).port}`
  })
  afterAll(() => new Promise((closed) => impostor.close(closed)))

  test.each(asking)('$name', async ({ run }) => {
    expect((await run({ ...configured, CARRYOVER_URL: `${base}/plain/match` }, ANN, RIGHT)).outcome).toBe(
      'yes',
    )
    for (const path of [
      'redirect/302',
      'redirect/307',
      'error/match',
      'plain/found',
      'plain/html',
      'plain/',
    ]) {
      const ran = await run({ ...configured, CARRYOVER_URL: `${base}/${path}` }, ANN, RIGHT)
      expect([path, ran.outcome === 'yes']).toEqual([path, false])
    }
  })

  test.each(unattended)('$name', async ({ run }) => {
    for (const path of [
      'redirect/302',
      'redirect/307',
      'error/found',
      'plain/match',
      'plain/html',
      'plain/',
    ]) {
      const ran = await run({ ...configured, CARRYOVER_URL: `${base}/${path}` }, ANN, null)
      expect([path, ran.outcome === 'yes']).toEqual([path, false])
    }
  })
})

// Last, because the database does not come back.
describe('while the service cannot find out', () => {
  beforeAll(async () => {
    const { pathname } = new URL(db.url.replace(/^postgresql:\/\/postgres@/, 'postgresql://host'))
    const name = pathname.slice(1)
    const owner = new pg.Client({ connectionString: db.url.replace(`/${name}?`, '/postgres?') })
    await owner.connect()
    await owner.query(`alter database ${name} with allow_connections false`)
    const { rows } = await db.owner.query<{ pid: number }>('select pg_backend_pid() as pid')
    await owner.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> $2',
      [name, rows[0]?.pid],
    )
    await owner.end()
    const response = await fetch(`${service.hooksUrl}/verify`, {
      method: 'POST',
      headers: { authorization: SECRET, 'content-type': 'application/json' },
      body: JSON.stringify({ identifier: ANN, password: RIGHT }),
    })
    expect(response.status).toBe(503)
  })

  test.each(asking)('$name does not say yes', async ({ name, run }) => {
    const { outcome } = await run(configured, ANN, RIGHT)
    // OneLogin has one answer for everything that is no yes.
    expect(outcome).toBe(name.startsWith('onelogin') ? 'no' : 'error')
  })

  test.each(unattended)('$name says that it does not know', async ({ run }) => {
    for (const login of [ANN, NOBODY]) expect((await run(configured, login, null)).outcome).toBe('error')
  })
})
