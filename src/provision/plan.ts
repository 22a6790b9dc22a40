// The copy becomes a plan: what is to be brought to a target, decided user by user.
import type { NewPlan, PlannedItem, Planning, PlanRow } from '../db/plans.ts'
import type { StoredHash } from '../domain.ts'
import type { CopiedUser, FixRule, Mapping, Prepared } from '../mapping/user.ts'
import type { PortableHash } from '../portable-hash.ts'
import type { Finding, Order, TargetKind, TargetUse, Traits } from '../targets/target.ts'
import { candidateOf, contentDigest, hashDigest } from './content.ts'
import {
  type Action,
  type Decision,
  decide,
  isLeftOut,
  type Method,
  type Policy,
  reasons,
  type Subject,
  type Why,
} from './decide.ts'
import { type Forecast, forecast } from './forecast.ts'

/** What was asked for, as a plan keeps it. */
export interface PlanOptions {
  readonly hashes: Policy['hashes']
  readonly quietDays: number
  readonly inactive: Policy['inactive']
  readonly removals: Policy['removals']
  readonly changedPasswords: Policy['changedPasswords']
  /** Empty: all of them. */
  readonly cohorts: readonly string[]
  /** Calls a minute that the target takes; null: what is known of it. */
  readonly rate: number | null
  /** Percent of them that a run may use. */
  readonly share: number
  /** For the target's groups: names the batch. */
  readonly tag: string
}

/** What a run needs to make the same users again. */
export interface PlanContent {
  readonly mapping: Mapping
  readonly rules: readonly FixRule[]
  readonly options: PlanOptions
}

export interface PlanGroup {
  readonly action: Action
  readonly method: Method
  readonly why: Why
  readonly users: number
}

export interface PlanTally {
  readonly create: number
  readonly update: number
  readonly remove: number
  readonly leftOut: number
  /** Nothing is to be done. */
  readonly none: number
}

export interface PlanReport {
  readonly plan: string
  readonly target: string
  readonly tag: string
  /** Users in the copy. */
  readonly users: number
  /** Of them and of those who were deleted: to be brought, changed or removed. */
  readonly toDo: number
  readonly leftOut: number
  readonly byAction: Readonly<Record<Order['action'], number>>
  /** Of those who are brought or changed. */
  readonly byMethod: Readonly<Record<Method, number>>
  readonly byWhy: readonly PlanGroup[]
  readonly byCohort: readonly (PlanTally & { readonly cohort: string })[]
  readonly byScheme: readonly (PlanTally & { readonly scheme: string })[]
  /** Users by the rule that leaves them out. */
  readonly leftOutByRule: Readonly<Record<string, number>>
  readonly forecast: Forecast
  /** What must be so at the target, in sentences. */
  readonly needs: readonly string[]
  /** What was found at the target; null: nobody looked. */
  readonly findings: readonly Finding[] | null
}

export interface PlanRequest {
  readonly id: string
  readonly kind: Pick<TargetKind, 'name' | 'traits'>
  readonly settingsDigest: Buffer
  /** Users in a request, where a setting says another number than the traits. */
  readonly batch?: number
  readonly options: PlanOptions
  readonly now: Date
}

export interface PlanDeps {
  readonly planning: Planning
  /** Where every field goes; `claims` reads the whole copy for those that some profile has. */
  mapping(claims: () => Promise<readonly string[]>): Promise<Mapping>
  /** What the target is to have of each user; the mapping is read once for all of them. */
  preparedBy(content: Pick<PlanContent, 'mapping' | 'rules'>): (user: CopiedUser) => Prepared
  /** What a stored hash is made of, for targets with a notation of their own; null: not to be told. */
  portable(stored: StoredHash): PortableHash | null
  /** Looks at the target; null: away from the network. */
  readonly examine: ((use: TargetUse) => Promise<readonly Finding[]>) | null
  progress(users: number, of: number): void
  readonly stop: AbortSignal
}

/** Asked to stop before the end: there is no plan. */
export class PlanStopped extends Error {}

const DAY_MS = 86_400_000

