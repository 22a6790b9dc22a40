import { createHash, createHmac, pbkdf2Sync, randomUUID, scryptSync } from 'node:crypto'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'
import { verify as verifyArgon2 } from 'argon2'
import {
  type Asked,
  createWindow,
  type Faults,
  type RateWindow,
  type Said,
  type SimulatorServer,
  startServer,
} from './server.ts'

// As strict as https://auth0.com/docs/manage-users/user-migration/bulk-user-imports and its schema page say the real one is.

const MOST_FILE_BYTES = 500_000
const MOST_ACTIVE_JOBS = 2

type Members = Record<string, unknown>

export interface Auth0User extends Members {
  readonly user_id: string
}

export interface Auth0Options {
  readonly clientId?: string
  readonly clientSecret?: string
  readonly connection?: {
    readonly id: string
    readonly name: string
    readonly strategy?: string
    readonly options?: Members
  }
  /** What the token may do; reading connections can be left out. */
  readonly mayReadConnections?: boolean
  /** From the request to the end of a job, in milliseconds. */
  readonly jobMs?: number
  /** Calls of a minute. */
  readonly limit?: number
  readonly windowMs?: number
  readonly latencyMs?: number
  readonly faults?: Faults
  readonly seed?: number
  /** Jobs that end as failed, by their number from 1 on. */
  readonly failingJobs?: (number: number, users: number) => boolean
  /** Says errors without the user, as nobody should. */
  readonly namelessErrors?: boolean
}

interface Job {
  readonly id: string
  readonly number: number
  readonly connectionId: string
  readonly externalId: string | undefined
  readonly upsert: boolean
  readonly text: string
  readonly endsAt: number
  status: 'pending' | 'completed' | 'failed'
  summary: { failed: number; updated: number; inserted: number; total: number }
  errors: Members[]
}

export interface Auth0Simulator {
  readonly server: SimulatorServer
  readonly window: RateWindow
  users(): readonly Auth0User[]
  user(id: string): Auth0User | undefined
  add(user: Auth0User): void
  jobs(): readonly { bytes: number; users: number; externalId: string | undefined; upsert: boolean }[]
  mostActiveJobs(): number
  /** Whether somebody would be let in; the hash is then Auth0's own, as after a real sign-in. */
  signIn(email: string, password: string): Promise<boolean>
  /** Every token that was given ends. */
  endTokens(): void
  close(): Promise<void>
}

