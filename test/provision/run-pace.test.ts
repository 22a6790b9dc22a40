import { setMaxListeners } from 'node:events'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { OutboundAnswer } from '../../src/outbound/call.ts'
import { createPacer, Interrupted, type PaceOptions } from '../../src/provision/pace.ts'
import type { LimitNotice } from '../../src/targets/target.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const request = (path = '/users', method: 'GET' | 'POST' = 'POST') => ({
  method,
  url: `https://target.test${path}`,
})

/** Notices travel as the answers' texts. */
const answer = (status: number, notice: LimitNotice | null = null): OutboundAnswer => ({
  status,
  headers: {},
  text: JSON.stringify(notice),
})

function pacer(options: Partial<PaceOptions> = {}) {
  return createPacer({
    share: 90,
    inFlight: 5,
    limitOf: ({ text }) => JSON.parse(text),
    now: () => performance.now(),
    today: Date.now,
    random: () => 0.5,
    ...options,
  })
}

const never = new AbortController().signal
setMaxListeners(0, never)

test('a tenth of the limit stays free, and the next window begins a second after the target says', async () => {
  const at: number[] = []
  const start = Date.now()
  let used = 0
  const reset = start + 60_000
  // The target's clock is an hour behind ours.
  const paced = pacer({ inFlight: 1 }).paced(async () => {
    at.push(Date.now() - start)
    used += 1
    const past = Date.now() >= reset
    return answer(201, {
      limit: 100,
      remaining: past ? 99 : 100 - used,
      resetAt: (past ? reset + 60_000 : reset) - 3_600_000,
      now: Date.now() - 3_600_000,
    })
  }, never)
  const calls = Promise.all(Array.from({ length: 91 }, () => paced(request())))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(at).toHaveLength(90)
  await vi.advanceTimersByTimeAsync(2_000)
  await calls
  expect(at.at(-1)).toBeGreaterThanOrEqual(61_000)
})

test('of a kind of which nothing is known one call goes first, and a limit that is used up refuses no other', async () => {
  let begun = 0
  const reset = Date.now() + 20_000
  const paced = pacer().paced(async () => {
    begun += 1
    await new Promise((later) => setTimeout(later, 100))
    return Date.now() < reset
      ? answer(429, { limit: 50, remaining: 0, resetAt: reset, now: Date.now() })
      : answer(201, { limit: 50, remaining: 40, resetAt: reset + 60_000, now: Date.now() })
  }, never)
  const calls = Promise.all(Array.from({ length: 10 }, () => paced(request())))
  await vi.advanceTimersByTimeAsync(19_000)
  expect(begun).toBe(1)
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await calls).toHaveLength(10)
})

test('keys of users in the path do not make a limit of their own', async () => {
  let begun = 0
  const paced = pacer({ inFlight: 1 }).paced(async () => {
    begun += 1
    return answer(200, { limit: 10, remaining: 10 - begun, resetAt: 60_000, now: 0 })
  }, never)
  const calls = Promise.all(Array.from({ length: 20 }, (_, at) => paced(request(`/users/${at}`, 'GET'))))
  calls.catch(() => {})
  await vi.advanceTimersByTimeAsync(50_000)
  expect(begun).toBe(9)
})

test('methods that turn out to share a window share what is left of it', async () => {
  let begun = 0
  const paced = pacer({ inFlight: 1 }).paced(async () => {
    begun += 1
    return answer(200, { limit: 10, remaining: 10 - begun, resetAt: 60_000, now: 0 })
  }, never)
  await paced(request('/users/1', 'GET'))
  for (let more = 0; more < 8; more++) await paced(request('/users', 'POST'))
  void paced(request('/users/2', 'GET')).catch(() => {})
  await vi.advanceTimersByTimeAsync(50_000)
  expect(begun).toBe(9)
})