/** Makes a plan and keeps it. Memory is that of some thousand users, whatever the copy has. */
export async function makePlan(request: PlanRequest, deps: PlanDeps): Promise<PlanReport> {
  const { id, kind, options } = request
  const { planning } = deps
  const rules = await planning.rules()
  const content = { mapping: await deps.mapping(planning.claims), rules }
  const sums = createSums()
  const decided = planner(deps.preparedBy(content), policyOf(request), kind.traits, deps)
  let seen = 0
  let written: Promise<void> = Promise.resolve()
  for await (const rows of planning.rows(kind.name)) {
    if (deps.stop.aborted) throw new PlanStopped()
    const planned = rows.map(decided)
    for (const one of planned) sums.add(one)
    // PostgreSQL writes these while the next ones are decided.
    await written
    written = planning.write(planned.flatMap(itemOf))
    written.catch(() => {}) // told by whoever waits for it next
    seen += rows.length
    deps.progress(seen, planning.users)
  }
  await written
  const use = sums.use()
  const findings = deps.examine === null ? null : await deps.examine(use)
  if (deps.stop.aborted) throw new PlanStopped()
  const report: PlanReport = {
    plan: id,
    target: kind.name,
    tag: options.tag,
    users: planning.users,
    ...sums.report(),
    forecast: forecast(
      sums.report().byAction,
      { ...kind.traits, batch: request.batch ?? kind.traits.batch },
      {
        rate: options.rate ?? undefined,
        share: options.share,
      },
    ),
    // All of it is about users who are created or changed.
    needs: use.attributes.length === 0 ? [] : kind.traits.needs(use),
    findings,
  }
  const stored: NewPlan<PlanContent, PlanReport> = {
    id,
    target: kind.name,
    content: { ...content, options },
    settingsDigest: request.settingsDigest,
    copyDigest: planning.copyDigest,
    users: report.toDo + report.leftOut,
    report,
  }
  await planning.commit(stored)
  return report
}

function policyOf({ options, kind, now }: PlanRequest): Policy {
  const { hashes, quietDays, inactive, removals, changedPasswords, cohorts } = options
  return {
    hashes,
    quietSince: new Date(now.getTime() - quietDays * DAY_MS),
    inactive,
    removals,
    changedPasswords,
    cohorts: cohorts.length === 0 ? null : new Set(cohorts),
    traits: kind.traits,
  }
}

/** A user with what was decided. */
interface Planned {
  readonly row: PlanRow
  readonly decision: Decision
  readonly content: Buffer | null
  /** Names of what is sent. */
  readonly attributes: readonly string[]
  /** That leaves the user out. */
  readonly rule: string | null
}

function planner(
  prepare: (user: CopiedUser) => Prepared,
  policy: Policy,
  traits: Traits,
  { portable, planning: { key } }: PlanDeps,
): (row: PlanRow) => Planned {
  const readable = (stored: StoredHash) => reads(traits, portable(stored))
  return (row) => {
    const prepared = row.row === null ? null : prepare(row.row.user)
    const candidate = prepared?.kind === 'ready' ? candidateOf(prepared, { kind: 'keep' }, null) : null
    const digest = candidate === null ? null : contentDigest(key, candidate)
    const decision = decide(subjectOf(row, digest, { key, readable }), policy)
    const sent = decision.action === 'create' || decision.action === 'update'
    return {
      row,
      decision,
      content: sent ? digest : null,
      attributes: sent && candidate !== null ? Object.keys(candidate.attributes) : [],
      rule: prepared?.kind === 'left-out' && decision.why === 'left-out-by-rule' ? prepared.rule : null,
    }
  }
}

function reads(traits: Traits, hash: PortableHash | null): boolean {
  return hash !== null && traits.reads(hash)
}

