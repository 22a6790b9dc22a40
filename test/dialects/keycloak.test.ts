import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { AttemptHook, LookupHook } from '../../src/dialects/dialect.ts'
import { keycloak } from '../../src/dialects/keycloak.ts'
import type { LegacyUser, Verdict } from '../../src/domain.ts'
import { Failure, type FailureCode } from '../../src/errors.ts'
import { legacyUser } from '../helpers/flows.ts'
import { hooksOf } from '../helpers/hooks.ts'
import { SECRET } from '../helpers/service.ts'
import { keycloakClient, urlEncoded } from './keycloak-client.ts'

function fixture(name: string) {
  return JSON.parse(readFileSync(new URL(`fixtures/keycloak.${name}.json`, import.meta.url), 'utf8'))
}

const [lookup, password] = keycloak.hooks({}) as [LookupHook, AttemptHook]

describe('the login in the path', () => {
  const login = async (path: string) =>
    (await lookup.complete?.(lookup.schema.parse({}), { path, header: () => undefined }))?.login

  test.each([
    { path: '/keycloak/users/bob', expected: 'bob' },
    { path: '/keycloak/users/some+Username', expected: 'some Username' },
    { path: '/keycloak/users/bob%2Btag%40x.io', expected: 'bob+tag@x.io' },
    { path: '/keycloak/users/bob+tag%40x.io', expected: 'bob tag@x.io' },
    { path: '/keycloak/users//bob', expected: 'bob' },
    { path: '/keycloak/users/CORP%2Fbob', expected: 'CORP/bob' },
    { path: '/keycloak/users/CORP%5Cbob', expected: 'CORP\\bob' },
    { path: '/keycloak/users/j%C3%BCrgen', expected: 'jürgen' },
    { path: '/keycloak/users/%F0%9F%98%80', expected: '😀' },
    { path: '/keycloak/users/100%2525', expected: '100%25' },
    { path: '/keycloak/users/*', expected: '*' },
    { path: '/keycloak/users/%2E%2E', expected: '..' },
    { path: '/keycloak/users/..', expected: '..' },
    { path: '/keycloak/users/bob@x.io', expected: 'bob@x.io' },
  ])('$path is $expected', async ({ path, expected }) => {
    expect(await login(path)).toBe(expected)
  })

  test.each([
    '/keycloak/users',
    '/keycloak/users/',
    '/keycloak/users//',
    '/keycloak/users/a/b',
    '/keycloak/users/bob/',
    '/keycloak/users/%C3%28',
    '/keycloak/users/%',
    '/keycloak/users/%4',
    '/keycloak/users/%zz',
    '/keycloak/users/%ED%A0%80',
    '/keycloak/users/%C0%AF',
    '/keycloak/users/j\u00fcrgen',
    '/keycloak/users/a b',
  ])('%s is refused', async (path) => {
    await expect(login(path)).rejects.toMatchObject({ code: 'bad-request', fields: ['path'] })
  })

  test.each(['', 'a b', 'a+b', "!'()~*-_.", 'ß', '日本語', '%2B', 'a/b', '?#&=;:@$,', '"<>\\^`{|}'])(
    'what the plug-in makes of %j is read as it was',
    async (name) => {
      if (name !== '') expect(await login(`/keycloak/users/${urlEncoded(name)}`)).toBe(name)
    },
  )
})

describe('password', () => {
  test('reads the sample', () => {
    expect(password.schema.parse(fixture('password.request'))).toEqual({
      login: '',
      password: 'password123',
      requestId: null,
    })
    expect(password.schema.safeParse({ password: null }).success).toBe(false)
  })

  const verdicts: Record<Exclude<Verdict['kind'], 'match'>, Verdict> = {
    mismatch: { kind: 'mismatch' },
    'unknown-login': { kind: 'unknown-login' },
    disabled: { kind: 'disabled' },
    throttled: { kind: 'throttled' },
    'unusable-hash': { kind: 'unusable-hash', defect: 'malformed' },
    migrated: { kind: 'migrated' },
  }
  const asked = { login: 'a', password: 'p', requestId: null }

  test('match alone is 200', () => {
    expect(password.answer({ kind: 'match', user: legacyUser() }, asked)).toEqual({ status: 200, body: {} })
    for (const verdict of Object.values(verdicts))
      expect(password.answer(verdict, asked)).toEqual({ status: 403 })
  })
})

