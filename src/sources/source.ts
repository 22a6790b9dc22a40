// Files that other systems write, turned into rows of ours. A source translates and nothing else: it opens no file.

/** One row, by the columns of `load`: `id`, `login`, `password_hash`, `profile` and so on. */
export type SourceRow = Readonly<Record<string, unknown>>

/** A record of a file. */
export interface SourceRecord {
  /** Where it begins, from 1. */
  readonly line: number
  readonly text: string
}

/** A file, or one record of it, that is not of the format. The message names what is wrong and quotes nothing. */
export class SourceError extends Error {
  readonly line: number

  constructor(line: number, message: string) {
    super(message)
    this.line = line
  }
}

export interface SourceFormat {
  /** For `load --format`. */
  readonly name: string
  /** What it is and what it lacks, for the help and the page. */
  readonly note: string
  /** Cuts a file into records. Throws SourceError for a file of another format. */
  records(text: AsyncIterable<string>): AsyncIterable<SourceRecord>
  /** The row that a record is; undefined: it is about something else than a user. Throws SourceError. */
  row(record: SourceRecord): SourceRow | undefined
}
