import { createHash, pbkdf2, timingSafeEqual } from 'node:crypto'
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { promisify } from 'node:util'
import bcrypt from 'bcryptjs'
import {
  type Asked,
  createWindow,
  type RateWindow,
  type Said,
  type ServerOptions,
  type SimulatorServer,
  startServer,
} from './server.ts'

// Okta's Users API and what goes with it, as strict as its documentation and recorded answers say. What it says where neither
// does is a guess that is marked as one.

export type OktaStatus = 'STAGED' | 'PROVISIONED' | 'ACTIVE' | 'SUSPENDED' | 'DEPROVISIONED'

export interface OktaUser {
  readonly id: string
  readonly profile: Record<string, unknown>
  status: OktaStatus
  provider: 'OKTA' | 'IMPORT'
  secret: OktaSecret
  readonly groups: readonly string[]
  readonly factors: { readonly id: string; readonly factorType: string; readonly phoneNumber: string }[]
  readonly created: number
  lastUpdated: number
}

type OktaSecret =
  | { readonly kind: 'none' }
  | { readonly kind: 'hook' }
  | { readonly kind: 'hash'; readonly hash: Hash }
  /** Digest of a password of its own. */
  | { readonly kind: 'own'; readonly digest: Buffer }

type Hash = Readonly<Record<string, unknown>>

export interface OktaOptions
  extends Pick<ServerOptions, 'latencyMs' | 'slowMs' | 'faults' | 'seed' | 'port' | 'authority'> {
  readonly token?: string
  readonly scheme?: 'SSWS' | 'Bearer'
  /** Calls a minute of each kind of endpoint. */
  readonly perMinute?: { readonly create?: number; readonly change?: number; readonly read?: number }
  /** A minute, unless a test has no time for it. A multiple of a second, because the header has seconds. */
  readonly windowMs?: number
  /** Requests that are answered at the same time. */
  readonly concurrency?: number
  /** Custom attributes of the schema. */
  readonly attributes?: readonly string[]
  /** Required ones besides those of every org. */
  readonly required?: readonly string[]
  /** Who is new cannot be changed for so long. */
  readonly activatingMs?: number
  readonly hook?: OktaHook | null
  /** Answers what this file does not know, such as the System Log. */
  also?(asked: Asked): Said | undefined
}

/** The password import inline hook of the org. */
export interface OktaHook {
  readonly url: string
  /** The complete header. */
  readonly authorization?: string
  /** PEM of the authority of an https address. */
  readonly ca?: string
  readonly status?: 'ACTIVE' | 'INACTIVE'
}

export interface OktaSimulator extends SimulatorServer {
  readonly token: string
  /** By login, without regard to case and diacritics. */
  user(login: string): OktaUser | undefined
  users(): IterableIterator<OktaUser>
  groupNames(): readonly string[]
  /** Mails that would have gone to users. */
  mails(): number
  /** Calls beyond the limits: of all windows, and of the worst one. */
  refusedByLimit(): { readonly inAll: number; readonly mostInAWindow: number }
  setReadOnly(readOnly: boolean): void
  setHook(hook: OktaHook | null): void
  /** A sign-in on the page of Okta. A password that an imported hash or the hook confirms becomes Okta's own. */
  signIn(login: string, password: string): Promise<'signed-in' | 'refused' | 'hook-failed'>
}

const DEFAULT_PER_MINUTE = { create: 600, change: 600, read: 1_000 }
const DEFAULT_CONCURRENCY = 75

/** A hook is waited for so long, and asked once more after a 5xx or silence. */
const HOOK_WITHIN_MS = 3_000
const HOOK_TRIES = 2

const BASE = [
  ...['login', 'email', 'secondEmail', 'firstName', 'lastName', 'middleName', 'honorificPrefix'],
  ...['honorificSuffix', 'title', 'displayName', 'nickName', 'profileUrl', 'primaryPhone', 'mobilePhone'],
  ...['streetAddress', 'city', 'state', 'zipCode', 'countryCode', 'postalAddress', 'preferredLanguage'],
  ...['locale', 'timezone', 'userType', 'employeeNumber', 'costCenter', 'organization', 'division'],
  ...['department', 'managerId', 'manager'],
]

