import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

/** A wrong or missing setting. The message lists all of them and repeats no value. */
export class ConfigError extends Error {}

interface Setting<Value> {
  /** Throws a Misfit when the text does not fit. */
  readonly read: (text: string) => Value
  readonly default?: string
  readonly purpose: string
  /** `NAME_FILE` names a file with the value. */
  readonly secret?: true
}

/** What was expected, without what was given. */
class Misfit extends Error {}

/** Every setting: type, default, purpose. docs/settings.md is made from this table. */
export const settings = {
  DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'PostgreSQL 14 or newer, as the owner. The service itself acts as carryover_hooks and carryover_admin.',
  },
  HOOKS_DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'An account that has the role carryover_hooks, for the hooks listener. Default: DATABASE_URL, narrowed to that role.',
  },
  ADMIN_DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'An account that has the role carryover_admin, for the admin listener. Default: DATABASE_URL, narrowed to that role.',
  },
  HOOKS_LISTEN: { read: address, default: '0.0.0.0:8080', purpose: 'Where identity providers call.' },
  ADMIN_LISTEN: { read: address, default: '127.0.0.1:8081', purpose: 'Where people and machines look.' },
  ADMIN_TOKENS: {
    read: list(32),
    secret: true,
    purpose: 'Comma-separated bearer tokens of the admin listener, 32 characters or more each.',
  },
  OKTA_HOOK_SECRETS: {
    read: list(1),
    secret: true,
    purpose:
      'Comma-separated; each is the complete value of the Authorization header that Okta is configured to send. Several at once, so that one can be rotated. Without it there are no Okta routes.',
  },
  OKTA_REGISTRATION: {
    read: oneOf('deny', 'allow'),
    default: 'deny',
    purpose:
      'What the registration hook answers when the login or e-mail address belongs to a legacy user who is not migrated yet.',
  },
  OKTA_REGISTRATION_ATTRIBUTES: {
    read: list(1),
    default: '',
    purpose:
      'Comma-separated claims and attributes of the legacy profile that may be added to a new registration that is allowed. None by default: whoever registers has not proved to be that person yet.',
  },
  RECIPES_FILE: {
    read: file,
    default: '',
    purpose: 'A file of lines `name = recipe`: names that `hash_scheme` may use. See docs/schemes.md.',
  },
  HASH_SECRETS_DIR: {
    read: secretFiles,
    default: '',
    purpose:
      'A directory whose files are secrets that recipes use: the file `pepper` is `$pepper`, the file `NAME` is `$secret_NAME`. A final line break does not count.',
  },
  CANDIDATE_SCHEMES_FILE: {
    read: file,
    default: '',
    purpose:
      'A file of lines `COHORT = scheme, scheme`, with at most five schemes or recipes and `*` for every other cohort: what bare digests are tried as whose rows name no scheme. They are recorded as `candidates`. Set it for `load` and `sync` too.',
  },
  PASSWORD_FORMS: {
    read: formList,
    default: 'as-sent',
    purpose:
      'Comma-separated: `as-sent`, `nfc`, `nfkc`. In which Unicode forms a password is tried, in this order, until one matches. A form counts only where its bytes differ, so passwords in ASCII never cost more; another one may cost a check for each form. For a store that normalised what it hashed.',
  },
  ALLOW_PLAINTEXT: {
    read: oneOf('off', 'on'),
    default: 'off',
    purpose:
      'Whether stored passwords that are no hashes may be compared: where `hash_scheme` is `plaintext`, or `password_hash` begins with `{noop}`, `{PLAIN}` or `{CLEARTEXT}`. Set it for `load` and `sync` too.',
  },
  CHECK_THREADS: {
    read: whole(1, 64),
    default: 'cores',
    purpose: 'Threads that check passwords.',
  },
  CHECK_MEMORY_MIB: {
    read: whole(64, 65_536),
    default: '512',
    purpose:
      'What the Argon2 and scrypt checks that run at the same time may take together. A hash that needs more is `too-costly`. Set it for `load` and `sync` too.',
  },
  THROTTLE_REFUSALS: {
    read: whole(1, 1000),
    default: '10',
    purpose:
      'Refusals of one login within the window after which attempts are refused unchecked. Ten: a person who mistypes needs fewer, a guesser learns nothing from ten.',
  },
  THROTTLE_WINDOW_SECONDS: {
    read: whole(1, 86_400),
    default: '900',
    purpose:
      'Length of that window. It begins with the first refusal and is never extended, so nobody is locked out for good.',
  },
  MIGRATED_GRACE_SECONDS: {
    read: whole(0, 31_536_000),
    default: '3600',
    purpose:
      'How long after the confirmation the old password is still accepted. An hour: a provider in read-only mode, and calls that overtook the confirmation, ask again within minutes.',
  },
  DIAGNOSE_MISMATCHES: {
    read: oneOf('off', 'on'),
    default: 'off',
    purpose:
      'Whether a sample of wrong passwords is tried in usual variants after the answer has gone out, and only counted: in `carryover_mismatch_variants_total` and in `/counts`. It changes no answer. Hashes of a millisecond or more are left out.',
  },
  DIAGNOSE_PER_MINUTE: {
    read: whole(1, 3_000),
    default: '60',
    purpose: 'Wrong passwords that are diagnosed in a minute, at most.',
  },
  TLS_CERT_FILE: {
    read: file,
    default: '',
    purpose: 'PEM certificate chain, if the hooks listener ends TLS itself.',
  },
  TLS_KEY_FILE: { read: file, default: '', purpose: 'PEM private key that belongs to it.' },
  LOG_LEVEL: {
    read: oneOf('debug', 'info', 'warn', 'error'),
    default: 'info',
    purpose: 'The least important events that are logged.',
  },
} as const satisfies Record<string, Setting<unknown>>

