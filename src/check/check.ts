import type { CopiedRow } from '../db/copied-users.ts'
import type { Redundant, Shared, SharedKeys } from '../db/shared-keys.ts'
import type { UserStatus } from '../domain.ts'
import { coverage } from '../mapping/coverage.ts'
import { isObject, valueIn } from '../mapping/fields.ts'
import { applyRules } from '../mapping/rules.ts'
import type { CopiedUser, FixRule } from '../mapping/user.ts'
import { type Code, meanings, type Severity, WORST } from './codes.ts'
import { suggestionFor } from './suggest.ts'
import { createTally, firstIds, type Tallied, type Tally } from './tally.ts'
import { type Demands, userChecker } from './user.ts'

export interface CheckDeps extends Demands {
  readonly rows: AsyncIterable<readonly CopiedRow[]>
  readonly keys: Pick<SharedKeys, 'add' | 'send' | 'find'>
  /** In force, in their order. */
  readonly rules: readonly FixRule[]
  /** Users who are told of; undefined: all. The others are there to be compared with. */
  readonly cohort: string | undefined
  /** The mapping was made by people, so fields of it that nobody has are worth telling. */
  readonly mappingGiven: boolean
  /** Rules of which examples are kept with values, before and after; of the others, ids alone. */
  readonly shown: ReadonlySet<string>
  progress(users: number): void
}

export interface Problem {
  readonly code: Code
  readonly severity: Severity
  readonly field: string | null
  readonly attribute: string | null
  readonly count: number
  readonly examples: readonly string[]
  readonly says: string
  readonly suggestion: FixRule | null
  /** Of hashes that cannot be checked: users by scheme. */
  readonly schemes?: Readonly<Record<string, number>>
}

/** What a rule does to the copy as it is. */
export interface Effect {
  readonly rule: string
  readonly changed: number
  readonly leftOut: number
  readonly examples: readonly string[]
  /** With values, where they were asked for. */
  readonly values?: readonly { readonly id: string; readonly before: unknown; readonly after: unknown }[]
}

export interface Report {
  readonly users: number
  readonly leftOut: number
  readonly clean: number
  readonly withErrors: number
  readonly onlyWarnings: number
  readonly problems: readonly Problem[]
  readonly effects: readonly Effect[]
}

/** The space of names that sign-ins are looked up by. Those of unique attributes follow. */
const NAMES = 0

/** Reads the whole copy once and says what is wrong with it. Memory does not grow with the number of users. */
export async function checkCopy(deps: CheckDeps): Promise<Report> {
  const tally = createTally()
  const effects = createEffects(deps.rules, deps.shown)
  const check = userChecker(deps, tally.bounded)
  const spaces = (deps.traits?.attributes ?? []).flatMap(({ name, unique }) => (unique ? [name] : []))
  const absent = absentFields(deps)
  const sums = { users: 0, leftOut: 0, worst: [0, 0, 0] }

  const look = (row: CopiedRow) => {
    const mine = deps.cohort === undefined || row.cohort === deps.cohort
    const add = (code: Code, at = {}) => (mine ? tally.add(row.id, code, at) : 0)
    if (mine) sums.users++
    if (row.id === null) return void add('missing-id')
    const copied = copiedIn(row, row.id)
    const applied = applyRules(copied, deps.rules)
    let worst = ofRow(row, add)
    if (applied.kind === 'left-out') {
      if (mine) {
        sums.leftOut++
        effects.leftOut(applied.rule, row.id)
      }
      // Sign-ins find the name all the same.
      addNames(row, row.id, -1, deps.keys)
      return
    }
    if (mine) effects.changed(applied.changed, copied, applied.user)
    const { faults, fields, unique } = check(applied.user, copied)
    for (const { code, ...at } of faults) worst = Math.max(worst, add(code, at))
    if (mine) for (const field of fields) absent?.seen(field)
    const known = mine ? worst : -1
    for (const { attribute, value } of unique)
      deps.keys.add({ space: spaces.indexOf(attribute) + 1, second: false, value, id: row.id, worst: known })
    addNames(row, row.id, known, deps.keys)
    if (mine) sums.worst[worst] = (sums.worst[worst] ?? 0) + 1
  }

  for await (const rows of deps.rows) {
    for (const row of rows) look(row)
    await deps.keys.send()
    deps.progress(sums.users)
  }
  const { shared, sharers } = await deps.keys.find(
    (space, how) => WORST[meanings[codeOf(space, how)].severity],
    redundant(spaces, deps),
  )
  for (const { worst, severity, users } of sharers) {
    if (severity <= worst) continue
    sums.worst[worst] = (sums.worst[worst] ?? 0) - users
    sums.worst[severity] = (sums.worst[severity] ?? 0) + users
  }
  const tallied = [
    ...tally.all(),
    ...shared.map((one) => sharedIn(one, spaces, deps)),
    ...(absent?.faults() ?? []),
  ]
  const [clean = 0, onlyWarnings = 0, withErrors = 0] = sums.worst
  return {
    users: sums.users,
    leftOut: sums.leftOut,
    clean,
    onlyWarnings,
    withErrors: withErrors + nameless(tallied),
    problems: tallied.map((one) => problemOf(one, deps)).sort(byWeight),
    effects: effects.all(),
  }
}

