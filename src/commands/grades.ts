import type { Proof, ProofRow } from '../db/proof.ts'

/** The last of the grades that is reached: each is worth more than those before it. */
export type Grade = 'none' | 'read' | 'probed' | 'observed'

export interface GradedRow extends ProofRow {
  readonly grade: Grade
  /** The share of users that may still be wrong, with 95 % confidence; null where nothing can be said. */
  readonly upperBound: number | null
}

export interface GradedProof {
  readonly asOf: string
  readonly users: number
  readonly uncovered: number
  readonly unlisted: number
  readonly rows: readonly GradedRow[]
}

export function graded({ rows, unlisted }: Proof): GradedProof {
  return {
    asOf: new Date().toISOString(),
    users: rows.reduce((sum, row) => sum + row.users, unlisted),
    uncovered: rows.reduce((sum, row) => sum + row.uncovered, unlisted),
    unlisted,
    rows: rows.map((row) => ({ ...row, grade: gradeOf(row), upperBound: upperBoundOf(row) })),
  }
}

function gradeOf({ read, probed, probesFailed, observed, failed }: ProofRow): Grade {
  if (observed > 0 && failed === 0) return 'observed'
  if (probed > 0 && probesFailed === 0) return 'probed'
  return read > 0 ? 'read' : 'none'
}

/** The rule of three: none of n has failed, so with 95 % confidence at most 3 of n do. Fewer than four say nothing. */
function upperBoundOf({ observed, failed }: ProofRow): number | null {
  return observed > 3 && failed === 0 ? 3 / observed : null
}

export function probedText({ probed, probesFailed }: ProofRow): string {
  return probesFailed > 0 ? `${probed}, ${probesFailed} did not match` : String(probed)
}

export function observedText({ observed, failed }: ProofRow): string {
  return failed > 0 ? `${observed}, ${failed} failed` : String(observed)
}

/** Rounded up: a bound that is rounded down is none. */
export function boundText(bound: number | null): string {
  return bound === null ? '-' : `≤ ${(Math.ceil(bound * 100_000) / 1_000).toString()} %`
}
