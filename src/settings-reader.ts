import { type ReadPath, type SettingFiles, settingFiles } from './setting-files.ts'
import { fileMode, Misfit } from './setting-texts.ts'

/** A wrong or missing setting. The message lists all of them and repeats no value. */
export class ConfigError extends Error {
  /** What each setting suffers from, in a word of ours, by the settings' names. */
  readonly codes: ReadonlyMap<string, string>

  constructor(message: string, codes: ReadonlyMap<string, string> = new Map()) {
    super(message)
    this.codes = codes
  }
}

export interface Setting<Value> {
  /** Throws a Misfit when the text does not fit. `files` is for texts that are paths. */
  readonly read: (text: string, files: SettingFiles) => Value
  readonly default?: string
  readonly purpose: string
  /** `NAME_FILE` names a file with the value. */
  readonly secret?: true
  /** What its path leads to is taken at the start alone. */
  readonly fixed?: true
}

export type Table = Readonly<Record<string, Setting<unknown>>>
export type Values<Settings extends Table> = { [Name in keyof Settings]: ReturnType<Settings[Name]['read']> }
export type Environment = Readonly<Record<string, string | undefined>>

export interface SettingsReader<Settings extends Table> {
  /** Sentences about settings that work but should not stay so. */
  readonly warnings: string[]
  /** Every file and directory that was read, by the name of the setting that it was read for. */
  readonly paths: ReadonlyMap<string, ReadPath>
  /**
   * Of several problems of one setting the first is the one that is told.
   * @param code what it is called in the log
   */
  problem(name: string, sentence: string, code?: string): void
  /** undefined: not set, or wrong, which `finish` will say. */
  read<Name extends keyof Settings & string>(name: Name): Values<Settings>[Name] | undefined
  /** Throws ConfigError when there was any problem. */
  finish(): void
}

/** The setting that says how open the files of secrets may be. A table without it has no secrets in files. */
const MODE = 'SECRET_FILE_MODE'

export const secretFileMode = {
  read: fileMode,
  default: '0700',
  purpose:
    'What the mode of a file that holds a secret may permit at most, in octal. By default nobody but its owner may read it; Kubernetes with `fsGroup` needs `0440`, files that Docker Compose mounts may need `0444`. Counts for every `..._FILE` of a secret, `TLS_KEY_FILE` and the files of `HASH_SECRETS_DIR`.',
} as const satisfies Setting<number>

/** @param made values that we made ourselves and that therefore stand in no environment */
export function settingsReader<const Settings extends Table>(
  settings: Settings,
  environment: Environment,
  made: Readonly<Record<string, string>> = {},
): SettingsReader<Settings> {
  const problems = new Map<string, { sentence: string; code: string }>()
  const warnings: string[] = []
  const paths = new Map<string, ReadPath>()

  const textOf = (name: string, setting: Setting<unknown>): string | undefined => {
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
    const text = filesOf(name).secret(path).trim()
    // Nothing would turn the setting off, which is done by taking the setting away.
    if (text === '') throw new Misfit('in its _FILE, which is empty', 'empty')
    return text
  }

  const filesOf = (name: string): SettingFiles => {
    const most = MODE in settings && name !== MODE ? (read(MODE) as number | undefined) : undefined
    return settingFiles(most ?? 0, (path) => paths.set(name, path))
  }

  const problem = (name: string, sentence: string, code = 'unfit') => {
    if (!problems.has(name)) problems.set(name, { sentence: `${name} ${sentence}`, code })
  }

  const read = <Name extends keyof Settings & string>(name: Name) => {
    const setting: Setting<unknown> = settings[name] as Setting<unknown>
    try {
      const text = textOf(name, setting)
      return text === undefined ? undefined : (setting.read(text, filesOf(name)) as Values<Settings>[Name])
    } catch (error) {
      if (!(error instanceof Misfit)) throw error
      problem(name, `must be ${error.message}`, error.code)
      return undefined
    }
  }

  return {
    warnings,
    paths,
    problem,
    read,
    finish: () => {
      if (problems.size === 0) return
      const told = [...problems]
      throw new ConfigError(
        `wrong settings:\n${told.map(([, { sentence }]) => `  ${sentence}`).join('\n')}`,
        new Map(told.map(([name, { code }]) => [name, code])),
      )
    },
  }
}
