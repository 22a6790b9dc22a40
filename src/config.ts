import { type AddressRange, addressRanges } from './callers/addresses.ts'
import { dialectSettings, readDialects } from './config-dialects.ts'
import type { DialectPolicy } from './dialects/dialect.ts'
import {
  type Address,
  address,
  databaseUrl,
  file,
  formList,
  list,
  oneOf,
  type PasswordForm,
  readableFile,
  secretFiles,
  trustsTheNetwork,
  whole,
} from './setting-texts.ts'
import {
  ConfigError,
  type Environment,
  type Setting,
  type SettingsReader,
  settingsReader,
  type Table,
  type Values,
} from './settings-reader.ts'
import { readTls, type TlsContents, type TlsFiles } from './tls-files.ts'

export { ConfigError }

/** Every setting that is of no dialect: type, default, purpose. */
const common = {
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
  VERIFIED_GRACE_SECONDS: {
    read: whole(0, 31_536_000),
    default: '86400',
    purpose:
      'Likewise after the first right password, for providers that never confirm anything. A day: a sign-in that broke off is repeated within it, and a provider that goes on asking for ever must not replace a newer password by the old one.',
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
  HOOKS_ALLOW: {
    read: addressRanges,
    default: '',
    purpose:
      'Comma-separated addresses and ranges, as `192.0.2.0/24` or `2001:db8::/32`, that identity providers call from. Whoever calls from elsewhere is a stranger, whatever they prove. Default: from everywhere.',
  },
  TRUSTED_PROXY_HOPS: {
    read: whole(0, 16),
    default: '0',
    purpose:
      'Proxies between the internet and the hooks listener, each of which adds to X-Forwarded-For the address that it was called from. `HOOKS_ALLOW` looks at the entry that is as many places from the right; with 0 at the connection itself.',
  },
  TLS_CERT_FILE: {
    read: readableFile,
    default: '',
    purpose:
      'PEM certificate chain, if the hooks listener ends TLS itself. This file and the next two are looked at every minute and on SIGHUP, and used for new connections.',
  },
  TLS_KEY_FILE: { read: readableFile, default: '', purpose: 'PEM private key that belongs to it.' },
  TLS_CLIENT_CA_FILE: {
    read: readableFile,
    default: '',
    purpose:
      'PEM certificates of the authorities that sign client certificates. Clients are then asked for one; who needs one is said by the settings `..._CLIENT_SUBJECTS`.',
  },
  SHUTDOWN_DELAY_SECONDS: {
    read: whole(0, 60),
    default: '0',
    purpose:
      'How long the hooks listener goes on taking calls after SIGTERM, while `/readyz` already says 503: for load balancers that need that long to look elsewhere. 0: it stops at once.',
  },
  LOG_LEVEL: {
    read: oneOf('debug', 'info', 'warn', 'error'),
    default: 'info',
    purpose: 'The least important events that are logged.',
  },
} as const satisfies Record<string, Setting<unknown>>

/** Every setting. docs/settings.md is made from this table. */
export const settings: Readonly<Record<string, Setting<unknown>>> = { ...common, ...dialectSettings }

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
  readonly hooksAllow: readonly AddressRange[]
  readonly trustedProxyHops: number
  readonly tls: { readonly files: TlsFiles; readonly contents: TlsContents } | undefined
  readonly adminTokens: readonly string[]
  /** By the dialect's name. One that is not here has no routes. */
  readonly dialects: ReadonlyMap<string, DialectPolicy>
  readonly hashes: HashSettings
  readonly checkThreads: number
  readonly refusalLimit: number
  readonly refusalWindowSeconds: number
  readonly migratedGraceMs: number
  readonly verifiedGraceMs: number
  /** Mismatches that are diagnosed in a minute; undefined: none. */
  readonly diagnosePerMinute: number | undefined
  readonly shutdownDelayMs: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Sentences about settings that work but should not stay so. */
  readonly warnings: readonly string[]
}

/**
 * Everything that `serve` needs.
 * @param embeddedUrl stands for DATABASE_URL when the service brings its own PostgreSQL
 */