/** Rows without an id are users with an error who were not looked at any further. */
function nameless(tallied: readonly Tallied[]): number {
  return tallied.find(({ code }) => code === 'missing-id')?.count ?? 0
}

const STATUSES: ReadonlySet<string | null> = new Set(['active', 'disabled', 'locked'])

function copiedIn({ login, email, status, cohort, profile }: CopiedRow, id: string): CopiedUser {
  return {
    id,
    login: login ?? '',
    email,
    status: statusIn(status),
    cohort,
    profile: isObject(profile) ? profile : {},
  }
}

/** As sign-ins take it: a word of nobody's lets nobody in. */
function statusIn(status: string | null): UserStatus {
  return status === 'active' || status === 'locked' ? status : 'disabled'
}

/** What is wrong with a row, whatever its values. */
function ofRow(row: CopiedRow, add: (code: Code, at?: Parameters<Tally['add']>[2]) => number): number {
  let worst = 0
  const fault = (code: Code, at: Parameters<Tally['add']>[2]) => {
    worst = Math.max(worst, add(code, at))
  }
  if (row.login === null || row.login.trim() === '') fault('missing-login', { field: 'login' })
  if (row.profile !== null && !isObject(row.profile)) fault('bad-profile', { field: 'profile' })
  if (!STATUSES.has(row.status)) fault('unknown-status', { field: 'status' })
  if (row.fromFuture) fault('updated-in-future', { field: 'updated_at' })
  if (row.unusable !== null) fault('hash-unusable', { field: 'password_hash', scheme: row.unusable })
  return worst
}

function addNames({ loginKey, emailKey }: CopiedRow, id: string, worst: number, keys: CheckDeps['keys']) {
  if (loginKey !== null) keys.add({ space: NAMES, second: false, value: loginKey, id, worst })
  if (emailKey !== null) keys.add({ space: NAMES, second: true, value: emailKey, id, worst })
}

function codeOf(space: number, how: Shared['how']): Code {
  if (space !== NAMES) return 'not-unique'
  switch (how) {
    case 'first':
      return 'duplicate-login'
    case 'second-and-first':
      return 'email-is-login'
    case 'second':
      return 'duplicate-email'
  }
}

