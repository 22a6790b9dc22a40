import { isUtf8 } from 'node:buffer'
import type { FileHandle } from 'node:fs/promises'

/** Some whole lines of a file. */
export interface Lines {
  readonly text: string
  /** Bytes of the file that have been read. */
  readonly bytes: number
  /** Some bytes are not UTF-8; they stand in the text as halves of surrogate pairs, which UTF-8 cannot hold. */
  readonly damaged: boolean
}

/** Small enough that parsing a piece takes a millisecond: meanwhile nobody feeds the database. */
const PIECE_BYTES = 64 * 1024
/** Longer than any row may be; a file without line breaks is not held in memory. */
const LONGEST_LINE_BYTES = 4 * 1024 * 1024

const NEWLINE = 10
const BYTE_ORDER_MARK = Buffer.from('\ufeff')

/** The file holds a line that no row can be: it is something else than the format says. */
export class NotLinesError extends Error {}

/**
 * Reads a file in pieces that end with a line. The last line may lack its line break; it is given one.
 * @param seen is told of every byte of the file, in order
 */
export async function* readLines(
  file: FileHandle,
  {
    seen = () => {},
    pieceBytes = PIECE_BYTES,
  }: { seen?: (bytes: Uint8Array) => void; pieceBytes?: number } = {},
): AsyncGenerator<Lines> {
  let rest: Buffer = Buffer.alloc(0)
  let bytes = 0
  const readAt = (position: number) => file.read(Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, position)
  let next = readAt(0)
  for (;;) {
    const { bytesRead, buffer: piece } = await next
    const first = bytes === 0
    bytes += bytesRead
    if (bytesRead === 0) break
    next = readAt(bytes) // while the piece is parsed
    next.catch(() => {}) // reported by whoever waits for it
    const read = piece.subarray(0, bytesRead)
    seen(read)
    const fresh = first && read.subarray(0, 3).equals(BYTE_ORDER_MARK) ? read.subarray(3) : read
    const end = fresh.lastIndexOf(NEWLINE) + 1
    if (end > 0) yield decoded(Buffer.concat([rest, fresh.subarray(0, end)]), bytes)
    rest = end > 0 ? fresh.subarray(end) : Buffer.concat([rest, fresh])
    if (rest.length > LONGEST_LINE_BYTES) throw new NotLinesError('a line is longer than 4 MiB')
  }
  if (rest.length > 0) yield decoded(Buffer.concat([rest, Buffer.from('\n')]), bytes)
}

function decoded(lines: Buffer, bytes: number): Lines {
  if (isUtf8(lines)) return { text: lines.toString(), bytes, damaged: false }
  let text = ''
  for (let start = 0; start < lines.length; ) {
    const end = lines.indexOf(NEWLINE, start) + 1
    const line = lines.subarray(start, end)
    text += isUtf8(line) ? line.toString() : escaped(line)
    start = end
  }
  return { text, bytes, damaged: true }
}

/** Every byte above 127 of a damaged line as U+DC00 and the byte. */
function escaped(line: Buffer): string {
  return line
    .toString('latin1')
    .replace(/[\x80-\xff]/g, (byte) => String.fromCharCode(0xdc00 + byte.charCodeAt(0)))
}

/** The bytes that a text of `readLines` was made of. */
export function originalBytes(text: string): Buffer {
  if (!/\p{Surrogate}/u.test(text)) return Buffer.from(text)
  const parts = text.split(/(\p{Surrogate}+)/u)
  return Buffer.concat(
    parts.map((part, at) => (at % 2 === 0 ? Buffer.from(part) : Buffer.from(part, 'latin1'))),
  )
}
