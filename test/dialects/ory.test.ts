import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { AttemptHook, RegistrationHook, RegistrationQuestion } from '../../src/dialects/dialect.ts'
import { ory } from '../../src/dialects/ory.ts'
import type { Verdict } from '../../src/domain.ts'
import { Failure, type FailureCode } from '../../src/errors.ts'
import { legacyUser } from '../helpers/flows.ts'
import { hooksOf } from '../helpers/hooks.ts'
import { SECRET } from '../helpers/service.ts'
import { kratosClient } from './kratos-client.ts'

function fixture(name: string) {
  return JSON.parse(readFileSync(new URL(`fixtures/ory.${name}.json`, import.meta.url), 'utf8'))
}

const line = (headers: Record<string, string> = {}, path = '/ory') => ({
  path,
  header: (name: string) => headers[name],
})

const [migration, registration] = ory.hooks({}) as [AttemptHook, RegistrationHook]

describe('password migration', () => {
  test.each([
    { name: 'password-migration.request', login: 'pw-migration@example.org', password: 'the-password' },
    {
      name: 'password-migration.request.full-context',
      login: 'user@example.com',
      password: '123456',
    },
  ])('reads $name', ({ name, login, password }) => {
    expect(migration.schema.parse(fixture(name))).toEqual({ login, password, requestId: null })
  })

  test.each([
    { title: 'no identifier', body: { password: 'p' }, at: ['identifier'] },
    { title: 'a password that is a number', body: { identifier: 'a', password: 1 }, at: ['password'] },
    { title: 'an array', body: [], at: [''] },
  ])('refuses $title and names the field', ({ body, at }) => {
    expect(migration.schema.safeParse(body).error?.issues.map(({ path }) => path.join('.'))).toEqual(at)
  })

  test.each([
    {
      title: 'the trigger id',
      headers: { 'ory-webhook-trigger-id': 't1', 'ory-webhook-request-id': 'r1' },
      requestId: 't1',
    },
    {
      title: 'that of the try, where Kratos 1.3 sends nothing else',
      headers: { 'ory-webhook-request-id': 'r1' },
      requestId: 'r1',
    },
    { title: 'nothing, where analytics events are off', headers: {}, requestId: null },
  ])('the request id is $title', async ({ headers, requestId }) => {
    const question = { login: 'a', password: 'p', requestId: null }
    expect(await migration.complete?.(question, line(headers))).toEqual({ ...question, requestId })
  })

  const verdicts: Record<Exclude<Verdict['kind'], 'match'>, Verdict> = {
    mismatch: { kind: 'mismatch' },
    'unknown-login': { kind: 'unknown-login' },
    disabled: { kind: 'disabled' },
    throttled: { kind: 'throttled' },
    'unusable-hash': { kind: 'unusable-hash', defect: 'malformed' },
    migrated: { kind: 'migrated' },
  }
  const asked = { login: '', password: '', requestId: null }

  test('match is the documented yes', () => {
    expect(migration.answer({ kind: 'match', user: legacyUser() }, asked)).toEqual({
      status: 200,
      body: fixture('password-migration.response.match'),
    })
  })

  test.each(Object.values(verdicts))('$kind is the documented no', (verdict) => {
    expect(migration.answer(verdict, asked)).toEqual({
      status: 403,
      body: fixture('password-migration.response.nomatch'),
    })
  })
})

