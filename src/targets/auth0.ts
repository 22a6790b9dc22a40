import { createHash } from 'node:crypto'
import { z } from 'zod'
import { type Call, CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import { authorizationIn, bearer } from './access-token.ts'
import { auth0Hash } from './auth0-hash.ts'
import {
  codeOf,
  fileBytes,
  files,
  haltOn,
  type JobOutcome,
  MOST_FILE_BYTES,
  messageOf,
  runImport,
  type UserError,
} from './auth0-jobs.ts'
import { clockOf, expected, isRecord, JSON_BODY, jsonOf, numberIn, sameJson } from './read-answer.ts'
import { oneByOne, refused } from './results.ts'
import { addressOf, isOn } from './settings.ts'
import {
  type Authorization,
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
  TargetError,
  type TargetKind,
  type TargetSettings,
  type TargetUse,
} from './target.ts'

/** What a 429 without a window asks for: two jobs are running, and one of them takes seconds. */
const JOBS_WAIT_MS = 5_000

/** Members of a user in the import schema that come from attributes. */
const ROOT = [
  'email',
  'email_verified',
  'username',
  'given_name',
  'family_name',
  'name',
  'nickname',
  'picture',
] as const

/** https://auth0.com/docs/manage-users/user-migration/bulk-user-import-database-schema-and-examples#app-metadata */
const RESERVED_APP_METADATA = new Set([
  ...['__tenant', '_id', 'blocked', 'clientID', 'created_at', 'email_verified', 'email', 'globalClientID'],
  ...['global_client_id', 'identities', 'lastIP', 'lastLogin', 'loginsCount', 'metadata'],
  ...['multifactor_last_modified', 'multifactor', 'updated_at', 'user_id'],
])

const settings = {
  URL: {
    purpose: "Address of the tenant, as `https://example.eu.auth0.com`; not a custom domain's.",
    required: true,
  },
  CONNECTION_ID: { purpose: 'The database connection that users go to, as `con_...`.', required: true },
  CLIENT_ID: {
    purpose:
      'A machine-to-machine application with read:users, create:users, update:users, delete:users and read:connections.',
  },
  CLIENT_SECRET: { purpose: 'Its secret.', secret: true },
  TOKEN: {
    purpose: 'A token of the Management API in place of CLIENT_ID and CLIENT_SECRET. It ends after a day.',
    secret: true,
  },
  USERNAME: { purpose: '`on` for a connection that requires usernames.', default: 'off' },
} as const satisfies TargetKind['settings']

/**
 * Auth0: import jobs for new users and for hashes, the Users API for the rest.
 * https://auth0.com/docs/manage-users/user-migration/bulk-user-imports
 */
export const auth0: TargetKind = {
  name: 'auth0',
  title: 'Auth0',
  settings,
  traits: {
    hook: true,
    hookWants: 'absent',
    reads: (hash) => auth0Hash(hash) !== null,
    replacesHash: true,
    updates: true,
    removes: ['deactivate', 'delete'],
    standard: {
      id: 'user_id',
      login: 'username',
      email: 'email',
      'profile.email_verified': 'email_verified',
      'profile.given_name': 'given_name',
      'profile.family_name': 'family_name',
      'profile.name': 'name',
      'profile.nickname': 'nickname',
      'profile.picture': 'picture',
    },
    attributes: [
      { name: 'email', required: true, format: 'email', unique: true },
      { name: 'email_verified', format: 'boolean' },
      { name: 'username', least: 1, most: 128, unique: true },
      { name: 'given_name', least: 1, most: 150 },
      { name: 'family_name', least: 1, most: 150 },
      { name: 'name', least: 1, most: 300 },
      { name: 'nickname', least: 1, most: 300 },
      { name: 'picture', format: 'uri' },
    ],
    others: 'taken',
    sameness: ['case'],
    // About as many as a file of the advised size holds.
    batch: 1000,
    // The job, two looks at it and its errors.
    callsPerBatch: 4,
    // https://auth0.com/docs/troubleshoot/customer-support/operational-policies/rate-limit-policy: "all other endpoints".
    callsPerMinute: 150,
    needs,
  },
  open,
}

function needs({ hook, hash, attributes }: TargetUse): readonly string[] {
  return [
    'The connection is a database connection and is enabled for at least one application.',
    ...(hook
      ? [
          'The connection uses its own database scripts, "Import Users to Auth0" is on, and both scripts ask this service. Users of the hook are not created: Auth0 asks for those whom it does not have.',
        ]
      : []),
    ...(hook && hash
      ? ['Nobody of the imported users has signed in by the scripts before: Auth0 would refuse the import.']
      : []),
    ...(attributes.includes('username')
      ? ['With USERNAME=on the connection requires usernames; without it none is sent.']
      : []),
  ]
}

interface Opened {
  readonly api: string
  readonly connectionId: string
  readonly withUsername: boolean
  /** Name of the connection: changes of an address must say it. */
  connectionName(context: Context): Promise<string>
}

function open(given: TargetSettings): Target {
  const { base, host } = addressOf(given.URL)
  const { CONNECTION_ID: connectionId = '' } = given
  if (!/^con_[A-Za-z0-9]{1,64}$/.test(connectionId))
    throw new TargetError('CONNECTION_ID: expected the id of a connection, as con_...')
  const api = `${base}/api/v2`
  const opened: Opened = {
    api,
    connectionId,
    withUsername: isOn('USERNAME', given.USERNAME ?? settings.USERNAME.default),
    connectionName: connectionNames(api, connectionId),
  }
  return {
    hosts: [host],
    authorize: authorization(base, given),
    inFlight: 1,
    // Of one job each: Auth0 runs two at the same time.
    processes: 2,
    examine: (context, use) => examine(opened, context, use),
    bring: (orders, context) => bring(orders, opened, context),
    limitOf,
  }
}

function authorization(base: string, given: TargetSettings): (call: Call) => Promise<Authorization> {
  const { TOKEN: token = '', CLIENT_ID: id = '', CLIENT_SECRET: secret = '' } = given
  if (token !== '') {
    if (id !== '' || secret !== '')
      throw new TargetError('TOKEN: it takes the place of CLIENT_ID and CLIENT_SECRET, so only one of both')
    return async () => ({ headers: bearer(token) })
  }
  if (id === '' || secret === '')
    throw new TargetError('CLIENT_ID: expected it together with CLIENT_SECRET, or TOKEN in their place')
  return (call) => tokenFor(base, id, secret, call)
}

/** https://auth0.com/docs/secure/tokens/access-tokens/management-api-access-tokens/get-management-api-access-tokens-for-production */
async function tokenFor(base: string, id: string, secret: string, call: Call): Promise<Authorization> {
  const answer = await call({
    method: 'POST',
    url: `${base}/oauth/token`,
    headers: { ...JSON_BODY, accept: 'application/json' },
    body: JSON.stringify({
      grant_type: 'client_credentials',
      client_id: id,
      client_secret: secret,
      audience: `${base}/api/v2/`,
    }),
  })
  return authorizationIn(answer, oauthCodeOf)
}

function oauthCodeOf(answer: OutboundAnswer): string {
  const body = jsonOf(answer)
  return isRecord(body) && typeof body.error === 'string' ? body.error : String(answer.status)
}

const connectionShape = z.object({
  name: z.string().min(1),
  strategy: z.string(),
  options: z
    .object({
      import_mode: z.boolean().optional(),
      enabledDatabaseCustomization: z.boolean().optional(),
      requires_username: z.boolean().optional(),
    })
    .catch({}),
})

function connectionUrl({ api, connectionId }: Pick<Opened, 'api' | 'connectionId'>): string {
  return `${api}/connections/${encodeURIComponent(connectionId)}`
}

function connectionNames(api: string, connectionId: string): Opened['connectionName'] {
  let known: string | undefined
  return async (context) => {
    if (known !== undefined) return known
    const answer = await context.call({ method: 'GET', url: connectionUrl({ api, connectionId }) })
    haltOn(answer)
    if (answer.status === 404) throw new RunHalt('misconfigured', codeOf(answer))
    if (answer.status !== 200) throw new CallFailure('unreachable')
    known = expected(answer, connectionShape).name
    return known
  }
}

async function examine(opened: Opened, context: Context, use: TargetUse): Promise<readonly Finding[]> {
  const answer = await context.call({ method: 'GET', url: connectionUrl(opened) })
  if (answer.status === 401) throw new RunHalt('unauthorized', codeOf(answer))
  if (answer.status === 403)
    return [finding('error', 'scope-missing', 'The application may not read connections (read:connections).')]
  if (answer.status === 404)
    return [finding('error', 'connection-missing', 'There is no connection with the id of CONNECTION_ID.')]
  if (answer.status !== 200) throw new CallFailure('unreachable')
  const { strategy, options } = expected(answer, connectionShape)
  const scripts = options.enabledDatabaseCustomization === true
  const imports = options.import_mode === true
  return [
    ...(strategy === 'auth0'
      ? []
      : [
          finding(
            'error',
            'connection-kind',
            'The connection is no database connection: nothing can be imported.',
          ),
        ]),
    ...(scripts && !imports
      ? [
          finding(
            'error',
            'connection-not-imported',
            'The connection keeps its users in its own database: "Import Users to Auth0" is off.',
          ),
        ]
      : []),
    ...(use.hook && !(scripts && imports)
      ? [
          finding(
            'error',
            'hook-inactive',
            'Nobody is asked for users whom Auth0 does not have: the connection has no database scripts, or "Import Users to Auth0" is off.',
          ),
        ]
      : []),
    ...(use.hook && use.hash
      ? [
          finding(
            'warning',
            'mixed-migration',
            'Users who have signed in by the scripts before their hash is imported are refused as DUPLICATED_USER.',
          ),
        ]
      : []),
    ...(options.requires_username === true && !opened.withUsername
      ? [finding('error', 'username-required', 'The connection requires usernames and USERNAME is off.')]
      : []),
    ...(options.requires_username !== true && opened.withUsername
      ? [
          finding(
            'warning',
            'username-unused',
            'The connection does not require usernames and USERNAME is on.',
          ),
        ]
      : []),
  ]
}

function finding(severity: Finding['severity'], code: string, text: string): Finding {
  return { severity, code, text }
}

async function bring(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const [first] = orders
  if (first === undefined) return { kind: 'each', results: [] }
  switch (first.action) {
    case 'create':
      return create(orders, opened, context)
    case 'update':
      return update(orders, opened, context)
    case 'deactivate':
      return oneByOne(orders, (order) => block(order, opened, context))
    case 'delete':
      return oneByOne(orders, (order) => remove(order, opened, context))
  }
}

/** A user of an import file, with the place of the order. */
interface Line {
  readonly place: number
  readonly order: Order
  readonly json: string
}

async function create(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const results = new Map<number, Result>()
  const lines: Line[] = []
  for (const [place, order] of orders.entries()) {
    // Auth0 asks the scripts for whom it does not have.
    const prepared: Result | string =
      order.user.credential.kind === 'hook'
        ? { kind: 'unchanged', targetId: null }
        : imported(order.user, opened)
    if (typeof prepared === 'string') lines.push({ place, order, json: prepared })
    else results.set(place, prepared)
  }
  const spoilt = await importAll(lines, false, results, opened, context)
  return spoilt ?? inOrder(orders, results)
}

/** Runs the jobs of these users and notes the results. Returns what spoils all of them. */
async function importAll(
  lines: readonly Line[],
  upsert: boolean,
  results: Map<number, Result>,
  opened: Opened,
  context: Context,
): Promise<Extract<Brought, { kind: 'whole' }> | null> {
  for (const file of files(lines, MOST_FILE_BYTES)) {
    const outcome = await runImport(
      {
        api: opened.api,
        connectionId: opened.connectionId,
        upsert,
        tag: file.find(({ order }) => order.user.tag !== null)?.order.user.tag ?? null,
        users: file.map(({ json }) => json),
      },
      context,
    )
    if (outcome.kind === 'failed' && lines.length > 1) return { kind: 'whole', refused: refusalOf(outcome) }
    for (const line of file) results.set(line.place, await resultOf(line, upsert, outcome, opened, context))
  }
  return null
}

function inOrder(orders: readonly Order[], results: ReadonlyMap<number, Result>): Brought {
  const unheard: Result = { kind: 'postponed', reason: 'no-answer' }
  return { kind: 'each', results: orders.map((_, place) => results.get(place) ?? unheard) }
}

function refusalOf({ code, tooLarge }: Extract<JobOutcome, { kind: 'failed' }>): Refused {
  return refused(tooLarge ? 'too-large' : 'rejected', code)
}

/** Codes that say somebody is there already: it may be this very user, of an earlier try. */
const THERE_ALREADY = new Set(['CONFLICT', 'CONFLICT_EMAIL', 'CONFLICT_USERNAME', 'DUPLICATED_USER'])

async function resultOf(
  { order }: Line,
  upsert: boolean,
  outcome: JobOutcome,
  opened: Opened,
  context: Context,
): Promise<Result> {
  switch (outcome.kind) {
    case 'postponed':
      return outcome
    case 'failed':
      return refusalOf(outcome)
    case 'completed': {
      const error = outcome.errors.find((one) => isAbout(one, order.user))
      const told = outcome.errors.length >= outcome.failed && outcome.errors.every(isNamed)
      if (error === undefined) {
        if (told) return { kind: upsert ? 'updated' : 'created', targetId: auth0Id(order.user) }
        // Somebody has failed whom nobody names: who is there was not it.
        return upsert ? { kind: 'postponed', reason: 'no-answer' } : sought(order, null, opened, context)
      }
      if (error.code === 'CONNECTION_NOT_FOUND') throw new RunHalt('misconfigured', error.code)
      return upsert || !THERE_ALREADY.has(error.code)
        ? refused(reasonOf(error), error.code, error.message)
        : sought(order, error, opened, context)
    }
  }
}

function isNamed({ userId, email }: UserError): boolean {
  return userId !== null || email !== null
}

function isAbout({ userId, email }: UserError, user: Candidate): boolean {
  if (userId !== null) return userId === importedId(user) || userId === auth0Id(user)
  return email !== null && email.toLowerCase() === emailOf(user)?.toLowerCase()
}

/** Looks whether the user is there under the key that is ours. Whoever is there is left as they are: they may have signed in. */
async function sought(
  order: Order,
  error: UserError | null,
  opened: Opened,
  context: Context,
): Promise<Result> {
  const targetId = auth0Id(order.user)
  const answer = await context.call({ method: 'GET', url: userUrl(opened, targetId) })
  if (answer.status === 200) {
    const earlier = order.attempts > 0 || error === null
    return { kind: earlier ? 'created' : 'unchanged', targetId }
  }
  if (answer.status !== 404) return failed(answer)
  if (error === null) return refused('rejected', 'unknown')
  return refused('taken', error.code, error.message)
}

function reasonOf({ code, path }: UserError): ReasonCode {
  if (THERE_ALREADY.has(code)) return 'taken'
  if (/(^|[./])(custom_)?password_hash/.test(path)) return 'hash-refused'
  switch (code) {
    case 'OBJECT_REQUIRED':
    case 'OBJECT_MISSING_REQUIRED_PROPERTY':
    case 'ANY_OF_MISSING':
      return 'missing-attribute'
    case 'OBJECT_ADDITIONAL_PROPERTIES':
      return 'unknown-attribute'
    case 'MFA_FACTORS_FAILED':
    case 'ARRAY_LENGTH_LONG':
    case 'ARRAY_LENGTH_SHORT':
    case 'ENUM_MISMATCH':
    case 'FORMAT':
    case 'INVALID_TYPE':
    case 'MAX_LENGTH':
    case 'MAXIMUM':
    case 'MIN_LENGTH':
    case 'MINIMUM':
    case 'NOT_PASSED':
    case 'PATTERN':
      return 'invalid-attribute'
    default:
      return 'rejected'
  }
}

/** JSON of the user for an import file, or why there is none. */
function imported(user: Candidate, opened: Opened): string | Refused {
  const email = emailOf(user)
  if (email === null) return refused('missing-attribute')
  const profile = profileOf(user, opened)
  if (profile === null) return refused('invalid-attribute')
  const hash = hashOf(user)
  if (hash === 'unreadable') return refused('hash-refused')
  const json = JSON.stringify({
    user_id: importedId(user),
    ...withoutNull(profile.root),
    email,
    ...(!user.active && { blocked: true }),
    ...(Object.keys(profile.userMetadata).length > 0 && { user_metadata: profile.userMetadata }),
    ...(Object.keys(profile.appMetadata).length > 0 && { app_metadata: profile.appMetadata }),
    ...(hash !== null && { custom_password_hash: hash }),
  })
  return fileBytes(json) > MOST_FILE_BYTES ? refused('too-large') : json
}

function hashOf({ credential }: Candidate): Readonly<Record<string, unknown>> | null | 'unreadable' {
  switch (credential.kind) {
    case 'hash':
      return auth0Hash(credential.hash) ?? 'unreadable'
    case 'hook':
    case 'reset':
    case 'keep':
      return null
  }
}

type Members = Readonly<Record<string, unknown>>

interface Profile {
  readonly root: Members
  readonly userMetadata: Members
  readonly appMetadata: Members
}

/**
 * `user_metadata.x` and `app_metadata.x` by their names. What has no place at Auth0 becomes app_metadata, which users cannot
 * change themselves. Null for a name that app_metadata must not have.
 */
function profileOf({ attributes }: Candidate, { withUsername }: Opened): Profile | null {
  const root: [string, unknown][] = []
  const userMetadata: [string, unknown][] = []
  const appMetadata: [string, unknown][] = []
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'user_id' || (name === 'username' && !withUsername)) continue
    if (ROOT.some((known) => known === name)) root.push([name, value])
    else if (name.startsWith('user_metadata.'))
      userMetadata.push([name.slice('user_metadata.'.length), value])
    else
      appMetadata.push([name.startsWith('app_metadata.') ? name.slice('app_metadata.'.length) : name, value])
  }
  if (appMetadata.some(([name]) => RESERVED_APP_METADATA.has(name))) return null
  return {
    root: Object.fromEntries(root),
    userMetadata: Object.fromEntries(userMetadata),
    appMetadata: Object.fromEntries(appMetadata),
  }
}