describe('the user that is found', () => {
  const found = (user: Partial<LegacyUser>, login: string, own = {}) =>
    (keycloak.hooks(own)[0] as LookupHook).found(legacyUser(user), { login, requestId: null })

  test('everything has its place, and no key is one that an older plug-in does not know', () => {
    const reply = found(
      {
        id: '0d0ed560-43ce-42a9-bd40-aafe921c3af1',
        login: 'Lucy',
        email: 'Lucy@Example.com',
        profile: {
          given_name: 'Lucy',
          family_name: 'Brennan',
          name: 'Lucy Brennan',
          email_verified: true,
          phone_number: '+1 555 0100',
          address: { locality: 'Springfield' },
          likes: ['cats', 7, null, { a: 1 }],
          nothing: null,
          nested: { a: 1 },
          ranks: ['role 1'],
          teams: 'group 1',
        },
      },
      'lucy',
      { ROLES_ATTRIBUTE: 'ranks', GROUPS_ATTRIBUTE: 'teams' },
    )
    expect(reply).toEqual({
      status: 200,
      body: {
        id: '0d0ed560-43ce-42a9-bd40-aafe921c3af1',
        username: 'lucy',
        email: 'Lucy@Example.com',
        firstName: 'Lucy',
        lastName: 'Brennan',
        enabled: true,
        emailVerified: true,
        attributes: { phoneNumber: ['+1 555 0100'], locality: ['Springfield'], likes: ['cats', '7'] },
        roles: ['role 1'],
        groups: ['group 1'],
      },
    })
    for (const sample of ['user-lookup.response.full', 'user-lookup.response.example-app'])
      expect(Object.keys({ id: '', ...fixture(sample) })).toEqual(
        expect.arrayContaining(Object.keys(reply.body ?? {})),
      )
  })

  test('the least: both booleans are there, and nothing is granted', () => {
    const profile = { roles: ['admin'], groups: ['staff'] }
    expect(found({ login: 'bob', status: 'locked', profile }, 'BOB').body).toEqual({
      username: 'bob',
      enabled: false,
      emailVerified: false,
      attributes: { roles: ['admin'], groups: ['staff'] },
    })
  })

  test.each(['true', 1, undefined])('an e-mail address that is verified by %j is not verified', (value) => {
    const user = { email: 'a@b', profile: { email_verified: value } }
    expect(found(user, 'ann').body).toMatchObject({ emailVerified: false })
  })

  test('attributes cannot replace the fields of the user', () => {
    const profile = { username: 'root', firstName: 'x', enabled: true, id: 'x' }
    expect(found({ profile }, 'ann').body).toMatchObject({ username: 'ann', attributes: {} })
  })

  test.each(['1', '0d0ed560-43ce-42a9-bd40-aafe921c3af1-x', '{0d0ed560-43ce-42a9-bd40-aafe921c3a}'])(
    'the id %s stays here',
    (id) => expect(found({ id }, 'ann').body).not.toHaveProperty('id'),
  )

  test.each([
    { title: 'the login', asked: 'Bob', login: ' BOB ', email: null },
    { title: 'the e-mail address', asked: 'B@x.io', login: 'bob', email: 'b@X.io' },
    { title: 'a login kept in full-width letters', asked: 'bob', login: 'ＢＯＢ', email: null },
    { title: 'a login that is an e-mail address', asked: 'bob@x.io', login: 'bob@x.io', email: 'b@x.io' },
  ])('what was asked for is in the answer: $title', ({ asked, login, email }) => {
    const { username, email: told } = (found({ login, email }, asked).body ?? {}) as Record<string, string>
    expect([username, told?.toLowerCase()]).toContain(asked.toLowerCase())
    expect(username).toBe(username?.toLowerCase())
  })

  test('a name that Keycloak would take for another one is nobody', () => {
    expect(found({ login: 'bob' }, 'ＢＯＢ')).toEqual({ status: 404 })
    expect(lookup.found(null, { login: 'bob', requestId: null })).toEqual({ status: 404 })
  })
})

