import { readDatabaseUrl, readHashSettings } from '../config.ts'
import { openLoad, type Rehearsal } from '../db/copy.ts'
import { rowEncoder } from '../db/encode.ts'
import type { Filing } from '../db/filing.ts'
import { hasHardened } from '../db/harden.ts'
import { beginHistory, keptWatermark, type LoadHistory } from '../db/loads.ts'
import { StepError } from '../db/step.ts'
import { hashContextOf } from '../hash-context.ts'
import { classify as classifyWith } from '../hashes/classify.ts'
import type { HashContext } from '../hashes/context.ts'
import { type EncodeJob, encodeFile } from '../load/batches.ts'
import {
  inChunks,
  type LoadDeps,
  type Loaded,
  type LoadRequest,
  loadAll,
  StoppedError,
} from '../load/load.ts'
import type { Seal } from '../load/refusals.ts'
import type { SourceRows } from '../load/source-row.ts'
import type { Command, Io } from './command.ts'
import { keyedContext } from './harden.ts'
import { expireRefused } from './load-expiry.ts'
import { encodeHardened } from './load-hardened.ts'
import { type LoadWish, type QueryWish, readWish } from './load-request.ts'
import { sealOf } from './load-sealing.ts'
import { openFormat, openQuery, originOf, settledFormat, withWatermark } from './load-source.ts'
import { addLoaded } from './load-sum.ts'
import { encodeOnThread, hasThread } from './load-thread.ts'
import { explainLoad, progressLine, tellLoad } from './load-told.ts'
import { requireSealed } from './sealed.ts'

export const load: Command = {
  name: 'load',
  synopsis: 'FILE|--from DATABASE [OPTIONS]',
  summary: 'bring users from a file or a query into legacy.users; safe to run again',
  help: `A row replaces what the copy says of its id, and an id that is not in the file is left alone. Columns: id, login,
password_hash (these must be there), email, hash_scheme, salt, status (active, disabled, locked), cohort, profile (a
JSON object), updated_at, deleted (true, false or the moment of it). Everything is loaded or, when something fails,
nothing. Refused rows are named by line and rule, and left out; they go into a file of their own, to be corrected and
loaded again. Users who were erased stay away, and to users whose hash was purged no hash comes back.

--format NAME           csv, jsonl, or another that docs/load.md lists; default: by the file's extension or beginning
--map SOURCE=COLUMN     the file's SOURCE is COLUMN, or profile.NAME to collect it into the profile; repeatable
--drop NAME[,NAME...]   fields of the file that are not wanted; repeatable
--fields FILE           both, from a file that \`carryover suggest\` has written and somebody has reviewed; --map and --drop
                        add to it
--cohort NAME           cohort of rows that name none (default: default)
--delimiter C           between the cells of a CSV file (default: a comma; \\t for a tab)
--refused FILE          where refused rows go (default: users.csv -> users.refused.csv), replacing what is there; the
                        reasons go beside it, into users.refused.txt. They stand there as they were, to be loaded
                        again: not for spreadsheets, which take some cells for formulas. A row of an erased user is
                        named by its line there, and written nowhere
--refused-key age1...   encrypt refused rows to a public key of age, into FILE.age; repeatable
--refused-to FILE       likewise, to every key of a file
--refused-days N        the files of refused rows are deleted after N days, by the next load or \`carryover loads --expire\`

--source NAME           remember that these users come from NAME: a row whose user was filed under another id finds it again
--key KEY               the row is about the user who has its KEY: id (default), login, email or profile.NAME. Of several
                        users with it, or several rows, the row is refused; of none it is added under its own id
--update-only           change what a row has a value for, and add nobody. Also when a file or a query with --source or
                        --key has no password_hash; its profile is merged into the one that is there
--whole                 with --source: the file has all users of it. Who came from there alone and is not in it is deleted
--allow-deletions N     percent of the source's users that may go so (default: 10)

--from DATABASE         postgresql or mysql: read a query there in place of FILE, in a transaction that cannot write. The
                        connection string is SOURCE_DATABASE_URL or SOURCE_DATABASE_URL_FILE. Needs --source
--query-file FILE       a SELECT whose columns are those of a file
--watermark COLUMN      a column of the query that grows with every change: read what is at or after its greatest value
                        of the last load that was committed
--full                  read everything all the same
--commit-every N        make a transaction of every N rows, so that an end in the middle costs one of them alone
--chunk N               rows that are fetched at a time (default: 5000)
--bytes hex|base64|utf8 how columns of bytes become text (default: hex)

--harden                put Argon2id and a key from outside the database around weak hashes, as \`carryover harden\` does,
                        before they are stored
--unharden              store the hashes of the file as they are, although the copy has hardened ones
--dry-run               say what the load would do and refuse, by the same comparison, and change nothing: no file of refused
                        rows is written, and the history does not know of it
--json                  one JSON object on standard output`,
  run: async (args, io) => {
    const wish = await readWish(args)
    requireSealed(io)
    const url = readDatabaseUrl(io.env)
    const context = wish.harden ? keyedContext(io.env) : hashContextOf(readHashSettings(io.env))
    const seal = await sealOf(wish.recipients, wish.recipientsFile)
    const progress = progressLine(io)
    const rehearsal: Rehearsal | null = wish.dry ? (_, compare) => compare() : null
    const started = performance.now()
    const run: Run = {
      ...{ url, wish, context, seal, rehearsal, progress: progress.at, io },
      ...{ history: undefined, complete: true, committed: 0 },
    }
    try {
      const { summary } = await bringAll(run)
      progress.clear()
      return tellLoad(summary, (performance.now() - started) / 1_000, wish, io)
    } catch (error) {
      progress.clear()
      // Reading from a source is stopped by taking its connection away.
      const reason = io.stop.aborted ? new StoppedError('stopped') : error
      await run.history?.end(reason instanceof StoppedError ? 'stopped' : 'failed').catch(() => {})
      return explainLoad(reason, run.committed, io)
    } finally {
      await run.history?.close()
    }
  },
}

