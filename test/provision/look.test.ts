import { expect, test } from 'vitest'
import { type Call, CallFailure, type OutboundRequest } from '../../src/outbound/call.ts'
import { findingsOf } from '../../src/provision/look.ts'
import { RunHalt, type Target } from '../../src/targets/target.ts'
import { fakeKind } from './fake-target.ts'

const use = { hook: true, hash: false, attributes: [] }
const answer = (status: number) => ({ status, headers: {}, text: '' })

/** A target of one host, whose examination calls it once. */
function look(call: Call, change: Partial<Target> = {}) {
  const findings = [{ severity: 'warning', code: 'mails-on', text: 'Mails are on.' }] as const
  const target = { ...fakeKind({ findings, hosts: ['fake.example'] }).open({}), ...change }
  const waited: number[] = []
  const done = findingsOf(target, use, {
    call,
    wait: async (ms) => {
      waited.push(ms)
    },
  })
  return { done, waited }
}

test('the target is asked with its authorization', async () => {
  const asked: OutboundRequest[] = []
  const { done } = look(async (request) => {
    asked.push(request)
    return answer(200)
  })
  expect(await done).toEqual([{ severity: 'warning', code: 'mails-on', text: 'Mails are on.' }])
  expect(asked).toEqual([
    { method: 'GET', url: 'https://fake.example/', headers: { authorization: 'Bearer fake' } },
  ])
})

test.each([
  { title: 'for as long as it says', limit: { waitMs: 7_000 }, waits: [7_000, 7_000] },
  {
    title: 'until its window ends, by its clock',
    limit: { resetAt: 30_000, now: 10_000 },
    waits: [20_000, 20_000],
  },
  { title: 'for a minute and a half at most', limit: { waitMs: 9e9 }, waits: [90_000, 90_000] },
  { title: 'for a second where it says nothing', limit: null, waits: [1_000, 1_000] },
])('too many calls are waited out $title', async ({ limit, waits }) => {
  const answers = [answer(429), answer(429), answer(200)]
  const { done, waited } = look(async () => answers.shift() ?? answer(500), { limitOf: () => limit })
  expect(await done).toHaveLength(1)
  expect(waited).toEqual(waits)
})

test('a target that always says "too many" is not asked for ever', async () => {
  const { done, waited } = look(async () => answer(429))
  await done
  expect(waited).toHaveLength(5)
})

test.each([
  {
    error: new CallFailure('unreachable'),
    code: 'unreachable',
    text: 'The target could not be asked: unreachable.',
  },
  {
    error: new RunHalt('unauthorized', 'E0000011'),
    code: 'unauthorized',
    text: 'The target does not let us in: unauthorized (E0000011).',
  },
])('$code is a finding', async ({ error, code, text }) => {
  const { done } = look(() => Promise.reject(error))
  expect(await done).toEqual([{ severity: 'error', code, text }])
})

test('what nobody expected is no finding', async () => {
  await expect(look(() => Promise.reject(new Error('broken'))).done).rejects.toThrow('broken')
})
