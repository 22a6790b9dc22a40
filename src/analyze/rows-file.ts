import { type FileHandle, open } from 'node:fs/promises'
import { sheetCell } from '../sheet.ts'
import type { UnreadRow } from './analyze.ts'

export interface RowsFile {
  keep(rows: readonly UnreadRow[]): Promise<void>
  close(): Promise<void>
}

/** A CSV of the rows that are not read, for its owner's eyes. Replaces what is there. Rejects with the system's error. */
export async function openRowsFile(path: string): Promise<RowsFile> {
  const file = await openPrivate(path)
  await file.write('id,cohort,defect\r\n')
  return {
    keep: async (rows) => {
      await file.appendFile(rows.map(lineOf).join(''))
    },
    close: () => file.close(),
  }
}

/** A file that only its owner can read, also if it was there before. */
export async function openPrivate(path: string): Promise<FileHandle> {
  const file = await open(path, 'w', 0o600)
  try {
    // Not of a device or a pipe, which others use too.
    if ((await file.stat()).isFile()) await file.chmod(0o600)
    return file
  } catch (error) {
    await file.close()
    throw error
  }
}

function lineOf({ id, cohort, defect }: UnreadRow): string {
  return `${[id, cohort, defect].map(sheetCell).join(',')}\r\n`
}
