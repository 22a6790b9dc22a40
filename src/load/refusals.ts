import { createHash } from 'node:crypto'
import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { shown } from './columns.ts'
import { originalBytes } from './lines.ts'
import { type Refusal, type Rule, rules } from './rules.ts'

/** A refused row, as it is told. */
export interface RefusedLine extends Refusal {
  readonly line: number
}

/** A file that was left behind, as the history has it. */
export interface KeptFile {
  /** Absolute. */
  readonly path: string
  /** In hexadecimal, of the file as it lies there. */
  readonly sha256: string
  readonly encrypted: boolean
}

/** Encrypts a stream of bytes. */
export type Seal = (plain: ReadableStream<Uint8Array>) => Promise<ReadableStream<Uint8Array>>

export interface Refusals {
  /** `raw`: the row as it stands in the file; null: it is written nowhere, as one of somebody who was erased. */
  add(refusal: RefusedLine, raw: string | null): void
  /** To be waited for now and then, so that no more waits to be encrypted than what was added since. */
  flushed(): Promise<void>
  readonly total: number
  /** Rows that were written down. */
  readonly written: number
  readonly byRule: Readonly<Partial<Record<Rule, number>>>
  /** The first of them. */
  readonly first: readonly RefusedLine[]
  /** Where the rows are, once they are kept. */
  readonly rowsPath: string
  /** Puts the files in their places. */
  keep(): Promise<readonly KeptFile[]>
  /** Leaves nothing behind. */
  discard(): Promise<void>
}

const SHOWN = 20
const WRITE_BYTES = 256 * 1024
/** As `age` names its files. */
const SEALED_ENDING = '.age'

/**
 * Collects refused rows in two files. One has the rows as they were, under the input's own header, to be corrected
 * and loaded again; so nothing in it is made safe for spreadsheets, or corrected rows would load as something else.
 * With `seal` it has another ending and is encrypted before any of it is written. The other file says for each line which
 * rule it broke, and holds no value. Without refused rows there are no files.
 */
export function collectRefusals(
  rowsPath: string,
  reasonsPath: string,
  header: string | null,
  seal?: Seal,
): Refusals {
  const path = seal === undefined ? rowsPath : `${rowsPath}${SEALED_ENDING}`
  const start = header === null ? '' : `${header}\n`
  const rowsFile = seal === undefined ? plainFile(path, start) : sealedFile(path, start, seal)
  return refusalsIn(path, rowsFile, plainFile(reasonsPath, ''))
}

/** Counts refused rows and tells the first of them, and writes none of them anywhere. */
export function countRefusals(): Refusals {
  return refusalsIn('', noFile, noFile)
}

function refusalsIn(path: string, rowsFile: RefusalFile, reasonsFile: RefusalFile): Refusals {
  const byRule = new Map<Rule, number>()
  const first: RefusedLine[] = []
  let total = 0
  let written = 0
  return {
    rowsPath: path,
    add: (refusal, raw) => {
      total++
      byRule.set(refusal.rule, (byRule.get(refusal.rule) ?? 0) + 1)
      if (first.length < SHOWN) first.push(refusal)
      if (raw !== null) {
        written++
        rowsFile.write(originalBytes(`${raw}\n`))
      }
      reasonsFile.write(Buffer.from(`${sentenceOf(refusal)}\n`))
    },
    flushed: () => rowsFile.flushed(),
    get total() {
      return total
    },
    get written() {
      return written
    },
    get byRule() {
      return Object.fromEntries([...byRule].sort(([a], [b]) => (a < b ? -1 : 1)))
    },
    get first() {
      return [...first].sort((a, b) => a.line - b.line)
    },
    keep: async () => [...(await rowsFile.keep()), ...(await reasonsFile.keep())],
    discard: async () => {
      await rowsFile.discard()
      await reasonsFile.discard()
    },
  }
}

/** `line 17: too-long: login is longer than its column takes`. Names a line, a rule and a column, and no value. */
export function sentenceOf({ line, rule, field, first }: RefusedLine): string {
  const what = field === undefined || rule === 'unknown-field' ? 'the row' : shown(field)
  const more =
    rule === 'unknown-field' && field !== undefined
      ? `: ${shown(field)}`
      : first === undefined
        ? ''
        : `: line ${first}`
  return `line ${line}: ${rule}: ${what} ${rules[rule]}${more}`
}

interface RefusalFile {
  write(line: Buffer): void
  flushed(): Promise<void>
  /** None, when nothing was written. */
  keep(): Promise<readonly KeptFile[]>
  discard(): Promise<void>
}

const noFile: RefusalFile = {
  write: () => {},
  flushed: async () => {},
  keep: async () => [],
  discard: async () => {},
}

function plainFile(path: string, start: string): RefusalFile {
  const file = privateFile(path)
  return {
    write: (line) => {
      if (!file.begun) file.write(Buffer.from(start))
      file.write(line)
    },
    flushed: async () => {},
    keep: async () => file.keep(false),
    discard: async () => file.discard(),
  }
}

/** Only what comes out of `seal` is ever written. */
function sealedFile(path: string, start: string, seal: Seal): RefusalFile {
  const file = privateFile(path)
  let waiting: Buffer[] = []
  let open:
    | { readonly plain: WritableStreamDefaultWriter<Uint8Array>; readonly done: Promise<void> }
    | undefined
  const opened = () => {
    if (open !== undefined) return open
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const done = (async () => {
      for await (const piece of await seal(readable)) file.write(piece)
    })()
    done.catch(() => {}) // reported to whoever waits next
    open = { plain: writable.getWriter(), done }
    return open
  }
  const flushed = async () => {
    if (waiting.length === 0) return
    const first = open === undefined
    const { plain, done } = opened()
    const bytes = Buffer.concat(first ? [Buffer.from(start), ...waiting] : waiting)
    waiting = []
    // When writing the file fails nobody takes the bytes any more.
    await Promise.race([plain.write(bytes), done])
  }
  return {
    write: (line) => {
      waiting.push(line)
    },
    flushed,
    keep: async () => {
      await flushed()
      if (open === undefined) return []
      await Promise.race([open.plain.close(), open.done])
      await open.done
      return file.keep(true)
    },
    discard: async () => {
      await open?.plain.abort().catch(() => {})
      await open?.done.catch(() => {})
      file.discard()
    },
  }
}

/** A file for its owner alone, because it holds hashes, and under another name until it is complete. */
function privateFile(path: string) {
  const temporary = `${path}.${process.pid}.tmp`
  const hash = createHash('sha256')
  let file: number | undefined
  let begun = false
  let waiting: Uint8Array[] = []
  let bytes = 0
  const flush = () => {
    const whole = Buffer.concat(waiting)
    if (file !== undefined && bytes > 0) writeAll(file, whole)
    hash.update(whole)
    waiting = []
    bytes = 0
  }
  const close = () => {
    if (file === undefined) return false
    closeSync(file)
    file = undefined
    return true
  }
  return {
    get begun() {
      return begun
    },
    write: (piece: Uint8Array) => {
      // "wx": never into a file, or through a link, that somebody else has put there.
      if (!begun) file = openSync(temporary, 'wx', 0o600)
      begun = true
      waiting.push(piece)
      bytes += piece.length
      if (bytes >= WRITE_BYTES) flush()
    },
    keep: (encrypted: boolean): readonly KeptFile[] => {
      flush()
      if (!close()) return []
      renameSync(temporary, path)
      return [{ path: resolve(path), sha256: hash.digest('hex'), encrypted }]
    },
    discard: () => {
      if (close()) rmSync(temporary, { force: true })
    },
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}
