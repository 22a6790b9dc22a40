import { readFile } from 'node:fs/promises'
import type { Connection, ConnectionOptions, FieldPacket } from 'mysql2'
import { SourceError, type SourceRow } from '../load/source-row.ts'
import {
  asking,
  type BytesAs,
  derived,
  documentOf,
  momentOf,
  type OpenQuery,
  type QueryOptions,
  someNumber,
  sourceFailed,
  wholeNumber,
} from './sql.ts'

/** Milliseconds. */
const CONNECT_MS = 10_000
/** The character set of bytes that are no text. */
const BINARY = 63

/** https://dev.mysql.com/doc/dev/mysql-server/latest/field__types_8h.html */
const TYPES = {
  tiny: 1,
  short: 2,
  long: 3,
  float: 4,
  double: 5,
  timestamp: 7,
  longlong: 8,
  int24: 9,
  datetime: 12,
  year: 13,
  bit: 16,
  json: 245,
  tinyBlob: 249,
  mediumBlob: 250,
  longBlob: 251,
  blob: 252,
  varString: 253,
  string: 254,
} as const

/** Opens a query on MySQL or MariaDB in a transaction that cannot write. Throws SourceError. */
export async function openMysql(options: QueryOptions): Promise<OpenQuery> {
  const wanted = await connectionOf(options.url)
  const { createConnection } = await library()
  const connection = await asking('connecting', () => connected(createConnection(wanted)))
  try {
    const mayWrite = await asking('preparing to read', () => prepare(connection))
    let watermark: string | null = null
    return {
      mayWrite,
      watermark: () => watermark,
      rows: rowsOf(connection, options, (value) => {
        watermark = value
      }),
      // Without taking leave: rows that nobody wants any more would have to be read before.
      close: async () => connection.destroy(),
    }
  } catch (error) {
    connection.destroy()
    throw error
  }
}

/** Not everybody has it: it is for this alone. */
async function library(): Promise<typeof import('mysql2')> {
  try {
    return await import('mysql2')
  } catch {
    throw new SourceError('reading from MySQL needs the package mysql2, which is not installed')
  }
}

/** `mysql://user:password@host:3306/database?ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE`, or `?socket=PATH`. */
async function connectionOf(text: string): Promise<ConnectionOptions> {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^(mysql|mariadb):$/.test(url.protocol))
    throw new SourceError('SOURCE_DATABASE_URL is not a connection string mysql://...')
  const socket = url.searchParams.get('socket')
  const ssl = await tlsOf(url.searchParams)
  return {
    ...(socket === null
      ? { host: url.hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(url.port || 3306) }
      : { socketPath: socket }),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)),
    ...(ssl && { ssl }),
    connectTimeout: CONNECT_MS,
    charset: 'utf8mb4',
    // Code that is made of a result's column names is not run.
    disableEval: true,
    multipleStatements: false,
    // A server could otherwise ask for any file of ours.
    flags: ['-LOCAL_FILES'],
  }
}

async function tlsOf(parameters: URLSearchParams): Promise<ConnectionOptions['ssl']> {
  const mode = parameters.get('ssl-mode')?.toUpperCase() ?? 'DISABLED'
  const path = parameters.get('ssl-ca')
  const ca =
    path === null
      ? {}
      : {
          ca: await readFile(path).catch(() => {
            throw new SourceError('the file of ssl-ca cannot be read')
          }),
        }
  switch (mode) {
    case 'DISABLED':
      return undefined
    case 'REQUIRED':
      return { rejectUnauthorized: false }
    case 'VERIFY_CA':
      return { ...ca, rejectUnauthorized: true, verifyIdentity: false }
    case 'VERIFY_IDENTITY':
      return { ...ca, rejectUnauthorized: true, verifyIdentity: true }
  }
  throw new SourceError('ssl-mode is DISABLED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY')
}

function connected(connection: Connection): Promise<Connection> {
  return new Promise((done, failed) => {
    connection.on('error', () => {}) // the statement in flight reports it
    connection.connect((error) => {
      if (error === null || error === undefined) return done(connection)
      connection.destroy()
      failed(error)
    })
  })
}

