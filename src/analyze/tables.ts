import type { Cost, Report } from './report.ts'
import { capacitySentence, costName, defectWords, figure, percent, printable, whole } from './words.ts'

export interface Table {
  /** A sentence. */
  readonly title: string
  /** The first row is the head. */
  readonly rows: readonly (readonly string[])[]
}

/** The report for a terminal. Both outputs for people say the same, from here. */
export function tablesOf(report: Report): readonly Table[] {
  return [
    {
      title: [readSentence, lateSentence, sharedSentence, toldSentence].map((of) => of(report)).join('\n'),
      rows: [],
    },
    { title: 'By cohort and scheme', rows: groupRows(report) },
    ...(report.told.probable === undefined
      ? []
      : [{ title: 'Told only probably: hash_scheme would make sure', rows: probableRows(report) }]),
    { title: `By cost: ${capacitySentence(report)}`, rows: costRows(report) },
    ...(report.unread === 0 ? [] : [{ title: 'Rows that are not read', rows: defectRows(report) }]),
    ...(report.weaknesses.length === 0 ? [] : [{ title: 'Weak stores', rows: weakRows(report) }]),
  ]
}

export function readSentence({ rows, read, unread, unavailable }: Report): string {
  const all = `${whole(rows)} rows: ${whole(read)} are read (${percent(read, rows)}), ${whole(unread)} are not`
  return unavailable === 0
    ? all
    : `${all}; ${whole(unavailable)} are read, but this machine cannot do their checks`
}

export function lateSentence({ late, read, clock }: Report): string {
  return `${whole(late)} of those read (${percent(late, read)}) would miss the caller's clock of ${whole(clock)} ms`
}

export function sharedSentence({ hashShared, saltShared }: Report): string {
  return `${whole(hashShared)} share their stored hash with another row, ${whole(saltShared)} their salt`
}

export function toldSentence({ told }: Report): string {
  const { exact = 0, probable = 0 } = told
  const named = told['by hash_scheme'] ?? 0
  return `${whole(named)} say their scheme, ${whole(exact)} are told exactly by a mark in the hash, ${whole(probable)} only probably by its shape`
}

/** By cohort and scheme, the rows whose shape is all that tells the scheme. */
export function probableRows({ groups }: Report): readonly (readonly string[])[] {
  return [
    ['cohort', 'scheme', 'rows'],
    ...groups.flatMap(({ cohort, scheme, told }) =>
      told.probable === undefined ? [] : [[printable(cohort), printable(scheme), whole(told.probable)]],
    ),
  ]
}

export function groupRows({ groups }: Report): readonly (readonly string[])[] {
  const head = ['cohort', 'scheme', 'told', 'rows', 'read', 'not read', 'late', 'same hash', 'same salt']
  return [
    [...head, 'p50 ms', 'p99 ms', 'weak'],
    ...groups.map((group) => [
      printable(group.cohort),
      printable(group.scheme),
      Object.keys(group.told).join(', ') || '-',
      whole(group.rows),
      whole(group.read),
      whole(group.unread),
      group.lateShare === null ? '-' : percent(group.late, group.read),
      whole(group.hashShared),
      whole(group.saltShared),
      figure(group.p50),
      figure(group.p99),
      Object.keys(group.weak).join(' ') || '-',
    ]),
  ]
}

export function costRows({ costs, clock }: Report): readonly (readonly string[])[] {
  return [
    ['cost', 'rows', 'p50 ms', 'p99 ms', 'a second', 'timed', ''],
    ...costs.map((cost) => [
      costName(cost),
      whole(cost.rows),
      figure(cost.p50),
      figure(cost.p99),
      figure(cost.perSecond),
      timedWords(cost),
      cost.late ? `over ${whole(clock)} ms` : '',
    ]),
  ]
}

function timedWords({ checks, failure }: Cost): string {
  if (failure !== null) return `not possible here (${failure})`
  if (checks === 0) return 'worked out'
  return checks === 1 ? '1 check' : `${whole(checks)} checks`
}

export function defectRows({ defects }: Report): readonly (readonly string[])[] {
  return [
    ['defect', 'rows', 'meaning'],
    ...Object.entries(defects)
      .sort(([, one], [, other]) => other - one)
      .map(([defect, rows]) => [defect, whole(rows), defectWords[defect as keyof typeof defects]]),
  ]
}

export function weakRows({ weaknesses }: Report): readonly (readonly string[])[] {
  return [
    ['weakness', 'rows', 'meaning'],
    ...weaknesses.map(({ weakness, rows, meaning }) => [weakness, whole(rows), meaning]),
  ]
}
