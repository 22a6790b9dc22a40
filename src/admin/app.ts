import { type Context, Hono } from 'hono'
import { errorCode } from '../errors.ts'
import { lookupName } from '../input.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Ambiguous, Counts, Health, Problem, Provisioning, UserHistory } from './answers.ts'

export interface AdminDeps {
  /** Whether a bearer token is one of those of today. */
  readonly isToken: (presented: string) => boolean
  readonly counts: () => Promise<Counts>
  readonly histories: (name: string) => Promise<UserHistory[]>
  /** Plans, and how far the runs are. */
  readonly provisioning: () => Promise<Provisioning>
  /** Whether a query and a check succeed in time, and no shutdown has begun. */
  readonly ready: () => Promise<boolean>
  /** The description of both listeners, as JSON. */
  readonly document: () => string
  readonly log: Log
  readonly metrics: Metrics
}

/** Where people and machines look. Health needs no token and shows nothing; everything else does. */
export function createAdminApp({
  isToken,
  counts,
  histories,
  provisioning,
  ready,
  document,
  log,
  metrics,
}: AdminDeps): Hono {
  const app = new Hono({ strict: true })
  app.get('/healthz', (context) => answer(context, 200, { status: 'ok' }))
  app.get('/readyz', async (context) =>
    (await ready())
      ? answer(context, 200, { status: 'ready' })
      : answer(context, 503, { status: 'not ready' }),
  )

  app.use(async (context, next) => {
    const presented = /^Bearer (.+)$/i.exec(context.req.raw.headers.get('authorization') ?? '')?.[1] ?? ''
    if (isToken(presented)) return next()
    metrics.callersRefused.inc({ listener: 'admin' })
    log({ event: 'admin-refused', path: routeOf(context) })
    context.header('www-authenticate', 'Bearer')
    return answer(context, 401, { status: 401, title: 'unauthorized' })
  })
  app.get('/counts', async (context) => answer(context, 200, await counts()))
  app.get('/users/:login', async (context) => {
    const name = lookupName(context.req.param('login'))
    const [user, ...others] = name === null ? [] : await histories(name)
    if (user === undefined)
      return answer(context, 404, { status: 404, title: 'nobody in the copy has this login' })
    if (others.length > 0) {
      const ids = [user, ...others].map(({ id }) => id)
      return answer(context, 409, {
        status: 409,
        title: 'several users answer to this login, so it is nobody',
        ids,
      })
    }
    return answer(context, 200, user)
  })
  app.get('/provisioning', async (context) => answer(context, 200, await provisioning()))
  app.get('/metrics', async (context) =>
    context.text(await metrics.registry.metrics(), 200, { 'content-type': metrics.registry.contentType }),
  )
  app.get('/openapi.json', (context) =>
    context.body(document(), 200, { 'content-type': 'application/json', 'cache-control': 'no-store' }),
  )
  app.notFound((context) => answer(context, 404, { status: 404, title: 'not found' }))
  app.onError((error, context) => {
    log({ event: 'admin-failure', path: routeOf(context), detail: errorCode(error) })
    return answer(context, 503, { status: 503, title: 'temporarily unavailable' })
  })
  return app
}

/** The first segment, if it is one of ours: the rest of a path may hold a login. */
function routeOf(context: Context): string {
  return (
    /^\/(counts|users|provisioning|metrics|healthz|readyz|openapi\.json)\b/.exec(context.req.path)?.[0] ??
    '/*'
  )
}

function answer(
  context: Context,
  status: 200 | 401 | 404 | 409 | 503,
  body: Health | Counts | UserHistory | Provisioning | Ambiguous | Problem,
): Response {
  context.header('cache-control', 'no-store')
  return context.json(body, status)
}
