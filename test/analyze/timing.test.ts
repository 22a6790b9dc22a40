import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
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

test('cheap checks are timed many times, dear ones a few, and none for long', async () => {
  const costs = [cost('cheap', 0.01), cost('fair', 10), cost('dear', 150)]
  const lasts: Record<string, number> = { cheap: 0, fair: 10, dear: 150 }
  const timed = await time(costs, async (scheme) => {
    if (lasts[scheme]) await pause(lasts[scheme])
    return false
  })
  const checks = costs.map((one) => timed.get(one)).map((one) => (one && 'checks' in one ? one.checks : null))
  expect(checks).toEqual([50, 3, 2])
  expect(timed.get(costs[2] ?? cost('', 0))).toMatchObject({ p50: expect.closeTo(150, -2) })
})

test('several at once count towards the capacity', async () => {
  const fair = cost('fair', 10)
  const timed = (await time([fair], () => pause(10, false))).get(fair)
  expect(timed && 'perSecond' in timed ? timed.perSecond : 0).toBeGreaterThan(110)
})

test('what does not fit into the time for all is worked out from the rest, the most common cost being timed', async () => {
  const rare = cost('slow', 40, 1)
  const common = cost('slow', 10, 9)
  const timed = await time([rare, common], () => pause(20, false), 1)
  expect(timed.get(common)).toMatchObject({ checks: 3 })
  expect(timed.get(rare)).toMatchObject({ checks: 0, p50: expect.closeTo(80, -1.5) })
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
