import { timingSafeEqual } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import type { HashContext } from './context.ts'
import { NO_CONTEXT } from './context.ts'
import { bytesOfBase64, bytesOfHex, unpadded } from './encodings.ts'
import type { HashFormat, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import type { Form } from './recipe-functions.ts'
import { digests } from './recipe-functions.ts'
import type { Around, ParsedRecipe, RecipeNode } from './recipe-parser.ts'
import { parseRecipe, printRecipe, RUNNING } from './recipe-parser.ts'
import { prepared } from './wrapped.ts'

/** The most bytes of the password, of a secret, and of salt, login and id in UTF-8. */
const LONGEST_INPUT = 4096
/** What they have as a rule, for estimates. */
const TYPICAL_INPUT = 32
/** hex(hex(hex(...))) doubles at every step, and would take the memory. */
const LONGEST_VALUE = 65_535
/** Shorter results would be met by chance: 8 bytes, as bytes, as hexadecimal and as base64. */
const SHORTEST: Readonly<Record<Exclude<Form, 'open'>, number>> = { raw: 8, hex: 16, base64: 11 }
/** The slowest digest of node:crypto reads about 200 KB a millisecond. */
const MILLIS_PER_BYTE = 1 / 200_000
/** Joining copies. */
const MILLIS_PER_JOINED_BYTE = 1 / 4_000_000
const MILLIS_PER_VALUE = 0.0015
/** The strictest caller waits three seconds; the second figure is for inputs of the greatest length. */
export const MOST_MILLIS = { typical: 1_500, longest: 3_000 }
/** Parts without the password that take longer are left to the check: reading is done on the event loop. */
const MOST_MILLIS_AT_ONCE = 0.05
/** Recipes come from rows; a store has a handful. */
const KEPT_RECIPES = 256
/** Hexadecimal and base64 at once, so that it suits every recipe that decodes its salt. */
const DECOY_SALT = '6361727279'.repeat(4)

interface Inputs {
  /** Of the row and of the context, by the names of the variables. */
  readonly fixed: ReadonlyMap<string, Buffer>
  readonly pass: Buffer
  readonly running: Buffer
}

/** A recipe that has been read: what it makes is a digest of known length, and it depends on the password. */
interface Recipe {
  /** The recipe without blanks; of an unsalted digest only the digest's name. */
  readonly label: string
  /** The format that the result is the password of. */
  readonly around: HashFormat | null
  readonly form: Form
  /** Bytes of the result, which for `hex` and `base64` is text. */
  readonly length: number
  readonly uses: ReadonlySet<string>
  readonly millis: number
  /** Parts without the password. They fail with the row, not with the password. */
  readonly fixed: readonly Evaluate[]
  readonly evaluate: Evaluate
}

/** Null when some function cannot read its bytes, as `unhex` of a text that is not hexadecimal. */
type Evaluate = (inputs: Inputs) => Buffer | null

/**
 * Reads a digest together with the recipe that made it. Throws HashError. A recipe that has a name is recorded
 * by it.
 */
export function readRecipe(
  text: string,
  stored: StoredHash,
  encoded: string,
  context: HashContext = NO_CONTEXT,
  name?: string,
): ReadHash {
  const recipe = keptRecipe(text)
  const { evaluate, around } = recipe
  const inputs = { fixed: fixedInputs(recipe, stored, context), pass: NOTHING, running: NOTHING }
  if (recipe.fixed.some((part) => part(inputs) === null)) {
    throw new HashError(
      'bad-salt',
      'a part of the recipe cannot be read: it decodes something of another encoding',
    )
  }
  const made = (password: Uint8Array) =>
    evaluate({ ...inputs, pass: Buffer.from(password.buffer, password.byteOffset, password.length) })
  const label = name ?? recipe.label
  if (around) return readAround(around, { ...recipe, label }, encoded, stored, made)
  const form = closed(recipe.form)
  const expected = expectedBytes(encoded, form, recipe.length)
  return {
    scheme: label,
    millis: recipe.millis,
    decoy: decoyOf({ ...recipe, label }),
    matches: (password) => {
      const result = made(password)
      return result !== null && equal(comparable(result, form), expected)
    },
  }
}

/** The stored string is an ordinary one of `around`, and what it is of is what the recipe makes. */
function readAround(
  around: HashFormat,
  recipe: Recipe,
  encoded: string,
  stored: StoredHash,
  made: (password: Uint8Array) => Buffer | null,
): ReadHash {
  if (!around.shape.test(encoded))
    throw new HashError('malformed', `not of the shape that ${around.name} hashes have`)
  const inner = around.read(encoded, stored, NO_CONTEXT)
  return {
    ...inner,
    scheme: recipe.label,
    millis: recipe.millis + inner.millis,
    decoy: { ...decoyOf(recipe), encoded: inner.decoy.encoded },
    ...prepared(inner, (password) => {
      const result = made(password)
      return result && asOriginReads(encoded, result)
    }),
  }
}

/** `$2y$` is PHP's, and its crypt() ends at the first NUL. Other origins count every byte. */
function asOriginReads(encoded: string, bytes: Buffer): Buffer {
  const end = encoded.startsWith('$2y$') ? bytes.indexOf(0) : -1
  return end === -1 ? bytes : bytes.subarray(0, end)
}

/** A digest of this recipe that nobody knows a password of. Throws HashError if there is no such recipe. */
export function recipeExample(text: string, name?: string): StoredHash {
  const recipe = keptRecipe(text)
  return decoyOf({ ...recipe, label: name ?? recipe.label })
}

/** The variables that a recipe uses. Throws HashError if there is no such recipe. */
export function variablesOf(text: string): ReadonlySet<string> {
  return keptRecipe(text).uses
}

/** The digest that a scheme's name stands for: `SHA-256` and `sha256` are `sha256($pass)`. */
export function recipeOfDigest(scheme: string): string | undefined {
  const name = scheme
    .toLowerCase()
    .replace(/^(md|sha)[-_]/, '$1')
    .replaceAll('-', '_')
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

/** A figure for inputs as they are as a rule, and for inputs of the greatest length. */
interface Range {
  readonly typical: number
  readonly longest: number
}

/** A node with what can be said about it before any password is there. */
interface Compiled {
  readonly evaluate: Evaluate
  readonly form: Form
  /** Bytes of the result. */
  readonly length: Range
  readonly uses: ReadonlySet<string>
  readonly fixed: readonly Evaluate[]
  readonly millis: Range
}

const FORMATS: Readonly<Record<Around, HashFormat>> = { bcrypt, argon2 }

function compile(parsed: ParsedRecipe): Recipe {
  const { evaluate, form, length, uses, fixed, millis } = compileNode(parsed.node, VARIABLE)
  const around = parsed.around === null ? null : FORMATS[parsed.around]
  if (!around) checkResult(form, length.longest)
  if (!uses.has('pass'))
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected $pass to be used')
  if (millis.typical > MOST_MILLIS.typical || millis.longest > MOST_MILLIS.longest)
    throw new HashError('too-costly', `a recipe may take at most ${MOST_MILLIS.typical} ms`)
  const label = labelOf(parsed)
  return { label, around, form, length: length.longest, uses, millis: millis.typical, fixed, evaluate }
}

function checkResult(form: Form, longest: number): void {
  if (form === 'open')
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected a digest, or hex or b64 of one')
  if (longest < SHORTEST[form])
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected a result of at least 8 bytes')
}

function closed(form: Form): Exclude<Form, 'open'> {
  if (form === 'open') throw new Error('a recipe was compiled whose result is no digest')
  return form
}

function labelOf(parsed: ParsedRecipe): string {
  const label = printRecipe(parsed)
  const bare = /^([a-z0-9_]+)\(\$pass\)$/.exec(label)?.[1]
  return bare !== undefined && digests.has(bare) ? bare : label
}

const VARIABLE: Range = { typical: TYPICAL_INPUT, longest: LONGEST_INPUT }
const FREE: Range = { typical: 0, longest: 0 }

/** `running` is the length of `$_`. */
function compileNode(node: RecipeNode, running: Range): Compiled {
  const compiled = compileKind(node, running)
  if (compiled.length.longest > LONGEST_VALUE) {
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected no value that can exceed 64 KiB')
  }
  return compiled
}

function compileKind(node: RecipeNode, running: Range): Compiled {
  switch (node.kind) {
    case 'variable':
      return compileVariable(node.name, running)
    case 'text': {
      const { bytes } = node
      return leaf(() => bytes, { typical: bytes.length, longest: bytes.length }, new Set())
    }
    case 'joined': {
      const parts = node.parts.map((part) => compileNode(part, running))
      const length = sum(parts.map((part) => part.length))
      return {
        ...together(parts, [scaled(length, MILLIS_PER_JOINED_BYTE)]),
        form: 'open',
        length,
        evaluate: (inputs) => {
          const values = allOf(parts, inputs)
          return values && Buffer.concat(values)
        },
      }
    }
    case 'call':
      return compileCall(node, running)
    case 'repeat':
      return compileRepeat(node, running)
  }
}

function compileVariable(name: string, running: Range): Compiled {
  if (name === 'pass') return leaf(({ pass }) => pass, VARIABLE, new Set([name]))
  if (name === RUNNING) return leaf((inputs) => inputs.running, running, new Set([name]))
  return leaf(({ fixed }) => fixed.get(name) ?? null, VARIABLE, new Set([name]))
}

function compileCall(node: RecipeNode & { kind: 'call' }, running: Range): Compiled {
  const { called, numbers } = node
  const values = node.values.map((value) => compileNode(value, running))
  const figures = (figure: (lengths: readonly number[]) => number): Range => ({
    typical: figure(values.map(({ length }) => length.typical)),
    longest: figure(values.map(({ length }) => length.longest)),
  })
  const readOnce = (lengths: readonly number[]) =>
    lengths.reduce((total, length) => total + length, 0) * MILLIS_PER_BYTE
  const own = figures((lengths) => called.millis?.(lengths, numbers) ?? readOnce(lengths))
  const shared = together(values, [own])
  const evaluate: Evaluate = (inputs) => {
    const bytes = allOf(values, inputs)
    return bytes && called.apply(bytes, numbers)
  }
  const isFixed =
    !shared.uses.has('pass') && !shared.uses.has(RUNNING) && shared.millis.longest < MOST_MILLIS_AT_ONCE
  return {
    ...shared,
    form: called.form(values[0]?.form ?? 'open'),
    length: figures((lengths) => called.longest(lengths, numbers)),
    fixed: isFixed ? [evaluate] : shared.fixed,
    evaluate,
  }
}

function compileRepeat(node: RecipeNode & { kind: 'repeat' }, running: Range): Compiled {
  const first = compileNode(node.first, running)
  const { rounds } = node
  const { once, step } = compileStep(node.step, first.length)
  const uses = new Set([...first.uses, ...step.uses])
  uses.delete(RUNNING)
  // Inside of another step its `$_` may be in x.
  if (first.uses.has(RUNNING)) uses.add(RUNNING)
  return {
    form: step.form,
    length: step.length,
    uses,
    fixed: [...first.fixed, ...step.fixed],
    millis: {
      typical: first.millis.typical + once.millis.typical + (rounds - 1) * step.millis.typical,
      longest: first.millis.longest + once.millis.longest + (rounds - 1) * step.millis.longest,
    },
    evaluate: (inputs) => {
      let value = first.evaluate(inputs)
      for (let round = 0; round < rounds && value !== null; round += 1)
        value = step.evaluate({ ...inputs, running: value })
      return value
    },
  }
}

/** The value before a step is x at first, and from then on the result of the step, whose length stays the same. */
function compileStep(node: RecipeNode, first: Range): { once: Compiled; step: Compiled } {
  const once = compileNode(node, first)
  const step = compileNode(node, once.length)
  if (step.length.longest !== once.length.longest)
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected a step that ends in a digest')
  if (!step.uses.has(RUNNING))
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected $_ in the step of repeat')
  return { once, step }
}

function leaf(evaluate: Evaluate, length: Range, uses: ReadonlySet<string>): Compiled {
  return { evaluate, form: 'open', length, uses, fixed: [], millis: FREE }
}

function scaled({ typical, longest }: Range, factor: number): Range {
  return { typical: typical * factor, longest: longest * factor }
}

function sum(ranges: readonly Range[]): Range {
  return {
    typical: ranges.reduce((total, { typical }) => total + typical, 0),
    longest: ranges.reduce((total, { longest }) => total + longest, 0),
  }
}

function together(
  parts: readonly Compiled[],
  own: readonly Range[],
): Pick<Compiled, 'uses' | 'fixed' | 'millis'> {
  const value = { typical: MILLIS_PER_VALUE, longest: MILLIS_PER_VALUE }
  return {
    uses: new Set(parts.flatMap(({ uses }) => [...uses])),
    fixed: parts.flatMap(({ fixed }) => fixed),
    millis: sum([value, ...own, ...parts.map(({ millis }) => millis)]),
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

/** What the variables of a recipe stand for, the password apart. */
function fixedInputs(
  { uses }: Recipe,
  { salt, login, id }: StoredHash,
  { secrets }: HashContext,
): ReadonlyMap<string, Buffer> {
  if ((uses.has('salt') || uses.has('salt2')) && salt === null)
    throw new HashError('bad-salt', 'the recipe uses $salt, and the row has none')
  const [salt1, salt2] = uses.has('salt2') ? twoSalts(salt ?? '') : [salt ?? '', '']
  const fixed = new Map([
    ['salt', boundedInput(salt1, 'bad-salt', 'the salt')],
    ['salt2', boundedInput(salt2, 'bad-salt', 'the second salt')],
    ['login', boundedInput(login, 'malformed', 'the login')],
    ['id', boundedInput(id, 'malformed', 'the id')],
  ])
  for (const name of uses) {
    const secret = secretNamed(name)
    if (secret !== undefined) fixed.set(name, presentSecret(secrets.get(secret)))
  }
  return fixed
}

/** The name of the secret that a variable stands for. */
export function secretNamed(variable: string): string | undefined {
  return variable === 'pepper' ? 'pepper' : /^secret_(.+)$/.exec(variable)?.[1]
}

function presentSecret(secret: Buffer | undefined): Buffer {
  if (secret === undefined) throw new HashError('bad-recipe', 'the recipe uses a secret that is not set')
  if (secret.length > LONGEST_INPUT)
    throw new HashError('bad-recipe', `a secret of a recipe has at most ${LONGEST_INPUT} bytes`)
  return secret
}

/** A salt may hold colons, so only the first one parts the two. */
function twoSalts(salts: string): readonly [string, string] {
  const at = salts.indexOf(':')
  if (at === -1)
    throw new HashError('bad-salt', 'the recipe uses $salt2, and the salt of the row has no colon')
  return [salts.slice(0, at), salts.slice(at + 1)]
}

const NOTHING = Buffer.alloc(0)

function boundedInput(text: string, defect: 'bad-salt' | 'malformed', name: string): Buffer {
  // Four bytes a character are the most that UTF-8 takes.
  if (text.length > LONGEST_INPUT / 4)
    throw new HashError(defect, `${name} has at most ${LONGEST_INPUT / 4} characters`)
  return Buffer.from(text, 'utf8')
}

/** What the result is compared with, from the stored text; hexadecimal or base64 is told by the length. */
function expectedBytes(encoded: string, form: Exclude<Form, 'open'>, length: number): Buffer {
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

function decoyOf({ label, around, form, length, uses }: Recipe): StoredHash {
  return {
    encoded: around ? around.example : constantResult(form, length),
    scheme: label,
    salt: uses.has('salt2') ? `${DECOY_SALT}:${DECOY_SALT}` : uses.has('salt') ? DECOY_SALT : null,
    login: '',
    id: '',
  }
}

function constantResult(form: Form, length: number): string {
  if (form === 'base64') return 'Z'.repeat(length)
  return '5a'.repeat(length).slice(0, form === 'raw' ? 2 * length : length)
}
