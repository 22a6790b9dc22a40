import { execFile } from 'node:child_process'
import {
  createCipheriv,
  createHash,
  createHmac,
  pbkdf2,
  randomUUID,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { promisify } from 'node:util'
import { verify as verifyArgon2 } from '@node-rs/argon2'
import bcrypt from 'bcryptjs'
import {
  type Asked,
  createWindow,
  type Said,
  type ServerOptions,
  type SimulatorServer,
  startServer,
} from './server.ts'

// The admin API of Ory Kratos as its source has it (github.com/ory/kratos, identity/handler.go and hash/hash_comparator.go), and
// what Ory Network puts before it (ory.com/docs/guides/rate-limits).

type Json = Readonly<Record<string, unknown>>

export interface OryIdentity {
  readonly id: string
  schema_id: string
  state: 'active' | 'inactive'
  traits: Json
  external_id: string | null
  metadata_public: unknown
  metadata_admin: unknown
  verifiable_addresses: readonly Json[]
  password: OryPassword
}

export type OryPassword =
  | { readonly kind: 'none' }
  | { readonly kind: 'hook' }
  | { readonly kind: 'hashed'; readonly hash: string }
  | { readonly kind: 'own'; readonly digest: Buffer }

export interface OryOptions
  extends Pick<ServerOptions, 'latencyMs' | 'slowMs' | 'faults' | 'seed' | 'port' | 'authority'> {
  /** null: none is asked for, as by a Kratos of one's own. */
  readonly token?: string | null
  /**
   * false: Kratos 1.3, which does not know `external_id`, has no bounds for costs, says nothing of what is wrong with an identity, and
   * takes a whole batch back when one of it conflicts, while it says of the others that they were created. Seen with 1.3.1.
   */
  readonly newer?: boolean
  /** JSON Schemas by id. */
  readonly schemas?: Readonly<Record<string, Json>>
  /** false: the schema is at another address, as that of the admin API of one's own Kratos is. */
  readonly servesSchemas?: boolean
  /** How a batch of which nothing went in is answered: as the source does it, or as the documentation says, with and without items. */
  readonly allFailed?: 'ok' | 'items' | 'generic'
  /** Ory Network refuses a second request of the same kind at the same time. */
  readonly oneAtATime?: boolean
  /** Calls a second and a minute, as Ory Network limits them. */
  readonly limits?: { readonly burst: number; readonly sustained: number }
  readonly hook?: OryHook | null
}

/** `selfservice.methods.password.config.migrate_hook`. */
export interface OryHook {
  readonly url: string
  readonly authorization?: string
  readonly ca?: string
}

export interface OrySimulator extends SimulatorServer {
  readonly token: string | null
  /** By any identifier, without regard to case. */
  identity(identifier: string): OryIdentity | undefined
  identities(): IterableIterator<OryIdentity>
  setHook(hook: OryHook | null): void
  /** A login flow with a password. A password that a hash or the hook confirms is hashed anew by Kratos. */
  signIn(
    identifier: string,
    password: string,
  ): Promise<'signed-in' | 'refused' | 'inactive' | 'upstream-error'>
}

const MOST_IN_A_BATCH = 1_000
const MOST_WITH_PASSWORD = 200

/** Tries of a hook, when it answers 429 or 5xx or not at all. */
const HOOK_TRIES = 3
const HOOK_WITHIN_MS = 30_000
/** Bytes of the hook's answer that are read. */
const HOOK_READS = 1_024

const identifier = { credentials: { password: { identifier: true } } }

/** An address, a name and a nested one; nothing else. */
export const PERSON: Json = {
  $id: 'https://example.com/person.schema.json',
  type: 'object',
  properties: {
    traits: {
      type: 'object',
      properties: {
        email: {
          type: 'string',
          format: 'email',
          'ory.sh/kratos': { ...identifier, verification: { via: 'email' } },
        },
        username: { type: 'string', minLength: 3, 'ory.sh/kratos': identifier },
        phone_number: { type: 'string', 'ory.sh/kratos': { verification: { via: 'sms' } } },
        name: {
          type: 'object',
          properties: { first: { type: 'string' }, last: { type: 'string', maxLength: 50 } },
        },
      },
      required: ['email'],
      additionalProperties: false,
    },
  },
}

class Problem extends Error {
  readonly said: Said
  constructor(said: Said) {
    super('answered with an error')
    this.said = said
  }
}

export async function startOry(options: OryOptions = {}): Promise<OrySimulator> {
  const { token = 'simulated-token', newer = true, servesSchemas = true, allFailed = 'ok' } = options
  const schemas = options.schemas ?? { default: PERSON }
  const byId = new Map<string, OryIdentity>()
  const idByName = new Map<string, string>()
  const idByExternal = new Map<string, string>()
  const burst = options.limits === undefined ? null : createWindow(options.limits.burst, 1_000)
  const sustained = options.limits === undefined ? null : createWindow(options.limits.sustained)
  let hook = options.hook ?? null

  function answer(asked: Asked): Said {
    const headers: Record<string, string> = {}
    const second = burst?.take()
    const minute = sustained?.take()
    if (second !== undefined && minute !== undefined) {
      const narrow = second.remaining <= minute.remaining ? second : minute
      headers['x-ratelimit-limit'] = `${narrow.limit}, ${second.limit};w=1, ${minute.limit};w=60`
      headers['x-ratelimit-remaining'] = String(narrow.remaining)
      headers['x-ratelimit-reset'] = String(Math.ceil((narrow.resetAt - Date.now()) / 1_000))
      if (!second.allowed || !minute.allowed) return { ...tooMany(), headers }
    }
    const said = respond(asked)
    return { ...said, headers: { ...headers, ...said.headers } }
  }

  function respond(asked: Asked): Said {
    if (token !== null && asked.headers.authorization !== `Bearer ${token}`)
      return herodot(401, 'Unauthorized', 'The request could not be authorized')
    if (options.oneAtATime && asked.method !== 'GET' && asked.alike > 1) return tooMany()
    try {
      return route(asked)
    } catch (error) {
      if (error instanceof Problem) return error.said
      throw error
    }
  }

  function route(asked: Asked): Said {
    const [first, second, ...rest] = asked.path.split('/').slice(1).map(decodeURIComponent)
    if (first === 'schemas' && second !== undefined && asked.method === 'GET') return schema(second)
    if (first !== 'admin' || second !== 'identities') return { status: 404 }
    const [id, kind, externalId] = rest
    if (id === undefined) {
      if (asked.method === 'PATCH') return createBatch(asked)
      return asked.method === 'GET' ? list(asked) : { status: 405 }
    }
    if (id === 'by' && kind === 'external' && externalId !== undefined) {
      if (!newer) return { status: 404 }
      return one(idByExternal.get(externalId), asked)
    }
    return kind === undefined ? one(id, asked) : { status: 404 }
  }

  function schema(id: string): Said {
    if (!servesSchemas) return { status: 307, headers: { location: `https://127.0.0.1:1/schemas/${id}` } }
    const found = schemas[id]
    return found === undefined
      ? herodot(404, 'Not Found', `Identity schema \`${id}\` could not be found.`)
      : { status: 200, body: found }
  }

  function list({ query }: Asked): Said {
    const name = query.get('credentials_identifier')
    if (name !== null) {
      const found = byId.get(idByName.get(normal(name)) ?? '')
      return { status: 200, body: found === undefined ? [] : [shown(found)] }
    }
    const size = Number(query.get('page_size') ?? '250')
    return { status: 200, body: [...byId.values()].slice(0, size).map(shown) }
  }

  function one(id: string | undefined, asked: Asked): Said {
    const identity = byId.get(id ?? '')
    if (identity === undefined) return herodot(404, 'Not Found', undefined, 'Unable to locate the resource')
    switch (asked.method) {
      case 'GET':
        return { status: 200, body: shown(identity) }
      case 'DELETE':
        forget(identity)
        byId.delete(identity.id)
        return { status: 204 }
      case 'PATCH':
        return patchOne(identity, asked)
      case 'PUT':
        return putOne(identity, asked)
      default:
        return { status: 405 }
    }
  }

  function createBatch({ body }: Asked): Said {
    const { identities } = strict(decode(body), ['identities'])
    if (!Array.isArray(identities)) throw new Problem(undecodable('json: cannot unmarshal identities'))
    if (identities.length > MOST_IN_A_BATCH)
      throw new Problem(
        bad(
          `The maximum number of identities per request that can be created or deleted at once is ${MOST_IN_A_BATCH}.`,
        ),
      )
    // Everything is decoded and read before the first is created: one bad item spoils all.
    const patches = identities.map((item: unknown) => {
      const { patch_id, create } = strict(item, ['patch_id', 'create'])
      if (typeof patch_id !== 'string' || !UUID.test(patch_id))
        throw new Problem(undecodable('uuid: incorrect UUID length'))
      return { patch_id, create: strict(create, creationMembers(newer)) }
    })
    const plain = patches.filter(({ create }) => plaintextOf(create.credentials) !== undefined)
    const read = patches.map(({ patch_id, create }) => ({ patch_id, identity: newIdentity(create) }))
    if (plain.length > MOST_WITH_PASSWORD)
      throw new Problem(
        bad(
          `The maximum number of identities per request that can be created with a plaintext password is ${MOST_WITH_PASSWORD}.`,
        ),
      )
    if (read.some(({ identity }) => !fitsDatabase(identity))) throw new Problem(tooLong())
    const items = read.map(({ patch_id, identity }) => {
      const problem = problemOf(identity, 'batch')
      if (problem !== null) return { action: 'error', patch_id, error: problem }
      byId.set(identity.id, identity)
      remember(identity)
      return { action: 'create', identity: identity.id, patch_id }
    })
    if (!newer && items.some((item) => 'error' in item && item.error?.code === 409))
      for (const { identity } of read) if (byId.delete(identity.id)) forget(identity)
    const failed = items.length > 0 && items.every(({ action }) => action === 'error')
    if (!failed || allFailed === 'ok') return { status: 200, body: { identities: items } }
    const codes = items.map((item) => ('error' in item ? item.error?.code : undefined))
    const status = codes.every((code) => code === 409) ? 409 : 400
    if (allFailed === 'items') return { status, body: { identities: items } }
    return status === 409
      ? herodot(409, 'Conflict', 'This identity conflicts with another identity that already exists.')
      : bad('The request was malformed or contained invalid parameters')
  }

  function newIdentity(create: Json): OryIdentity {
    const { schema_id, state, traits, external_id, metadata_public, metadata_admin, credentials } = create
    const addresses = (Array.isArray(create.verifiable_addresses) ? create.verifiable_addresses : []).map(
      (address) =>
        strict(address, [
          'id',
          'value',
          'verified',
          'via',
          'status',
          'verified_at',
          'created_at',
          'updated_at',
        ]),
    )
    return {
      id: randomUUID(),
      schema_id: typeof schema_id === 'string' && schema_id !== '' ? schema_id : 'default',
      state: stateOf(state),
      traits: isObject(traits) ? traits : {},
      external_id: typeof external_id === 'string' && external_id !== '' ? external_id : null,
      metadata_public: metadata_public ?? null,
      metadata_admin: metadata_admin ?? null,
      verifiable_addresses: addresses,
      password: passwordOf(credentials) ?? { kind: 'none' },
    }
  }

  /** What is found at the insertion, of one alone. */
  function problemOf(
    identity: OryIdentity,
    where: 'batch' | 'alone',
  ): { code: number; status: string; reason?: string; message: string } | null {
    const schema = schemas[identity.schema_id]
    const silent = !newer && where === 'batch'
    if (schema === undefined)
      return badItem(!silent ? `Unable to find JSON Schema ID: ${identity.schema_id}` : MALFORMED)
    const wrong = validate(identity.traits, traitsSchema(schema), '#/traits')
    if (wrong !== null) return badItem(silent ? MALFORMED : wrong)
    const names = namesOf(identity, schema)
    const taken = (id: string | undefined) => id !== undefined && id !== identity.id
    const conflicts =
      names.some((name) => taken(idByName.get(name))) ||
      (identity.external_id !== null && taken(idByExternal.get(identity.external_id)))
    if (!conflicts) return null
    if (!newer)
      return {
        code: 409,
        status: 'Conflict',
        message: 'Unable to insert or update resource because a resource with that value exists already',
      }
    return {
      code: 409,
      status: 'Conflict',
      reason: 'This identity conflicts with another identity that already exists.',
      message: 'The resource could not be created due to a conflict',
    }
  }

  /** What the column of identifiers takes. */
  function fitsDatabase(identity: OryIdentity): boolean {
    return namesOf(identity, schemas[identity.schema_id] ?? {}).every((name) => name.length <= MOST_OF_A_NAME)
  }

  function remember(identity: OryIdentity) {
    const schema = schemas[identity.schema_id] ?? {}
    for (const name of namesOf(identity, schema)) idByName.set(name, identity.id)
    if (identity.external_id !== null) idByExternal.set(identity.external_id, identity.id)
    // Only addresses that the schema marks are kept, and the marked ones that nobody named are not verified.
    identity.verifiable_addresses = addressesIn(identity.traits, traitsSchema(schema)).map(
      ({ value, via }) => {
        const given = identity.verifiable_addresses.find(
          (address) => normal(String(address.value)) === normal(value) && address.via === via,
        )
        return given ?? { value, via, verified: false, status: 'pending' }
      },
    )
  }

  function forget(identity: OryIdentity) {
    for (const name of namesOf(identity, schemas[identity.schema_id] ?? {})) idByName.delete(name)
    if (identity.external_id !== null) idByExternal.delete(identity.external_id)
  }

  function replace(identity: OryIdentity, changed: OryIdentity): Said {
    if (!fitsDatabase(changed)) return tooLong()
    const problem = problemOf(changed, 'alone')
    if (problem !== null) return { status: problem.code, body: { error: problem } }
    forget(identity)
    Object.assign(identity, changed)
    remember(identity)
    return { status: 200, body: shown(identity) }
  }

  function patchOne(identity: OryIdentity, { body }: Asked): Said {
    const operations = decode(body)
    if (!Array.isArray(operations)) return bad('failed to unmarshal JSON patch')
    let patched: Json = structuredClone({
      ...shown(identity),
      ...(identity.external_id === null && { external_id: undefined }),
    })
    for (const operation of operations) {
      if (!isObject(operation) || typeof operation.path !== 'string') return bad('failed to apply JSON patch')
      const path = operation.path
        .split('/')
        .slice(1)
        .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
      if (['id', 'stateChangedAt', 'credentials'].includes(path[0] ?? ''))
        return bad('failed to apply JSON patch')
      const after = applied(patched, path, operation)
      if (after === null) return bad('failed to apply JSON patch')
      patched = after
    }
    const { state, traits, external_id, metadata_public, metadata_admin } = patched
    if (state !== 'active' && state !== 'inactive')
      return bad("The supplied state ('') was not valid. Valid states are ('active', 'inactive').")
    return replace(identity, {
      ...identity,
      state,
      traits: isObject(traits) ? traits : {},
      external_id: typeof external_id === 'string' && external_id !== '' ? external_id : null,
      metadata_public,
      metadata_admin,
    })
  }

  /** What is not named is emptied, but for credentials and the state. */
  function putOne(identity: OryIdentity, { body }: Asked): Said {
    const put = strict(decode(body), [
      ...['schema_id', 'traits', 'state', 'metadata_public', 'metadata_admin', 'credentials'],
      ...(newer ? ['external_id', 'region'] : []),
    ])
    const { schema_id, traits, state, external_id, metadata_public = null, metadata_admin = null } = put
    return replace(identity, {
      ...identity,
      schema_id: typeof schema_id === 'string' && schema_id !== '' ? schema_id : identity.schema_id,
      state: state === undefined ? identity.state : stateOf(state),
      traits: isObject(traits) ? traits : {},
      external_id: typeof external_id === 'string' && external_id !== '' ? external_id : null,
      metadata_public,
      metadata_admin,
      password: passwordOf(put.credentials) ?? identity.password,
    })
  }

  /** undefined: none is named. */
  function passwordOf(credentials: unknown): OryPassword | undefined {
    if (credentials === undefined || credentials === null) return undefined
    const { password } = strict(credentials, [
      ...['password', 'oidc', 'saml', 'totp', 'webauthn', 'passkey', 'lookup_secret'],
    ])
    if (password === undefined) return undefined
    const { config } = strict(password, ['config'])
    const read = strict(config, ['hashed_password', 'password', 'use_password_migration_hook'])
    // With the mark the others are ignored.
    if (read.use_password_migration_hook === true) return { kind: 'hook' }
    if (typeof read.password === 'string' && read.password !== '')
      return { kind: 'own', digest: ownDigest(read.password) }
    const hash = typeof read.hashed_password === 'string' ? read.hashed_password : ''
    if (!FORMATS.test(hash))
      throw new Problem(bad('The imported password does not match any known hash format.'))
    if (newer) {
      const wrong = boundsProblem(hash)
      if (wrong !== null) throw new Problem(bad(wrong))
    }
    return { kind: 'hashed', hash }
  }

  async function signIn(typed: string, password: string) {
    const identity = byId.get(idByName.get(normal(typed)) ?? '')
    if (identity === undefined) return 'refused'
    switch (identity.password.kind) {
      case 'none':
        return 'refused'
      case 'own':
        if (!timingSafeEqual(ownDigest(password), identity.password.digest)) return 'refused'
        break
      case 'hashed':
        if (!(await verifies(identity.password.hash, password))) return 'refused'
        break
      case 'hook': {
        // A mark without a hook that is switched on is a misconfiguration.
        const verdict = hook === null ? 'upstream-error' : await askHook(hook, typed, password)
        if (verdict !== 'match') return verdict
      }
    }
    identity.password = { kind: 'own', digest: ownDigest(password) }
    // The state is looked at after the password is stored.
    return identity.state === 'active' ? 'signed-in' : 'inactive'
  }

  const server = await startServer({
    ...options,
    answer,
    faultAnswer: (status) => {
      if (status === 429) return tooMany()
      return status === 500
        ? herodot(500, 'Internal Server Error', undefined, 'An internal server error occurred')
        : herodot(503, 'Service Unavailable', undefined, 'The service is not available right now')
    },
  })

  return {
    ...server,
    token,
    identity: (name) => byId.get(idByName.get(normal(name)) ?? ''),
    identities: () => byId.values(),
    setHook: (to) => {
      hook = to
    },
    signIn,
  }
}

const MALFORMED = 'The request was malformed or contained invalid parameters'

const MOST_OF_A_NAME = 255

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

function creationMembers(newer: boolean): string[] {
  return [
    ...[
      'schema_id',
      'traits',
      'credentials',
      'verifiable_addresses',
      'recovery_addresses',
      'metadata_public',
    ],
    ...['metadata_admin', 'state'],
    ...(newer ? ['organization_id', 'external_id', 'region'] : []),
  ]
}

function normal(identifier: string): string {
  return identifier.trim().normalize('NFC').toLowerCase()
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function decode(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    throw new Problem(undecodable('invalid character'))
  }
}

/** As Go's decoder with DisallowUnknownFields. */
function strict(value: unknown, members: readonly string[]): Json {
  if (!isObject(value)) throw new Problem(undecodable('json: cannot unmarshal value'))
  const unknown = Object.keys(value).find((name) => !members.includes(name))
  if (unknown !== undefined) throw new Problem(undecodable(`json: unknown field "${unknown}"`))
  return value
}

function stateOf(state: unknown): 'active' | 'inactive' {
  if (state === undefined || state === '') return 'active'
  if (state === 'active' || state === 'inactive') return state
  throw new Problem(bad('identity state is not valid'))
}

function plaintextOf(credentials: unknown): string | undefined {
  const password = isObject(credentials) && isObject(credentials.password) ? credentials.password : {}
  const config = isObject(password.config) ? password.config : {}
  return typeof config.password === 'string' && config.password !== '' ? config.password : undefined
}

function traitsSchema(schema: Json): Json {
  const properties = isObject(schema.properties) ? schema.properties : {}
  return isObject(properties.traits) ? properties.traits : {}
}

/** The part of JSON Schema that identity schemas use, in the words of Kratos' library; null: nothing is wrong. */
function validate(value: unknown, schema: Json, at: string): string | null {
  const where = `I[${at}] S[${at.replaceAll('/traits', '/properties/traits')}]`
  if (schema.type === 'string') {
    if (typeof value !== 'string') return `${where} expected string`
    if (schema.format === 'email' && !/^[^\s@]+@[^\s@]+$/.test(value))
      return `${where} "${value}" is not valid "email"`
    if (typeof schema.minLength === 'number' && value.length < schema.minLength)
      return `${where} length must be >= ${schema.minLength}, but got ${value.length}`
    if (typeof schema.maxLength === 'number' && value.length > schema.maxLength)
      return `${where} length must be <= ${schema.maxLength}, but got ${value.length}`
    return null
  }
  if (schema.type !== 'object') return null
  if (!isObject(value)) return `${where} expected object`
  const properties = isObject(schema.properties) ? schema.properties : {}
  const required = Array.isArray(schema.required) ? schema.required : []
  const missing = required.find((name) => !Object.hasOwn(value, name))
  if (missing !== undefined) return `${where} missing properties: "${missing}"`
  for (const [name, member] of Object.entries(value)) {
    const inner = properties[name]
    if (isObject(inner)) {
      const wrong = validate(member, inner, `${at}/${name}`)
      if (wrong !== null) return wrong
    } else if (schema.additionalProperties === false)
      return `${where} additionalProperties "${name}" not allowed`
  }
  return null
}

/** Every text in the traits with what the schema says of it to Kratos. */
function marked(value: unknown, schema: Json): { value: string; mark: Json }[] {
  if (typeof value === 'string') {
    const mark = schema['ory.sh/kratos']
    return isObject(mark) ? [{ value, mark }] : []
  }
  const properties = isObject(schema.properties) ? schema.properties : {}
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, member]) => {
    const inner = properties[name]
    return isObject(inner) ? marked(member, inner) : []
  })
}

