import type { FileHandle } from 'node:fs/promises'
import { type FieldOptions, type Fields, fixedLayout, type Layout, layoutOf, readFields } from './columns.ts'
import { csvReader, headerOf, type RecordReader, type RecordSink, writeCsv } from './csv.ts'
import { jsonlReader } from './jsonl.ts'
import { readLines } from './lines.ts'
import type { Rule } from './rules.ts'

/** What is said about a file. */
export interface FileOptions extends FieldOptions {
  readonly path: string
  readonly format: 'csv' | 'jsonl'
  readonly delimiter: string
  /** Of rows that name none. */
  readonly cohort: string
}

/** How the file's records are to be read. */
export interface Shape {
  /** The first line of a CSV file, as it goes into the file of refused rows. */
  readonly header: string | null
  readonly layout: Layout
  reader(sink: Sink): RecordReader
}

export interface Sink extends Omit<RecordSink, 'broken'> {
  /** @param raw null: there is nothing that could be written into a file again */
  broken(rule: Rule, line: number, raw: string | null, field?: string): void
}

/** How rows of a source are read: by their names, as those of JSON Lines. Throws FieldsError. */
export function rowsShape(options: FieldOptions): {
  readonly layout: Layout
  readonly fields: Fields
  readonly mapped: readonly string[]
} {
  return { layout: fixedLayout(), ...readFields(options) }
}

/** Looks at the beginning of a file. Throws FieldsError. */
export async function shapeOf(file: FileHandle, options: FileOptions): Promise<Shape> {
  if (options.format === 'jsonl') {
    const { fields } = readFields(options)
    return { header: null, layout: fixedLayout(), reader: (sink) => jsonlReader(fields, sink) }
  }
  const { delimiter } = options
  const { value: lines } = await readLines(file).next()
  const header = headerOf(lines?.text ?? '', delimiter) ?? []
  return {
    header: writeCsv(header, delimiter),
    layout: layoutOf(header, options),
    reader: (sink) => csvReader(delimiter, withoutHeader(sink)),
  }
}

function withoutHeader(sink: Sink): Sink {
  let header = true
  return {
    record: (cells, line, raw) => {
      if (header) header = false
      else sink.record(cells, line, raw)
    },
    broken: sink.broken,
  }
}
