import { z } from 'zod'
import type { OutboundAnswer } from '../outbound/call.ts'
import { limitOf, schemeOf } from './okta-api.ts'
import { oktaHash } from './okta-hash.ts'
import { oktaConfirmations } from './okta-log.ts'
import { expected, JSON_BODY, jsonOf, keyShape, sameJson } from './read-answer.ts'
import { isTrue, oneByOne, refused } from './results.ts'
import { addressOf, wanted } from './settings.ts'
import {
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

/** The name that `standard` gives to the old id; sent under that of ID_ATTRIBUTE. */
const ID_NAME = 'legacyId'

/** Says that the number is the user's. Never sent: it only decides about FACTORS. */
const PHONE_VERIFIED = 'phoneNumberVerified'

/** Enough for 600 calls a minute at answers of two seconds; three processes stay below the 75 that an org answers at a time. */
const IN_FLIGHT = 20

const E164 = /^\+[1-9]\d{1,14}$/

const settings = {
  URL: {
    purpose: 'Address of the org, as `https://example.okta.com`; not its `-admin` address.',
    required: true,
  },
  TOKEN: {
    purpose:
      'An API token, or with TOKEN_TYPE=bearer an access token with okta.users.manage, okta.groups.manage, okta.schemas.read and okta.inlineHooks.read.',
    secret: true,
    required: true,
  },
  TOKEN_TYPE: { purpose: '`ssws` for an API token, `bearer` for an access token.', default: 'ssws' },
  ID_ATTRIBUTE: {
    purpose:
      'The custom attribute that holds the key of the old system. It tells a user of ours from somebody else who has the login.',
    default: ID_NAME,
  },
  GROUP: {
    purpose:
      'Name of the group that new users are put in, created if it is missing. `{tag}` stands for the tag of the batch.',
  },
  FACTORS: {
    purpose:
      '`sms`, `call` or `sms,call`: phone factors that are enrolled for new users whose number is verified and E.164.',
    default: 'off',
  },
} as const satisfies TargetKind['settings']

/**
 * Okta: one call of the Users API for each user, with the hash where Okta reads it, or the mark that its password import hook is
 * to be asked. https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/
 */
export const okta: TargetKind = {
  name: 'okta',
  title: 'Okta',
  settings,
  confirmations: oktaConfirmations,
  traits: {
    hook: true,
    reads: (hash) => oktaHash(hash) !== null,
    // Only as long as the user is STAGED, and ours are active from the start.
    replacesHash: false,
    updates: true,
    removes: ['deactivate', 'delete'],
    standard: {
      id: ID_NAME,
      login: 'login',
      email: 'email',
      'profile.given_name': 'firstName',
      'profile.family_name': 'lastName',
      'profile.middle_name': 'middleName',
      'profile.name': 'displayName',
      'profile.nickname': 'nickName',
      'profile.profile': 'profileUrl',
      'profile.zoneinfo': 'timezone',
      'profile.locale': 'locale',
      'profile.phone_number': 'mobilePhone',
      'profile.phone_number_verified': PHONE_VERIFIED,
      'profile.street_address': 'streetAddress',
      'profile.locality': 'city',
      'profile.region': 'state',
      'profile.postal_code': 'zipCode',
      'profile.country': 'countryCode',
    },
    attributes: [
      { name: 'login', required: true, least: 5, most: 100, format: 'email', unique: true },
      { name: 'email', required: true, least: 5, most: 100, format: 'email' },
      { name: 'firstName', required: true, least: 1, most: 50 },
      { name: 'lastName', required: true, least: 1, most: 50 },
      { name: 'mobilePhone', most: 100 },
      { name: 'middleName' },
      { name: 'displayName' },
      { name: 'nickName' },
      { name: 'profileUrl', format: 'uri' },
      { name: 'timezone', format: 'zoneinfo' },
      { name: 'locale', format: 'locale' },
      { name: 'streetAddress' },
      { name: 'city' },
      { name: 'state' },
      { name: 'zipCode' },
      { name: 'countryCode' },
      { name: PHONE_VERIFIED, format: 'boolean' },
    ],
    others: 'defined-beforehand',
    sameness: ['trim', 'case', 'diacritics', 'nfkc'],
    batch: 1,
    callsPerBatch: 1,
    callsPerMinute: 600,
    needs,
  },
  open,
}

function needs({ hook, hash, attributes }: TargetUse): readonly string[] {
  const custom = attributes.filter((name) => !BASE_ATTRIBUTES.has(name))
  return [
    `The user profile has the attribute of ID_ATTRIBUTE${custom.length === 0 ? '' : `, and ${custom.join(', ')}`}.`,
    ...(hook ? ['A password import inline hook of this org is ACTIVE and points at this service.'] : []),
    ...(hash
      ? ['No rule forces a new password at the first sign-in: imported hashes would be lost to it.']
      : []),
    'Users are created without any mail: no welcome mail, no automation and no provisioning to applications starts with a new user or group.',
  ]
}

/** Those of every org: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/Schema/ */
const BASE_ATTRIBUTES = new Set([
  ...['login', 'email', 'secondEmail', 'firstName', 'lastName', 'middleName', 'honorificPrefix'],
  ...['honorificSuffix', 'title', 'displayName', 'nickName', 'profileUrl', 'primaryPhone', 'mobilePhone'],
  ...['streetAddress', 'city', 'state', 'zipCode', 'countryCode', 'postalAddress', 'preferredLanguage'],
  ...['locale', 'timezone', 'userType', 'employeeNumber', 'costCenter', 'organization', 'division'],
  ...['department', 'managerId', 'manager', ID_NAME, PHONE_VERIFIED],
])

interface Opened {
  readonly api: string
  readonly idAttribute: string
  readonly factors: readonly ('sms' | 'call')[]
  groupFor(tag: string | null, context: Context): Promise<Group>
}

type Group =
  /** null: the user goes to no group. */
  | { readonly kind: 'group'; readonly id: string | null }
  | { readonly kind: 'failed'; readonly result: Result }

function open(given: TargetSettings): Target {
  const { base, host } = addressOf(given.URL)
  const authorization = `${schemeOf(given.TOKEN_TYPE ?? settings.TOKEN_TYPE.default)} ${wanted(given, 'TOKEN')}`
  const api = `${base}/api/v1`
  const opened: Opened = {
    api,
    idAttribute: idAttributeOf(given.ID_ATTRIBUTE ?? settings.ID_ATTRIBUTE.default),
    factors: factorsOf(given.FACTORS ?? settings.FACTORS.default),
    groupFor: groups(api, given.GROUP),
  }
  return {
    hosts: [host],
    authorize: async () => ({ headers: { authorization, accept: 'application/json' } }),
    inFlight: IN_FLIGHT,
    examine: (context, use) => examine(opened, context, use),
    bring: (orders, context) => oneByOne(orders, (order) => obey(order, opened, context)),
    limitOf,
  }
}

function idAttributeOf(text: string): string {
  if (/^[A-Za-z]\w{0,99}$/.test(text) && (text === ID_NAME || !BASE_ATTRIBUTES.has(text))) return text
  throw new TargetError('ID_ATTRIBUTE: expected the name of a custom attribute')
}

function factorsOf(text: string): readonly ('sms' | 'call')[] {
  if (text === 'off') return []
  return text.split(/, */).map((factor) => {
    if (factor === 'sms' || factor === 'call') return factor
    throw new TargetError('FACTORS: expected off, sms, call or sms,call')
  })
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
  status: z.string(),
  profile: z.record(z.string(), z.unknown()),
  credentials: z
    .object({ provider: z.object({ type: z.string() }).optional().catch(undefined) })
    .optional()
    .catch(undefined),
})

