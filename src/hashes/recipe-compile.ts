import { ceilings } from './ceilings.ts'
import type { HashFormat } from './format.ts'
import { HashError } from './format.ts'
import type { Form } from './recipe-functions.ts'
import { digests } from './recipe-functions.ts'
import type { Inputs } from './recipe-inputs.ts'
import { LONGEST_INPUT, secretNamed } from './recipe-inputs.ts'
import type { ParsedRecipe, RecipeNode } from './recipe-parser.ts'
import { printRecipe, RUNNING } from './recipe-parser.ts'
import type { ResultForm } from './recipe-result.ts'

/** What inputs have as a rule, for estimates. */
const TYPICAL_INPUT = 32
/** hex(hex(hex(...))) doubles at every step, and would take the memory. */
const LONGEST_VALUE = 65_535
/** Shorter results would be met by chance: 8 bytes, as bytes, as hexadecimal and as base64. */
const SHORTEST: Readonly<Record<ResultForm, number>> = { raw: 8, hex: 16, base64: 11 }
/** The slowest digest of node:crypto reads about 200 KB a millisecond. */
const MILLIS_PER_BYTE = 1 / 200_000
/** Joining copies. */
const MILLIS_PER_JOINED_BYTE = 1 / 4_000_000
const MILLIS_PER_VALUE = 0.0015
/** The strictest caller waits three seconds; the second figure is for inputs of the greatest length. */
export const MOST_MILLIS = { typical: ceilings.recipe.millis.most, longest: 3_000 }
/** Parts without the password that take longer are left to the check: reading is done on the event loop. */
const MOST_MILLIS_AT_ONCE = 0.05

/** Null when some function cannot read its bytes, as `unhex` of a text that is not hexadecimal. */
export type Evaluate = (inputs: Inputs) => Buffer | null

/** A recipe that has been read: what it makes is a digest of known length, and it depends on the password. */
export interface Recipe {
  /** The recipe without blanks; of an unsalted digest only the digest's name. */
  readonly label: string
  /** What it was made of, without the format around it. */
  readonly node: RecipeNode
  /** The format that the result is the password of. */
  readonly around: HashFormat | null
  readonly form: Form
  /** Bytes of the result, which for `hex` and `base64` is text. */
  readonly length: number
  readonly uses: ReadonlySet<string>
  readonly millis: number
  readonly memory: number
  /** Parts without the password. They fail with the row, not with the password. */
  readonly fixed: readonly Evaluate[]
  readonly evaluate: Evaluate
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
  /** Bytes outside of JavaScript of the part that holds most: they are worked out one after the other. */
  readonly memory: number
}

/** Throws HashError for a recipe that makes no digest, does not use the password, or takes too long. */
export function compile(parsed: ParsedRecipe): Recipe {
  const { evaluate, form, length, uses, fixed, millis, memory } = compileNode(parsed.node, VARIABLE)
  const { around } = parsed
  if (!around) checkResult(form, length.longest)
  if (!uses.has('pass'))
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected $pass to be used')
  if (millis.typical > MOST_MILLIS.typical || millis.longest > MOST_MILLIS.longest)
    throw new HashError('too-costly', `a recipe may take at most ${MOST_MILLIS.typical} ms`)
  const label = labelOf(parsed)
  return {
    label,
    node: parsed.node,
    around,
    form,
    length: length.longest,
    uses,
    millis: millis.typical,
    memory,
    fixed,
    evaluate,
  }
}

/** The bytes of a part that needs neither the password nor a secret of the operator's; null for any other part. */
export function fixedValue(node: RecipeNode, inputs: Inputs): Buffer | null {
  const { uses, evaluate } = compileNode(node, FREE)
  const isFixed = Array.from(uses).every(
    (name) => name !== 'pass' && name !== RUNNING && secretNamed(name) === undefined,
  )
  return isFixed ? evaluate(inputs) : null
}

function checkResult(form: Form, longest: number): void {
  if (form === 'open')
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected a digest, or hex or b64 of one')
  if (longest < SHORTEST[form])
    throw new HashError('bad-recipe', 'position 1 of the recipe: expected a result of at least 8 bytes')
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
    memory: Math.max(shared.memory, called.memory?.(numbers) ?? 0),
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
    memory: Math.max(first.memory, step.memory),
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
  return { evaluate, form: 'open', length, uses, fixed: [], millis: FREE, memory: 0 }
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
): Pick<Compiled, 'uses' | 'fixed' | 'millis' | 'memory'> {
  const value = { typical: MILLIS_PER_VALUE, longest: MILLIS_PER_VALUE }
  return {
    uses: new Set(parts.flatMap(({ uses }) => [...uses])),
    fixed: parts.flatMap(({ fixed }) => fixed),
    millis: sum([value, ...own, ...parts.map(({ millis }) => millis)]),
    memory: Math.max(0, ...parts.map(({ memory }) => memory)),
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
