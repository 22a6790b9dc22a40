import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type {
  AttemptHook,
  ConfirmationHook,
  HandshakeHook,
  RegistrationHook,
} from '../../src/dialects/dialect.ts'
import { okta } from '../../src/dialects/okta.ts'
import type { Verdict } from '../../src/domain.ts'
import { Failure, type FailureCode } from '../../src/errors.ts'

function fixture(name: string) {
  return JSON.parse(readFileSync(new URL(`fixtures/okta.${name}.json`, import.meta.url), 'utf8'))
}

function hook<Flow extends string>(flow: Flow) {
  const found = okta.hooks({}).find((one) => one.flow === flow)
  if (found === undefined) throw new Error(`okta has no ${flow} hook`)
  return found
}

const passwordImport = hook('attempt') as AttemptHook
const registration = hook('registration') as RegistrationHook
const events = hook('confirmation') as ConfirmationHook
const verification = hook('handshake') as HandshakeHook

const asked = { login: '', password: '', requestId: null }
const verdicts: Record<Verdict['kind'], Verdict> = {
  match: { kind: 'match', user: {} as never },
  mismatch: { kind: 'mismatch' },
  'unknown-login': { kind: 'unknown-login' },
  disabled: { kind: 'disabled' },
  throttled: { kind: 'throttled' },
  'unusable-hash': { kind: 'unusable-hash', defect: 'malformed' },
  migrated: { kind: 'migrated' },
}

describe('password import', () => {
  test.each(['password-import.request.oie', 'password-import.request.classic-authn.2024-reference'])(
    'reads %s',
    (name) => {
      const sample = fixture(name)
      expect(passwordImport.schema.parse(sample)).toEqual({
        login: 'isaac.brock@example.com',
        password: 'Okta',
        requestId: sample.data.context.request.id,
      })
    },
  )

  test.each([
    { title: 'versions as numbers', change: { eventTypeVersion: 1, cloudEventVersion: 0.1 } },
    {
      title: 'no versions, content type or source',
      change: { eventTypeVersion: undefined, contentType: undefined, source: undefined },
    },
    { title: 'unknown fields', change: { futureField: { a: 1 } } },
    { title: 'an event id that is no text', change: { eventId: 7 } },
  ])('accepts $title', ({ change }) => {
    const sample = { ...fixture('password-import.request.oie'), ...change }
    expect(passwordImport.schema.safeParse(sample).success).toBe(true)
  })

  test('takes the event id where the request has no id', () => {
    const sample = fixture('password-import.request.oie')
    delete sample.data.context.request
    expect(passwordImport.schema.parse(sample).requestId).toBe('3o9jBzq1SmOGmmsDsqyyeQ')
  })

  test.each([
    {
      title: 'credentials at data.credential, as the guide has it',
      at: ['data.context'],
      body: (s: Sample) => ({ ...s, data: { credential: s.data.context.credential } }),
    },
    {
      title: 'a password that is a number',
      at: ['data.context.credential.password'],
      body: (s: Sample) => ({ ...s, data: { context: { credential: { username: 'a', password: 1 } } } }),
    },
    {
      title: 'another event type',
      at: ['eventType'],
      body: (s: Sample) => ({ ...s, eventType: 'com.okta.user.pre-registration' }),
    },
    { title: 'an array', at: [''], body: () => [] },
  ])('refuses $title and names the field', ({ body, at }) => {
    const read = passwordImport.schema.safeParse(body(fixture('password-import.request.oie')))
    expect(read.error?.issues.map(({ path }) => path.join('.'))).toEqual(at)
  })

  test('answers a match as Okta documents it', () => {
    expect(passwordImport.answer(verdicts.match, asked)).toEqual({
      status: 200,
      body: fixture('password-import.response.verified'),
    })
  })

  test.each(Object.values(verdicts).filter(({ kind }) => kind !== 'match'))(
    'answers $kind with 200 and UNVERIFIED',
    (verdict) => {
      expect(passwordImport.answer(verdict, asked)).toEqual({
        status: 200,
        body: fixture('password-import.response.unverified'),
      })
    },
  )
})

