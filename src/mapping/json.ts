import { errorCode } from '../errors.ts'

/** A file of ours that does not say what it should: every problem, each with its place in the file and without its values. */
export class MappingError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('; '))
    this.name = 'MappingError'
    this.problems = problems
  }
}

/**
 * What a JSON text says. Of a name that an object has twice, JSON.parse keeps the last and forgets the other, which somebody
 * has reviewed: that is a problem. Throws MappingError.
 */
export function readJsonText(text: string): unknown {
  const value = parsed(text.replace(/^\ufeff/, ''))
  const repeated = repeatedNames(text)
  if (repeated.length > 0)
    throw new MappingError(repeated.map((line) => `line ${line}: a name that is there already`))
  return value
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const at = /\bat position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1]
    const where = at === undefined ? '' : ` (line ${lineOf(text, Number(at))})`
    throw new MappingError([
      `the text is not JSON${where}${errorCode(error) === 'SyntaxError' ? '' : ' at all'}`,
    ])
  }
}

/** A string, or a character that opens, closes or separates. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:]/gs

/** Lines in which an object has a name for the second time. The text is JSON. */
function repeatedNames(text: string): number[] {
  const lines: number[] = []
  const open: Set<unknown>[] = []
  let last: { readonly text: string; readonly at: number } | undefined
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token === '{' || token === '[') open.push(new Set())
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':' && last !== undefined) {
      const name: unknown = JSON.parse(last.text)
      const names = open.at(-1)
      if (names?.has(name)) lines.push(lineOf(text, last.at))
      names?.add(name)
    }
    last = token.startsWith('"') ? { text: token, at: index } : undefined
  }
  return lines
}

function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length
}

/** A name as it may stand in a message: of a field or an attribute, never a value of a user. */
export function named(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text)
}
