import { stat } from 'node:fs/promises'
import { extname, resolve } from 'node:path'
import { readDatabaseUrl, readHashSettings } from '../config.ts'
import { openLoad } from '../db/copy.ts'
import { rowEncoder } from '../db/encode.ts'
import { hasHardened } from '../db/harden.ts'
import { StepError } from '../db/step.ts'
import { errorCode } from '../errors.ts'
import { hashContextOf } from '../hash-context.ts'
import { classify as classifyWith } from '../hashes/classify.ts'
import { encodeFile } from '../load/batches.ts'
import { FieldsError } from '../load/columns.ts'
import { NotLinesError } from '../load/lines.ts'
import { type LoadDeps, type LoadRequest, type LoadSummary, loadFile, StoppedError } from '../load/load.ts'
import { sentenceOf } from '../load/refusals.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { keyedContext } from './harden.ts'
import { encodeHardened } from './load-hardened.ts'
import { encodeOnThread, hasThread } from './load-thread.ts'
import { readOptions } from './options.ts'
import { requireSealed } from './sealed.ts'

export const load: Command = {
  name: 'load',
  synopsis: 'FILE [OPTIONS]',
  summary: 'bring a CSV or JSON Lines file into legacy.users; safe to run again',
  help: `A row replaces what the copy says of its id, and an id that is not in the file is left alone. Columns: id, login,
password_hash (these must be there), email, hash_scheme, salt, status (active, disabled, locked), cohort, profile (a
JSON object), updated_at, deleted (true, false or the moment of it). Everything is loaded or, when something fails,
nothing. Refused rows are named by line and rule, and left out; they go into a file of their own, to be corrected and
loaded again. Users who were erased stay away, and to users whose hash was purged no hash comes back.

--format csv|jsonl      default: by the file's extension (.csv, .jsonl, .ndjson)
--map SOURCE=COLUMN     the file's SOURCE is COLUMN, or profile.NAME to collect it into the profile; repeatable
--drop NAME[,NAME...]   fields of the file that are not wanted; repeatable
--cohort NAME           cohort of rows that name none (default: default)
--delimiter C           between the cells of a CSV file (default: a comma; \\t for a tab)
--refused FILE          where refused rows go (default: users.csv -> users.refused.csv), replacing what is there; the
                        reasons go beside it, into users.refused.txt. They stand there as they were, to be loaded
                        again: not for spreadsheets, which take some cells for formulas. A row of an erased user is
                        named by its line there, and written nowhere
--harden                put Argon2id and a key from outside the database around weak hashes, as \`carryover harden\` does,
                        before they are stored
--unharden              store the hashes of the file as they are, although the copy has hardened ones
--json                  one JSON object on standard output`,
  run: async (args, io) => {
    const { values, positionals } = readOptions(args, options, ['FILE'])
    requireSealed(io)
    const request = await requestOf(positionals[0] ?? '', values)
    const url = readDatabaseUrl(io.env)
    if (values.harden && values.unharden) throw new UsageError('--harden does not go with --unharden')
    const context = values.harden ? keyedContext(io.env) : hashContextOf(readHashSettings(io.env))
    const classify: LoadDeps['classify'] = (stored) => classifyWith(stored, context)
    const progress = progressLine(io)
    const started = performance.now()
    try {
      const summary = await loadFile(request, {
        openLoad: async () => {
          if (!values.harden && !values.unharden && (await hasHardened(url))) throw new StepError(UNDECIDED)
          return openLoad(url)
        },
        encode: values.harden
          ? (job) => encodeHardened(job, context, io.stop)
          : hasThread
            ? (job) => encodeOnThread(job, context)
            : (job) => encodeFile(job, { classify, encoder: rowEncoder }),
        classify,
        progress: progress.at,
        stop: io.stop,
      })
      progress.clear()
      return tell(summary, (performance.now() - started) / 1_000, values.json === true, io)
    } catch (error) {
      progress.clear()
      return explain(error, io)
    }
  },
}