type OktaUser = z.infer<typeof userShape>

async function create(order: Order, opened: Opened, context: Context): Promise<Result> {
  const { user } = order
  if (order.attempts > 0) {
    const found = await findByLogin(user, opened, context)
    if (found.kind === 'ours') return meet(found.user, order, opened, context)
    if (found.kind !== 'nobody') return found.result
  }
  const credentials = credentialsOf(user)
  if (credentials === 'unreadable') return refused('hash-refused')
  const group = await opened.groupFor(user.tag, context)
  if (group.kind === 'failed') return group.result
  const answer = await context.call({
    method: 'POST',
    // Who has nothing to sign in with would be sent an activation mail; who is not active must not sign in. Both stay STAGED.
    url: `${opened.api}/users?activate=${user.active && credentials !== null}`,
    headers: JSON_BODY,
    body: JSON.stringify({
      profile: profileOf(user, opened),
      ...(credentials !== null && { credentials: { password: credentials } }),
      ...(group.id !== null && { groupIds: [group.id] }),
    }),
  })
  if (answer.status === 200 || answer.status === 201) {
    const { id } = expected(answer, userShape)
    return withFactors({ kind: 'created', targetId: id }, user, 'new', opened, context)
  }
  // One code for everything that is wrong with a user, and no other for a login that is taken.
  if (answer.status !== 400 || codeOf(answer) !== 'E0000001') return failed(answer)
  const found = await findByLogin(user, opened, context)
  switch (found.kind) {
    case 'ours':
      return meet(found.user, order, opened, context)
    case 'theirs':
      return { ...refusal(answer), reason: 'taken' }
    case 'nobody':
      return failed(answer)
    case 'failed':
      return found.result
  }
}

