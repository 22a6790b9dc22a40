import { readFile } from 'node:fs/promises'
import { openPrivate } from '../analyze/rows-file.ts'
import { checkCopy, type Effect, type Problem, type Report } from '../check/check.ts'
import { pageOf, placeOf, whole } from '../check/page.ts'
import { readDatabaseUrl } from '../config.ts'
import { connectOwner } from '../db/client.ts'
import { readCopiedUsers } from '../db/copied-users.ts'
import { appliedRules, applyFixes, undoFix } from '../db/fixes.ts'
import { openSharedKeys } from '../db/shared-keys.ts'
import { StepError, step } from '../db/step.ts'
import { errorCode } from '../errors.ts'
import { MappingError } from '../mapping/json.ts'
import { defaultMapping, readMapping } from '../mapping/read.ts'
import { readRules } from '../mapping/rules.ts'
import type { FixRule, Mapping } from '../mapping/user.ts'
import { isCountry } from '../mapping/values.ts'
import { targets } from '../targets/index.ts'
import type { TargetKind } from '../targets/target.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { inLines, readTextFile } from './mapping-file.ts'
import { printable, readOptions, table, targetNamed } from './options.ts'
import { terminalLine } from './terminal-line.ts'

/** Checks for one of these targets. */
export function checkFor(kinds: readonly TargetKind[]): Command {
  return {
    name: 'check',
    synopsis: '[TARGET] [OPTIONS]',
    summary: 'what is wrong with users before they are brought to a target, and rules that put it right',
    help: `Reads every user of the copy once, with the rules that are in force, and tells each problem with a code, its
severity, how many users have it, and up to five of them by id. No other value of a user is told. Without TARGET only
what is independent of one. Exit 1 while errors remain. See docs/check.md.

--mapping FILE             where fields go: JSON, see docs/mapping.md (default: by the names that TARGET has)
--region CC                country of telephone numbers that name none, as DE
--cohort NAME              tell of these users alone; they are compared with all
--json                     one JSON object on standard output
--html FILE                one page for people

--rules                    list the rules that are in force, and those that would help
--preview FILE|NAME        what the rules of a file, or the suggested rule of this name, would change and leave;
                           with --show-values the values of a few users, before and after
--apply FILE               put the rules of a file into force; the copy itself stays as it is
--apply-suggested WORD,... put suggested rules into force, each by its name, or by a code for all problems of that code
--undo NAME                take a rule out of force`,
    run: async (args, io) => {
      const { values, positionals } = optionsIn(args)
      const mode = modeOf(values)
      const [name] = positionals
      const kind = name === undefined ? undefined : targetNamed(name, kinds)
      if (kind?.impossible !== undefined) {
        io.err(`carryover check: ${kind.impossible}\n`)
        return 1
      }
      const url = readDatabaseUrl(io.env)
      try {
        switch (mode.kind) {
          case 'undo':
            return await undo(url, mode.name, io)
          case 'apply':
            return await apply(url, await readRulesFile(mode.file), io)
          case 'check':
          case 'rules':
          case 'preview':
          case 'apply-suggested':
            return await checkIn(mode, { ...values, url, kind }, io)
        }
      } catch (error) {
        return explain(error, io)
      }
    },
  }
}

export const check: Command = checkFor(targets)

const options = {
  mapping: { type: 'string' },
  region: { type: 'string' },
  cohort: { type: 'string' },
  json: { type: 'boolean' },
  html: { type: 'string' },
  rules: { type: 'boolean' },
  preview: { type: 'string' },
  'show-values': { type: 'boolean' },
  apply: { type: 'string' },
  'apply-suggested': { type: 'string' },
  undo: { type: 'string' },
} as const

/** With TARGET or without. */
function optionsIn(args: readonly string[]) {
  try {
    return readOptions(args, options, ['TARGET'])
  } catch {
    return readOptions(args, options)
  }
}

