import { afterEach, expect, test, vi } from 'vitest'
import { createHooksApp } from '../src/app.ts'
import type { Dialect } from '../src/dialects/dialect.ts'
import { okta } from '../src/dialects/okta.ts'
import type { LegacyUser } from '../src/domain.ts'
import { Failure } from '../src/errors.ts'
import { type Flows, hookRoutes } from '../src/hooks/routes.ts'
import { createMetrics } from '../src/metrics.ts'
import { requester } from './helpers/calls.ts'
import { policiesFor } from './helpers/dialects.ts'
import { flowsOver, found, legacyUser } from './helpers/flows.ts'
import { logBook, passwordImport, SECOND_SECRET, SECRET } from './helpers/service.ts'

const CANARY = 'Canary-pa55word'
const ann = legacyUser()

function surface(
  change: Partial<Flows['judge']> = {},
  secrets = new Map([['okta', [SECRET, SECOND_SECRET]]]),
  known: readonly Dialect[] = [okta],
  more: Partial<Flows> = {},
) {
  const find = (name: string | null) => found(name === 'ann' ? ann : null)
  const { flows, events, log, metrics } = flowsOver(find, change, more)
  const request = requester(createHooksApp(hookRoutes(known, policiesFor(secrets), flows), { log, metrics }))
  const post = (body: unknown, headers: Record<string, string> = {}, path = '/okta/password-import') =>
    request(path, {
      method: 'POST',
      headers: { authorization: SECRET, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
    })
  return { request, post, events, metrics }
}

const question = passwordImport('ann', 'right')

test('the right password is VERIFIED, with either secret', async () => {
  const { post } = surface()
  for (const authorization of [SECRET, SECOND_SECRET]) {
    const response = await post(question, { authorization })
    expect([response.status, await response.json()]).toEqual([
      200,
      { commands: [{ type: 'com.okta.action.update', value: { credential: 'VERIFIED' } }] },
    ])
  }
})

test.each([
  { title: 'no secret', authorization: '' },
  { title: 'a wrong secret', authorization: `${SECRET}x` },
  { title: 'a part of a secret', authorization: SECRET.slice(0, -1) },
  { title: 'both secrets in one', authorization: `${SECRET},${SECOND_SECRET}` },
])(
  'a stranger with $title gets 401, the same bytes, and no body of theirs is read',
  async ({ authorization }) => {
    const { request, events, metrics } = surface()
    let read = false
    const body = new ReadableStream(
      {
        pull: () => {
          read = true
          throw new Error('read')
        },
      },
      { highWaterMark: 0 },
    )
    const response = await request('/okta/password-import', {
      method: 'POST',
      headers: { authorization },
      body,
      duplex: 'half',
    } as RequestInit)
    expect([response.status, await response.text(), response.headers.get('connection')]).toEqual([
      401,
      '{"status":401,"title":"unauthorized"}',
      'close',
    ])
    expect(read).toBe(false)
    expect(events).toEqual([{ event: 'caller-refused', dialect: 'okta', hook: 'password-import' }])
    expect(await metrics.registry.getSingleMetricAsString('carryover_callers_refused_total')).toContain(
      '{listener="hooks"} 1',
    )
  },
)

test('when it cannot be found out who calls, that is a failure and the call may be repeated', async () => {
  const { events, log } = logBook()
  const [hook] = okta.hooks({})
  if (hook === undefined) throw new Error('no hook')
  let unanswered = 0
  const route = {
    dialect: okta,
    hook,
    knows: () => Promise.reject(new Failure('unavailable', { detail: 'keys' })),
    unanswered: () => void unanswered++,
    answer: () => Promise.reject(new Error('asked')),
    renew: () => undefined,
  }
  const request = requester(createHooksApp([route], { log, metrics: createMetrics() }))
  expect((await request(hook.path, { method: hook.method })).status).toBe(503)
  expect(unanswered).toBe(1)
  expect(events).toMatchObject([{ event: 'failure', code: 'unavailable', detail: 'keys' }])
})

test.each([
  ['GET', '/'],
  ['POST', '/okta/nothing'],
  ['POST', '/ory/password-migration'],
  ['GET', '/okta/password-import'],
  ['OPTIONS', '/okta/password-import'],
  ['PUT', '/okta/registration'],
  ['POST', '/okta/password-import/'],
  ['POST', '//okta/password-import'],
  ['GET', '/healthz'],
  ['GET', '/counts'],
])('%s %s is 404 with the same bytes as everything unknown', async (method, path) => {
  const response = await surface().request(path, { method, headers: { authorization: SECRET } })
  expect([response.status, await response.text()]).toEqual([404, '{"status":404,"title":"not found"}'])
})

test('HEAD is not answered by way of GET', async () => {
  const response = await surface().request('/okta/events', {
    method: 'HEAD',
    headers: { authorization: SECRET },
  })
  expect(response.status).toBe(404)
})

test('the secret of one dialect is useless for another', async () => {
  const [hook] = okta.hooks({})
  if (hook === undefined) throw new Error('okta has hooks')
  const other: Dialect = {
    ...okta,
    name: 'other',
    hooks: () => [{ ...hook, path: '/other/password-import' }],
  }
  const { request } = surface(
    {},
    new Map([
      ['okta', [SECRET]],
      ['other', [SECOND_SECRET]],
    ]),
    [okta, other],
  )
  const call = (path: string, authorization: string) =>
    request(path, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify(question),
    })
  const statuses = await Promise.all([
    call('/okta/password-import', SECRET),
    call('/okta/password-import', SECOND_SECRET),
    call('/other/password-import', SECRET),
    call('/other/password-import', SECOND_SECRET),
  ])
  expect(statuses.map(({ status }) => status)).toEqual([200, 401, 401, 200])
})

