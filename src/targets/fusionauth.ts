import { z } from 'zod'
import { isUuid, LEGACY_NAMESPACE, uuidOf } from '../legacy-uuid.ts'
import { CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import { fusionauthPassword } from './fusionauth-hash.ts'
import { expected, isRecord, jsonOf, retryAfter } from './read-answer.ts'
import { isTrue, oneByOne, refused, textOf } from './results.ts'
import { addressOf, countOf, wanted } from './settings.ts'
import {
  type Brought,
  type Candidate,
  type Context,
  type Finding,
  type Order,
  type ReasonCode,
  type Refused,
  type Result,
  RunHalt,
  type Target,
  TargetError,
  type TargetKind,
  type TargetSettings,
  type TargetUse,
} from './target.ts'

/** Users in an import. FusionAuth calls 100,000 reasonable, but one bad user among them spoils the others. */
const BATCH = 1_000
const LARGEST_BATCH = 10_000

const settings = {
  URL: { purpose: 'Address of FusionAuth, as `https://auth.example.com`.', required: true },
  API_KEY: {
    purpose:
      'An API key with POST /api/user/import and /api/user/search, and PUT, PATCH and DELETE /api/user; for the looks beforehand GET /api/tenant, /api/application and /api/connector.',
    secret: true,
    required: true,
  },
  TENANT_ID: { purpose: 'The tenant that users are brought to, as a UUID. Needed where there are several.' },
  APPLICATION_ID: { purpose: 'The application that new users are registered for, as a UUID.' },
  ID_NAMESPACE: {
    purpose:
      "The UUID in which users' ids are made where the legacy id is no UUID itself: that of FUSIONAUTH_ID_NAMESPACE.",
    default: LEGACY_NAMESPACE,
  },
  BATCH: { purpose: 'Users in one import, from 1 to 10000.', default: String(BATCH) },
} as const satisfies TargetKind['settings']

/** Members of FusionAuth's user that are not `data`. */
const USER_FIELDS: ReadonlySet<string> = new Set([
  ...['firstName', 'middleName', 'lastName', 'fullName', 'birthDate', 'mobilePhone', 'phoneNumber'],
  ...['imageUrl', 'timezone', 'preferredLanguages'],
])

/**
 * FusionAuth: its import, one request at a time. It names nobody when it fails, so that a batch is tried in halves.
 * https://fusionauth.io/docs/apis/users/import
 */
export const fusionauth: TargetKind = {
  name: 'fusionauth',
  title: 'FusionAuth',
  settings,
  traits: {
    hook: true,
    hookWants: 'absent',
    reads: (hash) => fusionauthPassword(hash) !== null,
    // Up to 1.68 an update takes the text of a hash for a password that is to be hashed: the hash itself would sign in.
    replacesHash: false,
    updates: true,
    removes: ['deactivate', 'delete'],
    standard: {
      // Kept in `data`: the id that FusionAuth has is made of it.
      id: 'legacyId',
      login: 'username',
      email: 'email',
      'profile.email_verified': 'verified',
      'profile.given_name': 'firstName',
      'profile.middle_name': 'middleName',
      'profile.family_name': 'lastName',
      'profile.name': 'fullName',
      'profile.birthdate': 'birthDate',
      'profile.phone_number': 'mobilePhone',
      'profile.picture': 'imageUrl',
      'profile.locale': 'preferredLanguages',
      'profile.zoneinfo': 'timezone',
    },
    attributes: [
      { name: 'username', most: 191, unique: true },
      { name: 'email', most: 191, format: 'email', unique: true },
      { name: 'verified', format: 'boolean' },
      { name: 'firstName', most: 255 },
      { name: 'middleName', most: 255 },
      { name: 'lastName', most: 255 },
      { name: 'fullName', most: 255 },
      { name: 'mobilePhone', most: 255 },
      { name: 'birthDate', format: 'date' },
      { name: 'imageUrl', format: 'uri' },
      { name: 'preferredLanguages', format: 'locale' },
      { name: 'timezone', format: 'zoneinfo' },
    ],
    others: 'taken',
    sameness: ['trim', 'case'],
    batch: BATCH,
    callsPerBatch: 1,
    needs,
  },
  open,
}

function needs({ hook, hash }: TargetUse): readonly string[] {
  return [
    'Nobody else imports users meanwhile: FusionAuth takes one import at a time.',
    'Webhooks for user.bulk.create are off, or ready for the whole lot.',
    'The search index is made anew afterwards: imported users are not in it.',
    ...(hash
      ? ['The tenant rehashes passwords at the sign-in, if they are to be stronger than they were.']
      : []),
    ...(hook
      ? [
          'A Generic Connector points at this service, before the default one. It is asked for users whom FusionAuth does not have, so that those are not brought.',
        ]
      : []),
    'For users who are to reset their password: FusionAuth 1.59 or later, which takes users without one.',
  ]
}

interface Opened {
  readonly base: string
  readonly tenant: string | undefined
  readonly application: string | undefined
  idOf(user: Candidate): string
}

function open(given: TargetSettings): Target {
  const { base, host } = addressOf(given.URL)
  const key = wanted(given, 'API_KEY')
  const namespace = given.ID_NAMESPACE ?? settings.ID_NAMESPACE.default
  if (!isUuid(namespace)) throw new TargetError('ID_NAMESPACE: expected a UUID')
  const tenant = uuidIn(given, 'TENANT_ID')
  const batch = countOf('BATCH', given.BATCH ?? settings.BATCH.default, 1, LARGEST_BATCH)
  const opened: Opened = {
    base,
    tenant,
    application: uuidIn(given, 'APPLICATION_ID'),
    idOf: ({ id }) => uuidOf(id, namespace).toLowerCase(),
  }
  const headers = {
    authorization: key,
    ...(tenant !== undefined && { 'x-fusionauth-tenantid': tenant }),
  }
  return {
    hosts: [host],
    authorize: async () => ({ headers }),
    inFlight: 1,
    processes: 1,
    batch,
    examine: (context, use) => examine(opened, context, use),
    bring: (orders, context) => bring(orders, opened, context),
    limitOf: (answer) => retryAfter(answer, [429, 503]),
  }
}

function uuidIn(given: TargetSettings, name: 'TENANT_ID' | 'APPLICATION_ID'): string | undefined {
  const text = given[name]
  if (text === undefined || text === '') return undefined
  if (!isUuid(text)) throw new TargetError(`${name}: expected a UUID`)
  return text
}

async function bring(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const [first] = orders
  if (first === undefined) return { kind: 'each', results: [] }
  if (first.action === 'create') return create(orders, opened, context)
  return oneByOne(orders, (order) => change(order, opened, context))
}

/** Those who may be there from an earlier try are looked for first: the import does not know them again, it fails. */
async function create(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const results = new Map<Order, Result>()
  const tried = orders.filter(({ attempts }) => attempts > 0)
  const there = tried.length === 0 ? new Set<string>() : await presentOf(tried, opened, context)
  const lines: { readonly order: Order; readonly user: object }[] = []
  for (const order of orders) {
    const id = opened.idOf(order.user)
    const user = newUser(order.user, opened)
    if (there.has(id)) results.set(order, { kind: 'created', targetId: id })
    else if (typeof user === 'string') results.set(order, refused(user))
    else lines.push({ order, user })
  }
  if (lines.length > 0) {
    const answer = await send('POST', '/api/user/import', opened, context, {
      users: lines.map(({ user }) => user),
      // Without it a user who is there already is a 500, and no different from an outage.
      validateDbConstraints: true,
    })
    if (answer.status !== 200) {
      const failure = failureOf(answer)
      if (failure.kind !== 'refused') return eachOf(orders, () => failure)
      if (orders.length > 1) return { kind: 'whole', refused: failure }
      return eachOf(orders, await alone(lines, failure, opened, context))
    }
    // FusionAuth says nothing more; a page of whatever stands in front of it would be no success.
    if (answer.text.trim() !== '' && !isRecord(jsonOf(answer))) throw new CallFailure('malformed')
    for (const { order } of lines) results.set(order, { kind: 'created', targetId: opened.idOf(order.user) })
  }
  return eachOf(orders, (order) => results.get(order) ?? refused('rejected'))
}

function eachOf(orders: readonly Order[], resultFor: (order: Order) => Result): Brought {
  return { kind: 'each', results: orders.map(resultFor) }
}

/** One user was refused. Somebody who is there under the same id is the same person, maybe by way of the connector. */
async function alone(
  lines: readonly { readonly order: Order }[],
  failure: Refused,
  opened: Opened,
  context: Context,
): Promise<(order: Order) => Result> {
  if (failure.reason !== 'taken') return () => failure
  const there = await presentOf(
    lines.map(({ order }) => order),
    opened,
    context,
  )
  return ({ user }) => {
    const id = opened.idOf(user)
    return there.has(id) ? { kind: 'unchanged', targetId: id } : failure
  }
}

const searchShape = z.object({ users: z.array(z.object({ id: z.string() })).default([]) })

/** By id, which reads the database and not the index, in pages of its own. */
async function presentOf(
  orders: readonly Order[],
  opened: Opened,
  context: Context,
): Promise<ReadonlySet<string>> {
  const ids = orders.map(({ user }) => opened.idOf(user))
  const answer = await send('POST', '/api/user/search', opened, context, { search: { ids } })
  // Nobody of them is there.
  if (answer.status === 404) return new Set()
  if (answer.status !== 200) throw unanswered(answer)
  return new Set(expected(answer, searchShape).users.map(({ id }) => id.toLowerCase()))
}

const changedShape = z.object({ user: z.object({ active: z.boolean() }) })

async function change(order: Order, opened: Opened, context: Context): Promise<Result> {
  const id = order.targetId ?? opened.idOf(order.user)
  const path = `/api/user/${encodeURIComponent(id)}`
  switch (order.action) {
    case 'create':
    case 'update': {
      const { credential } = order.user
      if (credential.kind === 'hash') return refused('hash-refused')
      if (credential.kind !== 'keep') return refused('wrong-state')
      const answer = await send('PATCH', path, opened, context, { user: changedUser(order.user) })
      if (answer.status !== 200) return failureOf(answer)
      const { active } = expected(answer, changedShape).user
      const failure = active === order.user.active ? null : await activity(order, path, opened, context)
      return failure ?? { kind: 'updated', targetId: id }
    }
    case 'deactivate':
    case 'delete': {
      const how = order.action === 'delete' ? '?hardDelete=true' : ''
      const answer = await send('DELETE', path + how, opened, context)
      const gone = answer.status === 404 && order.attempts > 0 && order.action === 'delete'
      return answer.status === 200 || gone ? { kind: 'removed', targetId: id } : failureOf(answer)
    }
  }
}

/** `active` is no field of an update: FusionAuth has calls of their own for both ways. */
async function activity(
  { user }: Order,
  path: string,
  opened: Opened,
  context: Context,
): Promise<Result | null> {
  const answer = user.active
    ? await send('PUT', `${path}?reactivate=true`, opened, context)
    : await send('DELETE', path, opened, context)
  return answer.status === 200 ? null : failureOf(answer)
}

/** A user of the import, or why there is none. */
function newUser(user: Candidate, opened: Opened): object | ReasonCode {
  const password = passwordOf(user)
  if (typeof password === 'string') return password
  const { application } = opened
  return {
    id: opened.idOf(user),
    ...fieldsOf(user),
    ...password,
    // Who is not named active is not.
    active: user.active,
    verified: isTrue(user.attributes.verified),
    ...(application !== undefined && { registrations: [{ applicationId: application }] }),
  }
}

function passwordOf({ credential }: Candidate): object | ReasonCode {
  switch (credential.kind) {
    case 'hash':
      return fusionauthPassword(credential.hash) ?? 'hash-refused'
    case 'hook':
      // The connector is asked for those whom FusionAuth does not have.
      return 'wrong-state'
    case 'reset':
    case 'keep':
      return {}
  }
}

function changedUser(user: Candidate): object {
  const { verified } = user.attributes
  return { ...fieldsOf(user), ...(verified !== undefined && { verified: isTrue(verified) }) }
}

function fieldsOf({ login, email, attributes }: Candidate): object {
  const { username, email: mapped, verified: _, ...others } = attributes
  const fields: Record<string, unknown> = {}
  const data: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(others)) {
    if (value === undefined || value === '') continue
    const known = USER_FIELDS.has(name)
    const into = known ? fields : data
    into[name] = name === 'preferredLanguages' ? languagesOf(value) : value
  }
  const names = namesOf(textOf(username) ?? login, textOf(mapped) ?? email)
  return { ...fields, ...names, ...(Object.keys(data).length > 0 && { data }) }
}