function ask(connection: Connection, sql: string): Promise<unknown> {
  return new Promise((done, failed) =>
    connection.query({ sql, rowsAsArray: true }, (error, rows) =>
      error === null ? done(rows) : failed(error),
    ),
  )
}

async function prepare(connection: Connection): Promise<boolean> {
  await ask(connection, `set session time_zone = '+00:00', net_write_timeout = 86400, wait_timeout = 86400`)
  await ask(connection, 'set session transaction isolation level repeatable read')
  await ask(connection, 'start transaction with consistent snapshot, read only')
  const grants = JSON.stringify(await ask(connection, 'show grants'))
  return /\b(ALL PRIVILEGES|INSERT|UPDATE|DELETE)\b/.test(grants)
}

async function* rowsOf(
  connection: Connection,
  { query, watermark, idColumn, chunk, bytes, objects }: QueryOptions,
  reached: (value: string) => void,
): AsyncGenerator<SourceRow> {
  const name = (column: string) => `carryover_rows.\`${column.replaceAll('`', '``')}\``
  const where = watermark?.last == null ? '' : `where ${name(watermark.column)} >= ${literal(watermark.last)}`
  const order = [watermark?.column, idColumn].flatMap((column) => (column == null ? [] : [name(column)]))
  const ordered = watermark === null ? '' : `order by ${order.join(', ')}`
  let line = 0
  let fields: readonly FieldPacket[] = []
  try {
    const stream = connection
      .query({
        sql: `select * from ${derived(query)} ${where} ${ordered}`,
        rowsAsArray: true,
        // Everything as the database writes it: nothing is rounded on the way.
        typeCast: false,
      })
      .on('fields', (found: readonly FieldPacket[]) => {
        fields = found
      })
      .stream({ highWaterMark: chunk })
    for await (const values of stream as AsyncIterable<readonly (Buffer | null)[]>) {
      const row = fields.map((field, at) => [
        field.name,
        jsonOf(values[at] ?? null, field, bytes, objects.has(field.name)),
      ])
      const mark = values[fields.findIndex((field) => field.name === watermark?.column)]
      if (mark !== undefined && mark !== null) reached(mark.toString())
      yield { line: ++line, row: Object.fromEntries(row) }
    }
  } catch (error) {
    throw sourceFailed('reading', error)
  }
}

/** A value as it was read, in a notation that no setting of the server reads otherwise. */
function literal(text: string): string {
  if (/^-?\d{1,19}$/.test(text)) return text
  if (/^\d{4}-\d\d-\d\d(?: \d\d:\d\d:\d\d(?:\.\d{1,6})?)?$/.test(text))
    return `cast('${text}' as datetime(6))`
  return `convert(0x${Buffer.from(text).toString('hex')} using utf8mb4)`
}

function jsonOf(value: Buffer | null, field: FieldPacket, bytes: BytesAs, object: boolean): unknown {
  if (value === null) return null
  switch (field.columnType) {
    case TYPES.tiny:
    case TYPES.short:
    case TYPES.long:
    case TYPES.longlong:
    case TYPES.int24:
    case TYPES.year:
      return wholeNumber(value.toString())
    case TYPES.float:
    case TYPES.double:
      return someNumber(value.toString())
    case TYPES.timestamp:
    case TYPES.datetime:
      return dateOf(value.toString())
    case TYPES.bit:
      return wholeNumber(BigInt(`0x${value.toString('hex') || '0'}`).toString())
    case TYPES.json:
      return documentOf(value.toString())
    case TYPES.tinyBlob:
    case TYPES.mediumBlob:
    case TYPES.longBlob:
    case TYPES.blob:
    case TYPES.varString:
    case TYPES.string:
      if (field.characterSet === BINARY) return value.toString(bytes)
  }
  return object ? documentOf(value.toString()) : value.toString()
}

/** A date of zeros is how an old server says that there is none. */
function dateOf(text: string): string | null {
  return text.startsWith('0000-00-00') ? null : momentOf(text)
}