export async function startAuth0(options: Auth0Options = {}): Promise<Auth0Simulator> {
  const {
    clientId = 'client-1',
    clientSecret = 'a client secret',
    connection = { id: 'con_abc123', name: 'Users' },
  } = options
  const users = new Map<string, Members>()
  const signedIn = new Set<string>()
  const jobs: Job[] = []
  const tokens = new Set<string>()
  let mostActive = 0
  const window = createWindow(options.limit ?? 100_000, options.windowMs)

  const server = await startServer({
    answer,
    faultAnswer: (status) => ({ status, body: problem(status, 'a simulated fault') }),
    latencyMs: options.latencyMs ?? 0,
    faults: options.faults ?? {},
    seed: options.seed ?? 1,
  })

  function answer(asked: Asked): Said {
    settleJobs()
    if (asked.path === '/oauth/token') return token(asked)
    if (!asked.path.startsWith('/api/v2/')) return { status: 404, body: problem(404, 'Not Found') }
    const { allowed, limit, remaining, resetAt } = window.take()
    const headers = {
      'x-ratelimit-limit': String(limit),
      'x-ratelimit-remaining': String(remaining),
      'x-ratelimit-reset': String(Math.ceil(resetAt / 1000)),
    }
    if (!allowed)
      return {
        status: 429,
        headers,
        body: problem(429, 'Global limit has been reached', 'too_many_requests'),
      }
    const [, bearer = ''] = /^Bearer (.+)$/.exec(asked.headers.authorization ?? '') ?? []
    if (!tokens.has(bearer)) return { status: 401, headers, body: problem(401, 'Invalid token') }
    const said = route(asked)
    return { ...said, headers: { ...headers, ...said.headers } }
  }

  function token({ method, headers, body }: Asked): Said {
    if (method !== 'POST' || headers['content-type'] !== 'application/json') return { status: 404 }
    const given = JSON.parse(body)
    if (given.grant_type !== 'client_credentials')
      return { status: 403, body: { error: 'unsupported_grant_type' } }
    if (given.client_id !== clientId || given.client_secret !== clientSecret)
      return { status: 401, body: { error: 'access_denied', error_description: 'Unauthorized' } }
    if (given.audience !== `${server.url}/api/v2/`)
      return { status: 403, body: { error: 'access_denied', error_description: 'Service not enabled' } }
    const made = randomUUID()
    tokens.add(made)
    return { status: 200, body: { access_token: made, token_type: 'Bearer', expires_in: 86_400 } }
  }

  function route(asked: Asked): Said {
    const { method, path } = asked
    const parts = path
      .slice('/api/v2/'.length)
      .split('/')
      .map((part) => decodeURIComponent(part))
    const [first, second, third] = parts
    if (method === 'POST' && path === '/api/v2/jobs/users-imports') return startJob(asked)
    if (method === 'GET' && first === 'jobs' && second !== undefined && parts.length <= 3)
      return jobAnswer(second, third)
    if (first === 'users' && second !== undefined && parts.length === 2) return userAnswer(asked, second)
    if (method === 'GET' && first === 'connections' && second !== undefined && parts.length === 2) {
      if (options.mayReadConnections === false)
        return { status: 403, body: problem(403, 'Insufficient scope', 'insufficient_scope') }
      if (second !== connection.id)
        return { status: 404, body: problem(404, 'The connection does not exist', 'inexistent_connection') }
      return {
        status: 200,
        body: {
          id: connection.id,
          name: connection.name,
          strategy: connection.strategy ?? 'auth0',
          options: connection.options ?? {},
        },
      }
    }
    return { status: 404, body: problem(404, 'Not Found') }
  }

  function startJob({ headers, body }: Asked): Said {
    const form = parsedForm(headers['content-type'] ?? '', body)
    const allowed = ['users', 'connection_id', 'upsert', 'external_id', 'send_completion_email']
    if (form === null || [...form.keys()].some((name) => !allowed.includes(name)))
      return { status: 400, body: problem(400, 'Payload validation error', 'invalid_body') }
    const file = form.get('users')
    const connectionId = form.get('connection_id')?.text
    if (file === undefined || !file.isFile || connectionId === undefined)
      return { status: 400, body: problem(400, 'Payload validation error', 'invalid_body') }
    if (Buffer.byteLength(file.text) > MOST_FILE_BYTES)
      return { status: 413, body: problem(413, 'Users file is too large') }
    if (connectionId !== connection.id)
      return { status: 400, body: problem(400, 'The connection does not exist', 'inexistent_connection') }
    const active = jobs.filter(({ status }) => status === 'pending').length
    if (active >= MOST_ACTIVE_JOBS)
      return {
        status: 429,
        body: problem(
          429,
          'There are 2 active import users jobs, please wait until some of them are finished and try again',
        ),
      }
    mostActive = Math.max(mostActive, active + 1)
    const job: Job = {
      id: `job_${randomUUID().slice(0, 16)}`,
      number: jobs.length + 1,
      connectionId,
      externalId: form.get('external_id')?.text,
      upsert: form.get('upsert')?.text === 'true',
      text: file.text,
      endsAt: Date.now() + (options.jobMs ?? 0),
      status: 'pending',
      summary: { failed: 0, updated: 0, inserted: 0, total: 0 },
      errors: [],
    }
    jobs.push(job)
    return {
      status: 202,
      body: {
        ...described(job),
        upsert: job.upsert,
        send_completion_email: form.get('send_completion_email')?.text !== 'false',
      },
    }
  }

  function settleJobs() {
    for (const job of jobs) if (job.status === 'pending' && job.endsAt <= Date.now()) runJob(job)
  }

  function runJob(job: Job) {
    let list: unknown
    try {
      list = JSON.parse(job.text)
    } catch {
      list = null
    }
    if (!Array.isArray(list) || options.failingJobs?.(job.number, list.length) === true) {
      job.status = 'failed'
      return
    }
    const seen = new Set<string>()
    for (const user of list) {
      const error = importUser(user, job.upsert, seen, job.summary)
      if (error !== null) {
        job.summary.failed++
        job.errors.push({ user: options.namelessErrors ? {} : redacted(user), errors: [error] })
      }
    }
    job.summary.total = list.length
    job.status = 'completed'
  }

  function importUser(user: Members, upsert: boolean, seen: Set<string>, summary: Job['summary']) {
    const error = schemaError(user, connection.options?.requires_username === true)
    if (error !== null) return error
    const email = String(user.email).toLowerCase()
    if (seen.has(email)) return fault('DUPLICATED_USER', 'The user is twice in the file', 'email')
    seen.add(email)
    const userId = `auth0|${user.user_id ?? randomUUID()}`
    const byEmail = [...users.values()].find((known) => known.email === email)
    if (upsert && byEmail !== undefined) {
      upsertUser(byEmail, user)
      summary.updated++
      return null
    }
    if (users.has(userId)) return fault('DUPLICATED_USER', 'The user already exists.', 'user_id')
    if (byEmail !== undefined) return fault('CONFLICT_EMAIL', `The email ${email} is in use.`, 'email')
    if (user.username !== undefined && [...users.values()].some((known) => known.username === user.username))
      return fault('CONFLICT_USERNAME', 'The username is in use.', 'username')
    users.set(userId, { email_verified: false, ...user, email, user_id: userId })
    summary.inserted++
    return null
  }

  /** Not e-mail, names of login, `blocked` and ids: the page's column "Upsert During Import". */
  function upsertUser(known: Members, user: Members) {
    const names = ['app_metadata', 'user_metadata', 'email_verified', 'family_name', 'given_name', 'name']
    for (const name of [...names, 'nickname', 'picture']) if (name in user) known[name] = user[name]
    if ('custom_password_hash' in user && !signedIn.has(String(known.user_id)))
      known.custom_password_hash = user.custom_password_hash
  }

  function jobAnswer(id: string, part: string | undefined): Said {
    const job = jobs.find((one) => one.id === id)
    if (job === undefined || (part !== undefined && part !== 'errors'))
      return { status: 404, body: problem(404, 'The job does not exist', 'inexistent_job') }
    if (part === 'errors')
      return job.errors.length === 0 ? { status: 204 } : { status: 200, body: job.errors }
    return {
      status: 200,
      body: { ...described(job), ...(job.status === 'completed' && { summary: job.summary }) },
    }
  }

  function userAnswer({ method, body, headers }: Asked, id: string): Said {
    const known = users.get(id)
    if (method === 'DELETE') {
      users.delete(id)
      return { status: 204 }
    }
    if (known === undefined)
      return { status: 404, body: problem(404, 'The user does not exist.', 'inexistent_user') }
    const { custom_password_hash: _hash, ...shown } = known
    if (method === 'GET') return { status: 200, body: shown }
    if (method !== 'PATCH' || headers['content-type'] !== 'application/json') return { status: 404 }
    const given: Members = JSON.parse(body)
    const allowed = [
      ...['blocked', 'email_verified', 'email', 'verify_email', 'given_name', 'family_name', 'name'],
      ...['nickname', 'picture', 'user_metadata', 'app_metadata', 'connection', 'username', 'password'],
    ]
    const stranger = Object.keys(given).find((name) => !allowed.includes(name))
    if (stranger !== undefined || Object.keys(given).length === 0)
      return {
        status: 400,
        body: problem(400, `Payload validation error: additional property '${stranger}'`, 'invalid_body'),
      }
    if ('email' in given) {
      if (given.connection !== connection.name)
        return { status: 400, body: problem(400, 'The connection must be named', 'invalid_body') }
      const email = String(given.email).toLowerCase()
      if ([...users.values()].some((other) => other !== known && other.email === email))
        return {
          status: 400,
          body: problem(400, 'The specified new email already exists', 'auth0_idp_error'),
        }
    }
    for (const [name, value] of Object.entries(given)) {
      if (name === 'user_metadata' || name === 'app_metadata') known[name] = merged(known[name], value)
      else if (name !== 'connection' && name !== 'verify_email')
        known[name] = name === 'email' ? String(value).toLowerCase() : value
    }
    return { status: 200, body: shown }
  }

  return {
    server,
    window,
    users: () => [...users.values()].map(named),
    user: (id) => {
      const found = users.get(id)
      return found === undefined ? undefined : named(found)
    },
    add: (user) => {
      users.set(user.user_id, { ...user })
    },
    jobs: () =>
      jobs.map(({ text, externalId, upsert }) => ({
        bytes: Buffer.byteLength(text),
        users: (JSON.parse(text) as unknown[]).length,
        externalId,
        upsert,
      })),
    mostActiveJobs: () => mostActive,
    signIn: async (email, password) => {
      const known = [...users.values()].find((user) => user.email === email.toLowerCase())
      if (known === undefined || known.blocked === true) return false
      const hash = known.custom_password_hash
      const right = isMembers(hash) && (await matches(hash, password))
      if (right) signedIn.add(String(known.user_id))
      return right
    },
    endTokens: () => tokens.clear(),
    close: () => server.close(),
  }
}

