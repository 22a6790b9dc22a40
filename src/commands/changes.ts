import type { FileHandle } from 'node:fs/promises'
import { openPrivate } from '../analyze/rows-file.ts'
import { readDatabaseUrl } from '../config.ts'
import {
  type ChangedPassword,
  type ChangedPasswords,
  DECISIONS,
  type Decision,
  leaveChanged,
  listChanged,
  readChanged,
} from '../db/changed-passwords.ts'
import { StepError } from '../db/step.ts'
import { errorCode } from '../errors.ts'
import { sheetCell } from '../sheet.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { printable, readOptions, table, wholeNumber } from './options.ts'

export const changes: Command = {
  name: 'changes',
  synopsis: '[OPTIONS] | --decide leave ID...|--all',
  summary: 'passwords that were changed in the old system after the provider got the right one',
  help: `A load finds them, and nobody's password is touched by that. The newest first, with what was decided about each: open,
left (the provider's password stays), asked-again, reset. The last two are not decided here: a plan that is made with
\`carryover plan TARGET --changed-passwords ask-again\` or \`reset\` has everybody who is open, and provisioning it carries
that out and writes down the decision, user by user. See docs/load.md and docs/provisioning.md. While some are open,
\`carryover freeze --verify\` says so.

--decision WHICH     those alone: open, left, asked-again, reset
--last N             how many are listed (default: 50)
--csv FILE           write all of them as a table for a spreadsheet: what it would take for a formula has an apostrophe in
                     front. For its owner alone; replaces what is there
--json               one JSON object on standard output: counts, and what is listed

--decide leave ID... what is open of these users is left as it is; with --all, what is open of everybody`,
  run: async (args, io) => {
    const asked = requestOf(args)
    const url = readDatabaseUrl(io.env)
    try {
      switch (asked.kind) {
        case 'leave':
          return await leave(url, asked, io)
        case 'csv':
          return await writeAll(url, asked, io)
        case 'list':
          io.out(told(await listChanged(url, asked), asked.json))
          return 0
      }
    } catch (error) {
      if (!(error instanceof StepError)) throw error
      io.err(`carryover changes: ${error.message}\n`)
      return 1
    }
  },
}

const options = {
  decision: { type: 'string' },
  last: { type: 'string' },
  csv: { type: 'string' },
  json: { type: 'boolean' },
  decide: { type: 'string' },
  all: { type: 'boolean' },
} as const

/** As many as a terminal, or a program's memory, has use for; `--csv` has no end. */
const MOST_LISTED = 100_000

interface Leave {
  readonly kind: 'leave'
  /** null: everybody who is open. */
  readonly ids: readonly string[] | null
  readonly json: boolean
}

interface Csv {
  readonly kind: 'csv'
  readonly path: string
  readonly decision: Decision | null
}

interface List {
  readonly kind: 'list'
  readonly decision: Decision | null
  readonly most: number
  readonly json: boolean
}

function requestOf(args: readonly string[]): Leave | Csv | List {
  const { values, positionals: ids } = readOptions(args, options, null)
  const json = values.json === true
  if (values.decide !== undefined) return leaveOf(values, ids)
  if (values.all || ids.length > 0) throw new UsageError('ID and --all go with --decide leave')
  const decision = decisionOf(values.decision)
  if (values.csv === undefined)
    return { kind: 'list', decision, most: wholeNumber('--last', values.last ?? '50', 1, MOST_LISTED), json }
  if (json || values.last !== undefined) throw new UsageError('--csv goes with neither --json nor --last')
  return { kind: 'csv', path: values.csv, decision }
}

type Values = ReturnType<typeof readOptions<typeof options>>['values']

function leaveOf({ decide, all, json, decision, last, csv }: Values, ids: readonly string[]): Leave {
  if (decide !== 'leave')
    throw new UsageError(
      '--decide takes leave: to ask again or to reset, make a plan with carryover plan TARGET --changed-passwords',
    )
  if ((decision ?? last ?? csv) !== undefined)
    throw new UsageError('--decide goes with neither --decision, --last nor --csv')
  if ((all === true) === ids.length > 0) throw new UsageError('--decide leave takes ids, or --all')
  return { kind: 'leave', ids: all ? null : [...new Set(ids)], json: json === true }
}

function decisionOf(given: string | undefined): Decision | null {
  if (given === undefined) return null
  const decision = DECISIONS.find((known) => known === given)
  if (decision === undefined) throw new UsageError(`--decision is one of ${DECISIONS.join(', ')}`)
  return decision
}

async function leave(url: string, { ids, json }: Leave, io: Io): Promise<ExitCode> {
  const left = await leaveChanged(url, ids)
  const others = ids === null ? [] : ids.filter((id) => !left.includes(id))
  io.out(
    json
      ? `${JSON.stringify({ left: left.length, notOpen: others })}\n`
      : `${left.length} left as they are\n`,
  )
  if (others.length === 0) return 0
  io.err(`carryover changes: not open, and unchanged: ${others.map(printable).join(', ')}\n`)
  return 1
}

async function writeAll(url: string, { path, decision }: Csv, io: Io): Promise<ExitCode> {
  const file = await opened(path)
  let users = 0
  try {
    await file.write(`${COLUMNS.map(sheetCell).join(',')}\r\n`)
    await readChanged(url, decision, async (changes) => {
      users += changes.length
      await file.appendFile(
        changes.map((change) => `${cellsOf(change).map(sheetCell).join(',')}\r\n`).join(''),
      )
    })
  } finally {
    await file.close()
  }
  io.out(`${users} written\n`)
  return 0
}

async function opened(path: string): Promise<FileHandle> {
  try {
    return await openPrivate(path)
  } catch (error) {
    throw new UsageError(`--csv names a file that cannot be written (${errorCode(error)})`)
  }
}

const COLUMNS = ['id', 'noticed', 'load', 'decision', 'decided']

function cellsOf({ id, noticedAt, load, decision, decidedAt }: ChangedPassword): readonly string[] {
  return [id, noticedAt, load === null ? '' : String(load), decision, decidedAt ?? '']
}

function told(found: ChangedPasswords, json: boolean): string {
  if (json) return `${JSON.stringify(found)}\n`
  const sums = `${DECISIONS.map((decision) => `${found.counts[decision]} ${decision}`).join(', ')}\n`
  if (found.changes.length === 0) return sums
  const rows = found.changes.map((change) => cellsOf(change).map((cell) => printable(cell) || '-'))
  return `${sums}\n${table([COLUMNS, ...rows])}\n`
}