const BASE_REQUIRED = ['login', 'email', 'firstName', 'lastName']

const LENGTHS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  login: [5, 100],
  email: [5, 100],
  firstName: [1, 50],
  lastName: [1, 50],
  mobilePhone: [0, 100],
}

export async function startOkta(options: OktaOptions = {}): Promise<OktaSimulator> {
  const { token = 'simulated-token', scheme = 'SSWS', activatingMs = 0, windowMs = 60_000 } = options
  const custom = options.attributes ?? ['legacyId']
  const known = new Set([...BASE, ...custom])
  const required = [...BASE_REQUIRED, ...(options.required ?? [])]
  const perMinute = { ...DEFAULT_PER_MINUTE, ...options.perMinute }
  const windows: Readonly<Record<keyof typeof perMinute, RateWindow>> = {
    create: createWindow(perMinute.create, windowMs),
    change: createWindow(perMinute.change, windowMs),
    read: createWindow(perMinute.read, windowMs),
  }
  const concurrency = options.concurrency ?? DEFAULT_CONCURRENCY
  const byId = new Map<string, OktaUser>()
  const idByLogin = new Map<string, string>()
  /** The part before the @, or null where several have it. */
  const idByShortName = new Map<string, string | null>()
  const groupsById = new Map<string, string>()
  let hook = options.hook ?? null
  let readOnly = false
  let mails = 0
  let made = 0

  const newId = (prefix: string) => prefix + String(made++).padStart(17, '0')

  function answer(asked: Asked): Said {
    const window = windows[kindOf(asked)]
    // A refusal for being too many at a time counts as well.
    const { allowed, limit, remaining, resetAt } = window.take()
    const headers = (now: { limit: number; remaining: number }) => ({
      'x-rate-limit-limit': String(now.limit),
      'x-rate-limit-remaining': String(now.remaining),
      'x-rate-limit-reset': String(Math.ceil(resetAt / 1_000)),
    })
    if (asked.inFlight > concurrency) return { ...tooMany(), headers: headers({ limit: 0, remaining: 0 }) }
    const said = allowed ? authorized(asked) : tooMany()
    return { ...said, headers: { ...headers({ limit, remaining }), ...said.headers } }
  }

  function authorized(asked: Asked): Said {
    if (asked.headers.authorization !== `${scheme} ${token}`)
      return problem(401, 'E0000011', 'Invalid token provided')
    if (asked.body !== '' && asked.headers['content-type'] !== 'application/json')
      return problem(
        415,
        'E0000021',
        'Bad request. Accept and/or Content-Type headers likely do not match supported values.',
      )
    if (readOnly && asked.method !== 'GET') return problem(503, 'E0000010', 'Service is in read only mode')
    const also = options.also?.(asked)
    return also ?? route(asked)
  }

  function route(asked: Asked): Said {
    const [root, version, kind, ...rest] = asked.path.split('/').slice(1).map(decodeURIComponent)
    if (root !== 'api' || version !== 'v1') return { status: 404 }
    switch (kind) {
      case 'users':
        return users(asked, rest)
      case 'groups':
        return rest.length === 0 ? groups(asked) : noEndpoint()
      case 'meta':
        return rest.join('/') === 'schemas/user/default' ? schema() : notFound('UserSchema')
      case 'inlineHooks':
        return { status: 200, body: hook === null ? [] : [hookBody(hook, asked)] }
      default:
        return noEndpoint()
    }
  }

  function users(asked: Asked, [key, part, action]: readonly string[]): Said {
    if (key === undefined) return asked.method === 'POST' ? createUser(asked) : noMethod()
    const user = find(key)
    if (user === undefined) return notFound('User')
    if (part === undefined) return oneUser(asked, user)
    if (part === 'factors') return factors(asked, user)
    if (part === 'lifecycle' && asked.method === 'POST') return lifecycle(asked, user, action)
    return noEndpoint()
  }

  function find(key: string): OktaUser | undefined {
    const id = byId.has(key) ? key : (idByLogin.get(folded(key)) ?? idByShortName.get(folded(key)))
    return id === undefined || id === null ? undefined : byId.get(id)
  }

  function oneUser(asked: Asked, user: OktaUser): Said {
    switch (asked.method) {
      case 'GET':
        return { status: 200, body: shown(user) }
      case 'POST':
        return changeUser(asked, user)
      case 'DELETE':
        return deleteUser(user)
      default:
        // There is a PUT. It empties whatever is not named, so nobody here may use it.
        return noMethod()
    }
  }

  function createUser({ body, query }: Asked): Said {
    const activate = query.get('activate') ?? 'true'
    const wellFormed = bodyOf(body, ['profile', 'credentials', 'groupIds', 'realmId', 'type'])
    if (wellFormed === undefined || !['true', 'false'].includes(activate))
      return problem(400, 'E0000003', 'The request body was not well-formed.')
    if (query.get('nextLogin') === 'changePassword' && activate !== 'true') return problem125()
    const { profile, credentials, groupIds = [] } = wellFormed
    if (!isObject(profile)) return invalid('newUser', 'profile: The field cannot be left blank')
    const secret = secretOf(credentials)
    const problems = [
      ...required
        .filter((name) => isBlank(profile[name]))
        .map((name) => `${name}: The field cannot be left blank`),
      ...problemsOf(profile),
      ...(typeof secret === 'string' ? [secret] : []),
      ...groupProblems(groupIds),
    ]
    const login = typeof profile.login === 'string' ? profile.login : ''
    if (idByLogin.has(folded(login)))
      problems.push('login: An object with this field already exists in the current organization')
    const [first] = problems
    if (first !== undefined || typeof secret === 'string')
      return invalid(
        first?.startsWith('Property name') ? 'newUser' : (first?.split(':')[0] ?? 'password'),
        ...problems,
      )
    const now = Date.now()
    const active = activate === 'true'
    // Without anything to sign in with an activation mail is sent.
    if (active && secret.kind === 'none') mails++
    const user: OktaUser = {
      id: newId('00u'),
      profile: { ...profile },
      status: !active ? 'STAGED' : secret.kind === 'none' ? 'PROVISIONED' : 'ACTIVE',
      provider: secret.kind === 'none' ? 'OKTA' : 'IMPORT',
      secret,
      groups: groupIds as readonly string[],
      factors: [],
      created: now,
      lastUpdated: now,
    }
    byId.set(user.id, user)
    remember(user)
    return { status: 200, body: shown(user) }
  }

  function remember({ id, profile }: OktaUser) {
    const login = folded(String(profile.login))
    idByLogin.set(login, id)
    const [short = ''] = login.split('@')
    const other = idByShortName.get(short)
    idByShortName.set(short, other === undefined || other === id ? id : null)
  }

  function forget({ id, profile }: OktaUser) {
    const login = folded(String(profile.login))
    idByLogin.delete(login)
    const [short = ''] = login.split('@')
    if (idByShortName.get(short) === id) idByShortName.delete(short)
  }

  function changeUser({ body }: Asked, user: OktaUser): Said {
    if (Date.now() - user.created < activatingMs)
      return problem(409, 'E0000112', 'Unable to update the user. The user is still being activated.')
    if (user.status === 'DEPROVISIONED') return wrongStatus()
    const wellFormed = bodyOf(body, ['profile', 'credentials'])
    if (wellFormed === undefined) return problem(400, 'E0000003', 'The request body was not well-formed.')
    const { profile = {}, credentials } = wellFormed
    if (!isObject(profile)) return problem(400, 'E0000003', 'The request body was not well-formed.')
    const secret = credentials === undefined ? user.secret : secretOf(credentials)
    const after = { ...user.profile, ...profile }
    const problems = [
      ...required
        .filter((name) => isBlank(after[name]))
        .map((name) => `${name}: The field cannot be left blank`),
      ...problemsOf(profile),
      ...(typeof secret === 'string' ? [secret] : []),
    ]
    const other = idByLogin.get(folded(String(after.login)))
    if (other !== undefined && other !== user.id)
      problems.push('login: An object with this field already exists in the current organization')
    const [first] = problems
    if (first !== undefined || typeof secret === 'string')
      return invalid(
        first?.startsWith('Property name') ? 'user' : (first?.split(':')[0] ?? 'password'),
        ...problems,
      )
    // A hash only before the user is activated; the mark at any time.
    if (credentials !== undefined && secret.kind === 'hash' && user.status !== 'STAGED') return wrongStatus()
    forget(user)
    Object.assign(user.profile, profile)
    remember(user)
    if (credentials !== undefined && secret.kind !== 'none') {
      user.secret = secret
      user.provider = 'IMPORT'
    }
    user.lastUpdated = Date.now()
    return { status: 200, body: shown(user) }
  }

  function deleteUser(user: OktaUser): Said {
    // The first one deactivates, the second one deletes.
    if (user.status !== 'DEPROVISIONED') user.status = 'DEPROVISIONED'
    else {
      forget(user)
      byId.delete(user.id)
    }
    return { status: 204 }
  }

  function lifecycle({ query }: Asked, user: OktaUser, action: string | undefined): Said {
    const mail = (query.get('sendEmail') ?? 'true') === 'true'
    switch (action) {
      case 'activate':
        if (user.status !== 'STAGED' && user.status !== 'DEPROVISIONED')
          return problem(403, 'E0000016', 'Activation failed because the user is already active')
        if (mail) mails++
        user.status = user.secret.kind === 'none' ? 'PROVISIONED' : 'ACTIVE'
        return { status: 200, body: {} }
      case 'deactivate':
        if (user.status === 'DEPROVISIONED') return wrongStatus()
        if (mail) mails++
        user.status = 'DEPROVISIONED'
        user.secret = { kind: 'none' }
        return { status: 200, body: {} }
      case 'suspend':
        if (user.status !== 'ACTIVE') return invalid('suspend', 'Cannot suspend a user that is not active')
        user.status = 'SUSPENDED'
        return { status: 200, body: {} }
      case 'unsuspend':
        if (user.status !== 'SUSPENDED')
          return invalid('unsuspend', 'Cannot unsuspend a user that is not suspended')
        user.status = 'ACTIVE'
        return { status: 200, body: {} }
      default:
        return noEndpoint()
    }
  }

  function factors({ method, query, body }: Asked, user: OktaUser): Said {
    if (method === 'GET') return { status: 200, body: user.factors.map(shownFactor) }
    if (method !== 'POST') return noMethod()
    const wellFormed = bodyOf(body, ['factorType', 'provider', 'profile'])
    const { factorType, provider, profile } = wellFormed ?? {}
    const phoneNumber = isObject(profile) ? profile.phoneNumber : undefined
    if ((factorType !== 'sms' && factorType !== 'call') || provider !== 'OKTA')
      return problem(400, 'E0000003', 'The request body was not well-formed.')
    if (typeof phoneNumber !== 'string' || !/^\+[1-9]\d{1,14}$/.test(phoneNumber))
      return invalid('factorEnrollRequest', 'phoneNumber: The phone number is not valid')
    if (user.factors.some((factor) => factor.factorType === factorType))
      return invalid('factorEnrollRequest', 'A factor of this type is already set up.')
    // Without it a code would be sent.
    if (query.get('activate') !== 'true') mails++
    const factor = { id: newId('mbl'), factorType, phoneNumber }
    user.factors.push(factor)
    return { status: 200, body: shownFactor(factor) }
  }

  function groups({ method, query, body }: Asked): Said {
    const all = [...groupsById].map(([id, name]) => ({
      id,
      type: 'OKTA_GROUP',
      profile: { name, description: null },
    }))
    if (method === 'GET') {
      const start = (query.get('q') ?? '').toLowerCase()
      return { status: 200, body: all.filter(({ profile }) => profile.name.toLowerCase().startsWith(start)) }
    }
    if (method !== 'POST') return noMethod()
    const profile = bodyOf(body, ['profile'])?.profile
    const name = isObject(profile) ? profile.name : undefined
    if (typeof name !== 'string' || name === '' || name.length > 255)
      return invalid('name', 'name: The field cannot be left blank')
    if (all.some((group) => group.profile.name === name))
      return invalid('name', 'name: An object with this field already exists in the current organization')
    const id = newId('00g')
    groupsById.set(id, name)
    return { status: 200, body: { id, type: 'OKTA_GROUP', profile: { name, description: null } } }
  }

  function schema(): Said {
    const text = { type: 'string' }
    const propertiesOf = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, text]))
    return {
      status: 200,
      body: {
        id: 'https://example.okta.com/meta/schemas/user/default',
        type: 'object',
        definitions: {
          base: { id: '#base', type: 'object', properties: propertiesOf(BASE), required: BASE_REQUIRED },
          custom: {
            id: '#custom',
            type: 'object',
            properties: propertiesOf(custom),
            required: required.filter((name) => custom.includes(name)),
          },
        },
      },
    }
  }

  function problemsOf(profile: Readonly<Record<string, unknown>>): string[] {
    return Object.entries(profile).flatMap(([name, value]) => {
      if (!known.has(name)) return [`Property name ''${name}'' is not defined in profile`]
      if (value === null) return []
      if (typeof value !== 'string') return [`${name}: Property type must be string`]
      const [least, most] = LENGTHS[name] ?? [0, 65_535]
      if (value === '' && required.includes(name)) return []
      if (value.length < least || value.length > most)
        return [`${name}: String is too ${value.length < least ? 'short' : 'long'}`]
      if (name === 'login' && !isEmail(value))
        return ['login: Username must be in the form of an email address']
      return name === 'email' && !isEmail(value) ? ['email: Does not match required pattern'] : []
    })
  }

  function groupProblems(groupIds: unknown): string[] {
    if (!Array.isArray(groupIds) || groupIds.length > 20) return ['groupIds: At most 20 groups can be named']
    return groupIds.every((id) => typeof id === 'string' && groupsById.has(id))
      ? []
      : ['groupIds: No such group']
  }

  async function signIn(login: string, password: string): Promise<'signed-in' | 'refused' | 'hook-failed'> {
    const user = find(login)
    if (user === undefined || user.status !== 'ACTIVE') return 'refused'
    switch (user.secret.kind) {
      case 'none':
        return 'refused'
      case 'own':
        return timingSafeEqual(ownDigest(password), user.secret.digest) ? 'signed-in' : 'refused'
      case 'hash':
        if (!(await verifies(user.secret.hash, password))) return 'refused'
        break
      case 'hook': {
        const verdict =
          hook === null || hook.status === 'INACTIVE' ? 'failed' : await askHook(hook, login, password)
        if (verdict !== 'verified') return verdict === 'failed' ? 'hook-failed' : 'refused'
      }
    }
    // In read-only mode the password is not stored, and the same is asked again next time.
    if (!readOnly) {
      user.secret = { kind: 'own', digest: ownDigest(password) }
      user.provider = 'OKTA'
    }
    return 'signed-in'
  }

  const server = await startServer({
    ...options,
    answer,
    faultAnswer: (status) => {
      if (status === 429) {
        const reset = String(Math.ceil(Date.now() / 1_000) + 1)
        const headers = {
          'x-rate-limit-limit': '600',
          'x-rate-limit-remaining': '0',
          'x-rate-limit-reset': reset,
        }
        return { ...tooMany(), headers }
      }
      return status === 500
        ? problem(500, 'E0000009', 'Internal Server Error')
        : problem(503, 'E0000010', 'Service is in read only mode')
    },
  })

  return {
    ...server,
    token,
    user: (login) => {
      const id = idByLogin.get(folded(login))
      return id === undefined ? undefined : byId.get(id)
    },
    users: () => byId.values(),
    groupNames: () => [...groupsById.values()],
    mails: () => mails,
    refusedByLimit: () => {
      const all = Object.values(windows).map((window) => window.refused())
      return {
        inAll: all.reduce((sum, { inAll }) => sum + inAll, 0),
        mostInAWindow: Math.max(...all.map(({ mostInAWindow }) => mostInAWindow)),
      }
    },
    setReadOnly: (to) => {
      readOnly = to
    },
    setHook: (to) => {
      hook = to
    },
    signIn,
  }
}