const UNDECIDED =
  'the copy has hardened hashes, and rows of the file would replace them: say --harden to harden those too, or --unharden'

/** One call of the command. */
export interface Run {
  readonly url: string
  readonly wish: LoadWish
  readonly context: HashContext
  readonly seal: Seal | undefined
  readonly progress: LoadDeps['progress']
  readonly io: Io
  /** What is done in place of keeping it. */
  readonly rehearsal: Rehearsal | null
  /** From when it is known that there is something to load; never of a rehearsal. */
  history: LoadHistory | undefined
  /** All that the source has is read, not only what is new. */
  complete: boolean
  /** Rows of parts that are committed. */
  committed: number
}

/** Does what was asked for, or rehearses it. Throws what `explainLoad` tells. */
export async function bringAll(run: Run): Promise<Loaded> {
  const { input, file } = run.wish
  const { refusedPath, reasonsPath } = run.wish
  if (input.kind === 'query') return bringQuery(run, input)
  const format = await settledFormat(input, file.path)
  const request = { ...file, filing: filingOf(run), refusedPath, reasonsPath, dry: run.rehearsal !== null }
  if (typeof format === 'string')
    return loadAll(request, depsOf(run, { format, origin: originOf(input, file.path, run.io) }))
  const source = await openFormat(format, file.path)
  try {
    return await loadAll(
      { ...request, source: source.rows },
      depsOf(run, { format: format.name, origin: originOf(input, file.path, run.io) }),
    )
  } finally {
    await source.close()
  }
}

