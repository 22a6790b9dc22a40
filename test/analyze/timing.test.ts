import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type CostClass, timeCosts } from '../../src/analyze/timing.ts'
import { Failure } from '../../src/errors.ts'
import { HashError } from '../../src/hashes/format.ts'
import { stored } from './helpers.ts'

const limits = { all: 60_000, each: 200, enough: 20, fewest: 3, most: 50 }

function cost(scheme: string, millis: number, rows = 1): CostClass {
  return { scheme, parameters: '', millis, rows, decoy: stored({ scheme }) }
}

function time(costs: readonly CostClass[], check: (scheme: string) => Promise<boolean>, all = limits.all) {
  return timeCosts(costs, {
    check: (hash) => check(hash.scheme ?? ''),
    threads: 2,
    stop: new AbortController().signal,
    progress: () => {},
    limits: { ...limits, all },
  })
}

// A clock that only checks move.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

async function lasting(millis: number): Promise<boolean> {
  vi.advanceTimersByTime(millis)
  return false
}

test('cheap checks are timed many times, dear ones a few, and none for long', async () => {
  const costs = [cost('cheap', 0.01), cost('fair', 10), cost('dear', 150)]
  const lasts: Readonly<Record<string, number>> = { cheap: 0, fair: 10, dear: 150 }
  const timed = await time(costs, (scheme) => lasting(lasts[scheme] ?? 0))
  expect(costs.map((one) => timed.get(one))).toMatchObject([
    { checks: 50, p50: 0 },
    { checks: 3, p50: 10, p99: 10, perSecond: 100 },
    { checks: 2, p50: 150 },
  ])
})

test('for the capacity there are as many checks at once as threads', async () => {
  let atOnce = 0
  let most = 0
  await time([cost('fair', 10)], async () => {
    atOnce += 1
    most = Math.max(most, atOnce)
    await Promise.resolve()
    atOnce -= 1
    return lasting(10)
  })
  expect(most).toBe(2)
})

test('the slowest hundredth is told from the rest', async () => {
  const uneven = cost('uneven', 1)
  let done = 0
  const timed = await time([uneven], () => lasting(++done % 10 === 0 ? 9 : 1))
  expect(timed.get(uneven)).toMatchObject({ p50: 1, p99: 9 })
})

test('what does not fit into the time for all is worked out from the rest, the most common cost being timed', async () => {
  const rare = cost('slow', 40, 1)
  const common = cost('slow', 10, 9)
  const timed = await time([rare, common], () => lasting(20), 1)
  expect(timed.get(common)).toMatchObject({ checks: 3, p50: 20 })
  expect(timed.get(rare)).toEqual({ checks: 0, p50: 80, p99: 80, perSecond: 25 })
})

test.for([
  {
    title: 'a missing module',
    error: new Failure('unavailable', { detail: 'argon2-native' }),
    failure: 'argon2-native',
  },
  {
    title: 'a decoy that is not read',
    error: new HashError('bad-salt', 'expected a salt'),
    failure: 'bad-salt',
  },
])('$title is told by its code', async ({ error, failure }) => {
  const broken = cost('broken', 1)
  const timed = await time([broken], () => Promise.reject(error))
  expect(timed.get(broken)).toEqual({ failure })
})
