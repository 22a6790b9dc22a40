import { expect, test } from 'vitest'
import type { UserHistory } from '../../src/admin/answers.ts'
import { createAdminApp } from '../../src/admin/app.ts'
import { Failure } from '../../src/errors.ts'
import { createMetrics } from '../../src/metrics.ts'
import { acceptedSecrets } from '../../src/secrets.ts'
import { logBook, TOKEN } from '../helpers/service.ts'

const counts = {
  asOf: '2026-11-21T09:00:00.000Z',
  total: 0,
  unmigrated: 0,
  verified: 0,
  migrated: 0,
  unverifiable: 0,
  cohorts: [],
  schemes: [],
}
const ann = { id: '1', login: 'ann' } as UserHistory

function admin(change: Partial<Parameters<typeof createAdminApp>[0]> = {}) {
  const { events, log } = logBook()
  const app = createAdminApp({
    isToken: acceptedSecrets([`${TOKEN}-old`, TOKEN]).has,
    counts: async () => counts,
    histories: async (name) => (name === 'ann' ? [ann] : name === 'twins' ? [ann, { ...ann, id: '2' }] : []),
    provisioning: async () => ({ asOf: counts.asOf, plans: [] }),
    ready: async () => true,
    document: () => '{"openapi":"3.1.1"}',
    log,
    metrics: createMetrics(),
    ...change,
  })
  const get = (path: string, token: string | undefined = TOKEN) =>
    app.request(path, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
  return { app, get, events }
}

test.each(['/counts', '/users/ann', '/provisioning', '/metrics', '/nothing', '/openapi.json'])(
  '%s without a token is 401',
  async (path) => {
    const { app, get, events } = admin()
    expect((await app.request(path)).status).toBe(401)
    expect((await get(path, `${TOKEN}x`)).status).toBe(401)
    expect(JSON.stringify(events)).not.toContain('ann')
  },
)

test('health needs no token and tells nothing', async () => {
  const { app } = admin()
  expect(await (await app.request('/healthz')).json()).toEqual({ status: 'ok' })
  expect(await (await app.request('/readyz')).json()).toEqual({ status: 'ready' })
  const unready = admin({ ready: async () => false })
  expect((await unready.app.request('/readyz')).status).toBe(503)
})

test('both tokens open, for rotation', async () => {
  const { get } = admin()
  expect((await get('/counts')).status).toBe(200)
  expect(await (await get('/counts', `${TOKEN}-old`)).json()).toEqual(counts)
})

test.each([
  { path: '/users/ann', status: 200 },
  { path: '/users/%20ANN%20', status: 404 },
  { path: '/users/nobody', status: 404 },
  { path: '/users/twins', status: 409 },
  { path: '/users/%00', status: 404 },
  { path: '/nothing', status: 404 },
])('$path is $status', async ({ path, status }) => {
  expect((await admin().get(path)).status).toBe(status)
})

test('metrics are Prometheus text', async () => {
  const response = await admin().get('/metrics')
  expect(response.headers.get('content-type')).toContain('text/plain')
  expect(await response.text()).toContain('carryover_verdicts_total')
})

test('an outage is 503 and says nothing of itself', async () => {
  const { get, events } = admin({
    counts: () => Promise.reject(new Failure('unavailable', { detail: 'ECONNREFUSED' })),
  })
  const response = await get('/counts')
  expect([response.status, await response.json()]).toEqual([
    503,
    { status: 503, title: 'temporarily unavailable' },
  ])
  expect(events).toEqual([{ event: 'admin-failure', path: '/counts', detail: 'ECONNREFUSED' }])
})
