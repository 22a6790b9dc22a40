import { analyze } from './commands/analyze.ts'
import { audit } from './commands/audit.ts'
import { changes } from './commands/changes.ts'
import { check } from './commands/check.ts'
import { type Command, type ExitCode, type Io, UsageError } from './commands/command.ts'
import { counts } from './commands/counts.ts'
import { demo } from './commands/demo.ts'
import { doctor } from './commands/doctor.ts'
import { erase } from './commands/erase.ts'
import { formats } from './commands/formats.ts'
import { freeze } from './commands/freeze.ts'
import { harden } from './commands/harden.ts'
import { load } from './commands/load.ts'
import { loads } from './commands/loads.ts'
import { migrate } from './commands/migrate.ts'
import { table } from './commands/options.ts'
import { plan } from './commands/plan.ts'
import { probe } from './commands/probe.ts'
import { prove } from './commands/prove.ts'
import { provision } from './commands/provision.ts'
import { purge } from './commands/purge.ts'
import { reconcile } from './commands/reconcile.ts'
import { serve } from './commands/serve.ts'
import { suggest } from './commands/suggest.ts'
import { sync } from './commands/sync.ts'
import { tryLogin } from './commands/try.ts'
import { ConfigError } from './config.ts'
import { SchemaError } from './db/migrate.ts'
import { errorCode, Failure } from './errors.ts'

/** Every command. */
export const commands: readonly Command[] = [
  serve,
  migrate,
  suggest,
  load,
  loads,
  changes,
  harden,
  sync,
  check,
  plan,
  provision,
  freeze,
  reconcile,
  counts,
  purge,
  erase,
  formats,
  analyze,
  tryLogin,
  probe,
  prove,
  doctor,
  audit,
  demo,
]

const usage = `usage: carryover COMMAND [OPTIONS]

${table(commands.map(({ name, synopsis, summary }) => [`  ${`${name} ${synopsis}`.trimEnd()}`, summary]))}

carryover COMMAND --help says more. Settings are environment variables; DATABASE_URL, or DATABASE_URL_FILE, names the
database. Results go to standard output, everything else to standard error.
Exit codes: 0 done, 1 done with problems, 2 not understood.
`

/** argv without node and script, to an exit code. Errors are sentences on standard error. */
export async function run(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [name, ...args] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    if (name === undefined) io.err(usage)
    else io.out(usage)
    return name === undefined ? 2 : 0
  }
  const command = commands.find((known) => known.name === name)
  if (command === undefined) {
    io.err(`carryover: there is no such command\n\n${usage}`)
    return 2
  }
  if (args.includes('--help') || args.includes('-h')) {
    io.out(
      `usage: carryover ${`${command.name} ${command.synopsis}`.trimEnd()}\n\n${command.summary}\n\n${command.help}\n`,
    )
    return 0
  }
  try {
    return await command.run(args, io)
  } catch (error) {
    return explain(error, command, io)
  }
}

function explain(error: unknown, command: Command, io: Io): ExitCode {
  if (error instanceof UsageError || error instanceof ConfigError) {
    io.err(`carryover ${command.name}: ${error.message}\n`)
    return 2
  }
  // Messages of other libraries may quote rows and settings: their code says enough.
  const told =
    error instanceof SchemaError || error instanceof Failure ? error.message : `failed (${errorCode(error)})`
  const detail = error instanceof Failure && error.detail !== undefined ? ` (${error.detail})` : ''
  io.err(`carryover ${command.name}: ${told}${detail}\n`)
  return 1
}
