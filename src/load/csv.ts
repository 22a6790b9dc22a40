import Papa from 'papaparse'
import type { Lines } from './lines.ts'
import type { Rule } from './rules.ts'

/** What a reader of a file's format finds. */
export interface RecordSink {
  /** `raw` gives the record as it can be written into a file again. */
  record(cells: readonly string[], line: number, raw: () => string): void
  /** A record that cannot be taken apart. */
  broken(rule: Rule, line: number, raw: string): void
}

/** A reader of one format: takes whole lines, tells its sink what they hold. */
export interface RecordReader {
  take(lines: Lines): void
  end(): void
}

interface Parsed {
  readonly data: string[][]
  readonly errors: readonly { readonly type: string; readonly row?: number }[]
  readonly meta: { readonly cursor: number }
}

/** A row's largest cells are a profile of 64 KiB, whose quotes may be doubled, and columns that are dropped. */
const LONGEST_RECORD = 1024 * 1024

/**
 * Reads CSV as RFC 4180 has it, with LF or CRLF. A record with wrong quotes is told as broken by its first line alone,
 * and reading goes on with the next line: a quote that is not closed costs one row and not the rest of the file.
 */
export function csvReader(delimiter: string, sink: RecordSink): RecordReader {
  const shape = { delimiter, newline: '\n', quoteChar: '"', escapeChar: '"' } as const
  const parser = new Papa.Parser(shape)
  const oneRecord = new Papa.Parser({ ...shape, preview: 1, fastMode: false })
  /** The beginning of a record whose quoted cell goes on. */
  let open = ''
  let line = 1
  let doubtful = false

  const found = (cells: string[], height: number) => {
    const last = cells.length - 1
    const end = cells[last]
    if (end?.endsWith('\r')) cells[last] = end.slice(0, -1)
    const start = line
    line += height
    if (last === 0 && cells[0] === '') return // an empty line
    const raw = () => writeCsv(cells, delimiter)
    const rule = doubtful ? unreadable(cells) : undefined
    if (rule) sink.broken(rule, start, raw())
    else sink.record(cells, start, raw)
  }

  const skipLine = (text: string, from: number, rule: Rule) => {
    const end = text.indexOf('\n', from) + 1
    sink.broken(
      doubtful && /\p{Surrogate}/u.test(text.slice(from, end)) ? 'not-utf8' : rule,
      line,
      text.slice(from, end - 1).replace(/\r$/, ''),
    )
    line++
    return end
  }

  /** For text with wrong quotes in it: record by record. Returns where the last whole record ended. */
  const readSingly = (text: string, final: boolean): number => {
    let at = 0
    while (at < text.length) {
      const { data, errors, meta }: Parsed = oneRecord.parse(text.slice(at, at + LONGEST_RECORD), 0, true)
      const [cells] = data
      const wrong = errors.some(({ type }) => type === 'Quotes')
      if (cells && !wrong) {
        found(cells, breaksIn(text, at, at + meta.cursor))
        at += meta.cursor
      } else if (wrong || final || text.length - at >= LONGEST_RECORD) {
        at = skipLine(text, at, 'quotes')
      } else break
    }
    return at
  }

  const read = (text: string, final: boolean) => {
    const { data, errors, meta }: Parsed = parser.parse(text, 0, true)
    const wrong = errors.some(({ type }) => type === 'Quotes')
    if (wrong || final || text.length - meta.cursor >= LONGEST_RECORD) {
      open = text.slice(readSingly(text, final))
      return
    }
    open = text.slice(meta.cursor)
    const single = breaksIn(text, 0, meta.cursor) === data.length
    for (const cells of data) found(cells, single ? 1 : 1 + breaksInCells(cells))
  }

  return {
    take: ({ text, damaged }) => {
      doubtful = damaged || text.includes('\0') || (doubtful && open !== '')
      read(open + text, false)
    },
    end: () => {
      if (open !== '') read(open, true)
    },
  }
}

/** The cells of a file's first record. Null: the file is empty. */
export function headerOf(text: string, delimiter: string): string[] | null {
  const { data }: Parsed = new Papa.Parser({ delimiter, newline: '\n', preview: 1, fastMode: false }).parse(
    text,
    0,
    true,
  )
  return data[0]?.map((name) => name.trim()) ?? null
}

export function writeCsv(cells: readonly string[], delimiter: string): string {
  return Papa.unparse([[...cells]], { delimiter, newline: '\n' })
}

function unreadable(cells: readonly string[]): Rule | undefined {
  if (cells.some((cell) => /\p{Surrogate}/u.test(cell))) return 'not-utf8'
  return cells.some((cell) => cell.includes('\0')) ? 'unstorable' : undefined
}

function breaksIn(text: string, from: number, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++
  return count
}

function breaksInCells(cells: readonly string[]): number {
  return cells.reduce((sum, cell) => (cell.includes('\n') ? sum + breaksIn(cell, 0, cell.length) : sum), 0)
}
