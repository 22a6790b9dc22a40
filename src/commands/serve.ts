import { readConfig } from '../config.ts'
import { type EmbeddedPostgres, startEmbedded } from '../db/embedded.ts'
import { migrateDatabase } from '../db/migrate.ts'
import { errorCode } from '../errors.ts'
import { createLog, type Log } from '../log.ts'
import { startService } from '../main.ts'
import type { Command, Io } from './command.ts'
import { readOptions } from './options.ts'

/** Milliseconds. Those who stop a service kill it after thirty seconds or sooner, and then nothing says why. */
const STOP_LIMIT_MS = 10_000

export const serve: Command = {
  name: 'serve',
  synopsis: '[--embedded DIR]',
  summary: 'the service: the hooks listener and the admin listener',
  help: `--embedded DIR   bring a PostgreSQL of its own, whose data lives in DIR; migrations are applied
Settings are environment variables: see docs/settings.md.`,
  run: async (args, io) => {
    const { values } = readOptions(args, { embedded: { type: 'string' } })
    const embedded = values.embedded === undefined ? undefined : await embeddedDatabase(values.embedded, io)
    try {
      const config = readConfig(io.env, embedded?.url)
      const log = createLog(config.logLevel)
      endOnCrash(log)
      const service = await startService(config, log)
      if (config.tls) process.on('SIGHUP', service.reload)
      await aborted(io.stop)
      setTimeout(() => endOverdue(log), STOP_LIMIT_MS + config.shutdownDelayMs).unref()
      await service.stop()
      return 0
    } finally {
      await embedded?.server.stop()
    }
  },
}

async function embeddedDatabase(
  directory: string,
  io: Io,
): Promise<{ server: EmbeddedPostgres; url: string }> {
  const server = await startEmbedded({ directory })
  const url = await server.database('carryover')
  await migrateDatabase(url)
  io.err(`embedded PostgreSQL: DATABASE_URL='${url}'\n`)
  return { server, url }
}

/** An error that nobody expected: nothing of it but its code is told, and the supervisor starts a fresh process. */
function endOnCrash(log: Log): void {
  const end = (error: unknown) => {
    log({ event: 'crash', code: errorCode(error) })
    process.exit(1)
  }
  process.on('uncaughtException', end)
  process.on('unhandledRejection', end)
  // Node's own answer to this signal is to open a debugger, which shows all memory.
  process.on('SIGUSR1', () => {})
}

function endOverdue(log: Log): void {
  log({ event: 'crash', code: 'STOP_OVERDUE' })
  process.exit(1)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done()
    signal.addEventListener('abort', () => done(), { once: true })
  })
}