type Name = keyof typeof settings
type Values = { [N in Name]: ReturnType<(typeof settings)[N]['read']> }
type Environment = Readonly<Record<string, string | undefined>>

export interface Address {
  readonly host: string
  readonly port: number
}

export interface DatabaseAccount {
  readonly url: string
  /** The role to narrow the connection to; undefined: the account is narrow already. */
  readonly role?: 'carryover_hooks' | 'carryover_admin'
}

/** What reading stored hashes needs besides the row. */
export interface HashSettings {
  /** Text of RECIPES_FILE. */
  readonly recipes: string
  readonly secrets: ReadonlyMap<string, Buffer>
  readonly plaintext: boolean
  /** Text of CANDIDATE_SCHEMES_FILE. */
  readonly candidates: string
  /** Bytes that running checks may take together. */
  readonly memory: number
  /** The Unicode forms of a password that are tried, in this order. */
  readonly forms: readonly PasswordForm[]
}

export interface Config {
  readonly hooksDatabase: DatabaseAccount
  readonly adminDatabase: DatabaseAccount
  readonly hooksListen: Address
  readonly adminListen: Address
  readonly tls: { readonly cert: string; readonly key: string } | undefined
  readonly adminTokens: readonly string[]
  /** Dialect name to accepted Authorization values. A dialect that is not here has no routes. */
  readonly hookSecrets: ReadonlyMap<string, readonly string[]>
  readonly registration: 'deny' | 'allow'
  readonly registrationAttributes: readonly string[]
  readonly hashes: HashSettings
  readonly checkThreads: number
  readonly refusalLimit: number
  readonly refusalWindowSeconds: number
  readonly migratedGraceMs: number
  /** Mismatches that are diagnosed in a minute; undefined: none. */
  readonly diagnosePerMinute: number | undefined
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Sentences about settings that work but should not stay so. */
  readonly warnings: readonly string[]
}

/**
 * Everything that `serve` needs.
 * @param embeddedUrl stands for DATABASE_URL when the service brings its own PostgreSQL
 */
