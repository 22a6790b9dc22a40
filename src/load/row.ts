import type { CopyRow } from '../db/encode.ts'
import type { Defect, StoredHash } from '../domain.ts'
import type { Column, Layout } from './columns.ts'
import { NULL_CELLS } from './columns.ts'
import { readMoment } from './moment.ts'
import { readProfile } from './profile.ts'
import type { Refusal } from './rules.ts'

export type Classified =
  | { readonly usable: true; readonly scheme: string }
  | { readonly usable: false; readonly scheme: string; readonly defect: Defect }

export interface RowDeps {
  /** What a stored hash counts as. Never throws. */
  classify(stored: StoredHash): Classified
  /** Remembers an id, and says whether it may have stood in the file before or belong to a deleted user. */
  remember(id: string): boolean
  /** Rows change what they have a value for: what they lack stays empty, and nothing of it is made up. */
  readonly updateOnly?: true
}

/** Reads a record into a row. */
export interface RowReader {
  /** Null: `row` holds the row, until the next call. */
  read(cells: readonly string[], line: number, raw: () => string): Refusal | null
  readonly row: CopyRow
}

/** The stored hash of a row. */
export function hashOf(row: CopyRow): StoredHash {
  const { passwordHash, hashScheme, salt, login, id, cohort } = row
  return { encoded: passwordHash, scheme: hashScheme, salt, login, id, cohort }
}

/** Bytes of UTF-8. Names are as long as sign-in pages take them; the rest is generous. */
const LONGEST = {
  id: 256,
  login: 320,
  email: 320,
  password_hash: 4096,
  hash_scheme: 512,
  salt: 4096,
  cohort: 128,
} as const satisfies Partial<Record<Column, number>>

/** NFKC makes 18 characters of some single ones, and an index entry has at most 2700 bytes. */
const LONGEST_KEY = 1024

const STATUSES: ReadonlySet<string> = new Set(['active', 'disabled', 'locked'])
const NOT_DELETED: ReadonlySet<string> = new Set(['', 'false', 'f', '0', 'no', 'n'])
const DELETED: ReadonlySet<string> = new Set(['true', 't', '1', 'yes', 'y'])
/** Whichever moment it is, the user was deleted; systems write them in many ways. */
const SOME_MOMENT = /^[1-9]\d{3}-\d\d-\d\d(?:[T ][\d:.,]{5,18} ?(?:Z|[+-]\d\d(?::?\d\d)?)?)?$/i

