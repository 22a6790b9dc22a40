import { Socket } from 'node:net'
import pg from 'pg'
import { errorCode, Failure } from '../errors.ts'
import { createBreaker } from './breaker.ts'

/** Rows of one statement. Every failure is a `Failure('unavailable')` that carries an error code and nothing else. */
export interface Database {
  query<Row>(statement: Statement): Promise<Row[]>
  end(): Promise<void>
}

export interface Statement {
  /** Names a prepared statement, so that it is planned once a connection. */
  readonly name: string
  readonly text: string
  readonly values: readonly unknown[]
}

export interface PoolOptions {
  readonly connectionString: string
  readonly applicationName: string
  /** The role to act as; undefined: the account's own. */
  readonly role?: string
  readonly max: number
  readonly min: number
  /** For commands of the terminal: they would rather wait than fail. */
  readonly patient?: true
  /** For a lost idle connection: its error code. */
  readonly onLost: (code: string) => void
  /** For a database that does not answer any more, and one that answers again. */
  readonly onChange?: (state: 'given-up' | 'back') => void
}

/**
 * Milliseconds. A call has 2.4 s in all. `statement` ends a slow statement on the server; `query` is the only thing that
 * ends waiting for a frozen one; `connect` bounds waiting for a free connection too.
 */
const LIMITS = { connect: 500, statement: 800, query: 1_000, lock: 500 }

/** Milliseconds for a command, which nobody's clock runs against. */
const PATIENT = { connect: 10_000, statement: 600_000, query: 600_000, lock: 60_000 }

/** Milliseconds that a server has to take leave of its connections. A frozen one would keep the process from ending. */
const LEAVE_MS = 500

/** A pool for the service: every wait is bounded, and a dead idle connection never ends the process. */
export function openDatabase(options: PoolOptions): Database {
  const limits = options.patient ? PATIENT : LIMITS
  const breaker = createBreaker({ ...(options.onChange && { changed: options.onChange }) })
  const sockets = new Set<Socket>()
  const pool = new pg.Pool({
    stream: () => {
      const socket = new Socket()
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
      return socket
    },
    connectionString: options.connectionString,
    application_name: options.applicationName,
    max: options.max,
    min: options.min,
    connectionTimeoutMillis: limits.connect,
    statement_timeout: limits.statement,
    query_timeout: limits.query,
    lock_timeout: limits.lock,
    idle_in_transaction_session_timeout: 1_000,
    idleTimeoutMillis: 60_000,
    // Follows failovers and changed passwords.
    maxLifetimeSeconds: 1_800,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // On disk before it is given, whatever the server's own default says.
    options: [
      '-c synchronous_commit=on',
      ...(options.role === undefined ? [] : [`-c role=${options.role}`]),
    ].join(' '),
  })
  pool.on('error', (error) => options.onLost(errorCode(error)))
  return {
    query: <Row>(statement: Statement) => {
      const ask = () => rowsOf<Row>(pool, statement)
      return options.patient ? ask() : breaker.ask(ask)
    },
    end: async () => {
      await pool.end()
      const cut = () => {
        for (const socket of sockets) socket.destroy()
      }
      setTimeout(cut, LEAVE_MS).unref()
    },
  }
}

async function rowsOf<Row>(pool: pg.Pool, { name, text, values }: Statement): Promise<Row[]> {
  try {
    const { rows } = await pool.query({ name, text, values: [...values] })
    return rows as Row[]
  } catch (error) {
    throw new Failure('unavailable', { detail: databaseCode(error) })
  }
}

/** A connection of the owner, for commands: migrate, load, sync. Waits as long as the work takes. */
export async function connectOwner(connectionString: string, applicationName: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString,
    application_name: applicationName,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  })
  client.on('error', () => {}) // the statement in flight reports it
  await client.connect()
  return client
}

/** pg has no code for its own time-outs, only sentences. */
function databaseCode(error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  if (message === 'Query read timeout') return 'query-timeout'
  if (message.startsWith('timeout exceeded')) return 'pool-timeout'
  if (message.startsWith('Connection terminated') || message === 'timeout expired') return 'connection-lost'
  if (message === 'The server does not support SSL connections') return 'no-tls'
  return errorCode(error)
}
