import { ceilings } from './ceilings.ts'
import { digestFunctions } from './digests/digest.ts'
import type { HashFormat } from './format.ts'
import { HashError } from './format.ts'
import type { RecipeFunction } from './recipe-functions.ts'
import { recipeFunctions } from './recipe-functions.ts'

/** The longest recipe found in the wild has 90 characters. */
const MAX_RECIPE_CHARACTERS = ceilings.recipe.characters.most
const MAX_DEPTH = 16
const MAX_NODES = 64
/** A length or a place inside a value; no value is longer than 64 KiB. */
const MAX_NUMBER = 65_535

/** A cost: rounds, and the parameters of scrypt. What is affordable is another question. */
const MAX_COUNT = 10_000_000
/** No store is known to repeat a plain digest more often; the time it takes is bounded besides. */
const MAX_ROUNDS = ceilings.recipe.rounds.most

/** What a recipe may name besides `$secret_NAME`, which `$pepper` is short for. */
const VARIABLES = ['pass', 'salt', 'salt2', 'login', 'id', 'pepper'] as const
/** The value of the round before, inside of `repeat`. */
export const RUNNING = '_'
const REPEAT = 'repeat'
const SECRET = /^secret_[a-z0-9_]+$/

/** `bcrypt(hex(sha256($pass)))` is the node `hex(sha256($pass))` with bcrypt around it. */
export interface ParsedRecipe {
  /** A stored string of this format is checked against the bytes that the recipe inside makes. */
  readonly around: HashFormat | null
  readonly node: RecipeNode
}

export type RecipeNode =
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'text'; readonly bytes: Buffer; readonly source: string }
  | { readonly kind: 'joined'; readonly parts: readonly RecipeNode[] }
  | {
      readonly kind: 'call'
      readonly name: string
      readonly called: RecipeFunction
      readonly values: readonly RecipeNode[]
      readonly numbers: readonly number[]
    }
  | {
      readonly kind: 'repeat'
      readonly rounds: number
      readonly step: RecipeNode
      readonly first: RecipeNode
    }

/** A reading position in the text of a recipe, with what has been used of the bounds. */
interface Cursor {
  readonly text: string
  at: number
  depth: number
  nodes: number
  /** How many steps of `repeat` it is inside of. */
  steps: number
}

/**
 * Reads a recipe such as `md5($salt.hex(md5($pass)))`:
 *
 *     recipe   = joined | format "(" joined ")"
 *     joined   = value { "." value }
 *     value    = "$" name | "'" text "'" | function "(" argument { "," argument } ")"
 *              | "repeat" "(" digits "," ( digest | joined ) "," joined ")"
 *     argument = joined | digits
 *
 * A format is the name of a family of stored hashes, such as `bcrypt` or `sha512crypt`; a function of the same name comes
 * first. Text knows the escapes \' \\ \0 \n \r \t.
 *
 * `repeat(n, step, x)` makes x and then takes the step n more times; in the step `$_` is the value so far, and the
 * name of a digest alone is a step over `$_`. So Symfony's 5,000 rounds are one, and 4,999 further ones:
 *
 *     repeat(4999, sha512($_.$pass.'{'.$salt.'}'), sha512($pass.'{'.$salt.'}'))
 *
 * and FSHP 1 of 4,096 rounds is `repeat(4095, sha256, sha256($salt.$pass))`.
 *
 * Throws HashError with the place and what was expected there.
 *
 * @param formatNamed the format that a name stands for
 */
export function parseRecipe(
  text: string,
  formatNamed: (name: string) => HashFormat | undefined,
): ParsedRecipe {
  if (text.length > MAX_RECIPE_CHARACTERS) {
    throw new HashError('bad-recipe', `a recipe has at most ${MAX_RECIPE_CHARACTERS} characters`)
  }
  const cursor: Cursor = { text, at: 0, depth: 0, nodes: 0, steps: 0 }
  const around = acceptsFormat(cursor, formatNamed)
  const node = joined(cursor)
  if (around !== null) requires(cursor, ')')
  skipBlanks(cursor)
  if (cursor.at < text.length) throw expected(cursor, around === null ? 'a full stop or the end' : 'the end')
  return { around, node }
}

