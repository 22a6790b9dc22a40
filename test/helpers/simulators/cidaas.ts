import { createHash, randomUUID } from 'node:crypto'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'
import { verify as verifyArgon2 } from 'argon2'
import { type Asked, type Faults, type Said, type SimulatorServer, startServer } from './server.ts'

// https://docs.cidaas.com/integration/api/user-migration/migrate-users-entities and the OpenAPI file behind it.

type Members = Record<string, unknown>

export interface CidaasOptions {
  /** Scopes of the app. */
  readonly scopes?: readonly string[]
  readonly migrationMode?: boolean
  /** Users in a request; above it 413. */
  readonly most?: number
  /** Custom fields of the field setup; others are left out without a word. */
  readonly customFields?: readonly string[]
  /** In which shape the states come; nobody has published it. */
  readonly answers?: 'bare' | 'wrapped' | 'shuffled' | 'nameless' | 'empty'
  readonly faults?: Faults
  readonly latencyMs?: number
}

export interface CidaasSimulator {
  readonly server: SimulatorServer
  users(): readonly Members[]
  user(sub: string): Members | undefined
  add(user: Members): void
  /** Users of each request that was taken. */
  batches(): readonly number[]
  signIn(email: string, password: string): Promise<boolean>
  endTokens(): void
  close(): Promise<void>
}

const TEXTS = [
  ...['sub', 'identityId', 'userStatus', 'user_status_reason', 'username', 'email', 'mobile_number'],
  ...['phone_number', 'given_name', 'family_name', 'middle_name', 'nickname', 'gender', 'birthdate'],
  ...['locale', 'profile', 'picture', 'website', 'zoneinfo', 'provider', 'providerUserId'],
  ...['createdTime', 'lastLoggedInTime'],
]
const OBJECTS = ['address', 'customFields', 'password_hash_info']
const STATUSES = ['VERIFIED', 'PENDING', 'DELETED', 'DECLINED', 'LOCKED', 'COMBINED']

