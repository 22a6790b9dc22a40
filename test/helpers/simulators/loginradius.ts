import { createHash, randomUUID } from 'node:crypto'
import { verify as verifyBcrypt } from '@node-rs/bcrypt'
import { type Asked, type Faults, type Said, type SimulatorServer, startServer } from './server.ts'

// The models BatchUpload, PasswordEncryptionModel and ProfileRequestModel of https://github.com/LoginRadius/node-js-sdk, and
// https://www.loginradius.com/docs/tenant-management/platform-security/migration/self-serve-migration.

const MOST_BYTES = 10_000_000

type Members = Record<string, unknown>

export interface LoginRadiusOptions {
  /** The number of the first row in a report. */
  readonly rowsFrom?: 0 | 1
  /** How it is said that there is no such account. */
  readonly absent?: 'empty' | 404 | 403
  readonly mostBytes?: number
  readonly faults?: Faults
  readonly latencyMs?: number
}

export interface LoginRadiusSimulator {
  readonly server: SimulatorServer
  readonly key: string
  readonly secret: string
  accounts(): readonly Members[]
  account(email: string): Members | undefined
  add(email: string, profile: Members): void
  /** Requests that were taken: users, and the type of their hashes. */
  requests(): readonly { users: number; type: unknown; bytes: number }[]
  lookUps(): number
  signIn(email: string, password: string): Promise<boolean>
  close(): Promise<void>
}

const TYPES = [
  'MD5',
  'BCRYPT',
  'PBKDF2',
  'SHA1',
  'SHA256',
  'SHA512',
  'HMAC_SHA1',
  'HMAC_SHA256',
  'ARGON2ID',
  'ARGON2I',
]
const ENCRYPTION: Readonly<Record<string, (value: unknown) => boolean>> = {
  Type: (value) => TYPES.includes(String(value)),
  IsPerPasswordSalt: (value) => typeof value === 'boolean',
  NumberOfIteration: Number.isInteger,
  SaltKeyLength: Number.isInteger,
  SubKeyLength: Number.isInteger,
  Salt: (value) => typeof value === 'string',
  SaltAttachType: (value) => ['None', 'Prepend', 'Append'].includes(String(value)),
  PasswordHashEncodingType: (value) =>
    ['Default', 'Base64', 'HexaDecimal', 'UTF8', 'BitConverter'].includes(String(value)),
  PlaintextPasswordEncoding: (value) => ['Default', 'Base64', 'UTF8'].includes(String(value)),
}
const TEXTS = [
  ...['UserName', 'PhoneId', 'Gender', 'FirstName', 'MiddleName', 'LastName', 'NickName', 'FullName'],
  ...['ImageUrl', 'TimeZone', 'Website', 'Company', 'PasswordHash'],
]