/** Only a whole recipe can be inside of a format, because salt and cost of that are in the stored string. */
function acceptsFormat(
  cursor: Cursor,
  formatNamed: (name: string) => HashFormat | undefined,
): HashFormat | null {
  skipBlanks(cursor)
  const [word, name = ''] = match(cursor, /([a-z0-9][a-z0-9_.-]*)[ \t\r\n]*\(/iy)
  if (word === '' || recipeFunctions.has(name) || name === REPEAT) return null
  const format = formatNamed(name)
  if (!format)
    throw expected(cursor, 'a function, the name of a scheme, a variable or a text in single quotes')
  cursor.at += word.length
  return format
}

/** The recipe as it is recorded: without blanks, and with texts as they were written. */
export function printRecipe({ around, node }: ParsedRecipe): string {
  return around === null ? printNode(node) : `${around.name}(${printNode(node)})`
}

function printNode(node: RecipeNode): string {
  switch (node.kind) {
    case 'variable':
      return `$${node.name}`
    case 'text':
      return node.source
    case 'joined':
      return node.parts.map(printNode).join('.')
    case 'call':
      return `${node.name}(${[...node.values.map(printNode), ...node.numbers].join(',')})`
    case 'repeat':
      return `repeat(${node.rounds},${printStep(node.step)},${printNode(node.first)})`
  }
}

function printStep(step: RecipeNode): string {
  const text = printNode(step)
  const bare = /^([a-z0-9_]+)\(\$_\)$/.exec(text)?.[1]
  return bare !== undefined && digestFunctions.has(bare) ? bare : text
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
  const name = word.slice(1)
  if (!isVariable(name, cursor)) {
    const known = [...VARIABLES, 'secret_NAME', ...(cursor.steps > 0 ? [RUNNING] : [])]
    throw expected(cursor, `one of ${known.map((one) => `$${one}`).join(', ')}`)
  }
  cursor.at += word.length
  return { kind: 'variable', name }
}

function isVariable(name: string, { steps }: Cursor): boolean {
  if (name === RUNNING) return steps > 0
  return VARIABLES.some((known) => known === name) || SECRET.test(name)
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
  if (name === REPEAT) return repeated(cursor, name)
  const called = recipeFunctions.get(name)
  if (!called) throw expected(cursor, 'a function, a variable or a text in single quotes')
  cursor.at += name.length
  requires(cursor, '(')
  const values: RecipeNode[] = []
  const numbers: number[] = []
  called.takes.forEach((kind, index) => {
    if (index > 0) requires(cursor, ',')
    if (kind === 'number') numbers.push(wholeNumber(cursor, 0, MAX_NUMBER))
    else if (kind === 'count') numbers.push(count(cursor))
    else values.push(joined(cursor))
  })
  requires(cursor, ')')
  called.check?.(numbers)
  return { kind: 'call', name, called, values, numbers }
}

function repeated(cursor: Cursor, name: string): RecipeNode {
  cursor.at += name.length
  requires(cursor, '(')
  const rounds = count(cursor)
  if (rounds > MAX_ROUNDS)
    throw new HashError('too-costly', `a recipe may repeat at most ${MAX_ROUNDS} times`)
  requires(cursor, ',')
  const step = stepOf(cursor)
  requires(cursor, ',')
  const first = joined(cursor)
  requires(cursor, ')')
  return { kind: 'repeat', rounds, step, first }
}

function stepOf(cursor: Cursor): RecipeNode {
  skipBlanks(cursor)
  const [word, name = ''] = match(cursor, /([a-z][a-z0-9_]*)(?=[ \t\r\n]*,)/iy)
  const called = digestFunctions.has(name) ? recipeFunctions.get(name) : undefined
  if (called) {
    cursor.at += word.length
    return { kind: 'call', name, called, values: [{ kind: 'variable', name: RUNNING }], numbers: [] }
  }
  cursor.steps += 1
  const step = joined(cursor)
  cursor.steps -= 1
  return step
}

/** What is too much is said before what is wrong. */
function count(cursor: Cursor): number {
  const rounds = wholeNumber(cursor, 1, Number.MAX_SAFE_INTEGER)
  if (rounds > MAX_COUNT) throw new HashError('too-costly', `a recipe may count to ${MAX_COUNT} at most`)
  return rounds
}

function wholeNumber(cursor: Cursor, least: number, most: number): number {
  skipBlanks(cursor)
  const [digits] = match(cursor, /0|[1-9]\d{0,15}/y)
  if (digits === '' || Number(digits) > most || Number(digits) < least)
    throw expected(cursor, least > 0 ? `a whole number above zero` : `a whole number up to ${most}`)
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
