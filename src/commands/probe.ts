import { type Checker, createChecker } from '../checker/checker.ts'
import { readDatabaseUrl, readHashSettings } from '../config.ts'
import type { Database } from '../db/client.ts'
import { checkSchema } from '../db/migrate.ts'
import { recordProbes } from '../db/probes.ts'
import { UNTHROTTLED, userFinder } from '../db/users.ts'
import type { LegacyUser, VerdictKind } from '../domain.ts'
import { errorCode } from '../errors.ts'
import { hashContextOf } from '../hash-context.ts'
import { classify } from '../hashes/classify.ts'
import type { HashContext } from '../hashes/context.ts'
import { readHash } from '../hashes/index.ts'
import { foresee } from '../hooks/judge.ts'
import { lookupName } from '../input.ts'
import { compare, isShort, type Standing } from '../variants/compare.ts'
import type { Account } from '../variants/forms.ts'
import { type Limits, search } from '../variants/search.ts'
import { describe, type Variant } from '../variants/variant.ts'
import { type Command, type ExitCode, type Io, UsageError } from './command.ts'
import { withDatabase } from './counts.ts'
import { printable, readOptions, table } from './options.ts'
import { type Pair, readPairs } from './probe-input.ts'
import { requireSealed } from './sealed.ts'
import { terminalLine } from './terminal-line.ts'

/** Ten seconds of bcrypt are about 200 checks of cost 10. */
const SLOW_MILLIS = 10_000
const MOST_VARIANTS = 50_000
/** The nearest one, and a few more in case it is not the one. */
const MOST_TOLD = 5

export const probe: Command = {
  name: 'probe',
  synopsis: 'FILE|- [--most N] [--json]',
  summary: 'checks accounts whose passwords are known, and finds what is declared wrongly',
  help: `FILE, or standard input, holds the logins and passwords of test accounts that you own: CSV with the header
login,password, or JSON Lines with these two members. /dev/fd/N works too. Each is checked against its row in the copy.
Where it does not match, the usual mistakes are tried: the order and the encoding of the salt, nested and other
digests, the case of login and password, Unicode forms, character sets, every known scheme that reads the row.
What matches is told as a value for hash_scheme, and in words where hash_scheme cannot say it.
Passwords are not printed and not stored. Whether each account matched is recorded for \`carryover prove\`.
--most N   variants for each account, at most (default ${MOST_VARIANTS})
--json     one JSON object
Exit 0 if every account matched as it is declared, 1 otherwise.`,
  run: async (args, io) => {
    const { values, positionals } = readOptions(
      args,
      { json: { type: 'boolean' }, most: { type: 'string' } },
      ['FILE'],
    )
    requireSealed(io)
    const most = wholeNumber(values.most ?? String(MOST_VARIANTS))
    const url = readDatabaseUrl(io.env)
    const context = hashContextOf(readHashSettings(io.env))
    const pairs = await readPairs(positionals[0] ?? '', io)
    return withDatabase(url, async (database): Promise<ExitCode> => {
      // Before any work, so that its result can be kept.
      await checkSchema(database)
      const probed = await probeAll(pairs, database, { most, slowMillis: SLOW_MILLIS }, context, io)
      const groups = await groupsOf(probed, context)
      await record(probed, groups, database)
      io.out(values.json ? `${JSON.stringify(asJson(probed, groups))}\n` : asText(probed, groups))
      return probed.length === pairs.length && probed.every(({ result }) => result === 'match') ? 0 : 1
    })
  },
}

function wholeNumber(text: string): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (number < 1) throw new UsageError('--most must be a whole number from 1')
  return number
}

/** One pair and what became of it. */
interface Probed {
  readonly login: string
  /** `failed`: it could not be found out. */
  readonly result: VerdictKind | 'failed'
  /** Why, where `result` alone does not say it: a defect or an error code. */
  readonly detail: string | null
  readonly user: LegacyUser | null
  readonly scheme: string | null
  readonly account: Account | null
  readonly found: readonly Variant[]
  readonly tried: number
  readonly cut: boolean
}

async function probeAll(
  pairs: readonly Pair[],
  database: Database,
  limits: Limits,
  context: HashContext,
  io: Io,
): Promise<Probed[]> {
  const find = userFinder(database, UNTHROTTLED)
  const checker = createChecker({ threads: 1, context })
  const probed: Probed[] = []
  let variants = 0
  const line = terminalLine(io)
  const progress = (tried = 0) =>
    line.at(() => `${probed.length} of ${pairs.length} accounts, ${variants + tried} variants tried`)
  try {
    for (const pair of pairs) {
      if (io.stop.aborted) break
      const one = await probeOne(pair, { find, checker, context, limits, stop: io.stop, seen: progress })
      variants += one.tried
      probed.push(one)
      progress()
    }
  } finally {
    line.clear()
    await checker.close()
  }
  if (io.stop.aborted) io.err('stopped before the end\n')
  return probed
}

interface ProbeDeps {
  readonly find: ReturnType<typeof userFinder>
  readonly checker: Checker
  readonly context: HashContext
  readonly limits: Limits
  readonly stop: AbortSignal
  readonly seen: (tried: number) => void
}

