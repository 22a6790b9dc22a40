import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { TargetKind } from '../targets/target.ts'
import { UsageError } from './command.ts'

type Options = NonNullable<ParseArgsConfig['options']>

/** Node's own parser, with its complaints as usage errors. `positionals`: how many, by name; null: any number. */
export function readOptions<const O extends Options>(
  args: readonly string[],
  options: O,
  positionals: readonly string[] | null = [],
) {
  const parsed = parse(args, options)
  if (positionals !== null && parsed.positionals.length !== positionals.length) {
    throw new UsageError(
      positionals.length === 0 ? 'no argument was expected' : `expected ${positionals.join(' ')}`,
    )
  }
  return parsed
}

function parse<const O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true })
  } catch (error) {
    // Its message repeats the option's name, which is what is wanted, and never a value.
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    const name =
      /'(-{1,2}[A-Za-z][\w-]*)/.exec(error instanceof Error ? error.message : '')?.[1] ?? 'an option'
    throw new UsageError(
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? `${name} is not an option` : `${name} was not understood`,
    )
  }
}

/** The number that an option was given. Throws UsageError. */
export function wholeNumber(option: string, given: string, least: number, most: number): number {
  const number = /^\d{1,15}$/.test(given) ? Number(given) : Number.NaN
  if (!(number >= least && number <= most))
    throw new UsageError(`${option} takes a whole number from ${least} to ${most}`)
  return number
}

/** The target of the word that the command line names it by. Throws UsageError. */
export function targetNamed(name: string, kinds: readonly TargetKind[]): TargetKind {
  const kind = kinds.find((known) => known.name === name)
  if (kind === undefined)
    throw new UsageError(`TARGET is one of ${kinds.map((known) => known.name).join(', ')}`)
  return kind
}

/** Text of a file or of the copy without what would steer a terminal. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}

/** Rows of text in columns. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (wide, row) => row.map((cell, at) => Math.max(wide[at] ?? 0, cell.length)),
    [],
  )
  return rows
    .map((row) =>
      row.map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd(widths[at] ?? 0))).join('  '),
    )
    .join('\n')
}