/** As the connector's answers have it: a login that is the address is not a second name. */
function namesOf(login: string, email: string | null): object {
  if (email === null) return { username: login }
  return email.toLowerCase() === login.toLowerCase() ? { email } : { username: login, email }
}

/** `pt-BR` is `pt_BR` in Java. */
function languagesOf(value: unknown): unknown {
  const languages = Array.isArray(value) ? value : [value]
  return languages.map((language) => (typeof language === 'string' ? language.replace('-', '_') : language))
}

async function send(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  { base }: Opened,
  context: Context,
  body?: object,
): Promise<OutboundAnswer> {
  // A merge by RFC 7396, since 1.39; with plain JSON FusionAuth appends to some lists and replaces others.
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const answer = await context.call({
    method,
    url: base + path,
    ...(body !== undefined && { headers: { 'content-type': type }, body: JSON.stringify(body) }),
  })
  if (answer.status === 401) throw new RunHalt('unauthorized', '401')
  return answer
}

function unanswered({ status }: OutboundAnswer): Error {
  return status === 429 || status >= 500
    ? new CallFailure('unreachable')
    : new RunHalt('misconfigured', String(status))
}

/** There are several tenants, and nothing says which one is meant. */
const TENANT_REQUIRED = '[TenantIdRequired]'

