import type { CopyRow } from '../db/copy-cursor.ts'
import type { Defect, StoredHash } from '../domain.ts'
import type { Classified } from '../hashes/classify.ts'
import { parametersOf, roundedMillis } from './cost.ts'
import { type Told, toldBy } from './told.ts'
import { algorithmOf, saysPlaintext, type Weakness, weaknessesOf } from './weak.ts'

/** Rows that are alike in everything that is reported. */
export interface Cell {
  readonly cohort: string
  readonly scheme: string
  /** Why they are not read; null: they are. */
  readonly defect: Defect | null
  /** What says the scheme; null where there is no hash, or one of no known shape. */
  readonly told: Told | null
  /** As `cost 10`; empty where there is no word for it, and for rows that are not read. */
  readonly parameters: string
  /** Milliseconds that a check should take, by its family's own estimate; zero for rows that are not read. */
  readonly millis: number
  /** What is checked to learn how long it takes; null for rows that are not read. */
  readonly decoy: StoredHash | null
  readonly weak: readonly Weakness[]
  readonly unsalted: boolean
  rows: number
  hashShared: number
  saltShared: number
}

export interface Tally {
  add(row: CopyRow, classified: Classified): void
  cells(): readonly Cell[]
}

/**
 * Cohorts, recipes and costs come from rows, and a broken export may hold a different one in each. What comes after so
 * many kinds is counted together; a real store has a few dozen.
 */
const MOST_CELLS = 10_000
const OTHERS = '(others)'

/** Stands for the algorithm of rows that say so and are not read. */
const PLAINTEXT = 'plaintext' satisfies Weakness

/** Nothing is stored in these rows that could be shared. */
const NO_HASH: ReadonlySet<Defect> = new Set(['missing', 'locked-marker'])

type Kind = Omit<Cell, 'rows' | 'hashShared' | 'saltShared' | 'weak' | 'unsalted'> & {
  readonly algorithm: string
}

export function createTally(mostCells = MOST_CELLS): Tally {
  const cells = new Map<string, Cell>()

  function cellOf(kind: Kind): Cell {
    const key = keyOf(kind)
    const known = cells.get(key)
    if (known !== undefined) return known
    if (cells.size >= mostCells && kind.scheme !== OTHERS) return cellOf(amongOthers(kind))
    const cell = newCell(kind)
    cells.set(key, cell)
    return cell
  }

  return {
    add: (row, classified) => {
      const cell = cellOf(kindOf(row, classified))
      cell.rows += 1
      const selfSalted = classified.usable && classified.read.decoy.salt === null
      const hashShared = row.hashShared && !(cell.defect !== null && NO_HASH.has(cell.defect))
      if (hashShared) cell.hashShared += 1
      if (!cell.unsalted && (selfSalted ? hashShared : row.saltShared)) cell.saltShared += 1
    },
    cells: () => [...cells.values()],
  }
}

function kindOf({ cohort, hash }: CopyRow, classified: Classified): Kind {
  const { scheme } = classified
  const told = toldBy(hash, classified)
  if (!classified.usable) {
    const algorithm = saysPlaintext(hash) ? PLAINTEXT : ''
    const { defect } = classified
    return { cohort, scheme, told, defect, parameters: '', millis: 0, decoy: null, algorithm }
  }
  const { read } = classified
  return {
    cohort,
    scheme,
    told,
    defect: null,
    parameters: parametersOf(read),
    millis: roundedMillis(read.millis),
    decoy: read.decoy,
    algorithm: algorithmOf(classified),
  }
}

function keyOf({ cohort, scheme, told, defect, parameters, millis, algorithm }: Kind): string {
  return [cohort, scheme, told ?? '', defect ?? '', parameters, millis, algorithm].join('\0')
}

/** One kind for each defect and for each doubling of the cost. */
function amongOthers(kind: Kind): Kind {
  const millis = kind.millis === 0 ? 0 : 2 ** Math.ceil(Math.log2(kind.millis))
  return { ...kind, cohort: OTHERS, scheme: OTHERS, parameters: '', millis, algorithm: '' }
}

function newCell({ algorithm, ...kind }: Kind): Cell {
  const known = kind.defect === null && kind.scheme !== OTHERS
  const weak: readonly Weakness[] = known
    ? weaknessesOf({ ...kind, algorithm })
    : algorithm === PLAINTEXT
      ? [PLAINTEXT]
      : []
  return {
    ...kind,
    weak,
    unsalted: weak.includes('unsalted'),
    rows: 0,
    hashShared: 0,
    saltShared: 0,
  }
}