/** The user is there already, by an earlier try or an earlier run: what is not as planned is changed. */
async function meet(found: OktaUser, order: Order, opened: Opened, context: Context): Promise<Result> {
  if (found.status === 'DEPROVISIONED') return refused('wrong-state', found.status)
  const planned = profileOf(order.user, opened)
  const changed = Object.fromEntries(
    Object.entries(planned).filter(([name, value]) => !sameJson(value, found.profile[name] ?? null)),
  )
  const done = order.attempts > 0 ? ('created' as const) : ('unchanged' as const)
  if (Object.keys(changed).length > 0) {
    const answer = await context.call({
      method: 'POST',
      url: userUrl(opened, found.id),
      headers: JSON_BODY,
      body: JSON.stringify({ profile: changed }),
    })
    if (answer.status !== 200) return failed(answer)
  }
  const settled = await settle(found, order.user, opened, context)
  if (settled.kind === 'failed') return settled.result
  const touched = Object.keys(changed).length > 0 || settled.kind === 'changed'
  return withFactors(
    { kind: touched ? 'updated' : done, targetId: found.id },
    order.user,
    'known',
    opened,
    context,
  )
}

async function update(order: Order, opened: Opened, context: Context): Promise<Result> {
  const { user } = order
  const target = await targetOf(order, opened, context)
  if (target.kind === 'failed') return target.result
  const credentials = credentialsOf(user)
  if (credentials === 'unreadable') return refused('hash-refused')
  const answer = await context.call({
    method: 'POST',
    // Never PUT, which empties every attribute that is not named.
    url: userUrl(opened, target.id),
    headers: JSON_BODY,
    body: JSON.stringify({
      profile: profileOf(user, opened),
      ...(credentials !== null && { credentials: { password: credentials } }),
    }),
  })
  if (answer.status !== 200) return failed(answer)
  const settled = await settle(expected(answer, userShape), user, opened, context)
  return settled.kind === 'failed' ? settled.result : { kind: 'updated', targetId: target.id }
}

