import { SourceError as FileError } from '../load/source-row.ts'
import type { SourceFormat } from './format.ts'

/** A record of a file. */
export interface SourceRecord {
  /** Where it begins, from 1. */
  readonly line: number
  readonly text: string
  /** It holds more levels than anything that is to be read may have. */
  readonly tooDeep?: true
}

/** A file, or one record of it, that is not of the format. The message names what is wrong and quotes nothing. */
export class RecordError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

/** A format as what it is cut into, and what a record of it says. */
export interface Translation extends Omit<SourceFormat, 'rows'> {
  /** Cuts a file into records. Throws RecordError for a file of another format. */
  records(text: AsyncIterable<string>): AsyncIterable<SourceRecord>
  /** The row that a record is; undefined: it is about something else than a user. Throws RecordError. */
  row(record: SourceRecord): Readonly<Record<string, unknown>> | undefined
}

/** The format that reads by a translation: one record that cannot be read costs one row, and not the rest of the file. */
export function translated(translation: Translation): SourceFormat {
  const { name, note, extensions, detect } = translation
  return {
    name,
    note,
    extensions,
    ...(detect ? { detect } : {}),
    rows: (bytes) => rowsOf(translation, bytes),
  }
}

async function* rowsOf({ records, row }: Translation, bytes: AsyncIterable<Uint8Array>) {
  let last = 0
  try {
    for await (const record of records(textOf(bytes))) {
      // Several may stand in one line; rows are told apart by their numbers.
      last = Math.max(record.line, last + 1)
      const made = readRow(row, record)
      if (made === 'broken') yield { line: last, broken: 'unreadable' as const }
      else if (made !== undefined) yield { line: last, row: made }
    }
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
    throw new FileError(`line ${error.line}: ${error.message}`)
  }
}

function readRow(row: Translation['row'], record: SourceRecord) {
  try {
    return row(record)
  } catch (error) {
    if (!(error instanceof RecordError)) throw error
    return 'broken'
  }
}

/** UTF-8; a byte that is none becomes a character that no hash and no name has. */
async function* textOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  for await (const piece of bytes) yield decoder.decode(piece, { stream: true })
  yield decoder.decode()
}