const named = (user: Members): Auth0User => ({ ...user, user_id: String(user.user_id) })

function described({ id, status, connectionId, externalId }: Job): Members {
  return {
    status,
    type: 'users_import',
    created_at: new Date().toISOString(),
    id,
    connection_id: connectionId,
    ...(externalId !== undefined && { external_id: externalId }),
  }
}

function problem(statusCode: number, message: string, errorCode?: string): Members {
  return { statusCode, error: 'Error', message, ...(errorCode !== undefined && { errorCode }) }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function merged(known: unknown, given: unknown): Members {
  const all = { ...(isMembers(known) ? known : {}), ...(isMembers(given) ? given : {}) }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null))
}

function redacted(user: Members): Members {
  const hash = user.custom_password_hash
  if (!isMembers(hash) || !isMembers(hash.hash)) return user
  return { ...user, custom_password_hash: { ...hash, hash: { ...hash.hash, value: '*****' } } }
}

function parsedForm(
  contentType: string,
  body: string,
): Map<string, { text: string; isFile: boolean }> | null {
  const [, boundary] = /^multipart\/form-data; boundary=([^\s;]{1,70})$/.exec(contentType) ?? []
  if (boundary === undefined) return null
  const pieces = body.split(`--${boundary}`)
  if (pieces[0] !== '' || pieces.at(-1) !== '--\r\n') return null
  const form = new Map<string, { text: string; isFile: boolean }>()
  for (const piece of pieces.slice(1, -1)) {
    const gap = piece.indexOf('\r\n\r\n')
    if (gap < 0 || !piece.startsWith('\r\n') || !piece.endsWith('\r\n')) return null
    const head = piece.slice(2, gap)
    const [, name] = /^content-disposition: form-data; name="([a-z_]+)"/i.exec(head) ?? []
    if (name === undefined || form.has(name)) return null
    form.set(name, { text: piece.slice(gap + 4, -2), isFile: head.includes('; filename="') })
  }
  return form
}