type Values = ReturnType<typeof optionsIn>['values']

type Mode =
  | { readonly kind: 'check' }
  | { readonly kind: 'rules' }
  | { readonly kind: 'preview'; readonly rules: string }
  | { readonly kind: 'apply'; readonly file: string }
  | { readonly kind: 'apply-suggested'; readonly words: readonly string[] }
  | { readonly kind: 'undo'; readonly name: string }

function modeOf(values: Values): Mode {
  const modes: Mode[] = []
  if (values.rules) modes.push({ kind: 'rules' })
  if (values.preview !== undefined) modes.push({ kind: 'preview', rules: values.preview })
  if (values.apply !== undefined) modes.push({ kind: 'apply', file: values.apply })
  if (values['apply-suggested'] !== undefined)
    modes.push({ kind: 'apply-suggested', words: values['apply-suggested'].split(',') })
  if (values.undo !== undefined) modes.push({ kind: 'undo', name: values.undo })
  if (modes.length > 1)
    throw new UsageError('--rules, --preview, --apply, --apply-suggested and --undo do not go together')
  const [mode = { kind: 'check' }] = modes
  if (values['show-values'] && mode.kind !== 'preview')
    throw new UsageError('--show-values goes with --preview')
  if (values.html !== undefined && mode.kind !== 'check' && mode.kind !== 'preview')
    throw new UsageError('--html goes with a check or a preview')
  if (values.region !== undefined && !isCountry(values.region))
    throw new UsageError('--region takes two capital letters of a country, as DE')
  return mode
}

interface Wanted extends Values {
  readonly url: string
  readonly kind: TargetKind | undefined
}

type CheckMode = Extract<Mode, { kind: 'check' | 'rules' | 'preview' | 'apply-suggested' }>

async function checkIn(mode: CheckMode, wanted: Wanted, io: Io): Promise<ExitCode> {
  const given = await mappingIn(wanted)
  const applied = await rulesInForce(wanted.url)
  // Before any work: a path that cannot be written is told at once.
  const page = wanted.html === undefined ? undefined : await opened(wanted.html)
  try {
    const look = (more: readonly FixRule[], show: boolean) =>
      lookAt(
        { wanted, given, rules: [...applied, ...more], shown: show ? more.map(({ name }) => name) : [] },
        io,
      )
    const preview = mode.kind === 'preview' ? await previewed(mode.rules, () => look([], false)) : []
    requireNew(preview, applied)
    const report = await look(preview, wanted['show-values'] === true)
    await page?.writeFile(
      pageOf(report, { asOf: new Date().toISOString(), target: wanted.kind?.title ?? null }),
    )
    return await told(mode, report, { wanted, applied, preview }, io)
  } finally {
    await page?.close()
  }
}

interface Rules {
  readonly wanted: Wanted
  readonly applied: readonly FixRule[]
  readonly preview: readonly FixRule[]
}

async function told(
  mode: CheckMode,
  report: Report,
  { wanted, applied, preview }: Rules,
  io: Io,
): Promise<ExitCode> {
  switch (mode.kind) {
    case 'rules':
      return listRules(applied, report, wanted.json === true, io)
    case 'apply-suggested':
      return apply(wanted.url, suggestedFor(mode.words, report), io)
    case 'check':
    case 'preview':
      io.out(wanted.json ? `${JSON.stringify(jsonOf(report, wanted, applied, preview))}\n` : inWords(report))
      return hasErrors(report) ? 1 : 0
  }
}

/** Errors may be of the mapping alone, with no user. */
function hasErrors({ problems }: Report): boolean {
  return problems.some(({ severity }) => severity === 'error')
}

async function mappingIn({ mapping }: Wanted): Promise<Mapping | null> {
  return mapping === undefined ? null : readMapping(await readTextFile('--mapping', mapping))
}

async function opened(path: string) {
  try {
    return await openPrivate(path)
  } catch (error) {
    throw new UsageError(`--html names a file that cannot be written (${errorCode(error)})`)
  }
}

