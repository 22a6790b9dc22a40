import { writeSync } from 'node:fs'
import type { Defect, VerdictKind } from './domain.ts'
import { errorCode, type FailureCode } from './errors.ts'

export type Level = 'debug' | 'info' | 'warn' | 'error'

/**
 * Everything that may be logged. There is no way to log anything else: no object of the outside, no error, no body.
 * Logins, passwords, hashes and secrets have no field. `userId` is the old system's own key.
 */
export type LogEvent =
  | { event: 'started'; hooks: string; admin: string; dialects: readonly string[]; threads: number }
  | { event: 'stopping' }
  | { event: 'stopped' }
  | { event: 'setting'; warning: string }
  | {
      event: 'attempt'
      dialect: string
      hook: string
      verdict: VerdictKind
      scheme: string | null
      userId: string | null
      requestId: string | null
      millis: number
    }
  | {
      event: 'lookup'
      dialect: string
      hook: string
      userId: string | null
      requestId: string | null
      millis: number
    }
  | {
      event: 'registration'
      dialect: string
      hook: string
      admission: 'allowed' | 'denied'
      userId: string | null
      requestId: string | null
      millis: number
    }
  | {
      event: 'confirmation'
      dialect: string
      confirmed: number
      repeated: number
      notStored: number
      unknown: number
    }
  | {
      event: 'failure'
      dialect: string
      hook: string
      status: number
      code: FailureCode
      detail: string | null
      fields: readonly string[]
      millis: number
    }
  | { event: 'caller-refused'; dialect: string; hook: string }
  /** The issuer's keys could not be fetched; they are tried again. */
  | { event: 'caller-keys-lost'; dialect: string; code: string }
  | { event: 'admin-refused'; path: string }
  | { event: 'admin-failure'; path: string; detail: string }
  | { event: 'login-ambiguous'; dialect: string; hook: string }
  | { event: 'hash-unusable'; userId: string; scheme: string; defect: Defect }
  /** Attempts of the last five minutes, and how many of them were refused. */
  | { event: 'refusals-high'; attempts: number; refused: number }
  | { event: 'refusals-normal'; attempts: number; refused: number }
  | { event: 'database-lost'; pool: string; code: string }
  /** Statements are refused at once until it answers. */
  | { event: 'database-given-up'; pool: string }
  | { event: 'database-back'; pool: string }
  | { event: 'common-scheme-unknown'; code: string }
  /** Users whose hashes were taken out of the copy by the schedule. */
  | { event: 'purged'; migrated: number; verified: number }
  /** What was purged until then stays so; the rest is tried again next time. */
  | { event: 'purge-failed'; code: string }
  /** What a provider's log said of passwords since it was read last. */
  | {
      event: 'reconciled'
      target: string
      confirmed: number
      repeated: number
      notStored: number
      unknown: number
    }
  /** A provider's log could not be read, and is read again next time from where it was left. */
  | { event: 'reconcile-failed'; target: string; code: string }
  | { event: 'thread-lost'; reason: 'crashed' | 'overran' }
  /** Threads were lost over this user's hash, which is not checked for a while. */
  | { event: 'hash-quarantined'; userId: string; scheme: string }
  /** In use in place of the fastest, which does not work here; null: none does, and Argon2 hashes are unavailable. */
  | { event: 'argon2-library'; library: 'argon2' | null }
  | { event: 'lanes-off' }
  /** The newest link of a chain of the record. Kept away from the database, it shows what is cut off behind it. */
  | { event: 'record-head'; run: string; lane: number; place: number; link: string }
  /** A crash may leave memory in a file: the kernel did not take the filter, and its limit allows dumps. */
  | { event: 'core-dumps-on' }
  /** Their files have changed, and what they hold now is in use. */
  | { event: 'settings-renewed'; settings: readonly string[] }
  /** Their files have changed, and what was read at the start stays in use. */
  | { event: 'settings-need-restart'; settings: readonly string[] }
  /** Its file has changed and cannot be used so. Everything in use stays in use. */
  | { event: 'setting-unusable'; setting: string; code: string }
  | { event: 'database-renewed'; pool: 'hooks' | 'admin' | 'purge' }
  | { event: 'crash'; code: string }

const levels: Record<LogEvent['event'], Level> = {
  started: 'info',
  stopping: 'info',
  stopped: 'info',
  setting: 'warn',
  attempt: 'info',
  lookup: 'info',
  registration: 'info',
  confirmation: 'info',
  failure: 'warn',
  'caller-refused': 'warn',
  'caller-keys-lost': 'error',
  'admin-refused': 'warn',
  'admin-failure': 'error',
  'login-ambiguous': 'warn',
  'hash-unusable': 'error',
  'refusals-high': 'warn',
  'refusals-normal': 'info',
  'database-lost': 'warn',
  'database-given-up': 'error',
  'database-back': 'warn',
  'common-scheme-unknown': 'warn',
  purged: 'info',
  'purge-failed': 'warn',
  reconciled: 'info',
  'reconcile-failed': 'warn',
  'thread-lost': 'error',
  'hash-quarantined': 'error',
  'argon2-library': 'warn',
  'lanes-off': 'error',
  'record-head': 'info',
  'core-dumps-on': 'warn',
  'settings-renewed': 'info',
  'settings-need-restart': 'warn',
  'setting-unusable': 'error',
  'database-renewed': 'info',
  crash: 'error',
}

export type Log = (event: LogEvent) => void

/** Bytes and milliseconds that lines wait for company: one write for many costs the service a tenth of what many cost. */
const FULL_BYTES = 16 * 1024
const LONGEST_WAIT_MS = 20

/** JSON lines on standard error. Errors are written at once, and before the process ends everything is. */
export function createLog(level: Level, write: (lines: string) => void = writeToStderr): Log {
  const least = order.indexOf(level)
  let lines = ''
  let timer: NodeJS.Timeout | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (lines === '') return
    const whole = lines
    lines = ''
    write(whole)
  }
  process.on('exit', flush)
  return (event) => {
    const importance = levels[event.event]
    if (order.indexOf(importance) < least) return
    const { event: name, ...rest } = event
    lines += `${JSON.stringify({ level: importance, time: new Date().toISOString(), event: name, ...rest })}\n`
    if (importance === 'error' || lines.length >= FULL_BYTES) flush()
    else timer ??= setTimeout(flush, LONGEST_WAIT_MS)
  }
}

const order: readonly Level[] = ['debug', 'info', 'warn', 'error']

/** A pipe that nobody empties fast enough is waited for this long; then the lines are lost and the service goes on. */
const PATIENCE = { tries: 50, millis: 10 }

function writeToStderr(text: string): void {
  let rest: Uint8Array = Buffer.from(text)
  for (let tries = 0; rest.length > 0 && tries < PATIENCE.tries; ) {
    try {
      rest = rest.subarray(writeSync(2, rest))
    } catch (error) {
      if (errorCode(error) !== 'EAGAIN') return
      tries += 1
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PATIENCE.millis)
    }
  }
}
