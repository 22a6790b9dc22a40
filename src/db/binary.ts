/** Rows in PostgreSQL's binary COPY format: nothing to escape, and a sixth faster to read for the server than text. */
export interface BinaryRows {
  /** Starts a row of as many fields as the COPY names columns. */
  row(fields: number): void
  text(value: string | null): void
  /** JSON text for a jsonb column. */
  jsonb(value: string): void
  bool(value: boolean): void
  int8(value: number): void
  /** Microseconds since 2000-01-01T00:00:00Z, PostgreSQL's own epoch. */
  timestamp(micros: number | null): void
  /** Bytes that wait to be taken. */
  readonly size: number
  take(): Buffer[]
}

/** What stands before the first row: signature, flags, length of the extension. */
export const BINARY_HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')
/** What stands after the last: a row of -1 fields. */
export const BINARY_TRAILER = Buffer.from([0xff, 0xff])

const CHUNK_BYTES = 256 * 1024
/** Length word and content of every field but text. */
const FIXED_BYTES = 12
/** Up to here a loop is faster than a call into Node. */
const SHORT = 16
const NULL_LENGTH = -1
const JSONB_VERSION = 1
const TWO_TO_32 = 4_294_967_296

export function binaryRows(): BinaryRows {
  let full: Buffer[] = []
  let fullBytes = 0
  let chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  let at = 0

  const room = (bytes: number) => {
    if (at + bytes <= chunk.length) return
    close()
    chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, bytes))
  }
  const close = () => {
    if (at > 0) full.push(chunk.subarray(0, at))
    fullBytes += at
    at = 0
  }
  const length = (bytes: number) => {
    at = chunk.writeInt32BE(bytes, at)
  }
  const absent = () => {
    room(4)
    length(NULL_LENGTH)
  }

  return {
    row: (fields) => {
      room(2)
      at = chunk.writeInt16BE(fields, at)
    },
    text: (value) => {
      if (value === null) return absent()
      // Three bytes a UTF-16 unit are the most that UTF-8 takes.
      room(4 + 3 * value.length)
      const bytes = value.length > SHORT ? -1 : writeAscii(value, at + 4)
      const written = bytes < 0 ? chunk.write(value, at + 4) : bytes
      length(written)
      at += written
    },
    jsonb: (value) => {
      room(5 + 3 * value.length)
      const bytes = chunk.write(value, at + 5)
      length(1 + bytes)
      chunk[at] = JSONB_VERSION
      at += 1 + bytes
    },
    bool: (value) => {
      room(FIXED_BYTES)
      length(1)
      at = chunk.writeUInt8(value ? 1 : 0, at)
    },
    int8: (value) => {
      room(FIXED_BYTES)
      writeInt8(value)
    },
    timestamp: (micros) => {
      if (micros === null) return absent()
      room(FIXED_BYTES)
      writeInt8(micros)
    },
    get size() {
      return fullBytes + at
    },
    take: () => {
      close()
      const taken = full
      full = []
      fullBytes = 0
      chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
      return taken
    },
  }

  /** Returns the number of bytes, or -1 if there is more than ASCII. */
  function writeAscii(value: string, start: number): number {
    for (let place = 0; place < value.length; place++) {
      const unit = value.charCodeAt(place)
      if (unit > 127) return -1
      chunk[start + place] = unit
    }
    return value.length
  }

  function writeInt8(value: number): void {
    length(8)
    const high = Math.floor(value / TWO_TO_32)
    at = chunk.writeInt32BE(high, at)
    at = chunk.writeUInt32BE(value - high * TWO_TO_32, at)
  }
}
