import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import type { FailedItem } from '../db/plan-items.ts'
import { toldOf } from '../provision/reasons.ts'
import { sheetCell } from '../sheet.ts'

export interface FailedFiles {
  readonly users: number
  /** Of them, those who are still in the copy and so in the file. */
  readonly written: number
  readonly path: string
  readonly reasonsPath: string
}

/**
 * Writes the failed users so that `carryover load` reads them again, hashes included, and beside it why each of them failed,
 * for spreadsheets. Both are for their owner alone, and under other names until they are complete.
 */
export async function writeFailed(
  items: AsyncIterable<readonly FailedItem[]>,
  path: string,
): Promise<FailedFiles> {
  const reasonsPath = `${path}.reasons.csv`
  const rows = await privateFile(path)
  try {
    const reasons = await privateFile(reasonsPath)
    try {
      let users = 0
      let written = 0
      await reasons.write(line(['id', 'state', 'reason', 'meaning', 'hint', 'target code', 'target text']))
      for await (const some of items) {
        users += some.length
        const loadable = some.flatMap(({ row }) => (row === null ? [] : [`${JSON.stringify(row)}\n`]))
        written += loadable.length
        await rows.write(loadable.join(''))
        await reasons.write(some.map(lineOf).join(''))
      }
      await rows.keep()
      await reasons.keep()
      return { users, written, path, reasonsPath }
    } finally {
      await reasons.discard()
    }
  } finally {
    await rows.discard()
  }
}

function lineOf({ userId, state, reason, targetCode, targetText }: FailedItem): string {
  const told = reason === null ? undefined : toldOf(reason)
  return line([
    userId,
    state,
    reason ?? '',
    told?.sentence ?? '',
    told?.hint ?? '',
    targetCode ?? '',
    targetText ?? '',
  ])
}

function line(cells: readonly string[]): string {
  return `${cells.map(sheetCell).join(',')}\r\n`
}

async function privateFile(path: string) {
  const temporary = `${path}.${process.pid}.tmp`
  // "wx": never into a file, or through a link, that somebody else has put there.
  let file: FileHandle | undefined = await open(temporary, 'wx', 0o600)
  const close = async () => {
    const open = file
    file = undefined
    await open?.close()
    return open !== undefined
  }
  return {
    write: async (text: string) => {
      if (text !== '') await file?.appendFile(text)
    },
    keep: async () => {
      await file?.datasync()
      if (await close()) await rename(temporary, path)
    },
    /** Leaves nothing behind, unless it was kept. */
    discard: async () => {
      if (await close()) await rm(temporary, { force: true })
    },
  }
}
