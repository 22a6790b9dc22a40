import { Failure } from '../errors.ts'

/** Levels of objects and lists. The deepest that any provider sends has ten. */
export const DEEPEST = 32

/** Names in one object. Providers' profiles have at most some hundred attributes. */
export const MOST_NAMES_IN_ONE = 512

/** Names in all. An event of a provider's log has about a hundred, and thirty such events fill a body. */
export const MOST_NAMES = 4_096

/** Names with which JavaScript reaches what all objects share. No provider sends them, and in no answer are they repeated. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/**
 * Reads JSON of bounded depth and number of names, in which no object has a name twice: parsers differ in which of the two
 * they take (RFC 8259, section 4). Throws Failure `bad-request`, whose detail says what is wrong and nothing of the text.
 */
export function readJson(text: string): unknown {
  checkNames(text)
  try {
    return JSON.parse(text)
  } catch {
    throw broken('not-json')
  }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const OPEN_LIST = 0x5b
const CLOSE_OBJECT = 0x7d
const CLOSE_LIST = 0x5d

/** One pass, before anything is built. Of a text that is not JSON it sees what it can: JSON.parse has the last word. */
function checkNames(text: string): void {
  /** The names of each object that is open; null: a list. */
  const open: (Set<string> | null)[] = []
  let names = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    switch (code) {
      case OPEN_OBJECT:
      case OPEN_LIST:
        if (open.length === DEEPEST) throw broken('too-deep')
        open.push(code === OPEN_OBJECT ? new Set() : null)
        break
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        open.pop()
        break
      case QUOTE: {
        const end = endOfString(text, at)
        if (text.charCodeAt(pastBlanks(text, end)) === COLON) {
          if (++names > MOST_NAMES) throw broken('too-many-names')
          addName(open.at(-1), text.slice(at, end))
        }
        at = end - 1
      }
    }
  }
}

function addName(seen: Set<string> | null | undefined, quoted: string): void {
  if (!seen) throw broken('not-json')
  const name = quoted.includes('\\') ? unescaped(quoted) : quoted.slice(1, -1)
  if (RESERVED.has(name)) throw broken('reserved-name')
  if (seen.has(name)) throw broken('name-twice')
  if (seen.size === MOST_NAMES_IN_ONE) throw broken('too-many-names')
  seen.add(name)
}

/** Two spellings of one name are that name twice. */
function unescaped(quoted: string): string {
  try {
    return String(JSON.parse(quoted))
  } catch {
    throw broken('not-json')
  }
}

/** The place after the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === BACKSLASH) at++
    else if (code === QUOTE) return at + 1
  }
  return text.length
}

function pastBlanks(text: string, start: number): number {
  let at = start
  while (isBlank(text.charCodeAt(at))) at++
  return at
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
}

function broken(detail: string): Failure {
  return new Failure('bad-request', { detail, fields: ['body'] })
}