function kindOf({ method, path }: Asked): 'create' | 'change' | 'read' {
  if (method === 'GET') return 'read'
  return method === 'POST' && path === '/api/v1/users' ? 'create' : 'change'
}

/** Without regard to case and diacritics. */
function folded(login: string): string {
  return login.trim().normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase()
}

function isEmail(text: string): boolean {
  return /^[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+$/.test(text)
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || value === ''
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The body with these members alone, or undefined. */
function bodyOf(body: string, members: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  let read: unknown
  try {
    read = JSON.parse(body)
  } catch {
    return undefined
  }
  return isObject(read) && Object.keys(read).every((name) => members.includes(name)) ? read : undefined
}

/** What a user signs in with, or what is wrong with it. That hashes are looked at so closely is a guess, their shape is not. */
function secretOf(credentials: unknown): OktaSecret | string {
  if (credentials === undefined) return { kind: 'none' }
  if (!isObject(credentials) || !onlyHas(credentials, ['password']) || !isObject(credentials.password))
    return 'credentials: Invalid value'
  const { hash, hook } = credentials.password
  if (!onlyHas(credentials.password, ['hash', 'hook']) || (hash === undefined) === (hook === undefined))
    return 'password: Exactly one of hash and hook is expected'
  if (hook !== undefined)
    return isObject(hook) && hook.type === 'default' && onlyHas(hook, ['type'])
      ? { kind: 'hook' }
      : 'password: Invalid hook type'
  if (!isObject(hash)) return 'password: Invalid hash'
  const wrong = wrongWith(hash)
  return wrong === null ? { kind: 'hash', hash } : `password: ${wrong}`
}

const DIGESTS: Readonly<Record<string, { readonly name: string; readonly bytes: number }>> = {
  MD5: { name: 'md5', bytes: 16 },
  'SHA-1': { name: 'sha1', bytes: 20 },
  'SHA-256': { name: 'sha256', bytes: 32 },
  'SHA-512': { name: 'sha512', bytes: 64 },
}

function wrongWith(hash: Hash): string | null {
  const { algorithm, salt, saltOrder, value, workFactor, iterationCount, keySize, digestAlgorithm } = hash
  if (algorithm === 'BCRYPT') {
    if (!onlyHas(hash, ['algorithm', 'salt', 'value', 'workFactor'])) return 'unexpected member'
    if (!isWhole(workFactor) || workFactor < 1 || workFactor > 20) return 'workFactor is not between 1 and 20'
    const shaped = isText(salt, /^[./A-Za-z0-9]{22}$/) && isText(value, /^[./A-Za-z0-9]{31}$/)
    return shaped ? null : 'salt and value are not 22 and 31 characters'
  }
  if (algorithm === 'PBKDF2') {
    if (!onlyHas(hash, ['algorithm', 'salt', 'value', 'iterationCount', 'keySize', 'digestAlgorithm']))
      return 'unexpected member'
    if (digestAlgorithm !== 'SHA256_HMAC' && digestAlgorithm !== 'SHA512_HMAC')
      return 'unknown digestAlgorithm'
    if (!isWhole(iterationCount) || iterationCount < 4_096) return 'iterationCount is less than 4096'
    const derived = bytesOf(value)
    if (derived === null || bytesOf(salt) === null) return 'salt or value is not base64'
    return derived.length === keySize ? null : 'keySize is not that of the value'
  }
  const digest = typeof algorithm === 'string' ? DIGESTS[algorithm] : undefined
  if (digest === undefined) return 'unknown algorithm'
  // Recorded traffic has a work factor of 0 here.
  if (!onlyHas(hash, ['algorithm', 'salt', 'saltOrder', 'value', 'workFactor'])) return 'unexpected member'
  if (bytesOf(value)?.length !== digest.bytes) return 'value is not a digest of this algorithm in base64'
  if (salt === undefined) return saltOrder === undefined ? null : 'saltOrder without salt'
  if (bytesOf(salt) === null) return 'salt is not base64'
  return saltOrder === 'PREFIX' || saltOrder === 'POSTFIX' ? null : 'unknown saltOrder'
}

function onlyHas(value: Readonly<Record<string, unknown>>, members: readonly string[]): boolean {
  return Object.keys(value).every((name) => members.includes(name))
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value)
}

function isText(value: unknown, shape: RegExp): boolean {
  return typeof value === 'string' && shape.test(value)
}

/** Of base64 with its padding, or null. */
function bytesOf(text: unknown): Buffer | null {
  if (typeof text !== 'string' || text === '') return null
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : null
}

async function verifies(hash: Hash, password: string): Promise<boolean> {
  const salt = bytesOf(hash.salt) ?? Buffer.alloc(0)
  const value = bytesOf(hash.value) ?? Buffer.alloc(0)
  if (hash.algorithm === 'BCRYPT') {
    const cost = String(hash.workFactor).padStart(2, '0')
    return bcrypt.compare(password, `$2b$${cost}$${hash.salt}${hash.value}`)
  }
  if (hash.algorithm === 'PBKDF2') {
    const digest = hash.digestAlgorithm === 'SHA256_HMAC' ? 'sha256' : 'sha512'
    const derive = promisify(pbkdf2)
    return (await derive(password, salt, Number(hash.iterationCount), Number(hash.keySize), digest)).equals(
      value,
    )
  }
  const name = DIGESTS[String(hash.algorithm)]?.name ?? ''
  const typed = Buffer.from(password)
  const digested = Buffer.concat(hash.saltOrder === 'POSTFIX' ? [typed, salt] : [salt, typed])
  return createHash(name).update(digested).digest().equals(value)
}

function ownDigest(password: string): Buffer {
  return createHash('sha256').update(password).digest()
}

/** As Okta calls: https://developer.okta.com/docs/reference/password-hook/ */
async function askHook(hook: OktaHook, username: string, password: string) {
  const body = JSON.stringify({
    eventId: '3o9jBzq1SmOGmmsDsqyyeQ',
    eventTime: new Date().toISOString(),
    eventType: 'com.okta.user.credential.password.import',
    eventTypeVersion: '1.0',
    contentType: 'application/json',
    cloudEventVersion: '0.1',
    source: 'https://example.okta.com/api/v1/inlineHooks/cal0000000000000001',
    data: {
      context: {
        request: {
          id: 'XiIl6wn7005Rr@fjYqeC7CCDBxw',
          method: 'POST',
          url: { value: '/idp/idx/challenge/answer' },
          ipAddress: '127.0.0.1',
        },
        credential: { username, password },
      },
      action: { credential: 'UNVERIFIED' },
    },
  })
  for (let tried = 1; ; tried++) {
    const said = await post(hook, body)
    const again = said === null || said.status >= 500
    if (!again) return said.status >= 200 && said.status < 300 ? verdictIn(said.text) : 'failed'
    if (tried === HOOK_TRIES) return 'failed'
  }
}

function post({ url, authorization, ca }: OktaHook, body: string) {
  const headers = {
    accept: 'application/json',
    'content-type': 'application/json',
    'user-agent': 'Okta-Integrations',
    'content-length': Buffer.byteLength(body),
    ...(authorization !== undefined && { authorization }),
  }
  const send = url.startsWith('https:') ? tlsRequest : plainRequest
  return new Promise<{ status: number; text: string } | null>((resolve) => {
    const sent = send(url, { method: 'POST', headers, ca, timeout: HOOK_WITHIN_MS }, (incoming) => {
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        text += chunk
      })
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }))
      incoming.on('error', () => resolve(null))
    })
    sent.on('timeout', () => sent.destroy())
    sent.on('error', () => resolve(null))
    sent.on('close', () => resolve(null))
    sent.end(body)
  })
}