function namesOf({ traits }: OryIdentity, schema: Json): string[] {
  return marked(traits, traitsSchema(schema))
    .filter(({ mark }) => {
      const credentials = isObject(mark.credentials) ? mark.credentials : {}
      return isObject(credentials.password) && credentials.password.identifier === true
    })
    .map(({ value }) => normal(value))
}

function addressesIn(traits: Json, schema: Json): { value: string; via: string }[] {
  return marked(traits, schema).flatMap(({ value, mark }) =>
    isObject(mark.verification) ? [{ value, via: String(mark.verification.via) }] : [],
  )
}

/** One operation of a JSON Patch on a member of an object; null: it cannot be applied. */
function applied(document: Json, [name, ...inner]: readonly string[], operation: Json): Json | null {
  if (name === undefined) return null
  const has = Object.hasOwn(document, name) && document[name] !== undefined
  if (inner.length > 0) {
    const child = document[name]
    const after = isObject(child) ? applied(child, inner, operation) : null
    return after === null ? null : { ...document, [name]: after }
  }
  switch (operation.op) {
    case 'add':
      return { ...document, [name]: operation.value }
    case 'replace':
      return has ? { ...document, [name]: operation.value } : null
    case 'remove': {
      const { [name]: _gone, ...rest } = document
      return has ? rest : null
    }
    default:
      return null
  }
}