test.each([
  ['bad-request', 400],
  ['unauthorized', 401],
  ['not-found', 404],
  ['too-large', 413],
  ['unsupported-media-type', 415],
  ['overloaded', 429],
  ['unavailable', 503],
  ['internal', 503],
] as const satisfies [FailureCode, number][])('the failure %s is %i', (code, status) => {
  for (const one of [lookup, password, null])
    expect(keycloak.failure(new Failure(code), one).status).toBe(status)
})

describe('as the plug-in reads it', () => {
  const users = [
    legacyUser({ login: 'bob', email: 'bob+tag@x.io', profile: { given_name: 'Bob', plan: 'gold' } }),
    legacyUser({ id: '2', login: 'off', status: 'disabled' }),
  ]
  const surface = (policy = {}, judge = {}) => hooksOf(keycloak, users, { lookup: true, ...policy }, judge)
  const plugin = (base = '/keycloak/users', { request } = surface()) => keycloakClient(base, SECRET, request)

  test.each([
    { typed: 'bob', password: 'right', outcome: 'signed-in' },
    { typed: 'BOB', password: 'right', outcome: 'signed-in' },
    { typed: 'Bob+Tag@x.io', password: 'right', outcome: 'signed-in' },
    { typed: 'bob tag@x.io', password: 'right', outcome: 'unknown' },
    { typed: 'bob', password: 'wrong', outcome: 'wrong-password' },
    { typed: 'off', password: 'right', outcome: 'disabled' },
    { typed: 'nobody', password: 'right', outcome: 'unknown' },
    { typed: 'ＢＯＢ', password: 'right', outcome: 'unknown' },
  ])('$typed with the $password password: $outcome', async ({ typed, password, outcome }) => {
    expect(await plugin().signIn(typed, password)).toMatchObject({ outcome })
    expect(await plugin('/keycloak/users/').signIn(typed, password)).toMatchObject({ outcome })
  })

  test('attributes of the old system go out when they are listed', async () => {
    expect((await plugin().findByUsername('bob'))?.attributes).toEqual({})
    const listed = surface({ attributes: ['plan'] })
    expect((await plugin('/keycloak/users', listed).findByUsername('bob'))?.attributes).toEqual({
      plan: ['gold'],
    })
  })

  test('roles go out when they are mapped and listed', async () => {
    const own = { ROLES_ATTRIBUTE: 'plan' }
    const roles = async (policy: object) =>
      (await plugin('/keycloak/users', surface(policy)).findByUsername('bob'))?.roles
    expect(await roles({ attributes: ['plan'] })).toBeUndefined()
    expect(await roles({ own })).toBeUndefined()
    expect(await roles({ own, attributes: ['plan'] })).toEqual(['gold'])
  })

  test('without look-ups nobody is found, and a password is checked still', async () => {
    const client = plugin('/keycloak/users', surface({ lookup: false }))
    expect(await client.signIn('bob', 'right')).toEqual({ outcome: 'unknown' })
    expect(await client.isPasswordValid('bob', 'right')).toBe(true)
  })

  test.each([new Failure('unavailable'), new Failure('overloaded'), new TypeError('x')])(
    'what keeps us from an answer is never a yes: %s',
    async (error) => {
      const broken = surface({}, { check: () => Promise.reject(error) })
      expect(await plugin('/keycloak/users', broken).isPasswordValid('bob', 'right')).toBe(false)
      expect(broken.events.at(-1)).toMatchObject({ event: 'failure', hook: 'password' })
    },
  )

  test('a stranger finds nobody and no password is right', async () => {
    const client = keycloakClient('/keycloak/users', 'Bearer other', surface().request)
    expect(await client.signIn('bob', 'right')).toEqual({ outcome: 'unknown' })
    expect(await client.isPasswordValid('bob', 'right')).toBe(false)
  })

  test.each(['HEAD', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('%s is never answered', async (method) => {
    const { request } = surface()
    for (const path of ['/keycloak/users/bob', '/keycloak/users', '/keycloak', '/keycloak/']) {
      const response = await request(path, { method, headers: { authorization: SECRET } })
      expect(response.status).toBe(404)
    }
  })
})
