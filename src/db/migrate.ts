import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { getTableColumns } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import type pg from 'pg'
import { errorCode } from '../errors.ts'
import { connectOwner, type Database } from './client.ts'
import { schemaVersion } from './outcomes.ts'
import { legacyUsers } from './schema.ts'

/** migrations/ stands beside both src/ and dist/. */
const MIGRATIONS = fileURLToPath(new URL('../../migrations', import.meta.url))

/** The columns that are read of `legacy.users`, whether it is our table or the operator's view. */
const COPY_COLUMNS = Object.values(getTableColumns(legacyUsers)).map(({ name }) => name)

/** A database that cannot be used as it is. The message says what to do. */
export class SchemaError extends Error {}

/** Applies what is missing of migrations/. Safe to run again and from several places at once. */
export async function migrateDatabase(connectionString: string): Promise<void> {
  const client = await connectOwner(connectionString, 'carryover migrate')
  try {
    await checkServer(client)
    await checkCopy(client)
    // One migration at a time; the lock goes with the connection.
    await client.query(`select pg_advisory_lock(hashtext('carryover.migrate'))`)
    await migrate(drizzle(client), {
      migrationsFolder: MIGRATIONS,
      migrationsSchema: 'carryover',
      migrationsTable: 'migrations',
    })
  } catch (error) {
    throw error instanceof SchemaError ? error : new SchemaError(`the migration failed: ${explain(error)}`)
  } finally {
    await client.end()
  }
}

/** Throws SchemaError unless the database is at this program's schema: others lack functions, or have changed them. */
export async function checkSchema(database: Database): Promise<void> {
  const age = await schemaAge(database)
  if (age === 'older') throw new SchemaError('the database has an older schema: run `carryover migrate`')
  if (age === 'newer') throw new SchemaError('the database has a newer schema than this program: update it')
}

/** The database's schema beside this program's. None at all is an older one. */
export async function schemaAge(database: Database): Promise<'older' | 'same' | 'newer'> {
  const version = await schemaVersion(database).catch((error: unknown) => {
    // undefined function, undefined schema, undefined table
    if (['42883', '3F000', '42P01'].includes(errorCode(error))) return null
    throw error
  })
  const newest = await newestMigration()
  if (version === null || version < newest) return 'older'
  return version > newest ? 'newer' : 'same'
}

async function newestMigration(): Promise<number> {
  const journal: { entries: { when: number }[] } = JSON.parse(
    await readFile(join(MIGRATIONS, 'meta', '_journal.json'), 'utf8'),
  )
  return Math.max(...journal.entries.map(({ when }) => when))
}

async function checkServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: number; encoding: string; icu: boolean }>(`
    select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
      exists (select from pg_collation where collname = 'und-x-icu') as icu`)
  const [server] = rows
  if (server === undefined || server.version < 140_000)
    throw new SchemaError('PostgreSQL 14 or newer is needed')
  if (server.encoding !== 'UTF8') throw new SchemaError('the database must have the encoding UTF8')
  if (!server.icu)
    throw new SchemaError('the PostgreSQL server must be built with ICU (the collation und-x-icu is missing)')
}

async function checkCopy(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ column: string }>(
    `select column_name as column from information_schema.columns where table_schema = 'legacy' and table_name = 'users'`,
  )
  if (rows.length === 0) return // there is no copy yet: the migration makes one
  const present = new Set(rows.map(({ column }) => column))
  const missing = COPY_COLUMNS.filter((column) => !present.has(column))
  if (missing.length > 0) throw new SchemaError(`legacy.users lacks the columns ${missing.join(', ')}`)
}

/** PostgreSQL's own message is safe here: a migration carries no user's data. */
function explain(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return 'unknown'
  const hint = 'hint' in cause && typeof cause.hint === 'string' ? ` (${cause.hint})` : ''
  return `${cause.message}${hint} [${errorCode(cause)}]`
}
