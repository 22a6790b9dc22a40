import { randomUUID } from 'node:crypto'
import { setTimeout as later } from 'node:timers/promises'
import { readDatabaseUrl, readHashSettings } from '../config.ts'
import { openTarget, readOutboundSettings, targetSettingsDigest } from '../config-targets.ts'
import { connectOwner } from '../db/client.ts'
import { type ListedPlan, listPlans, openPlanning } from '../db/plans.ts'
import { StepError, step } from '../db/step.ts'
import { duration } from '../duration.ts'
import { hashContextOf } from '../hash-context.ts'
import { portableOf } from '../hashes/portable.ts'
import { MappingError } from '../mapping/json.ts'
import { preparedBy } from '../mapping/prepare.ts'
import { defaultMapping } from '../mapping/read.ts'
import type { Mapping } from '../mapping/user.ts'
import { createCaller } from '../outbound/client.ts'
import { withoutSecrets } from '../outbound/unsaid.ts'
import { asksAgain, isLeftOut, reasons } from '../provision/decide.ts'
import { findingsOf } from '../provision/look.ts'
import {
  makePlan,
  type PlanDeps,
  type PlanOptions,
  type PlanReport,
  PlanStopped,
  type PlanTally,
} from '../provision/plan.ts'
import { targets } from '../targets/index.ts'
import type { TargetKind, Traits } from '../targets/target.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { inLines, readMappingFile } from './mapping-file.ts'
import { printable, readOptions, table, targetNamed, wholeNumber } from './options.ts'
import { requireSealed } from './sealed.ts'
import { terminalLine } from './terminal-line.ts'

export const plan = planFor(targets)

/** @param kinds the targets that the command knows */
export function planFor(kinds: readonly TargetKind[]): Command {
  return {
    name: 'plan',
    synopsis: 'TARGET [OPTIONS] | --list',
    summary: 'decide for every user what is to be brought to a target, and how the password gets there',
    help: help(kinds),
    run: async (args, io) => {
      const { values, positionals } = readOptions(args, options, args.includes('--list') ? [] : ['TARGET'])
      if (values.list) return list(readDatabaseUrl(io.env), io, values.json === true)
      const kind = targetNamed(positionals[0] ?? '', kinds)
      if (kind.impossible !== undefined) {
        io.err(`carryover plan: ${kind.impossible}\n`)
        return 1
      }
      requireSealed(io)
      const asked = optionsOf(values, kind.traits, new Date())
      const mapping = values.mapping === undefined ? undefined : await readMappingFile(values.mapping)
      const { offline = false, json = false } = values
      return planned(kind, asked, { mapping, offline, json }, io)
    },
  }
}

function help(kinds: readonly TargetKind[]): string {
  return `Reads the whole copy, changes nothing at the target and nothing of anybody's state, and keeps what was decided under an
id: \`carryover provision PLAN\` does that and nothing else, and refuses when copy, rules or settings have changed since.
TARGET is one of: ${kinds.map(({ name }) => name).join(', ')}. See docs/provisioning.md.

--mapping FILE             where every field goes; default: the target's own names for the standard claims
--hashes WHICH             quiet (default): where a hash at the target cannot be replaced later, only of users whose row has
                           not changed lately, the others are asked for by the hook; always; never
--quiet-days N             what "lately" means (default: 90)
--inactive WHICH           leave-out (default): disabled and locked users are not brought, and deactivated where they were;
                           bring: they are brought as inactive ones
--removals WHICH           deactivate (default, where the target can), delete, leave: users who were deleted in the old system
--changed-passwords WHICH  leave (default), ask-again, reset: users whose password was changed in the old system after the
                           provider had confirmed its own
--cohort NAME              only users of this cohort; repeatable
--rate N                   calls a minute that the target takes, for the forecast (default: what is published)
--share N                  percent of them that a run may use, the rest is for live sign-ins (default: 90)
--tag NAME                 names the batch in the target's groups (default: carryover-YYYYMMDD)
--offline                  do not look at the target; then none of its settings is needed yet
--list                     the plans that there are, the newest first
--json                     one JSON object on standard output

Exit code 1: something was found at the target that has to be put right first. The plan is kept all the same.`
}

const options = {
  mapping: { type: 'string' },
  hashes: { type: 'string' },
  'quiet-days': { type: 'string' },
  inactive: { type: 'string' },
  removals: { type: 'string' },
  'changed-passwords': { type: 'string' },
  cohort: { type: 'string', multiple: true },
  rate: { type: 'string' },
  share: { type: 'string' },
  tag: { type: 'string' },
  offline: { type: 'boolean' },
  list: { type: 'boolean' },
  json: { type: 'boolean' },
} as const

