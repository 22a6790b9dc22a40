import { errorCode } from '../errors.ts'
import { SourceError, type SourceRow } from '../load/source-row.ts'

/** Databases that users can be read from. MariaDB is asked as MySQL. */
export const DATABASES = ['postgresql', 'mysql'] as const
export type DatabaseKind = (typeof DATABASES)[number]

/** How bytes become text. */
export const BYTES_AS = ['hex', 'base64', 'utf8'] as const
export type BytesAs = (typeof BYTES_AS)[number]

/** A query that is to be read. */
export interface QueryOptions {
  /** A connection string. Never shown. */
  readonly url: string
  /** A SELECT, which becomes a part of ours. */
  readonly query: string
  readonly watermark: {
    readonly column: string
    /** The greatest value that was read before, as the database writes it; null: from the beginning. */
    readonly last: string | null
  } | null
  /** A column that decides between equal watermarks, so that every run has the same order; null: there is none. */
  readonly idColumn: string | null
  /** Rows that are fetched at a time. */
  readonly chunk: number
  readonly bytes: BytesAs
  /** Columns whose text is a JSON object. */
  readonly objects: ReadonlySet<string>
}

/** A query that is being read, in a transaction that can only read. */
export interface OpenQuery {
  /** Once. Throws SourceError. */
  readonly rows: AsyncIterable<SourceRow>
  /** Of the last row that was handed over and has one; null: of none. */
  watermark(): string | null
  /** The account may write what it is only to read. */
  readonly mayWrite: boolean
  close(): Promise<void>
}

/** Does something with the source. Its own messages quote rows, so only their code is told. */
export async function asking<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    throw sourceFailed(doing, error)
  }
}

export function sourceFailed(doing: string, error: unknown): SourceError {
  if (error instanceof SourceError) return error
  return new SourceError(`the source failed while ${doing} (${errorCode(error)})`)
}

/** The operator's query as a part of ours: without its semicolon, and on lines of its own, should it end in a comment. */
export function derived(query: string): string {
  return `(\n${query.trim().replace(/;\s*$/, '')}\n) as carryover_rows`
}

/** A number where JSON's readers have it exactly, and its text where they do not. */
export function wholeNumber(text: string): number | string {
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : text
}

/** A number that is no whole one, or what the database writes in place of it. */
export function someNumber(text: string): number | string {
  const value = Number(text)
  return Number.isFinite(value) ? value : text
}

/** `2025-01-31 12:00:00.5+00`, or without a zone, which is then UTC, as ISO 8601. Anything else as it is. */
export function momentOf(text: string): string {
  const parts = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d{1,9})?)(?:\+00)?$/.exec(text)
  return parts === null ? text : `${parts[1]}T${parts[2]}Z`
}

/** A JSON document, or its text where it is none. */
export function documentOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
