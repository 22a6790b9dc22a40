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
import { targets } from './targets/index.ts'
import { type Target, TargetError, type TargetKind } from './targets/target.ts'

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
      'PEM certificates of authorities that targets may be certified by, besides those that Node.js knows. For `plan`, `provision` and `reconcile`.',
  },
  OUTBOUND_ALLOW_ADDRESSES: {
    read: addressRanges,
    default: '',
    purpose:
      'Comma-separated private addresses and ranges, as `10.20.0.0/16`, that targets may have. Default: none, so that no setting leads a token into the inner network.',
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

/** The settings of every target that can be provisioned, by their whole names. */
export const targetSettings: Table = tableOf(targets)

export interface OpenedTarget {
  readonly target: Target
  /** SHA-256 of the settings but for secrets: a plan holds for these. */
  readonly settingsDigest: Buffer
}

/** Throws ConfigError for settings that are missing or make no sense. */
export function openTarget(kind: TargetKind, environment: Environment): OpenedTarget {
  const { reader, values } = valuesOf(kind, environment)
  reader.finish()
  return { target: opened(kind, values), settingsDigest: settingsDigestOf(kind, values) }
}

/** For plans that are made away from the network: neither secrets nor anything else has to be set. */
export function targetSettingsDigest(kind: TargetKind, environment: Environment): Buffer {
  return settingsDigestOf(kind, valuesOf(kind, environment).values)
}

type Texts = Readonly<Record<string, string | undefined>>

function valuesOf(kind: TargetKind, environment: Environment) {
  const table = { ...tableOf([kind]), SECRET_FILE_MODE: secretFileMode }
  const reader = settingsReader<Table>(table, environment)
  const read = (part: string): string | undefined => {
    const { secret, required } = kind.settings[part] ?? {}
    const name = nameOf(kind, part)
    if (secret && environment[name])
      reader.problem(name, `stands in the environment: only ${name}_FILE is read`, 'in-the-environment')
    const value = reader.read(name)
    const given = environment[name] || (secret && environment[`${name}_FILE`])
    if (required && value === undefined && !given)
      reader.problem(secret ? `${name}_FILE` : name, 'is missing')
    return typeof value === 'string' ? value : undefined
  }
  const values: Texts = Object.fromEntries(Object.keys(kind.settings).map((part) => [part, read(part)]))
  return { reader, values }
}

function opened(kind: TargetKind, values: Texts): Target {
  try {
    return kind.open(values)
  } catch (error) {
    if (!(error instanceof TargetError)) throw error
    throw new ConfigError(`wrong settings:\n  ${prefixOf(kind)}: ${error.message}`)
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

function tableOf(kinds: readonly TargetKind[]): Table {
  return Object.fromEntries(
    kinds
      .filter(({ impossible }) => impossible === undefined)
      .flatMap((kind) =>
        Object.entries(kind.settings).map(([part, { purpose, default: preset, secret }]) => [
          nameOf(kind, part),
          {
            read: (text: string) => text,
            ...(preset === undefined ? {} : { default: preset }),
            ...(secret ? { secret } : {}),
            purpose: secret ? `${purpose} Read from \`${nameOf(kind, part)}_FILE\` alone.` : purpose,
          },
        ]),
      ),
  )
}

function nameOf(kind: TargetKind, part: string): string {
  return `${prefixOf(kind)}_${part}`
}

function prefixOf({ name }: TargetKind): string {
  return `${name.toUpperCase().replaceAll('-', '_')}_PROVISION`
}