interface Complaint {
  readonly field: string | null
  readonly code: string
  readonly message: string | null
}

/** `{"fieldErrors":{"user.email":[{code,message}]},"generalErrors":[{code,message}]}` */
function complaintsOf(answer: OutboundAnswer): readonly Complaint[] {
  const body = jsonOf(answer)
  if (!isRecord(body)) return []
  const byField = isRecord(body.fieldErrors) ? Object.entries(body.fieldErrors) : []
  const general: [string | null, unknown][] = [[null, body.generalErrors]]
  return [...byField, ...general].flatMap(([field, errors]) =>
    (Array.isArray(errors) ? errors : []).flatMap((error: unknown) => {
      if (!isRecord(error) || typeof error.code !== 'string') return []
      return [{ field, code: error.code, message: textOf(error.message) ?? null }]
    }),
  )
}

function failureOf(answer: OutboundAnswer): Refused | Extract<Result, { kind: 'postponed' }> {
  const { status } = answer
  if (status === 429 || status >= 500) return { kind: 'postponed', reason: 'busy' }
  const [first] = complaintsOf(answer)
  if (first?.code === TENANT_REQUIRED) throw new RunHalt('misconfigured', TENANT_REQUIRED)
  return {
    kind: 'refused',
    reason: reasonFor(status, first),
    // `[duplicate]user.email`
    targetCode:
      first !== undefined && /^\[\w{1,40}\][\w.[\]-]{0,80}$/.test(first.code) ? first.code : String(status),
    targetText: first?.message ?? null,
  }
}

