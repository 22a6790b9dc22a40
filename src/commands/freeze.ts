import { readDatabaseUrl, readHashSettings } from '../config.ts'
import { readOpen, rehearseFreeze, type SourceStanding } from '../db/freeze.ts'
import { StepError } from '../db/step.ts'
import { errorCode } from '../errors.ts'
import { hashContextOf } from '../hash-context.ts'
import { FieldsError } from '../load/columns.ts'
import { NotLinesError } from '../load/lines.ts'
import { StoppedError } from '../load/load.ts'
import { SourceError } from '../load/source-row.ts'
import { MappingError } from '../mapping/json.ts'
import { targets } from '../targets/index.ts'
import type { TargetKind } from '../targets/target.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { type FreezeLine, sourceLines, targetLines, tellFreeze } from './freeze-lines.ts'
import { planNow } from './freeze-plan.ts'
import { keyedContext } from './harden.ts'
import { bringAll } from './load.ts'
import { type LoadWish, loadOptions, positionalsOf, wishOf } from './load-request.ts'
import { progressLine } from './load-told.ts'
import { inLines } from './mapping-file.ts'
import { readOptions } from './options.ts'
import { requireSealed } from './sealed.ts'

export const freeze = freezeFor(targets)

/** @param kinds the targets that the command knows */
export function freezeFor(kinds: readonly TargetKind[]): Command {
  return {
    name: 'freeze',
    synopsis: '--verify --source NAME FILE|--from DATABASE [OPTIONS]',
    summary: 'prove before the cut-over that neither the copy nor a target is behind; changes nothing',
    help: `Reads a whole source once more, as \`carryover load\` would, compares it with the copy in a transaction that is rolled back,
and says of each thing that must hold whether it does, with how many users are behind and up to five of them by id. Give it
the options that the source is loaded with: --format, --map, --drop, --fields, --key, --cohort, --query-file, --watermark,
--harden and the others. A query is read from its beginning, as with --full; what says where refused rows go and how a load
is committed is taken and not used. Loads are refused meanwhile, sign-ins go on. See docs/freeze.md.

--verify         there is nothing else that this command does
--source NAME    the source that is read, under the name that it is loaded with
--target TARGET  also: a plan that is made now would bring nobody, and of the newest plan everybody is done. The plan is
                 made with the options of the newest plan, for every cohort, and not kept; the target is not called
--mapping FILE   where fields go at the target (default: as in the newest plan)
--json           one JSON object on standard output

Exit code 0: nothing is behind. 1: something is, or it could not be found out.`,
    run: async (args, io) => {
      const asked = await requestOf(args, kinds)
      if (asked.kind?.impossible !== undefined) {
        io.err(`carryover freeze: ${asked.kind.impossible}\n`)
        return 1
      }
      requireSealed(io)
      try {
        const lines = [...(await linesOfSource(asked, io)), ...(await linesOfTarget(asked, io))]
        return tellFreeze(asked, lines, io)
      } catch (error) {
        return explain(error, io)
      }
    },
  }
}

const options = {
  ...loadOptions,
  verify: { type: 'boolean' },
  target: { type: 'string' },
  mapping: { type: 'string' },
} as const

interface Asked {
  readonly wish: LoadWish
  readonly source: string
  readonly kind: TargetKind | undefined
  readonly mapping: string | undefined
  readonly json: boolean
}

async function requestOf(args: readonly string[], kinds: readonly TargetKind[]): Promise<Asked> {
  const { values, positionals } = readOptions(args, options, positionalsOf(args))
  const { verify, target, mapping, ...loaded } = values
  if (verify !== true) throw new UsageError('say --verify: there is nothing else that this command does')
  if (loaded.source === undefined) throw new UsageError('--source is missing, the name of what is read')
  if (mapping !== undefined && target === undefined) throw new UsageError('--mapping needs --target')
  const kind = kinds.find((known) => known.name === target)
  if (target !== undefined && kind === undefined)
    throw new UsageError(`--target is one of ${kinds.map(({ name }) => name).join(', ')}`)
  const wish = await wishOf(loaded.from === undefined ? loaded : { ...loaded, full: true }, positionals)
  return { wish, source: loaded.source, kind, mapping, json: values.json === true }
}

async function linesOfSource({ wish, source }: Asked, io: Io): Promise<readonly FreezeLine[]> {
  const url = readDatabaseUrl(io.env)
  const { rehearsal, standing } = rehearseFreeze(source)
  const progress = progressLine(io)
  try {
    const { summary } = await bringAll({
      url,
      // Users who are missing are told, and not made up for; hashes that are hardened are compared with --harden alone.
      wish: { ...wish, filing: { ...wish.filing, wholeWithin: null }, unharden: !wish.harden },
      context: wish.harden ? keyedContext(io.env) : hashContextOf(readHashSettings(io.env)),
      seal: undefined,
      rehearsal,
      progress: progress.at,
      io,
      history: undefined,
      complete: true,
      committed: 0,
    })
    return sourceLines(found(standing()), summary, isMarked(wish))
  } finally {
    progress.clear()
  }
}

function found(standing: SourceStanding | undefined): SourceStanding {
  if (standing === undefined) throw new StoppedError('the source was not read to its end')
  return standing
}

function isMarked({ input }: LoadWish): boolean {
  return input.kind === 'query' && input.watermark !== null
}

async function linesOfTarget({ kind, mapping }: Asked, io: Io): Promise<readonly FreezeLine[]> {
  const url = readDatabaseUrl(io.env)
  const open = await readOpen(url, kind?.name ?? null)
  const now = kind === undefined ? null : await planNow({ url, kind, mapping, newest: open.plan }, io)
  return targetLines(open, now)
}

function explain(error: unknown, io: Io): ExitCode {
  if (error instanceof UsageError) throw error
  if (error instanceof FieldsError) throw new UsageError(error.message)
  if (error instanceof MappingError) throw new UsageError(inLines(error).trimEnd())
  const known = error instanceof StepError || error instanceof NotLinesError || error instanceof SourceError
  // Reading from a source is stopped by taking its connection away.
  const reason =
    io.stop.aborted || error instanceof StoppedError
      ? 'stopped'
      : known
        ? error.message
        : `failed (${errorCode(error)})`
  io.err(`carryover freeze: ${reason}; nothing was proved, and nothing was changed\n`)
  return 1
}
