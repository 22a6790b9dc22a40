import type { Defect } from '../domain.ts'
import { type BinaryRows, binaryRows } from './binary.ts'
import type { CountDelta } from './ledger.ts'

/** A row that may go into the copy: every value has been checked, and PostgreSQL can hold it. */
export interface CopyRow {
  line: number
  id: string
  login: string
  email: string | null
  passwordHash: string | null
  hashScheme: string | null
  salt: string | null
  status: string
  cohort: string
  /** Text of a JSON object. */
  profile: string
  /** Microseconds since 2000-01-01T00:00:00Z; null: not known, which makes no row a changed one. */
  updatedAt: number | null
  deleted: boolean
  /** What its hash counts as. */
  scheme: string
  /** Null: the hash can be checked. */
  defect: Defect | null
  /**
   * The row as it stands in the file, for every row whose id may have stood in the file before, or may belong to a
   * user who was deleted earlier, or for every row where the plan says so; null for every other row.
   */
  raw: string | null
}

/** What must be known of a database to make rows for it. May be handed to another thread, like everything here. */
export interface EncodePlan {
  /** Copy and ledger are empty. */
  readonly fresh: boolean
  /** Of rows that name no moment: microseconds since 2000-01-01T00:00:00Z. */
  readonly now: number
  /** Any row may still be refused: each is kept as it stood. */
  readonly keepRaw?: true
  /** Rows change what they have a value for, and need neither login nor hash. */
  readonly updateOnly?: true
}

/** The ways into the database. */
export type Lane = 'copy' | 'ledger' | 'staged'

export interface Piece {
  readonly lane: Lane
  readonly chunks: readonly Uint8Array[]
}

/** What has been encoded. */
export interface Tally {
  /** Rows that went straight into the empty copy: all of them new. */
  readonly direct: number
  /** Rows whose id may have stood in the file before, or may belong to a deleted user. */
  readonly suspects: number
  readonly deltas: readonly CountDelta[]
  /** Hashes of the direct rows that cannot be used, by defect. */
  readonly unusable: Readonly<Record<string, number>>
}

export interface RowEncoder {
  add(row: CopyRow): void
  /** What is worth sending by now; at the end, everything. */
  take(everything: boolean): Piece[]
  tally(): Tally
}

/** Rows of the copy are handed over in pieces of this many bytes. */
const PIECE_BYTES = 240 * 1024
/** Rows beside them wait longer: a connection does one COPY at a time, and every change between two costs a pause. */
const ASIDE_BYTES = 4 * 1024 * 1024

/**
 * Makes COPY data of rows. For a copy that has rows, all goes into the staging table. For an empty one, the rows go
 * straight into copy and ledger, and only those into the staging table that may not be the first of their id.
 */
export function rowEncoder({ fresh, now }: EncodePlan): RowEncoder {
  const copy = binaryRows()
  const ledger = binaryRows()
  const staged = binaryRows()
  const lanes = [
    { lane: 'copy', rows: copy, enough: PIECE_BYTES },
    { lane: 'ledger', rows: ledger, enough: ASIDE_BYTES },
    { lane: 'staged', rows: staged, enough: fresh ? ASIDE_BYTES : PIECE_BYTES },
  ] as const
  const direct = createTally()
  let suspects = 0

  const stage = (row: CopyRow) => {
    staged.row(15)
    staged.int8(row.line)
    writeColumns(staged, row, row.updatedAt)
    staged.bool(row.deleted)
    staged.text(row.scheme)
    staged.text(row.defect)
    staged.text(row.raw)
  }
  const insert = (row: CopyRow) => {
    direct.add(row)
    copy.row(10)
    writeColumns(copy, row, row.updatedAt ?? now)
    ledger.row(4)
    ledger.text(row.id)
    ledger.text(row.cohort)
    ledger.text(row.scheme)
    ledger.bool(row.defect === null)
  }

  return {
    add: (row) => {
      if (row.raw !== null) suspects++
      if (fresh && row.raw === null && !row.deleted) insert(row)
      else stage(row)
    },
    take: (everything) =>
      lanes
        .filter(({ rows, enough }) => rows.size >= (everything ? 1 : enough))
        .map(({ lane, rows }) => ({ lane, chunks: rows.take() })),
    tally: () => ({ ...direct.sum(), suspects }),
  }
}

function writeColumns(rows: BinaryRows, row: CopyRow, updatedAt: number | null): void {
  rows.text(row.id)
  rows.text(row.login)
  rows.text(row.email)
  rows.text(row.passwordHash)
  rows.text(row.hashScheme)
  rows.text(row.salt)
  rows.text(row.status)
  rows.text(row.cohort)
  rows.jsonb(row.profile)
  rows.timestamp(updatedAt)
}

/** What goes straight into the empty copy: all of it new, and nobody has signed in with it. */
function createTally() {
  const byKey = new Map<string, Map<string, { usable: number; unusable: number }>>()
  const defects = new Map<Defect, number>()
  let rows = 0
  return {
    add: ({ cohort, scheme, defect }: CopyRow) => {
      rows++
      const schemes = keptIn(byKey, cohort, () => new Map())
      const count = keptIn(schemes, scheme, () => ({ usable: 0, unusable: 0 }))
      if (defect === null) count.usable++
      else {
        count.unusable++
        defects.set(defect, (defects.get(defect) ?? 0) + 1)
      }
    },
    sum: () => ({
      direct: rows,
      unusable: Object.fromEntries(defects),
      deltas: [...byKey].flatMap(([cohort, schemes]) =>
        [...schemes].map(([scheme, { usable, unusable }]) => ({
          cohort,
          scheme,
          unmigrated: usable + unusable,
          verified: 0,
          migrated: 0,
          unverifiable: unusable,
          arrived: usable + unusable,
        })),
      ),
    }),
  }
}

function keptIn<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
