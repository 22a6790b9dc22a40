import { proofKinds } from './callers/index.ts'
import { type ClientSubject, clientSubjects } from './callers/subjects.ts'
import { readTrust, tokenSettings } from './config-tokens.ts'
import type { Dialect, DialectPolicy, DialectSetting, OwnSettings, TokenCaller } from './dialects/dialect.ts'
import { dialects } from './dialects/index.ts'
import type { HeldSecret } from './secret-strength.ts'
import { list, Misfit, oneOf, whole } from './setting-texts.ts'
import type { Setting, SettingsReader, Table } from './settings-reader.ts'

const callerSettings = proofKinds.flatMap(({ settings }) => Object.entries(settings))

/** The settings of every dialect. Each has those that its hooks make use of. */
export const dialectSettings: Table = Object.assign({}, ...dialects.map(settingsOf))

function settingsOf(dialect: Dialect): Table {
  const prefix = dialect.name.toUpperCase()
  const hooks = dialect.hooks(defaultsOf(dialect))
  const registers = hooks.some(({ flow }) => flow === 'registration')
  const looksUp = hooks.some((hook) => hook.flow === 'lookup' || (hook.flow === 'attempt' && hook.found))
  const table: Record<string, Setting<unknown>> = {}
  if (dialect.caller === undefined) {
    for (const [name, { weakness: _, bare: __, purpose, ...setting }] of callerSettings)
      table[`${prefix}_${name}`] = { ...setting, purpose: purpose(dialect.title) }
    Object.assign(table, tokenSettings(prefix, dialect.title))
  }
  table[`${prefix}_CLIENT_SUBJECTS`] = {
    read: clientSubjects,
    default: '',
    purpose: `Semicolon-separated \`cn:NAME\`, \`dn:NAME\`, \`dns:NAME\` or \`uri:NAME\`: ${dialect.title} must show a client certificate of one of them, besides its other proof if there is one. Needs \`TLS_CLIENT_CA_FILE\`. See docs/callers.md.`,
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

export interface ReadDialects {
  /** Those that have a proof of who calls. */
  readonly dialects: ReadonlyMap<string, DialectPolicy>
  /** The secrets of all proofs. */
  readonly held: readonly HeldSecret[]
}

/** Tells the reader when no dialect has a proof of who calls, and of secrets that are too short. */
export function readDialects(reader: SettingsReader<Table>): ReadDialects {
  const found = new Map<string, DialectPolicy>()
  const held: HeldSecret[] = []
  for (const dialect of dialects) {
    const prefix = dialect.name.toUpperCase()
    const read = <Value>(name: string, otherwise: Value): Value => {
      const whole = `${prefix}_${name}`
      return whole in dialectSettings ? ((reader.read(whole) as Value | undefined) ?? otherwise) : otherwise
    }
    const proofs: Record<string, unknown> = {}
    for (const [name, { weakness, bare }] of callerSettings) {
      const value = read<unknown>(name, undefined)
      if (value === undefined) continue
      proofs[name] = value
      const weak = weakness?.(value)
      if (weak !== undefined) reader.problem(`${prefix}_${name}`, weak, 'weak')
      held.push(...(bare?.(value) ?? []).map((secret) => ({ setting: `${prefix}_${name}`, bare: secret })))
    }
    const subjects = read<readonly ClientSubject[]>('CLIENT_SUBJECTS', [])
    const names = Object.keys(dialect.settings ?? {})
    const config: Omit<DialectPolicy, 'trust'> = {
      callers: { proofs, subjects },
      registration: read<'deny' | 'allow'>('REGISTRATION', 'deny'),
      registrationAttributes: read<readonly string[]>('REGISTRATION_ATTRIBUTES', []),
      lookup: read<string>('LOOKUP', 'off') === 'on',
      lookupsPerMinute: read('LOOKUPS_PER_MINUTE', 0),
      attributes: read<readonly string[]>('ATTRIBUTES', []),
      own: Object.fromEntries(names.map((name) => [name, read(name, '')])),
    }
    const trust = dialect.caller ? null : readTrust(prefix, read, reader)
    const proved = proofKinds.some((kind) => kind.create(proofs) !== null) || subjects.length > 0
    const isOn = dialect.caller
      ? isWhole(dialect.name, dialect.caller, config.own, reader)
      : proved || trust !== null
    if (isOn) found.set(dialect.name, { ...config, trust: dialect.caller?.trust(config.own) ?? trust })
  }
  const every = dialects.map(({ name }) => `${name.toUpperCase()}_HOOK_SECRETS`)
  if (found.size === 0)
    reader.problem(every[0] ?? '', 'is missing, and no other identity provider is configured')
  return { dialects: found, held }
}

/** Whether a dialect has what its callers prove themselves with. Tells the reader of what is set by halves. */
function isWhole(
  name: string,
  { needs }: TokenCaller,
  own: OwnSettings,
  reader: SettingsReader<Table>,
): boolean {
  const missing = needs.filter((group) => group.every((setting) => !own[setting]))
  const begun = missing.length < needs.length
  for (const group of begun ? missing : []) {
    const [first, ...others] = group.map((setting) => `${name.toUpperCase()}_${setting}`)
    reader.problem(first ?? '', ['is missing', ...others].join(', and so is '))
  }
  return missing.length === 0
}