function withoutNull(members: Members): Members {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null))
}

function emailOf({ attributes, email }: Candidate): string | null {
  return typeof attributes.email === 'string' && attributes.email !== '' ? attributes.email : email
}

/**
 * The key without the `auth0|` that Auth0 puts before it: the same that the script of `docs/scripts/auth0` gives, so that a user
 * is one person by either way. Other characters than these would have to be escaped in addresses, and Auth0 documents none.
 */
function importedId({ id }: Candidate): string {
  const plain = /^[A-Za-z0-9._@+-]{1,200}$/.test(id)
  return `legacy-${plain ? id : `sha256-${createHash('sha256').update(id).digest('hex')}`}`
}

function auth0Id(user: Candidate): string {
  return `auth0|${importedId(user)}`
}

/** Profiles by the Users API, which merges metadata, where an import would replace them. Hashes by an import afterwards. */
async function update(orders: readonly Order[], opened: Opened, context: Context): Promise<Brought> {
  const results = new Map<number, Result>()
  const lines: Line[] = []
  for (const [place, order] of orders.entries()) {
    const hash = hashOf(order.user)
    const email = emailOf(order.user)
    const refusal =
      hash === 'unreadable'
        ? refused('hash-refused')
        : hash !== null && email === null
          ? refused('missing-attribute')
          : null
    const result = refusal ?? (await change(order, opened, context))
    results.set(place, result)
    const changed = result.kind === 'updated' || result.kind === 'unchanged'
    if (hash === null || hash === 'unreadable' || !changed) continue
    // Found by the address; nothing else is in it, since what is in it replaces what is there.
    const json = JSON.stringify({ user_id: importedId(order.user), email, custom_password_hash: hash })
    lines.push({ place, order, json })
  }
  const spoilt = await importAll(lines, true, results, opened, context)
  return spoilt ?? inOrder(orders, results)
}