/** Silence and anything else that is not a command means no. */
function verdictIn(text: string): 'verified' | 'unverified' | 'failed' {
  if (text === '') return 'unverified'
  let read: unknown
  try {
    read = JSON.parse(text)
  } catch {
    return 'failed'
  }
  const commands = isObject(read) && Array.isArray(read.commands) ? read.commands : []
  const verified = commands.some(
    (command: unknown) =>
      isObject(command) &&
      command.type === 'com.okta.action.update' &&
      isObject(command.value) &&
      command.value.credential === 'VERIFIED',
  )
  return verified ? 'verified' : 'unverified'
}

function shown({ id, status, profile, provider, secret, created, lastUpdated }: OktaUser) {
  const at = new Date(created).toISOString()
  return {
    id,
    status,
    created: at,
    activated: status === 'STAGED' ? null : at,
    statusChanged: at,
    lastLogin: null,
    lastUpdated: new Date(lastUpdated).toISOString(),
    passwordChanged: secret.kind === 'none' ? null : at,
    type: { id: 'oty00000000000000001' },
    profile: { mobilePhone: null, secondEmail: null, ...profile },
    credentials: {
      ...(secret.kind !== 'none' && { password: {} }),
      provider: { type: provider, name: provider },
    },
  }
}

function shownFactor({ id, factorType, phoneNumber }: OktaUser['factors'][number]) {
  return { id, factorType, provider: 'OKTA', vendorName: 'OKTA', status: 'ACTIVE', profile: { phoneNumber } }
}

