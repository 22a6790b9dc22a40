import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import type { Layout } from './columns.ts'
import { cellsOf } from './jsonl.ts'
import { readLines } from './lines.ts'
import { type FileOptions, rowsShape, type Shape, type Sink, shapeOf } from './shape.ts'
import type { SourceRows } from './source-row.ts'

/** The records of a file or of another source. */
export interface Records {
  readonly layout: Layout
  /** About how many rows there are; 0: nobody knows. */
  readonly expected: number
  /** Hands every record to the sink, some at a time, and says after each time how many bytes have been read. */
  pieces(sink: Sink): AsyncGenerator<number>
  /** After the last: SHA-256 of the file in hexadecimal, or null. */
  digest(): string | null
  close(): Promise<void>
}

/** Shorter rows than this are rare; more of them make the filter of known ids less sharp, not wrong. */
const BYTES_PER_ROW = 100
/** Rows of a source that are handed over at a time: what a CSV reader finds in a piece. */
const ROWS_PER_PIECE = 500

/** Throws FieldsError. */
export async function openRecords(options: FileOptions, source?: SourceRows): Promise<Records> {
  return source === undefined ? fileRecords(options) : sourceRecords(rowsShape(options), source)
}

async function fileRecords(options: FileOptions): Promise<Records> {
  const file = await open(options.path, 'r')
  try {
    const shape = await shapeOf(file, options)
    const expected = (await file.stat()).size / BYTES_PER_ROW
    const hash = createHash('sha256')
    let digest: string | undefined
    return {
      layout: shape.layout,
      expected,
      pieces: (sink) => linesOf(file, shape, sink, (bytes) => hash.update(bytes)),
      digest: () => {
        digest ??= hash.digest('hex')
        return digest
      },
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

async function* linesOf(
  file: FileHandle,
  shape: Shape,
  sink: Sink,
  seen: (bytes: Uint8Array) => void,
): AsyncGenerator<number> {
  const reader = shape.reader(sink)
  let read = 0
  for await (const lines of readLines(file, { seen })) {
    reader.take(lines)
    read = lines.bytes
    yield read
  }
  reader.end()
  yield read
}

function sourceRecords({ layout, fields }: ReturnType<typeof rowsShape>, source: SourceRows): Records {
  return {
    layout,
    expected: source.ofBytes / BYTES_PER_ROW,
    pieces: async function* (sink) {
      let waiting = 0
      for await (const found of source.rows) {
        if ('broken' in found) sink.broken(found.broken, found.line, null)
        else {
          const raw = () => JSON.stringify(found.row)
          const made = cellsOf(found.row, fields)
          if (Array.isArray(made)) sink.record(made, found.line, raw)
          else sink.broken(made.rule, found.line, raw(), made.field)
        }
        if (++waiting < ROWS_PER_PIECE) continue
        waiting = 0
        yield source.bytes()
      }
      yield source.bytes()
    },
    digest: () => source.digest(),
    close: async () => {},
  }
}
