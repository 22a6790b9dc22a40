import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { readConfig } from '../../src/config.ts'
import type { AttemptHook, OwnSettings } from '../../src/dialects/dialect.ts'
import { fusionauth } from '../../src/dialects/fusionauth.ts'
import type { LegacyUser } from '../../src/domain.ts'
import { ann, defaultsOf } from '../helpers/flows.ts'
import { SECRET, TOKEN } from '../helpers/service.ts'

const fixture = (name: string) =>
  JSON.parse(readFileSync(new URL(`fixtures/fusionauth.${name}.json`, import.meta.url), 'utf8'))

const APPLICATION = 'd37b1de2-a7ec-4c36-ad85-959402cd3fb9'

function connector(own: OwnSettings = {}): AttemptHook {
  const [hook] = fusionauth.hooks({ ...defaultsOf(fusionauth), ...own })
  if (hook?.flow !== 'attempt') throw new Error('the connector is asked for passwords')
  return hook
}

const asked = { login: 'ann', password: 'p', requestId: null }

function told(change: Partial<LegacyUser>, own: OwnSettings = {}, applicationId?: string) {
  const question = applicationId === undefined ? asked : { ...asked, echo: { applicationId } }
  const { status, body } = connector(own).answer({ kind: 'match', user: { ...ann, ...change } }, question)
  expect(status).toBe(200)
  return body?.user as Record<string, unknown>
}

test('reads the documented request', () => {
  expect(connector().schema.parse(fixture('login.request'))).toEqual({
    login: 'richard@example.com',
    password: 'password',
    requestId: null,
    echo: { applicationId: APPLICATION },
  })
})

test.each([
  { title: 'nothing but a login and a password', more: {} },
  { title: 'an application that is no UUID', more: { applicationId: 'mine' } },
  { title: 'an application of another type', more: { applicationId: 7 } },
  { title: 'fields that nobody knows yet', more: { loginIdTypes: ['email'], eventInfo: null } },
])('reads $title', ({ more }) => {
  expect(connector().schema.parse({ loginId: 'a', password: 'p', ...more })).toEqual({
    login: 'a',
    password: 'p',
    requestId: null,
  })
})

test.each([
  { title: 'no login', body: { password: 'p' }, at: ['loginId'] },
  { title: 'a password that is a number', body: { loginId: 'a', password: 1 }, at: ['password'] },
  { title: 'no password', body: { loginId: 'a' }, at: ['password'] },
])('refuses $title and names the field', ({ body, at }) => {
  expect(
    connector()
      .schema.safeParse(body)
      .error?.issues.map(({ path }) => path.join('.')),
  ).toEqual(at)
})

test('answers a match with the documented shape', () => {
  const sample = fixture('login.response.minimal')
  const id = sample.user.id
  const profile = { email_verified: true, migrated: true, groups: ['user'] }
  const { applicationId } = sample.user.registrations[0]
  expect({
    user: told(
      { id, login: sample.user.email, email: sample.user.email, profile },
      { ROLES_ATTRIBUTE: 'groups' },
      applicationId,
    ),
  }).toEqual(sample)
})

test('every no is 404 without a body', () => {
  for (const kind of ['mismatch', 'unknown-login', 'disabled', 'throttled', 'migrated'] as const)
    expect(connector().answer({ kind }, asked)).toEqual({ status: 404 })
  expect(connector().answer({ kind: 'unusable-hash', defect: 'malformed' }, asked)).toEqual({ status: 404 })
})

// The name of RFC 9562's example in the namespace of domain names, appendix A.4.
test.each([
  {
    title: 'is made of any other',
    id: 'www.example.com',
    own: { ID_NAMESPACE: '6ba7b810-9dad-11d1-80b4-00c04fd430c8' },
    uuid: '2ed6657d-e927-568b-95e1-2665a8aea6a2',
  },
  {
    title: 'is the legacy one where that is one',
    id: '4C4511DF-0d0d-4029-8c2b-f6c01b9e138d',
    own: {},
    uuid: '4C4511DF-0d0d-4029-8c2b-f6c01b9e138d',
  },
])('the id $title', ({ id, own, uuid }) => {
  expect(told({ id }, own).id).toBe(uuid)
  expect(told({ id }, own).id).toBe(uuid)
})

test('two people and two namespaces have different ids', () => {
  const ids = [
    told({ id: '1' }).id,
    told({ id: '2' }).id,
    told({ id: '1' }, { ID_NAMESPACE: '6ba7b810-9dad-11d1-80b4-00c04fd430c8' }).id,
  ]
  expect(new Set(ids).size).toBe(3)
})

test.each([
  {
    title: 'a login and an address',
    login: 'ann',
    email: 'a@b.c',
    names: { username: 'ann', email: 'a@b.c' },
  },
  { title: 'an address for a login', login: 'A@b.c', email: 'a@b.c', names: { email: 'a@b.c' } },
  { title: 'a login alone', login: 'ann', email: null, names: { username: 'ann' } },
  { title: 'a login that is an address', login: 'a@b.c', email: null, names: { email: 'a@b.c' } },
])('names: $title', ({ login, email, names }) => {
  const { username, email: given } = told({ login, email })
  expect({
    ...(username !== undefined && { username }),
    ...(given !== undefined && { email: given }),
  }).toEqual(names)
})

