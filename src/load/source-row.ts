import type { Rule } from './rules.ts'

/**
 * What a source that is neither CSV nor JSON Lines says of one user. It is read like a line of JSON Lines: the same names,
 * `--map`, `--drop`, rules and refusals; and it is written into the file of refused rows as one.
 */
export interface SourceRow {
  /** Where it stands, from 1, as a person would look for it: the line, or the row's number. Greater than that of the row before. */
  readonly line: number
  /**
   * Values as JSON has them: text, whole numbers, booleans, null, objects; moments as ISO 8601 with their zone. No value
   * that JSON lacks: no Date, no Buffer, no bigint. One in which `password_hash` is a name of the first row is a source that
   * has hashes: a format that may have them names it in every row, with null where there is none.
   */
  readonly row: Readonly<Record<string, unknown>>
}

/** A row that cannot be taken apart. It is named by its line, and written nowhere: of its text nothing is known. */
export interface BrokenRow {
  readonly line: number
  readonly broken: Rule
}

/** A source, which is read once. */
export interface SourceRows {
  readonly rows: AsyncIterable<SourceRow | BrokenRow>
  /** Of a file: how many bytes have been read, and how many there are. 0: not known. */
  bytes(): number
  readonly ofBytes: number
  /** Every row has the names of the first, as those of a query: one that nobody knows is told once, and nothing is read. */
  readonly uniform?: true
  /** Of a file, after the last row: SHA-256 in hexadecimal. Null: there is no file. */
  digest(): string | null
  /** Of a query, after the last row: how far it was read. Kept with the source when its rows are. */
  watermark?(): string | null
}

/** The source cannot be read on, and nothing of it holds. The message names what and where, and quotes nothing. */
export class SourceError extends Error {}
