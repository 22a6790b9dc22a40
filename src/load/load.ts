import { type FileHandle, open } from 'node:fs/promises'
import type { CopyLoad } from '../db/copy.ts'
import type { Tally } from '../db/encode.ts'
import type { Filing } from '../db/filing.ts'
import type { LoadRecord } from '../db/loads.ts'
import type { LateRefusal, Merged } from '../db/merge.ts'
import type { StoredHash } from '../domain.ts'
import type { Batch, EncodeJob } from './batches.ts'
import { requireKnown } from './columns.ts'
import { readLines } from './lines.ts'
import {
  collectRefusals,
  countRefusals,
  type KeptFile,
  type Refusals,
  type RefusedLine,
  type Seal,
} from './refusals.ts'
import { type Classified, rowReader } from './row.ts'
import type { Rule } from './rules.ts'
import { type FileOptions, rowsShape, type Shape, shapeOf } from './shape.ts'
import type { BrokenRow, SourceRow, SourceRows } from './source-row.ts'

export interface LoadRequest extends FileOptions {
  /** Read in place of the file. */
  readonly source?: SourceRows
  /** How rows find their users; by id when absent. */
  readonly filing?: Filing
  /** Where refused rows go, and where the reasons. */
  readonly refusedPath: string
  readonly reasonsPath: string
  /** No file of refused rows is written. */
  readonly dry?: boolean
}

export interface LoadDeps {
  openLoad(filing: Filing | undefined): Promise<CopyLoad>
  /** `encodeFile`, here or on a thread. */
  encode(job: EncodeJob): AsyncIterable<Batch>
  classify(stored: StoredHash): Classified
  /** Told now and then how far it is. */
  progress(at: { readonly rows: number; readonly bytes: number; readonly ofBytes: number }): void
  readonly stop: AbortSignal
  /** What the history says of a load, in its own transaction. */
  recordOf?(loaded: Loaded): LoadRecord
  /** Encrypts the file of refused rows; written in the clear when absent. */
  readonly seal?: Seal
}

export interface LoadSummary extends Merged {
  /** Rows of the file. The other numbers, without `missing`, add up to it. */
  readonly rows: number
  readonly unchanged: number
  readonly refused: number
  readonly refusedByRule: Readonly<Partial<Record<Rule, number>>>
  readonly firstRefused: readonly RefusedLine[]
  readonly refusedPath: string | null
  readonly reasonsPath: string | null
  /** Users of a whole source who are not in it: of those deleted. */
  readonly missing: number
  /** Such users who stayed: rows could not be read, and may have been theirs. */
  readonly missingKept: boolean
}

/** What was loaded, and what the history keeps of it besides. */
export interface Loaded {
  readonly summary: LoadSummary
  readonly refusedFiles: readonly KeptFile[]
  /** SHA-256 of the file in hexadecimal. */
  readonly digest: string | null
}

/** Somebody asked for an end. Nothing has been changed. */
export class StoppedError extends Error {}

/** First lines of repeated ids that are looked for, so that a file that stands in itself twice fits into memory. */
const MOST_FIRST_LINES = 10_000
/** Late refusals between two looks at whether they have been written down. */
const LATE_AT_ONCE = 1_000

/**
 * Brings a file, or the rows of a source, into the copy, in one transaction. Throws FieldsError before anything is opened in
 * the database, and whatever fails later leaves everything as it was.
 */
export async function loadFile(request: LoadRequest, deps: LoadDeps): Promise<LoadSummary> {
  return (await loadAll(request, deps)).summary
}

/** `loadFile`, with what the history keeps of it. */
export async function loadAll(given: LoadRequest, deps: LoadDeps): Promise<Loaded> {
  const request = given.source === undefined ? given : await withFirstRow(given, given.source)
  const file = request.source === undefined ? await open(request.path, 'r') : undefined
  try {
    const shape = file === undefined ? undefined : await shapeOf(file, request)
    if (shape === undefined) rowsShape(request)
    const filing = shape === undefined ? request.filing : filingOf(request, shape)
    const load = await deps.openLoad(filing)
    const refusals = request.dry
      ? countRefusals()
      : collectRefusals(request.refusedPath, request.reasonsPath, shape?.header ?? null, deps.seal)
    try {
      return await bring({ file, request, shape, load, refusals, deps })
    } finally {
      await refusals.discard()
      await load.close()
    }
  } finally {
    await file?.close()
  }
}

/** A file without hashes updates, where it is said whose users it is about. */
function filingOf({ filing, withoutHashes }: LoadRequest, { layout }: Shape): Filing | undefined {
  if (filing === undefined || withoutHashes !== true) return filing
  return { ...filing, updateOnly: filing.updateOnly || layout.at.password_hash < 0 }
}