export function readConfig(environment: Environment, embeddedUrl?: string): Config {
  const reader = createReader(environment, embeddedUrl === undefined ? {} : { DATABASE_URL: embeddedUrl })
  const names = Object.keys(settings) as Name[]
  const values = Object.fromEntries(names.map((name) => [name, reader.read(name)])) as Partial<Values>
  const { DATABASE_URL: owner, HOOKS_DATABASE_URL: hooks, ADMIN_DATABASE_URL: admin } = values
  if (owner === undefined && (hooks === undefined || admin === undefined)) {
    reader.problem(
      'DATABASE_URL',
      'is missing (or start with --embedded DIR, which brings its own PostgreSQL)',
    )
  }
  if (values.ADMIN_TOKENS === undefined) reader.problem('ADMIN_TOKENS', 'is missing')
  if (values.OKTA_HOOK_SECRETS === undefined) {
    reader.problem('OKTA_HOOK_SECRETS', 'is missing, and no other identity provider is configured')
  }
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = values
  if (Boolean(cert) !== Boolean(key)) reader.problem('TLS_CERT_FILE', 'and TLS_KEY_FILE belong together')
  reader.finish()
  const short = values.OKTA_HOOK_SECRETS?.some((secret) => secret.length < 32)
  const complete = values as Values
  return {
    hooksDatabase:
      hooks === undefined ? { url: complete.DATABASE_URL, role: 'carryover_hooks' } : { url: hooks },
    adminDatabase:
      admin === undefined ? { url: complete.DATABASE_URL, role: 'carryover_admin' } : { url: admin },
    hooksListen: complete.HOOKS_LISTEN,
    adminListen: complete.ADMIN_LISTEN,
    tls: cert && key ? { cert, key } : undefined,
    adminTokens: complete.ADMIN_TOKENS,
    hookSecrets: new Map([['okta', complete.OKTA_HOOK_SECRETS]]),
    registration: complete.OKTA_REGISTRATION,
    registrationAttributes: complete.OKTA_REGISTRATION_ATTRIBUTES,
    hashes: {
      recipes: complete.RECIPES_FILE,
      secrets: complete.HASH_SECRETS_DIR,
      plaintext: complete.ALLOW_PLAINTEXT === 'on',
      candidates: complete.CANDIDATE_SCHEMES_FILE,
      memory: complete.CHECK_MEMORY_MIB * 2 ** 20,
      forms: complete.PASSWORD_FORMS,
    },
    checkThreads: complete.CHECK_THREADS,
    refusalLimit: complete.THROTTLE_REFUSALS,
    refusalWindowSeconds: complete.THROTTLE_WINDOW_SECONDS,
    migratedGraceMs: complete.MIGRATED_GRACE_SECONDS * 1_000,
    diagnosePerMinute: complete.DIAGNOSE_MISMATCHES === 'on' ? complete.DIAGNOSE_PER_MINUTE : undefined,
    logLevel: complete.LOG_LEVEL,
    warnings: [
      ...reader.warnings,
      ...(short ? ['OKTA_HOOK_SECRETS holds a value shorter than 32 characters'] : []),
      ...(complete.ALLOW_PLAINTEXT === 'on' ? ['ALLOW_PLAINTEXT lets stored passwords be compared'] : []),
    ],
  }
}

/** The owner's connection string, for the commands that need nothing else. */
export function readDatabaseUrl(environment: Environment): string {
  const reader = createReader(environment)
  const url = reader.read('DATABASE_URL')
  if (url === undefined) reader.problem('DATABASE_URL', 'is missing')
  reader.finish()
  return url as string
}

/** The threads that check passwords, for commands that check as the service does. */
export function readCheckThreads(environment: Environment): number {
  const reader = createReader(environment)
  const threads = reader.read('CHECK_THREADS')
  reader.finish()
  return threads as number
}

/** For the commands that read stored hashes. */
export function readHashSettings(environment: Environment): HashSettings {
  const reader = createReader(environment)
  const recipes = reader.read('RECIPES_FILE') ?? ''
  const secrets = reader.read('HASH_SECRETS_DIR') ?? new Map()
  const plaintext = reader.read('ALLOW_PLAINTEXT') === 'on'
  const candidates = reader.read('CANDIDATE_SCHEMES_FILE') ?? ''
  const memory = (reader.read('CHECK_MEMORY_MIB') ?? 0) * 2 ** 20
  const forms = reader.read('PASSWORD_FORMS') ?? ['as-sent']
  reader.finish()
  return { recipes, secrets, plaintext, candidates, memory, forms }
}

