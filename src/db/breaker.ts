import { errorCode, Failure } from '../errors.ts'

/** Statements in a row that were lost before the database is given up. */
const LOST_IN_A_ROW = 5
/** Milliseconds until one statement may try again. */
const PAUSE_MS = 1_000

/**
 * What says that nobody answers. A statement that the server refused or ended itself was answered, and all connections
 * being busy says nothing about the server.
 */
const LOST =
  /^(query-timeout|connection-lost|08...|57P0[123]|ECONN(REFUSED|RESET|ABORTED)|ETIMEDOUT|EPIPE|ENOENT|ENOTFOUND|EAI_AGAIN|E(HOST|NET)(UNREACH|DOWN))$/

export interface BreakerOptions {
  /** Milliseconds, monotonic. */
  readonly now?: () => number
  /** Told when the database is given up and when it has answered again. */
  readonly changed?: (state: 'given-up' | 'back') => void
}

/** Whether it is of any use to ask. */
export interface Breaker {
  /** Asks; throws Failure `unavailable` with the detail `breaker` at once where the database has been given up. */
  ask<Answer>(question: () => Promise<Answer>): Promise<Answer>
}

/**
 * Spares callers the wait for a database that does not answer: after five lost statements in a row every statement fails at
 * once, for a second; then one is let through, and what becomes of it decides for the others.
 */
export function createBreaker({
  now = () => performance.now(),
  changed = () => {},
}: BreakerOptions = {}): Breaker {
  let lost = 0
  /** When one may try again; undefined: the database has not been given up. */
  let retryAt: number | undefined
  let trying = false

  const answered = () => {
    lost = 0
    if (retryAt === undefined) return
    retryAt = undefined
    changed('back')
  }
  const isLost = (tries: boolean) => {
    lost += 1
    if (retryAt !== undefined) {
      if (tries) retryAt = now() + PAUSE_MS
    } else if (lost >= LOST_IN_A_ROW) {
      retryAt = now() + PAUSE_MS
      changed('given-up')
    }
  }

  return {
    ask: async (question) => {
      const tries = retryAt !== undefined
      if (retryAt !== undefined && (trying || now() < retryAt))
        throw new Failure('unavailable', { detail: 'breaker' })
      if (tries) trying = true
      try {
        const answer = await question()
        answered()
        return answer
      } catch (error) {
        if (LOST.test(errorCode(error))) isLost(tries)
        else if (error instanceof Failure && error.detail !== 'pool-timeout') answered()
        throw error
      } finally {
        if (tries) trying = false
      }
    },
  }
}
