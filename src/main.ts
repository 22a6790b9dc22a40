import { accountRenewal } from './account-renewal.ts'
import { createAdminApp } from './admin/app.ts'
import { createHooksApp } from './app.ts'
import { createAllowList } from './callers/addresses.ts'
import { type BearerCheck, createBearerCheck } from './callers/bearer.ts'
import { type CheckerEvents, createChecker } from './checker/checker.ts'
import type { Config, DatabaseAccount } from './config.ts'
import { createChains } from './db/chains.ts'
import { type Database, openDatabase } from './db/client.ts'
import { readCounts } from './db/counts.ts'
import { readHistories } from './db/history.ts'
import { checkSchema, SchemaError } from './db/migrate.ts'
import { commonScheme, confirmUsers, outcomeRecorder, schemaVersion } from './db/outcomes.ts'
import { purgeMigrated, purgeVerified } from './db/purge.ts'
import { renewable } from './db/renewable.ts'
import { userFinder } from './db/users.ts'
import { dialects } from './dialects/index.ts'
import { errorCode } from './errors.ts'
import { type Schedule, schedulePurge } from './forget/schedule.ts'
import { hashContextOf } from './hash-context.ts'
import { argon2Libraries } from './hashes/argon2-library.ts'
import { schemesOf } from './hashes/candidates.ts'
import { classify } from './hashes/classify.ts'
import type { HashContext } from './hashes/context.ts'
import { exampleStored, readHash } from './hashes/index.ts'
import { lanesWork } from './hashes/lanes.ts'
import { createDecoys } from './hooks/decoy.ts'
import { createDiagnosis, type Diagnosis } from './hooks/diagnose.ts'
import { createFloor, followingStep } from './hooks/floor.ts'
import { createGate } from './hooks/gate.ts'
import { createUntil } from './hooks/punctual.ts'
import { createRefusalWatch } from './hooks/refusals.ts'
import { hookRoutes } from './hooks/routes.ts'
import { fetchHandler, type Listener, listen } from './http.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { describeListeners } from './openapi/document.ts'
import { programVersion } from './program-version.ts'
import { recorders } from './record.ts'
import { followSettings } from './renewal.ts'
import { acceptedSecrets } from './secrets.ts'

export interface Service {
  readonly hooksUrl: string
  readonly adminUrl: string
  /** Looks now whether files of settings have changed, which is otherwise done every second. */
  reload(): void
  /** Finishes what is in flight, then ends. */
  stop(): Promise<void>
}

/** Milliseconds that calls in flight have to finish once a stop is asked for: longer than any of them may take. */
const DRAIN_LIMIT_MS = 5_000

/** How often the store's most common scheme is asked for. It changes over weeks. */
const COMMON_SCHEME_EVERY_MS = 60_000

/** How often the newest links of the record go to the log: what is cut off behind the last one that is kept elsewhere shows. */
const RECORD_HEADS_EVERY_MS = 60_000

/** How often it is looked whether refusals have become many or few, and what a check takes. */
const REFUSALS_EVERY_MS = 5_000

/**
 * Wires everything and listens. Throws SchemaError when the database is not at this program's schema.
 * @param reread reads the settings again; without it their files are not followed
 */
