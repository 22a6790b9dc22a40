import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'
import { type Database, openDatabase } from '../../src/db/client.ts'
import { expectNoPlanted } from './canaries.ts'

export interface TestDatabase {
  readonly url: string
  /** A connection of the owner. */
  readonly owner: pg.Client
  drop(): Promise<void>
}

function url(database: string): string {
  return `postgresql://postgres@/${database}?host=${encodeURIComponent(inject('socketDirectory'))}`
}

/** An empty, migrated database of the caller's own. */
export async function testDatabase(template = 'template_carryover'): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`
  await administer(`create database ${name} template ${template}`)
  const owner = new pg.Client({ connectionString: url(name) })
  owner.on('error', () => {})
  await owner.connect()
  return {
    url: url(name),
    owner,
    drop: async () => {
      expectNoPlanted('the database', await everyRow(owner))
      await owner.end()
      await administer(`drop database ${name} with (force)`)
    },
  }
}

/** Connections that can do what the hooks listener's can. */
export function openAsHooks(connectionString: string, max: number): Database {
  return openDatabase({
    connectionString,
    applicationName: 'test',
    role: 'carryover_hooks',
    max,
    min: 0,
    onLost: () => {},
  })
}

/** Every row of every table of ours, as text. */
export async function everyRow(owner: pg.Client): Promise<string> {
  const { rows: tables } = await owner.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('legacy', 'carryover')`,
  )
  const { rows } = await owner.query<{ text: string | null }>(
    tables.map(({ name }) => `select string_agg(t::text, e'\\n') as text from ${name} t`).join(' union all '),
  )
  return rows.map(({ text }) => text ?? '').join('\n')
}

/** `create database` copies a template that nobody may be connected to: one at a time. */
async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url('postgres') })
  await client.connect()
  try {
    await client.query(`select pg_advisory_lock(hashtext('carryover.test'))`)
    await client.query(statement)
  } finally {
    await client.end()
  }
}
