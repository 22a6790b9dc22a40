import { describe, expect, test } from 'vitest'
import { createBreaker } from '../../src/db/breaker.ts'
import { errorCode, Failure } from '../../src/errors.ts'

/** A breaker whose clock the test sets, and what it told. */
function breaker() {
  const clock = { millis: 0 }
  const told: string[] = []
  const { ask } = createBreaker({ now: () => clock.millis, changed: (state) => told.push(state) })
  const sent: string[] = []
  /** What a statement that ends like this comes to. */
  const state = async (ends: string) =>
    ask(async () => {
      sent.push(ends)
      if (ends !== 'rows') throw new Failure('unavailable', { detail: ends })
      return ends
    }).catch(errorCode)
  const repeat = async (times: number, ends: string) => {
    for (let time = 0; time < times; time++) await state(ends)
  }
  return { clock, told, sent, ask, state, repeat }
}

describe('a database that does not answer', () => {
  test.for([
    'query-timeout',
    'connection-lost',
    'ECONNREFUSED',
    'ECONNRESET',
    'ENOENT',
    'ETIMEDOUT',
    '57P01',
    '57P03',
    '08006',
  ])('is given up after five statements that end in %s', async (code) => {
    const { told, sent, state, repeat } = breaker()
    await repeat(4, code)
    expect(told).toEqual([])
    expect(await state(code)).toBe(code)
    expect(told).toEqual(['given-up'])
    expect(await state('rows')).toBe('breaker')
    expect(sent).toHaveLength(5)
  })

  test('is tried once a second, by one statement, until it answers', async () => {
    const { clock, told, sent, state, repeat } = breaker()
    await repeat(5, 'query-timeout')
    clock.millis = 999
    expect(await state('rows')).toBe('breaker')
    clock.millis = 1_000
    expect(await state('query-timeout')).toBe('query-timeout')
    expect(await state('rows')).toBe('breaker')
    clock.millis = 1_999
    expect(await state('rows')).toBe('breaker')
    clock.millis = 2_000
    expect(await state('rows')).toBe('rows')
    expect(await state('rows')).toBe('rows')
    expect(told).toEqual(['given-up', 'back'])
    expect(sent).toHaveLength(8)
  })

  test('is asked by nobody else while one tries', async () => {
    const { clock, ask, state, repeat } = breaker()
    await repeat(5, 'query-timeout')
    clock.millis = 1_000
    let answer = (_: string) => {}
    const trial = ask(() => new Promise<string>((answered) => (answer = answered)))
    clock.millis = 9_000
    expect(await Promise.all([state('rows'), state('rows')])).toEqual(['breaker', 'breaker'])
    answer('first')
    expect(await trial).toBe('first')
    expect(await state('rows')).toBe('rows')
  })

  test('is back when a statement that was sent before is answered after all', async () => {
    const { ask, told, state, repeat } = breaker()
    let answer = (_: string) => {}
    const early = ask(() => new Promise<string>((answered) => (answer = answered)))
    await repeat(5, 'query-timeout')
    answer('late')
    expect(await early).toBe('late')
    expect(await state('rows')).toBe('rows')
    expect(told).toEqual(['given-up', 'back'])
  })

  test('is not given up a second time by those that were sent before', async () => {
    const { clock, told, ask, state, repeat } = breaker()
    const fail: (() => void)[] = []
    const early = Array.from({ length: 8 }, () =>
      ask(
        () =>
          new Promise((_, failed) =>
            fail.push(() => failed(new Failure('unavailable', { detail: 'query-timeout' }))),
          ),
      ).catch(errorCode),
    )
    await repeat(5, 'query-timeout')
    clock.millis = 900
    for (const end of fail) end()
    await Promise.all(early)
    clock.millis = 1_000
    expect(await state('rows')).toBe('rows')
    expect(told).toEqual(['given-up', 'back'])
  })
})

describe('a database that answers', () => {
  test.for(['57014', '55P03', '23505', '25006', '53100', '53300', '40001', '40P01', '28P01', '42501'])(
    'is never given up for what it refuses or ends itself: %s',
    async (code) => {
      const { told, state, repeat } = breaker()
      await repeat(50, code)
      expect([await state('rows'), told]).toEqual(['rows', []])
    },
  )

  test('is never given up because all connections are busy', async () => {
    const { told, state, repeat } = breaker()
    await repeat(50, 'pool-timeout')
    expect([await state('rows'), told]).toEqual(['rows', []])
  })

  test.for(['rows', '57014'])(
    'is not given up for four lost statements, then %s, then four',
    async (ends) => {
      const { told, state, repeat } = breaker()
      for (let round = 0; round < 10; round++) {
        await repeat(4, 'connection-lost')
        expect(await state(ends)).toBe(ends)
      }
      expect(told).toEqual([])
    },
  )
})
