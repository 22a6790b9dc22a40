import pino from 'pino'
import type { Defect, VerdictKind } from './domain.ts'
import type { FailureCode } from './errors.ts'

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
  | { event: 'admin-refused'; path: string }
  | { event: 'admin-failure'; path: string; detail: string }
  | { event: 'login-ambiguous'; dialect: string; hook: string }
  | { event: 'hash-unusable'; userId: string; scheme: string; defect: Defect }
  | { event: 'database-lost'; pool: string; code: string }
  | { event: 'common-scheme-unknown'; code: string }
  | { event: 'native-library-broken'; library: string }
  | { event: 'lanes-off' }
  | { event: 'crash'; code: string }

const levels: Record<LogEvent['event'], Level> = {
  started: 'info',
  stopping: 'info',
  stopped: 'info',
  setting: 'warn',
  attempt: 'info',
  registration: 'info',
  confirmation: 'info',
  failure: 'warn',
  'caller-refused': 'warn',
  'admin-refused': 'warn',
  'admin-failure': 'error',
  'login-ambiguous': 'warn',
  'hash-unusable': 'error',
  'database-lost': 'warn',
  'common-scheme-unknown': 'warn',
  'native-library-broken': 'error',
  'lanes-off': 'error',
  crash: 'error',
}

export type Log = (event: LogEvent) => void

/** JSON lines, written at once: the last event before a crash is the one that is needed. */
export function createLog(
  level: Level,
  destination: { write(line: string): void } = pino.destination({ dest: 2, sync: true }),
): Log {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return (event) => logger[levels[event.event]](event)
}
