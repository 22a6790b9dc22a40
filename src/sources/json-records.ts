import { RecordError, type SourceRecord } from './translated.ts'

/** A record longer than this is none. */
const LONGEST_RECORD = 1024 * 1024

/** Levels of a record. A profile may have 32; what is far beyond takes the stack of whoever writes it down again. */
const MOST_LEVELS = 64

/** Levels of the part of a file that is passed over: each one that is open is kept. */
const MOST_OPEN = 10_000

/**
 * Cuts JSON into the objects that are wanted, in memory that does not grow with the file: each object of a top-level array, of the
 * array `under` this name in a top-level object, or, of JSON Lines and documents one after the other, each document. Other
 * members of the top-level object are passed over.
 *
 * @param under null: the objects are documents, or stand in an array at the top
 */
export async function* jsonRecords(
  text: AsyncIterable<string>,
  under: string | null,
): AsyncGenerator<SourceRecord> {
  const cutter = createCutter(under)
  for await (const piece of text) yield* cutter.take(piece)
  cutter.end()
}

/** Where a reading stands. `path`: the bracket and, within objects, the name of each level that is open. */
interface Level {
  readonly array: boolean
  name: string
}

function createCutter(under: string | null) {
  const levels: Level[] = []
  let line = 1
  let found = false
  /** The wanted object that is open: its text so far, and where it began. */
  let record: { text: string; line: number; depth: number; tooDeep: boolean } | undefined
  /** Within a text: what it holds so far, as far as anybody needs it. */
  let quoted: string | undefined
  let escaped = false
  let lastText = ''

  const wanted = () => {
    if (under === null) return levels.length === 0 || (levels.length === 1 && levels[0]?.array === true)
    const [top, list] = levels
    return levels.length === 2 && top?.array === false && top.name === under && list?.array === true
  }

  const open = (array: boolean) => {
    if (levels.length === MOST_OPEN) throw new RecordError(line, 'the file is nested too deeply')
    levels.push({ array, name: '' })
    if (record !== undefined && levels.length - record.depth > MOST_LEVELS) record.tooDeep = true
  }

  function* take(piece: string): Generator<SourceRecord> {
    let start = 0
    for (let at = 0; at < piece.length; at++) {
      const character = piece[at] ?? ''
      if (character === '\n') line++
      if (quoted !== undefined) {
        readText(character)
        continue
      }
      switch (character) {
        case '"':
          quoted = ''
          break
        case '{':
          if (record === undefined && wanted()) {
            record = { text: '', line, depth: levels.length, tooDeep: false }
            start = at
            found = true
          }
          open(false)
          break
        case '[':
          if (levels.length === 1 && levels[0]?.name === under) found = true
          if (levels.length === 0 && under === null) found = true
          open(true)
          break
        case ':': {
          const level = levels.at(-1)
          if (level !== undefined && !level.array) level.name = lastText
          break
        }
        case '}':
        case ']': {
          const level = levels.pop()
          if (level?.array !== (character === ']')) throw new RecordError(line, 'the file is not JSON')
          if (record !== undefined && levels.length === record.depth) {
            yield {
              line: record.line,
              text: record.text + piece.slice(start, at + 1),
              ...(record.tooDeep && { tooDeep: true as const }),
            }
            record = undefined
          }
          break
        }
      }
    }
    if (record === undefined) return
    record.text += piece.slice(start)
    if (record.text.length > LONGEST_RECORD)
      throw new RecordError(record.line, 'an object of the file is longer than 1 MiB')
  }

  /** Names are kept, and of other texts no more than a name is long. */
  const readText = (character: string) => {
    if (escaped) escaped = false
    else if (character === '\\') escaped = true
    else if (character === '"') {
      lastText = quoted ?? ''
      quoted = undefined
      return
    }
    if (levels.length < 2 && (quoted?.length ?? 0) < 64) quoted += character
  }

  return {
    take,
    end: () => {
      if (levels.length > 0 || quoted !== undefined)
        throw new RecordError(line, 'the file ends in the middle of its JSON')
      if (!found)
        throw new RecordError(
          line,
          under === null ? 'the file has no JSON object' : `the file has no list named ${under}`,
        )
    },
  }
}

/** The object that a record is. */
export function objectIn({ line, text, tooDeep }: SourceRecord): Readonly<Record<string, unknown>> {
  if (tooDeep) throw new RecordError(line, 'an object of the file is nested too deeply')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new RecordError(line, 'an object of the file is not JSON')
  }
  const object = asObject(value)
  if (object === undefined) throw new RecordError(line, 'a record of the file is not an object')
  return object
}

export function asObject(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A row of what is known. A hash that is null is known not to be there. */
export function rowOf(columns: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...present(columns), ...(columns.password_hash === null ? { password_hash: null } : {}) }
}

/** Members that say something. */
export function present(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined && value !== null && value !== ''),
  )
}

/** A moment that is written as milliseconds since 1970, or as a text that is one. */
export function momentOf(value: unknown): string | undefined {
  const millis = typeof value === 'string' && /^\d{10,16}$/.test(value) ? Number(value) : value
  if (typeof millis === 'number') {
    return Number.isFinite(millis) && Math.abs(millis) < 8.64e15 ? new Date(millis).toISOString() : undefined
  }
  return asText(value)
}
