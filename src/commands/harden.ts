import { availableParallelism } from 'node:os'
import { readDatabaseUrl, readHashSettings } from '../config.ts'
import { type HardeningOfCopy, openHardening } from '../db/harden.ts'
import { StepError } from '../db/step.ts'
import { duration } from '../duration.ts'
import { type HardenSummary, hardenCopy } from '../harden/copy.ts'
import { createHardenPool } from '../harden/pool.ts'
import { hashContextOf } from '../hash-context.ts'
import type { HashContext } from '../hashes/context.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { printable, readOptions, table } from './options.ts'
import { rewrite } from './rewrite.ts'
import { requireSealed } from './sealed.ts'
import { terminalLine } from './terminal-line.ts'

export const harden: Command = {
  name: 'harden',
  synopsis: '[OPTIONS]',
  summary: 'put Argon2id and a key from outside the database around weak hashes of the copy',
  help: `What is stored of a weak hash becomes Argon2id of its digest, encrypted under the key in the file hardening_key of
HASH_SECRETS_DIR; the passwords stay what they are. Only loading the rows again makes that undone. Safe to stop and to
run again, and sign-ins go on: first give the key to the service. The cost is that of HARDEN_MEMORY_KIB, HARDEN_PASSES
and HARDEN_LANES. See docs/harden.md.

--dry-run      only count what would be done
--threads N    threads that compute (default: cores)
--vacuum       at the end write the table anew, without the old digests in its dead rows; nobody can sign in meanwhile
--json         one JSON object on standard output`,
  run: async (args, io) => {
    const { values } = readOptions(args, options)
    requireSealed(io)
    const dry = values['dry-run'] === true
    if (dry && values.vacuum) throw new UsageError('--vacuum does not go with --dry-run')
    const threads = threadsOf(values.threads)
    const url = readDatabaseUrl(io.env)
    const context = keyedContext(io.env)
    try {
      const copy = await openHardening(url)
      try {
        const summary = await hardenAll(copy, context, { dry, threads }, io)
        io.out(values.json ? `${JSON.stringify(summary)}\n` : inWords(summary, dry))
        return await finish(url, summary, { dry, vacuum: values.vacuum === true }, io)
      } finally {
        await copy.close()
      }
    } catch (error) {
      if (!(error instanceof StepError)) throw error
      io.err(`carryover harden: ${error.message}; what was done before holds\n`)
      return 1
    }
  },
}

const options = {
  'dry-run': { type: 'boolean' },
  threads: { type: 'string' },
  vacuum: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

const MOST_THREADS = 64

export function threadsOf(given: string | undefined): number {
  if (given === undefined) return Math.min(MOST_THREADS, availableParallelism())
  const threads = Number(given)
  if (!/^[1-9]\d?$/.test(given) || threads > MOST_THREADS)
    throw new UsageError(`--threads takes a whole number up to ${MOST_THREADS}`)
  return threads
}

/** The context of the settings, where there is a key. Throws UsageError. */
export function keyedContext(env: Io['env']): HashContext {
  const context = hashContextOf(readHashSettings(env))
  if (context.hardening === undefined)
    throw new UsageError('HASH_SECRETS_DIR has no file hardening_key: see docs/harden.md')
  return context
}

async function hardenAll(
  copy: HardeningOfCopy,
  context: HashContext,
  { dry, threads }: { dry: boolean; threads: number },
  io: Io,
): Promise<HardenSummary> {
  const progress = hardenProgress(io, io.terminal ? await copy.count() : 0)
  const pool = await createHardenPool(context, { threads, dry })
  try {
    return await hardenCopy({ copy, dry, harden: pool.harden, progress: progress.at, stop: io.stop })
  } finally {
    progress.clear()
    await pool.close()
  }
}

async function finish(
  url: string,
  { total, complete }: HardenSummary,
  { dry, vacuum }: { dry: boolean; vacuum: boolean },
  io: Io,
): Promise<ExitCode> {
  if (!complete) {
    io.err('carryover harden: stopped before the end; what was done holds\n')
    return 1
  }
  const clean = !vacuum || (await rewrite(url, 'harden', io))
  if (!vacuum && !dry && total.wrapped > 0) io.err(leftBehind)
  if (total['changed-meanwhile'] === 0) return clean ? 0 : 1
  io.err('carryover harden: some rows were changed meanwhile and left as they are: run it again\n')
  return 1
}

const leftBehind = `carryover harden: the old digests are still in dead rows of the table until it is written anew
(carryover harden --vacuum), and in the write-ahead log, replicas and backups until those expire
`

function inWords({ rows, total, schemes }: HardenSummary, dry: boolean): string {
  const head = ['scheme', dry ? 'to wrap' : 'wrapped', 'wrapped before', 'strong', 'not possible', 'unusable']
  const body = schemes.map((row) => [
    printable(row.scheme),
    String(row.wrapped),
    String(row.hardened + row.resealed),
    String(row.strong),
    String(row['not-possible']),
    String(row.unusable),
  ])
  const sealed = `${total.resealed} ${dry ? 'to be sealed' : 'sealed'} with the new key, `
  return [
    `${table([head, ...body])}\n\n`,
    `${rows} hashes: ${total.wrapped} ${dry ? 'to be wrapped' : 'wrapped'}, ${total.hardened} wrapped before, `,
    total.resealed > 0 ? sealed : '',
    `${total.strong} left because they are strong, ${total['not-possible']} weak ones left that cannot be wrapped, `,
    `${total.unusable} unusable\n`,
  ].join('')
}

function hardenProgress(io: Io, ofRows: number) {
  const line = terminalLine(io)
  return {
    at: (rows: number, wrapped: number) =>
      line.at((seconds) => {
        const rate = rows / seconds
        const left = duration(Math.max(0, ofRows - rows) / rate)
        return `${rows} of ${ofRows} rows, ${wrapped} wrapped, ${rate.toFixed(0)} a second, ${left} left`
      }),
    clear: line.clear,
  }
}
