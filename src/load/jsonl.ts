import { columns, type Fields, NULL_CELLS } from './columns.ts'
import type { RecordReader, RecordSink } from './csv.ts'
import { isStorableText, writeProfile } from './profile.ts'
import type { Refusal, Rule } from './rules.ts'

const LONGEST_RECORD = 1024 * 1024

const PROFILE = columns.indexOf('profile')
const SALT = columns.indexOf('salt')

/** Reads JSON Lines: a JSON object a line. The cells of a record stand in the order of `columns`; null is empty, but for a salt. */
export function jsonlReader(
  fields: Fields,
  sink: Pick<RecordSink, 'record'> & {
    broken(rule: Rule, line: number, raw: string, field?: string): void
  },
): RecordReader {
  let line = 0
  const read = (text: string) => {
    line++
    if (text.trim() === '') return
    const made = cellsIn(text, fields)
    if (Array.isArray(made)) sink.record(made, line, () => text)
    else sink.broken(made.rule, line, text, made.field)
  }
  return {
    take: ({ text, damaged }) => {
      let start = 0
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        const one = text.slice(start, text[end - 1] === '\r' && end > start ? end - 1 : end)
        if (damaged && /\p{Surrogate}/u.test(one)) sink.broken('not-utf8', ++line, one)
        else read(one)
        start = end + 1
      }
    },
    end: () => {},
  }
}

function cellsIn(text: string, fields: Fields): string[] | Refusal {
  if (text.length > LONGEST_RECORD) return { rule: 'too-long-line' }
  const value = parsed(text)
  if (value === undefined) return { rule: 'json' }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { rule: 'not-an-object' }
  return cellsOf(value, fields)
}

/** The cells of an object, in the order of `columns`. */
export function cellsOf(value: object, fields: Fields): string[] | Refusal {
  const cells = columns.map(() => '')
  cells[SALT] = NULL_CELLS[0]
  const filled = new Set<string>()
  const parts: [string, unknown][] = []
  let profile: unknown
  for (const [name, given] of Object.entries(value)) {
    const purpose = fields(name)
    if (purpose === undefined) return { rule: 'unknown-field', field: name }
    if (purpose.kind === 'dropped') continue
    if (purpose.kind === 'profile') {
      if (given !== null) parts.push([purpose.name, given])
      continue
    }
    if (filled.has(purpose.column)) return { rule: 'repeated-field', field: purpose.column }
    filled.add(purpose.column)
    if (purpose.column === 'profile') {
      profile = given
      continue
    }
    if (given === null) continue
    const cell = cellOf(given, purpose.column === 'deleted')
    if (cell === undefined) return { rule: 'type', field: purpose.column }
    if (!isStorableText(cell)) return { rule: 'unstorable', field: purpose.column }
    cells[columns.indexOf(purpose.column)] = cell
  }
  if (profile === undefined && parts.length === 0) return cells
  const text_ = writeProfile(withParts(profile ?? {}, parts))
  if (text_ === undefined) return { rule: 'profile', field: 'profile' }
  cells[PROFILE] = text_
  return cells
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Ids are often numbers. Only a whole number has one way of being written. */
function cellOf(value: unknown, flag: boolean): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  return flag && typeof value === 'boolean' ? String(value) : undefined
}

/** Own properties only: `__proto__` is a name like any other. */
function withParts(profile: unknown, parts: readonly [string, unknown][]): unknown {
  if (parts.length === 0 || typeof profile !== 'object' || profile === null || Array.isArray(profile))
    return profile
  return Object.fromEntries([...Object.entries(profile), ...parts])
}
