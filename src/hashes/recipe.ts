import { timingSafeEqual } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { bytesOfBase64, bytesOfHex, unpadded } from './encodings.ts'
import type { ReadHash } from './format.ts'
import { HashError } from './format.ts'
import type { Form } from './recipe-functions.ts'
import { digests } from './recipe-functions.ts'
import type { RecipeNode, Variable } from './recipe-parser.ts'
import { parseRecipe, printRecipe } from './recipe-parser.ts'

/** What a recipe may be given: bytes of the password, and bytes of UTF-8 of salt, login and id. */
const LONGEST: Readonly<Record<Variable, number>> = { pass: 4096, salt: 4096, login: 4096, id: 4096 }
/** hex(hex(hex(...))) doubles at every step, and would take the memory. */
const LONGEST_VALUE = 65_535
/** Shorter results would be met by chance: 8 bytes, as bytes, as hexadecimal and as base64. */
const SHORTEST: Readonly<Record<Exclude<Form, 'open'>, number>> = { raw: 8, hex: 16, base64: 11 }
/** The slowest of these digests reads about 200 KB a millisecond. */
const MILLIS_PER_BYTE = 1 / 200_000
const MILLIS_PER_VALUE = 0.002
/** Recipes come from rows; a store has a handful. */
const KEPT_RECIPES = 256
/** Hexadecimal and base64 at once, so that it suits every recipe that decodes its salt. */
const DECOY_SALT = '6361727279'.repeat(4)

type Inputs = Readonly<Record<Variable, Buffer>>

/** A recipe that has been read: what it makes is a digest of known length, and it depends on the password. */
interface Recipe {
  /** The recipe without blanks; of an unsalted digest only the digest's name. */
  readonly label: string
  readonly form: Exclude<Form, 'open'>
  /** Bytes of the result, which for `hex` and `base64` is text. */
  readonly length: number
  readonly usesSalt: boolean
  readonly millis: number
  /** Parts without the password. They fail with the row, not with the password. */
  readonly fixed: readonly Evaluate[]
  readonly evaluate: Evaluate
}

/** Null when some function cannot read its bytes, as `unhex` of a text that is not hexadecimal. */
type Evaluate = (inputs: Inputs) => Buffer | null

/** Reads a digest together with the recipe that made it. Throws HashError. */
export function readRecipe(text: string, stored: StoredHash, encoded: string): ReadHash {
  const recipe = keptRecipe(text)
  const row = rowInputs(recipe, stored)
  if (recipe.fixed.some((part) => part(row) === null)) {
    throw new HashError(
      'bad-salt',
      'a part of the recipe cannot be read: it decodes something of another encoding',
    )
  }
  const expected = expectedBytes(encoded, recipe)
  return {
    scheme: recipe.label,
    millis: recipe.millis,
    decoy: decoyOf(recipe),
    matches: (password) => {
      const made = recipe.evaluate({
        ...row,
        pass: Buffer.from(password.buffer, password.byteOffset, password.length),
      })
      return made !== null && equal(comparable(made, recipe.form), expected)
    },
  }
}

/** A digest of this recipe that nobody knows a password of. Throws HashError if there is no such recipe. */
export function recipeExample(text: string): StoredHash {
  return decoyOf(keptRecipe(text))
}

/** The digest that a scheme's name stands for: `SHA-256` and `sha256` are `sha256($pass)`. */
export function recipeOfDigest(scheme: string): string | undefined {
  const name = scheme.toLowerCase().replace(/^(md|sha)[-_]/, '$1')
  return digests.has(name) ? `${name}($pass)` : undefined
}

const kept = new Map<string, Recipe>()

function keptRecipe(text: string): Recipe {
  const known = kept.get(text)
  if (known) return known
  const recipe = compile(parseRecipe(text))
  const [oldest] = kept.keys()
  if (kept.size >= KEPT_RECIPES && oldest !== undefined) kept.delete(oldest)
  kept.set(text, recipe)
  return recipe
}

/** A node with what can be said about it before any password is there. */
interface Compiled {
  readonly evaluate: Evaluate
  readonly form: Form
  readonly longest: number
  readonly uses: ReadonlySet<Variable>
  readonly fixed: readonly Evaluate[]
  readonly millis: number
}

function compile(tree: RecipeNode): Recipe {
  const { evaluate, form, longest, uses, fixed, millis } = compileNode(tree)
  if (form === 'open') {
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected a digest, or hex or b64 of one')
  }
  if (longest < SHORTEST[form]) {
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected a result of at least 8 bytes')
  }
  if (!uses.has('pass'))
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected $pass to be used')
  return { label: labelOf(tree), form, length: longest, usesSalt: uses.has('salt'), millis, fixed, evaluate }
}

function labelOf(tree: RecipeNode): string {
  const label = printRecipe(tree)
  const bare = /^([a-z0-9]+)\(\$pass\)$/.exec(label)?.[1]
  return bare !== undefined && digests.has(bare) ? bare : label
}

function compileNode(node: RecipeNode): Compiled {
  const compiled = compileKind(node)
  if (compiled.longest > LONGEST_VALUE) {
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected no value that can exceed 64 KiB')
  }
  return compiled
}

