import { describe, expect, test } from 'vitest'
import { createHooksApp } from '../../src/app.ts'
import type { AttemptHook, Dialect, Reply } from '../../src/dialects/dialect.ts'
import { dialects } from '../../src/dialects/index.ts'
import { Failure, type FailureCode } from '../../src/errors.ts'
import { type HookRoute, hookRoutes } from '../../src/hooks/routes.ts'
import { requester } from '../helpers/calls.ts'
import { policiesFor } from '../helpers/dialects.ts'
import { ann, defaultsOf, fakeFlows, verdicts } from '../helpers/flows.ts'
import { SECRET } from '../helpers/service.ts'
import { takenForYes } from './yes.ts'

const codes: Record<FailureCode, true> = {
  'bad-request': true,
  unauthorized: true,
  'not-found': true,
  'too-large': true,
  'unsupported-media-type': true,
  overloaded: true,
  unavailable: true,
  internal: true,
}

/** What an answer may have to repeat, under every name that a dialect uses. */
const echo = { nonce: 'n-1', applicationId: 'd37b1de2-a7ec-4c36-ad85-959402cd3fb9' }
const question = { login: 'ann', password: 'Right-pa55word', requestId: 'r-1', echo }

type Routes = (route: HookRoute) => HookRoute

/** The routes of one dialect behind the real listener's surface, changed by a test. */
function surface(dialect: Dialect, change: Routes) {
  const { flows, log, metrics, events } = fakeFlows()
  const policies = policiesFor(new Map([[dialect.name, [SECRET]]]), {
    own: defaultsOf(dialect),
    lookup: true,
  })
  const routes = hookRoutes([dialect], policies, flows).map(change)
  const request = requester(createHooksApp(routes, { log, metrics }))
  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const response = await request(path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: '{}' }),
    })
    return { status: response.status, body: parsed(await response.text()) }
  }
  return { ask, events }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const letIn: HookRoute['knows'] = async () => true

/** Callers are let in, and get this answer. */
const answering = (answer: (route: HookRoute) => Promise<Reply>): Routes => {
  return (route) => ({ ...route, knows: letIn, answer: () => answer(route) })
}

/** Every caller who is let in is told yes, so that whoever gets through by mistake shows. */
const sayingYes: Routes = (route) => ({
  ...route,
  answer: async () =>
    route.hook.flow === 'attempt' ? route.hook.answer(verdicts.match, question) : { status: 200, body: {} },
})

const placed = (path: string) => path.replace('*', 'ann')
const asksPassword = (hook: { flow: string }): hook is AttemptHook => hook.flow === 'attempt'

test('every dialect says what its provider takes for yes', () => {
  expect(dialects.map(({ name }) => name).filter((name) => takenForYes[name] === undefined)).toEqual([])
})

describe.each(dialects)('$name', (dialect) => {
  const isYes = takenForYes[dialect.name] ?? (() => true)
  const hooks = dialect.hooks(defaultsOf(dialect))
  const attempts = hooks.filter(asksPassword)

  test('has a hook that is asked for passwords', () => {
    expect(attempts.length).toBeGreaterThan(0)
  })

  test.each(Object.values(verdicts))('the verdict $kind is a yes only if it is a match', async (verdict) => {
    const { ask } = surface(
      dialect,
      answering(async ({ hook }) => (asksPassword(hook) ? hook.answer(verdict, question) : { status: 404 })),
    )
    for (const { method, path } of attempts) {
      const { status, body } = await ask(method, placed(path))
      expect([path, isYes(status, body)]).toEqual([path, verdict.kind === 'match'])
    }
  })

  test('a look-up is never a yes on a hook that is asked for passwords', async () => {
    for (const found of [ann, { ...ann, status: 'disabled' } as const, null]) {
      const { ask } = surface(
        dialect,
        answering(async ({ hook }) =>
          asksPassword(hook) && hook.found ? hook.found(found, question) : { status: 404 },
        ),
      )
      for (const { method, path } of attempts) {
        const { status, body } = await ask(method, placed(path))
        expect([path, isYes(status, body)]).toEqual([path, false])
      }
    }
  })

  test.each(Object.keys(codes) as FailureCode[])('the failure %s is no yes on any hook', async (code) => {
    const failing = answering(() => Promise.reject(new Failure(code, { detail: 'd', fields: ['f'] })))
    await expectNoYes(surface(dialect, failing), code)
  })

  test('a bug is no yes on any hook', async () => {
    const { ask, events } = surface(
      dialect,
      answering(() => Promise.reject(new TypeError('x'))),
    )
    await expectNoYes({ ask }, 'a bug')
    expect(events.every(({ event }) => event === 'failure')).toBe(true)
  })

  test('what is not answered in time is no yes on any hook', async () => {
    const hanging: Routes = (route) => ({
      ...route,
      knows: letIn,
      hook: { ...route.hook, answerWithin: 1 },
      answer: () => new Promise(() => {}),
    })
    await expectNoYes(surface(dialect, hanging), 'late')
  })

  test.each([
    { title: 'without a secret', headers: {} },
    { title: 'with another secret', headers: { authorization: `${SECRET}x` } },
    { title: 'with a token of nobody', headers: { authorization: 'Bearer e30.e30.e30' } },
  ])('a stranger $title is told no yes on any hook', async ({ headers }) => {
    await expectNoYes(surface(dialect, sayingYes), 'stranger', headers)
  })

  test('no other path and no other method leads to a yes, or to any success', async () => {
    const { ask } = surface(dialect, (route) => ({ ...sayingYes(route), knows: letIn }))
    for (const [method, path] of elsewhere(dialect)) {
      const { status, body } = await ask(method, path)
      expect([method, path, status >= 400, isYes(status, body)]).toEqual([method, path, true, false])
    }
  })

  async function expectNoYes(
    { ask }: Pick<ReturnType<typeof surface>, 'ask'>,
    title: string,
    headers: Record<string, string> = {},
  ) {
    for (const { flow, method, path } of hooks) {
      const { status, body } = await ask(method, placed(path), headers)
      expect([title, path, isYes(status, body)]).toEqual([title, path, false])
      // Found is a success of its own where no password is asked for.
      if (flow === 'lookup') expect([title, path, status >= 400]).toEqual([title, path, true])
    }
  }
})

/** Paths around those of a dialect that are none of its own, and its paths with methods that they do not have. */
function elsewhere(dialect: Dialect): readonly (readonly [string, string])[] {
  const hooks = dialect.hooks(defaultsOf(dialect))
  const own = (method: string, path: string) =>
    hooks.some(
      (hook) =>
        hook.method === method &&
        (hook.path.endsWith('*') ? path.startsWith(hook.path.slice(0, -1)) : hook.path === path),
    )
  const paths = hooks.flatMap(({ path }) => {
    const [, segment = ''] = path.split('/')
    const whole = placed(path)
    return [
      whole,
      `${whole}/`,
      `/${whole}`,
      `${whole}/more`,
      `${whole}%20`,
      whole.toUpperCase(),
      `/${segment}`,
      `/${segment}/`,
      `/${segment}/nothing`,
      `/${dialect.name}/nothing`,
    ]
  })
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']
  return [...new Set(paths)].flatMap((path) =>
    methods.filter((method) => !own(method, path)).map((method) => [method, path] as const),
  )
}
