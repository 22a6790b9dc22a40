import { z } from 'zod'
import type { LegacyUser, Verdict } from '../domain.ts'
import type { Failure } from '../errors.ts'
import { LEGACY_NAMESPACE, uuidOf } from '../legacy-uuid.ts'
import { emailOf, emailVerified } from './claims.ts'
import type { AttemptHook, AttemptQuestion, Dialect, OwnSettings, Reply } from './dialect.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** FusionAuth advises connectors to answer within a second. */
const ANSWER_WITHIN_MS = 900

/** The body of the Login API, which grows from release to release: nothing else in it is looked at. */
const login = z.object({
  loginId: z.string(),
  password: z.string(),
  applicationId: z.string().regex(UUID).optional().catch(undefined),
})

/** A field of FusionAuth's user, and its value made of a claim's. undefined: FusionAuth could not read it. */
interface UserField {
  readonly name: string
  read(claim: unknown): unknown
}

/** FusionAuth refuses the whole answer for one value of the wrong type, so each is checked. */
const userFields: Readonly<Record<string, UserField>> = {
  given_name: { name: 'firstName', read: text },
  middle_name: { name: 'middleName', read: text },
  family_name: { name: 'lastName', read: text },
  name: { name: 'fullName', read: text },
  // OpenID Connect lets the year be 0000 or stand alone; a date of FusionAuth is whole.
  birthdate: { name: 'birthDate', read: fitting(/^(?!0000)\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/) },
  phone_number: { name: 'mobilePhone', read: text },
  picture: { name: 'imageUrl', read: fitting(/^https?:\/\/[\x21-\x7e]+$/) },
  locale: { name: 'preferredLanguages', read: languages },
  zoneinfo: { name: 'timezone', read: fitting(/^[A-Za-z]+(\/[A-Za-z0-9_+-]+){1,2}$|^UTC$/) },
}

/**
 * FusionAuth: Generic Connector.
 * https://fusionauth.io/docs/lifecycle/migrate-users/connectors/generic-connector
 */
export const fusionauth: Dialect = {
  name: 'fusionauth',
  title: 'FusionAuth',
  returnsProfile: true,
  answerWithin: ANSWER_WITHIN_MS,
  confirms: false,
  settings: {
    ID_NAMESPACE: {
      purpose:
        "The UUID in which users' ids are made (version 5, of the legacy id) where the legacy id is no UUID itself. Another one gives everybody another id: choose it before the first sign-in, one for each old system.",
      default: LEGACY_NAMESPACE,
      fits: UUID,
      expected: 'a UUID',
    },
    ROLES_ATTRIBUTE: {
      purpose:
        'The attribute of the legacy profile that holds the roles to register with. It must stand in FUSIONAUTH_ATTRIBUTES too. Without it nobody is given a role.',
      default: '',
    },
    ANSWER_WITHIN_MS: {
      purpose:
        "Milliseconds in which an answer is given. Less than the connector's readTimeout; a hash that takes longer to check needs more of both.",
      default: String(ANSWER_WITHIN_MS),
      fits: /^([3-9]\d{2}|[1-9]\d{3}|10000)$/,
      expected: 'a whole number from 300 to 10000',
    },
  },
  hooks: (own) => [connector(own)],
  failure,
}

function connector(own: OwnSettings): AttemptHook {
  return {
    flow: 'attempt',
    name: 'login',
    method: 'POST',
    path: '/fusionauth/login',
    answerWithin: Number(own.ANSWER_WITHIN_MS ?? ANSWER_WITHIN_MS),
    schema: login.transform(
      ({ loginId, password, applicationId }): AttemptQuestion => ({
        login: loginId,
        password,
        requestId: null,
        ...(applicationId !== undefined && { echo: { applicationId } }),
      }),
    ),
    example: {
      loginId: 'ann@example.com',
      password: 'what she typed',
      applicationId: '00000000-0000-4000-8000-000000000001',
      noJWT: false,
      eventInfo: { ipAddress: '192.0.2.1' },
    },
    answer: (verdict, question) => answer(verdict, question, own),
  }
}

/** 404 is the one status besides 200 that a connector may give. */
function answer(verdict: Verdict, { echo }: AttemptQuestion, own: OwnSettings): Reply {
  switch (verdict.kind) {
    case 'match':
      return { status: 200, body: { user: userOf(verdict.user, echo?.applicationId, own) } }
    case 'mismatch':
    case 'unknown-login':
    case 'disabled':
    case 'throttled':
    case 'unusable-hash':
    case 'migrated':
      return { status: 404 }
  }
}

function userOf(
  user: LegacyUser,
  applicationId: string | undefined,
  own: OwnSettings,
): Record<string, unknown> {
  const { [own.ROLES_ATTRIBUTE ?? '']: roles, email: _, email_verified: __, ...claims } = user.profile
  const fields: Record<string, unknown> = {}
  const data: Record<string, unknown> = {}
  for (const [claim, value] of Object.entries(claims)) {
    if (value === null || value === '') continue
    const field = Object.hasOwn(userFields, claim) ? userFields[claim] : undefined
    const read = field?.read(value)
    if (field === undefined || read === undefined) data[claim] = value
    else fields[field.name] = read
  }
  return {
    ...fields,
    id: uuidOf(user.id, own.ID_NAMESPACE ?? LEGACY_NAMESPACE),
    ...names(user),
    active: true,
    verified: emailVerified(user),
    ...(applicationId !== undefined && { registrations: [{ applicationId, ...granted(roles) }] }),
    ...(Object.keys(data).length > 0 && { data }),
  }
}

/** What the user may type at the next sign-in, which FusionAuth answers alone. */
function names(user: LegacyUser): { username?: string; email?: string } {
  const { login } = user
  const email = emailOf(user)
  if (email === null) return { username: login }
  return email.toLowerCase() === login.toLowerCase() ? { email } : { username: login, email }
}

function granted(roles: unknown): { roles?: readonly string[] } {
  const named = (Array.isArray(roles) ? roles : [roles]).filter((role) => text(role) !== undefined)
  return named.length > 0 ? { roles: named } : {}
}

function text(claim: unknown): string | undefined {
  return typeof claim === 'string' && claim !== '' ? claim : undefined
}

function fitting(form: RegExp): (claim: unknown) => string | undefined {
  return (claim) => (typeof claim === 'string' && form.test(claim) ? claim : undefined)
}

/** A language tag such as `pt-BR`, in the way that Java writes it. */
function languages(claim: unknown): string[] | undefined {
  const parts = typeof claim === 'string' ? /^([a-z]{2,3})(?:[-_]([A-Z]{2}))?$/.exec(claim) : null
  if (parts === null) return undefined
  const [, language = '', country] = parts
  return [country === undefined ? language : `${language}_${country}`]
}

/** Whatever is not 200 is shown as 404; the true status is for those who read the log of either side. */
function failure({ status, message, fields }: Failure): Reply {
  return { status, body: { status, title: message, ...(fields.length > 0 && { fields }) } }
}