async function change(order: Order, opened: Opened, context: Context): Promise<Result> {
  const targetId = order.targetId ?? auth0Id(order.user)
  const profile = profileOf(order.user, opened)
  if (profile === null) return refused('invalid-attribute')
  const url = userUrl(opened, targetId)
  const found = await context.call({ method: 'GET', url })
  // Whom Auth0 is to ask for at the first sign-in is not there before it.
  if (found.status === 404 && order.user.credential.kind === 'hook')
    return { kind: 'unchanged', targetId: null }
  if (found.status !== 200) return failed(found)
  const there = expected(found, z.record(z.string(), z.unknown()))
  const root = changes(profile.root, there)
  const email = emailOf(order.user)
  const blocked = !order.user.active
  const body = {
    ...root,
    ...(blocked !== (there.blocked === true) && { blocked }),
    ...metadata('user_metadata', profile.userMetadata, there),
    ...metadata('app_metadata', profile.appMetadata, there),
    // No mail goes out; and an address that nobody has proved counts as unproved.
    ...(email !== null &&
      !sameAddress(email, there.email) && {
        email,
        email_verified: profile.root.email_verified === true,
        verify_email: false,
        connection: await opened.connectionName(context),
      }),
  }
  if (Object.keys(body).length === 0) return { kind: 'unchanged', targetId }
  return patch(url, body, { kind: 'updated', targetId }, context)
}

