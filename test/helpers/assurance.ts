import { appendFileSync } from 'node:fs'

/**
 * Tests of `test/assurance` keep promises that have numbers. `npm test` runs them small; `npm run assurance` runs the same
 * tests in the sizes of the report and writes down what they measured.
 */
const thorough = process.env.ASSURANCE === 'thorough'

/** How much a test does: `quick` in `npm test`, `full` in `npm run assurance`. */
export function sized(quick: number, full: number): number {
  return thorough ? full : quick
}

/** The time that a test may take in either size, in milliseconds. */
export function allowed(quickMs: number, fullMs: number): { timeout: number } {
  return { timeout: thorough ? fullMs : quickMs }
}

/** One line of the report. Whether it held is the test's own verdict: a line is written before it is asserted. */
export interface Measurement {
  /** The page of docs/assurance that it belongs to. */
  readonly part:
    | 'timing'
    | 'guessing'
    | 'canary'
    | 'fuzz'
    | 'http'
    | 'faults'
    | 'kill'
    | 'rotation'
    | 'privileges'
    | 'copy'
    | 'provision'
  /** Of docs/requirements.md, as `R-10`; a dash: of none. */
  readonly requirement: string
  /** What was looked at, in a few words; no login, password or hash. */
  readonly what: string
  readonly wanted: string
  readonly got: string
}

/** Puts a line into the report, where one is being written. */
export function measured(line: Measurement): void {
  const file = process.env.ASSURANCE_FILE
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(line)}\n`)
}
