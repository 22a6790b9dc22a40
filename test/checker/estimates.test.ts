import { expect, test } from 'vitest'
import { createEstimates } from '../../src/checker/estimates.ts'

const BCRYPT = { kind: 'bcrypt 10', scheme: 'bcrypt', millis: 50 }

test('what has not been seen takes what the format says, on a machine as slow as this one', () => {
  const estimates = createEstimates()
  expect(estimates.of(BCRYPT)).toBe(50)
  estimates.calibrate(2)
  expect(estimates.of(BCRYPT)).toBe(100)
  expect(estimates.of(BCRYPT, 4)).toBeLessThan(4 * 100)
})

test('what is learned alone counts in company until company has been seen', () => {
  const estimates = createEstimates()
  for (let check = 0; check < 50; check += 1) estimates.learn(BCRYPT, 1, 200)
  expect(estimates.of(BCRYPT)).toBeCloseTo(200, 0)
  expect(estimates.of(BCRYPT, 2)).toBeGreaterThan(200)
  for (let check = 0; check < 50; check += 1) estimates.learn(BCRYPT, 2, 300)
  expect([estimates.of(BCRYPT), estimates.of(BCRYPT, 2)].map(Math.round)).toEqual([200, 300])
})

test('one check that was held up does not make the next look impossible, and doubt leads back', () => {
  const estimates = createEstimates()
  estimates.learn(BCRYPT, 1, 1_000_000)
  expect(estimates.of(BCRYPT)).toBeLessThan(3 * 50)
  for (let time = 0; time < 20; time += 1) estimates.doubt(BCRYPT)
  expect(estimates.of(BCRYPT)).toBeCloseTo(50, 0)
})

test('another kind keeps its own estimate', () => {
  const estimates = createEstimates()
  estimates.learn(BCRYPT, 1, 200)
  expect(estimates.of({ ...BCRYPT, kind: 'bcrypt 12', millis: 200 })).toBe(200)
})