type Values = ReturnType<typeof readOptions<typeof options>>['values']

const MOST_QUIET_DAYS = 3_650
const MOST_RATE = 1_000_000
/** Well within what any target takes for a group's name. */
const MOST_TAG = 100

/** Throws UsageError. Of no values: what is done where nothing is said. */
export function optionsOf(values: Values, traits: Traits, now: Date): PlanOptions {
  const usual = traits.removes.includes('deactivate') ? 'deactivate' : 'leave'
  const removals = oneOf('--removals', values.removals ?? usual, ['deactivate', 'delete', 'leave'])
  if (removals !== 'leave' && !traits.removes.includes(removals))
    throw new UsageError(
      `--removals ${removals} is not possible at this target: ${[...traits.removes, 'leave'].join(' or ')}`,
    )
  const changedPasswords = oneOf('--changed-passwords', values['changed-passwords'] ?? 'leave', [
    'leave',
    'ask-again',
    'reset',
  ])
  if (changedPasswords === 'ask-again' && !asksAgain(traits))
    throw new UsageError(
      '--changed-passwords ask-again needs a target that asks our hook about users whom it has',
    )
  return {
    hashes: oneOf('--hashes', values.hashes ?? 'quiet', ['quiet', 'always', 'never']),
    quietDays: wholeNumber('--quiet-days', values['quiet-days'] ?? '90', 0, MOST_QUIET_DAYS),
    inactive: oneOf('--inactive', values.inactive ?? 'leave-out', ['bring', 'leave-out']),
    removals,
    changedPasswords,
    cohorts: values.cohort ?? [],
    rate: values.rate === undefined ? null : wholeNumber('--rate', values.rate, 1, MOST_RATE),
    share: wholeNumber('--share', values.share ?? '90', 1, 100),
    tag: tagOf(values.tag, now),
  }
}

function oneOf<const Word extends string>(option: string, given: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === given)
  if (found === undefined) throw new UsageError(`${option} takes one of ${words.join(', ')}`)
  return found
}

function tagOf(given: string | undefined, now: Date): string {
  if (given === undefined) return `carryover-${now.toISOString().slice(0, 10).replaceAll('-', '')}`
  const tag = given.trim()
  if (tag === '' || tag.length > MOST_TAG || /\p{C}/u.test(tag))
    throw new UsageError(`--tag takes a name of at most ${MOST_TAG} characters`)
  return tag
}

/** Fields of every copy, whatever its profiles have. */
export const OWN_FIELDS = ['id', 'login', 'email', 'status', 'cohort']

async function planned(
  kind: TargetKind,
  asked: PlanOptions,
  { mapping, offline, json }: { mapping: Mapping | undefined; offline: boolean; json: boolean },
  io: Io,
): Promise<ExitCode> {
  const url = readDatabaseUrl(io.env)
  const context = hashContextOf(readHashSettings(io.env))
  const network = offline ? null : networkOf(kind, io)
  const settingsDigest = network?.settingsDigest ?? targetSettingsDigest(kind, io.env)
  const batch = network?.batch ?? kind.traits.batch
  const id = randomUUID()
  const line = terminalLine(io)
  try {
    const planning = await openPlanning(url, id)
    try {
      const request = { id, kind, settingsDigest, batch, options: asked, now: new Date() }
      const report = await makePlan(request, {
        planning,
        mapping: async (claims) => {
          if (mapping !== undefined) return mapping
          const fields = (await claims()).map((name) => `profile.${name}`)
          return defaultMapping(kind.traits, [...OWN_FIELDS, ...fields])
        },
        preparedBy,
        portable: (stored) => portableOf(stored, context),
        examine: network?.examine ?? null,
        progress: (users, of) =>
          line.at((seconds) => {
            const rate = users / seconds
            const left = duration(Math.max(0, of - users) / rate)
            return `${users} of ${of} users, ${rate.toFixed(0)} a second, ${left} left`
          }),
        stop: io.stop,
      })
      line.clear()
      return tell(report, asked, json, io)
    } finally {
      await planning.close()
    }
  } catch (error) {
    line.clear()
    if (error instanceof PlanStopped) {
      io.err('carryover plan: stopped before the end; nothing was kept\n')
      return 1
    }
    if (error instanceof MappingError) {
      io.err(`carryover plan: ${inLines(error)}`)
      return 2
    }
    if (!(error instanceof StepError)) throw error
    io.err(`carryover plan: ${error.message}; nothing was kept\n`)
    return 1
  } finally {
    network?.close()
  }
}

