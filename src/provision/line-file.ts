import { open } from 'node:fs/promises'
import { join, parse as partsOf } from 'node:path'

/** A file of lines, each a JSON object with an `id`, to which no id is written twice. */
export interface LineFile {
  /**
   * Writes those lines whose `id` is not there yet; they are on disk when it resolves. One call at a time waits for the other. After a
   * failure the file is of no use any more: open it again, which repairs it.
   */
  append(lines: readonly string[]): Promise<void>
  close(): Promise<void>
}

/** A line that is no JSON object with an `id`. The message names its place. */
export class LineError extends Error {}

const LINE_FEED = 0x0a

/** Bytes that are read at once to find the end of the last whole line. */
const BACKWARDS = 64 * 1024

/** `users.jsonl` and a plan make `users.PLAN.jsonl`. */
export function fileOfPlan(file: string, plan: string): string {
  const { dir, name, ext } = partsOf(file)
  return join(dir, `${name}.${plan}${ext}`)
}

/**
 * Opens the file, or makes it for its owner alone. What a crash has left of a last line is cut off: it was never reported as written.
 * All ids of the file are kept in memory, 100 bytes or so each. One process at a time. Throws LineError for a file of something else.
 */
export async function openLineFile(path: string): Promise<LineFile> {
  const file = await open(path, 'a+', 0o600)
  try {
    await file.chmod(0o600)
    await file.truncate(await endOfLastLine(file))
    const ids = await idsIn(path)
    // The name of a new file, too, has to outlast the power.
    await syncDirectory(partsOf(path).dir)
    return writer(file, ids)
  } catch (error) {
    await file.close()
    throw error
  }
}

type File = Awaited<ReturnType<typeof open>>

function writer(file: File, ids: Set<string>): LineFile {
  let last: Promise<void> = Promise.resolve()
  let failed = false
  const write = async (lines: readonly string[]) => {
    if (failed) throw new Error('the file could not be written to before; open it again')
    const fresh = new Map<string, string>()
    lines.forEach((line, place) => {
      const id = idOf(line, place + 1)
      if (!ids.has(id) && !fresh.has(id)) fresh.set(id, line)
    })
    if (fresh.size === 0) return
    try {
      await file.appendFile([...fresh.values()].map((line) => `${line}\n`).join(''))
      await file.datasync()
    } catch (error) {
      failed = true
      throw error
    }
    for (const id of fresh.keys()) ids.add(id)
  }
  return {
    append: (lines) => {
      const written = last.then(() => write(lines))
      last = written.catch(() => {})
      return written
    },
    close: async () => {
      await last
      await file.close()
    },
  }
}

/** The size of the file up to its last line feed. */
async function endOfLastLine(file: File): Promise<number> {
  let end = (await file.stat()).size
  while (end > 0) {
    const from = Math.max(0, end - BACKWARDS)
    const bytes = Buffer.alloc(end - from)
    const { bytesRead } = await file.read(bytes, 0, bytes.length, from)
    const place = bytes.subarray(0, bytesRead).lastIndexOf(LINE_FEED)
    if (place >= 0) return from + place + 1
    end = from
  }
  return 0
}

/** Split at line feeds alone: a text of JSON may hold the other line separators of Unicode as they are. */
async function idsIn(path: string): Promise<Set<string>> {
  const reading = await open(path, 'r')
  const ids = new Set<string>()
  let place = 0
  let begun: Buffer[] = []
  try {
    for await (const chunk of reading.createReadStream({ autoClose: false })) {
      const bytes: Buffer = chunk
      let from = 0
      for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, from)) {
        begun.push(bytes.subarray(from, end))
        ids.add(idOf(Buffer.concat(begun).toString('utf8'), ++place))
        begun = []
        from = end + 1
      }
      if (from < bytes.length) begun.push(bytes.subarray(from))
    }
  } finally {
    await reading.close()
  }
  return ids
}

function idOf(line: string, place: number): string {
  const value = line.includes('\n') ? undefined : parsed(line)
  if (typeof value === 'object' && value !== null && 'id' in value && typeof value.id === 'string')
    return value.id
  throw new LineError(`line ${place}: expected a JSON object with an id`)
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const opened = await open(directory === '' ? '.' : directory, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}