/** What a code says that begins with it. */
const REASONS: ReadonlyMap<string, ReasonCode> = new Map([
  ['duplicate', 'taken'],
  ['blank', 'missing-attribute'],
  ['missing', 'missing-attribute'],
])

const PASSWORD_FIELDS = /\b(password|salt|factor|encryptionScheme)$/

function reasonFor(status: number, complaint: Complaint | undefined): ReasonCode {
  if (status === 404) return 'not-there'
  if (status === 413) return 'too-large'
  if (status !== 400 || complaint === undefined) return 'rejected'
  if (complaint.field === null) return 'rejected'
  if (PASSWORD_FIELDS.test(complaint.field)) return 'hash-refused'
  const word = /^\[(\w{1,40})\]/.exec(complaint.code)?.[1] ?? ''
  return REASONS.get(word) ?? 'invalid-attribute'
}

const tenantShape = z.object({
  tenant: z.object({ emailConfiguration: z.object({ verifyEmail: z.boolean().optional() }).optional() }),
})

const connectorsShape = z.object({
  connectors: z.array(z.object({ type: z.string() })).default([]),
})

async function examine(opened: Opened, context: Context, use: TargetUse): Promise<readonly Finding[]> {
  // An id that nobody has: whether the key is good, and whether the tenant is clear.
  const search = { search: { ids: [LEGACY_NAMESPACE] } }
  const probe = await send('POST', '/api/user/search', opened, context, search)
  if (probe.status === 400 && complaintsOf(probe)[0]?.code === TENANT_REQUIRED) {
    const text = 'There are several tenants, and TENANT_ID is not set.'
    return [{ severity: 'error', code: 'tenant-unclear', text }]
  }
  if (probe.status !== 200 && probe.status !== 404) throw unanswered(probe)
  return [
    ...(await ofTenant(opened, context)),
    ...(await ofApplication(opened, context)),
    ...(use.hook ? await ofConnectors(opened, context) : []),
  ]
}

