import { expect, test } from 'vitest'
import { forecast } from '../../src/provision/forecast.ts'

const none = { create: 0, update: 0, deactivate: 0, delete: 0 }
const one = { batch: 1, callsPerBatch: 1, callsPerMinute: 600 }

test.each([
  {
    title: 'a user a call, nine tenths of the limit',
    users: { ...none, create: 200_000 },
    traits: one,
    pace: { rate: undefined, share: 90 },
    is: {
      calls: 200_000,
      callsPerMinute: 540,
      seconds: 22_223,
      inWords: '6 h 11 min: 200000 calls at 540 a minute, 90 % of 600',
    },
  },
  {
    title: 'a rate of the operator’s',
    users: { ...none, create: 6_000 },
    traits: one,
    pace: { rate: 6_000, share: 50 },
    is: {
      calls: 6_000,
      callsPerMinute: 3_000,
      seconds: 120,
      inWords: '2 min: 6000 calls at 3000 a minute, 50 % of 6000',
    },
  },
  {
    title: 'batches of one action each',
    users: { create: 1_001, update: 1, deactivate: 0, delete: 1 },
    traits: { batch: 1_000, callsPerBatch: 2, callsPerMinute: 60 },
    pace: { rate: undefined, share: 100 },
    is: { calls: 8, callsPerMinute: 60, seconds: 8, inWords: '8 s: 8 calls at 60 a minute, 100 % of 60' },
  },
  {
    title: 'a target that is not called',
    users: { ...none, create: 5_000 },
    traits: { batch: 500, callsPerBatch: 0 },
    pace: { rate: undefined, share: 90 },
    is: { calls: 0, callsPerMinute: null, seconds: 0, inWords: 'no call is needed' },
  },
  {
    title: 'no limit that is known',
    users: { ...none, create: 1 },
    traits: { batch: 1, callsPerBatch: 1 },
    pace: { rate: undefined, share: 90 },
    is: {
      calls: 1,
      callsPerMinute: null,
      seconds: null,
      inWords: '1 call; no limit of the target is known, so nobody can say how long that takes',
    },
  },
])('$title', ({ users, traits, pace, is }) => {
  expect(forecast(users, traits, pace)).toEqual(is)
})