/** Likewise a source whose first row names none. */
async function withFirstRow(request: LoadRequest, source: SourceRows): Promise<LoadRequest> {
  const rows = source.rows[Symbol.asyncIterator]()
  const first = await rows.next()
  const { fields, mapped } = rowsShape(request)
  if (source.uniform && first.done !== true && 'row' in first.value)
    requireKnown(Object.keys(first.value.row), fields, mapped)
  const hasHashes = (row: SourceRow | BrokenRow) =>
    'broken' in row ||
    Object.keys(row.row).some((name) => {
      const purpose = fields(name)
      return purpose?.kind === 'column' && purpose.column === 'password_hash'
    })
  const without = request.withoutHashes === true && first.done !== true && !hasHashes(first.value)
  return {
    ...request,
    ...(request.filing && {
      filing: { ...request.filing, updateOnly: request.filing.updateOnly || without },
    }),
    source: { ...source, rows: continued(first, rows) },
  }
}

async function* continued<Row>(first: IteratorResult<Row>, rest: AsyncIterator<Row>): AsyncGenerator<Row> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

interface Work {
  readonly file: FileHandle | undefined
  readonly request: LoadRequest
  readonly shape: Shape | undefined
  readonly load: CopyLoad
  readonly refusals: Refusals
  readonly deps: LoadDeps
}

async function bring(work: Work): Promise<Loaded> {
  const { request, load, refusals, deps } = work
  const { rows, tally, digest } = await copyRows(work)
  const readRefused = refusals.total
  await tellLateRefusals(work, tally)
  if (deps.stop.aborted) throw new StoppedError('stopped')
  const { missing, kept } = await load.findMissing(readRefused)
  // First the files: when they cannot be written, nothing is loaded and nobody misses a refused row.
  const refusedFiles = await refusals.keep()
  const loadedOf = (merged: Merged): Loaded => {
    const { added, changed, deleted } = merged
    const summary = {
      rows,
      ...merged,
      unchanged: rows - refusals.total - added - changed - (deleted - missing),
      refused: refusals.total,
      refusedByRule: refusals.byRule,
      firstRefused: refusals.first,
      refusedPath: refusals.written > 0 && !request.dry ? refusals.rowsPath : null,
      reasonsPath: refusals.total > 0 && !request.dry ? request.reasonsPath : null,
      missing,
      missingKept: kept,
    }
    return { summary, refusedFiles, digest }
  }
  const { recordOf } = deps
  const watermark = request.source?.watermark?.() ?? null
  return loadedOf(await load.commit(tally, watermark, recordOf && ((merged) => recordOf(loadedOf(merged)))))
}

async function copyRows({ file, request, load, refusals, deps }: Work): Promise<{
  rows: number
  tally: Tally
  digest: string | null
}> {
  const size = file === undefined ? (request.source?.ofBytes ?? 0) : (await file.stat()).size
  const { source } = request
  const job = { options: request, plan: load.plan, deletedIds: load.deletedIds(), ...(source && { source }) }
  for await (const { pieces, refused, rows, bytes, tally, digest } of deps.encode(job)) {
    if (deps.stop.aborted) throw new StoppedError('stopped')
    for (const { refusal, raw } of refused) refusals.add(refusal, raw)
    await refusals.flushed()
    await load.send(pieces)
    deps.progress({ rows, bytes, ofBytes: size })
    if (tally !== null) return { rows, tally, digest }
  }
  throw new StoppedError('the file was not read to its end')
}

/** Rows that only the database could refuse. A repeated id is told with the line that had it first. */
async function tellLateRefusals(work: Work, tally: Tally): Promise<void> {
  const { load, refusals } = work
  let some: LateRefusal[] = []
  let lookedUp = false
  const tell = async () => {
    const unknown = some.flatMap(({ rule, id, first }) =>
      rule === 'repeated-id' && first === undefined ? [id] : [],
    )
    const firsts = lookedUp ? new Map<string, number>() : await firstLines(work, new Set(unknown))
    for (const { line, rule, id, raw, field, first = firsts.get(id) } of some) {
      refusals.add(
        { line, rule, ...(field === undefined ? {} : { field }), ...(first === undefined ? {} : { first }) },
        raw,
      )
    }
    await refusals.flushed()
    some = []
  }
  for await (const late of load.lateRefusals(tally)) {
    some.push(late)
    if (some.length < (lookedUp ? LATE_AT_ONCE : MOST_FIRST_LINES)) continue
    await tell()
    lookedUp = true
  }
  if (some.length > 0) await tell()
}

/** Reads the file once more for the lines where these ids were accepted first. */
async function firstLines(work: Work, ids: ReadonlySet<string>): Promise<ReadonlyMap<string, number>> {
  const { file, request, shape, deps } = work
  const found = new Map<string, number>()
  if (ids.size === 0 || file === undefined || shape === undefined) return found
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

/** The next `most` rows of a source, as a source; null: there is none left. */
export function inChunks(source: SourceRows, most: number): () => Promise<SourceRows | null> {
  const rows = source.rows[Symbol.asyncIterator]()
  let next: IteratorResult<SourceRow | BrokenRow> | undefined
  return async () => {
    next ??= await rows.next()
    if (next.done === true) return null
    return {
      ...source,
      rows: {
        [Symbol.asyncIterator]: () => {
          let taken = 0
          return {
            next: async () => {
              if (taken === most) return { done: true, value: undefined }
              taken++
              const given = next ?? (await rows.next())
              next = undefined
              return given.done === true ? { done: true, value: undefined } : given
            },
          }
        },
      },
    }
  }
}