async function probeOne(pair: Pair, deps: ProbeDeps): Promise<Probed> {
  const { login, password } = pair
  const nothing = { login, user: null, scheme: null, account: null, found: [], tried: 0, cut: false }
  const deadline = performance.now() + 60_000
  const found = await deps.find(lookupName(login), deadline)
  const { user } = found
  if (user === null)
    return { ...nothing, result: 'unknown-login', detail: found.ambiguous ? 'ambiguous' : null }
  const known = {
    ...nothing,
    user,
    account: { stored: user.hash, password, typed: login, email: user.email },
  }
  try {
    const { verdict, classified } = await foresee(found, password, {
      check: (stored, bytes) => deps.checker.check(stored, bytes, deadline),
      classify: (stored) => classify(stored, deps.context),
    })
    const detail = verdict.kind === 'unusable-hash' ? verdict.defect : null
    const told = { ...known, result: verdict.kind, detail, scheme: classified?.scheme ?? null }
    if (verdict.kind !== 'mismatch' && verdict.kind !== 'unusable-hash') return told
    return {
      ...told,
      ...(await search(known.account, (stored) => readHash(stored, deps.context), deps.limits, deps)),
    }
  } catch (error) {
    return { ...known, result: 'failed', detail: errorCode(error) }
  }
}

/** The accounts of one cohort that are declared alike: one store, most likely, with one mistake. */
interface Group {
  readonly cohort: string
  readonly declared: string | null
  readonly members: readonly Probed[]
  readonly standings: readonly Standing[]
  /** One account with a short digest: what matches may match by chance. */
  readonly chance: boolean
}

async function groupsOf(probed: readonly Probed[], context: HashContext): Promise<Group[]> {
  const byKey = new Map<string, Probed[]>()
  for (const one of probed) {
    if (one.user === null || one.user.status !== 'active') continue
    const key = JSON.stringify([one.user.cohort, one.user.hash.scheme?.trim() || null])
    byKey.set(key, [...(byKey.get(key) ?? []), one])
  }
  const groups: Group[] = []
  for (const [key, members] of byKey) {
    const [cohort, declared] = JSON.parse(key) as [string, string | null]
    const found = members.flatMap((member) => member.found)
    const accounts = members.flatMap(({ account }) => account ?? [])
    const standings = await compare(accounts, found, (stored) => readHash(stored, context))
    const chance = members.length === 1 && isShort(accounts[0]?.stored.encoded ?? null)
    groups.push({ cohort, declared, members, standings: standings.slice(0, MOST_TOLD), chance })
  }
  return groups
}

async function record(
  probed: readonly Probed[],
  groups: readonly Group[],
  database: Database,
): Promise<void> {
  const rows = probed.flatMap((one) => {
    if (one.user === null || !['match', 'mismatch', 'unusable-hash'].includes(one.result)) return []
    const best = groups.find(({ members }) => members.includes(one))?.standings[0]?.variant
    const own = best !== undefined && one.found.some((variant) => describe(variant) === describe(best))
    const variant = own ? best : one.found[0]
    return [
      {
        user_id: one.user.id,
        cohort: one.user.cohort,
        scheme: one.scheme ?? 'unknown',
        matched: one.result === 'match',
        found: variant === undefined ? null : describe(variant),
      },
    ]
  })
  if (rows.length > 0) await recordProbes(database, rows)
}

function asJson(probed: readonly Probed[], groups: readonly Group[]) {
  const told = ({ hashScheme, words }: Variant) => ({ hashScheme, words })
  return {
    accounts: probed.map(({ login, result, detail, scheme, user, found, tried, cut }) => ({
      login,
      result,
      detail,
      scheme,
      cohort: user?.cohort ?? null,
      found: found.slice(0, MOST_TOLD).map(told),
      tried,
      limitReached: cut,
    })),
    stores: groups.map(({ cohort, declared, members, standings, chance }) => ({
      cohort,
      declared,
      accounts: members.length,
      matched: members.filter(({ result }) => result === 'match').length,
      found: standings.map(({ variant, matched, of }) => ({ ...told(variant), matched, of })),
      chancePossible: chance && standings.length > 0,
    })),
  }
}

function asText(probed: readonly Probed[], groups: readonly Group[]): string {
  const rows = probed.map(({ login, result, detail, scheme, tried, cut }) => [
    printable(login),
    detail === null ? result : `${result} (${detail})`,
    printable(scheme ?? ''),
    tried === 0 ? '' : `${tried} variants tried${cut ? ', the limit was reached' : ''}`,
  ])
  const matched = probed.filter(({ result }) => result === 'match').length
  return [
    `${table([['login', 'result', 'read as', ''], ...rows])}\n`,
    ...groups.filter(({ members }) => members.some(({ result }) => result !== 'match')).map(groupText),
    `\n${matched} of ${probed.length} match as declared\n`,
  ].join('')
}

function groupText({ cohort, declared, members, standings, chance }: Group): string {
  const head = printable(
    `cohort ${cohort}, ${declared === null ? 'no hash_scheme' : `hash_scheme ${declared}`}:`,
  )
  if (standings.length === 0) return `\n${head} no variant matches\n`
  const lines = standings.map(
    ({ variant, matched, of }) => `  ${printable(describe(variant))}   (matches ${matched} of ${of})\n`,
  )
  const few = chance
    ? '  The digest is short and there is one account: it may match by chance. Probe a second account.\n'
    : members.length === 1 && standings.length > 1
      ? '  A second account would tell which of them it is.\n'
      : ''
  return `\n${head} this matches instead\n${lines.join('')}${few}`
}
