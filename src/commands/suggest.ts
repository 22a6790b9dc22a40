import { type FileHandle, open } from 'node:fs/promises'
import { openPrivate } from '../analyze/rows-file.ts'
import { errorCode } from '../errors.ts'
import { detect } from '../hashes/index.ts'
import { FieldsError, isColumn, shown } from '../load/columns.ts'
import { NotLinesError } from '../load/lines.ts'
import { csvSamples, jsonlSamples, rowSamples, type Samples } from '../load/samples.ts'
import { SourceError } from '../load/source-row.ts'
import { suggest as suggestFor } from '../sources/suggest.ts'
import { type Command, type Io, UsageError } from './command.ts'
import type { FieldsFile } from './load-fields.ts'
import { wishOf } from './load-request.ts'
import { openFormat, settledFormat } from './load-source.ts'
import { printable, readOptions, table } from './options.ts'

export const suggest: Command = {
  name: 'suggest',
  synopsis: 'FILE [OPTIONS]',
  summary: 'suggest which field of a file is which column of a load, by name and content',
  help: `Reads the first 1,000 rows of a file and says what each of its fields may be and why, and of which somebody has to look.
No value of the file is told. Nothing is loaded, and no database is needed.

--format NAME     as of \`carryover load\`
--delimiter C     between the cells of a CSV file (default: a comma; \\t for a tab)
--out FILE        write the suggestions as JSON, to be reviewed and kept: "map" has fields and columns, "drop" fields that
                  are not wanted, "review" those that somebody has to look at: correct "map" and "drop", and take
                  them out of "review". Then: carryover load FILE --fields THAT
--force           replace --out where it is there already`,
  run: async (args, io) => {
    const { values, positionals } = readOptions(args, options, ['FILE'])
    const { format, delimiter, out, force } = values
    if (force && out === undefined) throw new UsageError('--force goes with --out')
    const wish = await wishOf(
      { ...(format !== undefined && { format }), ...(delimiter !== undefined && { delimiter }) },
      positionals,
    )
    if (wish.input.kind === 'query') throw new UsageError('expected FILE')
    try {
      const samples = await samplesOf(wish.file.path, await settledFormat(wish.input, wish.file.path), wish)
      requireNames(samples)
      const found = fieldsOf(samples)
      io.out(inWords(found))
      if (samples.broken > 0)
        io.err(`carryover suggest: ${samples.broken} of the first rows could not be read\n`)
      if (out !== undefined) await write(out, force === true, found)
      return 0
    } catch (error) {
      return explain(error, io)
    }
  },
}

const options = {
  format: { type: 'string' },
  delimiter: { type: 'string' },
  out: { type: 'string' },
  force: { type: 'boolean' },
} as const

async function samplesOf(
  path: string,
  format: Awaited<ReturnType<typeof settledFormat>>,
  { file: { delimiter } }: Awaited<ReturnType<typeof wishOf>>,
): Promise<Samples> {
  if (format === 'csv') return csvSamples(path, delimiter)
  if (format === 'jsonl') return jsonlSamples(path)
  const source = await openFormat(format, path)
  try {
    return await rowSamples(source.rows.rows)
  } finally {
    await source.close()
  }
}

/** Only what bears a mark of its family: a guess is not a reason. */
const isHash = (value: string) => detect(value).confidence === 'exact'

/** A file without a header would have the values of its first row told as names. */
function requireNames({ fields, rows }: Samples): void {
  if (fields.length === 0) throw new FieldsError('the file has no row that can be read')
  if (fields.some(({ name }) => name.includes('@') || isHash(name)))
    throw new FieldsError('the first line is not a header: it has an address or a hash')
  if (rows === 0) throw new FieldsError('the file has no row but its header')
}

interface FoundField {
  readonly name: string
  /** null: nothing is suggested. */
  readonly column: string | null
  readonly because: string
  readonly sure: boolean
}

function fieldsOf({ fields }: Samples): readonly FoundField[] {
  // An object, of which nobody has to ask what it is.
  const isProfile = (name: string) => name === 'profile'
  const { suggestions } = suggestFor(
    fields.filter(({ name }) => !isProfile(name)),
    isHash,
  )
  return fields.map(({ name }): FoundField => {
    if (isProfile(name)) return { name, column: name, because: 'name', sure: isColumn(name) }
    const found = suggestions.find(({ field }) => field === name)
    if (found === undefined) return { name, column: null, because: '', sure: false }
    return { name, column: found.column, because: found.because, sure: found.sure }
  })
}

function inWords(found: readonly FoundField[]): string {
  const open = found.filter(({ sure }) => !sure).length
  return `${table([
    ['field', 'column', 'why', ''],
    ...found.map(({ name, column, because, sure }, at) => [
      printable(shown(name, at)),
      column ?? '-',
      because || '-',
      sure ? 'sure' : 'to be looked at',
    ]),
  ])}\n${open === 0 ? 'every field is sure' : `${open} of ${found.length} fields are to be looked at`}\n`
}

async function write(path: string, force: boolean, found: readonly FoundField[]): Promise<void> {
  const fields: FieldsFile = {
    map: Object.fromEntries(
      found.flatMap(({ name, column }) => (column === null ? [] : [[name, column] as const])),
    ),
    drop: [],
    review: found.filter(({ sure }) => !sure).map(({ name }) => name),
  }
  const file = await opened(path, force)
  try {
    await file.writeFile(`${JSON.stringify(fields, null, 2)}\n`)
  } finally {
    await file.close()
  }
}

/** The names of a file say something of its users' system: for its owner alone. */
async function opened(path: string, force: boolean): Promise<FileHandle> {
  try {
    return force ? await openPrivate(path) : await open(path, 'wx', 0o600)
  } catch (error) {
    const code = errorCode(error)
    if (code === 'EEXIST') throw new UsageError('--out is there already: --force replaces it')
    throw new UsageError(`--out names a file that cannot be written (${code})`)
  }
}

function explain(error: unknown, io: Io): 1 {
  if (!(error instanceof FieldsError || error instanceof NotLinesError || error instanceof SourceError))
    throw error
  io.err(`carryover suggest: ${error.message}\n`)
  return 1
}