export async function startLoginRadius(options: LoginRadiusOptions = {}): Promise<LoginRadiusSimulator> {
  const key = 'key-1'
  const secret = 'a secret & more'
  const accounts = new Map<string, Members>()
  const requests: { users: number; type: unknown; bytes: number }[] = []
  const { rowsFrom = 1, absent = 'empty' } = options

  const server = await startServer({
    answer,
    faultAnswer: (status) => ({ status, body: problem(9000, 'a simulated fault') }),
    faults: options.faults ?? {},
    latencyMs: options.latencyMs ?? 0,
  })

  function answer(asked: Asked): Said {
    if (asked.method === 'POST' && asked.path === '/v2/bulk/upsert') return bulk(asked)
    const base = '/identity/v2/manage/account/'
    if (!asked.path.startsWith(base)) return { status: 404, body: problem(404, 'no such resource') }
    if (asked.query.has('apisecret'))
      return { status: 400, body: problem(901, 'the secret goes in a header') }
    if (asked.headers['x-loginradius-apikey'] !== key || asked.headers['x-loginradius-apisecret'] !== secret)
      return { status: 401, body: problem(920, 'API key is invalid') }
    const last = decodeURIComponent(asked.path.slice(base.length))
    if (asked.method === 'GET' && last === 'identities') return identities(asked.query.get('email') ?? '')
    if (asked.method === 'DELETE') {
      const found = [...accounts].find(([, { Uid }]) => Uid === last)
      if (found === undefined) return { status: 404, body: problem(938, 'The account does not exist') }
      accounts.delete(found[0])
      return { status: 200, body: { IsDeleted: true, RecordsDeleted: 1 } }
    }
    return { status: 404, body: problem(404, 'no such resource') }
  }

  function identities(email: string): Said {
    const { PasswordHash: _hash, Encryption: _encryption, ...shown } = accounts.get(email.toLowerCase()) ?? {}
    if (shown.Uid !== undefined) return { status: 200, body: { Data: [shown] } }
    if (absent === 'empty') return { status: 200, body: { Data: [] } }
    return { status: absent, body: problem(938, "The account doesn't exist") }
  }

  function bulk({ query, headers, body }: Asked): Said {
    if (query.get('apikey') !== key || query.get('apisecret') !== secret)
      return { status: 401, body: problem(6002, 'Access Unauthorized') }
    if (headers['content-type'] !== 'application/json') return invalid()
    const bytes = Buffer.byteLength(body)
    if (bytes > (options.mostBytes ?? MOST_BYTES))
      return { status: 413, body: problem(7900, 'Body is too large') }
    const given: unknown = JSON.parse(body)
    if (!isMembers(given) || !Array.isArray(given.Profiles) || given.Profiles.length === 0) return invalid()
    const members = ['PasswordEncryption', 'Profiles', 'DeltaMigrationModel']
    if (Object.keys(given).some((name) => !members.includes(name))) return invalid()
    const encryption = given.PasswordEncryption
    if (encryption !== undefined && !isEncryption(encryption)) return invalid()
    const delta = given.DeltaMigrationModel
    if (
      !isMembers(delta) ||
      typeof delta.DeltaMigration !== 'boolean' ||
      typeof delta.OverWriteDuplicate !== 'boolean'
    )
      return invalid()
    if (!given.Profiles.every(isProfile)) return invalid()
    requests.push({ users: given.Profiles.length, type: encryption?.Type, bytes })
    const report = { RecordInserted: 0, RecordUpdated: 0, Failed: [] as Members[] }
    for (const [row, profile] of given.Profiles.entries()) {
      const said = take(profile, encryption, delta.OverWriteDuplicate)
      if (said === 'inserted') report.RecordInserted++
      else if (said === 'updated') report.RecordUpdated++
      else report.Failed.push({ RecordNumber: row + rowsFrom, Message: said })
    }
    return { status: 200, body: { Profile: report } }
  }

  function take(profile: Members, encryption: Members | undefined, overwrite: boolean): string {
    const [{ Value: value = '' } = {}] = profile.Email as { Value?: string }[]
    const email = value.toLowerCase()
    if (!/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email)) return 'The email is not valid'
    if (profile.PasswordHash !== undefined && !fits(String(profile.PasswordHash), encryption))
      return 'The password hash does not fit the PasswordEncryption'
    const known = accounts.get(email)
    if (known !== undefined && !overwrite) return 'The record already exists'
    accounts.set(email, {
      Uid: randomUUID(),
      ...known,
      ...profile,
      ...(profile.PasswordHash !== undefined && { Encryption: encryption }),
    })
    return known === undefined ? 'inserted' : 'updated'
  }

  return {
    server,
    key,
    secret,
    accounts: () => [...accounts.values()],
    account: (email) => accounts.get(email),
    add: (email, profile) => {
      accounts.set(email, { Uid: randomUUID(), Email: [{ Type: 'Primary', Value: email }], ...profile })
    },
    requests: () => requests,
    lookUps: () => server.count({ method: 'GET' }),
    signIn: async (email, password) => {
      const account = accounts.get(email)
      if (account === undefined || account.DisableLogin === true || !isMembers(account.Encryption))
        return false
      return matches(account.Encryption, String(account.PasswordHash), password)
    },
    close: () => server.close(),
  }
}

function invalid(): Said {
  return { status: 400, body: problem(7914, 'Post body is invalid') }
}

function problem(ErrorCode: number, Message: string): Members {
  return { ErrorCode, Message, Description: 'See the documentation.' }
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEncryption(value: unknown): value is Members {
  return (
    isMembers(value) &&
    'Type' in value &&
    Object.entries(value).every(([name, one]) => ENCRYPTION[name]?.(one) === true)
  )
}

function isProfile(profile: unknown): profile is Members {
  if (!isMembers(profile)) return false
  return Object.entries(profile).every(([name, value]) => {
    if (TEXTS.includes(name)) return typeof value === 'string'
    if (name === 'Email')
      return isListOf(value, ['Type', 'Value']) && Array.isArray(value) && value.length === 1
    if (name === 'ExternalIds') return isListOf(value, ['Source', 'SourceId', 'Operation'])
    if (name === 'CustomFields')
      return isMembers(value) && Object.values(value).every((one) => typeof one === 'string')
    return name === 'DisableLogin' && typeof value === 'boolean'
  })
}

function isListOf(value: unknown, members: readonly string[]): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      (item) =>
        isMembers(item) &&
        Object.entries(item).every(([name, one]) => members.includes(name) && typeof one === 'string'),
    )
  )
}

const HEX_DIGITS: Readonly<Record<string, number>> = { MD5: 32, SHA1: 40, SHA256: 64, SHA512: 128 }

function fits(hash: string, encryption: Members | undefined): boolean {
  if (encryption === undefined) return false
  if (encryption.Type === 'BCRYPT') return /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/.test(hash)
  const digits = HEX_DIGITS[String(encryption.Type)]
  return (
    encryption.PasswordHashEncodingType === 'HexaDecimal' &&
    encryption.SaltAttachType === 'None' &&
    /^[0-9a-f]+$/.test(hash) &&
    hash.length === digits
  )
}

/** Reads the notation anew: nothing of the program that wrote it is used. */
async function matches(encryption: Members, hash: string, password: string): Promise<boolean> {
  if (encryption.Type === 'BCRYPT') return verifyBcrypt(password, hash)
  return createHash(String(encryption.Type)).update(password).digest('hex') === hash
}