/** An address is compared without regard to case: Auth0 keeps it in small letters. */
function sameAddress(email: string, there: unknown): boolean {
  return typeof there === 'string' && there.toLowerCase() === email.toLowerCase()
}

function changes(wanted: Members, there: Members): Members {
  return Object.fromEntries(
    Object.entries(wanted).filter(
      ([name, value]) => name !== 'email' && !sameJson(value, there[name] ?? null),
    ),
  )
}

/** Auth0 merges the first level: members that are not named stay, and null removes one. */
function metadata(name: 'user_metadata' | 'app_metadata', wanted: Members, there: Members): Members {
  const known = there[name]
  const changed = changes(wanted, isRecord(known) ? known : {})
  return Object.keys(changed).length > 0 ? { [name]: changed } : {}
}

async function block(order: Order, opened: Opened, context: Context): Promise<Result> {
  const targetId = order.targetId ?? auth0Id(order.user)
  const result = await patch(
    userUrl(opened, targetId),
    { blocked: true },
    { kind: 'removed', targetId },
    context,
  )
  // Who is not there cannot sign in.
  const absent = result.kind === 'refused' && result.reason === 'not-there'
  return absent ? { kind: 'removed', targetId: null } : result
}

async function remove(order: Order, opened: Opened, context: Context): Promise<Result> {
  const targetId = order.targetId ?? auth0Id(order.user)
  const answer = await context.call({ method: 'DELETE', url: userUrl(opened, targetId) })
  if (answer.status === 204 || answer.status === 200) return { kind: 'removed', targetId }
  return answer.status === 404 ? { kind: 'removed', targetId: null } : failed(answer)
}

