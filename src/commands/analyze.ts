import type { FileHandle } from 'node:fs/promises'
import { type AnalyzeDeps, analyze as analyzeCopy, StoppedError } from '../analyze/analyze.ts'
import { pageOf } from '../analyze/page.ts'
import type { Report } from '../analyze/report.ts'
import { openPrivate, openRowsFile, type RowsFile } from '../analyze/rows-file.ts'
import { tablesOf } from '../analyze/tables.ts'
import { costName } from '../analyze/words.ts'
import { createChecker } from '../checker/checker.ts'
import { readCheckThreads, readDatabaseUrl, readHashSettings } from '../config.ts'
import { readCopy } from '../db/copy-cursor.ts'
import { StepError } from '../db/step.ts'
import { errorCode } from '../errors.ts'
import { hashContextOf } from '../hash-context.ts'
import { classify } from '../hashes/classify.ts'
import type { HashContext } from '../hashes/context.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { readOptions, table } from './options.ts'
import { terminalLine } from './terminal-line.ts'

/** A caller that waits three seconds leaves this much for the check, after the network, the database and a queue. */
const CLOCK_MS = '1200'

export const analyze: Command = {
  name: 'analyze',
  synopsis: '[OPTIONS]',
  summary: 'which rows of the copy can be checked, why not the others, and how long checks take here',
  help: `Reads every row of the copy once, and times real checks of each cost that it finds. Changes nothing. Exit 1 while
there are rows that nothing can check. CHECK_THREADS says how many checks run at once.

--json        one JSON object on standard output
--html FILE   one page with charts, for people
--rows FILE   CSV (id, cohort, defect) of the rows that cannot be read
--clock MS    milliseconds that a caller leaves for one check (default: ${CLOCK_MS})`,
  run: async (args, io) => {
    const { values } = readOptions(args, options)
    const clock = clockOf(values.clock)
    const url = readDatabaseUrl(io.env)
    const threads = readCheckThreads(io.env)
    const context = hashContextOf(readHashSettings(io.env))
    if (values.rows !== undefined && values.rows === values.html)
      throw new UsageError('--rows and --html name one file')
    const rows = await opened('--rows', values.rows, openRowsFile)
    const page = await opened('--html', values.html, openPrivate)
    try {
      const report = await measured(url, { context, clock, threads, io, rows })
      await page?.writeFile(pageOf(report))
      io.out(values.json ? `${JSON.stringify(report)}\n` : inWords(report))
      return report.unread + report.unavailable > 0 ? 1 : 0
    } catch (error) {
      return explain(error, io, rows !== undefined || page !== undefined)
    } finally {
      await Promise.all([rows?.close(), page?.close()])
    }
  },
}

const options = {
  json: { type: 'boolean' },
  html: { type: 'string' },
  rows: { type: 'string' },
  clock: { type: 'string', default: CLOCK_MS },
} as const

function clockOf(text: string): number {
  if (/^\d{1,6}$/.test(text) && Number(text) > 0) return Number(text)
  throw new UsageError('--clock takes milliseconds, a whole number from 1 to 999999')
}

/** Before any work: a path that cannot be written is told at once. */
async function opened<File extends RowsFile | FileHandle>(
  option: string,
  path: string | undefined,
  open: (path: string) => Promise<File>,
): Promise<File | undefined> {
  try {
    return path === undefined ? undefined : await open(path)
  } catch (error) {
    throw new UsageError(`${option} names a file that cannot be written (${errorCode(error)})`)
  }
}

interface Measured extends Pick<AnalyzeDeps, 'clock' | 'threads'> {
  readonly io: Io
  readonly rows: RowsFile | undefined
  readonly context: HashContext
}

async function measured(url: string, { context, clock, threads, io, rows }: Measured): Promise<Report> {
  const progress = analyzeProgress(io)
  const checker = createChecker({ threads, context })
  try {
    await checker.ready()
    return await analyzeCopy({
      rows: readCopy(url, io.stop),
      classify: (stored) => classify(stored, context),
      check: checker.check,
      threads,
      clock,
      keepUnread: async (unread) => rows?.keep(unread),
      progress: progress.at,
      stop: io.stop,
    })
  } finally {
    progress.clear()
    await checker.close()
  }
}

function analyzeProgress(io: Io) {
  const line = terminalLine(io)
  return {
    at: (seen: Parameters<AnalyzeDeps['progress']>[0]) => {
      if ('timing' in seen) line.show(`timing checks: ${costName(seen.timing)}`)
      else if (seen.rows === 0) line.show('grouping equal hashes and salts')
      else line.at((seconds) => `${seen.rows} rows, ${Math.round(seen.rows / seconds)} a second`)
    },
    clear: line.clear,
  }
}

function explain(error: unknown, io: Io, files: boolean): ExitCode {
  const why =
    error instanceof StoppedError || io.stop.aborted
      ? 'stopped before the end'
      : error instanceof StepError
        ? error.message
        : undefined
  if (why === undefined) throw error
  io.err(`carryover analyze: ${why}${files ? '; what was written to files is not complete' : ''}\n`)
  return 1
}

function inWords(report: Report): string {
  return `${tablesOf(report)
    .map(({ title, rows }) => [title, ...(rows.length > 1 ? [table(rows)] : [])].join('\n'))
    .join('\n\n')}\n`
}
