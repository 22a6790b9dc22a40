import { readDatabaseUrl, readReconcileSettings } from '../config.ts'
import { openConfirmations, readOutboundSettings } from '../config-targets.ts'
import { createChains } from '../db/chains.ts'
import { connectOwner } from '../db/client.ts'
import { standingUsers } from '../db/standings.ts'
import { StepError } from '../db/step.ts'
import { CallFailure } from '../outbound/call.ts'
import { Interrupted } from '../provision/pace.ts'
import { agree, type Comparison, compare, type Said } from '../reconcile/compare.ts'
import type { ReadTally } from '../reconcile/read-log.ts'
import { correctUsers, type LogCaller, logCaller, type Reading, readOn } from '../reconciling.ts'
import { targets } from '../targets/index.ts'
import { RunHalt, troubleOf } from '../targets/target.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { withDatabase } from './counts.ts'
import { printable, readOptions, table, targetNamed, wholeNumber } from './options.ts'
import { terminalLine } from './terminal-line.ts'

/** Those that keep a log. */
const logged = targets.filter(({ confirmations }) => confirmations !== undefined)

export const reconcile: Command = {
  name: 'reconcile',
  synopsis: 'TARGET [OPTIONS]',
  summary: 'read at the provider whose password it holds by now, and correct the ledger',
  help: `Event hooks are best effort, and end for the day where there are too many. This reads the provider's own log from where it was
left, takes what it says of passwords into the ledger, and then asks about single users: the report says what the ledger
has and what the provider says. Who has a password of their own there is migrated from now on; who is migrated here and
not there is only told. serve reads the log every RECONCILE_EVERY_SECONDS where <TARGET>_RECONCILE_... is set. The token
needs to read logs and users, and nothing else. TARGET is one of: ${logged.map(({ name }) => name).join(', ')}. See docs/reconcile.md.

--sample N   ask about so many users, chosen by lot (default: 200; 0: nobody)
--all        ask about everybody, in the order of their ids
--json       one JSON object on standard output`,
  run: async (args, io) => {
    const { values, positionals } = readOptions(args, options, ['TARGET'])
    const kind = targetNamed(positionals[0] ?? '', logged)
    const log = openConfirmations(kind, io.env)
    if (log === undefined) throw new UsageError('the target has no log')
    const sample = values.all ? null : wholeNumber('--sample', values.sample ?? SAMPLE, 0, MOST_SAMPLE)
    const { sinceDays } = readReconcileSettings(io.env)
    const url = readDatabaseUrl(io.env)
    const caller = logCaller(log, readOutboundSettings(io.env), io.stop)
    try {
      return await withDatabase(url, async (database) => {
        const reading = { target: kind.name, log, database, chains: createChains(), sinceDays }
        const read = await readOn(reading, caller.call, io.stop)
        const compared = sample === 0 ? null : await askAbout(url, reading, caller, sample, io)
        return tell({ target: kind.name, read, compared }, values.json === true, io)
      })
    } catch (error) {
      return explain(error, io)
    } finally {
      caller.close()
    }
  },
}

const options = {
  sample: { type: 'string' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

const SAMPLE = '200'
const MOST_SAMPLE = 9_999_999

async function askAbout(
  url: string,
  reading: Reading,
  { call }: LogCaller,
  sample: number | null,
  io: Io,
): Promise<Comparison> {
  const client = await connectOwner(url, 'carryover reconcile')
  const line = terminalLine(io)
  try {
    return await compare({
      users: () => standingUsers(client, reading.target, sample),
      standing: (user) => reading.log.standing(call, user),
      correct: (users) => correctUsers(reading, users),
      progress: (users) => line.at(() => `${users} users`),
      inFlight: reading.log.inFlight,
      stop: io.stop,
    })
  } finally {
    line.clear()
    await client.end().catch(() => {})
  }
}

interface Report {
  readonly target: string
  readonly read: ReadTally
  readonly compared: Comparison | null
}

function tell(report: Report, json: boolean, io: Io): ExitCode {
  io.out(json ? `${JSON.stringify(report)}\n` : inWords(report))
  const { compared } = report
  if (compared?.complete === false) {
    io.err('carryover reconcile: stopped before the end; what was done holds\n')
    return 1
  }
  return compared?.said.some(needsSomebody) ? 1 : 0
}

/** Corrected ones agree by now, and of a reset that is under way nothing can be said yet. */
function needsSomebody({ ledger, provider }: Said): boolean {
  return !agree(ledger, provider) && (provider === 'absent' || provider === 'asks-us')
}

const standings: Readonly<Record<Said['provider'], string>> = {
  'own-password': 'has a password of its own',
  'asks-us': 'will ask us',
  absent: 'has no such user',
  unclear: 'cannot tell',
}

function inWords({ read, compared }: Report): string {
  const { confirmed, repeated, notStored, unknown } = read
  const log = `log: ${confirmed} confirmed, ${repeated} known already, ${notStored} not stored, ${unknown} of nobody in the copy\n`
  if (compared === null) return log
  const rows = compared.said.map(({ ledger, provider, users, examples }) => [
    ledger,
    standings[provider],
    String(users),
    examples.map(printable).join(', '),
  ])
  return `${log}${compared.users} users asked about, ${compared.corrected} of them corrected to migrated\n${
    rows.length > 0 ? `${table([['ledger says', 'provider says', 'users', 'ids'], ...rows])}\n` : ''
  }`
}

function explain(error: unknown, io: Io): ExitCode {
  if (error instanceof Interrupted) {
    io.err('carryover reconcile: stopped before the end; what was done holds\n')
    return 1
  }
  if (error instanceof StepError) io.err(`carryover reconcile: ${error.message}\n`)
  else if (error instanceof RunHalt || error instanceof CallFailure)
    io.err(
      `carryover reconcile: the provider could not be asked (${troubleOf(error)}); what was read so far holds\n`,
    )
  else throw error
  return 1
}