/** A key may do what it was made for: what it may not see is told, and is no reason to stop. */
async function look(path: string, opened: Opened, context: Context): Promise<OutboundAnswer> {
  const answer = await context.call({ method: 'GET', url: opened.base + path })
  if (answer.status === 200 || answer.status === 404 || answer.status === 401) return answer
  throw unanswered(answer)
}

async function ofTenant(opened: Opened, context: Context): Promise<Finding[]> {
  if (opened.tenant === undefined) return []
  const answer = await look(`/api/tenant/${opened.tenant}`, opened, context)
  if (answer.status === 404)
    return [
      {
        severity: 'error',
        code: 'tenant-missing',
        text: 'FusionAuth has no tenant with the id of TENANT_ID.',
      },
    ]
  if (answer.status === 401) return [unseen('tenant-not-seen', 'the tenant')]
  const verifies = expected(answer, tenantShape).tenant.emailConfiguration?.verifyEmail === true
  const text =
    'The tenant verifies e-mail addresses: users who come without verified are asked to prove theirs.'
  return verifies ? [{ severity: 'warning', code: 'verify-email', text }] : []
}

async function ofApplication(opened: Opened, context: Context): Promise<Finding[]> {
  if (opened.application === undefined) return []
  const answer = await look(`/api/application/${opened.application}`, opened, context)
  if (answer.status === 401) return [unseen('application-not-seen', 'the application')]
  const text = 'FusionAuth has no application with the id of APPLICATION_ID.'
  return answer.status === 404 ? [{ severity: 'error', code: 'application-missing', text }] : []
}

async function ofConnectors(opened: Opened, context: Context): Promise<Finding[]> {
  const answer = await look('/api/connector', opened, context)
  if (answer.status === 401) return [unseen('hook-not-seen', 'the connectors')]
  const connectors = answer.status === 404 ? [] : expected(answer, connectorsShape).connectors
  const text = 'FusionAuth has no Generic Connector: nobody asks the hook.'
  return connectors.some(({ type }) => type === 'Generic')
    ? []
    : [{ severity: 'error', code: 'hook-inactive', text }]
}

function unseen(code: string, what: string): Finding {
  return { severity: 'warning', code, text: `The API key may not read ${what}, which was not looked at.` }
}