async function remove(order: Order, opened: Opened, context: Context): Promise<Result> {
  const target = await targetOf(order, opened, context)
  // An earlier try of ours may have removed the user.
  const gone: Result = { kind: 'removed', targetId: order.targetId }
  if (target.kind === 'failed') return order.attempts > 0 && isGone(target.result) ? gone : target.result
  const url = userUrl(opened, target.id)
  const down = await context.call({ method: 'POST', url: `${url}/lifecycle/deactivate?sendEmail=false` })
  if (down.status !== 200 && down.status !== 204) {
    if (down.status === 404 && order.attempts > 0) return gone
    const already = await isDeactivated(down, url, context)
    if (!already) return failed(down)
  }
  if (order.action === 'deactivate') return { kind: 'removed', targetId: target.id }
  const answer = await context.call({ method: 'DELETE', url: `${url}?sendEmail=false` })
  if (answer.status === 204 || answer.status === 200 || answer.status === 404)
    return { kind: 'removed', targetId: target.id }
  return failed(answer)
}

function isGone(result: Result): boolean {
  return result.kind === 'refused' && result.reason === 'not-there'
}

/** Who is deactivated cannot be deactivated again; the code for it is not documented. */
async function isDeactivated(refusal: OutboundAnswer, url: string, context: Context): Promise<boolean> {
  if (refusal.status !== 400 && refusal.status !== 403) return false
  const answer = await context.call({ method: 'GET', url })
  return answer.status === 200 && expected(answer, userShape).status === 'DEPROVISIONED'
}

type Sought =
  | { readonly kind: 'found'; readonly id: string }
  | { readonly kind: 'failed'; readonly result: Result }

/** The user by the key of an earlier run, or by login and then only one who is ours. */
async function targetOf(order: Order, opened: Opened, context: Context): Promise<Sought> {
  if (order.targetId !== null) return { kind: 'found', id: order.targetId }
  const found = await findByLogin(order.user, opened, context)
  if (found.kind === 'ours') return { kind: 'found', id: found.user.id }
  if (found.kind === 'nobody') return { kind: 'failed', result: refused('not-there', '404') }
  return { kind: 'failed', result: found.result }
}

type Found =
  | { readonly kind: 'nobody' }
  | { readonly kind: 'ours'; readonly user: OktaUser }
  /** Somebody else has this login. */
  | { readonly kind: 'theirs'; readonly result: Refused }
  | { readonly kind: 'failed'; readonly result: Result }

async function findByLogin(user: Candidate, opened: Opened, context: Context): Promise<Found> {
  const login = loginOf(user)
  const answer = await context.call({ method: 'GET', url: userUrl(opened, login) })
  if (answer.status === 404) {
    if (codeOf(answer) !== 'E0000007') throw new RunHalt('not-found', codeOf(answer))
    return { kind: 'nobody' }
  }
  if (answer.status !== 200) return { kind: 'failed', result: failed(answer) }
  const found = expected(answer, userShape)
  if (found.profile[opened.idAttribute] === user.id) return { kind: 'ours', user: found }
  // A login without a domain finds whoever has it before the @.
  const theirs = found.profile.login
  const same = typeof theirs === 'string' && folded(theirs) === folded(login)
  return same ? { kind: 'theirs', result: refused('taken') } : { kind: 'nobody' }
}

/** Logins are unique without regard to case and diacritics. */
function folded(login: string): string {
  return login.trim().normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase()
}

function loginOf({ attributes, login }: Candidate): string {
  return typeof attributes.login === 'string' ? attributes.login : login
}

function userUrl({ api }: Opened, idOrLogin: string): string {
  return `${api}/users/${encodeURIComponent(idOrLogin)}`
}

function profileOf(user: Candidate, { idAttribute }: Opened): Readonly<Record<string, unknown>> {
  const { [ID_NAME]: _id, [PHONE_VERIFIED]: _verified, ...attributes } = user.attributes
  return { ...attributes, login: loginOf(user), [idAttribute]: user.id }
}