async function bringQuery(run: Run, input: QueryWish): Promise<Loaded> {
  const { file, refusedPath, reasonsPath } = run.wish
  const named = { format: input.database, origin: originOf(input, '', run.io) }
  // Before the source is asked: how far it was read stands there.
  const last = await begin(run, named)
  run.complete = input.watermark === null || input.full || last === null
  const fields = withWatermark(file, input.watermark)
  const opened = await openQuery(input, fields, last, run.io)
  const request = { ...fields, filing: filingOf(run), refusedPath, reasonsPath, dry: run.rehearsal !== null }
  const cut = () => void opened.close()
  run.io.stop.addEventListener('abort', cut)
  try {
    const deps = depsOf(run, named, () => opened.rows.watermark?.() ?? null)
    return input.commitEvery === null || run.rehearsal !== null
      ? await loadAll({ ...request, source: opened.rows }, deps)
      : await bringParts(run, request, opened.rows, input.commitEvery, deps)
  } finally {
    run.io.stop.removeEventListener('abort', cut)
    await opened.close()
  }
}

/** Every part is a transaction with a watermark and files of its own. */
async function bringParts(
  run: Run,
  request: LoadRequest,
  source: SourceRows,
  most: number,
  deps: LoadDeps,
): Promise<Loaded> {
  const nextPart = inChunks(source, most)
  let sum: Loaded | undefined
  for (let part = 1; ; part++) {
    const rows = await nextPart()
    if (rows === null && sum !== undefined) break
    const before = sum
    const loaded = await loadAll(
      {
        ...request,
        source: rows ?? { ...source, rows: nothing() },
        refusedPath: numbered(request.refusedPath, part),
        reasonsPath: numbered(request.reasonsPath, part),
      },
      {
        ...deps,
        progress: (at) => deps.progress({ ...at, rows: at.rows + run.committed }),
        recordOf: (one) => recordOf(run, addLoaded(before, one), 'running', source.watermark?.() ?? null),
      },
    )
    run.committed += loaded.summary.rows
    sum = addLoaded(sum, loaded)
  }
  await run.history?.end('done')
  return sum
}

async function* nothing(): AsyncGenerator<never> {}

/** `users.refused.jsonl` -> `users.refused.0001.jsonl` */
function numbered(path: string, part: number): string {
  return path.replace(/(\.[^./]*)?$/, (ending) => `.${String(part).padStart(4, '0')}${ending}`)
}

function filingOf({ wish, history }: Run): Filing {
  return { ...wish.filing, load: history?.id ?? null }
}

/** Says how far the source was read before. A rehearsal has no history. */
async function begin(run: Run, named: { format: string; origin: string }): Promise<string | null> {
  const { source } = run.wish.filing
  if (run.rehearsal !== null) return keptWatermark(run.url, source)
  if (run.history === undefined) {
    run.history = await beginHistory(run.url, { ...named, source })
    if (run.history.anyDue) await expireRefused(run.url)
  }
  return run.history.watermark
}

function depsOf(
  run: Run,
  named: { format: string; origin: string },
  watermark: () => string | null = () => null,
): LoadDeps {
  const { url, wish, context, seal, rehearsal, io } = run
  const classify: LoadDeps['classify'] = (stored) => classifyWith(stored, context)
  const here = (job: EncodeJob) => encodeFile(job, { classify, encoder: rowEncoder })
  return {
    openLoad: async (filing) => {
      await begin(run, named)
      if (!wish.harden && !wish.unharden && (await hasHardened(url))) throw new StepError(UNDECIDED)
      const load = run.history?.id ?? null
      return openLoad(url, filing && { ...filing, load }, rehearsal ?? undefined)
    },
    encode: wish.harden
      ? (job) => encodeHardened(job, context, io.stop)
      : // A query's connection stays with this thread.
        (job) => (hasThread && job.source === undefined ? encodeOnThread(job, context) : here(job)),
    classify,
    progress: run.progress,
    stop: io.stop,
    recordOf: (loaded) => recordOf(run, loaded, 'done', watermark()),
    ...(seal && { seal }),
  }
}

function recordOf(
  { wish, complete }: Run,
  { summary, digest, refusedFiles }: Loaded,
  state: 'running' | 'done',
  watermark: string | null,
) {
  const { firstRefused: _, refusedPath: __, reasonsPath: ___, ...told } = summary
  const counts = { ...told, complete }
  return { state, counts, digest, refusedFiles, refusedDays: wish.refusedDays, watermark }
}
