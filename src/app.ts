import { Hono } from 'hono'
import type { Reply } from './dialects/dialect.ts'
import { errorCode, Failure, tooLate } from './errors.ts'
import type { HookRoute } from './hooks/routes.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'

/** Nothing but Hono's router is used: a request is answered here or in a hook's own route. */
export function createHooksApp(
  routes: readonly HookRoute[],
  { log, metrics }: { log: Log; metrics: Metrics },
): Hono {
  const app = new Hono({ strict: true })
  const pace = { lastAnswer: Number.NEGATIVE_INFINITY }
  for (const route of routes) {
    const { dialect, hook } = route
    app.on(hook.method, hook.path, async ({ req: { raw } }) => {
      // Hono answers HEAD by way of GET.
      if (raw.method !== hook.method) return notFound()
      const started = performance.now()
      const header = (name: string) => raw.headers.get(name) ?? undefined
      if (!route.knows(header)) {
        metrics.callersRefused.inc({ listener: 'hooks' })
        log({ event: 'caller-refused', dialect: dialect.name, hook: hook.name })
        return respond({ status: 401, body: { status: 401, title: 'unauthorized' } }, { connection: 'close' })
      }
      const reply = await answered(route, raw, started, pace, { log, metrics })
      metrics.answerSeconds.observe(
        { dialect: dialect.name, hook: hook.name },
        (performance.now() - started) / 1_000,
      )
      return reply
    })
  }
  app.notFound(() => notFound())
  // Unreachable by way of a hook. Whatever gets here is told to nobody: messages quote their input.
  app.onError((error) => {
    log({ event: 'crash', code: errorCode(error) })
    return respond({ status: 503, body: { status: 503, title: new Failure('internal').message } })
  })
  return app
}

async function answered(
  route: HookRoute,
  request: Request,
  started: number,
  pace: { lastAnswer: number },
  { log, metrics }: { log: Log; metrics: Metrics },
): Promise<Response> {
  const { dialect, hook } = route
  const deadline = started + dialect.answerWithin
  try {
    const reply = await within(deadline, route.answer(request, deadline), () =>
      tooLate(pace.lastAnswer, 'deadline'),
    )
    pace.lastAnswer = performance.now()
    return respond(reply)
  } catch (error) {
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
    // What is left of a body that was not read to its end is not read for the next request either.
    return respond(reply, failure.status === 413 || failure.status === 415 ? { connection: 'close' } : {})
  }
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

/** The same bytes for every path, every method and every dialect that is off. */
function notFound(): Response {
  return respond({ status: 404, body: { status: 404, title: 'not found' } })
}

function respond({ status, body }: Reply, headers: Readonly<Record<string, string>> = {}): Response {
  const common = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers }
  if (body === undefined) return new Response(null, { status, headers: common })
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', ...common },
  })
}