function subjectOf(
  { row, cohort, ledger, provisioned, changedAfterwards }: PlanRow,
  digest: Buffer | null,
  { key, readable }: { key: Buffer; readable(stored: StoredHash): boolean },
): Subject {
  const here = row === null || ledger?.deleted ? null : row
  return {
    cohort,
    row: here && {
      status: here.user.status,
      changedAt: here.updatedAt,
      ready: digest !== null,
      readable: here.hash.encoded !== null && readable(here.hash),
    },
    ledger: ledger && {
      state: ledger.state,
      deleted: ledger.deleted,
      usable: ledger.usable && !ledger.purged,
    },
    provisioned: provisioned && {
      method: methodIn(provisioned.method),
      removed: provisioned.removed,
      sameContent: digest?.equals(provisioned.content) ?? false,
      sameHash:
        ledger?.purged === true ||
        here === null ||
        provisioned.hash === null ||
        hashDigest(key, here.hash).equals(provisioned.hash),
    },
    changedAfterwards,
  }
}

function methodIn(text: string): Method {
  return text === 'hash' || text === 'hook' || text === 'reset' ? text : 'none'
}

/** Users for whom nothing is to be done are counted, and that is all. */
function itemOf({ row, decision, content, rule }: Planned): PlannedItem[] {
  const leftOut = isLeftOut(decision)
  if (decision.action === 'none' && !leftOut) return []
  const { action, method, why } = decision
  return [
    {
      userId: row.id,
      action,
      method,
      why,
      cohort: row.cohort,
      scheme: row.scheme,
      content,
      state: leftOut ? 'left-out' : 'pending',
      reason: leftOut ? (rule ?? why) : null,
    },
  ]
}

type Column = keyof PlanTally

const columns: Readonly<Record<Action, Column>> = {
  create: 'create',
  update: 'update',
  deactivate: 'remove',
  delete: 'remove',
  none: 'none',
}

function createSums() {
  const byAction = { create: 0, update: 0, deactivate: 0, delete: 0 }
  const byMethod = { hash: 0, hook: 0, reset: 0, none: 0 }
  const byWhy = new Map<string, { decision: Decision; users: number }>()
  const byCohort = new Map<string, Record<Column, number>>()
  const byScheme = new Map<string, Record<Column, number>>()
  const byRule = new Map<string, number>()
  const attributes = new Set<string>()
  let leftOut = 0
  return {
    add: (planned: Planned) => {
      const { row, decision, rule } = planned
      const { action, method, why } = decision
      const isOut = isLeftOut(decision)
      if (isOut) leftOut++
      if (action !== 'none') byAction[action]++
      if (action === 'create' || action === 'update') byMethod[method]++
      if (rule !== null) byRule.set(rule, (byRule.get(rule) ?? 0) + 1)
      for (const name of planned.attributes) attributes.add(name)
      const column = isOut ? 'leftOut' : columns[action]
      tallyIn(byCohort, row.cohort)[column]++
      tallyIn(byScheme, row.scheme)[column]++
      const key = `${action} ${method} ${why}`
      const group = byWhy.get(key)
      if (group === undefined) byWhy.set(key, { decision, users: 1 })
      else group.users++
    },
    use: (): TargetUse => ({
      hook: byMethod.hook > 0,
      hash: byMethod.hash > 0,
      attributes: [...attributes].sort(),
    }),
    report: () => ({
      toDo: Object.values(byAction).reduce((sum, users) => sum + users, 0),
      leftOut,
      byAction,
      byMethod,
      byWhy: [...byWhy.values()]
        .map(({ decision, users }) => ({ ...decision, users }))
        .sort((a, b) => rank(a.why) - rank(b.why) || order(a.action, b.action) || order(a.method, b.method)),
      byCohort: inOrder(byCohort).map(([cohort, tally]) => ({ cohort, ...tally })),
      byScheme: inOrder(byScheme).map(([scheme, tally]) => ({ scheme, ...tally })),
      leftOutByRule: Object.fromEntries(inOrder(byRule)),
    }),
  }
}

function tallyIn(map: Map<string, Record<Column, number>>, key: string): Record<Column, number> {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = { create: 0, update: 0, remove: 0, leftOut: 0, none: 0 }
  map.set(key, made)
  return made
}

function inOrder<Value>(map: ReadonlyMap<string, Value>): [string, Value][] {
  return [...map].sort(([a], [b]) => order(a, b))
}

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

const ranks = Object.keys(reasons)
const rank = (why: Why) => ranks.indexOf(why)
