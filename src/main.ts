import { setTimeout as delay } from 'node:timers/promises'
import { createAdminApp } from './admin/app.ts'
import { createHooksApp } from './app.ts'
import { createAllowList } from './callers/addresses.ts'
import { type BearerCheck, createBearerCheck } from './callers/bearer.ts'
import { type CheckerEvents, createChecker } from './checker/checker.ts'
import type { Config, DatabaseAccount } from './config.ts'
import { type Database, openDatabase } from './db/client.ts'
import { readCounts } from './db/counts.ts'
import { readHistories } from './db/history.ts'
import { checkSchema, SchemaError } from './db/migrate.ts'
import { commonScheme, confirmUsers, outcomeRecorder, takesRows } from './db/outcomes.ts'
import { userFinder } from './db/users.ts'
import { dialects } from './dialects/index.ts'
import { errorCode } from './errors.ts'
import { hashContextOf } from './hash-context.ts'
import { argon2Libraries } from './hashes/argon2-library.ts'
import { schemesOf } from './hashes/candidates.ts'
import { classify } from './hashes/classify.ts'
import type { HashContext } from './hashes/context.ts'
import { exampleStored, readHash } from './hashes/index.ts'
import { lanesWork } from './hashes/lanes.ts'
import { createDecoys } from './hooks/decoy.ts'
import { createDiagnosis, type Diagnosis } from './hooks/diagnose.ts'
import { createGate } from './hooks/gate.ts'
import { hookRoutes } from './hooks/routes.ts'
import { fetchHandler, type Listener, listen } from './http.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { describeListeners } from './openapi/document.ts'
import { programVersion } from './program-version.ts'
import { recorders } from './record.ts'
import { tlsRenewal } from './tls-files.ts'

export interface Service {
  readonly hooksUrl: string
  readonly adminUrl: string
  /** Looks now whether the certificates have changed, which is otherwise done every minute. */
  reload(): void
  /** Is not ready from now on; after the delay that is set, finishes what is in flight and ends. */
  stop(): Promise<void>
}

/**
 * Milliseconds that calls in flight have to finish once a stop is asked for: longer than any of them may take, and short
 * enough that the process has ended within five seconds.
 */
const DRAIN_LIMIT_MS = 4_250

/** How often the store's most common scheme is asked for. It changes over weeks. */
const COMMON_SCHEME_EVERY_MS = 60_000

/** How often the files of certificates are looked at. Those who replace them do so hours or days before they must be. */
const CERTIFICATES_EVERY_MS = 60_000

/** Wires everything and listens. Throws SchemaError when the database is not at this program's schema. */
export async function startService(config: Config, log: Log): Promise<Service> {
  for (const warning of config.warnings) log({ event: 'setting', warning })
  if (!lanesWork()) log({ event: 'lanes-off' })
  const metrics = createMetrics()
  const hooksDatabase = open('hooks', config.hooksDatabase, 8, metrics, log)
  const adminDatabase = open('admin', config.adminDatabase, 2, metrics, log)
  const context = hashContextOf(config.hashes)
  const checker = createChecker({
    threads: config.checkThreads,
    context,
    events: checkerEvents(metrics, log),
  })
  const endAll = async () => {
    await checker.close()
    await Promise.all([hooksDatabase.end(), adminDatabase.end()])
  }
  try {
    await Promise.all([checkAccount(hooksDatabase), checkAccount(adminDatabase), checker.ready()])
  } catch (error) {
    await endAll()
    throw error
  }
  metrics.watchChecker(checker)
  const [argon2Library = null] = await argon2Libraries()
  if (argon2Library !== 'node-rs') log({ event: 'argon2-library', library: argon2Library })

  const decoys = createDecoys(
    (scheme) => exampleStored(scheme, context),
    (stored) => classify(stored, context).usable,
  )
  const refreshDecoys = async () => {
    try {
      const scheme = await commonScheme(hooksDatabase)
      if (scheme !== null) decoys.expect(scheme)
    } catch (error) {
      log({ event: 'common-scheme-unknown', code: errorCode(error) })
    }
  }
  await refreshDecoys()
  const refreshing = setInterval(refreshDecoys, COMMON_SCHEME_EVERY_MS).unref()

  const find = userFinder(hooksDatabase, config.refusalWindowSeconds)
  const record = recorders(outcomeRecorder(hooksDatabase, config.refusalLimit, config.refusalWindowSeconds))
  const check: typeof checker.check = async (...question) => {
    const end = metrics.checkSeconds.startTimer()
    try {
      return await checker.check(...question)
    } finally {
      end()
    }
  }
  const diagnosis = diagnosisOf(config, context, metrics)
  const bearers: BearerCheck[] = []
  const routes = hookRoutes(dialects, config.dialects, {
    allows: createAllowList(config.hooksAllow, config.trustedProxyHops),
    log,
    metrics,
    bearer: (dialect, trust) => {
      const bearer = createBearerCheck({
        ...trust,
        failed: (code) => log({ event: 'caller-keys-lost', dialect, code }),
      })
      bearers.push(bearer)
      return bearer
    },
    ...(diagnosis && { mismatched: diagnosis.mismatched }),
    judge: {
      find,
      check,
      classify: (stored) => classify(stored, context),
      decoys,
      gate: createGate(config.checkThreads),
      refusalLimit: config.refusalLimit,
      migratedGraceMs: config.migratedGraceMs,
      record: record.verdict,
    },
    verifiedGraceMs: config.verifiedGraceMs,
    admit: { find, record: record.admission },
    lookup: { find, record: record.lookup },
    confirm: {
      confirm: (notices) =>
        confirmUsers(
          hooksDatabase,
          notices.map(({ dialect, hook, name, result, eventId }) => ({
            dialect,
            hook,
            name,
            result,
            event_id: eventId,
          })),
        ),
    },
  })

  // An issuer that is down does not keep the other providers from being answered.
  await Promise.allSettled(bearers.map(({ warm }) => warm()))

  let stopping = false
  const bound: Listener[] = []
  // An address that is taken must end the process, and threads and connections would keep it alive.
  const bind: typeof listen = async (handler, options) => {
    try {
      const listener = await listen(handler, options)
      bound.push(listener)
      return listener
    } catch (error) {
      clearInterval(refreshing)
      await Promise.all(bound.map((listener) => listener.close(0)))
      await endAll()
      throw error
    }
  }
  const hooks = await bind(createHooksApp(routes, { log, metrics }), {
    address: config.hooksListen,
    tls: config.tls?.contents,
    headersWithin: 2_000,
    requestWithin: 4_000,
    maxConnections: 2_048,
  })
  const reload = config.tls ? tlsRenewal(config.tls.files, config.tls.contents, hooks.renew, log) : () => {}
  const reloading = setInterval(reload, CERTIFICATES_EVERY_MS).unref()
  const admin = await bind(
    fetchHandler(
      createAdminApp({
        tokens: config.adminTokens,
        counts: async () => ({
          ...(await readCounts(adminDatabase)),
          ...(diagnosis && { mismatchVariants: diagnosis.counts() }),
        }),
        histories: (name) => readHistories(adminDatabase, name),
        document: () => JSON.stringify(describeListeners(routes, programVersion())),
        ready: async () => !stopping && (await canAnswer(hooksDatabase, checker, decoys.current())),
        log,
        metrics,
      }).fetch,
    ),
    { address: config.adminListen, headersWithin: 5_000, requestWithin: 15_000, maxConnections: 32 },
  )
  const active = [...config.dialects.keys()]
  log({
    event: 'started',
    hooks: hooks.url,
    admin: admin.url,
    dialects: active,
    threads: config.checkThreads,
  })
  return {
    hooksUrl: hooks.url,
    adminUrl: admin.url,
    reload,
    stop: async () => {
      stopping = true
      log({ event: 'stopping' })
      clearInterval(refreshing)
      clearInterval(reloading)
      hooks.retire()
      await delay(config.shutdownDelayMs)
      await hooks.close(DRAIN_LIMIT_MS)
      for (const { stop } of bearers) stop()
      diagnosis?.stop()
      await admin.close(0)
      await endAll()
      log({ event: 'stopped' })
    },
  }
}