function shown(identity: OryIdentity) {
  const { password: _password, external_id, verifiable_addresses, ...rest } = identity
  return {
    ...rest,
    ...(external_id !== null && { external_id }),
    schema_url: `https://127.0.0.1/schemas/${identity.schema_id}`,
    verifiable_addresses,
    recovery_addresses: [],
    created_at: '2026-11-21T20:00:00Z',
    updated_at: '2026-11-21T20:00:00Z',
    organization_id: null,
  }
}

const FORMATS =
  /^(?:\$md5-crypt\$|\$2[abzy]?\$|\$sha256-crypt\$|\$sha512-crypt\$|\$argon2id?\$|\$pbkdf2-sha[0-9]{1,3}\$|\$scrypt\$|\{SSHA(?:256|512)?\}|\$sha(?:1|256|512)\$|\$firescrypt\$|\$md5\$|\$hmac-(?:md4|md5|sha1|sha224|sha256|sha384|sha512)\$)/

const EXCEEDS =
  'The imported password hash declares cost parameters that exceed the bounds enforced by Ory. Re-hash the password with a more conservative configuration before importing.'
const UNREADABLE = 'The imported password hash could not be parsed.'

/** hash/hash_limits.go: ValidateImportedHash. */
function boundsProblem(hash: string): string | null {
  const parts = hash.split('$')
  const numbers = (parts[2] ?? '').split(',').map((pair) => Number(pair.split('=')[1]))
  const within = (value: number | undefined, most: number) =>
    value !== undefined && value > 0 && value <= most
  const judged = (shaped: boolean, bounded: boolean) => (!shaped ? UNREADABLE : bounded ? null : EXCEEDS)
  if (/^\$2/.test(hash))
    return judged(/^\$2[abzy]?\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash), Number(parts[2]) <= 15)
  if (hash.startsWith('$argon2')) {
    const [m, t, p] = (parts[3] ?? '').split(',').map((pair) => Number(pair.split('=')[1]))
    const shaped = parts.length === 6 && parts[2] === 'v=19' && isUnpadded(parts[4]) && isUnpadded(parts[5])
    return judged(shaped, within(m, 2 ** 20) && within(t, 10) && within(p, 16))
  }
  if (hash.startsWith('$pbkdf2-')) {
    const shaped = parts.length === 5 && isUnpadded(parts[3]) && isUnpadded(parts[4])
    return judged(shaped, within(numbers[0], 10_000_000))
  }
  if (hash.startsWith('$scrypt$')) {
    const shaped = parts.length === 5 && isPadded(parts[3]) && isPadded(parts[4])
    return judged(shaped, within(numbers[0], 2 ** 17) && within(numbers[1], 8) && within(numbers[2], 10))
  }
  if (hash.startsWith('$firescrypt$')) {
    const shaped = parts.length === 7 && parts.slice(3).every(isPadded)
    return judged(shaped, within(numbers[0], 17) && within(numbers[1], 8) && within(numbers[2], 10))
  }
  return null
}

