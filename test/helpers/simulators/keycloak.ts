// Keycloak's Admin API as far as users are brought by it, after what Keycloak 26.4.2 was seen to answer.
import { pbkdf2Sync, randomUUID } from 'node:crypto'
import { hashRawSync } from '@node-rs/argon2'
import { type Asked, type Said, type ServerOptions, type SimulatorServer, startServer } from './server.ts'

type Json = Record<string, unknown>

export interface SimulatedUser {
  readonly id: string
  username: string
  email: string | undefined
  firstName: string | undefined
  lastName: string | undefined
  emailVerified: boolean
  enabled: boolean
  attributes: Record<string, string[]>
  groups: string[]
  credentials: Credential[]
}

interface Credential {
  readonly id: string
  readonly type: string
  readonly secretData: string
  readonly credentialData: string
}

export interface KeycloakOptions extends Partial<Omit<ServerOptions, 'answer' | 'faultAnswer'>> {
  readonly realm?: string
  readonly client?: { readonly id: string; readonly secret: string }
  /** Of realm-management, for the service account. */
  readonly roles?: readonly ('manage-users' | 'view-users' | 'view-realm')[]
  /** A token is taken so many times. */
  readonly tokenCalls?: number
  readonly expiresIn?: number
  readonly realmSettings?: Json
  readonly profile?: Json
  readonly components?: readonly Json[]
  /** The plug-in is on, and the hook knows these usernames. */
  readonly hookKnows?: readonly string[]
}

export interface KeycloakSimulator extends SimulatorServer {
  readonly realm: string
  readonly users: Map<string, SimulatedUser>
  readonly groups: Set<string>
  /** How many tokens were given. */
  tokens(): number
  /** Whether this password signs in, by the credential that is stored. */
  signIn(username: string, password: string): Promise<boolean>
}

/** Jackson's: anything else is refused. */
const MEMBERS = new Set([
  ...['id', 'username', 'email', 'firstName', 'lastName', 'emailVerified', 'enabled', 'attributes', 'groups'],
  ...['credentials', 'requiredActions', 'createdTimestamp', 'federationLink', 'realmRoles', 'clientRoles'],
])
const CREDENTIAL_MEMBERS = new Set([
  'id',
  'type',
  'userLabel',
  'value',
  'secretData',
  'credentialData',
  'temporary',
])

export const DEFAULT_PROFILE = {
  attributes: [
    {
      name: 'username',
      permissions: { view: ['admin', 'user'], edit: ['admin', 'user'] },
      multivalued: false,
    },
    ...['email', 'firstName', 'lastName'].map((name) => ({
      name,
      required: { roles: ['user'] },
      permissions: { view: ['admin', 'user'], edit: ['admin', 'user'] },
      multivalued: false,
    })),
  ],
  groups: [{ name: 'user-metadata' }],
}

/** As the library numbers them. */
const ARGON2_TYPES = new Map([
  ['d', 0],
  ['i', 1],
  ['id', 2],
] as const)

const FORBIDDEN: Said = { status: 403, body: { error: 'HTTP 403 Forbidden' } }
const NO_USER: Said = { status: 404, body: { error: 'User not found' } }

