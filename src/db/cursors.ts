import type { Database } from './client.ts'

/** How far something was read, or null when it never was. */
export async function readCursor(database: Database, name: string): Promise<string | null> {
  const [row] = await database.query<{ position: string | null }>({
    name: 'read-cursor',
    text: 'select carryover.read_cursor($1) as position',
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
  const [row] = await database.query<{ moved: boolean }>({
    name: 'move-cursor',
    text: 'select carryover.move_cursor($1, $2, $3) as moved',
    values: [name, from, to],
  })
  return row?.moved === true
}