interface Look {
  readonly wanted: Wanted
  readonly given: Mapping | null
  readonly rules: readonly FixRule[]
  readonly shown: readonly string[]
}

async function lookAt({ wanted, given, rules, shown }: Look, io: Io): Promise<Report> {
  const traits = wanted.kind?.traits ?? null
  const standard = traits === null ? null : defaultMapping(traits, Object.keys(traits.standard))
  const line = terminalLine(io)
  const keys = await openSharedKeys(wanted.url, io.stop)
  try {
    return await checkCopy({
      rows: readCopiedUsers(wanted.url, io.stop),
      keys,
      rules,
      traits,
      mapping: given ?? standard,
      mappingGiven: given !== null,
      region: wanted.region,
      cohort: wanted.cohort,
      shown: new Set(shown),
      progress: (users) => line.at((seconds) => `${users} users, ${Math.round(users / seconds)} a second`),
    })
  } finally {
    line.clear()
    await keys.close()
  }
}

/** The rules of a file, or the one that is suggested under a name. */
async function previewed(rules: string, look: () => Promise<Report>): Promise<readonly FixRule[]> {
  const text = await readFile(rules, 'utf8').catch(() => undefined)
  if (text !== undefined) return readRules(text)
  const found = suggestionsIn(await look()).find(({ name }) => name === rules)
  if (found === undefined) throw new UsageError('--preview names neither a file nor a rule that is suggested')
  return [found]
}

function requireNew(rules: readonly FixRule[], applied: readonly FixRule[]): void {
  const taken = rules.filter(({ name }) => applied.some((rule) => rule.name === name))
  if (taken.length > 0) throw new UsageError(`in force already: ${taken.map(({ name }) => name).join(', ')}`)
}

function suggestionsIn({ problems }: Report): FixRule[] {
  const byName = new Map(
    problems.flatMap(({ suggestion }) =>
      suggestion === null ? [] : [[suggestion.name, suggestion] as const],
    ),
  )
  return [...byName.values()]
}

/** @param words codes of problems, or names of rules */
function suggestedFor(words: readonly string[], report: Report): FixRule[] {
  const isMeant = (word: string) => (problem: Problem) =>
    problem.suggestion !== null && (problem.code === word || problem.suggestion.name === word)
  const problems = report.problems.filter((problem) => words.some((word) => isMeant(word)(problem)))
  const without = words.filter((word) => !problems.some(isMeant(word)))
  if (without.length > 0)
    throw new UsageError(`no rule is suggested for ${without.map(printable).join(', ')}`)
  return suggestionsIn({ ...report, problems })
}

async function readRulesFile(file: string): Promise<readonly FixRule[]> {
  return readRules(await readTextFile('--apply', file))
}

async function rulesInForce(url: string): Promise<readonly FixRule[]> {
  return withOwner(url, 'reading the rules', appliedRules)
}

async function apply(url: string, rules: readonly FixRule[], io: Io): Promise<ExitCode> {
  const taken = await withOwner(url, 'applying rules', (client) => applyFixes(client, rules))
  if (taken.length > 0) {
    io.err(`carryover check: nothing was applied; in force already: ${taken.join(', ')}\n`)
    return 1
  }
  io.out(rules.map(({ name }) => `applied ${name}\n`).join(''))
  return 0
}

async function undo(url: string, name: string, io: Io): Promise<ExitCode> {
  if (await withOwner(url, 'undoing a rule', (client) => undoFix(client, name))) {
    io.out(`undone ${printable(name)}\n`)
    return 0
  }
  io.err('carryover check: no rule of this name is in force; nothing was changed\n')
  return 1
}

