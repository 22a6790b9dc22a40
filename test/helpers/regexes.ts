import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAst } from 'vitest/node'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))

export interface Literal {
  readonly file: string
  readonly pattern: string
  readonly flags: string
}

/** Every regular expression literal of src, each once a file, and the files that build one from text. */
export function literalsOfSrc(): {
  readonly literals: readonly Literal[]
  readonly built: readonly string[]
} {
  const literals = new Map<string, Literal>()
  const built = new Set<string>()
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    const walk = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return
      if ('regex' in node && typeof node.regex === 'object' && node.regex !== null) {
        const { pattern, flags } = node.regex as { pattern: string; flags: string }
        literals.set(`${file} /${pattern}/${flags}`, { file, pattern, flags })
      }
      if ('type' in node && (node.type === 'NewExpression' || node.type === 'CallExpression')) {
        const { callee } = node as { callee?: { name?: string } }
        if (callee?.name === 'RegExp') built.add(file)
      }
      for (const value of Object.values(node)) walk(value)
    }
    walk(parseAst(readFileSync(join(SRC, file), 'utf8'), { lang: 'ts' } as never))
  }
  return { literals: [...literals.values()], built: [...built] }
}

/** A part of a pattern: one character of those that it takes, or more parts. */
type Part =
  | { readonly kind: 'one'; readonly sample: string; readonly others: readonly string[] }
  | { readonly kind: 'any of'; readonly options: readonly (readonly Part[])[] }
  | { readonly kind: 'repeated'; readonly part: Part; readonly least: number; readonly most: number }

/** Characters of which every class of a pattern takes some. */
const CANDIDATES = [...'a0 _-=.:/$+{}[]()"\'\\,;@%&#!~^*?<>|`zAZF9fg\t\n\r\0\u00e9\u2028\ud83d']

/**
 * Strings of `length` characters on which a backtracking matcher has the most to do: each repeated part, and each two
 * neighbours, repeated throughout, behind what must stand before it, and with an end that does not fit.
 */
export function worstStrings({ pattern, flags }: Literal, length: number): Set<string> {
  const parts = parse(pattern, flags)
  const texts = new Set<string>()
  const add = (before: string, pump: string) => {
    if (pump === '') return
    const long = pump.repeat(Math.ceil(length / pump.length)).slice(0, length)
    for (const end of ['', '\0', '\n', '!', 'x']) texts.add(before + long + end)
  }
  const samples = new Set<string>()
  const visit = (sequence: readonly Part[], before: string): void => {
    let prefix = before
    for (const [at, part] of sequence.entries()) {
      const pieces = piecesOf(part)
      for (const piece of pieces) samples.add(piece)
      if (part.kind === 'repeated' && part.most > 1) {
        for (const piece of pieces) {
          add(prefix, piece)
          add('', piece)
        }
        const next = sequence[at + 1]
        for (const other of next === undefined ? [] : piecesOf(next)) add(prefix, (pieces[0] ?? '') + other)
      }
      const inner = part.kind === 'repeated' ? part.part : part
      if (inner.kind === 'any of') for (const option of inner.options) visit(option, prefix)
      prefix += shortest(part)
    }
  }
  visit(parts, '')
  for (const piece of samples) add('', piece)
  const whole = parts.map(shortest).join('')
  add('', whole)
  add('', `${whole}!`)
  return texts
}

function piecesOf(part: Part): string[] {
  switch (part.kind) {
    case 'one':
      return [part.sample, ...part.others]
    case 'any of':
      return part.options.map((option) => option.map(longer).join('')).filter((text) => text !== '')
    case 'repeated':
      return piecesOf(part.part)
  }
}

function shortest(part: Part): string {
  switch (part.kind) {
    case 'one':
      return part.sample
    case 'any of':
      return (part.options[0] ?? []).map(shortest).join('')
    case 'repeated':
      return shortest(part.part).repeat(part.least)
  }
}

/** With one of everything that may be left out. */
function longer(part: Part): string {
  return part.kind === 'repeated' ? longer(part.part).repeat(Math.max(1, part.least)) : shortest(part)
}