interface Network {
  readonly settingsDigest: Buffer
  readonly batch: number | undefined
  readonly examine: PlanDeps['examine']
  close(): void
}

function networkOf(kind: TargetKind, io: Io): Network {
  const { target, settingsDigest, secrets } = openTarget(kind, io.env)
  const call = createCaller({ hosts: target.hosts, ...readOutboundSettings(io.env) })
  const wait = (ms: number) => later(ms, undefined, { signal: io.stop }).catch(() => {})
  return {
    settingsDigest,
    batch: target.batch,
    examine: (use) => findingsOf(target, use, { call: withoutSecrets(call, secrets), wait }),
    close: () => call.close(),
  }
}

function tell(report: PlanReport, { cohorts }: PlanOptions, json: boolean, io: Io): ExitCode {
  io.out(json ? `${JSON.stringify(report)}\n` : inWords(report))
  const known = new Set(report.byCohort.map(({ cohort }) => cohort))
  for (const cohort of cohorts)
    if (!known.has(cohort)) io.err(`carryover plan: no user has the cohort ${printable(cohort)}\n`)
  return report.findings?.some(({ severity }) => severity === 'error') ? 1 : 0
}

function inWords(report: PlanReport): string {
  const { byAction, byMethod } = report
  return [
    `plan ${report.plan} for ${report.target}, batch ${printable(report.tag)}\n`,
    `${report.users} users in the copy: ${byAction.create} to create, ${byAction.update} to update, `,
    `${byAction.deactivate} to deactivate, ${byAction.delete} to delete, ${report.leftOut} left out\n`,
    `passwords: ${byMethod.hash} by their hash, ${byMethod.hook} by the hook, ${byMethod.reset} to be reset, `,
    `${byMethod.none} as they are\n`,
    `time: ${report.forecast.inWords}\n\n`,
    `${table([
      ['users', 'action', 'password', 'why'],
      ...report.byWhy.map((group) => [
        String(group.users),
        isLeftOut(group) ? 'left out' : group.action,
        group.method,
        reasons[group.why],
      ]),
    ])}\n\n`,
    `${table([
      ['', ...columns.map(([, head]) => head)],
      ...report.byCohort.map((row) => [`cohort ${printable(row.cohort)}`, ...numbers(row)]),
      ...report.byScheme.map((row) => [`scheme ${printable(row.scheme)}`, ...numbers(row)]),
    ])}\n`,
    ...Object.entries(report.leftOutByRule).map(
      ([rule, users]) => `left out by the rule ${printable(rule)}: ${users}\n`,
    ),
    ...report.needs.map((need) => `needed: ${need}\n`),
    report.findings === null ? 'nobody looked at the target (--offline)\n' : '',
    ...(report.findings ?? []).map(({ severity, code, text }) => `${severity} ${code}: ${printable(text)}\n`),
    report.toDo === 0 ? 'there is nothing to do\n' : `next: carryover provision ${report.plan}\n`,
  ].join('')
}

const columns: readonly (readonly [keyof PlanTally, string])[] = [
  ['create', 'create'],
  ['update', 'update'],
  ['remove', 'remove'],
  ['leftOut', 'left out'],
  ['none', 'nothing to do'],
]

const numbers = (tally: PlanTally) => columns.map(([name]) => String(tally[name]))

async function list(url: string, io: Io, json: boolean): Promise<ExitCode> {
  try {
    const plans = await step('reading the plans', async () => {
      const client = await connectOwner(url, 'carryover plan')
      try {
        return await listPlans(client)
      } finally {
        await client.end().catch(() => {})
      }
    })
    io.out(json ? `${JSON.stringify({ plans })}\n` : listInWords(plans))
    return 0
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    io.err(`carryover plan: ${error.message}\n`)
    return 1
  }
}

function listInWords(plans: readonly ListedPlan[]): string {
  if (plans.length === 0) return 'there is no plan yet\n'
  return `${table([
    ['plan', 'target', 'made', 'users', 'to do', 'state'],
    ...plans.map((one) => [
      one.id,
      one.target,
      one.createdAt.toISOString(),
      String(one.users),
      String(one.pending),
      one.pausedFor === null ? one.state : `${one.state} (${printable(one.pausedFor)})`,
    ]),
  ])}\n`
}
