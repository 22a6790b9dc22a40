import { open } from 'node:fs/promises'
import { LineError, readExport, readHeads } from '../audit/lines.ts'
import { type Break, type Verification, verify } from '../audit/verify.ts'
import { readDatabaseUrl } from '../config.ts'
import { withRecord } from '../db/read-record.ts'
import { errorCode } from '../errors.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { readOptions } from './options.ts'

export const audit: Command = {
  name: 'audit',
  synopsis: 'verify [FILE] | export FILE',
  summary: 'whether the record of verdicts is whole, and the record as a file',
  help: `verify         computes the hash of every outcome and of the one before it again, in the database or in an
               exported FILE; exit 1 where a chain is broken
--heads LOG    also looks for every link that the service has written into this log (events record-head):
               whoever can write the database can write a whole new record, and only this shows it
--json         one JSON object

export FILE    writes the record as JSON Lines into a new file that only you can read: the chains, then the
               outcomes. It names users by the old system's ids.`,
  run: async ([what, ...args], io) => {
    if (what === 'verify') return runVerify(args, io)
    if (what === 'export') return runExport(args, io)
    throw new UsageError('expected verify or export')
  },
}

async function runVerify(args: readonly string[], io: Io): Promise<ExitCode> {
  const named = args.length > 0 && !args[0]?.startsWith('-')
  const { values, positionals } = readOptions(
    args,
    { heads: { type: 'string' }, json: { type: 'boolean' } },
    named ? ['FILE'] : [],
  )
  const heads = values.heads === undefined ? [] : await readable(() => readHeads(values.heads ?? ''))
  const [path] = positionals
  const result =
    path === undefined
      ? await withRecord(readDatabaseUrl(io.env), (chains, outcomes) => verify(chains, outcomes, heads))
      : await readable(async () => {
          const { chains, outcomes } = await readExport(path)
          return verify(chains, outcomes, heads)
        })
  io.out(values.json ? `${JSON.stringify(result)}\n` : told(result))
  return result.broken === 0 ? 0 : 1
}

async function readable<Result>(read: () => Promise<Result>): Promise<Result> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof LineError) throw new UsageError(error.message)
    throw new UsageError(`a file cannot be read (${errorCode(error)})`)
  }
}

function told({ chains, outcomes, forgotten, heads, broken, findings }: Verification): string {
  const head = `${outcomes} outcomes in ${chains} chains, ${forgotten} of forgotten people, ${heads} kept links\n`
  if (broken === 0) return `${head}the record is whole\n`
  const lines = findings.map(
    ({ kind, chain, place }) => `  chain ${chain}, outcome ${place}: ${SENTENCES[kind]}\n`,
  )
  const more = broken > findings.length ? `  and ${broken - findings.length} more\n` : ''
  return `${head}the record is BROKEN in ${broken} places:\n${lines.join('')}${more}`
}

const SENTENCES: Record<Break, string> = {
  altered: 'it, or the one before it, is not what was recorded',
  gap: 'outcomes before it are missing',
  'other-user': 'it names another user than was recorded',
  'no-chain': 'its chain is not listed',
  cut: 'the chain does not end as listed',
  'head-missing': 'a link that was kept elsewhere is not in the record',
}

async function runExport(args: readonly string[], io: Io): Promise<ExitCode> {
  const { positionals } = readOptions(args, {}, ['FILE'])
  const file = await readable(() => open(positionals[0] ?? '', 'wx', 0o600))
  try {
    const outcomes = await withRecord(readDatabaseUrl(io.env), async (chains, outcomes) => {
      let written = 0
      const put = (rows: readonly object[]) =>
        file.write(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
      await put(chains)
      for await (const some of outcomes) {
        await put(some)
        written += some.length
      }
      return written
    })
    io.err(`${outcomes} outcomes written\n`)
    return 0
  } finally {
    await file.close()
  }
}
