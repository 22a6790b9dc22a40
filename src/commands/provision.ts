import type pg from 'pg'
import { readDatabaseUrl, readHashSettings } from '../config.ts'
import { openTarget, readOutboundSettings } from '../config-targets.ts'
import { connectOwner, type Database, openDatabase } from '../db/client.ts'
import { appliedRules } from '../db/fixes.ts'
import { checkSchema } from '../db/migrate.ts'
import {
  controlPlan,
  newOwner,
  openPresence,
  openRunStore,
  type PlanControl,
  type PlanState,
  readFailed,
  type Steered,
} from '../db/plan-items.ts'
import { copyDigest, provisionKey, readPlan, type StoredPlan } from '../db/plans.ts'
import { type ProvisionedPlan, readProvisioning } from '../db/provisioning.ts'
import { hashContextOf } from '../hash-context.ts'
import { portableOf } from '../hashes/portable.ts'
import { MappingError } from '../mapping/json.ts'
import { preparedBy } from '../mapping/prepare.ts'
import type { FixRule } from '../mapping/user.ts'
import { createCaller } from '../outbound/client.ts'
import { withoutSecrets } from '../outbound/unsaid.ts'
import { canonicalJson, contentDigest, hashDigest } from '../provision/content.ts'
import { fileOfPlan, openLineFile } from '../provision/line-file.ts'
import { readied } from '../provision/order.ts'
import type { PlanContent } from '../provision/plan.ts'
import { createProgress, failedOf, inOneLine, states } from '../provision/progress.ts'
import { toldOf } from '../provision/reasons.ts'
import { type RunDeps, type RunEnd, runPlan, UNAVAILABLE } from '../provision/run.ts'
import { targets } from '../targets/index.ts'
import type { TargetKind } from '../targets/target.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { readMappingFile } from './mapping-file.ts'
import { printable, readOptions, wholeNumber } from './options.ts'
import { writeFailed } from './provision-failed.ts'
import { requireSealed } from './sealed.ts'
import { terminalLine } from './terminal-line.ts'

const help = `Works off a plan of \`carryover plan\`, together with every other process that does so, on this machine or on others. It
may be killed at any moment: what it had begun is looked for at the target and done again by others, half a minute later.
Every user ends as created, updated, unchanged, removed, refused, postponed or left-out. It begins only while copy, rules
and settings are those of the plan; users who change later are postponed to the next plan. See docs/provisioning.md.

--share N        percent of the target's rate limit to use, the rest is for live sign-ins (default: the plan's)
--speed N|max    calls a minute at most, of all processes together. Where processes are at work already, it only
                 tells them, and they follow within two seconds
--mapping FILE   refuse to begin unless the plan was made with this mapping
--pause          all processes finish what is in flight, and wait
--resume         go on with a plan that was paused
--stop           end the plan for good; what is pending stays pending, and a new plan takes over
--status         how far it is
--only-failed    try those again who were refused or postponed
--failed FILE    write those users to FILE, JSON Lines that \`carryover load\` reads again, hashes included, and the reasons
                 to FILE.reasons.csv; nothing else is done
--json           one JSON object on standard output

Exit code 1: some were refused or postponed, or it has not come to its end.`

export const provision = provisionFor(targets)

/** @param kinds the targets that the command knows */
export function provisionFor(kinds: readonly TargetKind[]): Command {
  return {
    name: 'provision',
    synopsis: 'PLAN [OPTIONS]',
    summary: 'bring users to a target as a plan says; safe to kill and to run again',
    help,
    run: async (args, io) => {
      const { values, positionals } = readOptions(args, options, ['PLAN'])
      const plan = (positionals[0] ?? '').toLowerCase()
      if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(plan))
        throw new UsageError('PLAN is the id that `carryover plan` has told')
      const asked = readRequest(values)
      const url = readDatabaseUrl(io.env)
      const database = openDatabase({
        connectionString: url,
        applicationName: 'carryover provision',
        max: 6,
        min: 0,
        patient: true,
        onLost: () => {},
      })
      try {
        await checkSchema(database)
        return await obey(asked, { plan, url, database, kinds, io, json: values.json === true })
      } finally {
        await database.end()
      }
    },
  }
}

