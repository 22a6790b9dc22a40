import { fingerprintOf } from './setting-files.ts'

export interface Watch {
  /** Looks now. What has changed is taken to be written to its end. */
  look(): void
  stop(): void
}

/**
 * Milliseconds between two looks, and from a change that was seen until it is taken when nothing has changed further. An
 * old secret is to be refused within two seconds after it was taken out of its file.
 */
const EVERY_MS = 1_000
const SETTLED_MS = 100

/**
 * Looks every second whether something else stands at the paths. Files are looked at in this thread: asynchronous calls wait
 * behind the hash checks, and a look takes some ten microseconds a path.
 * @param changed told once of each change, and once at the first look, as nobody knows what happened since the paths
 * were read
 */
export function watchPaths(paths: readonly string[], changed: () => void): Watch {
  let taken: string | undefined
  let seen: string | undefined
  let soon: NodeJS.Timeout | undefined
  const now = () => paths.map(fingerprintOf).join('\n\n')
  const take = (state: string) => {
    clearTimeout(soon)
    taken = state
    changed()
  }
  const look = () => {
    const state = now()
    if (state === taken) return
    if (state === seen) return take(state)
    // Perhaps somebody is writing: a list of which the half is there reads like a shorter one.
    seen = state
    clearTimeout(soon)
    soon = setTimeout(look, SETTLED_MS).unref()
  }
  const timer = setInterval(look, EVERY_MS).unref()
  return {
    look: () => {
      const state = now()
      if (state !== taken) take(state)
    },
    stop: () => {
      clearInterval(timer)
      clearTimeout(soon)
    },
  }
}
