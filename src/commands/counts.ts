import { readDatabaseUrl } from '../config.ts'
import { type Database, openDatabase } from '../db/client.ts'
import { type Counts, readCounts, type Tally } from '../db/counts.ts'
import { recount } from '../db/recount.ts'
import type { Command, ExitCode, Io } from './command.ts'
import { readOptions, table } from './options.ts'

export const counts: Command = {
  name: 'counts',
  synopsis: '[--check] [--json]',
  summary: 'who is unmigrated, verified and migrated',
  help: `--check  count again from scratch, row by row, and say whether the kept counts agree (exit 1 if not)
--json   one JSON object, the same that GET /counts answers`,
  run: async (args, io) => {
    const { values } = readOptions(args, { check: { type: 'boolean' }, json: { type: 'boolean' } })
    const url = readDatabaseUrl(io.env)
    if (values.check) return check(url, io, values.json === true)
    return withDatabase(url, async (database): Promise<ExitCode> => {
      const kept = await readCounts(database)
      io.out(values.json ? `${JSON.stringify(kept)}\n` : formatCounts(kept))
      return 0
    })
  },
}

/** A short-lived pool for a command that reads as the owner. */
export async function withDatabase<Result>(
  url: string,
  work: (database: Database) => Promise<Result>,
): Promise<Result> {
  const database = openDatabase({
    connectionString: url,
    applicationName: 'carryover',
    max: 2,
    min: 0,
    patient: true,
    onLost: () => {},
  })
  try {
    return await work(database)
  } finally {
    await database.end()
  }
}

async function check(url: string, io: Io, json: boolean): Promise<ExitCode> {
  const result = await recount(url)
  if (json) io.out(`${JSON.stringify(result)}\n`)
  else if (result.agree) io.out('the kept counts agree with a full recount\n')
  else
    io.out(
      `the kept counts DISAGREE with a full recount:\n${result.differences.map((line) => `  ${line}\n`).join('')}`,
    )
  return result.agree ? 0 : 1
}

export function formatCounts(kept: Counts): string {
  const numbers = (tally: Tally) =>
    [tally.total, tally.unmigrated, tally.verified, tally.migrated, tally.unverifiable].map(String)
  const head = ['total', 'unmigrated', 'verified', 'migrated', 'unverifiable']
  return `${table([
    [`as of ${kept.asOf}`, ...head],
    ['all', ...numbers(kept)],
    ...kept.cohorts.map((row) => [`cohort ${row.cohort}`, ...numbers(row)]),
    ...kept.schemes.map((row) => [`scheme ${row.scheme}`, ...numbers(row)]),
  ])}\n`
}
