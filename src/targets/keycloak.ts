import { z } from 'zod'
import { type Call, CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import { authorizationIn, TOKEN_FORM } from './access-token.ts'
import { keycloakCredential, type PasswordCredential } from './keycloak-hash.ts'
import { examineRealm, ROOT_ATTRIBUTES } from './keycloak-realm.ts'
import { expected, JSON_BODY, jsonOf, keyShape, retryAfter, sameJson } from './read-answer.ts'
import { isTrue, oneByOne, refused, textOf } from './results.ts'
import { addressOf, countOf, wanted } from './settings.ts'
import {
  type Authorization,
  type Candidate,
  type Context,
  ExpiredError,
  type Order,
  type ReasonCode,
  type Result,
  RunHalt,
  type Target,
  TargetError,
  type TargetKind,
  type TargetSettings,
  type TargetUse,
} from './target.ts'

/** The name that `standard` gives to the old id; sent under that of ID_ATTRIBUTE. */
const ID_NAME = 'legacy_id'

/** Users at the same time. Creating one is a transaction of a few milliseconds, and Keycloak goes on signing people in. */
const IN_FLIGHT = 8
const MOST_IN_FLIGHT = 64

/** What the user profile of a new realm takes of usernames: no blanks, and none of these. Tried with Keycloak 26.4.2. */
const USERNAME = /^[^\s!"#$%&'()*,/:;<=>?[\\\]^`{|}~§\p{Cc}]+$/u

/** Of first and last names. */
const PERSON = /^[^!"#$%&()*/;<=>?[\\\]^{|}~§\p{Cc}]+$/u

const settings = {
  URL: {
    purpose:
      'Address of Keycloak, as `https://sso.example.com` or, of old ones, `https://sso.example.com/auth`.',
    required: true,
  },
  REALM: { purpose: 'Name of the realm that users are brought to.', required: true },
  CLIENT_ID: {
    purpose:
      'A confidential client of that realm whose service account has the roles manage-users and view-users of realm-management, and for the looks beforehand view-realm.',
    required: true,
  },
  CLIENT_SECRET: { purpose: 'Its secret.', secret: true, required: true },
  ID_ATTRIBUTE: {
    purpose:
      'The attribute that holds the key of the old system. It tells a user of ours from somebody else who has the login.',
    default: ID_NAME,
  },
  IN_FLIGHT: {
    purpose: 'Users that are brought at the same time by one process, from 1 to 64.',
    default: String(IN_FLIGHT),
  },
} as const satisfies TargetKind['settings']

/**
 * Keycloak: one call of the Admin API for each user, because it names what is wrong with whom. A partial import names nobody when it
 * fails, wants the right to manage the whole realm, and takes values that the user profile forbids.
 * https://www.keycloak.org/docs-api/latest/rest-api/index.html
 */
export const keycloak: TargetKind = {
  name: 'keycloak',
  title: 'Keycloak',
  settings,
  traits: {
    hook: true,
    hookWants: 'absent',
    reads: (hash) => keycloakCredential(hash) !== null,
    replacesHash: true,
    updates: true,
    removes: ['deactivate', 'delete'],
    standard: {
      id: ID_NAME,
      login: 'username',
      email: 'email',
      'profile.email_verified': 'emailVerified',
      'profile.given_name': 'firstName',
      'profile.family_name': 'lastName',
      // As the mappers of Keycloak's client scopes expect them.
      'profile.phone_number': 'phoneNumber',
      'profile.phone_number_verified': 'phoneNumberVerified',
      'profile.middle_name': 'middleName',
      'profile.nickname': 'nickname',
      'profile.profile': 'profile',
      'profile.picture': 'picture',
      'profile.website': 'website',
      'profile.gender': 'gender',
      'profile.birthdate': 'birthdate',
      'profile.zoneinfo': 'zoneinfo',
      'profile.locale': 'locale',
      'profile.street_address': 'street',
      'profile.locality': 'locality',
      'profile.region': 'region',
      'profile.postal_code': 'postal_code',
      'profile.country': 'country',
    },
    attributes: [
      { name: 'username', required: true, least: 3, most: 255, pattern: USERNAME, unique: true },
      { name: 'email', most: 255, format: 'email', unique: true },
      { name: 'emailVerified', format: 'boolean' },
      { name: 'firstName', most: 255, pattern: PERSON },
      { name: 'lastName', most: 255, pattern: PERSON },
    ],
    others: 'defined-beforehand',
    sameness: ['case'],
    batch: 1,
    callsPerBatch: 1,
    needs,
  },
  open,
}

function needs({ hook, attributes }: TargetUse): readonly string[] {
  const own = attributes.filter((name) => !ROOT_ATTRIBUTES.has(name) && name !== ID_NAME)
  return [
    `The user profile has the attribute of ID_ATTRIBUTE${own.length === 0 ? '' : `, and ${own.join(', ')}`}, or takes unmanaged attributes of administrators.`,
    'Who has no first name, last name or e-mail address is asked for it at the first sign-in, unless the user profile makes them optional.',
    'The realm does not verify e-mail addresses, or users come with emailVerified.',
    ...(hook
      ? [
          'The plug-in keycloak-user-migration is active. It asks for users whom Keycloak does not have, so that those are not brought.',
        ]
      : []),
  ]
}

interface Opened {
  readonly realmUrl: string
  readonly idAttribute: string
  /** The path of the group for this tag, which is there when it resolves. */
  groupFor(tag: string, context: Context): Promise<string>
}

function open(given: TargetSettings): Target {
  const { base, host } = addressOf(given.URL)
  const realm = encodeURIComponent(wanted(given, 'REALM'))
  const client = { id: wanted(given, 'CLIENT_ID'), secret: wanted(given, 'CLIENT_SECRET') }
  const realmUrl = `${base}/admin/realms/${realm}`
  const opened: Opened = {
    realmUrl,
    idAttribute: idAttributeOf(given.ID_ATTRIBUTE ?? settings.ID_ATTRIBUTE.default),
    groupFor: groups(realmUrl),
  }
  return {
    hosts: [host],
    authorize: (call) => authorize(`${base}/realms/${realm}/protocol/openid-connect/token`, client, call),
    inFlight: countOf('IN_FLIGHT', given.IN_FLIGHT ?? settings.IN_FLIGHT.default, 1, MOST_IN_FLIGHT),
    examine: (context, use) =>
      examineRealm(realmUrl, opened.idAttribute, context, use, (answer) => {
        if (answer.status !== 200) throw unanswered(answer)
      }),
    bring: (orders, context) => oneByOne(orders, (order) => obey(order, opened, context)),
    // Keycloak has no limits; what stands before it may have, and says so.
    limitOf: (answer) => retryAfter(answer, [429, 503]),
  }
}

function idAttributeOf(text: string): string {
  if (/^[A-Za-z][\w.-]{0,99}$/.test(text) && !ROOT_ATTRIBUTES.has(text)) return text
  throw new TargetError('ID_ATTRIBUTE: expected the name of an attribute that is no field of every user')
}

async function authorize(
  url: string,
  client: { readonly id: string; readonly secret: string },
  call: Call,
): Promise<Authorization> {
  const answer = await call({
    method: 'POST',
    url,
    headers: TOKEN_FORM,
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: client.id,
      client_secret: client.secret,
    }).toString(),
  })
  return authorizationIn(answer, ({ status }) => String(status))
}

function obey(order: Order, opened: Opened, context: Context): Promise<Result> {
  switch (order.action) {
    case 'create':
      return create(order, opened, context)
    case 'update':
      return update(order, opened, context)
    case 'deactivate':
    case 'delete':
      return remove(order, opened, context)
  }
}

const userShape = z.object({
  id: keyShape,
  username: z.string(),
  email: z.string().optional(),
  firstName: z.string().optional(),
  lastName: z.string().optional(),
  emailVerified: z.boolean().default(false),
  enabled: z.boolean().default(false),
  attributes: z.record(z.string(), z.array(z.string())).default({}),
})

type KeycloakUser = z.infer<typeof userShape>

/** What we send. A member that is not in it is left as it is, but beside `attributes` it would be emptied. */
interface Representation {
  readonly username: string
  readonly email?: string
  readonly firstName?: string
  readonly lastName?: string
  readonly emailVerified: boolean
  readonly enabled: boolean
  readonly attributes: Readonly<Record<string, readonly string[]>>
}

async function create(order: Order, opened: Opened, context: Context): Promise<Result> {
  const { user } = order
  const credentials = credentialsOf(user)
  if (credentials === 'unreadable') return refused('hash-refused')
  // The plug-in is asked for those whom Keycloak does not have: a user without a password would never reach it.
  if (user.credential.kind === 'hook') return refused('wrong-state')
  const group = user.tag === null ? null : await opened.groupFor(user.tag, context)
  const answer = await send('POST', `${opened.realmUrl}/users`, context, {
    ...newUser(user, opened.idAttribute),
    ...(group !== null && { groups: [group] }),
    ...(credentials !== null && { credentials }),
  })
  if (answer.status === 201) return { kind: 'created', targetId: idIn(answer) }
  if (answer.status === 404) throw new RunHalt('not-found', '404')
  if (answer.status === 403) throw new RunHalt('unauthorized', '403')
  if (answer.status !== 409) return failureOf(answer)
  const found = await findOurs(user, opened, context)
  if (found.kind !== 'ours') return found.kind === 'failed' ? found.result : taken(answer)
  // A try that was heard made the user whole: Keycloak does it in one transaction.
  if (order.attempts > 0) return { kind: 'created', targetId: found.user.id }
  return meet(found.user, user, opened, context)
}

/**
 * The user is there since an earlier run, or since a first sign-in by way of the plug-in: the profile is made as planned. The password
 * is not, because by now it may be a newer one.
 */
async function meet(there: KeycloakUser, user: Candidate, opened: Opened, context: Context): Promise<Result> {
  const planned = changedUser(there, user, opened.idAttribute)
  const same = Object.entries(planned).every(([name, value]) => sameJson(value, Reflect.get(there, name)))
  if (same) return { kind: 'unchanged', targetId: there.id }
  const answer = await send('PUT', userUrl(opened, there.id), context, planned)
  return answer.status === 204 ? { kind: 'updated', targetId: there.id } : failureOf(answer)
}

async function update(order: Order, opened: Opened, context: Context): Promise<Result> {
  const { user } = order
  const credentials = credentialsOf(user)
  if (credentials === 'unreadable') return refused('hash-refused')
  if (user.credential.kind === 'hook') return refused('wrong-state')
  const found = await findTarget(order, opened, context)
  if (found.kind !== 'ours') return found.result
  const there = found.user
  const answer = await send('PUT', userUrl(opened, there.id), context, {
    ...changedUser(there, user, opened.idAttribute),
    ...(credentials !== null && { credentials }),
  })
  if (answer.status !== 204) return failureOf(answer)
  if (user.credential.kind === 'reset') {
    const failure = await dropPasswords(there.id, opened, context)
    if (failure !== null) return failure
  }
  return { kind: 'updated', targetId: there.id }
}

const credentialsShape = z.array(z.object({ id: keyShape, type: z.string() }))

/** So that nothing signs in until the user has reset the password. */
async function dropPasswords(id: string, opened: Opened, context: Context): Promise<Result | null> {
  const url = `${userUrl(opened, id)}/credentials`
  const answer = await send('GET', url, context)
  if (answer.status !== 200) return failureOf(answer)
  for (const credential of expected(answer, credentialsShape)) {
    if (credential.type !== 'password') continue
    const dropped = await send('DELETE', `${url}/${encodeURIComponent(credential.id)}`, context)
    if (dropped.status !== 204 && dropped.status !== 404) return failureOf(dropped)
  }
  return null
}

async function remove(order: Order, opened: Opened, context: Context): Promise<Result> {
  const found = await findTarget(order, opened, context)
  // An earlier try of ours may have removed the user.
  const gone: Result = { kind: 'removed', targetId: order.targetId }
  if (found.kind === 'nobody') return order.attempts > 0 && order.action === 'delete' ? gone : found.result
  if (found.kind === 'failed') return found.result
  const url = userUrl(opened, found.user.id)
  const answer =
    order.action === 'delete'
      ? await send('DELETE', url, context)
      : await send('PUT', url, context, { enabled: false })
  if (answer.status === 204) return { kind: 'removed', targetId: found.user.id }
  return order.action === 'delete' && isMissing(answer) ? gone : failureOf(answer)
}

type Found =
  | { readonly kind: 'ours'; readonly user: KeycloakUser }
  | { readonly kind: 'nobody'; readonly result: Result }
  | { readonly kind: 'failed'; readonly result: Result }

/** By the key that an earlier run has learned, or by name. */
async function findTarget(order: Order, opened: Opened, context: Context): Promise<Found> {
  if (order.targetId === null) return findOurs(order.user, opened, context)
  const answer = await send('GET', userUrl(opened, order.targetId), context)
  if (answer.status === 200) return { kind: 'ours', user: expected(answer, userShape) }
  const result = failureOf(answer)
  return isMissing(answer) ? { kind: 'nobody', result } : { kind: 'failed', result }
}

/** By username, and by e-mail address in realms that take it for the username. Others of that name are nobody to us. */
async function findOurs(user: Candidate, opened: Opened, context: Context): Promise<Found> {
  const { username, email } = newUser(user, opened.idAttribute)
  for (const [name, value] of [
    ['username', username],
    ['email', email],
  ] as const) {
    if (value === undefined) continue
    const query = new URLSearchParams({ [name]: value, exact: 'true', max: '2' })
    const answer = await send('GET', `${opened.realmUrl}/users?${query}`, context)
    if (answer.status !== 200) return { kind: 'failed', result: failureOf(answer) }
    const ours = expected(answer, z.array(userShape)).find(
      // Made by the plug-in, a user has the old key for a key if it is a UUID.
      ({ id, attributes }) => attributes[opened.idAttribute]?.includes(user.id) || id === user.id,
    )
    if (ours !== undefined) return { kind: 'ours', user: ours }
  }
  return { kind: 'nobody', result: refused('not-there') }
}

function newUser(user: Candidate, idAttribute: string): Representation {
  const { username, email, firstName, lastName, emailVerified, [ID_NAME]: _, ...others } = user.attributes
  const address = textOf(email) ?? user.email ?? undefined
  const first = textOf(firstName)
  const last = textOf(lastName)
  return {
    // Keycloak lower-cases it anyhow; sent as it will be, it is found again.
    username: (textOf(username) ?? user.login).toLowerCase(),
    ...(address !== undefined && { email: address.toLowerCase() }),
    ...(first !== undefined && { firstName: first }),
    ...(last !== undefined && { lastName: last }),
    emailVerified: isTrue(emailVerified),
    enabled: user.active,
    attributes: { ...listsOf(others), [idAttribute]: [user.id] },
  }
}

/** The whole user as it is to be: `PUT` empties what is not sent. What others have put there stays. */
function changedUser(there: KeycloakUser, user: Candidate, idAttribute: string): Representation {
  const { email: address, firstName: first, lastName: last, ...rest } = newUser(user, idAttribute)
  const email = address ?? there.email
  const firstName = 'firstName' in user.attributes ? first : there.firstName
  const lastName = 'lastName' in user.attributes ? last : there.lastName
  const told = 'emailVerified' in user.attributes || email !== there.email
  const attributes = Object.entries({ ...there.attributes, ...rest.attributes })
  return {
    ...rest,
    ...(email !== undefined && { email }),
    ...(firstName !== undefined && { firstName }),
    ...(lastName !== undefined && { lastName }),
    emailVerified: told ? rest.emailVerified : there.emailVerified,
    attributes: Object.fromEntries(attributes.filter(([, values]) => values.length > 0)),
  }
}

/** Keycloak's attributes are lists of texts; it drops objects without a word, so they go as their JSON. */
function listsOf(attributes: Readonly<Record<string, unknown>>): Record<string, readonly string[]> {
  const lists = Object.entries(attributes).map(([name, value]) => {
    const values = Array.isArray(value) ? value : [value]
    return [name, values.flatMap(asText)] as const
  })
  return Object.fromEntries(lists)
}

function asText(value: unknown): string[] {
  if (value === null || value === undefined || value === '') return []
  return [typeof value === 'object' ? JSON.stringify(value) : String(value)]
}

function credentialsOf({ credential }: Candidate): readonly PasswordCredential[] | 'unreadable' | null {
  switch (credential.kind) {
    case 'hash': {
      const written = keycloakCredential(credential.hash)
      return written === null ? 'unreadable' : [written]
    }
    case 'hook':
    case 'reset':
    case 'keep':
      return null
  }
}

/** A group of the top level for each tag; whoever manages users may make one. A user with a group that is missing is answered 500. */
function groups(realmUrl: string): Opened['groupFor'] {
  const made = new Map<string, Promise<string>>()
  const make = async (name: string, context: Context) => {
    const answer = await send('POST', `${realmUrl}/groups`, context, { name })
    if (answer.status === 201 || answer.status === 409) return `/${name}`
    throw unanswered(answer)
  }
  return (tag, context) => {
    // A slash would be a group in a group.
    const name = tag.replaceAll('/', '-')
    const group = made.get(name) ?? make(name, context)
    made.set(name, group)
    return group.catch((error: unknown) => {
      made.delete(name)
      throw error
    })
  }
}

function send(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  url: string,
  context: Context,
  body?: object,
): Promise<OutboundAnswer> {
  return context
    .call({
      method,
      url,
      ...(body !== undefined && {
        headers: JSON_BODY,
        body: JSON.stringify(body),
      }),
    })
    .then((answer) => {
      if (answer.status === 401) throw new ExpiredError()
      return answer
    })
}

function userUrl({ realmUrl }: Opened, id: string): string {
  return `${realmUrl}/users/${encodeURIComponent(id)}`
}

/** The answer to a new user has no body: the id is what its address ends in. */
function idIn({ headers }: OutboundAnswer): string {
  const [, id] = /\/users\/([\w-]{1,255})$/.exec(headers.location ?? '') ?? []
  if (id === undefined) throw new CallFailure('malformed')
  return id
}

/** An answer without which nothing goes on. */
function unanswered({ status }: OutboundAnswer): Error {
  if (status === 401) return new ExpiredError()
  if (status === 403) return new RunHalt('unauthorized', '403')
  if (status === 404) return new RunHalt('not-found', '404')
  return status === 429 || status >= 500
    ? new CallFailure('unreachable')
    : new RunHalt('misconfigured', String(status))
}

const complaintShape = z.object({ field: z.string().optional(), errorMessage: z.string() })

const problemShape = z.object({
  error: z.string().optional(),
  error_description: z.string().optional(),
  field: z.string().optional(),
  errorMessage: z.string().optional(),
  errors: z.array(complaintShape).optional(),
})

type Problem = z.infer<typeof problemShape>

function problemOf(answer: OutboundAnswer): Problem {
  const read = problemShape.safeParse(jsonOf(answer))
  return read.success ? read.data : {}
}

/** A user is missing, not the realm. */
function isMissing(answer: OutboundAnswer): boolean {
  return answer.status === 404 && problemOf(answer).error === 'User not found'
}

function failureOf(answer: OutboundAnswer): Result {
  const { status } = answer
  if (status === 429 || status >= 500) return { kind: 'postponed', reason: 'busy' }
  if (status === 404 && !isMissing(answer)) throw new RunHalt('not-found', '404')
  const problem = problemOf(answer)
  const complaints =
    problem.errors ??
    (problem.errorMessage === undefined ? [] : [{ ...problem, errorMessage: problem.errorMessage }])
  const [first] = complaints
  // Without `params`, which hold the values.
  const text = complaints.map(({ field, errorMessage }) =>
    field === undefined ? errorMessage : `${field}: ${errorMessage}`,
  )
  return {
    kind: 'refused',
    reason: reasonFor(status, problem, first?.errorMessage),
    targetCode:
      first !== undefined && /^error-[a-z-]{1,80}$/.test(first.errorMessage)
        ? first.errorMessage
        : String(status),
    targetText: text.length > 0 ? text.join('; ') : (problem.error ?? null),
  }
}

function reasonFor(status: number, { error }: Problem, complaint: string | undefined): ReasonCode {
  if (status === 403) return 'forbidden'
  if (status === 404) return 'not-there'
  if (status === 409) return 'taken'
  if (status === 413) return 'too-large'
  if (status !== 400) return 'rejected'
  if (complaint === 'error-user-attribute-required' || complaint === 'User name is missing')
    return 'missing-attribute'
  if (complaint?.startsWith('error-')) return 'invalid-attribute'
  return error?.includes('Unrecognized field') ? 'unknown-attribute' : 'rejected'
}

function taken(answer: OutboundAnswer): Result {
  return refused('taken', '409', problemOf(answer).errorMessage ?? null)
}