/** @param made values that we made ourselves and that therefore stand in no environment */
function createReader(environment: Environment, made: Partial<Record<Name, string>> = {}) {
  const problems = new Map<string, string>()
  const warnings: string[] = []

  const textOf = (name: Name): string | undefined => {
    const setting: Setting<unknown> = settings[name]
    const value = environment[name] || undefined
    const path = setting.secret ? environment[`${name}_FILE`] || undefined : undefined
    if (made[name] !== undefined) return made[name]
    if (path === undefined) {
      if (value !== undefined && setting.secret) {
        warnings.push(
          `${name} stands in the environment; ${name}_FILE keeps it out of process listings and reports`,
        )
      }
      return value ?? setting.default
    }
    if (value !== undefined) throw new Misfit('given once: it and its _FILE are both set')
    try {
      return readFileSync(path, 'utf8').trim()
    } catch {
      throw new Misfit('readable: its _FILE names a file that cannot be read')
    }
  }

  return {
    warnings,
    /** The first problem of a setting is the one that is told. */
    problem: (name: Name, sentence: string) => {
      if (!problems.has(name)) problems.set(name, `${name} ${sentence}`)
    },
    read<N extends Name>(name: N): Values[N] | undefined {
      try {
        const text = textOf(name)
        return text === undefined ? undefined : (settings[name].read(text) as Values[N])
      } catch (error) {
        if (!(error instanceof Misfit)) throw error
        this.problem(name, `must be ${error.message}`)
        return undefined
      }
    },
    finish: () => {
      if (problems.size === 0) return
      throw new ConfigError(
        `wrong settings:\n${[...problems.values()].map((line) => `  ${line}`).join('\n')}`,
      )
    },
  }
}

function databaseUrl(text: string): string {
  if (!/^postgres(ql)?:\/\//.test(text)) throw new Misfit('a connection string postgresql://...')
  return text
}

function address(text: string): Address {
  const [, host, port] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(port) > 65_535) throw new Misfit('HOST:PORT')
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

function list(shortest: number): (text: string) => readonly string[] {
  return (text) => {
    const items = text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
    if (text !== '' && items.length === 0) throw new Misfit('a comma-separated list')
    if (items.some((item) => item.length < shortest))
      throw new Misfit(`a list of values of ${shortest} characters or more each`)
    return items
  }
}

/** As in `hashes/password-forms.ts`. */
export type PasswordForm = 'as-sent' | 'nfc' | 'nfkc'

function formList(text: string): readonly PasswordForm[] {
  const form = oneOf('as-sent', 'nfc', 'nfkc')
  return text.split(',').map((word) => {
    try {
      return form(word.trim())
    } catch {
      throw new Misfit('a comma-separated list of as-sent, nfc and nfkc')
    }
  })
}

function oneOf<const Word extends string>(...words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const found = words.find((word) => word === text)
    if (found === undefined) throw new Misfit(`one of ${words.join(', ')}`)
    return found
  }
}

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    if (text === 'cores') return availableParallelism()
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (!(number >= least && number <= most)) throw new Misfit(`a whole number from ${least} to ${most}`)
    return number
  }
}

/** The content of a file. Empty: not set. */
function file(path: string): string {
  if (path === '') return ''
  try {
    return readFileSync(path, 'utf8')
  } catch {
    throw new Misfit('the path of a file that can be read')
  }
}

/** Every file of a directory, by its name. Mounted secrets have links and directories that begin with a dot. */
function secretFiles(path: string): ReadonlyMap<string, Buffer> {
  if (path === '') return new Map()
  try {
    const names = readdirSync(path).filter((name) => /^[a-z0-9_]{1,64}$/.test(name))
    return new Map(names.map((name) => [name, withoutFinalBreak(readFileSync(join(path, name)))]))
  } catch {
    throw new Misfit('the path of a directory of files that can be read')
  }
}

function withoutFinalBreak(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  return bytes.subarray(0, text.length - (/\r?\n$/.exec(text)?.[0].length ?? 0))
}
