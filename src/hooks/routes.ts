import type { BearerCheck, BearerTrust } from '../callers/bearer.ts'
import { createCallerCheck } from '../callers/check.ts'
import type { Proof } from '../callers/proof.ts'
import type {
  Asking,
  AttemptHook,
  ConfirmationHook,
  Dialect,
  DialectPolicy,
  Hook,
  LookupHook,
  LookupQuestion,
  RegistrationHook,
  Reply,
  Route,
} from '../dialects/dialect.ts'
import type { LegacyUser, Verdict } from '../domain.ts'
import { Failure } from '../errors.ts'
import type { Call } from '../http.ts'
import { loggableId } from '../input.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type AdmitDeps, admit } from './admit.ts'
import { LARGEST_BODY, readBody } from './body.ts'
import { type ConfirmDeps, confirm } from './confirm.ts'
import type { Floor } from './floor.ts'
import { type JudgeDeps, judge } from './judge.ts'
import { createLimit, type LookupDeps, lookUp } from './lookup.ts'
import type { RefusalWatch } from './refusals.ts'
import { released } from './released.ts'

/** One hook of one dialect, ready to be put on a path. */
export interface HookRoute {
  readonly dialect: Dialect
  readonly hook: Hook
  /**
   * Whether the request comes from the provider. Nothing of the body is read before, unless a signature over it may be
   * the proof. Throws a Failure when that cannot be found out.
   */
  knows(call: Call): Promise<boolean>
  /** A call that was known ended in a failure: the provider may repeat it. */
  unanswered(call: Call): void
  answer(call: Call, deadline: number): Promise<Reply>
  /** Other secrets of the same settings, for this and the other routes of the dialect. */
  renew(policy: DialectPolicy): void
}

export interface Flows {
  /** Whether calls may come from where this one comes. */
  readonly allows: (call: Call) => boolean
  readonly judge: Omit<JudgeDeps, 'hold' | 'notice' | 'verifiedGraceMs'>
  readonly floor: Floor
  readonly refusals: Pick<RefusalWatch, 'count'>
  /** How long a password that matched goes on matching where no provider confirms that it has one of its own. */
  readonly verifiedGraceMs: number
  readonly admit: Omit<AdmitDeps, 'policy' | 'attributes'>
  readonly lookup: LookupDeps
  readonly confirm: ConfirmDeps
  /** Told of wrong passwords of known users when the reply is made. Must return at once and may not throw. */
  readonly mismatched?: (user: LegacyUser, password: string) => void
  /** For providers that prove themselves by a token, which nobody can do without it. The caller of `hookRoutes` can keep what it makes. */
  readonly bearer?: (dialect: string, trust: BearerTrust) => Pick<BearerCheck, 'matches'>
  readonly log: Log
  readonly metrics: Metrics
}

/** A dialect that is in use. */
interface Desk extends Flows {
  readonly dialect: Dialect
  readonly policy: DialectPolicy
  readonly limit: () => void
}

/** The routes of every dialect that is configured. The others have none at all. */
export function hookRoutes(
  dialects: readonly Dialect[],
  policies: ReadonlyMap<string, DialectPolicy>,
  flows: Flows,
): HookRoute[] {
  return dialects.flatMap((dialect) => {
    const policy = policies.get(dialect.name)
    if (policy === undefined) return []
    const desk: Desk = { ...flows, dialect, policy, limit: createLimit(policy.lookupsPerMinute) }
    const { knows, unanswered, renew } = createCallerCheck(
      policy.callers,
      flows.allows,
      LARGEST_BODY,
      tokenProofs(dialect, policy, flows),
    )
    return hooksOf(dialect, policy).map((first, at) => {
      let hook = first
      return {
        dialect,
        get hook() {
          return hook
        },
        knows: first.flow === 'handshake' && first.open ? async () => true : knows,
        unanswered,
        answer: (call, deadline) => answer(hook, call, deadline, desk),
        renew: (next) => {
          renew(next.callers.proofs)
          // Secrets of the dialect's own, as the keys that open a body.
          hook = hooksOf(dialect, next)[at] ?? hook
        },
      }
    })
  })
}

/** Milliseconds from the start of a call to its deadline. */
export function answerWithin(hook: Hook, dialect: Dialect): number {
  return hook.answerWithin ?? dialect.answerWithin
}

function hooksOf(dialect: Dialect, { own, lookup }: DialectPolicy): readonly Hook[] {
  return dialect.hooks(own).filter(({ flow }) => flow !== 'lookup' || lookup)
}

function tokenProofs({ name }: Dialect, { trust }: DialectPolicy, { bearer }: Flows): readonly Proof[] {
  if (trust === null || bearer === undefined) return []
  const check = bearer(name, trust)
  return [{ matches: ({ header }) => check.matches(header('authorization')) }]
}

async function answer(hook: Hook, call: Call, deadline: number, desk: Desk): Promise<Reply> {
  switch (hook.flow) {
    case 'attempt':
      return answerAttempt(hook, call, deadline, desk)
    case 'lookup':
      return answerLookup(hook, call, deadline, desk)
    case 'registration':
      return answerRegistration(hook, call, deadline, desk)
    case 'confirmation':
      return answerConfirmation(hook, call, desk)
    case 'handshake':
      return hook.answer(call.header)
  }
}