async function patch(url: string, body: Members, done: Result, context: Context): Promise<Result> {
  const answer = await context.call({
    method: 'PATCH',
    url,
    headers: JSON_BODY,
    body: JSON.stringify(body),
  })
  return answer.status === 200 ? done : failed(answer)
}

function userUrl({ api }: Opened, userId: string): string {
  return `${api}/users/${encodeURIComponent(userId)}`
}

/** What an answer about one user means that is no success. Throws ExpiredError, RunHalt. */
function failed(answer: OutboundAnswer): Result {
  haltOn(answer)
  if (answer.status === 429 || answer.status === 503) return { kind: 'postponed', reason: 'busy' }
  if (answer.status >= 500) return { kind: 'postponed', reason: 'no-answer' }
  const code = codeOf(answer)
  return refused(statusReason(answer.status, code), code, messageOf(answer))
}

function statusReason(status: number, code: string): ReasonCode {
  if (status === 404) return 'not-there'
  // What the store of a database connection has against a change: no password is in ours, so it is the address.
  if (status === 409 || code === 'auth0_idp_error') return 'taken'
  return status === 400 ? 'invalid-attribute' : 'rejected'
}

/**
 * Every answer of the Management API says its window: x-ratelimit-limit, -remaining and -reset in seconds since 1970. One that
 * refuses a third job has calls left and no window to wait for.
 */
function limitOf(answer: OutboundAnswer): LimitNotice | null {
  const limit = numberIn(answer, 'x-ratelimit-limit')
  const remaining = numberIn(answer, 'x-ratelimit-remaining')
  const reset = numberIn(answer, 'x-ratelimit-reset')
  const now = clockOf(answer)
  const toWait = answer.status === 429 && (reset === undefined || (remaining ?? 0) > 0)
  if (limit === undefined && remaining === undefined && reset === undefined && !toWait) return null
  return {
    ...(limit !== undefined && { limit }),
    ...(remaining !== undefined && { remaining }),
    ...(reset !== undefined && { resetAt: reset * 1000 }),
    ...(toWait && { waitMs: JOBS_WAIT_MS }),
    ...(now !== undefined && { now }),
  }
}
