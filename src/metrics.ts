import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** Recipes come from rows and could be many; metric labels must not be. */
const MOST_RECIPE_LABELS = 50

/** The label of a scheme: its name, or its recipe unless there are too many of them. */
export function schemeLabels(most: number): (scheme: string) => string {
  const recipes = new Set<string>()
  return (scheme) => {
    if (!scheme.includes('(') || recipes.has(scheme)) return scheme
    if (recipes.size >= most) return 'other'
    recipes.add(scheme)
    return scheme
  }
}

/** Labels come from our own fixed words and from registered names, never from input. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  return {
    registry,
    verdicts: new Counter({
      name: 'carryover_verdicts_total',
      help: 'Verdicts given.',
      labelNames: ['dialect', 'verdict'],
      registers,
    }),
    lookups: new Counter({
      name: 'carryover_lookups_total',
      help: 'Profiles asked for without a password.',
      labelNames: ['dialect', 'outcome'],
      registers,
    }),
    admissions: new Counter({
      name: 'carryover_admissions_total',
      help: 'Registrations answered.',
      labelNames: ['dialect', 'admission'],
      registers,
    }),
    confirmations: new Counter({
      name: 'carryover_confirmations_total',
      help: 'Events about users, by what they were.',
      labelNames: ['dialect', 'result'],
      registers,
    }),
    failures: new Counter({
      name: 'carryover_failures_total',
      help: 'Calls that got no verdict.',
      labelNames: ['dialect', 'hook', 'code'],
      registers,
    }),
    callersRefused: new Counter({
      name: 'carryover_callers_refused_total',
      help: 'Calls without a valid secret.',
      labelNames: ['listener'],
      registers,
    }),
    requestsRefused: new Counter({
      name: 'carryover_requests_refused_total',
      help: 'Requests that are no proper HTTP, by what is wrong, and connections beyond the limit.',
      labelNames: ['listener', 'reason'],
      registers,
    }),
    ambiguousLogins: new Counter({
      name: 'carryover_ambiguous_logins_total',
      help: 'Names that several users answer to.',
      registers,
    }),
    unusableHashes: new Counter({
      name: 'carryover_unusable_hashes_total',
      help: 'Attempts on a stored hash that cannot be used. Alarm on any increase.',
      labelNames: ['defect'],
      registers,
    }),
    answerSeconds: new Histogram({
      name: 'carryover_answer_seconds',
      help: 'From the request to the answer.',
      labelNames: ['dialect', 'hook'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.2, 1.6, 2, 2.4, 3],
      registers,
    }),
    checkSeconds: new Histogram({
      name: 'carryover_check_seconds',
      help: 'Checking a password, waiting included.',
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6],
      registers,
    }),
    /** Only there when mismatches are diagnosed. */
    mismatchVariants: () =>
      new Counter({
        name: 'carryover_mismatch_variants_total',
        help: 'Sampled wrong passwords, by the variant that would have matched.',
        labelNames: ['scheme', 'variant'],
        registers,
      }),
    checkWaitSeconds: new Histogram({
      name: 'carryover_check_wait_seconds',
      help: 'Waiting for a thread.',
      buckets: [0.001, 0.005, 0.025, 0.1, 0.2, 0.4, 0.8, 1.6, 2.4],
      registers,
    }),
    checkRunSeconds: new Histogram({
      name: 'carryover_check_run_seconds',
      help: 'One call of a thread, which may do several checks of one kind together.',
      labelNames: ['scheme', 'checks'],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6],
      registers,
    }),
    checkPredictedSeconds: new Gauge({
      name: 'carryover_check_predicted_seconds',
      help: 'What the newest call of a thread was expected to take.',
      labelNames: ['scheme', 'checks'],
      registers,
    }),
    checksShed: new Counter({
      name: 'carryover_checks_shed_total',
      help: 'Checks refused because they could not be done in time.',
      labelNames: ['scheme'],
      registers,
    }),
    threadsLost: new Counter({
      name: 'carryover_threads_lost_total',
      help: 'Threads that ended or hung during a check, and were replaced.',
      labelNames: ['reason'],
      registers,
    }),
    hashesPurged: new Counter({
      name: 'carryover_hashes_purged_total',
      help: 'Users whose hashes were taken out of the copy by this process.',
      registers,
    }),
    hashesQuarantined: new Counter({
      name: 'carryover_hashes_quarantined_total',
      help: 'Hashes that are not checked for a while, because threads were lost over them. Alarm on any increase.',
      registers,
    }),
    databaseUp: new Gauge({
      name: 'carryover_database_up',
      help: 'Whether the database answers; 0: it was given up, and every statement is refused at once.',
      labelNames: ['pool'],
      registers,
    }),
    schemeLabel: schemeLabels(MOST_RECIPE_LABELS),
    /** What is read when the metrics are asked for. */
    watchChecker: ({ queued, busy, memory }: Record<'queued' | 'busy' | 'memory', () => number>) =>
      watch(registry, {
        carryover_checks_waiting: { help: 'Checks that wait for a thread.', read: queued },
        carryover_threads_busy: { help: 'Threads that check at this moment.', read: busy },
        carryover_check_memory_bytes: {
          help: 'Memory of the Argon2 and scrypt checks that run at this moment.',
          read: memory,
        },
      }),
    watchRefusals: ({ share, isHigh, floor }: RefusalReadings) =>
      watch(registry, {
        carryover_refused_share: {
          help: 'Part of the attempts of the last five minutes that was refused.',
          read: share,
        },
        carryover_refusals_high: {
          help: 'Whether that is more than REFUSALS_HIGH_PERCENT. Alarm on 1.',
          read: () => (isHigh() ? 1 : 0),
        },
        carryover_refusal_floor_seconds: {
          help: 'From the start of a call to the moment at which a no goes out; 0: at once.',
          read: () => floor() / 1_000,
        },
      }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>

interface RefusalReadings {
  share(): number
  isHigh(): boolean
  /** Milliseconds. */
  floor(): number
}

function watch(
  registry: Registry,
  gauges: Readonly<Record<string, { readonly help: string; read(): number }>>,
): void {
  for (const [name, { help, read }] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read())
      },
    })
  }
}
