import { type Config, ConfigError, settings } from './config.ts'
import { errorCode } from './errors.ts'
import type { Log } from './log.ts'
import { type Watch, watchPaths } from './settings-watch.ts'

/** These are told of when the database has taken them. */
const ACCOUNTS = ['DATABASE_URL', 'HOOKS_DATABASE_URL', 'ADMIN_DATABASE_URL', 'PURGE_DATABASE_URL']

/**
 * Follows the files of settings. When one has changed everything is read again; while anything is wrong nothing changes,
 * which is told once for each change, by the settings' names alone.
 * @param first what is in use
 * @param read reads the settings again. Throws ConfigError
 * @param apply takes what can be taken without a restart; told of the settings whose files have changed
 */
export function followSettings(
  { paths }: Config,
  read: () => Config,
  apply: (next: Config, changed: readonly string[]) => void,
  log: Log,
): Watch {
  let known = paths
  const renew = () => {
    const next = readAgain(read, log)
    if (next === undefined) return
    const names = [...next.paths]
      .filter(([name, { digest }]) => digest !== known.get(name)?.digest)
      .map(([name]) => name)
    known = next.paths
    if (names.length === 0) return
    apply(next, names)
    const waiting = names.filter((name) => settings[name]?.fixed)
    const renewed = names.filter((name) => !waiting.includes(name) && !ACCOUNTS.includes(name))
    if (renewed.length > 0) log({ event: 'settings-renewed', settings: renewed })
    if (waiting.length > 0) log({ event: 'settings-need-restart', settings: waiting })
  }
  return watchPaths(
    [...paths.values()].map(({ path }) => path),
    renew,
  )
}

function readAgain(read: () => Config, log: Log): Config | undefined {
  try {
    return read()
  } catch (error) {
    const codes = error instanceof ConfigError ? error.codes : new Map([['settings', errorCode(error)]])
    for (const [setting, code] of codes) log({ event: 'setting-unusable', setting, code })
    return undefined
  }
}