function isPadded(text: string | undefined): boolean {
  return text !== undefined && Buffer.from(text, 'base64').toString('base64') === text
}

function isUnpadded(text: string | undefined): boolean {
  return text !== undefined && Buffer.from(text, 'base64').toString('base64').replace(/=+$/, '') === text
}

/** hash/hash_comparator.go, with the primitives of Node, OpenSSL, bcryptjs and the Rust Argon2. */
export async function verifies(hash: string, password: string): Promise<boolean> {
  const parts = hash.split('$')
  const kind = parts[1] ?? ''
  const number = (text: string | undefined, name: string) =>
    Number(new RegExp(`${name}=(\\d+)`).exec(text ?? '')?.[1])
  const bytes = (text: string | undefined) => Buffer.from(text ?? '', 'base64')
  if (/^\$2/.test(hash)) {
    // Go refuses to look at more than this.
    return Buffer.byteLength(password) <= 72 && bcrypt.compare(password, hash)
  }
  if (hash.startsWith('{')) return verifiesSsha(hash, password)
  if (kind.startsWith('argon2')) return verifyArgon2(hash, password)
  if (kind.startsWith('pbkdf2-')) {
    const rounds = number(parts[2], 'i')
    // The length of the stored hash counts, whatever `l` says.
    const size = bytes(parts[4]).length
    const derived = await promisify(pbkdf2)(
      password,
      bytes(parts[3]),
      rounds,
      size,
      kind.slice('pbkdf2-'.length),
    )
    return derived.equals(bytes(parts[4]))
  }
  if (kind === 'scrypt') return verifiesScrypt(parts, password)
  if (kind === 'firescrypt') return verifiesFirebase(parts, password)
  if (kind.endsWith('-crypt')) return verifiesCrypt(kind, parts.slice(2).join('$'), password)
  if (kind.startsWith('hmac-')) {
    const mac = createHmac(kind.slice('hmac-'.length), bytes(parts[3])).update(password).digest('hex')
    return mac === bytes(parts[2]).toString()
  }
  if (parts.length === 3) return createHash(kind).update(password).digest().equals(bytes(parts[2]))
  const template = bytes((parts[2] ?? '').replace(/^pf=/, '')).toString('latin1')
  const salt = bytes(parts[3]).toString('latin1')
  const typed = Buffer.from(password).toString('latin1')
  const text = template.replace(/\{SALT\}|\{PASSWORD\}/g, (place) => (place === '{SALT}' ? salt : typed))
  return createHash(kind).update(text, 'latin1').digest().equals(bytes(parts[4]))
}

