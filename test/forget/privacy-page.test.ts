import { readFileSync } from 'node:fs'
import { getTableColumns, is } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import { expect, test } from 'vitest'
import * as schema from '../../src/db/schema.ts'

const page = readFileSync(new URL('../../docs/privacy.md', import.meta.url), 'utf8')
const tables = Object.values(schema).flatMap((value) => (is(value, PgTable) ? [value] : []))

/** What the page says of a table: its section, or the rows from its name on to the next table's. */
function said(name: string, schemaName: string | undefined): string {
  if (schemaName === 'legacy') return page.split('## legacy.users')[1]?.split('\n## ')[0] ?? ''
  const rows = page.split('## carryover')[1]?.split('\n## ')[0]?.split('\n') ?? []
  const start = rows.findIndex((row) => row.startsWith(`| \`${name}\` |`))
  if (start < 0) return ''
  const length = rows.slice(start + 1).findIndex((row) => !row.startsWith('| |'))
  return rows.slice(start, start + 1 + length).join('\n')
}

test.each(
  tables.map((table) => {
    const { name, schema: schemaName } = getTableConfig(table)
    return { name, schemaName, columns: Object.values(getTableColumns(table)).map((column) => column.name) }
  }),
)('docs/privacy.md has every column of $schemaName.$name', ({ name, schemaName, columns }) => {
  const text = said(name, schemaName)
  expect(text).not.toBe('')
  const missing = columns.filter((column) => !text.includes(`\`${column}\``))
  if (!text.includes('| all columns |')) expect(missing).toEqual([])
})