/** Two equal logins are told once, and so are two equal addresses: by what is worse. */
function redundant(spaces: readonly string[], { mapping }: CheckDeps): Redundant[] {
  const spaceOf = (field: string) => {
    const name = mapping?.attributes[field]
    return name === undefined || !spaces.includes(name) ? [] : [spaces.indexOf(name) + 1]
  }
  return [
    ...spaceOf('login').map(
      (space): Redundant => ({ space, how: 'first', besides: { space: NAMES, how: 'first' } }),
    ),
    ...spaceOf('email').map(
      (space): Redundant => ({ space: NAMES, how: 'second', besides: { space, how: 'first' } }),
    ),
  ]
}

function sharedIn(
  { space, how, users, examples }: Shared,
  spaces: readonly string[],
  deps: CheckDeps,
): Tallied {
  const code = codeOf(space, how)
  const attribute = space === NAMES ? null : (spaces[space - 1] ?? null)
  const mapped = Object.entries(deps.mapping?.attributes ?? {}).find(([, name]) => name === attribute)?.[0]
  const field = attribute === null ? (code === 'duplicate-login' ? 'login' : 'email') : (mapped ?? null)
  return { code, field, attribute, count: users, examples, by: {} }
}

/** Fields that a mapping names and nobody has. */
function absentFields({ mapping, mappingGiven }: CheckDeps) {
  if (mapping === null || !mappingGiven) return undefined
  const unseen = new Set(Object.keys(mapping.attributes))
  // A whole object that is mapped is seen when a member is.
  const covers = coverage({ ...mapping, drop: [], calculated: {} })
  const none: Tallied = {
    code: 'mapped-field-absent',
    field: null,
    attribute: null,
    count: 0,
    examples: [],
    by: {},
  }
  return {
    seen: (field: string) => {
      if (unseen.size === 0 || unseen.delete(field) || !covers(field)) return
      for (const mapped of unseen) if (field.startsWith(`${mapped}.`)) unseen.delete(mapped)
    },
    faults: (): Tallied[] =>
      [...unseen].map((field) => ({ ...none, field, attribute: mapping.attributes[field] ?? null })),
  }
}

function problemOf({ by, ...one }: Tallied, { traits, region }: CheckDeps): Problem {
  const { severity, says } = meanings[one.code]
  const asked = traits?.attributes.find(({ name }) => name === one.attribute)
  return {
    ...one,
    severity,
    says,
    suggestion: suggestionFor({ code: one.code, field: one.field, asked, region }),
    ...(one.code === 'hash-unusable' && { schemes: by }),
  }
}

function byWeight(one: Problem, other: Problem): number {
  return (
    WORST[other.severity] - WORST[one.severity] ||
    other.count - one.count ||
    compare(one.code, other.code) ||
    compare(one.field ?? '', other.field ?? '') ||
    compare(one.attribute ?? '', other.attribute ?? '')
  )
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}

const VALUES = 5

function createEffects(rules: readonly FixRule[], shown: ReadonlySet<string>) {
  const effects = new Map(
    rules.map((rule) => [
      rule.name,
      {
        rule,
        changed: 0,
        leftOut: 0,
        first: firstIds(),
        values: [] as NonNullable<Effect['values']>[number][],
      },
    ]),
  )
  return {
    leftOut: (name: string, id: string) => {
      const effect = effects.get(name)
      if (effect === undefined) return
      effect.leftOut++
      effect.first.add(id)
    },
    changed: (names: readonly string[], before: CopiedUser, after: CopiedUser) => {
      for (const name of names) {
        const effect = effects.get(name)
        if (effect === undefined) continue
        effect.changed++
        effect.first.add(before.id)
        const { field } = effect.rule
        if (shown.has(name) && effect.values.length < VALUES)
          effect.values.push({ id: before.id, before: valueIn(before, field), after: valueIn(after, field) })
      }
    },
    all: (): Effect[] =>
      [...effects.values()].map(({ rule, changed, leftOut, first, values }) => ({
        rule: rule.name,
        changed,
        leftOut,
        examples: first.ids,
        ...(shown.has(rule.name) && { values }),
      })),
  }
}
