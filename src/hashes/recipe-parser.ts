import { HashError } from './format.ts'
import type { RecipeFunction } from './recipe-functions.ts'
import { recipeFunctions } from './recipe-functions.ts'

/** The longest recipe found in the wild has 90 characters. */
export const MAX_RECIPE_CHARACTERS = 512
const MAX_DEPTH = 16
const MAX_NODES = 64
/** A length or a place inside a value; no value is longer than 64 KiB. */
const MAX_NUMBER = 65_535

/** What a recipe may name. */
export const variables = ['pass', 'salt', 'login', 'id'] as const
export type Variable = (typeof variables)[number]

export type RecipeNode =
  | { readonly kind: 'variable'; readonly name: Variable }
  | { readonly kind: 'text'; readonly bytes: Buffer; readonly source: string }
  | { readonly kind: 'joined'; readonly parts: readonly RecipeNode[] }
  | {
      readonly kind: 'call'
      readonly name: string
      readonly called: RecipeFunction
      readonly values: readonly RecipeNode[]
      readonly numbers: readonly number[]
    }

/** A reading position in the text of a recipe, with what has been used of the bounds. */
interface Cursor {
  readonly text: string
  at: number
  depth: number
  nodes: number
}

/**
 * Reads a recipe such as `md5($salt.hex(md5($pass)))`:
 *
 *     joined   = value { "." value }
 *     value    = "$" name | "'" text "'" | function "(" argument { "," argument } ")"
 *     argument = joined | digits
 *
 * Text knows the escapes \' \\ \0 \n \r \t. Throws HashError with the place and what was expected there.
 */
export function parseRecipe(text: string): RecipeNode {
  if (text.length > MAX_RECIPE_CHARACTERS) {
    throw new HashError('bad-recipe', `a recipe has at most ${MAX_RECIPE_CHARACTERS} characters`)
  }
  const cursor: Cursor = { text, at: 0, depth: 0, nodes: 0 }
  const node = joined(cursor)
  skipBlanks(cursor)
  if (cursor.at < text.length) throw expected(cursor, 'a full stop or the end')
  return node
}

/** The recipe as it is recorded: without blanks, and with texts as they were written. */
export function printRecipe(node: RecipeNode): string {
  switch (node.kind) {
    case 'variable':
      return `$${node.name}`
    case 'text':
      return node.source
    case 'joined':
      return node.parts.map(printRecipe).join('.')
    case 'call':
      return `${node.name}(${[...node.values.map(printRecipe), ...node.numbers].join(',')})`
  }
}

function joined(cursor: Cursor): RecipeNode {
  cursor.depth += 1
  if (cursor.depth > MAX_DEPTH) throw expected(cursor, `at most ${MAX_DEPTH} levels of nesting`)
  const first = value(cursor)
  const parts = [first]
  while (accepts(cursor, '.')) parts.push(value(cursor))
  cursor.depth -= 1
  return parts.length === 1 ? first : { kind: 'joined', parts }
}

function value(cursor: Cursor): RecipeNode {
  skipBlanks(cursor)
  cursor.nodes += 1
  if (cursor.nodes > MAX_NODES) throw expected(cursor, `at most ${MAX_NODES} values`)
  if (cursor.text[cursor.at] === '$') return variable(cursor)
  if (cursor.text[cursor.at] === "'") return quoted(cursor)
  return call(cursor)
}

function variable(cursor: Cursor): RecipeNode {
  const [word] = match(cursor, /\$[a-z0-9_]*/iy)
  const name = variables.find((known) => word === `$${known}`)
  if (!name) throw expected(cursor, `one of ${variables.map((known) => `$${known}`).join(', ')}`)
  cursor.at += word.length
  return { kind: 'variable', name }
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\\'", "'"],
  ['\\\\', '\\'],
  ['\\0', '\0'],
  ['\\n', '\n'],
  ['\\r', '\r'],
  ['\\t', '\t'],
])

function quoted(cursor: Cursor): RecipeNode {
  const [source, inside] = match(cursor, /'((?:[^'\\]|\\['\\0nrt])*)'/y)
  if (inside === undefined)
    throw expected(cursor, "a text in single quotes with no escapes but \\' \\\\ \\0 \\n \\r \\t")
  cursor.at += source.length
  const text = inside.replace(/\\./g, (written) => ESCAPES.get(written) ?? written)
  return { kind: 'text', bytes: Buffer.from(text, 'utf8'), source }
}

function call(cursor: Cursor): RecipeNode {
  const [name] = match(cursor, /[a-z][a-z0-9_]*/iy)
  const called = recipeFunctions.get(name)
  if (!called) throw expected(cursor, 'a function, a variable or a text in single quotes')
  cursor.at += name.length
  requires(cursor, '(')
  const values: RecipeNode[] = []
  const numbers: number[] = []
  called.takes.forEach((kind, index) => {
    if (index > 0) requires(cursor, ',')
    if (kind === 'number') numbers.push(wholeNumber(cursor))
    else values.push(joined(cursor))
  })
  requires(cursor, ')')
  return { kind: 'call', name, called, values, numbers }
}

function wholeNumber(cursor: Cursor): number {
  skipBlanks(cursor)
  const [digits] = match(cursor, /0|[1-9]\d{0,5}/y)
  if (digits === '' || Number(digits) > MAX_NUMBER)
    throw expected(cursor, `a whole number up to ${MAX_NUMBER}`)
  cursor.at += digits.length
  return Number(digits)
}

function match(cursor: Cursor, pattern: RegExp): readonly [string, string | undefined] {
  pattern.lastIndex = cursor.at
  const found = pattern.exec(cursor.text)
  return [found?.[0] ?? '', found?.[1]]
}

function accepts(cursor: Cursor, sign: string): boolean {
  skipBlanks(cursor)
  if (cursor.text[cursor.at] !== sign) return false
  cursor.at += 1
  return true
}

const SIGNS: ReadonlyMap<string, string> = new Map([
  ['(', 'an opening parenthesis'],
  [',', 'a comma'],
  [')', 'a closing parenthesis or a full stop'],
])

function requires(cursor: Cursor, sign: string): void {
  if (!accepts(cursor, sign)) throw expected(cursor, SIGNS.get(sign) ?? 'another sign')
}

function skipBlanks(cursor: Cursor): void {
  while (/[ \t\r\n]/.test(cursor.text[cursor.at] ?? '')) cursor.at += 1
}

function expected({ at }: Cursor, what: string): HashError {
  return new HashError('bad-recipe', `position ${at + 1} of the recipe: expected ${what}`)
}