/** null: none is sent. */
function credentialsOf({ credential }: Candidate): Readonly<Record<string, unknown>> | null | 'unreadable' {
  switch (credential.kind) {
    case 'hook':
      return { hook: { type: 'default' } }
    case 'hash': {
      const hash = oktaHash(credential.hash)
      return hash === null ? 'unreadable' : { hash }
    }
    case 'reset':
    case 'keep':
      return null
  }
}

type Settled =
  | { readonly kind: 'changed' | 'as-planned' }
  | { readonly kind: 'failed'; readonly result: Result }

/** Brings a known user to the planned state. No call sends a mail. */
async function settle(found: OktaUser, user: Candidate, opened: Opened, context: Context): Promise<Settled> {
  const change = lifecycleFor(found, user)
  if (change === null) return { kind: 'as-planned' }
  const query = change === 'activate' ? '?sendEmail=false' : ''
  const url = `${userUrl(opened, found.id)}/lifecycle/${change}${query}`
  const answer = await context.call({ method: 'POST', url })
  if (answer.status === 200 || answer.status === 204) return { kind: 'changed' }
  const result = failed(answer)
  return { kind: 'failed', result: result.kind === 'refused' ? { ...result, reason: 'wrong-state' } : result }
}

function lifecycleFor({ status, credentials }: OktaUser, { active }: Candidate): string | null {
  // Suspending keeps the password; deactivating would not.
  if (!active) return status === 'ACTIVE' ? 'suspend' : null
  if (status === 'SUSPENDED') return 'unsuspend'
  // Only who has something to sign in with: the others wait for their reset.
  return status === 'STAGED' && credentials?.provider?.type === 'IMPORT' ? 'activate' : null
}

const factorsShape = z.array(z.object({ factorType: z.string() }))

/** Phone factors. One that fails does not undo the user, who is there: the result has a warning. */
async function withFactors(
  result: Extract<Result, { readonly targetId: string | null }>,
  user: Candidate,
  who: 'new' | 'known',
  opened: Opened,
  context: Context,
): Promise<Result> {
  const phone = verifiedPhone(user)
  const { targetId } = result
  if (opened.factors.length === 0 || phone === null || targetId === null || !user.active) return result
  const url = `${userUrl(opened, targetId)}/factors`
  const has = new Set<string>()
  if (who === 'known') {
    const answer = await context.call({ method: 'GET', url })
    if (answer.status !== 200) return { ...result, warnings: ['factor-not-enrolled'] }
    for (const { factorType } of expected(answer, factorsShape)) has.add(factorType)
  }
  for (const factorType of opened.factors.filter((type) => !has.has(type))) {
    const answer = await context.call({
      method: 'POST',
      // Without `activate` a code would be sent to the phone.
      url: `${url}?activate=true`,
      headers: JSON_BODY,
      body: JSON.stringify({ factorType, provider: 'OKTA', profile: { phoneNumber: phone } }),
    })
    if (answer.status !== 200) return { ...result, warnings: ['factor-not-enrolled'] }
  }
  return result
}

function verifiedPhone({ attributes }: Candidate): string | null {
  const { mobilePhone, [PHONE_VERIFIED]: verified } = attributes
  if (!isTrue(verified)) return null
  return typeof mobilePhone === 'string' && E164.test(mobilePhone) ? mobilePhone : null
}

const groupShape = z.object({
  id: keyShape,
  type: z.string().optional(),
  profile: z.object({ name: z.string() }),
})

/** Groups by name, each looked for once. */
function groups(api: string, name: string | undefined): Opened['groupFor'] {
  const known = new Map<string, Promise<Group>>()
  return async (tag, context) => {
    if (name === undefined || name === '' || (tag === null && name.includes('{tag}')))
      return { kind: 'group', id: null }
    const full = name.replaceAll('{tag}', () => tag ?? '')
    const asked = known.get(full) ?? findOrCreateGroup(api, full, context)
    known.set(full, asked)
    try {
      const group = await asked
      if (group.kind === 'failed') known.delete(full)
      return group
    } catch (error) {
      known.delete(full)
      throw error
    }
  }
}

