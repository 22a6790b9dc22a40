import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

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
    checksWaiting: (waiting: () => number) =>
      new Gauge({
        name: 'carryover_checks_waiting',
        help: 'Checks that wait for a thread.',
        registers,
        collect() {
          this.set(waiting())
        },
      }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>
