import { readFileSync } from 'node:fs'
import { Misfit } from './setting-texts.ts'

/** A wrong or missing setting. The message lists all of them and repeats no value. */
export class ConfigError extends Error {}

export interface Setting<Value> {
  /** Throws a Misfit when the text does not fit. */
  readonly read: (text: string) => Value
  readonly default?: string
  readonly purpose: string
  /** `NAME_FILE` names a file with the value. */
  readonly secret?: true
}

export type Table = Readonly<Record<string, Setting<unknown>>>
export type Values<Settings extends Table> = { [Name in keyof Settings]: ReturnType<Settings[Name]['read']> }
export type Environment = Readonly<Record<string, string | undefined>>

export interface SettingsReader<Settings extends Table> {
  /** Sentences about settings that work but should not stay so. */
  readonly warnings: string[]
  /** Of several problems of one setting the first is the one that is told. */
  problem(name: string, sentence: string): void
  /** undefined: not set, or wrong, which `finish` will say. */
  read<Name extends keyof Settings & string>(name: Name): Values<Settings>[Name] | undefined
  /** Throws ConfigError when there was any problem. */
  finish(): void
}

/** @param made values that we made ourselves and that therefore stand in no environment */
export function settingsReader<const Settings extends Table>(
  settings: Settings,
  environment: Environment,
  made: Readonly<Record<string, string>> = {},
): SettingsReader<Settings> {
  const problems = new Map<string, string>()
  const warnings: string[] = []

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
    try {
      return readFileSync(path, 'utf8').trim()
    } catch {
      throw new Misfit('readable: its _FILE names a file that cannot be read')
    }
  }

  const problem = (name: string, sentence: string) => {
    if (!problems.has(name)) problems.set(name, `${name} ${sentence}`)
  }

  return {
    warnings,
    problem,
    read: <Name extends keyof Settings & string>(name: Name) => {
      const setting: Setting<unknown> = settings[name] as Setting<unknown>
      try {
        const text = textOf(name, setting)
        return text === undefined ? undefined : (setting.read(text) as Values<Settings>[Name])
      } catch (error) {
        if (!(error instanceof Misfit)) throw error
        problem(name, `must be ${error.message}`)
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