function compileKind(node: RecipeNode): Compiled {
  switch (node.kind) {
    case 'variable': {
      const { name } = node
      return leaf((inputs) => inputs[name], LONGEST[name], new Set([name]))
    }
    case 'text': {
      const { bytes } = node
      return leaf(() => bytes, bytes.length, new Set())
    }
    case 'joined': {
      const parts = node.parts.map(compileNode)
      return {
        ...together(parts),
        form: 'open',
        longest: parts.reduce((sum, { longest }) => sum + longest, 0),
        evaluate: (inputs) => {
          const values = allOf(parts, inputs)
          return values && Buffer.concat(values)
        },
      }
    }
    case 'call': {
      const { called, numbers } = node
      const values = node.values.map(compileNode)
      const shared = together(values)
      const evaluate: Evaluate = (inputs) => {
        const bytes = allOf(values, inputs)
        return bytes && called.apply(bytes, numbers)
      }
      return {
        ...shared,
        form: called.form(values[0]?.form ?? 'open'),
        longest: called.longest(
          values.map(({ longest }) => longest),
          numbers,
        ),
        fixed: shared.uses.has('pass') ? shared.fixed : [evaluate],
        evaluate,
      }
    }
  }
}

function leaf(evaluate: Evaluate, longest: number, uses: ReadonlySet<Variable>): Compiled {
  return { evaluate, form: 'open', longest, uses, fixed: [], millis: 0 }
}

function together(parts: readonly Compiled[]): Pick<Compiled, 'uses' | 'fixed' | 'millis'> {
  const bytes = parts.reduce((sum, { longest }) => sum + longest, 0)
  return {
    uses: new Set(parts.flatMap(({ uses }) => [...uses])),
    fixed: parts.flatMap(({ fixed }) => fixed),
    millis: parts.reduce((sum, { millis }) => sum + millis, bytes * MILLIS_PER_BYTE + MILLIS_PER_VALUE),
  }
}

function allOf(parts: readonly Compiled[], inputs: Inputs): Buffer[] | null {
  const values: Buffer[] = []
  for (const { evaluate } of parts) {
    const value = evaluate(inputs)
    if (value === null) return null
    values.push(value)
  }
  return values
}

function rowInputs({ usesSalt }: Recipe, { salt, login, id }: StoredHash): Inputs {
  if (usesSalt && salt === null)
    throw new HashError('bad-salt', 'the recipe uses $salt, and the row has none')
  return {
    pass: NOTHING,
    salt: boundedInput(salt ?? '', 'bad-salt', 'the salt'),
    login: boundedInput(login, 'malformed', 'the login'),
    id: boundedInput(id, 'malformed', 'the id'),
  }
}

const NOTHING = Buffer.alloc(0)

function boundedInput(text: string, defect: 'bad-salt' | 'malformed', name: string): Buffer {
  // Four bytes a character are the most that UTF-8 takes.
  if (text.length > LONGEST.salt / 4)
    throw new HashError(defect, `${name} has at most ${LONGEST.salt / 4} characters`)
  return Buffer.from(text, 'utf8')
}

/** What the result is compared with, from the stored text; hexadecimal or base64 is told by the length. */
function expectedBytes(encoded: string, { form, length }: Recipe): Buffer {
  const hexadecimal = encoded.replace(/^0x/i, '')
  switch (form) {
    case 'raw': {
      const bytes = hexadecimal.length === 2 * length ? bytesOfHex(hexadecimal) : bytesOfBase64(encoded)
      if (bytes?.length === length) return bytes
      throw new HashError('malformed', `expected ${length} bytes as hexadecimal or base64`)
    }
    case 'hex':
      if (hexadecimal.length === length && /^[0-9a-f]+$/i.test(hexadecimal))
        return comparable(hexadecimal, form)
      throw new HashError('malformed', `expected ${length} hexadecimal digits`)
    case 'base64':
      if (isBase64Text(encoded, length)) return comparable(encoded, form)
      throw new HashError('malformed', `expected ${length} characters of base64`)
  }
}

/** The padding may be missing. */
function isBase64Text(text: string, length: number): boolean {
  if (!/^[a-z0-9+/]+={0,2}$/i.test(text)) return false
  return text.length === length || (!text.endsWith('=') && 4 * Math.ceil(text.length / 4) === length)
}

/** One writing of a result where several mean the same: lower-case hexadecimal, base64 without padding. */
function comparable(made: Buffer | string, form: Exclude<Form, 'open'>): Buffer {
  if (form === 'raw') return Buffer.from(made)
  const text = made.toString()
  return Buffer.from(form === 'hex' ? text.toLowerCase() : unpadded(text))
}

function equal(made: Buffer, expected: Buffer): boolean {
  return made.length === expected.length && timingSafeEqual(made, expected)
}

function decoyOf({ label, form, length, usesSalt }: Recipe): StoredHash {
  return {
    encoded:
      form === 'base64'
        ? 'Z'.repeat(length)
        : '5a'.repeat(length).slice(0, form === 'raw' ? 2 * length : length),
    scheme: label,
    salt: usesSalt ? DECOY_SALT : null,
    login: '',
    id: '',
  }
}
