import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { shown } from './columns.ts'
import { originalBytes } from './lines.ts'
import { type Refusal, type Rule, rules } from './rules.ts'

/** A refused row, as it is told. */
export interface RefusedLine extends Refusal {
  readonly line: number
}

export interface Refusals {
  /** `raw`: the row as it stands in the file; null: of somebody who was erased, and therefore written nowhere. */
  add(refusal: RefusedLine, raw: string | null): void
  readonly total: number
  /** Rows that were written down. */
  readonly written: number
  readonly byRule: Readonly<Partial<Record<Rule, number>>>
  /** The first of them. */
  readonly first: readonly RefusedLine[]
  /** Puts the files in their places. */
  keep(): void
  /** Leaves nothing behind. */
  discard(): void
}

const SHOWN = 20
const WRITE_BYTES = 256 * 1024

/**
 * Collects refused rows in two files. One has the rows as they were, under the input's own header, to be corrected
 * and loaded again; so nothing in it is made safe for spreadsheets, or corrected rows would load as something else.
 * The other says for each line which rule it broke. Without refused rows there are no files.
 */
export function collectRefusals(rowsPath: string, reasonsPath: string, header: string | null): Refusals {
  const rowsFile = privateFile(rowsPath, header === null ? '' : `${header}\n`)
  const reasonsFile = privateFile(reasonsPath, '')
  const byRule = new Map<Rule, number>()
  const first: RefusedLine[] = []
  let total = 0
  let written = 0
  return {
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
    keep: () => {
      rowsFile.keep()
      reasonsFile.keep()
    },
    discard: () => {
      rowsFile.discard()
      reasonsFile.discard()
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

/**
 * A file that holds hashes: for its owner alone, and under another name until it is complete. Made with its first
 * line.
 */
function privateFile(path: string, start: string) {
  const temporary = `${path}.${process.pid}.tmp`
  let file: number | undefined
  let waiting: Buffer[] = []
  let bytes = 0
  const flush = () => {
    if (file !== undefined && bytes > 0) writeAll(file, Buffer.concat(waiting))
    waiting = []
    bytes = 0
  }
  const close = () => {
    if (file === undefined) return false
    closeSync(file)
    file = undefined
    return true
  }
  const write = (line: Buffer) => {
    waiting.push(line)
    bytes += line.length
    if (bytes >= WRITE_BYTES) flush()
  }
  return {
    write: (line: Buffer) => {
      if (file === undefined) {
        // "wx": never into a file, or through a link, that somebody else has put there.
        file = openSync(temporary, 'wx', 0o600)
        write(Buffer.from(start))
      }
      write(line)
    },
    keep: () => {
      flush()
      if (close()) renameSync(temporary, path)
    },
    discard: () => {
      if (close()) rmSync(temporary, { force: true })
    },
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
}