function verifiesSsha(hash: string, password: string): boolean {
  const [, name = ''] = /^\{([^}]*)\}/.exec(hash) ?? []
  const algorithm = { SSHA: 'sha1', SSHA256: 'sha256', SSHA512: 'sha512' }[name] ?? ''
  const decoded = Buffer.from(hash.slice(name.length + 2), 'base64')
  const size = { sha1: 20, sha256: 32, sha512: 64 }[algorithm] ?? 0
  const digested = createHash(algorithm).update(password).update(decoded.subarray(size)).digest()
  return digested.equals(decoded.subarray(0, size))
}

const derive = promisify(
  (
    password: string,
    salt: Buffer,
    size: number,
    costs: { N: number; r: number; p: number; maxmem: number },
    done: (error: Error | null, derived: Buffer) => void,
  ) => scrypt(password, salt, size, costs, done),
)

function scryptCosts(text: string | undefined, cost: (ln: number) => number) {
  const [ln = 0, r = 0, p = 0] = (text ?? '').split(',').map((pair) => Number(pair.split('=')[1]))
  return { N: cost(ln), r, p, maxmem: 512 * 2 ** 20 }
}

async function verifiesScrypt(parts: readonly string[], password: string): Promise<boolean> {
  const [salt, stored] = [Buffer.from(parts[3] ?? '', 'base64'), Buffer.from(parts[4] ?? '', 'base64')]
  const derived = await derive(
    password,
    salt,
    stored.length,
    scryptCosts(parts[2], (ln) => ln),
  )
  return derived.equals(stored)
}

