import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Failure } from '../../src/errors.ts'
import { purgeDue } from '../../src/forget/purge.ts'
import { schedulePurge } from '../../src/forget/schedule.ts'
import { createMetrics } from '../../src/metrics.ts'
import { logBook } from '../helpers/service.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** Users who are due, batch by batch; a word is a failure. */
function scheduled(batches: (number | string)[], everyMs = 3_600_000) {
  const metrics = createMetrics()
  const { events, log } = logBook()
  let asked = 0
  const schedule = schedulePurge(
    {
      migrated: async () => {
        asked++
        const batch = batches.shift() ?? 0
        if (typeof batch === 'string') throw new Failure('unavailable', { detail: batch })
        return batch
      },
      verified: null,
    },
    everyMs,
    { log, metrics },
  )
  const purged = async () => (await metrics.hashesPurged.get()).values[0]?.value
  return { schedule, events, purged, asked: () => asked }
}

test('the first purge comes a minute after the start, the next ones after their interval', async () => {
  const { schedule, events, purged, asked } = scheduled([500, 20, 0, 0, 3])
  await vi.advanceTimersByTimeAsync(59_000)
  expect(asked()).toBe(0)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(events).toEqual([{ event: 'purged', migrated: 520, verified: 0 }])
  expect(await purged()).toBe(520)
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(asked()).toBe(4)
  expect(events).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(3_600_000)
  expect(events[1]).toEqual({ event: 'purged', migrated: 3, verified: 0 })
  await schedule.stop()
})

test('what fails is told with what was done before it, and tried again', async () => {
  const { schedule, events, purged } = scheduled([500, '55P03', 7], 10_000)
  await vi.advanceTimersByTimeAsync(11_000)
  expect(events).toEqual([
    { event: 'purge-failed', code: '55P03' },
    { event: 'purged', migrated: 500, verified: 0 },
  ])
  await vi.advanceTimersByTimeAsync(11_000)
  expect(events[2]).toEqual({ event: 'purged', migrated: 7, verified: 0 })
  expect(await purged()).toBe(507)
  await schedule.stop()
})

test('a stop ends it after the batch that is under way', async () => {
  const { schedule, asked } = scheduled(
    Array.from({ length: 100 }, () => 500),
    1_000,
  )
  await vi.advanceTimersByTimeAsync(1_110)
  const before = asked()
  expect(before).toBeGreaterThan(1)
  const stopped = schedule.stop()
  await vi.advanceTimersByTimeAsync(60_000)
  await stopped
  expect(asked()).toBe(before)
})

test('the confirmed first, then the verified from id to id', async () => {
  const asked: unknown[] = []
  const told: unknown[] = []
  const batches = [
    { users: 500, last: 'f' },
    { users: 499, last: 'm' },
    { users: 0, last: null },
  ]
  const complete = await purgeDue({
    migrated: async () => (told.length === 0 ? 9 : 0),
    verified: async (after) => {
      asked.push(after)
      return batches.shift() ?? { users: 0, last: null }
    },
    pause: async () => {},
    stop: new AbortController().signal,
    told: (...what) => told.push(what),
  })
  expect(complete).toBe(true)
  expect(asked).toEqual([null, 'f', 'm'])
  expect(told).toEqual([
    ['migrated', 9],
    ['verified', 500],
    ['verified', 499],
  ])
})