const options = {
  format: { type: 'string' },
  map: { type: 'string', multiple: true },
  drop: { type: 'string', multiple: true },
  cohort: { type: 'string' },
  delimiter: { type: 'string' },
  refused: { type: 'string' },
  harden: { type: 'boolean' },
  unharden: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

const UNDECIDED =
  'the copy has hardened hashes, and rows of the file would replace them: say --harden to harden those too, or --unharden'

interface Values {
  readonly format?: string | undefined
  readonly map?: readonly string[] | undefined
  readonly drop?: readonly string[] | undefined
  readonly cohort?: string | undefined
  readonly delimiter?: string | undefined
  readonly refused?: string | undefined
}

async function requestOf(path: string, values: Values): Promise<LoadRequest> {
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  )
  if (!isFile) throw new UsageError('FILE is not a file that can be read')
  const extension = extname(path)
  const base = path.slice(0, path.length - extension.length)
  const refusedPath = values.refused ?? `${base}.refused${extension}`
  const ending = extname(refusedPath)
  const reasonsPath = `${refusedPath.slice(0, refusedPath.length - ending.length)}${ending === '.txt' ? '.reasons.txt' : '.txt'}`
  if ([refusedPath, reasonsPath].some((other) => resolve(other) === resolve(path)))
    throw new UsageError('--refused must name another file than FILE')
  const cohort = values.cohort?.trim() ?? 'default'
  if (cohort === '' || Buffer.byteLength(cohort) > 128 || cohort.includes('\0'))
    throw new UsageError('--cohort takes a name of at most 128 bytes')
  return {
    path,
    format: formatOf(values.format, extension),
    delimiter: delimiterOf(values.delimiter),
    cohort,
    refusedPath,
    reasonsPath,
    map: values.map ?? [],
    drop: (values.drop ?? []).flatMap((names) => names.split(',')).filter((name) => name !== ''),
  }
}

function formatOf(given: string | undefined, extension: string): LoadRequest['format'] {
  if (given === 'csv' || given === 'jsonl') return given
  if (given !== undefined) throw new UsageError('--format is csv or jsonl')
  const ending = extension.toLowerCase()
  if (ending === '.csv') return 'csv'
  if (ending === '.jsonl' || ending === '.ndjson') return 'jsonl'
  throw new UsageError('the extension of FILE is neither .csv nor .jsonl nor .ndjson: say --format')
}

function delimiterOf(given = ','): string {
  const delimiter = given === '\\t' ? '\t' : given
  if (delimiter.length !== 1 || /["\r\n\0\ufeff]/.test(delimiter))
    throw new UsageError('--delimiter takes one character, which is neither a quote nor a line break')
  return delimiter
}

function explain(error: unknown, io: Io): ExitCode {
  if (error instanceof FieldsError) throw new UsageError(error.message)
  if (error instanceof StoppedError) io.err('carryover load: stopped; nothing was changed\n')
  else if (error instanceof StepError || error instanceof NotLinesError)
    io.err(`carryover load: ${error.message}; nothing was changed\n`)
  else io.err(`carryover load: failed (${errorCode(error)}); nothing was changed\n`)
  return 1
}

function tell(summary: LoadSummary, seconds: number, json: boolean, io: Io): ExitCode {
  const { firstRefused, ...numbers } = summary
  for (const refusal of firstRefused) io.err(`${sentenceOf(refusal)}\n`)
  if (summary.refused > firstRefused.length)
    io.err(`and ${summary.refused - firstRefused.length} more: see ${summary.reasonsPath}\n`)
  if (json) io.out(`${JSON.stringify({ ...numbers, seconds: Number(seconds.toFixed(3)) })}\n`)
  else io.out(inWords(summary, seconds))
  return summary.refused > 0 ? 1 : 0
}

function inWords(summary: LoadSummary, seconds: number): string {
  const {
    rows,
    added,
    changed,
    unchanged,
    deleted,
    refused,
    refusedByRule,
    unusable,
    refusedPath,
    keptPurged,
  } = summary
  const each = (numbers: Readonly<Record<string, number>>) =>
    Object.entries(numbers).map(([name, count]) => `  ${name}  ${count}\n`)
  const defects = Object.values(unusable).reduce((sum, count) => sum + count, 0)
  return [
    `${rows} rows in ${seconds.toFixed(1)} s: ${added} added, ${changed} changed, ${unchanged} unchanged, ${deleted} deleted, ${refused} refused\n`,
    ...(defects > 0
      ? [`${defects} of those added or changed have a hash that cannot be checked:\n`, ...each(unusable)]
      : []),
    ...(keptPurged > 0 ? [`kept purged: ${keptPurged}, whose hash was removed and stays removed\n`] : []),
    ...(refused > 0
      ? [
          refusedPath === null ? 'refused:\n' : `refused, and written to ${refusedPath}:\n`,
          ...each(refusedByRule),
        ]
      : []),
  ].join('')
}

/** A line that is written over, on a terminal; nothing elsewhere. */
function progressLine(io: Io) {
  const started = performance.now()
  let shownAt = started
  let shown = false
  return {
    at: ({ rows, bytes, ofBytes }: { rows: number; bytes: number; ofBytes: number }) => {
      const now = performance.now()
      if (!io.terminal || now - shownAt < 200) return
      shownAt = now
      shown = true
      const rate = Math.round(rows / ((now - started) / 1_000))
      io.err(`\r\x1b[K${rows} rows, ${rate} a second, ${Math.floor((100 * bytes) / Math.max(1, ofBytes))} %`)
    },
    clear: () => {
      if (shown) io.err('\r\x1b[K')
    },
  }
}
