import type { Database } from './client.ts'

/** How far something was read, or null when it never was. */
export async function readCursor(database: Database, name: string): Promise<string | null> {
  const [row] = await database.query<{ position: string }>({
    name: 'read-cursor',
    text: 'select position from carryover.cursors where name = $1',
    values: [name],
  })
  return row?.position ?? null
}

/** Notes a new position, unless somebody has moved it from `from` meanwhile. */
export async function moveCursor(
  database: Database,
  name: string,
  from: string | null,
  to: string,
): Promise<boolean> {
  const rows = await database.query<{ name: string }>(
    from === null
      ? {
          name: 'begin-cursor',
          text: `insert into carryover.cursors (name, position) values ($1, $2)
            on conflict do nothing returning name`,
          values: [name, to],
        }
      : {
          name: 'move-cursor',
          text: `update carryover.cursors set position = $3, at = clock_timestamp()
            where name = $1 and position = $2 returning name`,
          values: [name, from, to],
        },
  )
  return rows.length > 0
}