/** Throws RunHalt where the group can neither be found nor made: no user could be created as planned. */
async function findOrCreateGroup(api: string, name: string, context: Context): Promise<Group> {
  const there = await findGroup(api, name, context)
  if (there !== 'none') return there
  const answer = await context.call({
    method: 'POST',
    url: `${api}/groups`,
    headers: JSON_BODY,
    body: JSON.stringify({ profile: { name } }),
  })
  if (answer.status === 200 || answer.status === 201)
    return { kind: 'group', id: expected(answer, groupShape).id }
  // Another process may have been first.
  const since = answer.status === 400 ? await findGroup(api, name, context) : 'none'
  return since === 'none' ? withoutGroup(answer) : since
}

async function findGroup(api: string, name: string, context: Context): Promise<Group | 'none'> {
  const answer = await context.call({ method: 'GET', url: `${api}/groups?q=${encodeURIComponent(name)}` })
  if (answer.status !== 200) return withoutGroup(answer)
  const found = expected(answer, z.array(groupShape)).find(
    ({ profile, type }) => profile.name === name && (type ?? 'OKTA_GROUP') === 'OKTA_GROUP',
  )
  return found === undefined ? 'none' : { kind: 'group', id: found.id }
}

function withoutGroup(answer: OutboundAnswer): Group {
  const result = failed(answer)
  if (result.kind === 'postponed') return { kind: 'failed', result }
  throw new RunHalt('misconfigured', codeOf(answer))
}

const errorShape = z.object({
  errorCode: z.string(),
  errorSummary: z.string().optional().catch(undefined),
  errorCauses: z
    .array(z.object({ errorSummary: z.string() }))
    .optional()
    .catch(undefined),
})

/** Refusals with a code that says it all. Halts are those that the next user would meet as well. */
const codes: Readonly<Record<string, ReasonCode | 'halt'>> = {
  E0000005: 'halt',
  E0000006: 'halt',
  E0000011: 'halt',
  E0000007: 'not-there',
  E0000016: 'wrong-state',
  E0000038: 'wrong-state',
}

/** The first that fits a cause says what is wrong; causes are `field: sentence`, and sentences may change. */
const causes: readonly { readonly fits: RegExp; readonly reason: ReasonCode }[] = [
  { fits: /is not defined in profile/, reason: 'unknown-attribute' },
  { fits: /with this field already exists/, reason: 'taken' },
  { fits: /cannot be left blank|is required|must not be null/, reason: 'missing-attribute' },
  {
    fits: /^(?:credentials|password|hash|algorithm|salt|saltOrder|value|workFactor|iterationCount|keySize|digestAlgorithm)\b/,
    reason: 'hash-refused',
  },
]

/** What a failure makes of an order. Throws RunHalt where the next user would fare no better. */
function failed(answer: OutboundAnswer): Result {
  const { status } = answer
  if (status === 429 || status >= 500) return { kind: 'postponed', reason: 'busy' }
  const code = codeOf(answer)
  // Still being activated: a moment later it is as any other.
  if (code === 'E0000112') return { kind: 'postponed', reason: 'wrong-state' }
  return refusal(answer)
}

function refusal(answer: OutboundAnswer): Refused {
  const code = codeOf(answer)
  const known = codes[code]
  if (answer.status === 401 || known === 'halt') throw new RunHalt('unauthorized', code)
  if (answer.status === 404 && known === undefined) throw new RunHalt('not-found', code)
  const { errorCauses = [], errorSummary } = errorOf(answer) ?? {}
  const cause = errorCauses[0]?.errorSummary
  const reason =
    known ?? (code === 'E0000001' && cause !== undefined ? reasonFor(cause) : byStatus(answer.status))
  return { kind: 'refused', reason, targetCode: code, targetText: cause ?? errorSummary ?? null }
}

