import { rewriteCopy } from '../db/rewrite-copy.ts'
import type { Io } from './command.ts'

/** For `--vacuum`: whether nothing of what was removed or replaced is in the table's file now. Says so if something is. */
export async function rewrite(url: string, command: string, io: Io): Promise<boolean> {
  const kept = await rewriteCopy(url, `carryover ${command}`)
  if (kept === 0) return true
  io.err(
    `carryover ${command}: ${kept ?? 'perhaps some'} old rows had to be kept in the file, because a transaction is open that began before: run it again with --vacuum when that has ended\n`,
  )
  return false
}
