import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, readFile, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { readSourceUrl } from '../config.ts'
import { isColumn, readFields } from '../load/columns.ts'
import type { FileOptions } from '../load/shape.ts'
import type { SourceRows } from '../load/source-row.ts'
import type { SourceFormat } from '../sources/format.ts'
import { formatDetected } from '../sources/index.ts'
import type { DatabaseKind, OpenQuery, QueryOptions } from '../sources/sql.ts'
import { openMysql } from '../sources/sql-mysql.ts'
import { openPostgresql } from '../sources/sql-postgresql.ts'
import { type Io, UsageError } from './command.ts'
import { type FileWish, namesOfFormats, type QueryWish } from './load-request.ts'

/** What is read, when it is neither CSV nor JSON Lines. */
export interface OpenSource {
  readonly rows: SourceRows
  close(): Promise<void>
}

const HEAD_BYTES = 64 * 1024

/** What a file is read as. Throws UsageError where nobody knows. */
export async function settledFormat(
  { format }: FileWish,
  path: string,
): Promise<'csv' | 'jsonl' | SourceFormat> {
  if (format !== 'detect') return format
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    const found = formatDetected(buffer.subarray(0, bytesRead).toString())
    if (found !== undefined) return found
  } finally {
    await file.close()
  }
  throw new UsageError(
    `neither the extension of FILE nor its beginning says what it is: say --format ${namesOfFormats()}`,
  )
}

/** A file of a format that is no reader of our own. */
export async function openFormat(format: SourceFormat, path: string): Promise<OpenSource> {
  const { size } = await stat(path)
  const hash = createHash('sha256')
  const file = createReadStream(path)
  let read = 0
  async function* bytes() {
    for await (const chunk of file as AsyncIterable<Buffer>) {
      hash.update(chunk)
      read += chunk.length
      yield chunk
    }
  }
  let digest: string | undefined
  return {
    rows: {
      rows: format.rows(bytes()),
      bytes: () => read,
      ofBytes: size,
      digest: () => {
        // What a format does not read is no less a part of the file: without all of it there is no digest of it.
        if (read < size) return null
        digest ??= hash.digest('hex')
        return digest
      },
    },
    close: async () => {
      file.destroy()
    },
  }
}

const openers: Readonly<Record<DatabaseKind, (options: QueryOptions) => Promise<OpenQuery>>> = {
  postgresql: openPostgresql,
  mysql: openMysql,
}

/** @param last how far the query was read before */
export async function openQuery(
  wish: QueryWish,
  fields: FileOptions,
  last: string | null,
  io: Io,
): Promise<OpenSource> {
  const query = await readFile(wish.queryFile, 'utf8').catch(() => {
    throw new UsageError('--query-file is not a file that can be read')
  })
  const opened = await openers[wish.database]({
    url: readSourceUrl(io.env),
    query,
    watermark: wish.watermark === null ? null : { column: wish.watermark, last: wish.full ? null : last },
    idColumn: sourcesOf(fields, 'id')[0] ?? null,
    chunk: wish.chunk,
    bytes: wish.bytes,
    objects: new Set(sourcesOf(fields, 'profile')),
  })
  if (opened.mayWrite)
    io.err('carryover load: the account of the source may write there; one that can only read would do\n')
  return {
    rows: {
      rows: opened.rows,
      bytes: () => 0,
      ofBytes: 0,
      uniform: true,
      digest: () => null,
      watermark: opened.watermark,
    },
    close: opened.close,
  }
}

/** The fields that are mapped to a column, or the column's own name. */
function sourcesOf({ map, drop }: FileOptions, column: 'id' | 'profile'): readonly string[] {
  const mapped = map
    .filter((entry) => entry.endsWith(`=${column}`))
    .map((entry) => entry.slice(0, entry.lastIndexOf('=')))
  return mapped.length > 0 || drop.includes(column) ? mapped : [column]
}

/** A watermark that is nothing else is not a field that somebody forgot to map. */
export function withWatermark(fields: FileOptions, watermark: string | null): FileOptions {
  if (watermark === null || isColumn(watermark) || readFields(fields).fields(watermark) !== undefined)
    return fields
  return { ...fields, drop: [...fields.drop, watermark] }
}

/** What the history calls it. */
export function originOf(input: FileWish | QueryWish, path: string, io: Io): string {
  return input.kind === 'file' ? basename(path) : placeOf(readSourceUrl(io.env))
}

/** Host and database of a connection string. Where a password might be taken for them, nothing. */
export function placeOf(url: string): string {
  const [before = ''] = url.replace(/^[a-z]+:\/\//, '').split('?')
  const at = before.lastIndexOf('@')
  if (at < 0 && url.includes('@')) return ''
  const place = before.slice(at + 1)
  return /^[\w.:[\]-]*\/[\w.-]*$/.test(place) ? place : ''
}