function reasonFor(cause: string): ReasonCode {
  return causes.find(({ fits }) => fits.test(cause))?.reason ?? 'invalid-attribute'
}

function byStatus(status: number): ReasonCode {
  if (status === 403) return 'forbidden'
  return status === 413 ? 'too-large' : 'rejected'
}

function errorOf(answer: OutboundAnswer): z.infer<typeof errorShape> | undefined {
  return errorShape.safeParse(jsonOf(answer)).data
}

function codeOf(answer: OutboundAnswer): string {
  return errorOf(answer)?.errorCode ?? String(answer.status)
}

const attributesShape = z.object({
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).nullish(),
})

const schemaShape = z.object({
  definitions: z.object({ base: attributesShape.optional(), custom: attributesShape.optional() }),
})

const hooksShape = z.array(z.object({ status: z.string(), type: z.string() }))

const HOOK_TYPE = 'com.okta.user.credential.password.import'

async function examine(opened: Opened, context: Context, use: TargetUse): Promise<readonly Finding[]> {
  return [
    ...(await examineSchema(opened, context, use)),
    ...(use.hook ? await examineHook(opened, context) : []),
    {
      severity: 'warning',
      code: 'side-effects-not-visible',
      text: 'Whether group rules, automations or applications act on new users cannot be seen from here.',
    },
    ...(use.hash
      ? [
          {
            severity: 'warning' as const,
            code: 'hash-is-final',
            text: 'An imported hash cannot be replaced later: a password that is changed in the old system stays behind.',
          },
        ]
      : []),
  ]
}

async function examineSchema(
  { api, idAttribute }: Opened,
  context: Context,
  { attributes }: TargetUse,
): Promise<readonly Finding[]> {
  // Where nobody is created or changed, nothing is sent and nothing is missing.
  if (attributes.length === 0) return []
  const answer = await context.call({ method: 'GET', url: `${api}/meta/schemas/user/default` })
  if (answer.status !== 200) return [unreadable('schema-unreadable', 'the user schema', answer)]
  const { base, custom } = expected(answer, schemaShape).definitions
  const defined = new Set([...Object.keys(base?.properties ?? {}), ...Object.keys(custom?.properties ?? {})])
  const sent = new Set([
    ...attributes.filter((name) => name !== ID_NAME && name !== PHONE_VERIFIED),
    'login',
    idAttribute,
  ])
  const missing = [...sent].filter((name) => !defined.has(name))
  const unsent = [...(base?.required ?? []), ...(custom?.required ?? [])].filter((name) => !sent.has(name))
  return [
    ...missing.map((name) => ({
      severity: 'error' as const,
      code: 'attribute-missing',
      text: `The user schema has no attribute ${name}.`,
    })),
    ...unsent.map((name) => ({
      severity: 'error' as const,
      code: 'attribute-required',
      text: `The user schema requires ${name}, which the plan does not send.`,
    })),
  ]
}

async function examineHook({ api }: Opened, context: Context): Promise<readonly Finding[]> {
  const answer = await context.call({ method: 'GET', url: `${api}/inlineHooks?type=${HOOK_TYPE}` })
  if (answer.status !== 200) return [unreadable('hooks-unreadable', 'the inline hooks', answer)]
  const active = expected(answer, hooksShape).some(
    ({ type, status }) => type === HOOK_TYPE && status === 'ACTIVE',
  )
  if (active) return []
  return [
    {
      severity: 'error',
      code: 'hook-inactive',
      text: 'No password import inline hook of the org is ACTIVE.',
    },
  ]
}

/** Throws RunHalt where the token is refused. */
function unreadable(code: string, what: string, answer: OutboundAnswer): Finding {
  if (answer.status === 401) throw new RunHalt('unauthorized', codeOf(answer))
  if (answer.status === 404) throw new RunHalt('not-found', codeOf(answer))
  return {
    severity: 'error',
    code,
    text: `Could not look at ${what}: status ${answer.status}.`,
  }
}
