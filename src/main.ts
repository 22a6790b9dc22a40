import { setTimeout as delay } from 'node:timers/promises'
import { createAdminApp } from './admin/app.ts'
import { createHooksApp } from './app.ts'
import { createAllowList } from './callers/addresses.ts'
import { type BearerCheck, createBearerCheck } from './callers/bearer.ts'
import { type CheckerEvents, createChecker } from './checker/checker.ts'
import type { Config } from './config.ts'
import { createChains } from './db/chains.ts'
import type { Database } from './db/client.ts'
import { readCounts } from './db/counts.ts'
import { readHistories } from './db/history.ts'
import { commonScheme, confirmUsers, outcomeRecorder, takesRows } from './db/outcomes.ts'
import { readProvisioning } from './db/provisioning.ts'
import { purgeMigrated, purgeVerified } from './db/purge.ts'
import { userFinder } from './db/users.ts'
import { dialects } from './dialects/index.ts'
import { errorCode } from './errors.ts'
import { schedulePurge } from './forget/schedule.ts'
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
import { createKeysCall } from './issuer-keys.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { describeListeners } from './openapi/document.ts'
import { openPools } from './pools.ts'
import { programVersion } from './program-version.ts'
import { scheduleReading } from './reconcile/schedule.ts'
import { logCaller, readOn } from './reconciling.ts'
import { recorders } from './record.ts'
import { followSettings } from './renewal.ts'
import type { Repeating } from './repeating.ts'
import { acceptedSecrets } from './secrets.ts'

export interface Service {
  readonly hooksUrl: string
  readonly adminUrl: string
  /** Looks now whether files of settings have changed, which is otherwise done every second. */
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
  const pools = openPools(config, metrics, log)
  const context = hashContextOf(config.hashes)
  const checker = createChecker({
    threads: config.checkThreads,
    context,
    events: checkerEvents(metrics, log),
  })
  const chores = createChores()
  const endAll = async () => {
    chores.end()
    await checker.close()
    await pools.end()
  }
  try {
    await Promise.all([pools.check(), checker.ready()])
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
      const scheme = await commonScheme(pools.hooks)
      if (scheme !== null) decoys.expect(scheme)
    } catch (error) {
      log({ event: 'common-scheme-unknown', code: errorCode(error) })
    }
  }
  await refreshDecoys()
  chores.every(COMMON_SCHEME_EVERY_MS, refreshDecoys)

  const find = userFinder(pools.hooks, config.throttle)
  const chains = createChains()
  const record = recorders(outcomeRecorder(pools.hooks, config.throttle, chains))
  const logHeads = () => {
    for (const { run, lane, place, link } of chains.moved())
      log({ event: 'record-head', run, lane, place, link })
  }
  chores.every(RECORD_HEADS_EVERY_MS, logHeads)

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
  chores.every(REFUSALS_EVERY_MS, () => {
    refusals.look()
    auto.look()
  })

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
        ask: createKeysCall(config.outbound),
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
          pools.hooks,
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
          ...(await readCounts(pools.admin)),
          ...(diagnosis && { mismatchVariants: diagnosis.counts() }),
        }),
        histories: (name) => readHistories(pools.admin, name),
        provisioning: () => readProvisioning(pools.admin),
        document: () => JSON.stringify(describeListeners(routes, programVersion())),
        ready: async () => !stopping && (await canAnswer(pools.hooks, checker, decoys.current())),
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
  const readings = readingsOf(config, pools.hooks, chains, log)
  const purging = purgingOf(config.purge, pools.purge, { log, metrics })
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
        pools.want(next)
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
      hooks.retire()
      await delay(config.shutdownDelayMs)
      watch?.stop()
      await Promise.all([hooks.close(DRAIN_LIMIT_MS), pools.settle(), purging?.stop(), readings.stop()])
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

function purgingOf(
  purge: Config['purge'],
  database: Database | undefined,
  told: { log: Log; metrics: Metrics },
): Repeating | undefined {
  if (purge === undefined || database === undefined) return undefined
  const { keptSeconds, verifiedKeptSeconds, everyMs } = purge
  return schedulePurge(
    {
      migrated: (most) => purgeMigrated(database, keptSeconds, most),
      verified:
        verifiedKeptSeconds === undefined
          ? null
          : (after, most) =>
              purgeVerified(database, new Date(Date.now() - verifiedKeptSeconds * 1_000), after, most),
    },
    everyMs,
    told,
  )
}

/** Logs of providers, each read by a schedule of its own. */
function readingsOf(
  { reconcile, outbound }: Config,
  database: Database,
  chains: ReturnType<typeof createChains>,
  log: Log,
): Repeating {
  const ended = new AbortController()
  const readings = reconcile.logs.map(({ target, log: source }) => {
    const caller = logCaller(source, outbound, ended.signal)
    const reading = { target, log: source, database, chains, sinceDays: reconcile.sinceDays }
    const schedule = scheduleReading(
      target,
      reconcile.everyMs,
      (stop) => readOn(reading, caller.call, stop),
      log,
    )
    return { caller, schedule }
  })
  return {
    stop: async () => {
      ended.abort()
      for (const { caller } of readings) caller.close()
      await Promise.all(readings.map(({ schedule }) => schedule.stop()))
    },
  }
}

/** What is done again and again while the service runs. */
function createChores() {
  const timers: NodeJS.Timeout[] = []
  return {
    every: (millis: number, chore: () => void) => void timers.push(setInterval(chore, millis).unref()),
    end: () => {
      for (const timer of timers) clearInterval(timer)
    },
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
