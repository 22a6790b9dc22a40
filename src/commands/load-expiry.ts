import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { dueFiles, keepFiles, type RefusedFile } from '../db/loads.ts'

/** What became of files of refused rows that were due. */
export interface Expired {
  readonly deleted: number
  /** Somebody has changed them: they are theirs now, and stay. */
  readonly changed: number
  /** Not here: deleted by hand, or on another machine, where the next load looks for them. */
  readonly absent: number
}

/** Deletes the files of refused rows that are due and still as a load left them. Throws StepError. */
export async function expireRefused(url: string): Promise<Expired> {
  const sum = { deleted: 0, changed: 0, absent: 0 }
  for (const { id, files } of await dueFiles(url)) {
    const left: RefusedFile[] = []
    for (const file of files) {
      const fate = await fateOf(file)
      sum[fate]++
      if (fate === 'absent') left.push(file)
    }
    if (left.length < files.length) await keepFiles(url, id, left)
  }
  return sum
}

async function fateOf({ path, sha256 }: RefusedFile): Promise<keyof Expired> {
  const found = await digestOf(path)
  if (found === null) return 'absent'
  if (found !== sha256) return 'changed'
  await rm(path)
  return 'deleted'
}

/** Null: there is no such file that can be read. */
async function digestOf(path: string): Promise<string | null> {
  const hash = createHash('sha256')
  try {
    for await (const chunk of createReadStream(path)) hash.update(chunk)
  } catch {
    return null
  }
  return hash.digest('hex')
}
