import { type Call, CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import { authorizationIn, TOKEN_FORM } from './access-token.ts'
import { cidaasHash } from './cidaas-hash.ts'
import { isRecord, JSON_BODY, jsonOf, keyShape, retryAfter } from './read-answer.ts'
import { refused } from './results.ts'
import { addressOf, countOf, isOn, wanted } from './settings.ts'
import {
  type Authorization,
  type Brought,
  type Candidate,
  type Context,
  ExpiredError,
  type Finding,
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

/** Users in a request. cidaas takes 1000 and advises 25 to 50, or 50 to 100 on its newer page. */
const BATCH = { least: 25, usual: 50, most: 1000 }

/** For "too many" without a word about when. */
const BUSY_WAIT_MS = 10_000

const SCOPE = 'cidaas:bulk_user_create'

/** System fields of a user: what is sent under its own name. */
const SYSTEM = new Set([
  ...['email', 'username', 'mobile_number', 'phone_number', 'given_name', 'family_name', 'middle_name'],
  ...['nickname', 'gender', 'birthdate', 'locale', 'profile', 'picture', 'website', 'zoneinfo'],
  ...['createdTime', 'lastLoggedInTime'],
])

const ADDRESS = new Set(['formatted', 'street_address', 'locality', 'region', 'postal_code', 'country'])

const settings = {
  URL: { purpose: 'Address of the cidaas instance, as `https://example.cidaas.de`.', required: true },
  CLIENT_ID: {
    purpose: `A NON_INTERACTIVE app with the scope \`${SCOPE}\`, which cidaas has to enable.`,
    required: true,
  },
  CLIENT_SECRET: { purpose: 'Its secret.', secret: true, required: true },
  BATCH: {
    purpose: `Users in a request, ${BATCH.least} to ${BATCH.most}.`,
    default: String(BATCH.usual),
  },
  MIGRATION_MODE: {
    purpose:
      '`on` when cidaas has enabled migrationMode: only then a password hash can be replaced by another one.',
    default: 'off',
  },
} as const satisfies TargetKind['settings']

/**
 * cidaas: the bulk call that creates and updates. https://docs.cidaas.com/integration/api/user-migration/migrate-users-entities
 * What is inferred is told apart in docs/provision-cidaas.md.
 */
export const cidaas: TargetKind = {
  name: 'cidaas',
  title: 'cidaas',
  settings,
  traits: {
    // None is published.
    hook: false,
    reads: (hash) => cidaasHash(hash) !== null,
    // With MIGRATION_MODE.
    replacesHash: true,
    updates: true,
    removes: ['deactivate'],
    standard: {
      id: 'sub',
      login: 'username',
      email: 'email',
      'profile.given_name': 'given_name',
      'profile.family_name': 'family_name',
      'profile.middle_name': 'middle_name',
      'profile.nickname': 'nickname',
      'profile.gender': 'gender',
      'profile.birthdate': 'birthdate',
      'profile.locale': 'locale',
      'profile.zoneinfo': 'zoneinfo',
      'profile.picture': 'picture',
      'profile.profile': 'profile',
      'profile.website': 'website',
      'profile.phone_number': 'mobile_number',
      'profile.street_address': 'address.street_address',
      'profile.locality': 'address.locality',
      'profile.region': 'address.region',
      'profile.postal_code': 'address.postal_code',
      'profile.country': 'address.country',
    },
    attributes: [
      { name: 'email', format: 'email', unique: true },
      { name: 'username', unique: true },
      { name: 'mobile_number', format: 'e164', unique: true },
      { name: 'birthdate', format: 'date' },
      { name: 'locale', format: 'locale' },
      { name: 'zoneinfo', format: 'zoneinfo' },
      { name: 'website', format: 'uri' },
    ],
    others: 'defined-beforehand',
    sameness: ['case'],
    batch: BATCH.usual,
    callsPerBatch: 1,
    needs,
  },
  open,
}

function needs({ hash, attributes }: TargetUse): readonly string[] {
  const custom = attributes.filter((name) => placeOf(name).in === 'customFields')
  return [
    `cidaas has enabled the scope ${SCOPE} for the app of CLIENT_ID, and with MIGRATION_MODE=on its migrationMode as well.`,
    'Every field that is sent is enabled in the field setup: others are left out without a word.',
    ...(custom.length > 0 ? [`Custom fields are defined: ${custom.join(', ')}.`] : []),
    'Addresses of throw-away domains and of domains without mail are refused ("invalid email passed").',
    ...(hash ? ['One user of each scheme has been brought and has signed in before the others follow.'] : []),
  ]
}

interface Opened {
  readonly bulkUrl: string
  readonly batch: number
  readonly migrationMode: boolean
}

function open(given: TargetSettings): Target {
  const { base, host } = addressOf(given.URL)
  const id = wanted(given, 'CLIENT_ID')
  const secret = wanted(given, 'CLIENT_SECRET')
  const opened: Opened = {
    bulkUrl: `${base}/users-srv/user/bulk`,
    batch: countOf('BATCH', given.BATCH ?? settings.BATCH.default, BATCH.least, BATCH.most),
    migrationMode: isOn('MIGRATION_MODE', given.MIGRATION_MODE ?? settings.MIGRATION_MODE.default),
  }
  return {
    hosts: [host],
    authorize: (call) => tokenFor(base, id, secret, call),
    inFlight: 2,
    batch: opened.batch,
    examine: (context) => examine(opened, context),
    bring: (orders, context) => bring(orders, opened, context),
    // No limits are published: a wait when one is met.
    limitOf: (answer) => retryAfter(answer, [429], BUSY_WAIT_MS),
  }
}

/** RFC 6749, 4.4, at the address of https://docs.cidaas.com/integration/api/user-migration/user-migration */
async function tokenFor(base: string, id: string, secret: string, call: Call): Promise<Authorization> {
  const answer = await call({
    method: 'POST',
    url: `${base}/token-srv/token`,
    headers: TOKEN_FORM,
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: id,
      client_secret: secret,
      scope: SCOPE,
    }).toString(),
  })
  return authorizationIn(answer, (refusal) => failureOf(refusal).code)
}

