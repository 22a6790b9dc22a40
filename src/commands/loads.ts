import { readDatabaseUrl } from '../config.ts'
import { type ListedLoad, listLoads } from '../db/loads.ts'
import { StepError } from '../db/step.ts'
import { sheetCell } from '../sheet.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { expireRefused } from './load-expiry.ts'
import { printable, readOptions, table, wholeNumber } from './options.ts'

export const loads: Command = {
  name: 'loads',
  synopsis: '[OPTIONS]',
  summary: 'the history of loads: what each one read, did and refused',
  help: `The newest first, from carryover.loads. A load that was killed says so: nothing of it holds, or, with --commit-every,
what its counts say.

--id N     one load alone
--last N   how many are listed (default: 50)
--expire   delete files of refused rows whose days are over, and that are still as the load left them; every load does
           so as well
--json     one JSON object a line
--csv      a table for a spreadsheet: what it would take for a formula has an apostrophe in front`,
  run: async (args, io) => {
    const { values } = readOptions(args, options)
    if (values.json && values.csv) throw new UsageError('--json does not go with --csv')
    const url = readDatabaseUrl(io.env)
    try {
      if (values.expire) return await expire(url, values.json === true, io)
      const id = values.id === undefined ? null : wholeNumber('--id', values.id, 1, MOST)
      const listed = await listLoads(url, id, wholeNumber('--last', values.last ?? '50', 1, MOST))
      if (id !== null && listed.length === 0) {
        io.err('carryover loads: there is no load of that number\n')
        return 1
      }
      io.out(values.json ? inJson(listed) : values.csv ? inCsv(listed) : inWords(listed))
      return 0
    } catch (error) {
      if (!(error instanceof StepError)) throw error
      io.err(`carryover loads: ${error.message}\n`)
      return 1
    }
  },
}

const options = {
  id: { type: 'string' },
  last: { type: 'string' },
  expire: { type: 'boolean' },
  json: { type: 'boolean' },
  csv: { type: 'boolean' },
} as const

/** Ids and numbers of rows, as far as JavaScript counts them exactly. */
const MOST = 999_999_999_999_999

async function expire(url: string, json: boolean, io: Io): Promise<ExitCode> {
  const expired = await expireRefused(url)
  const { deleted, changed, absent } = expired
  io.out(
    json
      ? `${JSON.stringify(expired)}\n`
      : `${deleted} files deleted; ${changed} were changed since and stay; ${absent} are not here\n`,
  )
  return 0
}

const COUNTS = ['rows', 'added', 'changed', 'unchanged', 'deleted', 'refused'] as const

/** Columns of the tables. */
const COLUMNS = ['id', 'state', 'started', 'ended', 'source', 'format', 'origin', ...COUNTS]

function cellsOf({
  id,
  state,
  startedAt,
  endedAt,
  source,
  format,
  origin,
  counts,
}: ListedLoad): readonly string[] {
  const numbers = COUNTS.map((name) => counts[name] ?? '').map(String)
  return [String(id), state, startedAt, endedAt ?? '', source ?? '', format, origin, ...numbers]
}

function inJson(listed: readonly ListedLoad[]): string {
  return listed.map((load) => `${JSON.stringify(load)}\n`).join('')
}

function inCsv(listed: readonly ListedLoad[]): string {
  const extra = ['sha256', 'refusedUntil', 'watermark']
  const lines = listed.map((load) =>
    [...cellsOf(load), load.digest ?? '', load.refusedUntil ?? '', load.watermark ?? '']
      .map(sheetCell)
      .join(','),
  )
  return `${[[...COLUMNS, ...extra].map(sheetCell).join(','), ...lines].join('\r\n')}\r\n`
}

function inWords(listed: readonly ListedLoad[]): string {
  if (listed.length === 0) return 'nothing has been loaded yet\n'
  const rows = listed.map((load) => cellsOf(load).map((cell) => printable(cell) || '-'))
  const files = listed.flatMap(({ id, refusedFiles, refusedUntil }) =>
    refusedFiles.map(
      ({ path, encrypted }) =>
        `load ${id}: ${printable(path)}${encrypted ? ', encrypted' : ''}${refusedUntil === null ? '' : `, until ${refusedUntil}`}\n`,
    ),
  )
  return `${table([COLUMNS, ...rows])}\n${files.length > 0 ? `\nrefused rows:\n${files.join('')}` : ''}`
}
