import type { AddressRange } from './callers/addresses.ts'
import { dialectSettings, readDialects } from './config-dialects.ts'
import { commonSettings } from './config-settings.ts'
import {
  type OutboundSettings,
  openAllConfirmations,
  outboundSettings,
  readOutboundSettings,
  targetSettings,
} from './config-targets.ts'
import type { DialectPolicy } from './dialects/dialect.ts'
import { guessable, type HeldSecret, sharedSecrets } from './secret-strength.ts'
import type { ReadPath } from './setting-files.ts'
import { type Address, type PasswordForm, trustsTheNetwork } from './setting-texts.ts'
import {
  ConfigError,
  type Environment,
  type Setting,
  type SettingsReader,
  settingsReader,
  type Table,
  type Values,
} from './settings-reader.ts'
import type { ConfirmationLog } from './targets/confirmations.ts'
import { checkTls, type TlsContents } from './tls-files.ts'

export { ConfigError }

/** Every setting. docs/settings.md is made from this table. */
export const settings: Readonly<Record<string, Setting<unknown>>> = {
  ...commonSettings,
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
  const reader = settingsReader({ ...commonSettings, ...dialectSettings }, environment, made)
  const names = Object.keys(commonSettings) as (keyof typeof commonSettings)[]
  const values = Object.fromEntries(names.map((name) => [name, reader.read(name)])) as Partial<
    Values<typeof commonSettings>
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
  const complete = values as Values<typeof commonSettings>
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

function purgeOf(values: Values<typeof commonSettings>, owner: string | undefined): Config['purge'] {
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
    Values<typeof commonSettings>,
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
  values: Partial<Values<typeof commonSettings>>,
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
  const reader = settingsReader(commonSettings, environment)
  const url = reader.read('DATABASE_URL')
  if (url === undefined) reader.problem('DATABASE_URL', 'is missing')
  reader.finish()
  return url as string
}

/** For `carryover load --from`: where users are read. */
export function readSourceUrl(environment: Environment): string {
  const reader = settingsReader(commonSettings, environment)
  const url = reader.read('SOURCE_DATABASE_URL')
  if (url === undefined) reader.problem('SOURCE_DATABASE_URL', 'is missing')
  reader.finish()
  return url as string
}

/** For `carryover purge`: whose hashes it removes; and how long a right password alone keeps one in any case. */
export function readPurgeSettings(
  environment: Environment,
): PurgeSettings & { readonly verifiedGraceSeconds: number } {
  const reader = settingsReader(commonSettings, environment)
  const values = {
    MIGRATED_GRACE_SECONDS: reader.read('MIGRATED_GRACE_SECONDS') as number,
    VERIFIED_GRACE_SECONDS: reader.read('VERIFIED_GRACE_SECONDS') as number,
    PURGE_AFTER_SECONDS: reader.read('PURGE_AFTER_SECONDS') as number,
    PURGE_VERIFIED: reader.read('PURGE_VERIFIED') as 'off' | 'on',
  }
  reader.finish()
  return { ...purgeSettingsOf(values), verifiedGraceSeconds: values.VERIFIED_GRACE_SECONDS }
}

/** For `carryover reconcile`. */
export function readReconcileSettings(environment: Environment): ReconcileSettings {
  const reader = settingsReader(commonSettings, environment)
  const sinceDays = reader.read('RECONCILE_SINCE_DAYS')
  reader.finish()
  return { sinceDays: sinceDays as number }
}

/** The threads that check passwords, for commands that check as the service does. */
export function readCheckThreads(environment: Environment): number {
  const reader = settingsReader(commonSettings, environment)
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

type HashValues = Pick<Values<typeof commonSettings>, (typeof HASH_SETTINGS)[number]>

/** For the commands that read stored hashes. */
export function readHashSettings(environment: Environment): HashSettings {
  const reader = settingsReader(commonSettings, environment)
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
