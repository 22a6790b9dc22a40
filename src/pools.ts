import { accountRenewal } from './account-renewal.ts'
import type { Config, DatabaseAccount } from './config.ts'
import { openDatabase } from './db/client.ts'
import { checkSchema, SchemaError } from './db/migrate.ts'
import { type RenewableDatabase, renewable } from './db/renewable.ts'
import { errorCode } from './errors.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

type PoolName = 'hooks' | 'admin' | 'purge'

/** The connections of the service: each listener has an account of its own, and so has the purge. */
export interface Pools {
  readonly hooks: RenewableDatabase
  readonly admin: RenewableDatabase
  /** undefined: nothing is purged by the service. */
  readonly purge: RenewableDatabase | undefined
  /** Throws SchemaError when a listener's account does not reach a database of this schema. */
  check(): Promise<void>
  /** From now on these accounts are wanted. */
  want(config: Config): void
  /** Takes no other account any more. */
  settle(): Promise<void>
  end(): Promise<void>
}

/** Connections at most, and those that are kept open while there is nothing to do. */
const SIZES: Record<PoolName, { readonly max: number; readonly min: number }> = {
  hooks: { max: 8, min: 2 },
  admin: { max: 2, min: 2 },
  purge: { max: 1, min: 0 },
}

export function openPools(config: Config, metrics: Metrics, log: Log): Pools {
  const pool = (name: PoolName, account: DatabaseAccount) => {
    const open = ({ url, role }: DatabaseAccount) =>
      openDatabase({
        connectionString: url,
        applicationName: `carryover ${name}`,
        ...(role !== undefined && { role }),
        ...SIZES[name],
        onLost: (code) => log({ event: 'database-lost', pool: name, code }),
        onChange: (state) => {
          metrics.databaseUp.set({ pool: name }, state === 'back' ? 1 : 0)
          log({ event: `database-${state}`, pool: name })
        },
      })
    const isUp = () => metrics.databaseUp.set({ pool: name }, 1)
    isUp()
    const database = renewable(open(account))
    const setting = ({ role }: DatabaseAccount) =>
      role === undefined ? `${name.toUpperCase()}_DATABASE_URL` : 'DATABASE_URL'
    return {
      database,
      renewal: accountRenewal(account, database, open, { pool: name, setting, taken: isUp }, log),
    }
  }
  const hooks = pool('hooks', config.hooksDatabase)
  const admin = pool('admin', config.adminDatabase)
  const purge = config.purge && pool('purge', config.purge.database)
  const all = [hooks, admin, ...(purge ? [purge] : [])]
  return {
    hooks: hooks.database,
    admin: admin.database,
    purge: purge?.database,
    check: async () => {
      await Promise.all([hooks, admin].map(({ database }) => checkAccount(database)))
    },
    want: (next) => {
      hooks.renewal.want(next.hooksDatabase)
      admin.renewal.want(next.adminDatabase)
      if (next.purge) purge?.renewal.want(next.purge.database)
    },
    settle: async () => {
      await Promise.all(all.map(({ renewal }) => renewal.stop()))
    },
    end: async () => {
      await Promise.all(all.map(({ database }) => database.end()))
    },
  }
}

/** A machine on which everything starts at once may take longer for the first connection than a call could wait. */
const START_TRIES = 3

async function checkAccount(database: RenewableDatabase, tries = START_TRIES): Promise<void> {
  try {
    await checkSchema(database)
  } catch (error) {
    if (error instanceof SchemaError) throw error
    const code = errorCode(error)
    const isSlow = code === 'connection-lost' || code === 'query-timeout'
    if (isSlow && tries > 1) return checkAccount(database, tries - 1)
    throw new SchemaError(
      code === '42501'
        ? 'the database account lacks the role carryover_hooks or carryover_admin'
        : `the database cannot be used (${code})`,
    )
  }
}