const fault = (code: string, message: string, path: string) => ({ code, message, path })

const TYPES: Readonly<Record<string, 'string' | 'boolean' | 'object' | 'array'>> = {
  email: 'string',
  email_verified: 'boolean',
  user_id: 'string',
  username: 'string',
  given_name: 'string',
  family_name: 'string',
  name: 'string',
  nickname: 'string',
  picture: 'string',
  blocked: 'boolean',
  password_hash: 'string',
  custom_password_hash: 'object',
  app_metadata: 'object',
  user_metadata: 'object',
  mfa_factors: 'array',
}

function schemaError(user: unknown, requiresUsername: boolean) {
  if (!isMembers(user)) return fault('INVALID_TYPE', 'Expected type object', '')
  for (const [name, value] of Object.entries(user)) {
    const type = TYPES[name]
    if (type === undefined)
      return fault('OBJECT_ADDITIONAL_PROPERTIES', `Additional properties not allowed: ${name}`, name)
    const is = Array.isArray(value) ? 'array' : typeof value
    if (value === null || is !== type) return fault('INVALID_TYPE', `Expected type ${type}`, name)
  }
  if (user.email === undefined)
    return fault('OBJECT_MISSING_REQUIRED_PROPERTY', 'Missing required property: email', 'email')
  if (!/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(String(user.email)))
    return fault('FORMAT', `Object didn't pass validation for format email: ${user.email}`, 'email')
  if (requiresUsername && user.username === undefined)
    return fault('OBJECT_MISSING_REQUIRED_PROPERTY', 'Missing required property: username', 'username')
  const reserved =
    isMembers(user.app_metadata) &&
    ['blocked', 'user_id', 'email', '_id'].find((name) => name in (user.app_metadata as Members))
  if (reserved) return fault('NOT_PASSED', 'A name of app_metadata is reserved', 'app_metadata')
  return isMembers(user.custom_password_hash) ? hashError(user.custom_password_hash) : null
}

