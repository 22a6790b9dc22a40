import pg from 'pg'
import type { SourceRow } from '../load/source-row.ts'
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

/** Object ids of the types that are not plain text: `select oid, typname from pg_type`. */
const TYPES = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  json: 114,
  float4: 700,
  float8: 701,
  timestamp: 1114,
  timestamptz: 1184,
  jsonb: 3802,
} as const

/** Milliseconds. */
const CONNECT_MS = 10_000

/** Opens a query on a connection that cannot write. Throws SourceError. */
export async function openPostgresql(options: QueryOptions): Promise<OpenQuery> {
  const client = await asking('connecting', () => connect(options.url))
  try {
    const mayWrite = await asking('preparing to read', () => prepare(client))
    await asking('starting the query', () => declare(client, options))
    let watermark: string | null = null
    return {
      mayWrite,
      watermark: () => watermark,
      rows: rowsOf(client, options, (value) => {
        watermark = value
      }),
      close: () => client.end().catch(() => {}),
    }
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'carryover load',
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    // Everything as the database writes it: nothing is rounded on the way.
    types: { getTypeParser: () => (text: string) => text },
  })
  client.on('error', () => {}) // the statement in flight reports it
  await client.connect()
  return client
}

async function prepare(client: pg.Client): Promise<boolean> {
  await client.query(`set default_transaction_read_only = on; set datestyle = 'ISO, YMD'; set timezone = 'UTC';
    set bytea_output = 'hex'; set statement_timeout = 0; set idle_in_transaction_session_timeout = 0`)
  // From version 14 on: a query ends, and its locks go, soon after whoever asked has gone.
  await client.query(
    `select set_config(name, '2s', false) from pg_settings where name = 'client_connection_check_interval'`,
  )
  await client.query('begin isolation level repeatable read read only')
  const { rows } = await client.query<{ writes: string }>(
    `select exists (
      select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_t'
        and has_table_privilege(c.oid, 'insert, update, delete')) as writes`,
  )
  return rows[0]?.writes === 't'
}

async function declare(client: pg.Client, { query, watermark, idColumn }: QueryOptions): Promise<void> {
  const name = (column: string) => `carryover_rows.${client.escapeIdentifier(column)}`
  const where = watermark?.last == null ? '' : `where ${name(watermark.column)} >= $1`
  const order = [watermark?.column, idColumn].flatMap((column) => (column == null ? [] : [name(column)]))
  const ordered = watermark === null ? '' : `order by ${order.join(', ')}`
  await client.query(
    `declare carryover_rows no scroll cursor for select * from ${derived(query)} ${where} ${ordered}`,
    watermark?.last == null ? [] : [watermark.last],
  )
}

async function* rowsOf(
  client: pg.Client,
  { watermark, chunk, bytes, objects }: QueryOptions,
  reached: (value: string) => void,
): AsyncGenerator<SourceRow> {
  const fetchSome = () =>
    client.query<(string | null)[]>({ text: `fetch ${chunk} from carryover_rows`, rowMode: 'array' })
  let line = 0
  let next = fetchSome()
  try {
    for (;;) {
      const { rows, fields } = await next
      if (rows.length === 0) return
      next = fetchSome() // while these are loaded
      next.catch(() => {}) // reported by whoever waits for it
      const marked = fields.findIndex(({ name }) => name === watermark?.column)
      for (const values of rows) {
        const row = fields.map(({ name, dataTypeID }, at) => [
          name,
          jsonOf(values[at] ?? null, dataTypeID, bytes, objects.has(name)),
        ])
        const mark = values[marked]
        if (mark !== undefined && mark !== null) reached(mark)
        yield { line: ++line, row: Object.fromEntries(row) }
      }
    }
  } catch (error) {
    throw sourceFailed('reading', error)
  }
}

function jsonOf(text: string | null, type: number, bytes: BytesAs, object: boolean): unknown {
  if (text === null) return null
  switch (type) {
    case TYPES.bool:
      return text === 't'
    case TYPES.bytea:
      return bytes === 'hex' ? text.slice(2) : Buffer.from(text.slice(2), 'hex').toString(bytes)
    case TYPES.int2:
    case TYPES.int4:
    case TYPES.int8:
      return wholeNumber(text)
    case TYPES.float4:
    case TYPES.float8:
      return someNumber(text)
    case TYPES.timestamp:
    case TYPES.timestamptz:
      return momentOf(text)
    case TYPES.json:
    case TYPES.jsonb:
      return documentOf(text)
  }
  return object ? documentOf(text) : text
}