function parse(pattern: string, flags: string): readonly Part[] {
  let at = 0
  const more = () => at < pattern.length
  const sequence = (): Part => {
    const options: Part[][] = [[]]
    while (more() && pattern[at] !== ')') {
      if (pattern[at] === '|') {
        at++
        options.push([])
      } else {
        const part = atom()
        if (part !== null) options.at(-1)?.push(quantified(part))
      }
    }
    return { kind: 'any of', options }
  }
  const atom = (): Part | null => {
    const rest = pattern.slice(at)
    const [edge] = /^(?:\^|\$|\\[bB])/.exec(rest) ?? []
    if (edge !== undefined) {
      at += edge.length
      return null
    }
    if (rest.startsWith('(')) {
      at += /^\((?:\?(?:[:=!]|<[=!]|<\w+>))?/.exec(rest)?.[0].length ?? 1
      const ahead = /^\(\?<?[=!]/.test(rest)
      const inner = sequence()
      at++
      // What is looked at is not taken, but its own repetitions are work.
      return ahead ? { kind: 'repeated', part: inner, least: 0, most: 2 } : inner
    }
    const [text] =
      /^(?:\[(?:\\.|[^\]\\])*\]|\\(?:u\{[0-9a-f]+\}|u[0-9a-f]{4}|x[0-9a-f]{2}|p\{[^}]*\}|P\{[^}]*\}|k<\w+>|.)|.)/isu.exec(
        rest,
      ) ?? ['']
    at += text.length
    if (/^\\(?:[1-9]|k<)/.test(text)) return { kind: 'any of', options: [[]] }
    const taken = CANDIDATES.filter((one) =>
      new RegExp(`^(?:${text})$`, flags.replace(/[gy]/g, '')).test(one),
    )
    const literal = /^[^\\.[]$/u.test(text) ? text : undefined
    const sample = literal ?? taken[0] ?? samplesOf(text, flags)
    return {
      kind: 'one',
      sample,
      others: literal === undefined ? taken.filter((one) => one !== sample).slice(0, 6) : [],
    }
  }
  const quantified = (part: Part): Part => {
    const [text, least = '', comma, most = ''] =
      /^(?:[*+?]|\{(\d+)(,?)(\d*)\})\??/.exec(pattern.slice(at)) ?? []
    if (text === undefined) return part
    at += text.length
    switch (text[0]) {
      case '*':
        return { kind: 'repeated', part, least: 0, most: Number.POSITIVE_INFINITY }
      case '+':
        return { kind: 'repeated', part, least: 1, most: Number.POSITIVE_INFINITY }
      case '?':
        return { kind: 'repeated', part, least: 0, most: 1 }
      default: {
        const upper = comma === '' ? Number(least) : most === '' ? Number.POSITIVE_INFINITY : Number(most)
        return { kind: 'repeated', part, least: Number(least), most: upper }
      }
    }
  }
  return [sequence()]
}

/** A character that an unusual class takes. */
function samplesOf(text: string, flags: string): string {
  const one = new RegExp(`^(?:${text})$`, flags.replace(/[gy]/g, ''))
  for (let code = 0; code < 0x1_0000; code++) {
    const character = String.fromCharCode(code)
    if (one.test(character)) return character
  }
  throw new Error(`nothing is taken by ${text}`)
}

/** Milliseconds that a search takes, in which the expression is tried at every place of the text where it may be. */
export function millisOf({ pattern, flags }: Literal, text: string): number {
  const expression = new RegExp(pattern, flags)
  const started = performance.now()
  expression.test(text)
  return performance.now() - started
}

/**
 * The most that any of the worst strings takes. Whatever seems to take longer than `enough` is measured again: a pause of the
 * machine's is none of the expression's.
 */
export function worstMillis(literal: Literal, length: number, enough: number): number {
  let worst = 0
  for (const text of worstStrings(literal, length)) {
    let millis = millisOf(literal, text)
    for (let again = 0; again < 5 && millis > enough; again++)
      millis = Math.min(millis, millisOf(literal, text))
    worst = Math.max(worst, millis)
    if (worst > enough) return worst
  }
  return worst
}
