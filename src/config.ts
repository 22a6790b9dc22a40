import { type AddressRange, addressRanges } from './callers/addresses.ts'
import { dialectSettings, readDialects } from './config-dialects.ts'
import {
  type OutboundSettings,
  openAllConfirmations,
  outboundSettings,
  readOutboundSettings,
  targetSettings,
} from './config-targets.ts'
import type { DialectPolicy } from './dialects/dialect.ts'
import { guessable, type HeldSecret, sharedSecrets } from './secret-strength.ts'
import type { ReadPath, SettingFiles } from './setting-files.ts'
import {
  type Address,
  address,
  databaseUrl,
  floorMillis,
  formList,
  list,
  Misfit,
  oneOf,
  type PasswordForm,
  sourceUrl,
  trustsTheNetwork,
  whole,
} from './setting-texts.ts'
import {
  ConfigError,
  type Environment,
  type Setting,
  type SettingsReader,
  secretFileMode,
  settingsReader,
  type Table,
  type Values,
} from './settings-reader.ts'
import type { ConfirmationLog } from './targets/confirmations.ts'
import { checkTls, type TlsContents } from './tls-files.ts'

export { ConfigError }

const NO_SECRETS: ReadonlyMap<string, Buffer> = new Map()

/** The text of a file that a path names. Empty: not set. */
const file = (path: string, files: SettingFiles) => (path === '' ? '' : files.text(path))

/** Likewise, where an empty file is a wrong one: without its PEM less would be asked of callers. */
const pemFile = (path: string, files: SettingFiles) => (path === '' ? '' : filled(files.text(path)))
const secretPemFile = (path: string, files: SettingFiles) => (path === '' ? '' : filled(files.secret(path)))

function filled(pem: string): string {
  if (pem.trim() === '') throw new Misfit('the path of a file that is not empty', 'empty')
  return pem
}