/** The section "Supported hash algorithms" of the schema page, sentence by sentence. */
function hashError(given: Members) {
  const wrong = (path: string) => fault('NOT_PASSED', 'Invalid password hash', `custom_password_hash${path}`)
  const members = ['algorithm', 'hash', 'salt', 'password', 'keylen', 'cost', 'blockSize', 'parallelization']
  if (Object.keys(given).some((name) => !members.includes(name))) return wrong('')
  const { algorithm, hash, salt, keylen, cost = 16_384 } = given
  if (!isMembers(hash) || typeof hash.value !== 'string') return wrong('.hash')
  const binary = hash.encoding === 'hex' || hash.encoding === 'base64'
  if (salt !== undefined && (!isMembers(salt) || typeof salt.value !== 'string')) return wrong('.salt')
  switch (algorithm) {
    case 'argon2':
      return hash.encoding === 'utf8' &&
        salt === undefined &&
        /^\$argon2(id|i)\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$/.test(hash.value)
        ? null
        : wrong('.hash.value')
    case 'pbkdf2':
      return hash.encoding === 'utf8' &&
        salt === undefined &&
        /^\$pbkdf2-(sha1|sha256|sha512)\$i=\d+,l=\d+\$[A-Za-z0-9+/]*\$[A-Za-z0-9+/]+$/.test(hash.value)
        ? null
        : wrong('.hash.value')
    case 'bcrypt':
      return hash.encoding === 'utf8' && /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash.value)
        ? null
        : wrong('.hash.value')
    case 'md5':
    case 'sha1':
    case 'sha256':
    case 'sha512':
      return binary ? null : wrong('.hash.encoding')
    case 'hmac':
      return binary &&
        typeof hash.digest === 'string' &&
        isMembers(hash.key) &&
        typeof hash.key.value === 'string'
        ? null
        : wrong('.hash')
    case 'scrypt':
      return binary &&
        Number.isInteger(keylen) &&
        Number(keylen) > 0 &&
        Number.isInteger(Math.log2(Number(cost)))
        ? null
        : wrong('')
    default:
      return fault('ENUM_MISMATCH', `No enum match for: ${algorithm}`, 'custom_password_hash.algorithm')
  }
}

function bytesOf(given: unknown): Buffer {
  if (!isMembers(given)) return Buffer.alloc(0)
  const encoding = given.encoding === 'hex' || given.encoding === 'base64' ? given.encoding : 'utf8'
  return Buffer.from(String(given.value), encoding)
}

/** Reads the notation anew: nothing of the program that wrote it is used. */
async function matches(given: Members, password: string): Promise<boolean> {
  const hash = given.hash as Members
  const value = String(hash.value)
  const text = Buffer.from(password)
  const algorithm = String(given.algorithm)
  switch (algorithm) {
    case 'argon2':
      return verifyArgon2(value, password)
    case 'bcrypt':
      return verifyBcrypt(password, value)
    case 'pbkdf2': {
      const [, digest = '', rounds, length, salt = '', key = ''] =
        /^\$pbkdf2-([a-z0-9]+)\$i=(\d+),l=(\d+)\$([^$]*)\$([^$]+)$/.exec(value) ?? []
      const derived = pbkdf2Sync(text, Buffer.from(salt, 'base64'), Number(rounds), Number(length), digest)
      return derived.equals(Buffer.from(key, 'base64'))
    }
    case 'scrypt': {
      const { keylen, cost, blockSize, parallelization } = given
      const settings = {
        N: Number(cost ?? 16_384),
        r: Number(blockSize ?? 8),
        p: Number(parallelization ?? 1),
        maxmem: 256 * 1024 * 1024,
      }
      return scryptSync(text, bytesOf(given.salt), Number(keylen), settings).equals(bytesOf(hash))
    }
    case 'hmac':
      return createHmac(String(hash.digest), bytesOf(hash.key)).update(text).digest().equals(bytesOf(hash))
    default: {
      const salt = bytesOf(given.salt)
      const after = isMembers(given.salt) && given.salt.position === 'suffix'
      const whole = Buffer.concat(after ? [text, salt] : [salt, text])
      return createHash(algorithm).update(whole).digest().equals(bytesOf(hash))
    }
  }
}
