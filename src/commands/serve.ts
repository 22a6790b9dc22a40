import { readConfig } from '../config.ts'
import { type EmbeddedPostgres, startEmbedded } from '../db/embedded.ts'
import { migrateDatabase } from '../db/migrate.ts'
import { createLog, type Log } from '../log.ts'
import { startService } from '../main.ts'
import { endOnCrash } from '../seal/crash.ts'
import { sealMemory } from '../seal/memory.ts'
import type { Command, Io } from './command.ts'
import { readOptions } from './options.ts'
import { requireSealed } from './sealed.ts'

/** Milliseconds. Those who stop a service kill it after thirty seconds or sooner, and then nothing says why. */
export const STOP_LIMIT_MS = 10_000

export const serve: Command = {
  name: 'serve',
  synopsis: '[--embedded DIR]',
  summary: 'the service: the hooks listener and the admin listener',
  help: `--embedded DIR   bring a PostgreSQL of its own, whose data lives in DIR; migrations are applied
Settings are environment variables: see docs/settings.md.`,
  run: async (args, io) => {
    const { values } = readOptions(args, { embedded: { type: 'string' } })
    requireSealed(io)
    const embedded = values.embedded === undefined ? undefined : await embeddedDatabase(values.embedded, io)
    try {
      const read = () => readConfig(io.env, embedded?.url)
      const config = read()
      const log = createLog(config.logLevel)
      const stoppingOnCrash = endOnCrash((code) => log({ event: 'crash', code }))
      if (!sealMemory()) log({ event: 'core-dumps-on' })
      const service = await startService(config, log, read)
      const stop = stoppingOnCrash(service.stop)
      process.on('SIGHUP', service.reload)
      await aborted(io.stop)
      setTimeout(() => endOverdue(log), STOP_LIMIT_MS + config.shutdownDelayMs).unref()
      await stop()
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