/** @param defaultCohort of rows that name none */
export function rowReader(layout: Layout, defaultCohort: string, deps: RowDeps): RowReader {
  const { at } = layout
  const { updateOnly = false } = deps
  const row: CopyRow = {
    line: 0,
    id: '',
    login: '',
    email: null,
    passwordHash: null,
    hashScheme: null,
    salt: null,
    status: 'active',
    cohort: defaultCohort,
    profile: '{}',
    updatedAt: null,
    deleted: false,
    scheme: '',
    defect: null,
    raw: null,
  }
  const moments = lastKept(readMoment)

  /** The names: what people type. */
  const readNames = (cells: readonly string[]): Refusal | null => {
    row.id = cells[at.id] ?? ''
    row.login = (cells[at.login] ?? '').trim()
    row.email = (cells[at.email] ?? '').trim() || null
    if (row.id.trim() === '') return { rule: 'required', field: 'id' }
    if (isLonger(row.id, LONGEST.id)) return { rule: 'too-long', field: 'id' }
    if (row.login === '' && !row.deleted && !updateOnly) return { rule: 'required', field: 'login' }
    if (isLongName(row.login, LONGEST.login)) return { rule: 'too-long', field: 'login' }
    if (row.email !== null && isLongName(row.email, LONGEST.email))
      return { rule: 'too-long', field: 'email' }
    return null
  }

  const readHash = (cells: readonly string[]): Refusal | null => {
    row.passwordHash = cells[at.password_hash] || null
    row.hashScheme = (cells[at.hash_scheme] ?? '').trim() || null
    row.salt = saltIn(cells[at.salt])
    // A file that only deletes has no hashes; a user in it who is not deleted would lose the one in the copy.
    if (at.password_hash < 0 && !row.deleted && !updateOnly)
      return { rule: 'required', field: 'password_hash' }
    if (row.passwordHash !== null && isLonger(row.passwordHash, LONGEST.password_hash))
      return { rule: 'too-long', field: 'password_hash' }
    if (row.hashScheme !== null && isLonger(row.hashScheme, LONGEST.hash_scheme))
      return { rule: 'too-long', field: 'hash_scheme' }
    if (row.salt !== null && isLonger(row.salt, LONGEST.salt)) return { rule: 'too-long', field: 'salt' }
    return null
  }

  const readRest = (cells: readonly string[]): Refusal | null => {
    row.status = (cells[at.status] ?? '').trim() || (updateOnly ? '' : 'active')
    if (row.status !== '' && !STATUSES.has(row.status)) return { rule: 'status', field: 'status' }
    row.cohort = (cells[at.cohort] ?? '').trim() || (updateOnly ? '' : defaultCohort)
    if (isLonger(row.cohort, LONGEST.cohort)) return { rule: 'too-long', field: 'cohort' }
    const profile = readProfile(profileText(cells, layout))
    if (profile === undefined) return { rule: 'profile', field: 'profile' }
    row.profile = profile
    const moment = (cells[at.updated_at] ?? '').trim()
    const updatedAt = moment === '' ? null : moments(moment)
    if (updatedAt === undefined) return { rule: 'updated-at', field: 'updated_at' }
    row.updatedAt = updatedAt
    return null
  }

  const classify = () => {
    const classified = deps.classify(hashOf(row))
    row.scheme = classified.scheme
    row.defect = classified.usable ? null : classified.defect
  }

  return {
    row,
    read: (cells, line, raw) => {
      if (cells.length !== layout.width) return { rule: 'cell-count' }
      const deleted = readDeleted((cells[at.deleted] ?? '').trim().toLowerCase())
      if (deleted === undefined) return { rule: 'deleted', field: 'deleted' }
      row.deleted = deleted
      const refusal = readNames(cells) ?? readHash(cells) ?? readRest(cells)
      if (refusal) return refusal
      classify()
      row.line = line
      row.raw = deps.remember(row.id) ? raw() : null
      return null
    },
  }
}

/** An empty cell is the empty salt: some stores have it, and what needs a real one refuses it. */
function saltIn(cell: string | undefined): string | null {
  return cell === undefined || NULL_CELLS.some((missing) => missing === cell) ? null : cell
}

function readDeleted(text: string): boolean | undefined {
  if (NOT_DELETED.has(text)) return false
  return DELETED.has(text) || SOME_MOMENT.test(text) ? true : undefined
}

/** The profile's own cell, and behind it the cells that are mapped into it; of a name that is repeated the last counts. */
function profileText(cells: readonly string[], { at, profile }: Layout): string {
  const own = (cells[at.profile] ?? '').trim() || '{}'
  if (profile.length === 0) return own
  const parts = profile.flatMap((part) => {
    const cell = cells[part.at] ?? ''
    return cell === '' ? [] : [`${JSON.stringify(part.name)}:${JSON.stringify(cell)}`]
  })
  if (parts.length === 0) return own
  if (!own.endsWith('}')) return own // not an object, and refused as that
  const separator = /^\{\s*\}$/.test(own) ? '' : ','
  return `${own.slice(0, -1)}${separator}${parts.join(',')}}`
}

/** Three bytes a UTF-16 unit are the most that UTF-8 takes. */
function isLonger(text: string, bytes: number): boolean {
  return text.length > bytes || (text.length * 3 > bytes && Buffer.byteLength(text) > bytes)
}

function isLongName(name: string, bytes: number): boolean {
  if (isLonger(name, bytes)) return true
  // 56 characters make at most 1 KiB even of the worst.
  return name.length > 56 && isLonger(name.normalize('NFKC').toLowerCase(), LONGEST_KEY)
}

/** Neighbouring rows often say the same. */
function lastKept<Value>(read: (text: string) => Value): (text: string) => Value {
  let last = ''
  let value = read(last)
  return (text) => {
    if (text !== last) {
      value = read(text)
      last = text
    }
    return value
  }
}