async function withOwner<Result>(
  url: string,
  name: string,
  work: (client: Awaited<ReturnType<typeof connectOwner>>) => Promise<Result>,
): Promise<Result> {
  const client = await step('connecting', () => connectOwner(url, 'carryover check'))
  try {
    return await work(client)
  } catch (error) {
    if (error instanceof MappingError) throw error
    return await step(name, () => Promise.reject(error))
  } finally {
    await client.end().catch(() => {})
  }
}

function explain(error: unknown, io: Io): ExitCode {
  if (error instanceof MappingError) {
    io.err(`carryover check: ${inLines(error)}`)
    return 2
  }
  if (!(error instanceof StepError)) throw error
  io.err(`carryover check: ${io.stop.aborted ? 'stopped before the end' : error.message}\n`)
  return 1
}

function jsonOf(
  report: Report,
  { kind, cohort }: Wanted,
  applied: readonly FixRule[],
  preview: readonly FixRule[],
) {
  return {
    asOf: new Date().toISOString(),
    target: kind?.name ?? null,
    cohort: cohort ?? null,
    rules: applied.map(({ name }) => name),
    preview: preview.map(({ name }) => name),
    ...report,
  }
}

function listRules(applied: readonly FixRule[], report: Report, json: boolean, io: Io): ExitCode {
  const suggested = suggestionsIn(report)
  if (json) {
    io.out(`${JSON.stringify({ applied, effects: report.effects, suggested })}\n`)
    return 0
  }
  const effects = new Map(report.effects.map((effect) => [effect.rule, effect]))
  io.out(
    `in force, in this order:\n${rows(applied.map((rule) => [...ruleCells(rule), effectWords(effects.get(rule.name))]))}\n`,
  )
  io.out(`would help:\n${rows(suggested.map(ruleCells))}`)
  return 0
}

function ruleCells({ name, field, fix, where }: FixRule): string[] {
  return [name, printable(field), fix.kind, where === undefined ? '' : `where ${where}`]
}

function effectWords(effect: Effect | undefined): string {
  return effect === undefined ? '' : `${whole(effect.changed)} changed, ${whole(effect.leftOut)} left out`
}

function rows(cells: readonly (readonly string[])[]): string {
  if (cells.length === 0) return '  none\n'
  return `${table(cells.map(([first = '', ...others]) => [`  ${first}`, ...others]))}\n`
}

function inWords(report: Report): string {
  const { users, clean, onlyWarnings, withErrors, leftOut, problems, effects } = report
  const sums = `${whole(users)} ${users === 1 ? 'user' : 'users'}: ${whole(clean)} clean, ${whole(onlyWarnings)} with warnings only, ${whole(withErrors)} with errors${leftOut === 0 ? '' : `, ${whole(leftOut)} left out by rules`}\n`
  return [sums, ...effects.map(effectLine), ...problems.map(problemLines)].join('')
}

function effectLine(effect: Effect): string {
  const values = (effect.values ?? []).map(
    ({ id, before, after }) =>
      `    ${printable(id)}: ${printable(JSON.stringify(before) ?? 'nothing')} becomes ${printable(JSON.stringify(after) ?? 'nothing')}\n`,
  )
  return `rule ${effect.rule}: ${effectWords(effect)}${ids(effect.examples)}\n${values.join('')}`
}

function problemLines(problem: Problem): string {
  const { severity, code, count, says, examples, suggestion, schemes } = problem
  const place = placeOf(problem)
  const by = Object.entries(schemes ?? {}).map(([scheme, users]) => `${printable(scheme)} ${whole(users)}`)
  return [
    `\n${severity} ${code}${place === '' ? '' : `, ${printable(place)}`}: ${whole(count)} ${count === 1 ? 'user' : 'users'}${ids(examples)}\n`,
    `  ${says}${by.length === 0 ? '' : ` (${by.join(', ')})`}\n`,
    suggestion === null ? '' : `  suggested: ${suggestion.name}\n`,
  ].join('')
}

function ids(examples: readonly string[]): string {
  return examples.length === 0 ? '' : `, as ${examples.map(printable).join(', ')}`
}
