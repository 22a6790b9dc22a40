import { readDatabaseUrl } from '../config.ts'
import { type Erasee, type Erasure, eraseUser } from '../db/erase.ts'
import { StepError } from '../db/step.ts'
import { type Certificate, certificateOf } from '../forget/certificate.ts'
import { lookupName } from '../input.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { printable, readOptions, table } from './options.ts'

/** Milliseconds. No call of the service takes longer, so whoever was found before the erasure is recorded by then. */
const SETTLED_MS = 5_000

export const erase: Command = {
  name: 'erase',
  synopsis: 'LOGIN | --id ID [--dry-run] [--json]',
  summary: 'forget one person at their request: copy, ledger, outcomes; prints a certificate',
  help: `Deletes the user of this login or e-mail address from the copy and the ledger, takes the id out of the outcomes, and keeps a
keyed digest of the id, so that no load brings the user back. The counts lose one user. Takes five seconds, so that no
sign-in that is under way writes of the user again. The certificate goes to standard output, with a reference of its own
and without the login: note the reference beside the request. Where legacy.users is a view, delete its row beneath first.

--id ID     the user of this id, where several answer to the login or the copy has the user no more
--dry-run   say what would be removed, and change nothing
--json      the certificate as one JSON object`,
  run: async (args, io) => {
    const { values, positionals } = readOptions(
      args,
      { id: { type: 'string' }, 'dry-run': { type: 'boolean' }, json: { type: 'boolean' } },
      args.some((arg) => arg === '--id' || arg.startsWith('--id=')) ? [] : ['LOGIN, or --id ID'],
    )
    const erasee = eraseeOf(values.id, positionals[0])
    const url = readDatabaseUrl(io.env)
    const dryRun = values['dry-run'] === true
    try {
      const erasure = await eraseUser(url, erasee, {
        dryRun,
        settled: () => new Promise((later) => setTimeout(later, SETTLED_MS)),
      })
      return tell(erasure, dryRun, values.json === true, io)
    } catch (error) {
      if (!(error instanceof StepError)) throw error
      io.err(`carryover erase: ${error.message}\n`)
      return 1
    }
  },
}

function eraseeOf(id: string | undefined, login: string | undefined): Erasee {
  if (id !== undefined) {
    if (id === '' || id.includes('\0')) throw new UsageError('--id takes an id')
    return { id }
  }
  const name = lookupName(login ?? '')
  if (name === null) throw new UsageError('LOGIN is nothing that a user can have')
  return { login: name }
}

function tell(erasure: Erasure, dryRun: boolean, json: boolean, io: Io): ExitCode {
  switch (erasure.kind) {
    case 'nobody':
      io.err('carryover erase: nothing is known of such a user, or not any more; nothing was changed\n')
      return 1
    case 'several':
      io.err(
        `carryover erase: several users answer to this login; nothing was changed. Say which one with --id:\n${erasure.ids.map((id) => `  ${printable(id)}\n`).join('')}`,
      )
      return 1
    case 'erased': {
      const certificate = certificateOf(erasure, dryRun)
      io.out(json ? `${JSON.stringify(certificate)}\n` : inWords(certificate))
      if (!erasure.beneathView) return 0
      io.err(
        'carryover erase: legacy.users is a view: the user can sign in until the row is deleted beneath it; then erase again with --id\n',
      )
      return 1
    }
  }
}

function inWords({ reference, at, dryRun, removed, remains }: Certificate): string {
  return [
    dryRun ? 'DRY RUN: nothing was changed. This would be a\n' : '',
    'CERTIFICATE OF ERASURE of one user\n',
    `reference  ${reference}\nerased at  ${at}\n\nrows removed, or made nobody's:\n`,
    `${table(Object.entries(removed).map(([place, rows]) => [`  ${place}`, String(rows)]))}\n`,
    `\nwhat remains:\n${remains.map((sentence) => `  ${sentence}\n`).join('')}`,
  ].join('')
}
