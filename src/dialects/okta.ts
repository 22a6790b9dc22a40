import { z } from 'zod'
import type { Admission, Verdict } from '../domain.ts'
import type { Failure } from '../errors.ts'
import { type ClaimNames, translateClaims } from './claims.ts'
import type {
  AttemptHook,
  AttemptQuestion,
  ConfirmationHook,
  ConfirmationNotice,
  Dialect,
  HandshakeHook,
  RegistrationHook,
  RegistrationQuestion,
  Reply,
} from './dialect.ts'

/** An optional part that has another type than expected is as good as absent. */
const optionalText = z.string().optional().catch(undefined)

const profile = z.record(z.string(), z.unknown())

const systemLogEvent = z.object({
  uuid: optionalText,
  eventType: z.string(),
  outcome: z.object({ result: z.string() }).optional().catch(undefined),
  target: z
    .array(z.object({ type: z.string(), alternateId: optionalText }))
    .nullish()
    .catch(undefined),
})

/** Okta's base attributes: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/ */
const profileNames: ClaimNames = {
  given_name: 'firstName',
  family_name: 'lastName',
  middle_name: 'middleName',
  name: 'displayName',
  nickname: 'nickName',
  profile: 'profileUrl',
  zoneinfo: 'timezone',
  phone_number: 'mobilePhone',
  street_address: 'streetAddress',
  locality: 'city',
  region: 'state',
  postal_code: 'zipCode',
  country: 'countryCode',
}

/**
 * Okta: password import inline hook, registration inline hook, event hook.
 * https://developer.okta.com/docs/reference/password-hook/ and .../registration-hook/, .../concepts/event-hooks/
 *
 * Requests are read leniently: Identity Engine and Classic Engine differ in what they send, and samples of Okta's own
 * leave out or retype everything but what is required here.
 */
export const okta: Dialect = {
  name: 'okta',
  title: 'Okta',
  returnsProfile: false,
  // Okta waits 3 s, connection and TLS included, and repeats the call once.
  answerWithin: 2_400,
  confirms: true,
  hooks: () => [passwordImport(), registration(), eventVerification(), events()],
  failure,
}

function passwordImport(): AttemptHook {
  const envelope = z.object({
    eventType: z.literal('com.okta.user.credential.password.import'),
    eventId: optionalText,
    data: z.object({
      context: z.object({
        request: z.object({ id: optionalText }).optional().catch(undefined),
        // Not data.credential, as the prose of Okta's guide says: every payload has it here.
        credential: z.object({ username: z.string(), password: z.string() }),
      }),
    }),
  })
  return {
    flow: 'attempt',
    name: 'password-import',
    method: 'POST',
    path: '/okta/password-import',
    schema: envelope.transform(({ eventId, data: { context } }): AttemptQuestion => {
      const { username, password } = context.credential
      return { login: username, password, requestId: context.request?.id ?? eventId ?? null }
    }),
    example: {
      eventType: 'com.okta.user.credential.password.import',
      eventId: 'event-1',
      data: {
        context: {
          request: { id: 'request-1' },
          credential: { username: 'ann@example.com', password: 'what she typed' },
        },
        action: { credential: 'UNVERIFIED' },
      },
    },
    answer: (verdict) => update({ credential: credentialOf(verdict) }),
  }
}

/** A command in every case: silence means UNVERIFIED here and ALLOW on the registration hook. */
function credentialOf(verdict: Verdict): 'VERIFIED' | 'UNVERIFIED' {
  switch (verdict.kind) {
    case 'match':
      return 'VERIFIED'
    case 'mismatch':
    case 'unknown-login':
    case 'disabled':
    case 'throttled':
    case 'unusable-hash':
    case 'migrated':
      return 'UNVERIFIED'
  }
}

function update(value: Readonly<Record<string, string>>): Reply {
  return { status: 200, body: { commands: [{ type: 'com.okta.action.update', value }] } }
}

function registration(): RegistrationHook {
  const envelope = z.object({
    eventType: z.literal('com.okta.user.pre-registration'),
    eventId: optionalText,
    // Absent on Classic Engine, which knows self-service registration alone.
    requestType: z
      .enum(['self.service.registration', 'progressive.profile'])
      .default('self.service.registration'),
    data: z.object({
      context: z
        .object({
          request: z.object({ id: optionalText }).optional().catch(undefined),
          user: z.object({ profile }).optional().catch(undefined),
        })
        .optional()
        .catch(undefined),
      userProfile: profile.optional(),
      userProfileUpdate: profile.optional(),
    }),
  })
  return {
    flow: 'registration',
    name: 'registration',
    method: 'POST',
    path: '/okta/registration',
    schema: envelope.transform(({ eventId, requestType, data }, checked): RegistrationQuestion => {
      const change = requestType === 'progressive.profile'
      const section = change ? 'userProfileUpdate' : 'userProfile'
      const attributes = data[section]
      if (attributes === undefined) {
        checked.addIssue({ code: 'custom', path: ['data', section], message: 'expected an object' })
        return z.NEVER
      }
      return {
        kind: change ? 'change' : 'new',
        names: namesIn(attributes),
        given: Object.keys(attributes),
        self: change ? (namesIn(data.context?.user?.profile ?? {})[0]?.value ?? null) : null,
        requestId: data.context?.request?.id ?? eventId ?? null,
      }
    }),
    example: {
      eventType: 'com.okta.user.pre-registration',
      eventId: 'event-2',
      requestType: 'self.service.registration',
      data: {
        context: { request: { id: 'request-2' } },
        userProfile: { login: 'ann@example.com', email: 'ann@example.com', lastName: 'Example' },
        action: 'ALLOW',
      },
    },
    answer: answerRegistration,
  }
}