async function verifiesFirebase(parts: readonly string[], password: string): Promise<boolean> {
  const [salt, stored, separator, signer] = parts.slice(3).map((part) => Buffer.from(part, 'base64'))
  if (salt === undefined || stored === undefined || separator === undefined || signer === undefined)
    return false
  const costs = scryptCosts(parts[2], (ln) => 2 ** ln)
  const key = await derive(password, Buffer.concat([salt, separator]), 32, costs)
  const encrypted = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(signer)
  return encrypted.equals(stored)
}

async function verifiesCrypt(kind: string, text: string, password: string): Promise<boolean> {
  const [scheme, number] = {
    'md5-crypt': ['-1', '1'],
    'sha256-crypt': ['-5', '5'],
    'sha512-crypt': ['-6', '6'],
  }[kind] ?? ['', '']
  const salt = text.slice(0, text.lastIndexOf('$'))
  const made = promisify(execFile)('openssl', ['passwd', scheme ?? '', '-salt', salt, '-stdin'], {
    encoding: 'utf8',
  })
  made.child.stdin?.end(`${password}\n`)
  return (await made).stdout.trim() === `$${number}$${text}`
}

function ownDigest(password: string): Buffer {
  return createHash('sha256').update(password).digest()
}

/** selfservice/hook/password_migration_hook.go, without the time between tries. */
async function askHook({ url, authorization, ca }: OryHook, typed: string, password: string) {
  const body = JSON.stringify({ identifier: typed, password })
  const trigger = randomUUID()
  const send = url.startsWith('https:') ? tlsRequest : plainRequest
  for (let tried = 1; ; tried++) {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'ory-webhook-trigger-id': trigger,
      'ory-webhook-request-id': randomUUID(),
      ...(authorization !== undefined && { authorization }),
    }
    const said = await new Promise<{ status: number; start: string } | null>((resolve) => {
      const sent = send(url, { method: 'POST', headers, ca, timeout: HOOK_WITHIN_MS }, (incoming) => {
        const chunks: Buffer[] = []
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
        incoming.on('end', () => {
          const start = Buffer.concat(chunks).subarray(0, HOOK_READS).toString()
          resolve({ status: incoming.statusCode ?? 0, start })
        })
        incoming.on('error', () => resolve(null))
      })
      sent.on('timeout', () => sent.destroy())
      sent.on('error', () => resolve(null))
      sent.on('close', () => resolve(null))
      sent.end(body)
    })
    const again = said === null || said.status === 429 || (said.status >= 500 && said.status !== 501)
    if (again && tried < HOOK_TRIES) continue
    if (said?.status === 403) return 'refused'
    if (said?.status !== 200) return 'upstream-error'
    return saysMatch(said.start) ? 'match' : 'refused'
  }
}

function saysMatch(text: string): boolean {
  try {
    const read: unknown = JSON.parse(text)
    return isObject(read) && read.status === 'password_match'
  } catch {
    return false
  }
}

function herodot(
  code: number,
  status: string,
  reason?: string,
  message = 'The request could not be completed',
): Said {
  return { status: code, body: { error: { code, status, ...(reason !== undefined && { reason }), message } } }
}

function bad(reason: string): Said {
  return herodot(400, 'Bad Request', reason, 'The request was malformed or contained invalid parameters')
}

/** As PostgreSQL's error comes through. */
function tooLong(): Said {
  return herodot(
    500,
    'Internal Server Error',
    undefined,
    'ERROR: value too long for type character varying(255) (SQLSTATE 22001)',
  )
}

function badItem(reason: string) {
  return {
    code: 400,
    status: 'Bad Request',
    reason,
    message: MALFORMED,
  }
}

/** An error of the decoder has no reason: its text is the message. */
function undecodable(message: string): Said {
  return herodot(400, 'Bad Request', undefined, message)
}

function tooMany(): Said {
  return herodot(429, 'Too Many Requests', 'Rate limit exceeded')
}
