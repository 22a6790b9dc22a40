import { stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import type { Filing, Key } from '../db/filing.ts'
import type { FileOptions } from '../load/shape.ts'
import type { SourceFormat } from '../sources/format.ts'
import { formatNamed, formatOfExtension, sourceFormats } from '../sources/index.ts'
import { BYTES_AS, type BytesAs, DATABASES, type DatabaseKind } from '../sources/sql.ts'
import { UsageError } from './command.ts'
import { fieldsIn } from './load-fields.ts'
import { readOptions } from './options.ts'

/** What `readWish` knows, for a command that takes the same. */
export const loadOptions = {
  format: { type: 'string' },
  map: { type: 'string', multiple: true },
  drop: { type: 'string', multiple: true },
  fields: { type: 'string' },
  cohort: { type: 'string' },
  delimiter: { type: 'string' },
  refused: { type: 'string' },
  'refused-key': { type: 'string', multiple: true },
  'refused-to': { type: 'string' },
  'refused-days': { type: 'string' },
  key: { type: 'string' },
  source: { type: 'string' },
  'update-only': { type: 'boolean' },
  whole: { type: 'boolean' },
  'allow-deletions': { type: 'string' },
  from: { type: 'string' },
  'query-file': { type: 'string' },
  watermark: { type: 'string' },
  full: { type: 'boolean' },
  bytes: { type: 'string' },
  chunk: { type: 'string' },
  'commit-every': { type: 'string' },
  harden: { type: 'boolean' },
  unharden: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  json: { type: 'boolean' },
} as const

/** Rows that are fetched from a source at a time. Some MiB of memory. */
const CHUNK_ROWS = 5_000
/** Percent of a source's users that may be missing from it and deleted without more being said. */
const DELETIONS = 10

/** A query, as it was asked for. */
export interface QueryWish {
  readonly kind: 'query'
  readonly database: DatabaseKind
  readonly queryFile: string
  readonly watermark: string | null
  /** From the beginning, whatever was read before. */
  readonly full: boolean
  readonly chunk: number
  readonly bytes: BytesAs
  /** Rows of one transaction; null: all of them are one. */
  readonly commitEvery: number | null
}

/** A file, as it was asked for. `detect`: its beginning will say what it is. */
export interface FileWish {
  readonly kind: 'file'
  readonly format: 'csv' | 'jsonl' | 'detect' | SourceFormat
}

/** What the command line asks for. */
export interface LoadWish {
  readonly input: FileWish | QueryWish
  readonly file: FileOptions
  readonly filing: Omit<Filing, 'load'>
  readonly refusedPath: string
  readonly reasonsPath: string
  /** `age1...` */
  readonly recipients: readonly string[]
  /** A file of such. */
  readonly recipientsFile: string | null
  readonly refusedDays: number | null
  readonly harden: boolean
  readonly unharden: boolean
  /** Everything is done but keeping it. */
  readonly dry: boolean
  readonly json: boolean
}

export type LoadValues = ReturnType<typeof readOptions<typeof loadOptions>>['values']

/** Throws UsageError. */
export async function readWish(args: readonly string[]): Promise<LoadWish> {
  const { values, positionals } = readOptions(args, loadOptions, positionalsOf(args))
  return wishOf(values, positionals)
}

/** A query stands in the place of FILE. */
export function positionalsOf(args: readonly string[]): readonly string[] {
  return args.some((arg) => arg === '--from' || arg.startsWith('--from=')) ? [] : ['FILE']
}

/** Throws UsageError. */
export async function wishOf(values: LoadValues, positionals: readonly string[]): Promise<LoadWish> {
  const isQuery = values.from !== undefined
  if (values.harden && values.unharden) throw new UsageError('--harden does not go with --unharden')
  const path = isQuery ? '' : (positionals[0] ?? '')
  const input = isQuery ? queryOf(values) : await fileWishOf(path, values)
  const filing = filingOf(values, input)
  const reviewed = values.fields === undefined ? { map: [], drop: [] } : await fieldsIn(values.fields)
  const cohort = values.cohort?.trim() ?? 'default'
  if (cohort === '' || Buffer.byteLength(cohort) > 128 || cohort.includes('\0'))
    throw new UsageError('--cohort takes a name of at most 128 bytes')
  return {
    input,
    file: {
      path,
      format: input.kind === 'file' && input.format === 'csv' ? 'csv' : 'jsonl',
      delimiter: delimiterOf(values.delimiter),
      cohort,
      map: [...reviewed.map, ...(values.map ?? [])],
      drop: [
        ...reviewed.drop,
        ...(values.drop ?? []).flatMap((names) => names.split(',')).filter((name) => name !== ''),
      ],
      withoutHashes: filing.source !== null || filing.key.kind !== 'id' || filing.updateOnly,
    },
    filing,
    ...refusedPathsOf(path, filing.source, input, values.refused),
    recipients: values['refused-key'] ?? [],
    recipientsFile: values['refused-to'] ?? null,
    refusedDays: optional(values['refused-days'], (text) => wholeOf('--refused-days', text, 1, 3_650)),
    harden: values.harden === true,
    unharden: values.unharden === true,
    dry: values['dry-run'] === true,
    json: values.json === true,
  }
}

function queryOf(values: LoadValues): QueryWish {
  const database = DATABASES.find((name) => name === values.from)
  if (database === undefined) throw new UsageError(`--from is ${DATABASES.join(' or ')}`)
  const queryFile = values['query-file']
  if (queryFile === undefined) throw new UsageError('--from needs --query-file, the file of a SELECT')
  if (values.source === undefined)
    throw new UsageError('--from needs --source, a name for where users come from')
  if (values.format !== undefined) throw new UsageError('--format does not go with --from')
  const bytes = BYTES_AS.find((name) => name === (values.bytes ?? 'hex'))
  if (bytes === undefined) throw new UsageError(`--bytes is ${BYTES_AS.join(', ')}`)
  const commitEvery = optional(values['commit-every'], (text) =>
    wholeOf('--commit-every', text, 1, 1_000_000_000),
  )
  if (commitEvery !== null && values.watermark === undefined)
    throw new UsageError('--commit-every needs --watermark, to go on from')
  if (values.watermark !== undefined && (values.watermark === '' || values.watermark.includes('\0')))
    throw new UsageError('--watermark takes the name of a column')
  return {
    kind: 'query',
    database,
    queryFile,
    watermark: values.watermark ?? null,
    full: values.full === true,
    chunk: wholeOf('--chunk', values.chunk ?? String(CHUNK_ROWS), 1, 1_000_000),
    bytes,
    commitEvery,
  }
}

async function fileWishOf(path: string, values: LoadValues): Promise<FileWish> {
  const stray = (['query-file', 'watermark', 'full', 'bytes', 'chunk', 'commit-every'] as const).find(
    (name) => values[name] !== undefined,
  )
  if (stray !== undefined) throw new UsageError(`--${stray} needs --from`)
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
  if (!isFile) throw new UsageError('FILE is not a file that can be read')
  return { kind: 'file', format: formatOf(values.format, extname(path)) }
}

function filingOf(values: LoadValues, input: FileWish | QueryWish): Omit<Filing, 'load'> {
  const key = keyOf(values.key ?? 'id')
  const source = values.source ?? null
  if (source !== null && !/^[\p{L}\p{N}_][\p{L}\p{N}_ .:-]{0,63}$/u.test(source))
    throw new UsageError('--source takes a name of at most 64 letters, digits and _ . : - between')
  const percent = optional(values['allow-deletions'], (text) => wholeOf('--allow-deletions', text, 0, 100))
  if (values.whole && source === null) throw new UsageError('--whole needs --source')
  if (percent !== null && !values.whole) throw new UsageError('--allow-deletions needs --whole')
  if (values.whole && input.kind === 'query') {
    if (input.watermark !== null && !input.full)
      throw new UsageError(
        '--whole does not go with --watermark, which reads what is new, unless --full is said',
      )
    if (input.commitEvery !== null) throw new UsageError('--whole does not go with --commit-every')
  }
  return {
    key,
    source,
    updateOnly: values['update-only'] === true,
    wholeWithin: values.whole ? (percent ?? DELETIONS) : null,
    // Their rows come once: what is refused late is told from the staging table.
    staged: input.kind === 'query' || typeof input.format !== 'string' || input.format === 'detect',
  }
}

function keyOf(text: string): Key {
  if (text === 'id' || text === 'login' || text === 'email') return { kind: text }
  const name = /^profile\.(.{1,64})$/.exec(text)?.[1]
  if (name === undefined) throw new UsageError('--key is id, login, email or profile.NAME')
  return { kind: 'profile', name }
}

function refusedPathsOf(
  path: string,
  source: string | null,
  input: FileWish | QueryWish,
  given: string | undefined,
): { refusedPath: string; reasonsPath: string } {
  const extension = extname(path)
  const base =
    input.kind === 'query'
      ? (source ?? '').replaceAll(/[ :]/g, '-')
      : path.slice(0, path.length - extension.length)
  // What is neither CSV nor JSON Lines is written as the latter.
  const isText = input.kind === 'file' && (input.format === 'csv' || input.format === 'jsonl')
  const refusedPath = given ?? `${base}.refused${isText ? extension : '.jsonl'}`
  const ending = extname(refusedPath)
  const reasonsPath = `${refusedPath.slice(0, refusedPath.length - ending.length)}${ending === '.txt' ? '.reasons.txt' : '.txt'}`
  if (path !== '' && [refusedPath, reasonsPath].some((other) => resolve(other) === resolve(path)))
    throw new UsageError('--refused must name another file than FILE')
  return { refusedPath, reasonsPath }
}

function formatOf(given: string | undefined, extension: string): FileWish['format'] {
  if (given === 'csv' || given === 'jsonl') return given
  if (given !== undefined) {
    const format = formatNamed(given)
    if (format === undefined) throw new UsageError(`--format is ${namesOfFormats()}`)
    return format
  }
  const ending = extension.toLowerCase()
  if (ending === '.csv') return 'csv'
  if (ending === '.jsonl' || ending === '.ndjson') return 'jsonl'
  return formatOfExtension(ending) ?? 'detect'
}

/** `csv, jsonl or ldif` */
export function namesOfFormats(): string {
  const names = ['csv', 'jsonl', ...sourceFormats.map(({ name }) => name)]
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}

function delimiterOf(given = ','): string {
  const delimiter = given === '\\t' ? '\t' : given
  if (delimiter.length !== 1 || /["\r\n\0\ufeff]/.test(delimiter))
    throw new UsageError('--delimiter takes one character, which is neither a quote nor a line break')
  return delimiter
}

function wholeOf(option: string, text: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most))
    throw new UsageError(`${option} takes a whole number from ${least} to ${most}`)
  return value
}

function optional<Value>(text: string | undefined, read: (text: string) => Value): Value | null {
  return text === undefined ? null : read(text)
}