test('a dialect without secrets has no routes', async () => {
  const { post } = surface({}, new Map())
  expect((await post(question)).status).toBe(404)
})

test.each([
  { title: 'not JSON', body: `${CANARY} is no JSON`, status: 400, fields: ['body'] },
  { title: 'not UTF-8', body: Buffer.from([0x22, 0xff, 0x22]), status: 400, fields: ['body'] },
  { title: 'an empty body', body: '', status: 400, fields: ['body'] },
  {
    title: 'a missing field',
    body: { ...question, data: { context: { credential: { password: CANARY } } } },
    status: 400,
    fields: ['data.context.credential.username'],
  },
  { title: 'a wrong shape', body: [CANARY], status: 400, fields: ['body'] },
  {
    title: 'a wrong type',
    body: passwordImport('ann', { [CANARY]: CANARY }),
    status: 400,
    fields: ['data.context.credential.password'],
  },
  {
    title: '64 KiB and a byte',
    body: JSON.stringify({ ...question, x: 'x'.repeat(65_536) }),
    status: 413,
    fields: undefined,
  },
  {
    title: 'a compressed body',
    body: question,
    headers: { 'content-encoding': 'gzip' },
    status: 415,
    fields: ['content-encoding'],
  },
  {
    title: 'a form',
    body: 'a=b',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    status: 415,
    fields: ['content-type'],
  },
])(
  '$title is $status and names the field, in the answer and in the log, without any value',
  async ({ body, headers, status, fields }) => {
    const { post, events } = surface()
    const response = await post(body, headers)
    const text = await response.text()
    expect(response.status).toBe(status)
    expect(JSON.parse(text).fields).toEqual(fields)
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({ event: 'failure', status, fields: fields ?? [] })
    expect(text + JSON.stringify(events)).not.toContain(CANARY)
  },
)

test.each([{ title: 'a body of exactly 64 KiB', padding: 65_536 }])('$title is read', async ({ padding }) => {
  const { post } = surface()
  const bare = JSON.stringify({ ...question, x: '' }).length
  expect((await post(JSON.stringify({ ...question, x: 'x'.repeat(padding - bare) }))).status).toBe(200)
})

test.each([
  { title: 'overload', error: new Failure('overloaded'), status: 429, code: 'overloaded' },
  {
    title: 'an outage',
    error: new Failure('unavailable', { detail: 'ECONNREFUSED' }),
    status: 503,
    code: 'unavailable',
  },
  { title: 'a bug', error: new TypeError(CANARY), status: 503, code: 'internal' },
])('$title is $status, without commands, without what the error says', async ({ error, status, code }) => {
  const { post, events } = surface({ check: () => Promise.reject(error) })
  const response = await post(question)
  const text = await response.text()
  expect(response.status).toBe(status)
  expect(Object.keys(JSON.parse(text))).toEqual(['status', 'title'])
  expect(events).toMatchObject([{ event: 'failure', code, status }])
  expect(text + JSON.stringify(events)).not.toContain(CANARY)
})

afterEach(() => vi.useRealTimers())

test('whatever hangs is answered 503 at the deadline', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  const { post } = surface({ find: () => new Promise(() => {}) })
  const answer = post(question)
  const started = performance.now()
  await vi.advanceTimersByTimeAsync(okta.answerWithin)
  expect((await answer).status).toBe(503)
  expect(performance.now() - started).toBe(okta.answerWithin)
})

test('answers are not to be stored or sniffed', async () => {
  const { headers } = await surface().post(question)
  expect([
    headers.get('cache-control'),
    headers.get('x-content-type-options'),
    headers.get('content-type'),
  ]).toEqual(['no-store', 'nosniff', 'application/json'])
})

test('an attempt is logged with verdict, scheme, user and request id, and without login', async () => {
  const { post, events } = surface()
  await post(passwordImport('ann', CANARY, 'e7'))
  expect(events).toEqual([
    {
      event: 'attempt',
      dialect: 'okta',
      hook: 'password-import',
      verdict: 'mismatch',
      scheme: 'md5',
      userId: '1',
      requestId: 'request-e7',
      millis: expect.any(Number),
    },
  ])
})

test('whoever listens to mismatches is told of them alone, when the reply is made, and cannot hold it up', async () => {
  const told: string[] = []
  const mismatched = (user: LegacyUser, password: string) => {
    told.push(`${user.id} ${password.length}`)
    void new Promise(() => {})
  }
  const { post } = surface({}, undefined, undefined, { mismatched })
  expect((await post(question)).status).toBe(200)
  expect((await post(passwordImport('nobody', CANARY))).status).toBe(200)
  expect(told).toEqual([])
  expect(await (await post(passwordImport('ann', CANARY))).text()).toContain('UNVERIFIED')
  expect(told).toEqual([`1 ${CANARY.length}`])
})