/** A list without users changes nothing, and is refused for that alone when all else is right. */
async function examine({ bulkUrl }: Opened, context: Context): Promise<readonly Finding[]> {
  const answer = await post(bulkUrl, [], context)
  if (answer.status === 401) throw new RunHalt('unauthorized', failureOf(answer).code)
  if (answer.status === 403)
    return [{ severity: 'error', code: 'scope-missing', text: `The app does not have the scope ${SCOPE}.` }]
  if (answer.status === 404)
    return [{ severity: 'error', code: 'bulk-missing', text: 'There is no bulk call at the address of URL.' }]
  if (answer.status === 429 || answer.status >= 500) throw new CallFailure('unreachable')
  return []
}

function post(url: string, users: readonly unknown[], context: Context): Promise<OutboundAnswer> {
  return context.call({
    method: 'POST',
    url,
    headers: JSON_BODY,
    body: JSON.stringify(users),
  })
}

/** A user as it is sent, with the place of the order. */
interface Entry {
  readonly place: number
  readonly order: Order
  readonly entity: Readonly<Record<string, unknown>>
}

async function bring(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const results: Result[] = orders.map(() => ({ kind: 'postponed', reason: 'no-answer' }))
  const entries: Entry[] = []
  for (const [place, order] of orders.entries()) {
    const refusal = refusalOf(order, opened)
    if (refusal === null) entries.push({ place, order, entity: entityOf(order) })
    else results[place] = refusal
  }
  for (let from = 0; from < entries.length; from += opened.batch) {
    const part = entries.slice(from, from + opened.batch)
    try {
      await send(part, results, opened, context)
    } catch (error) {
      // What is known of the parts before is kept; whoever has no answer is tried again.
      if (from === 0 || !(error instanceof CallFailure)) throw error
      break
    }
  }
  return { kind: 'each', results }
}

/** What cannot be sent at all. */
function refusalOf({ action, user }: Order, { migrationMode }: Opened): Refused | null {
  const { credential } = user
  switch (credential.kind) {
    case 'hook':
      return refused('wrong-state', 'no-hook')
    case 'hash':
      if (cidaasHash(credential.hash) === null) return refused('hash-refused')
      return action === 'update' && !migrationMode ? refused('forbidden', 'migration-mode') : null
    case 'reset':
    case 'keep':
      return null
  }
}

