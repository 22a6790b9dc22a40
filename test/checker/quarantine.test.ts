import { afterEach, describe, expect, test } from 'vitest'
import { type Checker, createChecker } from '../../src/checker/checker.ts'
import { createQuarantine } from '../../src/checker/quarantine.ts'
import type { StoredHash } from '../../src/domain.ts'
import { Failure } from '../../src/errors.ts'

const BCRYPT = '$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy'
const MINUTE = 60_000

/** The fixture's thread does what the login says. */
function row(id: string, change: Partial<StoredHash> = {}): StoredHash {
  return { encoded: BCRYPT, scheme: null, salt: null, login: 'quick', id, ...change }
}

describe('hashes over which threads were lost', () => {
  test('are held from the second time on, for ten minutes', () => {
    let millis = 0
    const { holds, blame } = createQuarantine(() => millis)
    expect([blame(row('1')), holds(row('1')), blame(row('1')), holds(row('1'))]).toEqual([
      false,
      false,
      true,
      true,
    ])
    millis = 10 * MINUTE - 1
    expect(holds(row('1'))).toBe(true)
    millis = 10 * MINUTE
    expect([holds(row('1')), blame(row('1'))]).toEqual([false, false])
  })

  test.for([
    { what: 'hash', change: { encoded: BCRYPT.replace('$05$', '$06$') } },
    { what: 'scheme', change: { scheme: 'bcrypt' } },
    { what: 'salt', change: { salt: 'x' } },
    { what: 'cohort', change: { cohort: 'x' } },
    { what: 'id', change: { id: '2' } },
  ])('are others when the $what is another', ({ change }) => {
    const { holds, blame } = createQuarantine()
    blame(row('1'))
    blame(row('1'))
    expect([holds(row('1')), holds(row('1', change))]).toEqual([true, false])
  })

  test('are at most a thousand', () => {
    const { holds, blame } = createQuarantine()
    for (let at = 0; at <= 1_000; at++) {
      blame(row(`${at}`))
      blame(row(`${at}`))
    }
    expect([holds(row('0')), holds(row('1')), holds(row('1000'))]).toEqual([false, true, true])
  })
})

const open: Checker[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((checker) => checker.close()))
})

async function crashing(threads: number) {
  const lost: string[] = []
  const quarantined: string[] = []
  const checker = createChecker({
    threads,
    script: new URL('./fixtures/thread.mjs', import.meta.url),
    events: {
      threadLost: (reason) => lost.push(reason),
      quarantined: (userId, scheme) => quarantined.push(`${userId} ${scheme}`),
    },
  })
  open.push(checker)
  await checker.ready()
  const check = (stored: StoredHash, millis = 5_000) =>
    checker
      .check(stored, Buffer.from('x'), performance.now() + millis)
      .catch((error) => (error instanceof Failure ? `${error.code} ${error.detail}` : 'other'))
  return { lost, quarantined, check }
}

test('a hash that crashed two threads crashes no third, and the same hash of another user is checked', async () => {
  const { lost, quarantined, check } = await crashing(1)
  const poison = row('7', { login: 'crash' })
  expect(await check(poison)).toBe('unavailable thread-crashed')
  expect([lost, quarantined]).toEqual([['crashed', 'crashed'], ['7 bcrypt']])
  for (let time = 0; time < 20; time++) expect(await check(poison)).toBe('unavailable quarantine')
  expect(lost).toHaveLength(2)
  expect(await check(row('7'))).toBe(true)
  expect(await check(row('8', { login: 'crash' }))).toBe('unavailable thread-crashed')
})

test('of many checks of it at the same time each is unavailable, and at most one a thread is lost over and above', async () => {
  const { lost, quarantined, check } = await crashing(2)
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => check(row('7', { login: 'crash' }), 20_000)),
  )
  expect(answers.filter((answer) => typeof answer !== 'string' || !answer.startsWith('unavailable'))).toEqual(
    [],
  )
  // Company shares calls, and a thread that is lost over several checks is nobody's fault: each is tried alone then.
  expect(lost.length).toBeLessThanOrEqual(3 + 3 + 2)
  expect(new Set(quarantined)).toEqual(new Set(['7 bcrypt']))
})

test('a hash over which two threads hung is not checked a third time', async () => {
  const { lost, check } = await crashing(1)
  const poison = row('7', { login: 'hang' })
  expect(await check(poison, 20_000)).toBe('unavailable thread-overran')
  expect(await check(poison, 20_000)).toBe('unavailable thread-overran')
  expect(await check(poison, 20_000)).toBe('unavailable quarantine')
  expect(lost).toEqual(['overran', 'overran'])
})
