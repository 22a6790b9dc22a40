/** `problem`: something is refused, lost or open as it is. `warning`: it works, and should not stay so. */
export type Level = 'problem' | 'warning' | 'fine'

/** One sentence about this installation. Neither sentence repeats a setting's value. */
export interface Finding {
  readonly check: Check
  readonly level: Level
  readonly says: string
  /** null where nothing is to be done. */
  readonly todo: string | null
}

/** What is looked at. docs/doctor.md says more of each. */
export type Check =
  | 'settings'
  | 'secrets'
  | 'providers'
  | 'listeners'
  | 'certificate'
  | 'connection'
  | 'database'
  | 'accounts'
  | 'clock'
  | 'pace'
  | 'look-ups'
  | 'names'
  | 'schemes'

export function problem(check: Check, says: string, todo: string): Finding {
  return { check, level: 'problem', says, todo }
}

export function warning(check: Check, says: string, todo: string): Finding {
  return { check, level: 'warning', says, todo }
}

export function fine(check: Check, says: string): Finding {
  return { check, level: 'fine', says, todo: null }
}

const levels: readonly Level[] = ['problem', 'warning', 'fine']

/** The worst first, otherwise in their order. */
export function worstFirst(findings: readonly Finding[]): readonly Finding[] {
  return levels.flatMap((level) => findings.filter((finding) => finding.level === level))
}

/** `1 user`, `2 users`. */
export function several(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
