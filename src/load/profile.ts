/** A flat object of texts without escapes, which is what nearly all are: checked in a tenth of the time of parsing. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what JSON forbids inside a text
const PLAIN = /^\{(?:"[^"\\\0-\x1f]*":"[^"\\\0-\x1f]*"(?:,(?=")|(?=\})))*\}$/

const MAX_BYTES = 64 * 1024
/** PostgreSQL's own reader recurses, and its stack ends at a few thousand. */
const MAX_DEPTH = 32
/** What JSON.parse and jsonb may understand differently: escaped NULs under a key that is repeated, tiny exponents. */
const REWRITTEN = /\\u|\d[eE]/

/** The text of a JSON object as jsonb takes it, or undefined. */
export function readProfile(text: string): string | undefined {
  if (!fits(text)) return undefined
  if (PLAIN.test(text)) return text
  const value = parsed(text)
  if (!isObject(value) || !isStorable(value, 1)) return undefined
  const brackets = text.match(/[[{]/g)?.length ?? 0
  return REWRITTEN.test(text) || brackets > MAX_DEPTH ? JSON.stringify(value) : text
}

/** An object that has been parsed, as the text that jsonb takes, or undefined. */
export function writeProfile(value: unknown): string | undefined {
  if (!isObject(value) || !isStorable(value, 1)) return undefined
  const text = JSON.stringify(value)
  return fits(text) ? text : undefined
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function fits(text: string): boolean {
  return text.length <= MAX_BYTES && (text.length * 3 <= MAX_BYTES || Buffer.byteLength(text) <= MAX_BYTES)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isStorable(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return isStorableText(value)
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return true
  if (depth > MAX_DEPTH) return false
  return Object.entries(value).every(([key, inner]) => isStorableText(key) && isStorable(inner, depth + 1))
}

/** Whether PostgreSQL can hold a text: neither NUL nor half a surrogate pair. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text)
}
