import { type ParseArgsConfig, parseArgs } from 'node:util'
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