export async function startKeycloak(options: KeycloakOptions = {}): Promise<KeycloakSimulator> {
  const {
    realm = 'shop',
    client = { id: 'carryover', secret: 'the-client-secret' },
    roles = ['manage-users', 'view-users', 'view-realm'],
    tokenCalls = Number.POSITIVE_INFINITY,
    expiresIn = 300,
    realmSettings = {},
    profile = { ...DEFAULT_PROFILE, unmanagedAttributePolicy: 'ADMIN_EDIT' },
    components = [],
    hookKnows = [],
    ...rest
  } = options
  const users = new Map<string, SimulatedUser>()
  const groups = new Set<string>()
  const left = new Map<string, number>()

  const byName = (name: string) => [...users.values()].find(({ username }) => username === name)
  const byEmail = (email: string) => [...users.values()].find((user) => user.email === email)

  function answer(asked: Asked): Said {
    const [, top = '', ...path] = asked.path.split('/').map(decodeURIComponent)
    if (top === 'realms') return path[0] === realm ? token(asked) : missingRealm()
    if (top !== 'admin' || path[0] !== 'realms') return { status: 404 }
    const bearer = /^Bearer (.+)$/.exec(asked.headers.authorization ?? '')?.[1] ?? ''
    const calls = left.get(bearer) ?? 0
    if (calls <= 0) return { status: 401, body: { error: 'HTTP 401 Unauthorized' } }
    left.set(bearer, calls - 1)
    if (path[1] !== realm) return { status: 404, body: { error: 'Realm not found.' } }
    return administer(asked, path.slice(2))
  }

  const missingRealm = (): Said => ({ status: 404, body: { error: 'Realm does not exist' } })

  function token({ method, path, body, headers }: Asked): Said {
    if (method !== 'POST' || !path.endsWith('/protocol/openid-connect/token')) return { status: 404 }
    const form = new URLSearchParams(
      headers['content-type'] === 'application/x-www-form-urlencoded' ? body : '',
    )
    if (form.get('grant_type') !== 'client_credentials')
      return { status: 400, body: { error: 'unsupported_grant_type' } }
    if (form.get('client_id') !== client.id || form.get('client_secret') !== client.secret)
      return {
        status: 401,
        body: {
          error: 'unauthorized_client',
          error_description: 'Invalid client or Invalid client credentials',
        },
      }
    const made = randomUUID()
    left.set(made, tokenCalls)
    return {
      status: 200,
      body: { access_token: made, expires_in: expiresIn, token_type: 'Bearer', scope: 'email' },
    }
  }

  function administer(asked: Asked, path: readonly string[]): Said {
    const { method } = asked
    const [room, id, part, partId] = path
    const manages = roles.includes('manage-users')
    if (room === undefined)
      return manages
        ? {
            status: 200,
            body: {
              realm,
              ...(roles.includes('view-realm') && { enabled: true, verifyEmail: false, ...realmSettings }),
            },
          }
        : FORBIDDEN
    if (room === 'components')
      return roles.includes('view-realm') ? { status: 200, body: components } : FORBIDDEN
    if (!manages) return FORBIDDEN
    if (room === 'groups') return method === 'POST' ? makeGroup(asked) : { status: 405 }
    if (room !== 'users') return { status: 404 }
    if (id === undefined) return method === 'POST' ? makeUser(asked) : search(asked)
    if (id === 'profile') return { status: 200, body: profile }
    const user = users.get(id)
    if (user === undefined) return NO_USER
    if (part === 'credentials') return ofCredentials(method, user, partId)
    if (method === 'GET') return { status: 200, body: shown(user) }
    if (method === 'PUT') return change(asked, user)
    if (method !== 'DELETE') return { status: 405 }
    users.delete(id)
    return { status: 204 }
  }

  function makeGroup({ body }: Asked): Said {
    const { name } = JSON.parse(body)
    if (groups.has(name))
      return { status: 409, body: { errorMessage: `Top level group named '${name}' already exists.` } }
    groups.add(name)
    return { status: 201, headers: { location: `https://kc/admin/realms/${realm}/groups/${randomUUID()}` } }
  }

  function search({ query }: Asked): Said {
    if (query.get('exact') !== 'true') return { status: 200, body: [...users.values()].map(shown) }
    const found = [...users.values()].filter(
      ({ username, email }) =>
        (query.get('username') ?? username).toLowerCase() === username &&
        (query.get('email') ?? email)?.toLowerCase() === email,
    )
    return { status: 200, body: found.map(shown) }
  }

  function makeUser(asked: Asked): Said {
    const read = representation(asked)
    if ('status' in read) return read
    const { given } = read
    const username = textIn(given, 'username')?.toLowerCase()
    const email = textIn(given, 'email')?.toLowerCase()
    if (username === undefined) return { status: 400, body: { errorMessage: 'User name is missing' } }
    const clash = clashOf(username, email, null)
    if (clash !== null) return clash
    const complaint = complaintOf(given)
    if (complaint !== null) return complaint
    const wanted = listIn(given.groups)
    // Keycloak looks the groups up after it has taken the user, and falls over.
    if (wanted.some((name) => !groups.has(name.replace(/^\//, '')))) return unknownError()
    const credentials = credentialsIn(given)
    if (credentials === null) return unknownError()
    const id = randomUUID()
    users.set(id, {
      id,
      username,
      email,
      firstName: textIn(given, 'firstName'),
      lastName: textIn(given, 'lastName'),
      emailVerified: given.emailVerified === true,
      enabled: given.enabled === true,
      attributes: keptOf(given.attributes),
      groups: wanted,
      credentials: credentials ?? [],
    })
    return { status: 201, headers: { location: `https://kc/admin/realms/${realm}/users/${id}` } }
  }

  function change(asked: Asked, user: SimulatedUser): Said {
    const read = representation(asked)
    if ('status' in read) return read
    const { given } = read
    const username = textIn(given, 'username')?.toLowerCase()
    if (username !== undefined && username !== user.username)
      return said400('username', 'error-user-attribute-read-only', ['username'])
    const email = textIn(given, 'email')?.toLowerCase()
    const clash = email === undefined ? null : clashOf(null, email, user.id)
    const complaint = clash ?? complaintOf(given)
    if (complaint !== null) return complaint
    const credentials = credentialsIn(given)
    if (credentials === null) return unknownError()
    const whole = given.attributes !== undefined
    user.email = email ?? (whole ? undefined : user.email)
    user.firstName = textIn(given, 'firstName') ?? (whole ? undefined : user.firstName)
    user.lastName = textIn(given, 'lastName') ?? (whole ? undefined : user.lastName)
    if (whole) user.attributes = keptOf(given.attributes)
    if (typeof given.enabled === 'boolean') user.enabled = given.enabled
    if (typeof given.emailVerified === 'boolean') user.emailVerified = given.emailVerified
    if (credentials !== undefined && credentials.length > 0) user.credentials = credentials
    return { status: 204 }
  }

  function clashOf(username: string | null, email: string | undefined, but: string | null): Said | null {
    const exists = (what: string): Said => ({
      status: 409,
      body: { errorMessage: `User exists with same ${what}` },
    })
    const holder = email === undefined ? undefined : byEmail(email)
    if (holder !== undefined && holder.id !== but) return exists('email')
    if (username !== null && (byName(username) !== undefined || hookKnows.includes(username)))
      return exists('username')
    return null
  }

  /** What the user profile has, or everything where administrators may set more; the rest goes without a word. */
  function keptOf(given: unknown): Record<string, string[]> {
    const known = new Set(((profile.attributes ?? []) as readonly { name: string }[]).map(({ name }) => name))
    const open =
      profile.unmanagedAttributePolicy === 'ENABLED' || profile.unmanagedAttributePolicy === 'ADMIN_EDIT'
    const kept = Object.entries(isJson(given) ? given : {}).filter(([name]) => open || known.has(name))
    return Object.fromEntries(kept.map(([name, values]) => [name, listIn(values)]))
  }

  const server = await startServer({
    ...rest,
    answer,
    faultAnswer: (status) => ({ status, body: { error: 'unknown_error' } }),
  })
  return {
    ...server,
    realm,
    users,
    groups,
    tokens: () => left.size,
    signIn: async (username, password) => {
      const user = byName(username)
      const credential = user?.credentials.find(({ type }) => type === 'password')
      return user?.enabled === true && credential !== undefined && matches(credential, password)
    },
  }
}

function representation({ body, headers }: Asked): { given: Json } | Said {
  if (headers['content-type'] !== 'application/json') return { status: 415, body: { error: 'HTTP 415' } }
  let given: unknown
  try {
    given = JSON.parse(body)
  } catch {
    return { status: 400, body: { error: 'invalid_request', error_description: 'Cannot parse the JSON' } }
  }
  if (!isJson(given)) return { status: 400, body: { error: 'invalid_request' } }
  const credentials = Array.isArray(given.credentials) ? given.credentials.filter(isJson) : []
  const unknown =
    Object.keys(given).find((name) => !MEMBERS.has(name)) ??
    credentials.flatMap(Object.keys).find((name) => !CREDENTIAL_MEMBERS.has(name))
  if (unknown === undefined) return { given }
  const error = `Invalid json representation for UserRepresentation. Unrecognized field "${unknown}" at line 1 column 9.`
  return { status: 400, body: { error } }
}

function complaintOf(given: Json): Said | null {
  const username = textIn(given, 'username')
  if (username !== undefined && (username.length < 3 || username.length > 255))
    return said400('username', 'error-invalid-length', ['username', 3, 255])
  if (username !== undefined && /[\s!"#$%&'()*,/:;<=>?[\\\]^`{|}~§]/.test(username))
    return said400('username', 'error-username-invalid-character', ['username'])
  const email = textIn(given, 'email')
  if (email !== undefined && !/^[^@\s<>]+@[^@\s<>]+$/.test(email))
    return said400('email', 'error-invalid-email', ['email', email])
  for (const name of ['firstName', 'lastName'])
    if ((textIn(given, name)?.length ?? 0) > 255)
      return said400(name, 'error-invalid-length-too-long', [name, null, 255])
  return null
}

function said400(field: string, errorMessage: string, params: readonly unknown[]): Said {
  return { status: 400, body: { field, errorMessage, params } }
}

function unknownError(): Said {
  const error_description = 'For more on this error consult the server log.'
  return { status: 500, body: { error: 'unknown_error', error_description } }
}

/** undefined: none given; null: they cannot be parsed. Unknown members of the data are an error, unknown algorithms are not. */
function credentialsIn(given: Json): Credential[] | null | undefined {
  if (given.credentials === undefined) return undefined
  const known = {
    secretData: ['value', 'salt', 'additionalParameters'],
    credentialData: ['hashIterations', 'algorithm', 'additionalParameters'],
  }
  const made: Credential[] = []
  for (const credential of given.credentials as Json[]) {
    for (const [name, members] of Object.entries(known)) {
      try {
        const inner: unknown = JSON.parse(String(credential[name]))
        if (!isJson(inner) || Object.keys(inner).some((member) => !members.includes(member))) return null
      } catch {
        return null
      }
    }
    const { type, secretData, credentialData } = credential
    made.push({
      id: randomUUID(),
      type: String(type),
      secretData: String(secretData),
      credentialData: String(credentialData),
    })
  }
  return made
}

function ofCredentials(method: string, user: SimulatedUser, id: string | undefined): Said {
  if (method === 'GET')
    return {
      status: 200,
      body: user.credentials.map(({ id: own, type, credentialData }) => ({ id: own, type, credentialData })),
    }
  user.credentials = user.credentials.filter((credential) => credential.id !== id)
  return { status: 204 }
}

function matches({ secretData, credentialData }: Credential, password: string): boolean {
  const secret = JSON.parse(secretData)
  const data = JSON.parse(credentialData)
  const [salt, value] = [Buffer.from(secret.salt, 'base64'), Buffer.from(secret.value, 'base64')]
  if (salt.length === 0) return false
  const digest = { pbkdf2: 'sha1', 'pbkdf2-sha256': 'sha256', 'pbkdf2-sha512': 'sha512' }[
    data.algorithm as string
  ]
  if (digest !== undefined)
    return pbkdf2Sync(password, salt, data.hashIterations, value.length, digest).equals(value)
  if (data.algorithm !== 'argon2') return false
  const more = (name: string) => data.additionalParameters[name][0]
  const algorithm = ARGON2_TYPES.get(more('type'))
  if (algorithm === undefined) return false
  return hashRawSync(password, {
    algorithm,
    salt,
    version: more('version') === '1.3' ? 1 : 0,
    timeCost: data.hashIterations,
    memoryCost: Number(more('memory')),
    parallelism: Number(more('parallelism')),
    outputLen: Number(more('hashLength')),
  }).equals(value)
}

function shown({ credentials: _, groups: __, ...user }: SimulatedUser): Json {
  return { ...user, createdTimestamp: 0, totp: false, requiredActions: [], notBefore: 0 }
}

function listIn(value: unknown): string[] {
  const values = Array.isArray(value) ? value : [value]
  return values.filter((one) => one !== undefined && one !== '' && typeof one !== 'object').map(String)
}

function textIn(given: Json, name: string): string | undefined {
  const value = given[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
