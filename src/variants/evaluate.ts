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
  return values.every((value) => value !== null) ? Buffer.concat(values) : null
}

function partValue(part: Part, inputs: Inputs): Buffer | null {
  if (part.kind === 'call') {
    const called = recipeFunctions.get(part.name)
    const values = called?.takes.flatMap((kind, at) =>
      kind === 'bytes' ? [joined(part.values[at] ?? [], inputs)] : [],
    )
    const numbers = called?.takes.flatMap((kind, at) =>
      kind === 'number' ? [Number(textOf(part.values[at]))] : [],
    )
    if (called === undefined || values === undefined || numbers === undefined) return null
    return values.every((value) => value !== null) ? called.apply(values, numbers) : null
  }
  const { text } = part
  if (text.startsWith("'"))
    return Buffer.from(text.slice(1, -1).replace(/\\(.)/g, (_, sign) => ESCAPES[sign] ?? sign))
  const name = text.slice(1)
  return name === 'pass' || name === 'salt' || name === 'login' || name === 'id' ? inputs[name] : null
}

function textOf(expression: Expression | undefined): string {
  const part = expression?.[0]
  return part?.kind === 'atom' ? part.text : ''
}