test.each([
  { title: 'a claim that says so', profile: { email_verified: true }, verified: true },
  { title: 'no claim', profile: {}, verified: false },
  { title: 'a claim in words', profile: { email_verified: 'true' }, verified: false },
  {
    title: 'a claim about the same address',
    profile: { email: 'ANN@example.com', email_verified: true },
    verified: true,
  },
  {
    title: 'a claim about another address',
    profile: { email: 'other@example.com', email_verified: true },
    verified: false,
  },
])('verified: $title', ({ profile, verified }) => {
  expect(told({ profile }).verified).toBe(verified)
})

test('claims have the names and forms of FusionAuth, and the rest is data', () => {
  const profile = {
    given_name: 'John',
    middle_name: 'William',
    family_name: 'Doe',
    name: 'John Doe',
    birthdate: '1976-05-30',
    phone_number: '303-555-1234',
    locale: 'pt-BR',
    zoneinfo: 'America/Denver',
    picture: 'http://example.com/a.png',
    nickname: 'Johnny',
    plan: { level: 3 },
    empty: '',
    none: null,
  }
  const { id: _, username: __, email: ___, ...rest } = told({ profile })
  expect(rest).toEqual({
    firstName: 'John',
    middleName: 'William',
    lastName: 'Doe',
    fullName: 'John Doe',
    birthDate: '1976-05-30',
    mobilePhone: '303-555-1234',
    preferredLanguages: ['pt_BR'],
    timezone: 'America/Denver',
    imageUrl: 'http://example.com/a.png',
    active: true,
    verified: false,
    data: { nickname: 'Johnny', plan: { level: 3 } },
  })
  const documented = Object.keys(fixture('login.response.full').user)
  expect(Object.keys(told({ profile })).filter((name) => !documented.includes(name))).toEqual([])
})

test.each([
  { claim: 'birthdate', value: '0000-05-30' },
  { claim: 'birthdate', value: '1976' },
  { claim: 'birthdate', value: '1976-13-01' },
  { claim: 'locale', value: 'zh-Hant-TW' },
  { claim: 'zoneinfo', value: 'somewhere' },
  { claim: 'picture', value: 'a.png' },
  { claim: 'given_name', value: 7 },
  { claim: '__proto__', value: 'x' },
  { claim: 'toString', value: 'x' },
])('$claim of another form than FusionAuth reads stands in data', ({ claim, value }) => {
  const user = told({ profile: Object.fromEntries([[claim, value]]) })
  if (claim !== '__proto__') expect(user.data).toEqual({ [claim]: value })
  expect(
    Object.keys(user).filter((name) => !['id', 'username', 'email', 'active', 'verified'].includes(name)),
  ).toEqual(claim === '__proto__' ? [] : ['data'])
})

test('an attribute cannot pose as a field', () => {
  const profile = {
    id: 'x',
    active: false,
    registrations: [{ roles: ['admin'] }],
    twoFactor: {},
    tenantId: 't',
  }
  const user = told({ profile })
  expect(user.active).toBe(true)
  expect(user).not.toHaveProperty('registrations')
  expect(user.data).toEqual(profile)
})

test.each([
  { title: 'no application is no registration', own: {}, application: undefined, registrations: undefined },
  {
    title: 'nobody has a role',
    own: {},
    application: APPLICATION,
    registrations: [{ applicationId: APPLICATION }],
  },
  {
    title: 'roles come from the attribute that is named',
    own: { ROLES_ATTRIBUTE: 'groups' },
    application: APPLICATION,
    registrations: [{ applicationId: APPLICATION, roles: ['user', 'helper'] }],
  },
  {
    title: 'one role is a list too',
    own: { ROLES_ATTRIBUTE: 'level' },
    application: APPLICATION,
    registrations: [{ applicationId: APPLICATION, roles: ['gold'] }],
  },
])('registrations: $title', ({ own, application, registrations }) => {
  const profile = { groups: ['user', 7, '', 'helper'], level: 'gold' }
  expect(told({ profile }, own, application).registrations).toEqual(registrations)
})

test('the time to answer is a setting', () => {
  expect(connector().answerWithin).toBe(900)
  expect(connector({ ANSWER_WITHIN_MS: '2400' }).answerWithin).toBe(2_400)
})

test.each([
  { name: 'ANSWER_WITHIN_MS', text: '300', fits: true },
  { name: 'ANSWER_WITHIN_MS', text: '10000', fits: true },
  { name: 'ANSWER_WITHIN_MS', text: '299', fits: false },
  { name: 'ANSWER_WITHIN_MS', text: '10001', fits: false },
  { name: 'ANSWER_WITHIN_MS', text: '1e3', fits: false },
  { name: 'ID_NAMESPACE', text: '6BA7B810-9dad-11d1-80b4-00c04fd430c8', fits: true },
  { name: 'ID_NAMESPACE', text: '6ba7b8109dad11d180b400c04fd430c8', fits: false },
])('$name may be $text: $fits', ({ name, text, fits }) => {
  const setting = `FUSIONAUTH_${name}`
  const read = () =>
    readConfig({
      DATABASE_URL: 'postgresql://h/d',
      ADMIN_TOKENS: TOKEN,
      FUSIONAUTH_HOOK_SECRETS: SECRET,
      [setting]: text,
    })
  if (fits) expect(read().dialects.get('fusionauth')?.own[name]).toBe(text)
  else expect(read).toThrow(setting)
})
