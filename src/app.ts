import { RegExpRouter } from 'hono/router/reg-exp-router'
import type { Reply } from './dialects/dialect.ts'
import { errorCode, Failure, tooLate } from './errors.ts'
import { answerWithin, type HookRoute } from './hooks/routes.ts'
import type { Answer, Call, Handler } from './http.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

interface Surroundings {
  readonly log: Log
  readonly metrics: Metrics
}

/** What is told to whom it may be, and nothing but the router of Hono between the request and the hook's own route. */
export function createHooksApp(routes: readonly HookRoute[], { log, metrics }: Surroundings): Handler {
  const router = new RegExpRouter<HookRoute>()
  const pace = { lastAnswer: Number.NEGATIVE_INFINITY }
  const spoken = new Map(routes.map(({ dialect, hook }) => [firstSegment(hook.path), dialect]))
  for (const route of routes) router.add(route.hook.method, route.hook.path, route)
  /** Where a path begins like one of a dialect's, in its words; elsewhere the same bytes for every path and every method. */
  const notFound = (path: string): Answer => {
    const dialect = spoken.get(firstSegment(path))
    return dialect ? answerOf(dialect.failure(new Failure('not-found'), null), CLOSE) : NOT_FOUND
  }
  const answerTo = async (call: Call): Promise<Answer> => {
    const started = performance.now()
    const route = router.match(call.method, call.path)[0][0]?.[0]
    // A connection that anybody can keep open by asking for nothing is one that a provider does not get.
    if (route === undefined) return notFound(call.path)
    const { dialect, hook } = route
    const answer = await answered(route, call, started, pace, { log, metrics })
    if (answer === REFUSED) {
      metrics.callersRefused.inc({ listener: 'hooks' })
      log({ event: 'caller-refused', dialect: dialect.name, hook: hook.name })
      // A body that was sent may not have been read, so the connection is of no further use.
      return answerOf(dialect.failure(new Failure('unauthorized'), hook), CLOSE)
    }
    metrics.answerSeconds.observe(
      { dialect: dialect.name, hook: hook.name },
      (performance.now() - started) / 1_000,
    )
    return answer
  }
  return async (call) => {
    try {
      return await answerTo(call)
    } catch (error) {
      // Unreachable by way of a hook. Whatever gets here is told to nobody: messages quote their input.
      log({ event: 'crash', code: errorCode(error) })
      return CRASHED
    }
  }
}

async function answered(
  route: HookRoute,
  call: Call,
  started: number,
  pace: { lastAnswer: number },
  surroundings: Surroundings,
): Promise<Answer | typeof REFUSED> {
  const { dialect, hook } = route
  const deadline = started + answerWithin(hook, dialect)
  try {
    const work = async () => ((await route.knows(call)) ? route.answer(call, deadline) : REFUSED)
    const reply = await within(deadline, work(), () => tooLate(pace.lastAnswer, 'deadline'))
    if (reply === REFUSED) return REFUSED
    pace.lastAnswer = performance.now()
    return answerOf(reply)
  } catch (error) {
    route.unanswered(call)
    const { failure, reply } = failed(route, error, started, surroundings)
    // What is left of a body that was not read to its end is not read for the next request either.
    return answerOf(reply, failure.status === 413 || failure.status === 415 ? CLOSE : {})
  }
}

function failed(
  { dialect, hook }: HookRoute,
  error: unknown,
  started: number,
  { log, metrics }: Surroundings,
): { failure: Failure; reply: Reply } {
  const failure = error instanceof Failure ? error : new Failure('internal', { detail: errorCode(error) })
  const reply = dialect.failure(failure, hook)
  metrics.failures.inc({ dialect: dialect.name, hook: hook.name, code: failure.code })
  log({
    event: 'failure',
    dialect: dialect.name,
    hook: hook.name,
    status: reply.status,
    code: failure.code,
    detail: failure.detail ?? null,
    fields: failure.fields,
    millis: Math.round(performance.now() - started),
  })
  return { failure, reply }
}

/** Nothing is answered late: a failure in time lets the provider act. */
async function within<Value>(deadline: number, work: Promise<Value>, failure: () => Failure): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, failed) => {
    timer = setTimeout(() => failed(failure()), deadline - performance.now())
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Whoever calls is not known. */
const REFUSED = Symbol('refused')

function firstSegment(path: string): string {
  return path.split('/', 2)[1] ?? ''
}

const CLOSE = { connection: 'close' }
const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

const NOT_FOUND = answerOf({ status: 404, body: { status: 404, title: 'not found' } }, CLOSE)
const CRASHED = answerOf({ status: 503, body: { status: 503, title: new Failure('internal').message } })

function answerOf({ status, body }: Reply, more: Readonly<Record<string, string>> = {}): Answer {
  const headers = { ...COMMON_HEADERS, ...more }
  if (body === undefined) return { status, headers }
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}
