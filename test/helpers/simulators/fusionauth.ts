// FusionAuth's users as far as they are brought, after https://fusionauth.io/docs/apis/users/import and its neighbours.
import { createHash, createHmac, pbkdf2Sync, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { hashSync, verifySync } from '@node-rs/bcrypt'
import { type Asked, type Said, type ServerOptions, type SimulatorServer, startServer } from './server.ts'

type Json = Record<string, unknown>

export interface SimulatedUser extends Json {
  readonly id: string
  active: boolean
}

export interface FusionAuthOptions extends Partial<Omit<ServerOptions, 'answer' | 'faultAnswer'>> {
  readonly key?: string
  readonly tenants?: readonly string[]
  readonly applications?: readonly string[]
  readonly connectors?: readonly string[]
  readonly verifyEmail?: boolean
  /** Paths that the key may not call. */
  readonly forbidden?: RegExp
  /** What an import takes. Another one in this time is refused. */
  readonly importMs?: number
}

export interface FusionAuthSimulator extends SimulatorServer {
  readonly users: Map<string, SimulatedUser>
  /** Users of each import that was taken. */
  readonly imports: number[]
  signIn(loginId: string, password: string): boolean
}

const MEMBERS = new Set([
  ...[
    'active',
    'birthDate',
    'data',
    'email',
    'encryptionScheme',
    'expiry',
    'factor',
    'firstName',
    'fullName',
    'id',
  ],
  ...[
    'imageUrl',
    'insertInstant',
    'lastName',
    'memberships',
    'middleName',
    'mobilePhone',
    'password',
    'phoneNumber',
  ],
  ...['passwordChangeReason', 'passwordChangeRequired', 'passwordLastUpdateInstant', 'preferredLanguages'],
  ...['registrations', 'salt', 'tenantId', 'timezone', 'twoFactor', 'username', 'usernameStatus', 'verified'],
])

const SECRETS = ['password', 'salt', 'factor', 'encryptionScheme']

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** password, salt, factor: as the page of the constructions has them. */
const schemes: Record<string, (password: string, salt: Buffer, factor: number) => Buffer> = {
  'salted-md5': rounds('md5'),
  'salted-sha256': rounds('sha256'),
  'salted-hmac-sha256': (password, salt) => createHmac('sha256', salt).update(password).digest(),
  'salted-pbkdf2-hmac-sha256': (password, salt, factor) => pbkdf2Sync(password, salt, factor, 32, 'sha256'),
  'salted-pbkdf2-hmac-sha256-512': (password, salt, factor) =>
    pbkdf2Sync(password, salt, factor, 64, 'sha256'),
  'salted-pbkdf2-hmac-sha512-512': (password, salt, factor) =>
    pbkdf2Sync(password, salt, factor, 64, 'sha512'),
}

function rounds(algorithm: string) {
  return (password: string, salt: Buffer, factor: number) => {
    let result = Buffer.concat([Buffer.from(password, 'utf8'), salt])
    for (let count = 0; count < factor; count++) result = createHash(algorithm).update(result).digest()
    return result
  }
}

export async function startFusionAuth(options: FusionAuthOptions = {}): Promise<FusionAuthSimulator> {
  const {
    key = 'the-api-key',
    tenants = [randomUUID()],
    applications = [],
    connectors = [],
    verifyEmail = false,
    forbidden,
    importMs = 0,
    ...rest
  } = options
  const users = new Map<string, SimulatedUser>()
  const imports: number[] = []
  let importing = false

  async function answer(asked: Asked): Promise<Said> {
    const { method, path, query, headers } = asked
    if (headers.authorization !== key || forbidden?.test(path)) return { status: 401 }
    const tenant = headers['x-fusionauth-tenantid']
    if (tenant !== undefined && !tenants.includes(String(tenant)))
      return general('[invalid]X-FusionAuth-TenantId')
    const [, api, room = '', id, ...more] = path.split('/')
    if (api !== 'api' || more.length > 0) return { status: 404 }
    if (room === 'tenant')
      return id !== undefined && tenants.includes(id)
        ? { status: 200, body: { tenant: { id, emailConfiguration: { verifyEmail } } } }
        : { status: 404 }
    if (room === 'application')
      return id !== undefined && applications.includes(id)
        ? { status: 200, body: { application: { id } } }
        : { status: 404 }
    if (room === 'connector')
      return { status: 200, body: { connectors: connectors.map((type) => ({ id: randomUUID(), type })) } }
    if (room !== 'user' || id === undefined) return { status: 404 }
    if (tenants.length > 1 && tenant === undefined) return general('[TenantIdRequired]')
    if (id === 'import') return method === 'POST' ? bulk(asked) : { status: 405 }
    if (id === 'search') return search(asked)
    const user = users.get(id.toLowerCase())
    if (user === undefined) return { status: 404 }
    if (method === 'DELETE') {
      if (query.get('hardDelete') === 'true') users.delete(user.id)
      else user.active = false
      return { status: 200 }
    }
    if (method === 'PUT' && query.get('reactivate') === 'true') user.active = true
    else if (method === 'PATCH') return patch(asked, user)
    else if (method !== 'GET') return { status: 405 }
    return { status: 200, body: { user: shown(user) } }
  }

  async function bulk(asked: Asked): Promise<Said> {
    // What really becomes of a second one is not said; that it must not be made is.
    if (importing) return { status: 500 }
    importing = true
    try {
      if (importMs > 0) await sleep(importMs)
      return take(asked)
    } finally {
      importing = false
    }
  }

  /** All of them or none. */
  function take({ body, headers }: Asked): Said {
    if (headers['content-type'] !== 'application/json') return { status: 415 }
    const { users: given, validateDbConstraints: validates = false, ...unknown } = JSON.parse(body) as Json
    if (Object.keys(unknown).length > 0 || !Array.isArray(given)) return general('[invalidJSON]')
    const seen = new Set<string>()
    const made: SimulatedUser[] = []
    for (const user of given as Json[]) {
      const complaint = complaintOf(user, seen, validates === true)
      if (complaint !== null) return complaint
      const id = String(user.id ?? randomUUID()).toLowerCase()
      made.push({ verified: false, ...user, id, active: user.active === true })
    }
    for (const user of made) users.set(user.id, user)
    imports.push(made.length)
    return { status: 200 }
  }

  function complaintOf(user: Json, seen: Set<string>, validates: boolean): Said | null {
    if (Object.keys(user).some((name) => !MEMBERS.has(name))) return general('[invalidJSON]')
    if (user.email === undefined && user.username === undefined) return field('user.email', '[blank]')
    for (const name of ['id', 'email', 'username']) {
      const value = user[name]
      if (value === undefined) continue
      const one = `${name} ${String(value).toLowerCase()}`
      const taken = [...users.values()].some(
        (other) => String(other[name] ?? '').toLowerCase() === String(value).toLowerCase(),
      )
      if (taken && !validates) return { status: 500 }
      if (taken || seen.has(one))
        return field(`user.${name}`, '[duplicate]', `A User with ${name} = [${value}] already exists.`)
      seen.add(one)
    }
    if (user.id !== undefined && !UUID.test(String(user.id))) return general('[invalidJSON]')
    if (user.email !== undefined && !/^[^@\s]+@[^@\s]+$/.test(String(user.email)))
      return field('user.email', '[notEmail]')
    if (user.birthDate !== undefined && !/^\d{4}-\d\d-\d\d$/.test(String(user.birthDate)))
      return general('[invalidJSON]')
    for (const { applicationId } of (user.registrations ?? []) as { applicationId: string }[])
      if (!applications.includes(applicationId))
        return field('user.registrations[0].applicationId', '[invalid]')
    return user.encryptionScheme === undefined ? null : passwordComplaint(user)
  }

  function patch({ body, headers }: Asked, user: SimulatedUser): Said {
    // With plain JSON some lists are appended to: nobody should want that.
    if (headers['content-type'] !== 'application/merge-patch+json') return { status: 415 }
    const { user: given } = JSON.parse(body) as { user: Json }
    if (Object.keys(given).some((name) => !MEMBERS.has(name))) return general('[invalidJSON]')
    if ('password' in given) return field('user.password', '[invalid]')
    const taken = [...users.values()].find(
      (other) => other !== user && given.email !== undefined && other.email === given.email,
    )
    if (taken !== undefined)
      return field('user.email', '[duplicate]', `A User with email = [${given.email}] already exists.`)
    // `active` is no part of an update.
    const { active: _, ...changes } = given
    merge(user, changes)
    return { status: 200, body: { user: shown(user) } }
  }

  function search({ body, method }: Asked): Said {
    if (method !== 'POST') return { status: 405 }
    const { search: asked } = JSON.parse(body) as { search: { ids: string[] } }
    const found = asked.ids.flatMap((id) => users.get(id.toLowerCase()) ?? [])
    return {
      status: 200,
      body: { total: found.length, ...(found.length > 0 && { users: found.map(shown) }) },
    }
  }

  const server = await startServer({ ...rest, answer, faultAnswer: (status) => ({ status }) })
  return {
    ...server,
    users,
    imports,
    signIn: (loginId, password) => {
      const user = [...users.values()].find((one) =>
        [one.email, one.username].some((name) => String(name ?? '').toLowerCase() === loginId.toLowerCase()),
      )
      return user?.active === true && matches(user, password)
    },
  }
}

function merge(into: Json, from: Json): void {
  for (const [name, value] of Object.entries(from)) {
    const there = into[name]
    if (value === null) delete into[name]
    else if (isJson(value) && isJson(there)) merge(there, value)
    else into[name] = value
  }
}

function passwordComplaint({ encryptionScheme, salt, password, factor }: Json): Said | null {
  const scheme = String(encryptionScheme)
  if (scheme === 'bcrypt') {
    const whole = /^[./A-Za-z0-9]{22}$/.test(String(salt)) && /^[./A-Za-z0-9]{31}$/.test(String(password))
    return whole && typeof factor === 'number' ? null : field('user.password', '[invalid]')
  }
  if (!Object.hasOwn(schemes, scheme)) return field('user.encryptionScheme', '[invalid]')
  if (typeof salt !== 'string' || !BASE64.test(salt)) return field('user.salt', '[invalid]')
  if (typeof password !== 'string' || !BASE64.test(password)) return field('user.password', '[invalid]')
  return typeof factor === 'number' && factor > 0 ? null : field('user.factor', '[invalid]')
}

function matches({ encryptionScheme, salt, password: stored, factor }: Json, password: string): boolean {
  if (encryptionScheme === 'bcrypt')
    return verifySync(password, `$2a$${String(factor).padStart(2, '0')}$${salt}${stored}`)
  const scheme = schemes[String(encryptionScheme)]
  if (scheme === undefined) return false
  const made = scheme(password, Buffer.from(String(salt), 'base64'), Number(factor))
  return made.toString('base64') === stored
}

/** A bcrypt hash as an old system has it. */
export function bcryptOf(password: string): {
  readonly salt: string
  readonly digest: string
  readonly cost: number
} {
  const whole = hashSync(password, 4)
  return { cost: 4, salt: whole.slice(7, 29), digest: whole.slice(29) }
}

function shown(user: SimulatedUser): Json {
  return Object.fromEntries(Object.entries(user).filter(([name]) => !SECRETS.includes(name)))
}

function general(code: string): Said {
  return { status: 400, body: { fieldErrors: {}, generalErrors: [{ code, message: 'Invalid.' }] } }
}

function field(name: string, code: string, message = 'Invalid.'): Said {
  return {
    status: 400,
    body: { fieldErrors: { [name]: [{ code: `${code}${name}`, message }] }, generalErrors: [] },
  }
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