export async function startService(config: Config, log: Log, reread?: () => Config): Promise<Service> {
  for (const warning of config.warnings) log({ event: 'setting', warning })
  if (!lanesWork()) log({ event: 'lanes-off' })
  const metrics = createMetrics()
  const openHooks = (account: DatabaseAccount) => open('hooks', account, 8, log)
  const openAdmin = (account: DatabaseAccount) => open('admin', account, 2, log)
  const hooksDatabase = renewable(openHooks(config.hooksDatabase))
  const adminDatabase = renewable(openAdmin(config.adminDatabase))
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

  const find = userFinder(hooksDatabase, config.throttle)
  const chains = createChains()
  const record = recorders(outcomeRecorder(hooksDatabase, config.throttle, chains))
  const logHeads = () => {
    for (const head of chains.moved()) log({ event: 'record-head', ...head })
  }
  const loggingHeads = setInterval(logHeads, RECORD_HEADS_EVERY_MS).unref()
  const auto = followingStep(() => checker.expected(decoys.current()))
  const step = () => (config.refusalFloor === 'auto' ? auto.current() : config.refusalFloor)
  const now = () => performance.now()
  const floor = createFloor({ step, until: createUntil(), now, random: Math.random })
  const refusals = createRefusalWatch({
    percent: config.refusalsHighPercent,
    now,
    tell: ({ high, attempts, refused }) =>
      log({ event: high ? 'refusals-high' : 'refusals-normal', attempts, refused }),
  })
  metrics.watchRefusals({ share: refusals.share, isHigh: refusals.isHigh, floor: step })
  const watching = setInterval(() => {
    refusals.look()
    auto.look()
  }, REFUSALS_EVERY_MS).unref()

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
      refusalLimit: config.throttle.limit,
      migratedGraceMs: config.migratedGraceMs,
      record: record.verdict,
    },
    floor,
    refusals,
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
          chains,
        ),
    },
  })

  // An issuer that is down does not keep the other providers from being answered.
  await Promise.allSettled(bearers.map(({ warm }) => warm()))

  const told = (listener: 'hooks' | 'admin') => (reason: string) =>
    metrics.requestsRefused.inc({ listener, reason })
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
      clearInterval(loggingHeads)
      clearInterval(watching)
      await Promise.all(bound.map((listener) => listener.close(0)))
      await endAll()
      throw error
    }
  }
  const hooks = await bind(createHooksApp(routes, { log, metrics }), {
    address: config.hooksListen,
    tls: config.tls,
    headersWithin: 2_000,
    requestWithin: 4_000,
    maxConnections: config.maxConnections,
    maxConnectionsOfOne: config.maxConnectionsOfOne,
    refused: told('hooks'),
  })
  let adminTokens = acceptedSecrets(config.adminTokens)
  const admin = await bind(
    fetchHandler(
      createAdminApp({
        isToken: (presented) => adminTokens.has(presented),
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
    {
      address: config.adminListen,
      headersWithin: 5_000,
      requestWithin: 15_000,
      maxConnections: 32,
      refused: told('admin'),
    },
  )
  const purging = purgingOf(config.purge, metrics, log)
  const hooksAccount = accountRenewal(
    config.hooksDatabase,
    hooksDatabase,
    openHooks,
    { pool: 'hooks', setting: ({ role }) => (role === undefined ? 'HOOKS_DATABASE_URL' : 'DATABASE_URL') },
    log,
  )
  const adminAccount = accountRenewal(
    config.adminDatabase,
    adminDatabase,
    openAdmin,
    { pool: 'admin', setting: ({ role }) => (role === undefined ? 'ADMIN_DATABASE_URL' : 'DATABASE_URL') },
    log,
  )
  const watch =
    reread &&
    followSettings(
      config,
      reread,
      (next, changed) => {
        for (const { dialect, renew } of routes) {
          const policy = next.dialects.get(dialect.name)
          if (policy !== undefined) renew(policy)
        }
        adminTokens = acceptedSecrets(next.adminTokens)
        if (next.tls !== undefined && changed.some((name) => name.startsWith('TLS_'))) hooks.renew(next.tls)
        hooksAccount.want(next.hooksDatabase)
        adminAccount.want(next.adminDatabase)
      },
      log,
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
    reload: () => watch?.look(),
    stop: async () => {
      stopping = true
      log({ event: 'stopping' })
      clearInterval(refreshing)
      clearInterval(watching)
      clearInterval(loggingHeads)
      watch?.stop()
      await Promise.all([
        hooks.close(DRAIN_LIMIT_MS),
        hooksAccount.stop(),
        adminAccount.stop(),
        purging?.stop(),
      ])
      for (const { stop } of bearers) stop()
      diagnosis?.stop()
      await admin.close(0)
      await endAll()
      logHeads()
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

/** The purge has a connection of its own, and none between two runs. */
function purgingOf(purge: Config['purge'], metrics: Metrics, log: Log): Schedule | undefined {
  if (purge === undefined) return undefined
  const { keptSeconds, verifiedKeptSeconds } = purge
  const database = open('purge', purge.database, 1, log)
  const schedule = schedulePurge(
    {
      migrated: (most) => purgeMigrated(database, keptSeconds, most),
      verified:
        verifiedKeptSeconds === undefined
          ? null
          : (after, most) =>
              purgeVerified(database, new Date(Date.now() - verifiedKeptSeconds * 1_000), after, most),
    },
    purge.everyMs,
    { log, metrics },
  )
  return {
    stop: async () => {
      await schedule.stop()
      await database.end()
    },
  }
}

function open(
  pool: 'hooks' | 'admin' | 'purge',
  { url, role }: DatabaseAccount,
  max: number,
  log: Log,
): Database {
  return openDatabase({
    connectionString: url,
    applicationName: `carryover ${pool}`,
    ...(role !== undefined && { role }),
    max,
    min: pool === 'purge' ? 0 : 2,
    onLost: (code) => log({ event: 'database-lost', pool, code }),
  })
}

async function checkAccount(database: Database): Promise<void> {
  try {
    await checkSchema(database)
  } catch (error) {
    if (error instanceof SchemaError) throw error
    const code = errorCode(error)
    throw new SchemaError(
      code === '42501'
        ? 'the database account lacks the role carryover_hooks or carryover_admin'
        : `the database cannot be used (${code})`,
    )
  }
}

/** A query and a check, each within a second. */
async function canAnswer(
  database: Database,
  checker: ReturnType<typeof createChecker>,
  decoy: Parameters<typeof checker.check>[0],
): Promise<boolean> {
  const deadline = performance.now() + 2_000
  try {
    await schemaVersion(database)
    await checker.check(decoy, Buffer.from('ready?'), deadline)
    return true
  } catch {
    return false
  }
}