function namesIn(attributes: Readonly<Record<string, unknown>>): { field: string; value: string }[] {
  return ['login', 'email'].flatMap((field) => {
    const value = attributes[field]
    return typeof value === 'string' && value.trim() !== '' ? [{ field, value }] : []
  })
}

function answerRegistration(admission: Admission, question: RegistrationQuestion): Reply {
  if (admission.kind === 'denied') return denied(admission.field)
  const value = translateClaims(admission.attributes, profileNames, [...question.given, 'login', 'email'])
  const added = Object.keys(value).length > 0
  if (question.kind === 'change') {
    // ALLOW is documented for new registrations alone; for a change the documented way to let it pass is silence.
    if (!added) return { status: 204 }
    return { status: 200, body: { commands: [{ type: 'com.okta.user.progressive.profile.update', value }] } }
  }
  const allow = { type: 'com.okta.action.update', value: { registration: 'ALLOW' } }
  const commands = added ? [{ type: 'com.okta.user.profile.update', value }, allow] : [allow]
  return { status: 200, body: { commands } }
}

/**
 * The Sign-In Widget shows a cause beside a field of the form, so it must point at one the request has. An `error` key
 * alone, even an empty one, already denies: nowhere else in this file is there one.
 */
function denied(field: string): Reply {
  return {
    status: 200,
    body: {
      commands: [{ type: 'com.okta.action.update', value: { registration: 'DENY' } }],
      error: {
        errorSummary: 'An account already exists.',
        errorCauses: [
          {
            errorSummary:
              'You already have an account. Please sign in with the password that you have used before.',
            reason: 'ALREADY_REGISTERED',
            locationType: 'body',
            location: `data.userProfile.${field}`,
            domain: 'end-user',
          },
        ],
      },
    },
  }
}

/** One-time verification of the event hook's address. */
function eventVerification(): HandshakeHook {
  return {
    flow: 'handshake',
    name: 'event-verification',
    method: 'GET',
    path: '/okta/events',
    answer: (header) => {
      const verification = header('x-okta-verification-challenge')
      if (verification === undefined)
        return { status: 400, body: { status: 400, title: 'x-okta-verification-challenge is missing' } }
      return { status: 200, body: { verification } }
    },
  }
}

/** Several events in one delivery, some of them twice, in no order, most of them about something else. */
function events(): ConfirmationHook {
  const delivery = z.object({ eventId: optionalText, data: z.object({ events: z.array(z.unknown()) }) })
  return {
    flow: 'confirmation',
    name: 'events',
    method: 'POST',
    path: '/okta/events',
    schema: delivery.transform(({ eventId, data }): ConfirmationNotice[] =>
      data.events.flatMap((event, place) => noticesIn(event, `${eventId ?? ''}#${place}`)),
    ),
    example: {
      eventType: 'com.okta.event_hook',
      eventId: 'delivery-1',
      data: {
        events: [
          {
            uuid: 'event-3',
            eventType: 'user.import.password',
            outcome: { result: 'SUCCESS' },
            target: [{ id: 'user-1', type: 'User', alternateId: 'ann@example.com' }],
          },
        ],
      },
    },
    answer: () => ({ status: 204 }),
  }
}

function noticesIn(event: unknown, placeInDelivery: string): ConfirmationNotice[] {
  const read = systemLogEvent.safeParse(event)
  if (!read.success) return []
  const { eventType, outcome, target, uuid } = read.data
  const result = resultOf(eventType, outcome?.result)
  // The user is chosen by type: other targets (factors, applications) may come first.
  const login = target?.find(({ type }) => type === 'User')?.alternateId
  return result === undefined || login === undefined
    ? []
    : [{ login, result, eventId: uuid ?? placeInDelivery }]
}

function resultOf(eventType: string, outcome: string | undefined): ConfirmationNotice['result'] | undefined {
  switch (eventType) {
    case 'user.import.password':
      return outcome === 'SUCCESS' ? 'stored' : outcome === 'FAILURE' ? 'not-stored' : undefined
    // A password set in Okta makes the old one obsolete just as well; the import then never happens.
    case 'user.account.update_password':
    case 'user.account.reset_password':
      return outcome === 'SUCCESS' ? 'stored' : undefined
    default:
      return undefined
  }
}

/** Okta reads a failure's status alone: it repeats a 5xx once and a 4xx never, and neither counts as an answer. */
function failure({ status, message, fields }: Failure): Reply {
  return { status, body: { status, title: message, ...(fields.length > 0 && { fields }) } }
}