/** Sends these users, and in halves when one of them spoils the request. */
async function send(
  entries: readonly Entry[],
  results: Result[],
  opened: Opened,
  context: Context,
): Promise<void> {
  const answer = await post(
    opened.bulkUrl,
    entries.map(({ entity }) => entity),
    context,
  )
  const all = (result: Result) => {
    for (const { place } of entries) results[place] = result
  }
  const { status } = answer
  if (status === 200) {
    const states = statesOf(answer)
    for (const [index, entry] of entries.entries()) {
      const state = stateOf(entry, index, entries, states)
      if (state !== null) results[entry.place] = resultOf(entry, state, opened)
    }
    return
  }
  const { code, text } = failureOf(answer)
  if (status === 401) throw new ExpiredError()
  if (status === 403) throw new RunHalt('unauthorized', code)
  if (status === 404) throw new RunHalt('not-found', code)
  if (status === 429 || status === 503) return all({ kind: 'postponed', reason: 'busy' })
  // 507 is what cidaas says to an address, and no failure of its own.
  if (status >= 500 && status !== 507) return all({ kind: 'postponed', reason: 'no-answer' })
  if (entries.length === 1) return all(refused(status === 413 ? 'too-large' : reasonOf(text), code, text))
  const half = Math.ceil(entries.length / 2)
  await send(entries.slice(0, half), results, opened, context)
  await send(entries.slice(half), results, opened, context)
}

function entityOf({ action, user }: Order): Readonly<Record<string, unknown>> {
  const { attributes, email } = user
  const fields: Record<'system' | 'address' | 'customFields', [string, unknown][]> = {
    system: [],
    address: [],
    customFields: [],
  }
  for (const [name, value] of Object.entries(attributes)) {
    const place = placeOf(name)
    if (place.in !== 'nowhere' && value !== null) fields[place.in].push([place.name, value])
  }
  const system: Readonly<Record<string, unknown>> = {
    ...(email !== null && { email }),
    ...Object.fromEntries(fields.system),
  }
  const { username, ...others } = system
  return {
    // The old key stays the key, which is what makes a second try an update.
    sub: user.id,
    provider: 'self',
    userStatus: action === 'deactivate' || !user.active ? 'DECLINED' : 'VERIFIED',
    ...others,
    ...(username !== undefined && username !== others.email && { username }),
    ...(fields.address.length > 0 && { address: Object.fromEntries(fields.address) }),
    ...(fields.customFields.length > 0 && { customFields: Object.fromEntries(fields.customFields) }),
    ...passwordOf(user),
  }
}

/** Where an attribute goes, and under which name. */
function placeOf(name: string): {
  readonly in: 'system' | 'address' | 'customFields' | 'nowhere'
  readonly name: string
} {
  if (name === 'sub') return { in: 'nowhere', name }
  if (SYSTEM.has(name)) return { in: 'system', name }
  const [, part = ''] = /^address\.(\w+)$/.exec(name) ?? []
  if (ADDRESS.has(part)) return { in: 'address', name: part }
  const own = name.startsWith('customFields.') ? name.slice('customFields.'.length) : name
  return { in: 'customFields', name: own }
}

function passwordOf({ credential }: Candidate): Readonly<Record<string, unknown>> {
  switch (credential.kind) {
    case 'hash':
      return { password_hash_info: cidaasHash(credential.hash) }
    case 'hook':
    case 'reset':
    case 'keep':
      return {}
  }
}

type Word = 'CREATED' | 'UPDATED' | 'FAILED'

interface State {
  readonly word: Word
  /** Null for those that failed: cidaas says ANONYMOUS. */
  readonly sub: string | null
  readonly email: string | null
  readonly code: string | null
  readonly text: string | null
}

/** The member that holds the word is not documented: whichever of these does. */
const WORD_MEMBERS = ['state', 'process_state', 'processState', 'status', 'process_status']

function isWord(value: unknown): value is Word {
  return value === 'CREATED' || value === 'UPDATED' || value === 'FAILED'
}

