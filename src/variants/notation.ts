/**
 * Recipes as text: calls with arguments, joined by full stops. Which functions there are is not known here, so that every
 * extension of the notation is met; `readHash` decides what is a recipe.
 */
export type Part =
  | { readonly kind: 'atom'; readonly text: string }
  | { readonly kind: 'call'; readonly name: string; readonly values: readonly Expression[] }

export type Expression = readonly Part[]

const TOKEN = /\s*(?:('(?:[^'\\]|\\.)*')|(\$[a-z0-9_]+|\d+)|([a-z][a-z0-9_-]*)\s*\(|([.,)]))\s*/iy

/** Null for what is not of the notation. */
export function parseNotation(text: string): Expression | null {
  const tokens = tokensOf(text)
  if (tokens === null) return null
  let at = 0
  const expression = (): Expression | null => {
    const parts: Part[] = []
    for (;;) {
      const token = tokens[at++]
      if (token === undefined || token === '.' || token === ',' || token === ')') return null
      const part = token.endsWith('(') ? call(token.slice(0, -1)) : { kind: 'atom' as const, text: token }
      if (part === null) return null
      parts.push(part)
      if (tokens[at] !== '.') return parts
      at++
    }
  }
  const call = (name: string): Part | null => {
    const values: Expression[] = []
    for (;;) {
      const value = expression()
      if (value === null) return null
      values.push(value)
      const end = tokens[at++]
      if (end === ')') return { kind: 'call', name, values }
      if (end !== ',') return null
    }
  }
  const whole = expression()
  return at === tokens.length ? whole : null
}

/** A text in quotes, a variable, a number, a name with its parenthesis, or a sign. */
function tokensOf(text: string): string[] | null {
  const tokens: string[] = []
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length; ) {
    const found = TOKEN.exec(text)
    if (found === null) return null
    const [, quoted, atom, name, sign] = found
    tokens.push(name === undefined ? (quoted ?? atom ?? sign ?? '') : `${name}(`)
  }
  return tokens
}

export function printNotation(expression: Expression): string {
  return expression
    .map((part) =>
      part.kind === 'atom' ? part.text : `${part.name}(${part.values.map(printNotation).join(',')})`,
    )
    .join('.')
}

/** Puts an expression in the place of a variable, and leaves texts in quotes alone. */
export function replaceVariable(recipe: string, name: '$pass' | '$salt' | '$login', by: string): string {
  return recipe.replace(/'(?:[^'\\]|\\.)*'|\$[a-z0-9_]+/gi, (found) => (found === name ? by : found))
}

export function uses(recipe: string, name: '$pass' | '$salt' | '$login'): boolean {
  return replaceVariable(recipe, name, '') !== recipe
}

/** Functions that only write their value differently: people forget one, or add one. */
const WRITINGS: ReadonlySet<string> = new Set(
  'hex HEX b64 unhex unb64 utf16le utf16be latin1 lower upper trim'.split(' '),
)
const TEXTS_OF_BYTES = ['hex', 'HEX', 'b64']
const DIGESTS = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512']
/** Four parts have 24 orders; more parts are left in theirs. */
const MOST_PERMUTED = 4

/** The recipes that differ from this one in one place: another order, a writing more or less, another digest. */
export function neighbours(recipe: string): string[] {
  const expression = parseNotation(recipe)
  if (expression === null) return []
  const texts = [...changes(expression)].map(printNotation)
  return [...new Set(texts)].filter((text) => text !== printNotation(expression))
}

function* changes(expression: Expression): Generator<Expression> {
  if (expression.length > 1 && expression.length <= MOST_PERMUTED) yield* permutations(expression)
  for (const [at, part] of expression.entries()) {
    for (const other of replacements(part)) yield expression.toSpliced(at, 1, ...other)
  }
}

function* replacements(part: Part): Generator<Expression> {
  if (part.kind === 'atom') return
  const { name, values } = part
  const [only] = values
  if (WRITINGS.has(name) && only !== undefined) yield only
  if (TEXTS_OF_BYTES.includes(name)) yield* TEXTS_OF_BYTES.map((other) => [{ ...part, name: other }])
  if (DIGESTS.includes(name)) {
    yield* DIGESTS.map((other) => [{ ...part, name: other }])
    yield [{ kind: 'call', name: 'hex', values: [[part]] }]
  }
  if (name.startsWith('hmac_') && values.length === 2) yield [{ ...part, values: values.toReversed() }]
  for (const [at, value] of values.entries()) {
    for (const other of changes(value)) yield [{ ...part, values: values.with(at, other) }]
  }
}

function* permutations<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  if (items.length < 2) yield items
  for (const [at, item] of items.entries()) {
    for (const rest of permutations(items.toSpliced(at, 1))) yield [item, ...rest]
  }
}
