import { recipeFunctions } from '../hashes/recipe-functions.ts'
import { type Expression, type Part, parseNotation } from './notation.ts'

/** Bytes of UTF-8 that an expression may name. */
export type Inputs = Readonly<Record<'pass' | 'salt' | 'login' | 'id', Buffer>>

const ESCAPES: Readonly<Record<string, string>> = { '0': '\0', n: '\n', r: '\r', t: '\t' }

/** What an expression makes of these inputs; null where a function cannot read its bytes, or is not known. */
export function evaluate(text: string, inputs: Inputs): Buffer | null {
  const expression = parseNotation(text)
  return expression && joined(expression, inputs)
}

function joined(expression: Expression, inputs: Inputs): Buffer | null {
  const values = expression.map((part) => partValue(part, inputs))
  const whole = values.every((value) => value !== null) ? Buffer.concat(values) : null
  // What was made on the way holds the password too. The inputs themselves belong to the caller.
  for (const [at, part] of expression.entries()) if (part.kind === 'call') values[at]?.fill(0)
  return whole
}

function partValue(part: Part, inputs: Inputs): Buffer | null {
  if (part.kind === 'call') return callValue(part.name, part.values, inputs)
  const { text } = part
  if (text.startsWith("'"))
    return Buffer.from(text.slice(1, -1).replace(/\\(.)/g, (_, sign) => ESCAPES[sign] ?? sign))
  const name = text.slice(1)
  return name === 'pass' || name === 'salt' || name === 'login' || name === 'id' ? inputs[name] : null
}

function callValue(name: string, given: readonly Expression[], inputs: Inputs): Buffer | null {
  const called = recipeFunctions.get(name)
  if (called === undefined) return null
  const { takes } = called
  const values = takes.flatMap((kind, at) => (kind === 'bytes' ? [joined(given[at] ?? [], inputs)] : []))
  const numbers = takes.flatMap((kind, at) => (kind === 'number' ? [Number(textOf(given[at]))] : []))
  const made = values.every((value) => value !== null) ? called.apply(values, numbers) : null
  // It may be a part of a value that is about to be cleared.
  const result = made && Buffer.from(made)
  for (const bytes of [...values, made]) bytes?.fill(0)
  return result
}

function textOf(expression: Expression | undefined): string {
  const part = expression?.[0]
  return part?.kind === 'atom' ? part.text : ''
}
