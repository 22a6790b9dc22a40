import { z } from 'zod'
import type { LegacyUser, Verdict } from '../domain.ts'
import { Failure } from '../errors.ts'
import { type ClaimNames, translateClaims } from './claims.ts'
import type {
  AttemptHook,
  AttemptQuestion,
  Dialect,
  LookupHook,
  LookupQuestion,
  OwnSettings,
  Reply,
} from './dialect.ts'

const PATH = '/keycloak/users'

const listAttribute = (of: string) => ({
  default: '',
  purpose: `The attribute of the legacy profile that lists the ${of} a user gets. It has to be in KEYCLOAK_ATTRIBUTES as well. None by default: whatever is named there is granted, and made if it does not exist.`,
})

/** The user attributes that Keycloak's own client scopes map to these claims. */
const attributeNames: ClaimNames = {
  middle_name: 'middleName',
  phone_number: 'phoneNumber',
  phone_number_verified: 'phoneNumberVerified',
  street_address: 'street',
}

/** What has a place of its own in the answer, or is made of what has. */
const FIELDS_OF_THEIR_OWN = [
  'preferred_username',
  'email',
  'email_verified',
  'name',
  'given_name',
  'family_name',
]

/** As attributes these would replace the fields of the same name after the user has been accepted. */
const KEYCLOAK_FIELDS = ['username', 'email', 'firstName', 'lastName', 'enabled', 'emailVerified', 'id']

/**
 * Keycloak with the user storage provider keycloak-user-migration: GET is there such a user, POST is this the password.
 * https://github.com/daniel-frak/keycloak-user-migration, 6.2
 *
 * To it every status but 200 is a no, and every 200 to POST is a yes whatever the body says.
 */
export const keycloak: Dialect = {
  name: 'keycloak',
  title: 'Keycloak',
  returnsProfile: true,
  // The plug-in waits for ever and takes a failure for a wrong password, so a late answer is better than none; but the person
  // waits as well, and each call that is open holds a thread of Keycloak's.
  answerWithin: 10_000,
  confirms: false,
  settings: { ROLES_ATTRIBUTE: listAttribute('roles'), GROUPS_ATTRIBUTE: listAttribute('groups') },
  hooks: (own) => [lookup(own), password()],
  failure,
}

function lookup(own: OwnSettings): LookupHook {
  return {
    flow: 'lookup',
    name: 'user-lookup',
    method: 'GET',
    path: `${PATH}/*`,
    schema: z.object({}).transform((): LookupQuestion => ({ login: '', requestId: null })),
    complete: (question, { path }) => ({ ...question, login: loginIn(path) }),
    found: (user, { login }) => {
      const body = user && representation(user, login, own)
      return body ? { status: 200, body } : { status: 404 }
    },
  }
}

function password(): AttemptHook {
  return {
    flow: 'attempt',
    name: 'password',
    method: 'POST',
    path: `${PATH}/*`,
    schema: z
      .object({ password: z.string() })
      .transform(({ password }): AttemptQuestion => ({ login: '', password, requestId: null })),
    example: { password: 'what she typed' },
    complete: (question, { path }) => ({ ...question, login: loginIn(path) }),
    answer: answerAttempt,
  }
}

function answerAttempt(verdict: Verdict): Reply {
  switch (verdict.kind) {
    case 'match':
      return { status: 200, body: {} }
    case 'mismatch':
    case 'unknown-login':
    case 'disabled':
    case 'throttled':
    case 'unusable-hash':
    case 'migrated':
      return { status: 403 }
  }
}

/**
 * The last segment as java.net.URLEncoder writes it: a form's encoding, in which a blank is `+` and a plus is `%2B`. An address
 * that was configured with a final slash makes two of it.
 */
function loginIn(path: string): string {
  const [, encoded] = /^\/+(?!\/)([\x21-\x7e]+)$/.exec(path.slice(PATH.length)) ?? []
  if (encoded === undefined || encoded.includes('/')) throw badPath()
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch {
    throw badPath()
  }
}

function badPath(): Failure {
  return new Failure('bad-request', { detail: 'path', fields: ['path'] })
}

/**
 * All keys are the plug-in's: one that it does not know makes it drop the whole answer, as does a name that is not the one it
 * asked for, ignoring case. Such an answer is null: it would show a profile for nothing.
 */
function representation(user: LegacyUser, asked: string, own: OwnSettings): Reply['body'] | null {
  const username = plain(user.login)
  const email =
    user.email === null || user.email.trim() === '' ? undefined : user.email.trim().normalize('NFKC')
  if (![username, email?.toLowerCase()].includes(asked.toLowerCase())) return null
  const { profile } = user
  const roles = listed(profile, own.ROLES_ATTRIBUTE)
  const groups = listed(profile, own.GROUPS_ATTRIBUTE)
  return {
    // It becomes the key of Keycloak's user, in a column of 36 characters.
    ...(UUID.test(user.id) && { id: user.id }),
    username,
    ...(email !== undefined && { email }),
    ...text('firstName', profile.given_name),
    ...text('lastName', profile.family_name),
    // Where one of these is missing, the plug-in takes it for false.
    enabled: user.status === 'active',
    emailVerified: email !== undefined && profile.email_verified === true,
    attributes: attributesOf(profile, own),
    ...(roles.length > 0 && { roles }),
    ...(groups.length > 0 && { groups }),
  }
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The one form of a login, so that nobody gets two accounts. Keycloak's are in lower case, and up to 6.2.2 the plug-in insists. */
function plain(login: string): string {
  return login.trim().normalize('NFKC').toLowerCase()
}

function text(key: string, value: unknown): Readonly<Record<string, string>> {
  return typeof value === 'string' && value !== '' ? { [key]: value } : {}
}

function attributesOf(profile: LegacyUser['profile'], own: OwnSettings): Record<string, string[]> {
  const elsewhere = [...FIELDS_OF_THEIR_OWN, own.ROLES_ATTRIBUTE, own.GROUPS_ATTRIBUTE]
  const rest = Object.entries(profile).filter(([name]) => !elsewhere.includes(name))
  const translated = translateClaims(Object.fromEntries(rest), attributeNames, KEYCLOAK_FIELDS)
  const texts = Object.entries(translated).map(([name, value]) => [name, textsOf(value)] as const)
  return Object.fromEntries(texts.filter(([, values]) => values.length > 0))
}

function listed(profile: LegacyUser['profile'], attribute = ''): string[] {
  return attribute !== '' && Object.hasOwn(profile, attribute) ? textsOf(profile[attribute]) : []
}

/** Keycloak's attributes are lists of texts. An object is not one, and is left out. */
function textsOf(value: unknown): string[] {
  const values: unknown[] = Array.isArray(value) ? value : [value]
  return values.flatMap((one) => {
    if (typeof one === 'string') return one === '' ? [] : [one]
    return typeof one === 'number' || typeof one === 'boolean' ? [String(one)] : []
  })
}

/** Every one reads as "no such user" or "wrong password" there; what it was is in our log and our metrics alone. */
function failure({ status, message, fields }: Failure): Reply {
  return { status, body: { title: message, ...(fields.length > 0 && { fields }) } }
}
