import { createHash } from 'node:crypto'
import { z } from 'zod'
import { CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import { kratosHash } from './ory-notation.ts'
import {
  clockOf,
  expected,
  isRecord,
  JSON_BODY,
  jsonOf,
  keyShape,
  numberIn,
  sameJson,
} from './read-answer.ts'
import { isTrue, oneByOne, refused } from './results.ts'
import { addressOf, countOf, isOn } from './settings.ts'
import {
  type Brought,
  type Candidate,
  type Context,
  type Finding,
  type LimitNotice,
  type Order,
  type ReasonCode,
  type Refused,
  type Result,
  RunHalt,
  type Target,
  type TargetKind,
  type TargetSettings,
  type TargetUse,
} from './target.ts'

/** Ory's own limit; of identities with a plaintext password, of which we send none, 200. */
const MOST_IN_A_BATCH = 1_000

/** A batch of this size is answered well within a minute, also by a Kratos on a small machine. */
const USUAL_BATCH = 200

/** Batches at the same time, of a Kratos of one's own. Each is a transaction of seconds. */
const MOST_IN_FLIGHT = 16

/** Attributes that are not traits: the old id, and what makes an address a verified one. */
const ID_NAME = 'external_id'
const EMAIL_VERIFIED = 'email_verified'
const PHONE_VERIFIED = 'phone_number_verified'

/** The member of `metadata_admin` that holds the old id where there is no `external_id`. */
const LEGACY_ID = 'legacy_id'

/** Without a word about how long: a second. */
const WAIT_MS = 1_000

const settings = {
  URL: {
    purpose:
      'Address of the admin API: `https://<slug>.projects.oryapis.com` of Ory Network, or that of a Kratos of your own.',
    required: true,
  },
  TOKEN: {
    purpose:
      'API key of Ory Network. A Kratos of your own has none, unless a proxy before its admin API asks for one.',
    secret: true,
  },
  SCHEMA_ID: { purpose: 'The identity schema of new identities.', default: 'default' },
  BATCH: { purpose: 'Identities in a request, 1 to 1000.', default: String(USUAL_BATCH) },
  EXTERNAL_ID: {
    purpose:
      '`on`: the key of the old system is the `external_id` of the identity. `off`: it is `legacy_id` in `metadata_admin`, for a Kratos that does not have that field yet, such as 1.3.',
    default: 'on',
  },
  IN_FLIGHT: {
    purpose:
      'Batches at the same time. Ory Network answers 429 to a second one, so with 1 only one process calls; a Kratos of your own takes more, 16 at most.',
    default: '1',
  },
} as const satisfies TargetKind['settings']

/**
 * Ory Kratos and Ory Network: `PATCH /admin/identities` with hashes in Kratos's own notations, or the mark that the password
 * migration hook is to be asked. github.com/ory/kratos: identity/handler.go
 */
export const ory: TargetKind = {
  name: 'ory',
  title: 'Ory',
  settings,
  traits: {
    hook: true,
    reads: (hash) => kratosHash(hash) !== null,
    replacesHash: true,
    updates: true,
    removes: ['deactivate', 'delete'],
    // Traits are the operator's own. These are the names of Ory's own schemas.
    standard: {
      id: ID_NAME,
      email: 'email',
      'profile.email_verified': EMAIL_VERIFIED,
      'profile.phone_number_verified': PHONE_VERIFIED,
      'profile.given_name': 'name.first',
      'profile.family_name': 'name.last',
    },
    attributes: [
      { name: 'email', format: 'email', unique: true },
      { name: 'username', unique: true },
      { name: ID_NAME },
      { name: EMAIL_VERIFIED, format: 'boolean' },
      { name: PHONE_VERIFIED, format: 'boolean' },
    ],
    others: 'defined-beforehand',
    sameness: ['trim', 'nfkc', 'case'],
    batch: USUAL_BATCH,
    callsPerBatch: 1,
    needs,
  },
  open,
}

function needs({ hook, attributes }: TargetUse): readonly string[] {
  const traits = attributes.filter(isTrait)
  return [
    `The identity schema of SCHEMA_ID has the traits ${traits.join(', ')}, and one of them is an identifier for passwords.`,
    ...(hook ? ['The password migration hook is enabled and points at this service.'] : []),
    'No web hook or courier template acts on identities that are imported: none of the usual flows runs for them.',
  ]
}

interface Opened {
  /** With `/admin/identities` at its end. */
  readonly identities: string
  readonly base: string
  readonly schemaId: string
  readonly externalId: boolean
}

function open(given: TargetSettings): Target {
  const { base, host } = addressOf(given.URL)
  const opened: Opened = {
    base,
    identities: `${base}/admin/identities`,
    schemaId: given.SCHEMA_ID ?? settings.SCHEMA_ID.default,
    externalId: isOn('EXTERNAL_ID', given.EXTERNAL_ID ?? settings.EXTERNAL_ID.default),
  }
  const token = given.TOKEN ?? ''
  const inFlight = countOf('IN_FLIGHT', given.IN_FLIGHT ?? settings.IN_FLIGHT.default, 1, MOST_IN_FLIGHT)
  return {
    hosts: [host],
    batch: countOf('BATCH', given.BATCH ?? settings.BATCH.default, 1, MOST_IN_A_BATCH),
    authorize: async () => ({
      headers: { accept: 'application/json', ...(token !== '' && { authorization: `Bearer ${token}` }) },
    }),
    inFlight,
    ...(inFlight === 1 && { processes: 1 }),
    examine: (context, use) => examine(opened, context, use),
    bring: (orders, context) => bring(orders, opened, context),
    limitOf,
  }
}

async function bring(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const creations = orders.filter(({ action }) => action === 'create')
  if (creations.length === orders.length) return create(orders, opened, context)
  return oneByOne(orders, (order) => obey(order, opened, context))
}

async function obey(order: Order, opened: Opened, context: Context): Promise<Result> {
  switch (order.action) {
    case 'create': {
      const brought = await create([order], opened, context)
      return brought.kind === 'whole' ? brought.refused : (brought.results[0] ?? postponed())
    }
    case 'update':
      return update(order, opened, context)
    case 'deactivate':
    case 'delete':
      return remove(order, opened, context)
  }
}

const batchShape = z.object({
  identities: z.array(
    z.object({
      action: z.string(),
      patch_id: z.string().nullish(),
      identity: keyShape.nullish(),
      error: z
        .object({ code: z.number().optional(), reason: z.string().nullish(), message: z.string().nullish() })
        .nullish(),
    }),
  ),
})

type BatchItem = z.infer<typeof batchShape>['identities'][number]

async function create(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const sent = orders.filter(({ user }) => credentialsOf(user) !== 'unreadable')
  const answered = sent.length === 0 ? new Map<string, Result>() : await sendBatch(sent, opened, context)
  if (!(answered instanceof Map)) {
    if (orders.length > 1) return { kind: 'whole', refused: answered }
    return { kind: 'each', results: [answered] }
  }
  const results = orders.map(({ user }): Result => {
    if (credentialsOf(user) === 'unreadable') return refused('hash-refused')
    return answered.get(user.id) ?? postponed()
  })
  return { kind: 'each', results }
}

/** Results by the old id, or what Kratos has against the batch as a whole. */
async function sendBatch(
  orders: readonly Order[],
  opened: Opened,
  context: Context,
): Promise<Map<string, Result> | Refused> {
  const answer = await context.call({
    method: 'PATCH',
    url: opened.identities,
    headers: JSON_BODY,
    body: JSON.stringify({
      identities: orders.map(({ user }) => ({
        patch_id: patchId(user.id),
        create: creationOf(user, opened),
      })),
    }),
  })
  const items = itemsOf(answer)
  if (items === undefined) {
    const [only] = orders
    // With one identity it is clear which of them is there already.
    if (answer.status === 409 && only !== undefined && orders.length === 1)
      return new Map([[only.user.id, await meet(only, textOf(answer), opened, context)]])
    const result = answer.status === 404 || answer.status === 405 ? noSuchApi(answer) : failed(answer)
    if (result.kind === 'refused') return result
    return new Map(orders.map(({ user }) => [user.id, result]))
  }
  const byPatch = new Map(items.map((item) => [item.patch_id, item]))
  const results = new Map<string, Result>()
  for (const order of orders) {
    const item = byPatch.get(patchId(order.user.id))
    if (item !== undefined) results.set(order.user.id, await resultOf(item, order, opened, context))
  }
  return results
}

/** Also a refusal has items when Kratos could tell one from the other. Throws CallFailure for a success that cannot be read. */
function itemsOf(answer: OutboundAnswer): readonly BatchItem[] | undefined {
  if (answer.status === 200) return expected(answer, batchShape).identities
  if (answer.status !== 400 && answer.status !== 409) return undefined
  return batchShape.safeParse(jsonOf(answer)).data?.identities
}

async function resultOf(item: BatchItem, order: Order, opened: Opened, context: Context): Promise<Result> {
  if (item.action === 'create' && typeof item.identity === 'string')
    return { kind: 'created', targetId: item.identity }
  const code = item.error?.code
  const text = item.error?.reason ?? item.error?.message ?? null
  if (code === 409) return meet(order, text, opened, context)
  if (code === undefined || code >= 500 || code === 429) return postponed()
  return { kind: 'refused', reason: reasonFor(text ?? ''), targetCode: String(code), targetText: text }
}

/** Something of the identity is there already: ours from an earlier try or run, or somebody else's. */
async function meet(order: Order, text: string | null, opened: Opened, context: Context): Promise<Result> {
  const found = await find(order, opened, context)
  switch (found.kind) {
    case 'failed':
      return found.result
    case 'theirs':
    case 'nobody':
      return { kind: 'refused', reason: 'taken', targetCode: '409', targetText: text }
    case 'ours': {
      const result = await patch(found.identity, order.user, opened, context)
      if (result.kind === 'unchanged' && order.attempts > 0) return { ...result, kind: 'created' }
      return result
    }
  }
}

async function update(order: Order, opened: Opened, context: Context): Promise<Result> {
  const found = await find(order, opened, context)
  if (found.kind === 'failed') return found.result
  if (found.kind === 'nobody') return refused('not-there', '404')
  if (found.kind === 'theirs') return refused('taken')
  const credentials = credentialsOf(order.user)
  if (credentials === 'unreadable') return refused('hash-refused')
  if (credentials === null) return patch(found.identity, order.user, opened, context)
  const { identity } = found
  const answer = await context.call({
    method: 'PUT',
    url: identityUrl(opened, identity.id),
    headers: JSON_BODY,
    body: JSON.stringify(replacementOf(identity, order.user, credentials, opened)),
  })
  if (answer.status === 200) return { kind: 'updated', targetId: identity.id }
  return ofOneIdentity(answer)
}

/**
 * Everything of the identity that PUT would empty, with what is planned, because credentials can be replaced in no other way.
 * Addresses and other credentials are kept by Kratos itself.
 */
function replacementOf(identity: Identity, user: Candidate, credentials: Credentials, opened: Opened) {
  const { schema_id, metadata_public = null, metadata_admin = null, external_id } = identity
  return {
    schema_id,
    state: stateOf(user),
    traits: merged(identity.traits, traitsOf(user)),
    metadata_public,
    ...(opened.externalId
      ? { metadata_admin, external_id: user.id }
      : {
          metadata_admin: merged(metadata_admin ?? {}, { [LEGACY_ID]: user.id }),
          ...(typeof external_id === 'string' && external_id !== '' && { external_id }),
        }),
    credentials,
  }
}

/** Changes what is not as planned and nothing else. Credentials stay as they are. */
async function patch(identity: Identity, user: Candidate, opened: Opened, context: Context): Promise<Result> {
  const operations = changesOf(identity, user, opened)
  if (operations.length === 0) return { kind: 'unchanged', targetId: identity.id }
  const answer = await context.call({
    method: 'PATCH',
    url: identityUrl(opened, identity.id),
    headers: JSON_BODY,
    body: JSON.stringify(operations),
  })
  if (answer.status === 200) return { kind: 'updated', targetId: identity.id }
  return ofOneIdentity(answer)
}

interface Operation {
  readonly op: 'add' | 'replace' | 'remove'
  readonly path: string
  readonly value?: unknown
}

/** JSON Patch. `add` also replaces a member that is there. */
function changesOf(identity: Identity, user: Candidate, opened: Opened): readonly Operation[] {
  const after = merged(identity.traits, traitsOf(user))
  const names = new Set([...Object.keys(identity.traits), ...Object.keys(after)])
  const traits = [...names].flatMap((name): Operation[] => {
    const path = `/traits/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!Object.hasOwn(after, name)) return [{ op: 'remove', path }]
    return sameJson(identity.traits[name], after[name]) ? [] : [{ op: 'add', path, value: after[name] }]
  })
  const state: Operation[] =
    identity.state === stateOf(user) ? [] : [{ op: 'replace', path: '/state', value: stateOf(user) }]
  const id: Operation[] =
    opened.externalId && identity.external_id !== user.id
      ? [{ op: 'add', path: '/external_id', value: user.id }]
      : []
  return [...traits, ...state, ...id]
}

async function remove(order: Order, opened: Opened, context: Context): Promise<Result> {
  const found = await find(order, opened, context)
  if (found.kind === 'failed') return found.result
  if (found.kind === 'theirs') return refused('taken')
  // An earlier try of ours may have removed the identity.
  if (found.kind === 'nobody')
    return order.attempts > 0 ? { kind: 'removed', targetId: order.targetId } : refused('not-there', '404')
  const { id } = found.identity
  const gone: Result = { kind: 'removed', targetId: id }
  if (order.action === 'delete') {
    const answer = await context.call({ method: 'DELETE', url: identityUrl(opened, id) })
    return answer.status === 204 || answer.status === 200 || answer.status === 404
      ? gone
      : ofOneIdentity(answer)
  }
  if (found.identity.state === 'inactive') return gone
  const answer = await context.call({
    method: 'PATCH',
    url: identityUrl(opened, id),
    headers: JSON_BODY,
    body: JSON.stringify([{ op: 'replace', path: '/state', value: 'inactive' }]),
  })
  return answer.status === 200 ? gone : ofOneIdentity(answer)
}

const identityShape = z.object({
  id: keyShape,
  schema_id: z.string(),
  external_id: z.string().nullish(),
  state: z.string().optional(),
  traits: z.record(z.string(), z.unknown()),
  metadata_public: z.unknown().optional(),
  metadata_admin: z.record(z.string(), z.unknown()).nullish().catch(undefined),
})

type Identity = z.infer<typeof identityShape>

type Found =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'theirs' }
  | { readonly kind: 'ours'; readonly identity: Identity }
  | { readonly kind: 'failed'; readonly result: Result }

/** The identity by the key of an earlier run, by the old id, or by its names and then only one that is ours. */
async function find(order: Order, opened: Opened, context: Context): Promise<Found> {
  const { user, targetId } = order
  if (targetId !== null) {
    const known = await readOne(identityUrl(opened, targetId), context)
    if (known.kind !== 'nobody') return known
  }
  if (opened.externalId) {
    const byId = await readOne(`${opened.identities}/by/external/${encodeURIComponent(user.id)}`, context)
    if (byId.kind !== 'nobody') return byId
  }
  let found: Found = { kind: 'nobody' }
  for (const name of namesOf(user)) {
    const answer = await context.call({
      method: 'GET',
      url: `${opened.identities}?credentials_identifier=${encodeURIComponent(name)}`,
    })
    if (answer.status !== 200) return { kind: 'failed', result: failed(answer) }
    const identities = expected(answer, z.array(identityShape))
    const ours = identities.find((identity) => isOf(identity, user))
    if (ours !== undefined) return { kind: 'ours', identity: ours }
    if (identities.length > 0) found = { kind: 'theirs' }
  }
  return found
}

async function readOne(url: string, context: Context): Promise<Found> {
  const answer = await context.call({ method: 'GET', url })
  if (answer.status === 404) return { kind: 'nobody' }
  if (answer.status !== 200) return { kind: 'failed', result: failed(answer) }
  return { kind: 'ours', identity: expected(answer, identityShape) }
}

function isOf({ external_id, metadata_admin }: Identity, { id }: Candidate): boolean {
  return external_id === id || metadata_admin?.[LEGACY_ID] === id
}

/** What may be an identifier of the user's password. */
function namesOf({ login, email, attributes }: Candidate): readonly string[] {
  const texts = [attributes.email, attributes.username, email, login]
  return [...new Set(texts.filter((text): text is string => typeof text === 'string' && text !== ''))]
}

function identityUrl({ identities }: Opened, id: string): string {
  return `${identities}/${encodeURIComponent(id)}`
}

function creationOf(user: Candidate, { schemaId, externalId }: Opened) {
  const addresses = verifiedOf(user)
  const credentials = credentialsOf(user)
  return {
    schema_id: schemaId,
    state: stateOf(user),
    traits: merged({}, traitsOf(user)),
    ...(externalId ? { external_id: user.id } : { metadata_admin: { [LEGACY_ID]: user.id } }),
    ...(addresses.length > 0 && { verifiable_addresses: addresses }),
    ...(credentials !== null && { credentials }),
  }
}

function stateOf({ active }: Candidate): 'active' | 'inactive' {
  return active ? 'active' : 'inactive'
}

/** Addresses that need not be verified again. Kratos keeps those that are traits to be verified by its schema. */
function verifiedOf({ attributes, email }: Candidate): readonly Readonly<Record<string, unknown>>[] {
  const address = typeof attributes.email === 'string' ? attributes.email : email
  const phone = attributes.phone_number ?? attributes.phone
  return [
    ...(isTrue(attributes[EMAIL_VERIFIED]) && address !== null
      ? [verified(address.toLowerCase(), 'email')]
      : []),
    ...(isTrue(attributes[PHONE_VERIFIED]) && typeof phone === 'string' ? [verified(phone, 'sms')] : []),
  ]
}

function verified(value: string, via: 'email' | 'sms') {
  return { value, verified: true, via, status: 'completed' }
}

interface Credentials {
  readonly password: {
    readonly config: { readonly use_password_migration_hook: true } | { readonly hashed_password: string }
  }
}

/** null: none are sent. Never a hash with the mark: Kratos would ignore it. */
function credentialsOf({ credential }: Candidate): Credentials | null | 'unreadable' {
  switch (credential.kind) {
    case 'hook':
      return { password: { config: { use_password_migration_hook: true } } }
    case 'hash': {
      const hashed = kratosHash(credential.hash)
      return hashed === null ? 'unreadable' : { password: { config: { hashed_password: hashed } } }
    }
    case 'reset':
    case 'keep':
      return null
  }
}

function isTrait(name: string): boolean {
  return name !== ID_NAME && name !== EMAIL_VERIFIED && name !== PHONE_VERIFIED
}

/** Attributes as traits: `name.first` is the trait `first` inside `name`. */
function traitsOf({ attributes }: Candidate): Json {
  let traits: Json = {}
  for (const [name, value] of Object.entries(attributes)) {
    if (!isTrait(name)) continue
    const nested = name
      .split('.')
      .reverse()
      .reduce<unknown>((inner, part) => ({ [part]: inner }), value)
    traits = isRecord(nested) ? joined(traits, nested) : traits
  }
  return traits
}

type Json = Readonly<Record<string, unknown>>

/** Both, the second above the first, objects inside as well. */
function joined(before: Json, above: Json): Json {
  const entries = Object.entries(above).map(([name, value]) => {
    const there = Object.hasOwn(before, name) ? before[name] : undefined
    return [name, isRecord(there) && isRecord(value) ? joined(there, value) : value]
  })
  return { ...before, ...Object.fromEntries(entries) }
}

/** As `joined`, where null takes a member away. */
function merged(before: Json, above: Json): Json {
  return withoutNulls(joined(before, above))
}

function withoutNulls(value: Json): Json {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null && member !== undefined)
      .map(([name, member]) => [name, isRecord(member) ? withoutNulls(member) : member]),
  )
}

/** Same for the same old id, so that an answer can be told from others: a UUID of version 5. */
function patchId(id: string): string {
  const namespace = Buffer.from('0f0f2fd33f2b5d7f9a3b6a0c6d9a4e11', 'hex')
  const bytes = createHash('sha1').update(namespace).update(id).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const errorShape = z.object({
  error: z.union([
    z.string(),
    z.object({
      code: z.number().optional(),
      reason: z.string().nullish(),
      message: z.string().nullish(),
      error: z.string().nullish(),
    }),
  ]),
})

/** The words of an error, the most exact ones first. */
function textOf(answer: OutboundAnswer): string | null {
  const error = errorShape.safeParse(jsonOf(answer)).data?.error
  if (error === undefined || typeof error === 'string') return error ?? null
  return error.reason ?? error.error ?? error.message ?? null
}

/** Sentences of Kratos and of its JSON Schema library. What fits none of them is wrong with a trait's value. */
const reasons: readonly { readonly fits: RegExp; readonly reason: ReasonCode }[] = [
  { fits: /additionalProperties/, reason: 'unknown-attribute' },
  { fits: /missing properties/, reason: 'missing-attribute' },
  { fits: /imported password|hash format/, reason: 'hash-refused' },
  { fits: /identity state|supplied state/, reason: 'rejected' },
  { fits: /maximum number of identities/, reason: 'too-large' },
  { fits: /I\[#|is not valid|does not match|length must be|must be/, reason: 'invalid-attribute' },
]

/** What every identity would meet with: a field that this Kratos does not have, or a schema that is not there. */
const OF_EVERYBODY = /unknown field|Unable to find JSON Schema ID/

/** Throws RunHalt for what is wrong with the settings and not with the user. */
function reasonFor(text: string): ReasonCode {
  if (OF_EVERYBODY.test(text)) throw new RunHalt('misconfigured', '400')
  return reasons.find(({ fits }) => fits.test(text))?.reason ?? 'rejected'
}

/** What a failure makes of an order, or of all orders of a batch. Throws RunHalt where the next would fare no better. */
function failed(answer: OutboundAnswer): Result {
  const { status } = answer
  if (status === 429 || status >= 500) return postponed()
  if (status === 401 || status === 403) throw new RunHalt('unauthorized', String(status))
  const text = textOf(answer)
  return { kind: 'refused', reason: byStatus(status, text), targetCode: String(status), targetText: text }
}

function byStatus(status: number, text: string | null): ReasonCode {
  switch (status) {
    case 400:
      return reasonFor(text ?? '')
    case 404:
      return 'not-there'
    case 409:
      return 'taken'
    case 413:
      return 'too-large'
    default:
      return 'rejected'
  }
}

function ofOneIdentity(answer: OutboundAnswer): Result {
  return answer.status === 405 ? noSuchApi(answer) : failed(answer)
}

/** Throws RunHalt: an address that is not that of an admin API. */
function noSuchApi({ status }: OutboundAnswer): never {
  throw new RunHalt('not-found', String(status))
}

function postponed(): Result {
  return { kind: 'postponed', reason: 'busy' }
}

const schemaShape = z.object({
  properties: z.object({
    traits: z.object({
      properties: z.record(z.string(), z.unknown()).optional(),
      required: z.array(z.string()).optional(),
      additionalProperties: z.unknown().optional(),
    }),
  }),
})

async function examine(opened: Opened, context: Context, use: TargetUse): Promise<readonly Finding[]> {
  const answer = await context.call({ method: 'GET', url: `${opened.identities}?page_size=1` })
  if (answer.status === 401 || answer.status === 403) throw new RunHalt('unauthorized', String(answer.status))
  if (answer.status === 404 || answer.status === 405) noSuchApi(answer)
  return [
    ...(answer.status === 200 ? [] : [unreadable('identities-unreadable', 'the identities', answer)]),
    ...(await examineSchema(opened, context, use)),
    ...(use.hook
      ? [
          {
            severity: 'warning' as const,
            code: 'hook-not-visible',
            text: 'Whether the password migration hook is enabled cannot be seen through the admin API.',
          },
        ]
      : []),
  ]
}

async function examineSchema(
  { base, schemaId }: Opened,
  context: Context,
  { attributes }: TargetUse,
): Promise<readonly Finding[]> {
  // Where nobody is created or changed, nothing is sent and nothing is missing.
  if (attributes.length === 0) return []
  const answer = await schemaAnswer(`${base}/schemas/${encodeURIComponent(schemaId)}`, context)
  if (answer === 'elsewhere')
    return [
      {
        severity: 'warning',
        code: 'schema-not-visible',
        text: 'The identity schema is served by the public API alone and was not compared with the plan.',
      },
    ]
  if (answer.status === 404)
    return [
      {
        severity: 'error',
        code: 'schema-missing',
        text: 'There is no identity schema of the name in SCHEMA_ID.',
      },
    ]
  if (answer.status !== 200) return [unreadable('schema-unreadable', 'the identity schema', answer)]
  const { traits } = expected(answer, schemaShape).properties
  const sent = attributes.filter(isTrait)
  const open = traits.additionalProperties !== false
  return [
    ...sent
      .filter((name) => !hasTrait(traits, name.split('.')))
      .map((name) => ({
        severity: open ? ('warning' as const) : ('error' as const),
        code: 'attribute-missing',
        text: `The identity schema has no trait ${name}.`,
      })),
    ...(traits.required ?? [])
      .filter((name) => !sent.some((attribute) => attribute.split('.')[0] === name))
      .map((name) => ({
        severity: 'error' as const,
        code: 'attribute-required',
        text: `The identity schema requires ${name}, which the plan does not send.`,
      })),
    ...(sent.some((name) => isIdentifier(traits, name.split('.')))
      ? []
      : [
          {
            severity: 'error' as const,
            code: 'no-identifier',
            text: 'No trait that the plan sends is an identifier for passwords in the identity schema.',
          },
        ]),
  ]
}

/** The admin API of one's own Kratos redirects to its public one, and no redirect is followed. */
async function schemaAnswer(url: string, context: Context): Promise<OutboundAnswer | 'elsewhere'> {
  try {
    const answer = await context.call({ method: 'GET', url })
    return answer.status >= 300 && answer.status < 400 ? 'elsewhere' : answer
  } catch (error) {
    if (error instanceof CallFailure && error.code === 'redirect') return 'elsewhere'
    throw error
  }
}

/** What a JSON Schema says of a trait, or undefined. */
function schemaOf(schema: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, name) => {
    const properties = isRecord(inner) ? inner.properties : undefined
    return isRecord(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined
  }, schema)
}

function hasTrait(schema: unknown, path: readonly string[]): boolean {
  return schemaOf(schema, path) !== undefined
}

function isIdentifier(schema: unknown, path: readonly string[]): boolean {
  const marked = ['ory.sh/kratos', 'credentials', 'password', 'identifier'].reduce<unknown>(
    (inner, name) => (isRecord(inner) ? inner[name] : undefined),
    schemaOf(schema, path),
  )
  return marked === true
}

function unreadable(code: string, what: string, { status }: OutboundAnswer): Finding {
  return { severity: 'error', code, text: `Could not look at ${what}: status ${status}.` }
}

/**
 * Ory Network: `x-ratelimit-limit: 10, 10;w=1, 300;w=60`, of which the first is the one that `remaining` counts, and the seconds
 * until that window is over. A Kratos of one's own says nothing. https://www.ory.com/docs/guides/rate-limits
 */
function limitOf(answer: OutboundAnswer): LimitNotice | null {
  const limit = Number.parseInt(answer.headers['x-ratelimit-limit'] ?? '', 10)
  const remaining = numberIn(answer, 'x-ratelimit-remaining')
  const reset = numberIn(answer, 'x-ratelimit-reset')
  const now = clockOf(answer)
  const window = {
    ...(now !== undefined && { now }),
    ...(!Number.isNaN(limit) && remaining !== undefined && { limit, remaining }),
    ...(now !== undefined && reset !== undefined && { resetAt: now + reset * 1_000 }),
  }
  if (answer.status === 429) {
    const seconds = numberIn(answer, 'retry-after') ?? reset
    return { ...window, waitMs: seconds === undefined ? WAIT_MS : seconds * 1_000 }
  }
  return remaining === undefined ? null : window
}
