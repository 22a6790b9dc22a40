// The settings of targets, and of everything that calls other machines.
import { createHash } from 'node:crypto'
import { BlockList } from 'node:net'
import { rootCertificates } from 'node:tls'
import { addressRanges } from './callers/addresses.ts'
import { Misfit } from './setting-texts.ts'
import {
  ConfigError,
  type Environment,
  type Setting,
  secretFileMode,
  settingsReader,
  type Table,
} from './settings-reader.ts'
import type { ConfirmationKind, ConfirmationLog } from './targets/confirmations.ts'
import { targets } from './targets/index.ts'
import { type Target, TargetError, type TargetKind, type TargetSetting } from './targets/target.ts'

/** Of every call to another machine. */
export const outboundSettings = {
  OUTBOUND_CA_FILE: {
    read: (path, files) => {
      if (path === '') return ''
      const pem = files.text(path)
      if (!pem.includes('-----BEGIN CERTIFICATE-----'))
        throw new Misfit('the path of a file of PEM certificates', 'empty')
      return pem
    },
    default: '',
    purpose:
      'PEM certificates of authorities that targets and issuers of tokens may be certified by, besides those that Node.js knows. For `plan`, `provision`, `reconcile` and `serve`.',
  },
  OUTBOUND_ALLOW_ADDRESSES: {
    read: addressRanges,
    default: '',
    purpose:
      'Comma-separated private addresses and ranges, as `10.20.0.0/16`, that targets and issuers of tokens may have. Default: none, so that no setting leads a token into the inner network.',
  },
} as const satisfies Record<string, Setting<unknown>>

/** As the client of `outbound` takes them. */
export interface OutboundSettings {
  /** PEM of all authorities; absent: those of Node.js. */
  readonly ca?: string
  readonly allowAddresses: BlockList
}

/** Throws ConfigError. */
export function readOutboundSettings(environment: Environment): OutboundSettings {
  const reader = settingsReader(outboundSettings, environment)
  const own = reader.read('OUTBOUND_CA_FILE')
  const ranges = reader.read('OUTBOUND_ALLOW_ADDRESSES')
  reader.finish()
  const allowAddresses = new BlockList()
  for (const { address, prefix, family } of ranges ?? []) allowAddresses.addSubnet(address, prefix, family)
  return { ...(own ? { ca: [...rootCertificates, own].join('\n') } : {}), allowAddresses }
}

/** The settings of one kind of access to a target. */
interface Section {
  /** What their names begin with, as `EXAMPLE_PROVISION`. */
  readonly prefix: string
  readonly settings: Readonly<Record<string, TargetSetting>>
}

const possible = targets.filter(({ impossible }) => impossible === undefined)

/** The settings of every target that can be provisioned, and of every log that can be read, by their whole names. */
export const targetSettings: Table = Object.assign(
  {},
  ...possible.map((kind) => tableOf(provisionSection(kind))),
  ...possible.map((kind) => (kind.confirmations ? tableOf(reconcileSection(kind, kind.confirmations)) : {})),
)

export interface OpenedTarget {
  readonly target: Target
  /** SHA-256 of the settings but for secrets: a plan holds for these. */
  readonly settingsDigest: Buffer
  /** What no answer may repeat. */
  readonly secrets: readonly string[]
}

/** Throws ConfigError for settings that are missing or make no sense. */
export function openTarget(kind: TargetKind, environment: Environment): OpenedTarget {
  const section = provisionSection(kind)
  const { reader, values } = valuesOf(section, environment)
  reader.finish()
  return {
    target: opened(section, () => kind.open(values)),
    settingsDigest: settingsDigestOf(kind, values),
    secrets: Object.entries(kind.settings).flatMap(([part, { secret }]) =>
      secret ? [values[part] ?? ''] : [],
    ),
  }
}

/** For plans that are made away from the network: neither secrets nor anything else has to be set. */
export function targetSettingsDigest(kind: TargetKind, environment: Environment): Buffer {
  return settingsDigestOf(kind, valuesOf(provisionSection(kind), environment).values)
}

/** The log of a target; undefined: it has none. Throws ConfigError. */
export function openConfirmations(kind: TargetKind, environment: Environment): ConfirmationLog | undefined {
  const { confirmations } = kind
  if (confirmations === undefined) return undefined
  const section = reconcileSection(kind, confirmations)
  const { reader, values } = valuesOf(section, environment)
  reader.finish()
  return opened(section, () => confirmations.open(values))
}

/** Every log for which anything is set. Throws ConfigError. */
export function openAllConfirmations(
  environment: Environment,
): readonly { readonly target: string; readonly log: ConfirmationLog }[] {
  return possible.flatMap((kind) => {
    const { confirmations, name } = kind
    if (confirmations === undefined) return []
    const { prefix, settings } = reconcileSection(kind, confirmations)
    const isSet = Object.keys(settings).some(
      (part) => environment[`${prefix}_${part}`] || environment[`${prefix}_${part}_FILE`],
    )
    const log = isSet ? openConfirmations(kind, environment) : undefined
    return log === undefined ? [] : [{ target: name, log }]
  })
}

type Texts = Readonly<Record<string, string | undefined>>

function valuesOf(section: Section, environment: Environment) {
  const { prefix, settings } = section
  const table = { ...tableOf(section), SECRET_FILE_MODE: secretFileMode }
  const reader = settingsReader<Table>(table, environment)
  const read = (part: string): string | undefined => {
    const { secret, required } = settings[part] ?? {}
    const name = `${prefix}_${part}`
    if (secret && environment[name])
      reader.problem(name, `stands in the environment: only ${name}_FILE is read`, 'in-the-environment')
    const value = reader.read(name)
    const given = environment[name] || (secret && environment[`${name}_FILE`])
    if (required && value === undefined && !given)
      reader.problem(secret ? `${name}_FILE` : name, 'is missing')
    return typeof value === 'string' ? value : undefined
  }
  const values: Texts = Object.fromEntries(Object.keys(settings).map((part) => [part, read(part)]))
  return { reader, values }
}

function opened<Opened>({ prefix }: Section, open: () => Opened): Opened {
  try {
    return open()
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    throw new ConfigError(`wrong settings:\n  ${prefix}: ${error.message}`)
  }
}

function settingsDigestOf(kind: TargetKind, values: Texts): Buffer {
  const plain = Object.entries(kind.settings)
    .filter(([, { secret }]) => !secret)
    .map(([part]) => [part, values[part] ?? null])
    .sort()
  return createHash('sha256')
    .update(JSON.stringify([kind.name, plain]))
    .digest()
}

function tableOf({ prefix, settings }: Section): Table {
  return Object.fromEntries(
    Object.entries(settings).map(([part, { purpose, default: preset, secret }]) => [
      `${prefix}_${part}`,
      {
        read: (text: string) => text,
        ...(preset === undefined ? {} : { default: preset }),
        ...(secret ? { secret } : {}),
        purpose: secret ? `${purpose} Read from \`${prefix}_${part}_FILE\` alone.` : purpose,
      },
    ]),
  )
}

function provisionSection(kind: TargetKind): Section {
  return { prefix: `${prefixOf(kind)}_PROVISION`, settings: kind.settings }
}

function reconcileSection(kind: TargetKind, { settings }: ConfirmationKind): Section {
  return { prefix: `${prefixOf(kind)}_RECONCILE`, settings }
}

function prefixOf({ name }: TargetKind): string {
  return name.toUpperCase().replaceAll('-', '_')
}