function checkerEvents(metrics: Metrics, log: Log): CheckerEvents {
  return {
    ran: (scheme, predicted, taken, company) => {
      const labels = { scheme: metrics.schemeLabel(scheme), checks: company }
      metrics.checkRunSeconds.observe(labels, taken / 1_000)
      metrics.checkPredictedSeconds.set(labels, predicted / 1_000)
    },
    waited: (millis) => metrics.checkWaitSeconds.observe(millis / 1_000),
    shed: (scheme) => metrics.checksShed.inc({ scheme: metrics.schemeLabel(scheme) }),
    threadLost: (reason) => {
      metrics.threadsLost.inc({ reason })
      log({ event: 'thread-lost', reason })
    },
    quarantined: (userId, scheme) => {
      metrics.hashesQuarantined.inc()
      log({ event: 'hash-quarantined', userId, scheme: metrics.schemeLabel(scheme) })
    },
  }
}

function diagnosisOf(
  { diagnosePerMinute }: Config,
  context: HashContext,
  metrics: Metrics,
): Diagnosis | undefined {
  if (diagnosePerMinute === undefined) return undefined
  const counter = metrics.mismatchVariants()
  return createDiagnosis({
    perMinute: diagnosePerMinute,
    read: (stored) => readHash(stored, context),
    schemesOf: (stored) => schemesOf(stored, context),
    count: (scheme, variant) => counter.inc({ scheme, variant }),
  })
}

function open(
  pool: 'hooks' | 'admin',
  { url, role }: DatabaseAccount,
  max: number,
  metrics: Metrics,
  log: Log,
): Database {
  metrics.databaseUp.set({ pool }, 1)
  return openDatabase({
    connectionString: url,
    applicationName: `carryover ${pool}`,
    ...(role !== undefined && { role }),
    max,
    min: 2,
    onLost: (code) => log({ event: 'database-lost', pool, code }),
    onChange: (state) => {
      metrics.databaseUp.set({ pool }, state === 'back' ? 1 : 0)
      log({ event: `database-${state}`, pool })
    },
  })
}

/** A machine on which everything starts at once may take longer for the first connection than a call could wait. */
const START_TRIES = 3

async function checkAccount(database: Database, tries = START_TRIES): Promise<void> {
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

/** A query and a check, each within a second, and a database in which an answer could be recorded. */
async function canAnswer(
  database: Database,
  checker: ReturnType<typeof createChecker>,
  decoy: Parameters<typeof checker.check>[0],
): Promise<boolean> {
  const deadline = performance.now() + 2_000
  try {
    if (!(await takesRows(database))) return false
    await checker.check(decoy, Buffer.from('ready?'), deadline)
    return true
  } catch {
    return false
  }
}