/** What is asked, from the body and, where the hook says so, from the rest of the request. */
async function asked<Question>(
  { schema, complete, method }: Asking<Question>,
  call: Call,
): Promise<Question> {
  const question = method === 'GET' ? schema.parse({}) : await readBody(call, schema)
  return complete ? complete(question, call) : question
}

async function answerAttempt(hook: AttemptHook, call: Call, deadline: number, desk: Desk): Promise<Reply> {
  const { dialect, policy, judge: deps, floor, refusals, verifiedGraceMs, mismatched, log, metrics } = desk
  const started = performance.now()
  const question = await asked(hook, call)
  const { login, password } = question
  if (password === null) return answerFound(hook, question, deadline, desk)
  const requestId = loggableId(question.requestId)
  const attempt = {
    login,
    password,
    requestId,
    oncePerRequest: dialect.oncePerRequest === true,
    dialect: dialect.name,
    hook: hook.name,
    deadline,
    caller: call,
  }
  const { verdict, user, scheme } = await judge(attempt, {
    ...deps,
    verifiedGraceMs: dialect.confirms ? null : verifiedGraceMs,
    hold: (checked) => floor.reached({ started: deadline - answerWithin(hook, dialect), deadline }, checked),
    notice: (seen) => {
      if (seen === 'ambiguous-login') {
        metrics.ambiguousLogins.inc()
        log({ event: 'login-ambiguous', dialect: dialect.name, hook: hook.name })
      } else if (!seen.unusable.usable) {
        const { scheme, defect } = seen.unusable
        metrics.unusableHashes.inc({ defect })
        log({ event: 'hash-unusable', userId: seen.userId, scheme, defect })
      }
    },
  })
  metrics.verdicts.inc({ dialect: dialect.name, verdict: verdict.kind })
  refusals.count(verdict.kind !== 'match')
  const millis = Math.round(performance.now() - started)
  log({
    event: 'attempt',
    dialect: dialect.name,
    hook: hook.name,
    verdict: verdict.kind,
    scheme,
    userId: user?.id ?? null,
    requestId,
    millis,
  })
  const told: Verdict =
    verdict.kind === 'match' ? { kind: 'match', user: released(verdict.user, policy.attributes) } : verdict
  const reply = hook.answer(told, question)
  if (verdict.kind === 'mismatch' && user !== null) mismatched?.(user, password)
  return reply
}

async function answerLookup(hook: LookupHook, call: Call, deadline: number, desk: Desk): Promise<Reply> {
  return answerFound(hook, await asked(hook, call), deadline, desk)
}

/** Throws Failure `bad-request` where look-ups are off. */
async function answerFound<Question extends LookupQuestion>(
  hook: Route & { found?(user: LegacyUser | null, question: Question): Reply },
  question: Question,
  deadline: number,
  { dialect, policy, limit, lookup: deps, log, metrics }: Desk,
): Promise<Reply> {
  if (!policy.lookup || hook.found === undefined) throw new Failure('bad-request', { detail: 'lookup-off' })
  limit()
  const started = performance.now()
  const requestId = loggableId(question.requestId)
  const { login } = question
  const user = await lookUp({ dialect: dialect.name, hook: hook.name, login, requestId, deadline }, deps)
  metrics.lookups.inc({ dialect: dialect.name, outcome: user === null ? 'not-found' : 'found' })
  const millis = Math.round(performance.now() - started)
  log({
    event: 'lookup',
    dialect: dialect.name,
    hook: hook.name,
    userId: user?.id ?? null,
    requestId,
    millis,
  })
  return hook.found(user && released(user, policy.attributes), question)
}

async function answerRegistration(
  hook: RegistrationHook,
  call: Call,
  deadline: number,
  { dialect, policy, admit: deps, log, metrics }: Desk,
): Promise<Reply> {
  const started = performance.now()
  const question = await asked(hook, call)
  const requestId = loggableId(question.requestId)
  const { names, self } = question
  const { admission, userId } = await admit(
    { names, self, requestId, dialect: dialect.name, hook: hook.name, deadline },
    { ...deps, policy: policy.registration, attributes: policy.registrationAttributes },
  )
  metrics.admissions.inc({ dialect: dialect.name, admission: admission.kind })
  const millis = Math.round(performance.now() - started)
  log({
    event: 'registration',
    dialect: dialect.name,
    hook: hook.name,
    admission: admission.kind,
    userId,
    requestId,
    millis,
  })
  return hook.answer(admission, question)
}

async function answerConfirmation(
  hook: ConfirmationHook,
  call: Call,
  { dialect: { name: dialect }, confirm: deps, log, metrics }: Desk,
): Promise<Reply> {
  const notices = await readBody(call, hook.schema)
  const tally = await confirm(
    notices.map((notice) => ({ ...notice, dialect, hook: hook.name })),
    deps,
  )
  for (const [result, number] of Object.entries(tally)) metrics.confirmations.inc({ dialect, result }, number)
  const { confirmed, repeated, unknown } = tally
  log({ event: 'confirmation', dialect, confirmed, repeated, notStored: tally['not-stored'], unknown })
  return hook.answer()
}