describe('registration', () => {
  const samples = [
    'registration-ssr.request.oie',
    'registration-ssr.request.oie-upgrade-guide-no-eventid',
    'registration-ssr.request.openapi-2026.06.3-numeric-versions',
    'registration.request.classic-2021-reference.action-null',
  ]
  test.each(samples)('reads %s', (name) => {
    const sample = fixture(name)
    const { login, email } = sample.data.userProfile
    expect(registration.schema.parse(sample)).toMatchObject({
      kind: 'new',
      self: null,
      names: [
        { field: 'login', value: login },
        { field: 'email', value: email },
      ],
    })
  })

  const changes = [
    'registration-progressive.request.oie',
    'registration-progressive.request.oie-upgrade-guide-no-eventid',
    'registration-progressive.request.openapi-2026.06.3-numeric-versions',
  ]
  test.each(changes)('reads %s', (name) => {
    const { data } = fixture(name)
    expect(registration.schema.parse(fixture(name))).toMatchObject({
      kind: 'change',
      names: [],
      self: data.context.user?.profile.login ?? null,
      given: Object.keys(data.userProfileUpdate),
    })
  })

  test('a missing requestType is self-service registration', () => {
    const sample = fixture('registration-ssr.request.oie')
    delete sample.requestType
    expect(registration.schema.parse(sample).kind).toBe('new')
  })

  test('names the section that is missing', () => {
    const sample = fixture('registration-ssr.request.oie')
    delete sample.data.userProfile
    expect(registration.schema.safeParse(sample).error?.issues[0]?.path).toEqual(['data', 'userProfile'])
  })

  const question = registration.schema.parse(fixture('registration-ssr.request.oie'))
  const change = registration.schema.parse(fixture('registration-progressive.request.oie'))
  const nothing = { kind: 'allowed', attributes: {} } as const

  test('allows a new registration by command, never by silence', () => {
    expect(registration.answer(nothing, question)).toEqual({
      status: 200,
      body: fixture('registration-ssr.response.allow'),
    })
  })

  test('lets a change pass by the documented silence', () => {
    expect(registration.answer(nothing, change)).toEqual({ status: 204 })
  })

  test('denies with 200, a command, and a cause that points at the field of the form', () => {
    const { status, body } = registration.answer({ kind: 'denied', field: 'email' }, question)
    const sample = fixture('registration-ssr.response.deny-with-error')
    expect(status).toBe(200)
    expect(body?.commands).toEqual(sample.commands)
    const { errorCauses } = (body?.error ?? {}) as { errorCauses: Record<string, string>[] }
    expect(Object.keys(errorCauses[0] ?? {}).sort()).toEqual(Object.keys(sample.error.errorCauses[0]).sort())
    expect(errorCauses[0]?.location).toBe('data.userProfile.email')
    expect(errorCauses[0]?.errorSummary).toMatch(/sign in with the password/)
  })

  test('adds attributes under the names of Okta, but none that the person gave, and never login or email', () => {
    const attributes = {
      given_name: 'Rosa',
      phone_number: '+1',
      address: { locality: 'Oslo' },
      login: 'x',
      email: 'y',
      loyalty: 7,
    }
    const { body } = registration.answer({ kind: 'allowed', attributes }, question)
    expect(body?.commands).toEqual([
      { type: 'com.okta.user.profile.update', value: { mobilePhone: '+1', city: 'Oslo', loyalty: 7 } },
      { type: 'com.okta.action.update', value: { registration: 'ALLOW' } },
    ])
    expect(
      registration.answer({ kind: 'allowed', attributes: { employeeNumber: 1, loyalty: 7 } }, change).body
        ?.commands,
    ).toEqual([{ type: 'com.okta.user.progressive.profile.update', value: { loyalty: 7 } }])
  })

  test('no answer but a denial has an error key', () => {
    for (const asked of [question, change]) {
      expect(registration.answer(nothing, asked).body ?? {}).not.toHaveProperty('error')
      expect(registration.answer({ kind: 'allowed', attributes: { a: 1 } }, asked).body).not.toHaveProperty(
        'error',
      )
    }
  })
})

describe('events', () => {
  const event = (change: object) => ({
    uuid: 'u1',
    eventType: 'user.import.password',
    outcome: { result: 'SUCCESS' },
    target: [{ id: '00u1', type: 'User', alternateId: 'ann@example.com' }],
    ...change,
  })
  const read = (...list: unknown[]) => events.schema.parse({ eventId: 'd1', data: { events: list } })
  const stored = { login: 'ann@example.com', result: 'stored', eventId: 'u1' }

  test.each([
    { title: 'an import that succeeded', event: event({}), notices: [stored] },
    {
      title: 'an import that failed',
      event: event({ outcome: { result: 'FAILURE', reason: 'x' } }),
      notices: [{ ...stored, result: 'not-stored' }],
    },
    {
      title: 'a change of the password',
      event: event({ eventType: 'user.account.update_password' }),
      notices: [stored],
    },
    {
      title: 'a reset of the password',
      event: event({ eventType: 'user.account.reset_password' }),
      notices: [stored],
    },
    {
      title: 'a change that failed',
      event: event({ eventType: 'user.account.update_password', outcome: { result: 'FAILURE' } }),
      notices: [],
    },
    {
      title: 'a sign-in, which proves nothing',
      event: event({ eventType: 'user.session.start' }),
      notices: [],
    },
    { title: 'an import without outcome', event: event({ outcome: null }), notices: [] },
    {
      title: 'a user behind other targets',
      event: event({
        target: [
          { type: 'AppInstance', alternateId: 'app' },
          { type: 'User', alternateId: 'ann@example.com' },
        ],
      }),
      notices: [stored],
    },
    { title: 'no target', event: event({ target: null }), notices: [] },
    { title: 'no uuid', event: event({ uuid: undefined }), notices: [{ ...stored, eventId: 'd1#0' }] },
    { title: 'something else altogether', event: 7, notices: [] },
  ])('$title', ({ event: one, notices }) => {
    expect(read(one)).toEqual(notices)
  })

  test('takes every event of a delivery', () => {
    expect(read(event({}), 7, event({ uuid: 'u2' }))).toEqual([stored, { ...stored, eventId: 'u2' }])
  })

  test('reads the official delivery sample', () => {
    expect(events.schema.parse(fixture('event-hook.delivery.user.session.start'))).toEqual([])
  })

  test('answers the verification with the challenge', () => {
    const { verification: challenge } = fixture('event-hook.verification.response')
    const header = (name: string) => (name === 'x-okta-verification-challenge' ? challenge : undefined)
    expect(verification.answer(header)).toEqual({
      status: 200,
      body: fixture('event-hook.verification.response'),
    })
    expect(verification.answer(() => undefined).status).toBe(400)
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
  'the failure %s is %i on every hook, without commands and without an error key',
  (code, status) => {
    for (const one of okta.hooks({})) {
      const reply = okta.failure(new Failure(code), one)
      expect(reply.status).toBe(status)
      expect(reply.body).not.toHaveProperty('commands')
      expect(reply.body).not.toHaveProperty('error')
    }
  },
)

interface Sample {
  readonly data: { readonly context: { readonly credential: unknown } }
}