export function readConfig(environment: Environment, embeddedUrl?: string): Config {
  const made: Record<string, string> = embeddedUrl === undefined ? {} : { DATABASE_URL: embeddedUrl }
  const reader = settingsReader({ ...common, ...dialectSettings }, environment, made)
  const names = Object.keys(common) as (keyof typeof common)[]
  const values = Object.fromEntries(names.map((name) => [name, reader.read(name)])) as Partial<
    Values<typeof common>
  >
  const { DATABASE_URL: owner, HOOKS_DATABASE_URL: hooks, ADMIN_DATABASE_URL: admin } = values
  if (owner === undefined && (hooks === undefined || admin === undefined)) {
    reader.problem(
      'DATABASE_URL',
      'is missing (or start with --embedded DIR, which brings its own PostgreSQL)',
    )
  }
  if (values.ADMIN_TOKENS === undefined) reader.problem('ADMIN_TOKENS', 'is missing')
  const dialects = readDialects(reader)
  const tls = tlsOf(values, reader)
  const clientCa = values.TLS_CLIENT_CA_FILE || undefined
  for (const [name, { callers }] of dialects) {
    if (callers.subjects.length > 0 && clientCa === undefined)
      reader.problem(`${name.toUpperCase()}_CLIENT_SUBJECTS`, 'needs TLS_CLIENT_CA_FILE')
  }
  const unused =
    clientCa !== undefined && [...dialects.values()].every(({ callers }) => callers.subjects.length === 0)
  reader.finish()
  const complete = values as Values<typeof common>
  return {
    hooksDatabase:
      hooks === undefined ? { url: complete.DATABASE_URL, role: 'carryover_hooks' } : { url: hooks },
    adminDatabase:
      admin === undefined ? { url: complete.DATABASE_URL, role: 'carryover_admin' } : { url: admin },
    hooksListen: complete.HOOKS_LISTEN,
    adminListen: complete.ADMIN_LISTEN,
    hooksAllow: complete.HOOKS_ALLOW,
    trustedProxyHops: complete.TRUSTED_PROXY_HOPS,
    tls,
    adminTokens: complete.ADMIN_TOKENS,
    dialects,
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
    verifiedGraceMs: complete.VERIFIED_GRACE_SECONDS * 1_000,
    diagnosePerMinute: complete.DIAGNOSE_MISMATCHES === 'on' ? complete.DIAGNOSE_PER_MINUTE : undefined,
    shutdownDelayMs: complete.SHUTDOWN_DELAY_SECONDS * 1_000,
    logLevel: complete.LOG_LEVEL,
    warnings: [
      ...reader.warnings,
      ...(complete.ALLOW_PLAINTEXT === 'on' ? ['ALLOW_PLAINTEXT lets stored passwords be compared'] : []),
      ...(['DATABASE_URL', 'HOOKS_DATABASE_URL', 'ADMIN_DATABASE_URL'] as const)
        .filter((name) => trustsTheNetwork(values[name] ?? ''))
        .map((name) => `${name} leads to another machine without sslmode=verify-full`),
      ...(unused ? ['TLS_CLIENT_CA_FILE is set, but no client certificate is needed by any dialect'] : []),
    ],
  }
}

/** undefined: the hooks listener does not end TLS, or a problem was told. */
function tlsOf(
  values: Partial<Values<typeof common>>,
  { problem }: Pick<SettingsReader<Table>, 'problem'>,
): Config['tls'] {
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = values
  const clientCa = values.TLS_CLIENT_CA_FILE || undefined
  if (Boolean(cert) !== Boolean(key)) problem('TLS_CERT_FILE', 'and TLS_KEY_FILE belong together')
  if (clientCa !== undefined && !cert) problem('TLS_CLIENT_CA_FILE', 'needs TLS_CERT_FILE and TLS_KEY_FILE')
  if (!cert || !key) return undefined
  const files = { cert, key, clientCa }
  try {
    return { files, contents: readTls(files) }
  } catch {
    problem('TLS_CERT_FILE', 'and the key and client CA that are set with it cannot be used together')
    return undefined
  }
}

/** The owner's connection string, for the commands that need nothing else. */
export function readDatabaseUrl(environment: Environment): string {
  const reader = settingsReader(common, environment)
  const url = reader.read('DATABASE_URL')
  if (url === undefined) reader.problem('DATABASE_URL', 'is missing')
  reader.finish()
  return url as string
}

/** The threads that check passwords, for commands that check as the service does. */
export function readCheckThreads(environment: Environment): number {
  const reader = settingsReader(common, environment)
  const threads = reader.read('CHECK_THREADS')
  reader.finish()
  return threads as number
}

/** For the commands that read stored hashes. */
export function readHashSettings(environment: Environment): HashSettings {
  const reader = settingsReader(common, environment)
  const recipes = reader.read('RECIPES_FILE') ?? ''
  const secrets = reader.read('HASH_SECRETS_DIR') ?? new Map()
  const plaintext = reader.read('ALLOW_PLAINTEXT') === 'on'
  const candidates = reader.read('CANDIDATE_SCHEMES_FILE') ?? ''
  const memory = (reader.read('CHECK_MEMORY_MIB') ?? 0) * 2 ** 20
  const forms = reader.read('PASSWORD_FORMS') ?? ['as-sent']
  reader.finish()
  return { recipes, secrets, plaintext, candidates, memory, forms }
}