function hookBody({ url, status = 'ACTIVE' }: OktaHook, { query }: Asked) {
  return {
    id: 'cal00000000000000001',
    status,
    name: 'Password import',
    type: query.get('type') ?? 'com.okta.user.credential.password.import',
    version: '1.0.0',
    channel: {
      type: 'HTTP',
      version: '1.0.0',
      config: { uri: url, headers: [], method: 'POST', authScheme: null },
    },
  }
}

/** In the shape of every error of Okta's. */
function problem(
  status: number,
  errorCode: string,
  errorSummary: string,
  causes: readonly string[] = [],
): Said {
  return {
    status,
    body: {
      errorCode,
      errorSummary,
      errorLink: errorCode,
      errorId: 'oaeHfmOAx1iRLa0H10DeMz5fQ',
      errorCauses: causes.map((cause) => ({ errorSummary: cause })),
    },
  }
}

function invalid(what: string, ...causes: readonly string[]): Said {
  return problem(400, 'E0000001', `Api validation failed: ${what}`, causes)
}

function problem125(): Said {
  const text =
    'Could not create user. To create a user and expire their password immediately, `activate` must be true.'
  return problem(400, 'E0000125', text, [text])
}

function wrongStatus(): Said {
  return problem(403, 'E0000038', "This operation is not allowed in the user's current status.")
}

function tooMany(): Said {
  return problem(429, 'E0000047', 'API call exceeded rate limit due to too many requests.')
}

function notFound(what: string): Said {
  return problem(404, 'E0000007', `Not found: Resource not found (${what})`)
}

function noEndpoint(): Said {
  return problem(404, 'E0000022', 'The endpoint does not support the provided HTTP method')
}

function noMethod(): Said {
  return problem(405, 'E0000022', 'The endpoint does not support the provided HTTP method')
}
