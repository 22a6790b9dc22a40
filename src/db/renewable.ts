import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '../errors.ts'
import type { Database } from './client.ts'

/** A database whose connections can be replaced by others while it is in use. */
export interface RenewableDatabase extends Database {
  /** Statements from now on go to `next`. The one before is ended when its last statement is done. */
  renew(next: Database): void
}

/**
 * Milliseconds. Between a new password in PostgreSQL and the same in the file, connections cannot be made; those that are
 * open still work. A statement waits for one as long as it would where all are in use.
 */
const PATIENCE_MS = 500
const PAUSE_MS = 25

interface InUse {
  readonly database: Database
  running: number
  ended?: Promise<void>
}

export function renewable(first: Database): RenewableDatabase {
  let current: InUse = { database: first, running: 0 }
  const all = new Set([current])
  const end = (one: InUse) => {
    one.ended ??= one.database.end().finally(() => all.delete(one))
    return one.ended
  }
  const within = async <Value>(work: (database: Database) => Promise<Value>): Promise<Value> => {
    const used = current
    used.running += 1
    try {
      return await work(used.database)
    } finally {
      used.running -= 1
      if (used.running === 0 && used !== current) void end(used)
    }
  }
  return {
    query: async (statement) => {
      const until = performance.now() + PATIENCE_MS
      for (;;) {
        try {
          return await within((database) => database.query(statement))
        } catch (error) {
          if (!isWrongPassword(error) || performance.now() > until) throw error
        }
        await pause(PAUSE_MS)
      }
    },
    renew: (next) => {
      const before = current
      current = { database: next, running: 0 }
      all.add(current)
      if (before.running === 0) void end(before)
    },
    end: async () => {
      await Promise.all([...all].map(end))
    },
  }
}

/** PostgreSQL says so when a connection begins and never later, so no statement was begun. */
function isWrongPassword(error: unknown): boolean {
  return error instanceof Failure && error.detail === '28P01'
}