const options = {
  share: { type: 'string' },
  speed: { type: 'string' },
  mapping: { type: 'string' },
  pause: { type: 'boolean' },
  resume: { type: 'boolean' },
  stop: { type: 'boolean' },
  status: { type: 'boolean' },
  'only-failed': { type: 'boolean' },
  failed: { type: 'string' },
  json: { type: 'boolean' },
} as const

type Values = ReturnType<typeof readOptions<typeof options>>['values']

type Request =
  | { readonly kind: 'pause' | 'stop' | 'status' }
  | { readonly kind: 'failed'; readonly path: string }
  | {
      readonly kind: 'run'
      readonly from: 'begin' | 'resume' | 'only-failed'
      readonly share: number | null
      /** undefined: as it is; null: what the target allows. */
      readonly speed: number | null | undefined
      readonly mapping: string | null
    }

interface Told {
  readonly plan: string
  readonly url: string
  readonly database: Database
  readonly kinds: readonly TargetKind[]
  readonly io: Io
  readonly json: boolean
}

function readRequest(values: Values): Request {
  const actions = (['pause', 'resume', 'stop', 'status', 'only-failed'] as const).filter(
    (name) => values[name],
  )
  if (actions.length + (values.failed === undefined ? 0 : 1) > 1)
    throw new UsageError(
      '--pause, --resume, --stop, --status, --only-failed and --failed exclude one another',
    )
  const [action] = actions
  const runs =
    values.failed === undefined && (action === undefined || action === 'resume' || action === 'only-failed')
  if (!runs && [values.share, values.speed, values.mapping].some((value) => value !== undefined))
    throw new UsageError('--share, --speed and --mapping are for a run')
  if (values.failed !== undefined) return { kind: 'failed', path: values.failed }
  if (action === 'pause' || action === 'stop' || action === 'status') return { kind: action }
  return {
    kind: 'run',
    from: action ?? 'begin',
    share: values.share === undefined ? null : wholeNumber('--share', values.share, 1, 100),
    speed:
      values.speed === undefined
        ? undefined
        : values.speed === 'max'
          ? null
          : wholeNumber('--speed', values.speed, 1, MOST_SPEED),
    mapping: values.mapping ?? null,
  }
}

const MOST_SPEED = 1_000_000

async function obey(request: Request, told: Told): Promise<ExitCode> {
  const control = controlPlan(told.database, told.plan)
  switch (request.kind) {
    case 'pause':
      return steered(await control.pause(), 'paused: --resume goes on', told)
    case 'stop':
      return steered(await control.stop(), 'stopped for good; what is pending needs a new plan', told)
    case 'status':
      return status(told)
    case 'failed':
      return failed(request.path, told)
    case 'run':
      return run(request, control, told)
  }
}

function steered(result: Steered, sentence: string, { plan, io, json }: Told): ExitCode {
  if (result.kind === 'nothing') {
    io.err(`carryover provision: ${cannot(result.state)}\n`)
    return 1
  }
  io.out(json ? `${JSON.stringify({ plan, done: true })}\n` : `plan ${plan}: ${sentence}\n`)
  return 0
}

function cannot(state: PlanState | null): string {
  return state === null ? 'there is no such plan' : `the plan is ${state}`
}

async function status(told: Told): Promise<ExitCode> {
  const [found] = (await readProvisioning(told.database, told.plan)).plans
  if (found === undefined) return steered({ kind: 'nothing', state: null }, '', told)
  told.io.out(told.json ? `${JSON.stringify(found)}\n` : inWords(found))
  return 0
}

async function failed(path: string, { plan, database, io, json }: Told): Promise<ExitCode> {
  const { users, written, reasonsPath } = await writeFailed(readFailed(database, plan), path)
  if (json) io.out(`${JSON.stringify({ plan, users, written, path, reasonsPath })}\n`)
  else io.out(`${users} users failed: ${written} written to ${path}, the reasons to ${reasonsPath}\n`)
  return 0
}

type Run = Extract<Request, { kind: 'run' }>
type Plan = StoredPlan<PlanContent, unknown>

