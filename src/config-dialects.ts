import type { Dialect, DialectSetting, OwnSettings } from './dialects/dialect.ts'
import { dialects } from './dialects/index.ts'
import { list, Misfit, oneOf, whole } from './setting-texts.ts'
import type { Setting, SettingsReader, Table } from './settings-reader.ts'

/** What one dialect is configured with. */
export interface DialectConfig {
  /** Complete values of the Authorization header. Several at once, so that one can be replaced. None: see TokenCaller. */
  readonly secrets: readonly string[]
  readonly registration: 'deny' | 'allow'
  /** Claims and attributes that may be added to a registration that is allowed. */
  readonly registrationAttributes: readonly string[]
  /** Whether a profile may be asked for without a password. */
  readonly lookup: boolean
  readonly lookupsPerMinute: number
  /** Attributes of the old system's own that may go out besides the standard claims. */
  readonly attributes: readonly string[]
  readonly own: OwnSettings
}

/** A shorter secret may be guessed. */
const SHORT_SECRET = 32

/** The settings of every dialect. Each has those that its hooks make use of. */
export const dialectSettings: Table = Object.assign({}, ...dialects.map(settingsOf))

function settingsOf(dialect: Dialect): Table {
  const prefix = dialect.name.toUpperCase()
  const hooks = dialect.hooks(defaultsOf(dialect))
  const registers = hooks.some(({ flow }) => flow === 'registration')
  const looksUp = hooks.some((hook) => hook.flow === 'lookup' || (hook.flow === 'attempt' && hook.found))
  const table: Record<string, Setting<unknown>> = {}
  if (dialect.caller === undefined) {
    table[`${prefix}_HOOK_SECRETS`] = {
      read: list(1),
      secret: true,
      purpose: `Comma-separated; each is the complete value of the Authorization header that ${dialect.title} is configured to send. Several at once, so that one can be rotated. Without it there are no routes of this dialect.`,
    }
  }
  if (registers) {
    table[`${prefix}_REGISTRATION`] = {
      read: oneOf('deny', 'allow'),
      default: 'deny',
      purpose:
        'What the registration hook answers when the login or e-mail address belongs to a legacy user who is not migrated yet.',
    }
    table[`${prefix}_REGISTRATION_ATTRIBUTES`] = {
      read: list(1),
      default: '',
      purpose:
        'Comma-separated claims and attributes of the legacy profile that may be added to a new registration that is allowed. None by default: whoever registers has not proved to be that person yet.',
    }
  }
  if (looksUp) {
    table[`${prefix}_LOOKUP`] = {
      read: oneOf('off', 'on'),
      default: 'off',
      purpose:
        'Whether a profile may be asked for without a password. Whoever has the secret can then find out who exists.',
    }
    table[`${prefix}_LOOKUPS_PER_MINUTE`] = {
      read: whole(1, 1_000_000),
      default: '600',
      purpose: 'Such look-ups that one process answers in a minute. The others are refused.',
    }
  }
  if (dialect.returnsProfile) {
    table[`${prefix}_ATTRIBUTES`] = {
      read: list(1),
      default: '',
      purpose:
        "Comma-separated attributes of the old system's own that go out with a profile. The standard claims of OpenID Connect always do.",
    }
  }
  for (const [name, setting] of Object.entries(dialect.settings ?? {}))
    table[`${prefix}_${name}`] = {
      read: fitting(setting),
      default: setting.default,
      purpose: setting.purpose,
      ...(setting.secret && { secret: true }),
    }
  return table
}

function fitting({ fits, expected }: DialectSetting): (text: string) => string {
  return (text) => {
    if (fits && !(typeof fits === 'function' ? fits(text) : fits.test(text)))
      throw new Misfit(expected ?? 'of another form')
    return text
  }
}

function defaultsOf({ settings = {} }: Dialect): OwnSettings {
  return Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, setting.default]))
}

/** Those whose callers can prove themselves. Tells the reader when there is none. */
export function readDialects(reader: SettingsReader<Table>): ReadonlyMap<string, DialectConfig> {
  const found = new Map<string, DialectConfig>()
  for (const dialect of dialects) {
    const prefix = dialect.name.toUpperCase()
    const read = <Value>(name: string, otherwise: Value): Value => {
      const whole = `${prefix}_${name}`
      return whole in dialectSettings ? ((reader.read(whole) as Value | undefined) ?? otherwise) : otherwise
    }
    const secrets = read<readonly string[]>('HOOK_SECRETS', [])
    const names = Object.keys(dialect.settings ?? {})
    const config: DialectConfig = {
      secrets,
      registration: read<'deny' | 'allow'>('REGISTRATION', 'deny'),
      registrationAttributes: read<readonly string[]>('REGISTRATION_ATTRIBUTES', []),
      lookup: read<string>('LOOKUP', 'off') === 'on',
      lookupsPerMinute: read('LOOKUPS_PER_MINUTE', 0),
      attributes: read<readonly string[]>('ATTRIBUTES', []),
      own: Object.fromEntries(names.map((name) => [name, read(name, '')])),
    }
    if (isOn(dialect, config, reader)) found.set(dialect.name, config)
    if (secrets.some((secret) => secret.length < SHORT_SECRET))
      reader.warnings.push(`${prefix}_HOOK_SECRETS holds a value shorter than ${SHORT_SECRET} characters`)
  }
  const every = dialects.map(({ name }) => `${name.toUpperCase()}_HOOK_SECRETS`)
  if (found.size === 0)
    reader.problem(every[0] ?? '', 'is missing, and no other identity provider is configured')
  return found
}

/** Whether the dialect has what its callers prove themselves with. Tells the reader of what is set by halves. */
function isOn(
  { name, caller }: Dialect,
  { secrets, own }: DialectConfig,
  reader: SettingsReader<Table>,
): boolean {
  if (caller === undefined) return secrets.length > 0
  const missing = caller.needs.filter((group) => group.every((setting) => !own[setting]))
  const begun = missing.length < caller.needs.length
  for (const group of begun ? missing : []) {
    const [first, ...others] = group.map((setting) => `${name.toUpperCase()}_${setting}`)
    reader.problem(first ?? '', ['is missing', ...others].join(', and so is '))
  }
  return missing.length === 0
}