/** Throws CallFailure for an answer of success that tells nothing: nobody knows what was done. */
function statesOf(answer: OutboundAnswer): readonly State[] {
  const body = jsonOf(answer)
  const inner = isRecord(body) && isRecord(body.data) ? body.data : body
  const list = isRecord(inner) ? inner.process_states : inner
  if (!Array.isArray(list)) throw new CallFailure('malformed')
  return list.flatMap((state: unknown) => {
    if (!isRecord(state)) return []
    const word = WORD_MEMBERS.map((name) => state[name]).find(isWord)
    if (word === undefined) return []
    const identifier = isRecord(state.identifier) ? state.identifier : state
    return [
      {
        word,
        sub: state.sub === 'ANONYMOUS' ? null : (keyShape.safeParse(textOf(state.sub)).data ?? null),
        email: textOf(identifier.email)?.toLowerCase() ?? null,
        code: textOf(state.code),
        text: textOf(state.message),
      },
    ]
  })
}

function textOf(value: unknown): string | null {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : null
}

/**
 * By key, by address where that says whose it is, and by its place where the state itself says of nobody that it is about them.
 * null: it cannot be told.
 */
function stateOf(
  entry: Entry,
  index: number,
  sent: readonly Entry[],
  states: readonly State[],
): State | null {
  const bySub = states.find(({ sub }) => sub === entry.entity.sub)
  if (bySub !== undefined) return bySub
  const email = emailOf(entry)
  const others = new Set(sent.map(({ entity }) => entity.sub))
  const byEmail = states.filter(
    (state) => state.email !== null && state.email === email && !others.has(state.sub),
  )
  const [first] = byEmail
  if (first !== undefined) {
    // Of two users with one address nobody knows which of them is there; that both are not, is known.
    const isOnly = sent.filter((other) => emailOf(other) === email).length === 1
    return isOnly || byEmail.every(({ word }) => word === 'FAILED') ? first : null
  }
  const there = states.length === sent.length ? states[index] : undefined
  return there !== undefined && there.sub === null && there.email === null ? there : null
}

function emailOf({ entity }: Entry): string | null {
  return textOf(entity.email)?.toLowerCase() ?? null
}

function resultOf({ order }: Entry, { word, sub, code, text }: State, { migrationMode }: Opened): Result {
  const targetId = sub ?? order.user.id
  switch (word) {
    case 'CREATED':
      return { kind: order.action === 'deactivate' ? 'removed' : 'created', targetId }
    case 'UPDATED':
      if (order.action === 'deactivate') return { kind: 'removed', targetId }
      return { kind: order.action === 'create' && order.attempts > 0 ? 'created' : 'updated', targetId }
    case 'FAILED': {
      const reason = reasonOf(text)
      // An earlier try was heard, and its password must not be written a second time.
      const heard = order.action === 'create' && order.attempts > 0 && !migrationMode
      if (heard && reason === 'hash-refused') return { kind: 'created', targetId }
      return refused(reason, code ?? (reason === 'invalid-attribute' ? '507' : word), text)
    }
  }
}

/** cidaas gives sentences and no list of codes: the words that its pages use. */
function reasonOf(text: string | null): ReasonCode {
  if (text === null) return 'rejected'
  if (/invalid (e-?mail|mobile|phone|value|datatype)/i.test(text)) return 'invalid-attribute'
  if (/password|hash|algorithm/i.test(text)) return 'hash-refused'
  if (/already|exists|conflict|duplicate/i.test(text)) return 'taken'
  return /missing|required/i.test(text) ? 'missing-attribute' : 'rejected'
}

/** `{success, status, code, error}`, where `error` is a sentence or an object of the same members. */
function failureOf(answer: OutboundAnswer): { readonly code: string; readonly text: string | null } {
  const body = jsonOf(answer)
  const whole = isRecord(body) ? body : {}
  const outer = isRecord(whole.ErrorResp) ? whole.ErrorResp : whole
  const inner = isRecord(outer.error) ? outer.error : outer
  return {
    code: textOf(inner.code) ?? textOf(outer.code) ?? String(answer.status),
    text: textOf(inner.error),
  }
}