describe('registration', () => {
  const read = (traits: object, own = {}): RegistrationQuestion =>
    (ory.hooks(own)[1] as RegistrationHook).schema.parse({ traits, flow_id: 'f1', extra: 1 })

  test.each([
    { title: 'e-mail and user name', traits: { email: 'a@b', username: 'a' }, fields: ['email', 'username'] },
    { title: 'an empty user name', traits: { email: 'a@b', username: ' ' }, fields: ['email'] },
    { title: 'an e-mail that is no text', traits: { email: ['a@b'] }, fields: [] },
    {
      title: 'traits of other names',
      own: { NAME_TRAITS: 'contact.email, login' },
      traits: { email: 'x', login: 'l', contact: { email: 'c@d' } },
      fields: ['contact.email', 'login'],
    },
  ])('the names in $title', ({ traits, own, fields }) => {
    expect(read(traits, own).names.map(({ field }) => field)).toEqual(fields)
  })

  test('the request id is the trigger, or else the flow, or else the try', async () => {
    const question = read({ email: 'a@b' })
    const one = { 'ory-webhook-request-id': 'r1' }
    const completed = async (headers: Record<string, string>, asked = question) =>
      (await registration.complete?.(asked, line(headers)))?.requestId
    expect([
      await completed({ ...one, 'ory-webhook-trigger-id': 't1' }),
      await completed(one),
      await completed(one, { ...question, requestId: null }),
    ]).toEqual(['t1', 'f1', 'r1'])
  })

  test('without traits it is no registration', () => {
    expect(registration.schema.safeParse({ identity: {} }).error?.issues[0]?.path).toEqual(['traits'])
  })

  test('a refusal has the shape of the sample and points at the trait', () => {
    const question = read({ contact: { email: 'a@b' } }, { NAME_TRAITS: 'contact.email' })
    const { status, body } = registration.answer({ kind: 'denied', field: 'contact.email' }, question)
    const sample = fixture('registration.response.messages')
    expect(status).toBe(409)
    expect(shapeOf(body)).toEqual(shapeOf(sample))
    expect(body).toMatchObject({ messages: [{ instance_ptr: '#/traits/contact/email' }] })
  })

  test('nothing to add is no change', () => {
    const question = read({ email: 'a@b', given_name: 'Ann' })
    for (const attributes of [{}, { given_name: 'Anna' }, { email: 'c@d' }, { locale: '' }])
      expect(registration.answer({ kind: 'allowed', attributes }, question)).toEqual({ status: 204 })
  })

  interface Addition {
    readonly title: string
    readonly own?: Record<string, string>
    readonly traits: object
    readonly attributes: Record<string, unknown>
    readonly added: object
  }

  test.each<Addition>([
    {
      title: 'what was sent is repeated, and what was given stays',
      traits: { email: 'a@b', given_name: 'Ann', family_name: '' },
      attributes: { given_name: 'Anna', family_name: 'Lee', plan: 'gold' },
      added: { email: 'a@b', given_name: 'Ann', family_name: 'Lee', plan: 'gold' },
    },
    {
      title: 'a trait inside another',
      own: { TRAIT_NAMES: 'given_name=name.first, family_name=name.last' },
      traits: { email: 'a@b', name: { first: 'Ann' } },
      attributes: { given_name: 'Anna', family_name: 'Lee' },
      added: { email: 'a@b', name: { first: 'Ann', last: 'Lee' } },
    },
    {
      title: 'nothing is put into what is no object',
      own: { TRAIT_NAMES: 'given_name=name.first' },
      traits: { email: 'a@b', name: 'Ann' },
      attributes: { given_name: 'Anna', nickname: 'A' },
      added: { email: 'a@b', name: 'Ann', nickname: 'A' },
    },
    {
      title: 'names that every object has',
      own: { TRAIT_NAMES: 'given_name=__proto__.first' },
      traits: { email: 'a@b' },
      attributes: { given_name: 'Anna', constructor: 'c' },
      added: JSON.parse('{"email":"a@b","__proto__":{"first":"Anna"},"constructor":"c"}'),
    },
  ])('allowed with additions: $title', ({ own = {}, traits, attributes, added }) => {
    const hook = ory.hooks(own)[1] as RegistrationHook
    const reply = hook.answer({ kind: 'allowed', attributes }, hook.schema.parse({ traits }))
    expect(reply.status).toBe(200)
    expect(JSON.stringify(reply.body)).toBe(JSON.stringify({ identity: { traits: added } }))
    expect(Object.keys(fixture('registration.response.identity-patch').identity)).toContain('traits')
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
] as const satisfies [FailureCode, number][])(
  'the failure %s is %i, neither a yes nor a refusal',
  (code, status) => {
    for (const one of [migration, registration, null]) {
      const reply = ory.failure(new Failure(code), one)
      expect(reply.status).toBe(status)
      expect(Object.keys(reply.body ?? {})).toEqual(['title'])
    }
  },
)

describe('as Kratos reads it', () => {
  const users = [legacyUser({ login: 'ann@example.com' })]
  const kratos = (...more: [policy?: object, judge?: object]) =>
    kratosClient('', SECRET, hooksOf(ory, users, ...more).request)

  test.each([
    { login: 'ann@example.com', password: 'right', outcome: 'signed-in', tries: 1 },
    { login: 'ann@example.com', password: 'wrong', outcome: 'refused', tries: 1 },
    { login: 'nobody@example.com', password: 'right', outcome: 'refused', tries: 1 },
  ])('$login with the $password password: $outcome', async ({ login, password, outcome, tries }) => {
    expect(await kratos().migratePassword(login, password)).toMatchObject({ outcome, tries })
  })

  test.each([
    { title: 'an outage', error: new Failure('unavailable'), tries: 3 },
    { title: 'overload', error: new Failure('overloaded'), tries: 3 },
    { title: 'a bug', error: new TypeError('x'), tries: 3 },
  ])('$title is tried $tries times and then shown', async ({ error, tries }) => {
    const check = () => Promise.reject(error)
    const outcome = { outcome: 'bad-gateway', tries }
    expect(await kratos({}, { check }).migratePassword('ann@example.com', 'right')).toMatchObject(outcome)
  })

  test('the tries of one call have one request id', async () => {
    const seen: (string | null)[] = []
    const check = () => Promise.reject(new Failure('unavailable'))
    const gate = { enter: async () => ({ refusals: () => 0, refused: () => {}, leave: () => {} }) }
    const record = async ({
      attempt,
      verdict,
    }: {
      attempt: { requestId: string | null }
      verdict: { kind: string }
    }) => {
      seen.push(attempt.requestId)
      return verdict.kind
    }
    const { trigger } = await kratos({}, { gate, record }).migratePassword('ann@example.com', 'wrong')
    await kratos({}, { check, record }).migratePassword('ann@example.com', 'right')
    expect(seen).toEqual([trigger])
  })

  test('a stranger is shown at once', async () => {
    const { request } = hooksOf(ory, users)
    expect(
      await kratosClient('', 'Bearer other', request).migratePassword('ann@example.com', 'right'),
    ).toMatchObject({ outcome: 'bad-gateway', status: 401, tries: 1 })
  })

  test('somebody of the old store does not register again; others do', async () => {
    expect(await kratos().register({ email: 'ann@example.com' })).toMatchObject({ outcome: 'interrupted' })
    expect(await kratos().register({ email: 'new@example.com' })).toMatchObject({
      outcome: 'registered',
      traits: { email: 'new@example.com' },
    })
  })
})

/** Types in place of values. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, name === 'context' ? 'object' : shapeOf(inner)]),
  )
}

test.each([
  { name: 'NAME_TRAITS', fitting: ['email', 'a.b, c-d,e_f'], others: ['', 'a,', 'a..b', '.a', 'a b', '#/a'] },
  {
    name: 'TRAIT_NAMES',
    fitting: ['', 'a=b', 'a=b.c, d=e'],
    others: ['a', 'a=', '=b', 'a=b,', 'a=b=c', 'a.b=c'],
  },
])('what $name may be', ({ name, fitting, others }) => {
  const fits = ory.settings?.[name]?.fits as RegExp
  expect(fitting.filter((text) => !fits.test(text))).toEqual([])
  expect(others.filter((text) => fits.test(text))).toEqual([])
})