test.each<{ title: string; notice: LimitNotice | null; ms: number }>([
  {
    title: 'until the end of the window',
    notice: { limit: 9, remaining: 0, resetAt: 20_000, now: 0 },
    ms: 21_000,
  },
  { title: 'as long as it says', notice: { waitMs: 7_000 }, ms: 7_000 },
  { title: 'longer and longer where it says nothing', notice: null, ms: 750 },
  { title: 'likewise when it was too much at once', notice: { limit: 0, remaining: 0 }, ms: 750 },
])('after "too many" the same call is asked again: $title', async ({ notice, ms }) => {
  const at: number[] = []
  const start = performance.now()
  const paced = pacer().paced(async () => {
    at.push(performance.now() - start)
    return at.length === 1 ? answer(429, notice) : answer(201)
  }, never)
  const call = paced(request())
  await vi.advanceTimersByTimeAsync(ms - 10)
  expect(at).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1_100)
  expect((await call).status).toBe(201)
})

test('a complaint about another window does not use up the one that is known', async () => {
  const start = Date.now()
  let begun = 0
  const paced = pacer({ inFlight: 1 }).paced(async () => {
    begun += 1
    return begun === 3
      ? answer(429, { limit: 600, remaining: 0, resetAt: start + 1_000, now: Date.now(), waitMs: 2_000 })
      : answer(201, { limit: 100, remaining: 100 - begun, resetAt: start + 60_000, now: Date.now() })
  }, never)
  const calls = Promise.all(Array.from({ length: 10 }, () => paced(request())))
  await vi.advanceTimersByTimeAsync(1_900)
  expect(begun).toBe(3)
  await vi.advanceTimersByTimeAsync(2_000)
  expect(await calls).toHaveLength(10)
})

test('too much at once halves the calls at the same time, for half a minute', async () => {
  let flying = 0
  let most = 0
  let complain = false
  const one = pacer({ inFlight: 8 })
  const paced = one.paced(async () => {
    flying += 1
    most = Math.max(most, flying)
    await new Promise((done) => setTimeout(done, 100))
    flying -= 1
    const complains = complain
    complain = false
    return complains ? answer(429, { limit: 0, remaining: 0 }) : answer(201)
  }, never)
  const known = paced(request())
  await vi.advanceTimersByTimeAsync(2_000)
  await known
  complain = true
  const first = Promise.all(Array.from({ length: 8 }, () => paced(request())))
  await vi.advanceTimersByTimeAsync(5_000)
  await first
  expect(most).toBe(8)
  most = 0
  const second = Promise.all(Array.from({ length: 16 }, () => paced(request())))
  await vi.advanceTimersByTimeAsync(2_000)
  await second
  expect(most).toBe(4)
  await vi.advanceTimersByTimeAsync(30_000)
  const third = Promise.all(Array.from({ length: 16 }, () => paced(request())))
  await vi.advanceTimersByTimeAsync(2_000)
  await third
  expect(most).toBe(8)
})

test('a speed is kept, and another one takes effect at once', async () => {
  let begun = 0
  const one = pacer()
  one.speed(60)
  const paced = one.paced(async () => {
    begun += 1
    return answer(201)
  }, never)
  const calls = Array.from({ length: 300 }, () => paced(request()))
  await vi.advanceTimersByTimeAsync(10_000)
  expect(begun).toBeGreaterThanOrEqual(9)
  expect(begun).toBeLessThanOrEqual(11)
  one.speed(600)
  begun = 0
  await vi.advanceTimersByTimeAsync(10_000)
  expect(begun).toBeGreaterThanOrEqual(90)
  expect(begun).toBeLessThanOrEqual(101)
  one.speed(null)
  await vi.advanceTimersByTimeAsync(2_000)
  await Promise.all(calls)
})

test('who waits for a turn when the run stops gets none', async () => {
  const stop = new AbortController()
  const one = pacer()
  one.speed(1)
  let begun = 0
  const paced = one.paced(async () => {
    begun += 1
    return answer(201)
  }, stop.signal)
  await paced(request())
  const waiting = paced(request())
  stop.abort()
  await expect(waiting).rejects.toThrow(Interrupted)
  expect(begun).toBe(1)
})

test('a wrong header does not keep a run waiting for a year', async () => {
  let begun = 0
  const paced = pacer({ inFlight: 1 }).paced(async () => {
    begun += 1
    return answer(201, { limit: 10, remaining: 0, resetAt: 1e15, now: 0 })
  }, never)
  await paced(request())
  void paced(request())
  await vi.advanceTimersByTimeAsync(15 * 60_000 + 2_000)
  expect(begun).toBe(2)
})
