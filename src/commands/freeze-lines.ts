import type { Behind, LastLoad, NewestPlan, SourceStanding } from '../db/freeze.ts'
import type { LoadSummary } from '../load/load.ts'
import type { Why } from '../provision/decide.ts'
import type { ExitCode, Io } from './command.ts'
import type { PlanNow } from './freeze-plan.ts'
import { printable } from './options.ts'

/** One thing that must hold before the cut-over. */
export interface FreezeLine {
  /** Never renamed: scripts look for it. */
  readonly check: string
  readonly ok: boolean
  /** How many are behind. */
  readonly users: number
  /** Up to five of them. */
  readonly ids: readonly string[]
  readonly says: string
}

const line = (check: string, { users, ids }: Behind, says: string): FreezeLine => ({
  check,
  ok: users === 0,
  users,
  ids,
  says: `${users} ${says}`,
})

const NOBODY: readonly string[] = []

/** @param marked the query has a watermark */
export function sourceLines(
  standing: SourceStanding,
  summary: LoadSummary,
  marked: boolean,
): readonly FreezeLine[] {
  const { users, watermark, sameContent, unfiled, missing } = standing
  const apart = Math.abs(users.source - users.copy)
  return [
    line('added', standing.added, 'in the source and not in the copy'),
    line('changed', standing.changed, 'another row in the source than in the copy'),
    line('deleted', standing.deleted, 'deleted in the source and not in the copy'),
    line('missing', missing, 'in the copy as of this source, and not in the source'),
    line(
      'passwords',
      standing.passwords,
      'changed after the provider got the right one, which no load has seen yet',
    ),
    refusedLine(summary, standing.lastLoad),
    ...(marked ? [watermarkLine(watermark)] : []),
    {
      check: 'counts',
      ok: apart === 0,
      users: apart,
      ids: apart === 0 ? NOBODY : unfiled.ids,
      says: `${users.source} users in the source, ${users.copy} of it in the copy`,
    },
    {
      check: 'content',
      ok: sameContent,
      users: 0,
      ids: NOBODY,
      says: `the digests of both sides are ${sameContent ? 'equal' : 'not equal'}${withoutHash(standing)}`,
    },
  ]
}

function withoutHash({ leftOut: { purged, hardened } }: SourceStanding): string {
  if (purged + hardened === 0) return ''
  return `; without the hashes of ${purged + hardened} users, which cannot be compared: ${purged} purged, ${hardened} hardened`
}

function watermarkLine({ source, kept }: SourceStanding['watermark']): FreezeLine {
  const ok = source === kept
  return {
    check: 'watermark',
    ok,
    users: 0,
    ids: NOBODY,
    says: ok
      ? 'the loads have read as far as the source goes'
      : 'the source goes further than the loads have read, or less far',
  }
}

/** Rows of erased users are refused for good, and are behind in nothing. */
const EXPECTED = 'erased-earlier'

function refusedLine({ refusedByRule }: LoadSummary, last: LastLoad | null): FreezeLine {
  const now = countsOf(refusedByRule)
  const before = countsOf(last?.refusedByRule ?? {})
  const rules = [...new Set([...now.keys(), ...before.keys()])].sort()
  const others = rules.filter((rule) => now.get(rule) !== before.get(rule))
  const apart = others.map((rule) => `${rule} ${now.get(rule) ?? 0}, then ${before.get(rule) ?? 0}`)
  const rows = [...now.values()].reduce((sum, count) => sum + count, 0)
  const then =
    last === null ? 'no load has read all of this source' : `load ${last.id} was the last to read all of it`
  return {
    check: 'refused',
    ok: others.length === 0,
    users: others.reduce((sum, rule) => sum + Math.abs((now.get(rule) ?? 0) - (before.get(rule) ?? 0)), 0),
    ids: NOBODY,
    says: `${rows} rows refused, ${others.length === 0 ? `as ever; ${then}` : `others than before: ${apart.join('; ')}; ${then}`}`,
  }
}

function countsOf(byRule: Readonly<Record<string, number | undefined>>): Map<string, number> {
  return new Map(
    Object.entries(byRule).flatMap(([rule, count]) =>
      count === undefined || count === 0 || rule === EXPECTED ? [] : [[rule, count] as const],
    ),
  )
}

/** Users who are not at the target as they are here, and whom no plan can help. */
const STUCK: readonly Why[] = ['password-stays-old', 'cannot-be-updated', 'cannot-be-removed']

export function targetLines(
  { passwords, plan }: { readonly passwords: Behind; readonly plan: NewestPlan | null },
  now: PlanNow | null,
): readonly FreezeLine[] {
  const open = line(
    'open-passwords',
    passwords,
    'changed in the old system after the provider got the right one, and nothing was decided: see carryover changes',
  )
  if (now === null) return [open]
  const of = (why: Why) =>
    now.report.byWhy.filter((group) => group.why === why).reduce((sum, group) => sum + group.users, 0)
  const stuck = STUCK.filter((why) => of(why) > 0).map((why) => `${why} ${of(why)}`)
  const notes = [
    ...(now.report.leftOut > 0 ? [`left out by rule or status: ${now.report.leftOut}`] : []),
    ...(stuck.length > 0 ? [`no plan can bring: ${stuck.join(', ')}`] : []),
  ]
  const named = plan === null ? 'there is no plan yet' : `plan ${plan.id}`
  const none: Behind = { users: 0, ids: NOBODY }
  return [
    open,
    line(
      'to-bring',
      now.toDo,
      ['a plan that is made now would bring, change or remove', ...notes].join('; '),
    ),
    line('unlisted', { users: of('not-in-ledger'), ids: NOBODY }, 'in the copy and not in the ledger'),
    line('pending', plan?.pending ?? none, `not begun or not ended, ${named}`),
    line('postponed', plan?.postponed ?? none, `postponed, ${named}`),
    line('refused-by-target', plan?.refused ?? none, `refused by the target, ${named}`),
  ]
}

/** What was asked about. */
export interface FreezeAsked {
  readonly source: string
  readonly kind: { readonly name: string } | undefined
  readonly json: boolean
}

export function tellFreeze(
  { source, kind, json }: FreezeAsked,
  lines: readonly FreezeLine[],
  io: Io,
): ExitCode {
  const inStep = lines.every(({ ok }) => ok)
  const target = kind?.name ?? null
  if (json)
    io.out(`${JSON.stringify({ asOf: new Date().toISOString(), source, target, inStep, checks: lines })}\n`)
  else {
    const behind = lines.filter(({ ok }) => !ok).length
    io.out(lines.map(inWords).join(''))
    io.out(inStep ? 'nothing is behind\n' : `${behind} of ${lines.length} are behind\n`)
  }
  return inStep ? 0 : 1
}

function inWords({ check, ok, ids, says }: FreezeLine): string {
  const some = ids.length === 0 ? '' : `, as ${ids.map(printable).join(', ')}`
  return `${ok ? 'ok    ' : 'BEHIND'}  ${check.padEnd(17)}  ${says}${some}\n`
}