/** Every setting that is of no dialect: type, default, purpose. */
const common = {
  DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'PostgreSQL 14 or newer, as the owner. The service itself acts as carryover_hooks, carryover_admin and carryover_purge.',
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
  PURGE_DATABASE_URL: {
    read: databaseUrl,
    secret: true,
    purpose:
      'An account that has the role carryover_purge, for the scheduled purge. Default: DATABASE_URL, narrowed to that role.',
  },
  SOURCE_DATABASE_URL: {
    read: sourceUrl,
    secret: true,
    purpose:
      "The old system's database, PostgreSQL, MySQL or MariaDB, for `load --from`: an account that can only read.",
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
    fixed: true,
    purpose: 'A file of lines `name = recipe`: names that `hash_scheme` may use. See docs/schemes.md.',
  },
  HASH_SECRETS_DIR: {
    read: (path: string, files: SettingFiles) => (path === '' ? NO_SECRETS : files.secrets(path)),
    default: '',
    fixed: true,
    purpose:
      "A directory whose files are secrets that recipes use: the file `pepper` is `$pepper`, the file `NAME` is `$secret_NAME`. A final line break does not count. `hardening_key`, and after a change `hardening_key_previous`, are the keys of hardened hashes and no recipe's. See docs/harden.md.",
  },
  HARDEN_MEMORY_KIB: {
    read: whole(8, 1_048_576),
    default: '19456',
    purpose:
      'Memory of the Argon2id that `harden` and `load --harden` put around a weak hash. With the two next ones the least that OWASP names: about 14 ms of a core at each sign-in. Hashes that are hardened already keep their cost.',
  },
  HARDEN_PASSES: { read: whole(1, 10), default: '2', purpose: 'Its passes over that memory.' },
  HARDEN_LANES: { read: whole(1, 16), default: '1', purpose: 'Its lanes.' },
  CANDIDATE_SCHEMES_FILE: {
    read: file,
    default: '',
    fixed: true,
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
  THROTTLE_OVERALL_REFUSALS: {
    read: whole(100, 100_000_000),
    default: '100000',
    purpose:
      'Refusals of all logins together within the window, by all processes, after which every attempt is refused unchecked until the window is over. It bounds guessing that is spread over many logins. Well above what wrong passwords of the busiest hour come to, or a guesser could keep everybody out.',
  },
  THROTTLE_WINDOW_SECONDS: {
    read: whole(1, 86_400),
    default: '900',
    purpose:
      'Length of that window. It begins with the first refusal and is never extended, so nobody is locked out for good.',
  },
  REFUSAL_FLOOR_MS: {
    read: floorMillis,
    default: 'auto',
    purpose:
      'Milliseconds after the start of a call at which a no goes out, whichever it is: `auto`, `off`, or 10 to 2000. What takes longer goes out at the next multiple. `auto` follows what a check of the most common scheme takes here, in steps of 50. See docs/enumeration.md.',
  },
  REFUSALS_HIGH_PERCENT: {
    read: whole(1, 100),
    default: '20',
    purpose:
      'When more than this part of the attempts of five minutes is refused, and they are a hundred or more, `refusals-high` is logged once and `carryover_refusals_high` is 1. Twenty: guessers are mostly wrong, people mostly right; raise it where first sign-ins are mistyped more often.',
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
  PURGE_AFTER_SECONDS: {
    read: whole(0, 31_536_000),
    default: '82800',
    purpose:
      'How long after the confirmation of a migration the stored hash may be purged, but never before MIGRATED_GRACE_SECONDS have passed. 23 hours: with a purge every hour, no hash outlives its use by more than a day.',
  },
  PURGE_EVERY_SECONDS: {
    read: whole(0, 86_400),
    default: '3600',
    purpose:
      'How often `serve` purges the hashes of migrated users. 0: only `carryover purge` does. See docs/forgetting.md.',
  },
  PURGE_VERIFIED: {
    read: oneOf('off', 'on'),
    default: 'off',
    purpose:
      'Whether users whose migration nobody confirmed are purged too, once their first right password is longer ago than VERIFIED_GRACE_SECONDS and PURGE_AFTER_SECONDS. For providers that never confirm: a user whose password the provider did not keep after all can then only reset it. `serve` needs a grant for it: see docs/forgetting.md.',
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
  MAX_CONNECTIONS: {
    read: whole(1, 65_535),
    default: '2048',
    purpose:
      'Connections that the hooks listener has open at the same time; more are closed at once. 2,048: that many sign-ins at once are each told a verdict or that it is too many, which a closed connection does not say, and their headers and bodies are 144 MiB at most.',
  },
  MAX_CONNECTIONS_PER_ADDRESS: {
    read: whole(0, 65_535),
    default: '0',
    purpose:
      'Likewise of one address; 64 is enough where providers call directly. 0: no such limit, because behind a load balancer all connections come from its address.',
  },
  TLS_CERT_FILE: {
    read: pemFile,
    default: '',
    purpose:
      'PEM certificate chain, if the hooks listener ends TLS itself. This file and the next two are followed, and used for new connections: see docs/secrets.md.',
  },
  TLS_KEY_FILE: { read: secretPemFile, default: '', purpose: 'PEM private key that belongs to it.' },
  TLS_CLIENT_CA_FILE: {
    read: pemFile,
    default: '',
    purpose:
      'PEM certificates of the authorities that sign client certificates. Clients are then asked for one; who needs one is said by the settings `..._CLIENT_SUBJECTS`.',
  },
  RECONCILE_EVERY_SECONDS: {
    read: whole(0, 86_400),
    default: '300',
    purpose:
      'How often `serve` reads the log of a provider for which `..._RECONCILE_...` is set, for confirmations that never came or came twice. 0: never. See docs/reconcile.md.',
  },
  RECONCILE_SINCE_DAYS: {
    read: whole(1, 90),
    default: '7',
    purpose:
      'Where the first reading of such a log begins, in days before it. The provider has to keep them that long.',
  },
  SECRET_FILE_MODE: secretFileMode,
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
export const settings: Readonly<Record<string, Setting<unknown>>> = {
  ...common,
  ...dialectSettings,
  ...outboundSettings,
  ...targetSettings,
}

export interface DatabaseAccount {
  readonly url: string
  /** The role to narrow the connection to; undefined: the account is narrow already. */
  readonly role?: 'carryover_hooks' | 'carryover_admin' | 'carryover_purge'
}

/** Whose hashes are purged. */
export interface PurgeSettings {
  /** Since the confirmation of the migration. */
  readonly keptSeconds: number
  /** Since the first right password, of users whose migration nobody confirmed; undefined: they are left alone. */
  readonly verifiedKeptSeconds: number | undefined
}

/** How a provider's log is read. */
export interface ReconcileSettings {
  /** Days before the first reading, at which it begins. */
  readonly sinceDays: number
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
  /** What hardening a hash costs. */
  readonly hardening: { readonly kibibytes: number; readonly passes: number; readonly lanes: number }
}

export interface Config {
  readonly hooksDatabase: DatabaseAccount
  readonly adminDatabase: DatabaseAccount
  /** undefined: `serve` purges nothing. */
  readonly purge:
    | (PurgeSettings & { readonly database: DatabaseAccount; readonly everyMs: number })
    | undefined
  /** Logs of providers that are read by `serve`. */
  readonly reconcile: ReconcileSettings & {
    readonly logs: readonly { readonly target: string; readonly log: ConfirmationLog }[]
    readonly everyMs: number
  }
  readonly outbound: OutboundSettings
  readonly hooksListen: Address
  readonly adminListen: Address
  readonly hooksAllow: readonly AddressRange[]
  readonly trustedProxyHops: number
  readonly maxConnections: number
  /** Of one address; undefined: as many as in all. */
  readonly maxConnectionsOfOne: number | undefined
  readonly tls: TlsContents | undefined
  readonly adminTokens: readonly string[]
  /** By the dialect's name. One that is not here has no routes. */
  readonly dialects: ReadonlyMap<string, DialectPolicy>
  readonly hashes: HashSettings
  readonly checkThreads: number
  readonly throttle: { readonly limit: number; readonly overall: number; readonly windowSeconds: number }
  /** Milliseconds; 0: none. */
  readonly refusalFloor: number | 'auto'
  readonly refusalsHighPercent: number
  readonly migratedGraceMs: number
  readonly verifiedGraceMs: number
  /** Mismatches that are diagnosed in a minute; undefined: none. */
  readonly diagnosePerMinute: number | undefined
  readonly shutdownDelayMs: number
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Sentences about settings that work but should not stay so. */
  readonly warnings: readonly string[]
  /** Every file and directory that settings were read from, by the settings' names. */
  readonly paths: ReadonlyMap<string, ReadPath>
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
  const { dialects, held } = readDialects(reader)
  const tokens = (values.ADMIN_TOKENS ?? []).map((bare) => ({ setting: 'ADMIN_TOKENS', bare }))
  tellWeakSecrets([...tokens, ...held], reader)
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
  const purge = purgeOf(complete, owner)
  return {
    hooksDatabase:
      hooks === undefined ? { url: complete.DATABASE_URL, role: 'carryover_hooks' } : { url: hooks },
    adminDatabase:
      admin === undefined ? { url: complete.DATABASE_URL, role: 'carryover_admin' } : { url: admin },
    purge,
    reconcile: {
      logs: complete.RECONCILE_EVERY_SECONDS > 0 ? openAllConfirmations(environment) : [],
      everyMs: complete.RECONCILE_EVERY_SECONDS * 1_000,
      sinceDays: complete.RECONCILE_SINCE_DAYS,
    },
    outbound: readOutboundSettings(environment),
    hooksListen: complete.HOOKS_LISTEN,
    adminListen: complete.ADMIN_LISTEN,
    hooksAllow: complete.HOOKS_ALLOW,
    trustedProxyHops: complete.TRUSTED_PROXY_HOPS,
    maxConnections: complete.MAX_CONNECTIONS,
    maxConnectionsOfOne: complete.MAX_CONNECTIONS_PER_ADDRESS || undefined,
    tls,
    adminTokens: complete.ADMIN_TOKENS,
    dialects,
    hashes: hashSettingsOf(complete),
    checkThreads: complete.CHECK_THREADS,
    throttle: {
      limit: complete.THROTTLE_REFUSALS,
      overall: complete.THROTTLE_OVERALL_REFUSALS,
      windowSeconds: complete.THROTTLE_WINDOW_SECONDS,
    },
    refusalFloor: complete.REFUSAL_FLOOR_MS,
    refusalsHighPercent: complete.REFUSALS_HIGH_PERCENT,
    migratedGraceMs: complete.MIGRATED_GRACE_SECONDS * 1_000,
    verifiedGraceMs: complete.VERIFIED_GRACE_SECONDS * 1_000,
    diagnosePerMinute: complete.DIAGNOSE_MISMATCHES === 'on' ? complete.DIAGNOSE_PER_MINUTE : undefined,
    shutdownDelayMs: complete.SHUTDOWN_DELAY_SECONDS * 1_000,
    logLevel: complete.LOG_LEVEL,
    warnings: [
      ...reader.warnings,
      ...(complete.ALLOW_PLAINTEXT === 'on' ? ['ALLOW_PLAINTEXT lets stored passwords be compared'] : []),
      ...(purge === undefined && complete.PURGE_EVERY_SECONDS > 0
        ? ['PURGE_DATABASE_URL is missing, and so is DATABASE_URL: only carryover purge removes hashes']
        : []),
      ...(complete.PURGE_VERIFIED === 'on'
        ? ['PURGE_VERIFIED lets hashes be purged of users whose migration nobody confirmed']
        : []),
      ...(['DATABASE_URL', 'HOOKS_DATABASE_URL', 'ADMIN_DATABASE_URL', 'PURGE_DATABASE_URL'] as const)
        .filter((name) => trustsTheNetwork(values[name] ?? ''))
        .map((name) => `${name} leads to another machine without sslmode=verify-full`),
      ...(unused ? ['TLS_CLIENT_CA_FILE is set, but no client certificate is needed by any dialect'] : []),
    ],
    paths: reader.paths,
  }
}

function purgeOf(values: Values<typeof common>, owner: string | undefined): Config['purge'] {
  const { PURGE_DATABASE_URL: own, PURGE_EVERY_SECONDS: every } = values
  if (every === 0 || (own === undefined && owner === undefined)) return undefined
  return {
    ...purgeSettingsOf(values),
    database: own === undefined ? { url: values.DATABASE_URL, role: 'carryover_purge' } : { url: own },
    everyMs: every * 1_000,
  }
}

function purgeSettingsOf(
  values: Pick<
    Values<typeof common>,
    'MIGRATED_GRACE_SECONDS' | 'VERIFIED_GRACE_SECONDS' | 'PURGE_AFTER_SECONDS' | 'PURGE_VERIFIED'
  >,
): PurgeSettings {
  const after = values.PURGE_AFTER_SECONDS
  return {
    keptSeconds: Math.max(after, values.MIGRATED_GRACE_SECONDS),
    verifiedKeptSeconds:
      values.PURGE_VERIFIED === 'on' ? Math.max(after, values.VERIFIED_GRACE_SECONDS) : undefined,
  }
}

/** Secrets that can be guessed, and those that open two doors. */
function tellWeakSecrets(
  held: readonly HeldSecret[],
  { problem }: Pick<SettingsReader<Table>, 'problem'>,
): void {
  for (const { setting, bare } of held) {
    const weak = guessable(bare)
    if (weak !== undefined) problem(setting, weak, 'weak')
  }
  for (const [setting, other] of sharedSecrets(held))
    problem(
      setting,
      setting === other ? 'holds the same secret twice' : `holds a secret that ${other} holds too`,
      'shared',
    )
}

/** undefined: the hooks listener does not end TLS, or a problem was told. */
function tlsOf(
  values: Partial<Values<typeof common>>,
  { problem }: Pick<SettingsReader<Table>, 'problem'>,
): Config['tls'] {
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = values
  const clientCa = values.TLS_CLIENT_CA_FILE || undefined
  if (cert === undefined || key === undefined) return undefined
  if (Boolean(cert) !== Boolean(key)) problem('TLS_CERT_FILE', 'and TLS_KEY_FILE belong together')
  if (clientCa !== undefined && !cert) problem('TLS_CLIENT_CA_FILE', 'needs TLS_CERT_FILE and TLS_KEY_FILE')
  if (!cert || !key) return undefined
  const contents = { cert, key, clientCa }
  try {
    checkTls(contents)
    return contents
  } catch {
    problem(
      'TLS_CERT_FILE',
      'and the key and client CA that are set with it cannot be used together',
      'mismatched',
    )
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

/** For `carryover load --from`: where users are read. */
export function readSourceUrl(environment: Environment): string {
  const reader = settingsReader(common, environment)
  const url = reader.read('SOURCE_DATABASE_URL')
  if (url === undefined) reader.problem('SOURCE_DATABASE_URL', 'is missing')
  reader.finish()
  return url as string
}

/** For `carryover purge`: whose hashes it removes; and how long a right password alone keeps one in any case. */
export function readPurgeSettings(
  environment: Environment,
): PurgeSettings & { readonly verifiedGraceSeconds: number } {
  const reader = settingsReader(common, environment)
  const values = {
    MIGRATED_GRACE_SECONDS: reader.read('MIGRATED_GRACE_SECONDS') as number,
    VERIFIED_GRACE_SECONDS: reader.read('VERIFIED_GRACE_SECONDS') as number,
    PURGE_AFTER_SECONDS: reader.read('PURGE_AFTER_SECONDS') as number,
    PURGE_VERIFIED: reader.read('PURGE_VERIFIED') as 'off' | 'on',
  }
  reader.finish()
  return { ...purgeSettingsOf(values), verifiedGraceSeconds: values.VERIFIED_GRACE_SECONDS }
}

/** The threads that check passwords, for commands that check as the service does. */
export function readReconcileSettings(environment: Environment): ReconcileSettings {
  const { RECONCILE_SINCE_DAYS } = common
  const reader = settingsReader({ RECONCILE_SINCE_DAYS }, environment)
  const sinceDays = reader.read('RECONCILE_SINCE_DAYS') ?? 7
  reader.finish()
  return { sinceDays }
}

export function readCheckThreads(environment: Environment): number {
  const reader = settingsReader(common, environment)
  const threads = reader.read('CHECK_THREADS')
  reader.finish()
  return threads as number
}

const HASH_SETTINGS = [
  'RECIPES_FILE',
  'HASH_SECRETS_DIR',
  'ALLOW_PLAINTEXT',
  'CANDIDATE_SCHEMES_FILE',
  'CHECK_MEMORY_MIB',
  'PASSWORD_FORMS',
  'HARDEN_MEMORY_KIB',
  'HARDEN_PASSES',
  'HARDEN_LANES',
] as const

type HashValues = Pick<Values<typeof common>, (typeof HASH_SETTINGS)[number]>

/** For the commands that read stored hashes. */
export function readHashSettings(environment: Environment): HashSettings {
  const reader = settingsReader(common, environment)
  const values = Object.fromEntries(HASH_SETTINGS.map((name) => [name, reader.read(name)]))
  reader.finish()
  return hashSettingsOf(values as HashValues)
}

function hashSettingsOf(values: HashValues): HashSettings {
  return {
    recipes: values.RECIPES_FILE,
    secrets: values.HASH_SECRETS_DIR,
    plaintext: values.ALLOW_PLAINTEXT === 'on',
    candidates: values.CANDIDATE_SCHEMES_FILE,
    memory: values.CHECK_MEMORY_MIB * 2 ** 20,
    forms: values.PASSWORD_FORMS,
    hardening: {
      kibibytes: values.HARDEN_MEMORY_KIB,
      passes: values.HARDEN_PASSES,
      lanes: values.HARDEN_LANES,
    },
  }
}