async function run(request: Run, control: PlanControl, told: Told): Promise<ExitCode> {
  const { io, url, plan: id, database } = told
  const refuse = (sentence: string): ExitCode => {
    io.err(`carryover provision: ${sentence}\n`)
    return 1
  }
  requireSealed(io)
  const client = await connectOwner(url, 'carryover provision')
  try {
    const plan = await readPlan<PlanContent, unknown>(client, id)
    if (plan === null) return refuse(cannot(null))
    if (request.speed !== undefined) {
      await control.speed(request.speed)
      const { processes } = await openRunStore(database, identityOf(plan)).now()
      if (processes > 0)
        return steered({ kind: 'done' }, `told to ${processes} processes that work on it`, told)
    }
    const kind = told.kinds.find(({ name }) => name === plan.target)
    if (kind === undefined) return refuse('this program does not know the target of the plan')
    if (kind.impossible !== undefined) return refuse(kind.impossible)
    const { target, settingsDigest, secrets } = openTarget(kind, io.env)
    if (!settingsDigest.equals(plan.settingsDigest)) return refuse(changed('the settings of the target have'))
    if (request.mapping !== null) {
      const mapping = await readMappingFile(request.mapping)
      if (canonicalJson(mapping) !== canonicalJson(plan.content.mapping))
        return refuse(changed('the mapping has'))
    }
    const obstacle = await begin(plan, request.from, control, client)
    if (obstacle !== null) return refuse(obstacle)
    const key = await provisionKey(client)
    return await work(plan, { target, kind, key, secrets, share: request.share }, told)
  } finally {
    await client.end().catch(() => {})
  }
}

const LEASE_SECONDS = 30

function identityOf({ id, target }: Plan) {
  return { plan: id, target, owner: newOwner(), leaseSeconds: LEASE_SECONDS }
}

function changed(what: string): string {
  return `${what} changed since the plan was made: make a new plan`
}

/** Moves the plan to `running`. The sentence that says why it cannot be; null: it runs, or has nothing left to do. */
async function begin(
  plan: Plan,
  from: Run['from'],
  control: PlanControl,
  client: pg.Client,
): Promise<string | null> {
  if (from === 'only-failed') {
    if (plan.state === 'stopped') return 'the plan was stopped for good: make a new plan'
    const again = await control.retryFailed()
    if (again === 0 && plan.state === 'done') return null
  }
  switch (plan.state) {
    case 'stopped':
      return 'the plan was stopped for good: make a new plan'
    case 'paused':
      if (from !== 'resume')
        return `the plan is paused${plan.pausedFor === null ? '' : ` (${plan.pausedFor})`}: --resume goes on`
      await control.resume()
      return null
    case 'ready': {
      if (from === 'resume') return 'the plan was not begun yet, so there is nothing to resume'
      if (!(await hasRules(client, plan.content.rules))) return changed('the rules have')
      if (!(await copyDigest(client)).equals(plan.copyDigest)) return changed('the copy has')
      await control.begin()
      return null
    }
    case 'running':
    case 'done':
      return null
  }
}

/** Whether these rules are in force, and no others. */
async function hasRules(client: pg.Client, rules: readonly FixRule[]): Promise<boolean> {
  try {
    return canonicalJson(await appliedRules(client)) === canonicalJson(rules)
  } catch (error) {
    // A rule of another version is none that the plan has.
    if (error instanceof MappingError) return false
    throw error
  }
}

interface Opened {
  readonly target: ReturnType<TargetKind['open']>
  readonly kind: TargetKind
  readonly key: Buffer
  readonly secrets: readonly string[]
  readonly share: number | null
}

async function work(
  plan: Plan,
  { target, kind, key, secrets, share }: Opened,
  told: Told,
): Promise<ExitCode> {
  const { io, url, database } = told
  const { content } = plan
  const context = hashContextOf(readHashSettings(io.env))
  const caller = createCaller({ hosts: target.hosts, ...readOutboundSettings(io.env) })
  const presence = openPresence(url, plan.id, plan.target, target.processes)
  const file = createAppender(target.file === undefined ? null : fileOfPlan(target.file, plan.id))
  const progress = progressOf(io)
  const prepare = preparedBy(content)
  const deps: RunDeps = {
    target,
    batch: target.batch ?? kind.traits.batch,
    store: openRunStore(database, identityOf(plan)),
    hold: presence.hold,
    ready: (item) =>
      readied(item, {
        prepare,
        portable: (stored) => portableOf(stored, context),
        reads: kind.traits.reads,
        contentDigest: (candidate) => contentDigest(key, candidate),
        hashDigest: (stored) => hashDigest(key, stored),
        tag: content.options.tag,
      }),
    call: withoutSecrets(caller, secrets),
    append: file.append,
    share: share ?? content.options.share,
    stop: io.stop,
    progress: progress.at,
  }
  const started = performance.now()
  try {
    const end = await runPlan(deps)
    progress.clear()
    return await tell(end, (performance.now() - started) / 1_000, told)
  } finally {
    progress.clear()
    await presence.end()
    await file.close()
    caller.close()
  }
}

