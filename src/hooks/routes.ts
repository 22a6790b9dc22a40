import { hasHeaderSecret } from '../dialects/callers.ts'
import type {
  AttemptHook,
  ConfirmationHook,
  Dialect,
  HandshakeHook,
  Hook,
  RegistrationHook,
  Reply,
} from '../dialects/dialect.ts'
import type { LegacyUser } from '../domain.ts'
import type { Call } from '../http.ts'
import { loggableId } from '../input.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { type AdmitDeps, admit } from './admit.ts'
import { readBody } from './body.ts'
import { type ConfirmDeps, confirm } from './confirm.ts'
import { type JudgeDeps, judge } from './judge.ts'

/** One hook of one dialect, ready to be put on a path. */
export interface HookRoute {
  readonly dialect: Dialect
  readonly hook: Hook
  /** Whether the request comes from the provider. Asked before anything of the body is read. */
  knows(header: (name: string) => string | undefined): boolean
  answer(call: Call, deadline: number): Promise<Reply>
}

export interface Flows {
  readonly judge: Omit<JudgeDeps, 'notice'>
  readonly admit: AdmitDeps
  readonly confirm: ConfirmDeps
  /** Told of wrong passwords of known users when the reply is made. Must return at once and may not throw. */
  readonly mismatched?: (user: LegacyUser, password: string) => void
  readonly log: Log
  readonly metrics: Metrics
}

/** The routes of every dialect that has a secret. The others have none at all. */
export function hookRoutes(
  dialects: readonly Dialect[],
  secrets: ReadonlyMap<string, readonly string[]>,
  flows: Flows,
): HookRoute[] {
  return dialects.flatMap((dialect) => {
    const accepted = secrets.get(dialect.name) ?? []
    if (accepted.length === 0) return []
    return dialect.hooks.map((hook) => ({
      dialect,
      hook,
      knows: (header) => hasHeaderSecret(header, accepted),
      answer: (call, deadline) => answer(dialect.name, hook, call, deadline, flows),
    }))
  })
}

async function answer(
  dialect: string,
  hook: Hook,
  call: Call,
  deadline: number,
  flows: Flows,
): Promise<Reply> {
  switch (hook.flow) {
    case 'attempt':
      return answerAttempt(dialect, hook, call, deadline, flows)
    case 'registration':
      return answerRegistration(dialect, hook, call, deadline, flows)
    case 'confirmation':
      return answerConfirmation(dialect, hook, call, flows)
    case 'handshake':
      return answerHandshake(hook, call)
  }
}

async function answerAttempt(
  dialect: string,
  hook: AttemptHook,
  call: Call,
  deadline: number,
  { judge: deps, mismatched, log, metrics }: Flows,
): Promise<Reply> {
  const started = performance.now()
  const question = await readBody(call, hook.schema)
  const requestId = loggableId(question.requestId)
  const attempt = { ...question, requestId, dialect, hook: hook.name, deadline, caller: call }
  const { verdict, user, scheme } = await judge(attempt, {
    ...deps,
    notice: (seen) => {
      if (seen === 'ambiguous-login') {
        metrics.ambiguousLogins.inc()
        log({ event: 'login-ambiguous', dialect, hook: hook.name })
      } else if (!seen.unusable.usable) {
        const { scheme, defect } = seen.unusable
        metrics.unusableHashes.inc({ defect })
        log({ event: 'hash-unusable', userId: seen.userId, scheme, defect })
      }
    },
  })
  metrics.verdicts.inc({ dialect, verdict: verdict.kind })
  const millis = Math.round(performance.now() - started)
  log({
    event: 'attempt',
    dialect,
    hook: hook.name,
    verdict: verdict.kind,
    scheme,
    userId: user?.id ?? null,
    requestId,
    millis,
  })
  const reply = hook.answer(verdict)
  if (verdict.kind === 'mismatch' && user !== null) mismatched?.(user, attempt.password)
  return reply
}

async function answerRegistration(
  dialect: string,
  hook: RegistrationHook,
  call: Call,
  deadline: number,
  { admit: deps, log, metrics }: Flows,
): Promise<Reply> {
  const started = performance.now()
  const question = await readBody(call, hook.schema)
  const requestId = loggableId(question.requestId)
  const { names, self } = question
  const { admission, userId } = await admit(
    { names, self, requestId, dialect, hook: hook.name, deadline },
    deps,
  )
  metrics.admissions.inc({ dialect, admission: admission.kind })
  const millis = Math.round(performance.now() - started)
  log({
    event: 'registration',
    dialect,
    hook: hook.name,
    admission: admission.kind,
    userId,
    requestId,
    millis,
  })
  return hook.answer(admission, question)
}

async function answerConfirmation(
  dialect: string,
  hook: ConfirmationHook,
  call: Call,
  { confirm: deps, log, metrics }: Flows,
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

async function answerHandshake(hook: HandshakeHook, call: Call): Promise<Reply> {
  return hook.answer(call.header)
}
