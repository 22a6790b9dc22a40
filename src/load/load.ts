import { type FileHandle, open } from 'node:fs/promises'
import type { CopyLoad } from '../db/copy.ts'
import type { Tally } from '../db/encode.ts'
import type { LateRefusal, Merged } from '../db/merge.ts'
import type { StoredHash } from '../domain.ts'
import type { Batch, EncodeJob } from './batches.ts'
import { readLines } from './lines.ts'
import { collectRefusals, type Refusals, type RefusedLine } from './refusals.ts'
import { type Classified, rowReader } from './row.ts'
import type { Rule } from './rules.ts'
import { type FileOptions, type Shape, shapeOf } from './shape.ts'

export interface LoadRequest extends FileOptions {
  /** Where refused rows go, and where the reasons. */
  readonly refusedPath: string
  readonly reasonsPath: string
}

export interface LoadDeps {
  openLoad(): Promise<CopyLoad>
  /** `encodeFile`, here or on a thread. */
  encode(job: EncodeJob): AsyncIterable<Batch>
  classify(stored: StoredHash): Classified
  /** Told now and then how far it is. */
  progress(at: { readonly rows: number; readonly bytes: number; readonly ofBytes: number }): void
  readonly stop: AbortSignal
}

export interface LoadSummary extends Merged {
  /** Rows of the file. The other numbers add up to it. */
  readonly rows: number
  readonly unchanged: number
  readonly refused: number
  readonly refusedByRule: Readonly<Partial<Record<Rule, number>>>
  readonly firstRefused: readonly RefusedLine[]
  readonly refusedPath: string | null
  readonly reasonsPath: string | null
}

/** Somebody asked for an end. Nothing has been changed. */
export class StoppedError extends Error {}

/** First lines of repeated ids that are looked for, so that a file that stands in itself twice fits into memory. */
const MOST_FIRST_LINES = 10_000

/**
 * Brings a file into the copy, in one transaction. Throws FieldsError before anything is opened in the database, and
 * whatever fails later leaves everything as it was.
 */
export async function loadFile(request: LoadRequest, deps: LoadDeps): Promise<LoadSummary> {
  const file = await open(request.path, 'r')
  try {
    const shape = await shapeOf(file, request)
    const load = await deps.openLoad()
    const refusals = collectRefusals(request.refusedPath, request.reasonsPath, shape.header)
    try {
      return await bring({ file, request, shape, load, refusals, deps })
    } finally {
      refusals.discard()
      await load.close()
    }
  } finally {
    await file.close()
  }
}

interface Work {
  readonly file: FileHandle
  readonly request: LoadRequest
  readonly shape: Shape
  readonly load: CopyLoad
  readonly refusals: Refusals
  readonly deps: LoadDeps
}

async function bring(work: Work): Promise<LoadSummary> {
  const { request, load, refusals, deps } = work
  const { rows, tally } = await copyRows(work)
  await tellLateRefusals(work, tally)
  if (deps.stop.aborted) throw new StoppedError('stopped')
  // First the files: when they cannot be written, nothing is loaded and nobody misses a refused row.
  refusals.keep()
  const merged = await load.commit(tally)
  const { added, changed, deleted, keptPurged, unusable } = merged
  return {
    rows,
    added,
    changed,
    unchanged: rows - refusals.total - added - changed - deleted,
    deleted,
    keptPurged,
    refused: refusals.total,
    unusable,
    refusedByRule: refusals.byRule,
    firstRefused: refusals.first,
    refusedPath: refusals.written > 0 ? request.refusedPath : null,
    reasonsPath: refusals.total > 0 ? request.reasonsPath : null,
  }
}

async function copyRows({
  file,
  request,
  load,
  refusals,
  deps,
}: Work): Promise<{ rows: number; tally: Tally }> {
  const { size } = await file.stat()
  const job = { options: request, plan: load.plan, deletedIds: load.deletedIds() }
  for await (const { pieces, refused, rows, bytes, tally } of deps.encode(job)) {
    if (deps.stop.aborted) throw new StoppedError('stopped')
    for (const { refusal, raw } of refused) refusals.add(refusal, raw)
    await load.send(pieces)
    deps.progress({ rows, bytes, ofBytes: size })
    if (tally !== null) return { rows, tally }
  }
  throw new StoppedError('the file was not read to its end')
}

/** Rows that only the database could refuse. A repeated id is told with the line that had it first. */
async function tellLateRefusals(work: Work, tally: Tally): Promise<void> {
  const { load, refusals } = work
  let some: LateRefusal[] = []
  const tell = async () => {
    const firsts = await firstLines(
      work,
      new Set(some.flatMap(({ rule, id }) => (rule === 'repeated-id' ? [id] : []))),
    )
    for (const { line, rule, id, raw } of some) {
      const first = firsts.get(id)
      refusals.add({ line, rule, ...(first === undefined ? {} : { first }) }, raw)
    }
    some = []
  }
  let lookedUp = false
  for await (const late of load.lateRefusals(tally)) {
    if (lookedUp) {
      refusals.add({ line: late.line, rule: late.rule }, late.raw)
      continue
    }
    some.push(late)
    if (some.length < MOST_FIRST_LINES) continue
    await tell()
    lookedUp = true
  }
  if (some.length > 0) await tell()
}

/** Reads the file once more for the lines where these ids were accepted first. */
async function firstLines(work: Work, ids: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
  const { file, request, shape, deps } = work
  const found = new Map<string, number>()
  if (ids.size === 0) return found
  const reader = rowReader(shape.layout, request.cohort, {
    classify: deps.classify,
    remember: () => false,
  })
  const records = shape.reader({
    record: (cells, line, raw) => {
      const accepted = reader.read(cells, line, raw) === null
      if (accepted && ids.has(reader.row.id) && !found.has(reader.row.id)) found.set(reader.row.id, line)
    },
    broken: () => {},
  })
  for await (const lines of readLines(file)) {
    records.take(lines)
    if (found.size === ids.size) return found
  }
  records.end()
  return found
}
