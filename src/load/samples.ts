import { open } from 'node:fs/promises'
import { FieldsError, NULL_CELLS, shown } from './columns.ts'
import { csvReader } from './csv.ts'
import { readLines } from './lines.ts'
import type { BrokenRow, SourceRow } from './source-row.ts'

/** Names and values of the first rows of a file. */
export interface Samples {
  /** Every field in the order in which it came, with its values that are not empty. */
  readonly fields: readonly { readonly name: string; readonly values: readonly string[] }[]
  /** Rows that were read, and rows that could not be. */
  readonly rows: number
  readonly broken: number
}

/** Rows that are looked at: enough that a share of them says something. */
const ROWS = 1_000
/** Characters of a value: more than any stored hash has. */
const LONGEST_VALUE = 4_096

/** Of a CSV file. Throws FieldsError, NotLinesError. */
export async function csvSamples(path: string, delimiter: string): Promise<Samples> {
  const file = await open(path, 'r')
  try {
    const found = createSamples()
    let header: readonly string[] | undefined
    const reader = csvReader(delimiter, {
      record: (cells) => {
        if (header === undefined) {
          header = cells.map((name) => name.trim())
          requireDistinct(header)
          found.name(header)
        } else found.row(header.map((name, at) => [name, cells[at]] as const))
      },
      broken: () => found.broken(),
    })
    for await (const lines of readLines(file)) {
      reader.take(lines)
      if (found.enough()) return found.take()
    }
    reader.end()
    return found.take()
  } finally {
    await file.close()
  }
}

/** Of JSON Lines. Throws NotLinesError. */
export async function jsonlSamples(path: string): Promise<Samples> {
  const file = await open(path, 'r')
  try {
    const found = createSamples()
    for await (const { text } of readLines(file)) {
      for (const line of text.split('\n')) if (line.trim() !== '') found.object(parsed(line))
      if (found.enough()) break
    }
    return found.take()
  } finally {
    await file.close()
  }
}

/** Of the rows of a source. Throws SourceError. */
export async function rowSamples(rows: AsyncIterable<SourceRow | BrokenRow>): Promise<Samples> {
  const found = createSamples()
  for await (const row of rows) {
    found.object('row' in row ? row.row : undefined)
    if (found.enough()) break
  }
  return found.take()
}

function createSamples() {
  const fields = new Map<string, string[]>()
  let rows = 0
  let broken = 0
  const valuesOf = (name: string) => {
    const known = fields.get(name)
    if (known !== undefined) return known
    const made: string[] = []
    fields.set(name, made)
    return made
  }
  const row = (values: readonly (readonly [string, unknown])[]) => {
    if (rows === ROWS) return
    rows++
    for (const [name, value] of values) {
      const kept = valuesOf(name)
      const text = textOf(value)
      if (text !== '') kept.push(text.slice(0, LONGEST_VALUE))
    }
  }
  return {
    /** Fields that are there even if no row has a value. */
    name: (names: readonly string[]) => {
      for (const name of names) valuesOf(name)
    },
    row,
    object: (value: unknown) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) broken++
      else row(Object.entries(value))
    },
    broken: () => {
      broken++
    },
    enough: () => rows === ROWS,
    take: (): Samples => ({
      fields: [...fields].map(([name, values]) => ({ name, values })),
      rows,
      broken,
    }),
  }
}

const NO_VALUE: readonly string[] = NULL_CELLS

/** What says something of a field: no objects, and not the ways in which exports write that there is nothing. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return NO_VALUE.includes(value) ? '' : value.trim()
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

function requireDistinct(header: readonly string[]): void {
  const seen = new Set<string>()
  for (const [at, name] of header.entries()) {
    if (seen.has(name)) throw new FieldsError(`two columns of the file have the name of ${shown(name, at)}`)
    seen.add(name)
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
