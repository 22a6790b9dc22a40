import type { Defect } from '../domain.ts'
import type { Cell } from './tally.ts'
import type { CostClass, Timed } from './timing.ts'
import type { Told } from './told.ts'
import { type Weakness, weaknesses, weaknessNames } from './weak.ts'

/** Rows of one cohort and one scheme, or of the whole copy. */
export interface Numbers {
  readonly rows: number
  /** Well-formed and affordable. */
  readonly read: number
  readonly unread: number
  readonly defects: Readonly<Partial<Record<Defect, number>>>
  /** What says the scheme of how many rows. Told only probably, a wrong scheme refuses right passwords. */
  readonly told: Readonly<Partial<Record<Told, number>>>
  /** Read, but this machine cannot do such checks. */
  readonly unavailable: number
  /** Read, and the slowest hundredth of their checks takes longer than the caller's clock allows. */
  readonly late: number
  /** Of the rows that are read; null: there are none. */
  readonly lateShare: number | null
  /** Another row has the same stored hash. */
  readonly hashShared: number
  /** Another row has the same salt. */
  readonly saltShared: number
  readonly weak: Readonly<Partial<Record<Weakness, number>>>
}

export interface Group extends Numbers {
  readonly cohort: string
  readonly scheme: string
  /** Milliseconds of one check: in the middle of the rows, and the slowest hundredth of the dearest. */
  readonly p50: number | null
  readonly p99: number | null
}

export interface Cost {
  readonly scheme: string
  readonly parameters: string
  readonly rows: number
  /** How many checks were timed; 0: worked out from the others. */
  readonly checks: number
  readonly p50: number | null
  readonly p99: number | null
  /** Checks a second with all threads. */
  readonly perSecond: number | null
  readonly late: boolean
  /** A code: this machine cannot do such checks. */
  readonly failure: string | null
}

export interface Report extends Numbers {
  /** ISO 8601, UTC. */
  readonly asOf: string
  /** Milliseconds that a caller leaves for one check. */
  readonly clock: number
  readonly threads: number
  /** First sign-ins a second when every row that is read is equally likely to come; null: nothing to check. */
  readonly perSecond: number | null
  readonly groups: readonly Group[]
  readonly costs: readonly Cost[]
  readonly weaknesses: readonly {
    readonly weakness: Weakness
    readonly rows: number
    readonly meaning: string
  }[]
}

/** The classes of cost of a store, over all cohorts. */
export function costClasses(cells: readonly Cell[]): readonly CostClass[] {
  const classes = new Map<string, CostClass>()
  for (const { scheme, parameters, millis, decoy, rows } of cells) {
    if (decoy === null) continue
    const key = costKey({ scheme, parameters, millis })
    classes.set(key, { scheme, parameters, millis, decoy, rows: rows + (classes.get(key)?.rows ?? 0) })
  }
  return [...classes.values()]
}

function costKey({
  scheme,
  parameters,
  millis,
}: Pick<CostClass, 'scheme' | 'parameters' | 'millis'>): string {
  return [scheme, parameters, millis].join('\0')
}

export interface ReportSettings {
  readonly asOf: Date
  readonly clock: number
  readonly threads: number
}

export function buildReport(
  cells: readonly Cell[],
  timed: ReadonlyMap<CostClass, Timed>,
  { asOf, clock, threads }: ReportSettings,
): Report {
  const byKey = new Map(Array.from(timed, ([cost, timing]) => [costKey(cost), timing]))
  const timedCells = cells.map((cell) => ({
    ...cell,
    timed: cell.decoy === null ? undefined : byKey.get(costKey(cell)),
  }))
  const all = numbersOf(timedCells, clock)
  return {
    asOf: asOf.toISOString(),
    clock,
    threads,
    ...all,
    perSecond: mixPerSecond(timed),
    groups: groupsOf(timedCells, clock),
    costs: Array.from(timed, ([cost, timing]) => costOf(named(cost, timed), timing, clock)).sort(
      (one, other) => other.rows - one.rows,
    ),
    weaknesses: weaknessNames.flatMap((weakness) => {
      const rows = all.weak[weakness] ?? 0
      return rows === 0 ? [] : [{ weakness, rows, meaning: weaknesses[weakness] }]
    }),
  }
}

type TimedCell = Cell & { readonly timed: Timed | undefined }