/** Opens the plan's file with the first line: a process that waits for its turn must not touch it. */
function createAppender(path: string | null) {
  let opening: ReturnType<typeof openLineFile> | undefined
  return {
    append: async (lines: readonly string[]) => {
      if (path === null) throw new Error('the target is not a file')
      opening ??= openLineFile(path)
      const file = await opening
      await file.append(lines)
    },
    close: async () => {
      const file = await opening?.catch(() => undefined)
      await file?.close()
    },
  }
}

async function tell(end: RunEnd, seconds: number, told: Told): Promise<ExitCode> {
  const { io, json, database, plan } = told
  const [summary] = (await readProvisioning(database, plan)).plans
  if (summary === undefined) return steered({ kind: 'nothing', state: null }, '', told)
  io.out(json ? `${JSON.stringify({ ...summary, seconds: Number(seconds.toFixed(3)) })}\n` : inWords(summary))
  const sentence = sentenceOf(end, plan)
  if (sentence !== null) io.err(`carryover provision: ${sentence}\n`)
  return end.kind === 'done' && failedOf(end.now.counts) === 0 ? 0 : 1
}

function sentenceOf({ kind, now, halt }: RunEnd, plan: string): string | null {
  switch (kind) {
    case 'done':
      return failedOf(now.counts) === 0
        ? null
        : `some were not brought: \`carryover provision ${plan} --failed FILE\` says who and why`
    case 'interrupted':
      return `interrupted; nothing is lost: \`carryover provision ${plan}\` goes on`
    case 'stopped':
      return 'the plan was stopped for good'
    case 'paused':
      return `paused: ${pausedFor(now.pausedFor)}${halt?.targetCode ? ` (${printable(halt.targetCode)})` : ''}; nothing is lost: when that is put right, \`carryover provision ${plan} --resume\` goes on`
  }
}

function pausedFor(reason: string | null): string {
  switch (reason) {
    case UNAVAILABLE:
      return 'the target did not answer, many times in a row'
    case 'unauthorized':
      return 'the target does not take our token'
    case 'not-found':
      return 'the target is not where the settings say'
    case 'misconfigured':
      return 'the target is not set up as the plan needs it'
    default:
      return 'by hand'
  }
}

function inWords({ plan, target, state, users, counts }: ProvisionedPlan): string {
  const by = (key: 'state' | 'reason', value: string) =>
    counts.filter((row) => row[key] === value).reduce((sum, row) => sum + row.users, 0)
  const explained = counts.filter((row) => row.reason !== null)
  const reasons = [...new Set(explained.flatMap(({ reason }) => (reason === null ? [] : [reason])))].sort()
  return [
    `plan ${plan} for ${target} is ${state}; ${users} users: `,
    `${states
      .filter((name) => by('state', name) > 0)
      .map((name) => `${by('state', name)} ${name}`)
      .join(', ')}\n`,
    ...reasons.map((reason) => {
      const said = toldOf(reason)
      const sentence =
        said === undefined ? '' : `: ${said.sentence}${said.hint === null ? '' : `; ${said.hint}`}`
      return `  ${by('reason', reason)} ${printable(reason)}${sentence}\n`
    }),
  ].join('')
}

/** How often a line is written where no line can be written over. */
const LINE_EVERY_MS = 30_000

function progressOf(io: Io): { at: NonNullable<RunDeps['progress']>; clear(): void } {
  const progress = createProgress(() => performance.now())
  const line = terminalLine(io)
  let lineAt = performance.now()
  return {
    at: ({ counts }, waitingMs) => {
      const text = inOneLine(progress(counts), waitingMs)
      line.show(text)
      if (io.terminal || performance.now() - lineAt < LINE_EVERY_MS) return
      lineAt = performance.now()
      io.err(`${text}\n`)
    },
    clear: line.clear,
  }
}