export async function startCidaas(options: CidaasOptions = {}): Promise<CidaasSimulator> {
  const users = new Map<string, Members>()
  const tokens = new Set<string>()
  const batches: number[] = []
  const { scopes = ['cidaas:bulk_user_create'], customFields = [], answers = 'bare' } = options

  const server = await startServer({
    answer,
    faultAnswer: (status) => ({ status, body: failure(status, '00000', 'a simulated fault') }),
    faults: options.faults ?? {},
    latencyMs: options.latencyMs ?? 0,
  })

  function answer({ method, path, headers, body }: Asked): Said {
    if (method === 'POST' && path === '/token-srv/token') return token(headers['content-type'], body)
    if (method !== 'POST' || path !== '/users-srv/user/bulk')
      return { status: 404, body: failure(404, '00404', 'not found') }
    const [, bearer = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? []
    if (!tokens.has(bearer)) return { status: 401, body: failure(401, '00401', 'invalid access token') }
    if (!scopes.includes('cidaas:bulk_user_create'))
      return { status: 403, body: failure(403, '00403', 'scope is missing') }
    if (headers['content-type'] !== 'application/json')
      return { status: 400, body: failure(400, '00400', 'expected JSON') }
    return bulk(JSON.parse(body))
  }

  function token(contentType: string | undefined, body: string): Said {
    const form = new URLSearchParams(body)
    if (
      contentType !== 'application/x-www-form-urlencoded' ||
      form.get('grant_type') !== 'client_credentials'
    )
      return { status: 400, body: { error: 'invalid_request' } }
    if (form.get('client_id') !== 'app-1' || form.get('client_secret') !== 'a secret & more')
      return {
        status: 401,
        body: { success: false, status: 401, error: { code: 6007, error: 'invalid client' } },
      }
    if (form.get('scope') !== 'cidaas:bulk_user_create')
      return { status: 400, body: { error: 'invalid_scope' } }
    const made = randomUUID()
    tokens.add(made)
    return { status: 200, body: { access_token: made, token_type: 'Bearer', expires_in: 3600 } }
  }

  function bulk(list: unknown): Said {
    if (!Array.isArray(list) || list.length === 0)
      return { status: 400, body: failure(400, '00400', 'at least one user is required') }
    if (list.length > (options.most ?? 1000))
      return { status: 413, body: failure(413, '00413', 'too many users') }
    const wrong = list.map(formError).find((error) => error !== null)
    // One of them spoils all: "Else the API will return a BAD_REQUEST".
    if (wrong) return { status: wrong.status, body: failure(wrong.status, wrong.code, wrong.text) }
    batches.push(list.length)
    return { status: 200, body: phrased(list.map(take)) }
  }

  function formError(user: unknown): { status: number; code: string; text: string } | null {
    if (!isMembers(user)) return { status: 400, code: '00400', text: 'a user is an object' }
    for (const [name, value] of Object.entries(user)) {
      const right = TEXTS.includes(name)
        ? typeof value === 'string'
        : OBJECTS.includes(name) && isMembers(value)
      if (!right) return { status: 417, code: '01231', text: `invalid datatype of ${name}` }
    }
    if (user.provider !== 'self' || !STATUSES.includes(String(user.userStatus)))
      return { status: 417, code: '01231', text: 'invalid value' }
    if (user.email === undefined && user.username === undefined && user.mobile_number === undefined)
      return { status: 400, code: '01230', text: 'missing required fields to create entity user' }
    return null
  }

  function take(given: Members): Members {
    const identifier = { ...(given.email !== undefined && { email: given.email }) }
    const fail = (message: string, code?: number) => ({
      sub: 'ANONYMOUS',
      identifier,
      state: 'FAILED',
      ...(code !== undefined && { code }),
      message,
    })
    const email = String(given.email ?? '').toLowerCase()
    if (/@(mailinator|yopmail)\.com$/.test(email)) return fail('invalid email passed', 507)
    const known = users.get(String(given.sub))
    const other = [...users.values()].find((user) => user.email === email && user.sub !== given.sub)
    if (email !== '' && other !== undefined) return fail('user already exists with this identifier')
    const info = given.password_hash_info
    if (isMembers(info)) {
      if (!isKnownHash(info)) return fail('unknown hash algorithm')
      if (known?.password_hash_info !== undefined && options.migrationMode !== true)
        return fail('the password was set before and migrationMode is off')
    }
    const custom = isMembers(given.customFields)
      ? Object.fromEntries(Object.entries(given.customFields).filter(([name]) => customFields.includes(name)))
      : undefined
    users.set(String(given.sub), {
      ...known,
      ...given,
      ...(given.email !== undefined && { email }),
      ...(custom !== undefined && { customFields: custom }),
    })
    return {
      sub: given.sub,
      identifier,
      state: known === undefined ? 'CREATED' : 'UPDATED',
      message: '',
    }
  }

  function phrased(states: Members[]): unknown {
    switch (answers) {
      case 'bare':
        return { process_states: states }
      case 'wrapped':
        return { success: true, status: 200, data: { process_states: states } }
      case 'shuffled':
        return { process_states: states.reverse() }
      case 'nameless':
        return { process_states: states.map(({ identifier: _identifier, ...state }) => state) }
      case 'empty':
        return { success: true }
    }
  }

  return {
    server,
    users: () => [...users.values()],
    user: (sub) => users.get(sub),
    add: (user) => {
      users.set(String(user.sub), user)
    },
    batches: () => batches,
    signIn: async (email, password) => {
      const user = [...users.values()].find((one) => one.email === email)
      // Only who is VERIFIED may sign in.
      if (user === undefined || user.userStatus !== 'VERIFIED' || !isMembers(user.password_hash_info))
        return false
      return matches(user.password_hash_info, password)
    },
    endTokens: () => tokens.clear(),
    close: () => server.close(),
  }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function failure(status: number, code: string, error: string): Members {
  return { success: false, status, code, error }
}

const FORMS: Readonly<Record<string, RegExp>> = {
  SHA1: /^[0-9a-f]{40}$/,
  SHA256: /^[0-9a-f]{64}$/,
  ARGON: /^\$argon2(i|d|id)\$v=19\$m=\d+,t=\d+,p=\d+\$[^$=]+\$[^$=]+$/,
}

function isKnownHash({ algorithmTypeId, passwordHash, ...others }: Members): boolean {
  if (Object.keys(others).some((name) => name !== 'hData')) return false
  const [, cost] = /^BCRYPT_([1-9]|1\d|20)$/.exec(String(algorithmTypeId)) ?? []
  const form =
    cost === undefined
      ? FORMS[String(algorithmTypeId)]
      : new RegExp(`^\\$2[aby]\\$${cost.padStart(2, '0')}\\$[./A-Za-z0-9]{53}$`)
  return form?.test(String(passwordHash)) === true
}

/** Reads the notation anew: nothing of the program that wrote it is used. */
async function matches({ algorithmTypeId, passwordHash }: Members, password: string): Promise<boolean> {
  const hash = String(passwordHash)
  if (algorithmTypeId === 'ARGON') return verifyArgon2(hash, password)
  if (String(algorithmTypeId).startsWith('BCRYPT_')) return verifyBcrypt(password, hash)
  return createHash(String(algorithmTypeId)).update(password).digest('hex') === hash
}
