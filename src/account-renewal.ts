import { setTimeout as pause } from 'node:timers/promises'
import type { DatabaseAccount } from './config.ts'
import type { Database } from './db/client.ts'
import { checkSchema, SchemaError } from './db/migrate.ts'
import type { RenewableDatabase } from './db/renewable.ts'
import { errorCode } from './errors.ts'
import type { Log } from './log.ts'

export interface AccountRenewal {
  /** From now on this account is wanted. It is taken when the database lets it in, and tried every second until then. */
  want(account: DatabaseAccount): void
  /** Resolves when nothing is being tried any more. */
  stop(): Promise<void>
}

const AGAIN_MS = 1_000

/**
 * Replaces the account of a database that is in use. What is in use stays so until the new one has proved to reach a
 * database of this schema: the file may be written before the password is changed in PostgreSQL.
 * @param setting the name of the setting that an account comes from
 */
export function accountRenewal(
  first: DatabaseAccount,
  database: RenewableDatabase,
  open: (account: DatabaseAccount) => Database,
  told: {
    readonly pool: 'hooks' | 'admin' | 'purge'
    readonly setting: (account: DatabaseAccount) => string
    taken(): void
  },
  log: Log,
): AccountRenewal {
  let used = first
  let wanted = first
  let trying: Promise<void> | undefined
  const stopping = new AbortController()

  const refusal = async (account: DatabaseAccount): Promise<string | undefined> => {
    const next = open(account)
    try {
      await checkSchema(next)
    } catch (error) {
      await next.end()
      return error instanceof SchemaError ? 'schema' : errorCode(error)
    }
    // Somebody may have changed the file again, or asked for the end.
    if (stopping.signal.aborted || account.url !== wanted.url) return void (await next.end())
    database.renew(next)
    used = account
    told.taken()
    log({ event: 'database-renewed', pool: told.pool })
    return undefined
  }
  const tryUntilUsed = async () => {
    let last: string | undefined
    while (wanted.url !== used.url && !stopping.signal.aborted) {
      const account = wanted
      const code = await refusal(account)
      if (code === undefined) continue
      const line = `${account.url} ${code}`
      if (line !== last) log({ event: 'setting-unusable', setting: told.setting(account), code })
      last = line
      await pause(AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
    trying = undefined
  }
  return {
    want: (account) => {
      wanted = account
      if (account.url !== used.url) trying ??= tryUntilUsed()
    },
    stop: async () => {
      stopping.abort()
      await trying
    },
  }
}
