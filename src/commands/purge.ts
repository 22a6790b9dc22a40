import { readDatabaseUrl, readPurgeSettings } from '../config.ts'
import type { Database } from '../db/client.ts'
import { purgeMigrated, purgeVerified, readHoldings, readPurgeStart } from '../db/purge.ts'
import { StepError } from '../db/step.ts'
import { Failure } from '../errors.ts'
import { purgeDue } from '../forget/purge.ts'
import { type Held, type PurgeReport, purgeReport } from '../forget/report.ts'
import { readMoment } from '../load/moment.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { withDatabase } from './counts.ts'
import { readOptions, table } from './options.ts'
import { rewrite } from './rewrite.ts'
import { terminalLine } from './terminal-line.ts'

export const purge: Command = {
  name: 'purge',
  synopsis: '[--dry-run] [--vacuum] [--json]',
  summary: 'remove the hashes of users whose migration is confirmed and whose grace period is over',
  help: `Users whose migration was confirmed longer ago than MIGRATED_GRACE_SECONDS and PURGE_AFTER_SECONDS lose hash and salt; the
rest of their row stays, and no load brings them back. Nobody else is touched. serve does the same every
PURGE_EVERY_SECONDS. Safe to stop and to run again; sign-ins go on. Prints a report with counts, to be filed.

--dry-run                  say what is due, and change nothing
--verified-before MOMENT   also users whose migration nobody confirmed and whose first right password was given before,
                           as 2025-01-31T12:00:00Z. For providers that never confirm: see docs/forgetting.md
--vacuum                   write the table anew at the end, so that no file of it holds the old bytes. Every sign-in is
                           refused meanwhile, as in an outage
--json                     one JSON object on standard output`,
  run: async (args, io) => {
    const { values } = readOptions(args, {
      'dry-run': { type: 'boolean' },
      'verified-before': { type: 'string' },
      vacuum: { type: 'boolean' },
      json: { type: 'boolean' },
    })
    const dryRun = values['dry-run'] === true
    const vacuum = values.vacuum === true
    if (dryRun && vacuum)
      throw new UsageError('--dry-run changes nothing, so --vacuum has no place beside it')
    const settings = readPurgeSettings(io.env)
    const before = momentOf(values['verified-before'])
    const url = readDatabaseUrl(io.env)
    try {
      const report = await withDatabase(url, async (database) => {
        const { now, table: isTable } = await readPurgeStart(database)
        if (!isTable)
          throw new StepError(
            'legacy.users is a view: remove the hashes beneath it, as docs/forgetting.md says, and run `carryover sync`',
          )
        const ago = (seconds: number) => new Date(now.getTime() - seconds * 1_000)
        const verifiedBefore = earliestOf(
          before ?? (settings.verifiedKeptSeconds === undefined ? null : ago(settings.verifiedKeptSeconds)),
          ago(settings.verifiedGraceSeconds),
        )
        const due = { keptSeconds: settings.keptSeconds, verifiedBefore }
        const complete = dryRun || (await purgeAll(database, due, io))
        const rewritten = vacuum && complete && (await rewrite(url, 'purge', io))
        return purgeReport(await readHoldings(database, { ...due, since: now }), {
          dryRun,
          complete,
          rewritten,
        })
      })
      return tell(report, { json: values.json === true, vacuum }, io)
    } catch (error) {
      return explain(error, io)
    }
  },
}

function momentOf(text: string | undefined): Date | null {
  if (text === undefined) return null
  const micros = readMoment(text)
  if (micros === undefined)
    throw new UsageError('--verified-before takes a moment such as 2025-01-31T12:00:00Z, with its time zone')
  return new Date(Date.UTC(2000, 0, 1) + micros / 1_000)
}

/** Within its grace a verified user may still need the hash, whatever moment was asked for. */
function earliestOf(asked: Date | null, grace: Date): Date | null {
  if (asked === null) return null
  return asked < grace ? asked : grace
}

/** Milliseconds between two batches, for the sign-ins. */
const PAUSE_MS = 5

async function purgeAll(
  database: Database,
  { keptSeconds, verifiedBefore }: { keptSeconds: number; verifiedBefore: Date | null },
  io: Io,
): Promise<boolean> {
  let users = 0
  const line = terminalLine(io)
  const complete = await purgeDue({
    migrated: (most) => purgeMigrated(database, keptSeconds, most),
    verified:
      verifiedBefore === null ? null : (after, most) => purgeVerified(database, verifiedBefore, after, most),
    pause: () => new Promise((later) => setTimeout(later, PAUSE_MS)),
    stop: io.stop,
    told: (_, more) => {
      users += more
      line.at(() => `${users} users`)
    },
  })
  line.clear()
  return complete
}

function explain(error: unknown, io: Io): ExitCode {
  if (error instanceof Failure && error.detail === '55P03') {
    io.err(
      'carryover purge: a load holds the copy: what was purged so far stays so; run it again afterwards\n',
    )
    return 1
  }
  if (!(error instanceof StepError)) throw error
  io.err(`carryover purge: ${error.message}\n`)
  return 1
}

function tell(report: PurgeReport, { json, vacuum }: { json: boolean; vacuum: boolean }, io: Io): ExitCode {
  io.out(json ? `${JSON.stringify(report)}\n` : inWords(report))
  if (!report.complete) io.err('carryover purge: stopped before the end; what was done holds\n')
  return report.complete && report.rewritten === vacuum ? 0 : 1
}

const columns: readonly (readonly [keyof Held, string])[] = [
  ['purgedNow', 'purged now'],
  ['purgedEarlier', 'purged earlier'],
  ['due', 'due'],
  ['withinGrace', 'within grace'],
  ['verified', 'verified'],
  ['unmigrated', 'unmigrated'],
  ['deleted', 'deleted'],
  ['back', 'back again'],
]

function inWords({ asOf, dryRun, rewritten, total, byCohortAndScheme, unlisted }: PurgeReport): string {
  const numbers = (held: Held) => columns.map(([name]) => String(held[name]))
  return [
    dryRun ? 'DRY RUN: nothing was changed; "due" would be purged.\n' : '',
    `${table([
      [`hashes, as of ${asOf}`, ...columns.map(([, head]) => head)],
      ['all', ...numbers(total)],
      ...byCohortAndScheme.map((row) => [`cohort ${row.cohort}, scheme ${row.scheme}`, ...numbers(row)]),
    ])}\n`,
    'purged: removed from the copy. All other columns: still held, and why.\n',
    unlisted > 0 ? `not in the ledger yet, with a hash: ${unlisted}; run carryover sync\n` : '',
    total.back > 0 ? `back again: written into the copy by others after the purge; run carryover sync\n` : '',
    rewritten
      ? 'The table was written anew: its file holds none of the removed hashes. Write-ahead log and backups may.\n'
      : '',
  ].join('')
}