function groupsOf(cells: readonly TimedCell[], clock: number): Group[] {
  const groups = new Map<string, TimedCell[]>()
  for (const cell of cells) {
    const key = [cell.cohort, cell.scheme].join('\0')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [cell])
    else group.push(cell)
  }
  return Array.from(groups.values(), (members): Group => {
    const [{ cohort, scheme } = { cohort: '', scheme: '' }] = members
    return { cohort, scheme, ...numbersOf(members, clock), ...timesOf(members) }
  }).sort((one, other) => compare(one.cohort, other.cohort) || other.rows - one.rows)
}

function numbersOf(cells: readonly TimedCell[], clock: number): Numbers {
  const rowsWhere = (holds: (cell: TimedCell) => boolean) => total(cells.filter(holds), ({ rows }) => rows)
  const read = rowsWhere(({ defect }) => defect === null)
  const late = rowsWhere(({ timed }) => isLate(timed, clock))
  const defects: Partial<Record<Defect, number>> = {}
  const weak: Partial<Record<Weakness, number>> = {}
  const told: Partial<Record<Told, number>> = {}
  for (const cell of cells) {
    if (cell.told !== null) told[cell.told] = (told[cell.told] ?? 0) + cell.rows
    if (cell.defect !== null) defects[cell.defect] = (defects[cell.defect] ?? 0) + cell.rows
    for (const weakness of cell.weak) weak[weakness] = (weak[weakness] ?? 0) + cell.rows
  }
  return {
    rows: rowsWhere(() => true),
    read,
    unread: rowsWhere(({ defect }) => defect !== null),
    defects,
    told,
    unavailable: rowsWhere(({ timed }) => timed !== undefined && 'failure' in timed),
    late,
    lateShare: read === 0 ? null : late / read,
    hashShared: total(cells, ({ hashShared }) => hashShared),
    saltShared: total(cells, ({ saltShared }) => saltShared),
    weak,
  }
}

function isLate(timed: Timed | undefined, clock: number): boolean {
  return timed !== undefined && 'p99' in timed && timed.p99 > clock
}

function timesOf(cells: readonly TimedCell[]): { p50: number | null; p99: number | null } {
  const known = cells
    .flatMap(({ rows, timed }) => (timed !== undefined && 'p50' in timed ? [{ rows, ...timed }] : []))
    .sort((one, other) => one.p50 - other.p50)
  const half = total(known, ({ rows }) => rows) / 2
  let passed = 0
  const middle = known.find(({ rows }) => {
    passed += rows
    return passed >= half
  })
  return {
    p50: middle === undefined ? null : rounded(middle.p50),
    p99: known.length === 0 ? null : rounded(Math.max(...known.map(({ p99 }) => p99))),
  }
}

/** Costs of one scheme that there is no word for are told apart by what they should take. */
function named(cost: CostClass, timed: ReadonlyMap<CostClass, Timed>): CostClass {
  const isOther = (one: CostClass) => one !== cost && one.scheme === cost.scheme && one.parameters === ''
  return cost.parameters === '' && [...timed.keys()].some(isOther)
    ? { ...cost, parameters: `estimated at ${cost.millis} ms` }
    : cost
}

function costOf({ scheme, parameters, rows }: CostClass, timed: Timed, clock: number): Cost {
  if ('failure' in timed) {
    const none = { checks: 0, p50: null, p99: null, perSecond: null }
    return { scheme, parameters, rows, ...none, late: false, failure: timed.failure }
  }
  const { checks, p50, p99, perSecond } = timed
  return {
    scheme,
    parameters,
    rows,
    checks,
    p50: rounded(p50),
    p99: rounded(p99),
    perSecond: rounded(perSecond),
    late: isLate(timed, clock),
    failure: null,
  }
}

/** One over the mean time that a row takes of the whole machine. */
function mixPerSecond(timed: ReadonlyMap<CostClass, Timed>): number | null {
  let rows = 0
  let seconds = 0
  for (const [cost, timing] of timed) {
    if (!('perSecond' in timing) || timing.perSecond === 0) continue
    rows += cost.rows
    seconds += cost.rows / timing.perSecond
  }
  return rows === 0 ? null : rounded(rows / seconds)
}

/** Three digits: more would be noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(3))
}

function total<One>(list: readonly One[], of: (one: One) => number): number {
  return list.reduce((sum, one) => sum + of(one), 0)
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
