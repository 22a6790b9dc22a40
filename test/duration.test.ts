import { expect, test } from 'vitest'
import { duration } from '../src/duration.ts'

test.each([
  [0, '0 s'],
  [59.2, '60 s'],
  [119, '119 s'],
  [121, '3 min'],
  [3_600, '1 h 0 min'],
  [16_200, '4 h 30 min'],
  [172_800, '2 d 0 h'],
])('%s seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words)
})
