import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { hashSync } from 'bcryptjs'
import { afterEach, describe, expect, test } from 'vitest'
import type { Checker, CheckerOptions } from '../../src/checker/checker.ts'
import { createChecker } from '../../src/checker/checker.ts'
import type { Caller, StoredHash } from '../../src/domain.ts'
import { Failure } from '../../src/errors.ts'
import type { Argon2Library } from '../../src/hashes/argon2-library.ts'
import { NO_CONTEXT } from '../../src/hashes/context.ts'
import { HashError } from '../../src/hashes/format.ts'

const MD5 = { encoded: '5f4dcc3b5aa765d61d8327deb882cf99', scheme: 'md5', right: 'password' }
const BCRYPT = { encoded: '$2b$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy', right: '' }
const BCRYPT_10 = { encoded: '$2b$10$CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.', right: '' }
const ARGON2 = {
  encoded: '$argon2i$v=19$m=4096,t=3,p=1$cmFuZG9tc2FsdGlzaGFyZA$YMvo8AUoNtnKYGqeODruCjHdiEbl1pKL2MsYy9VgU/E',
  right: 'password',
}

/** Made by the package `argon2`: the other one does not take associated data. */
const ARGON2_DATA = {
  encoded:
    '$argon2id$v=19$m=4096,t=2,p=2,data=c2hvcA$c29tZXNhbHRzb21lc2FsdA$Ln5vhwVlb1ucXwtSvd+R8+1jMsp3vIxj17xjjpVWfow',
  right: 'password',
}

const open: Checker[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((checker) => checker.close()))
})

async function checkerWith(options: Partial<CheckerOptions> = {}): Promise<Checker> {
  const checker = createChecker({
    threads: 1,
    argon2Libraries: async () => ['node-rs', 'argon2'],
    ...options,
  })
  open.push(checker)
  await checker.ready()
  return checker
}

function stored(
  { encoded, scheme = null }: { encoded: string | null; scheme?: string | null },
  login = '',
): StoredHash {
  return { encoded, scheme, salt: null, login, id: '' }
}

const inMillis = (millis: number) => performance.now() + millis

test.for([
  { title: 'md5, inline', hash: MD5 },
  { title: 'bcrypt, on a thread', hash: BCRYPT },
  { title: 'Argon2, on a thread', hash: ARGON2 },
])('the right password matches and another does not: $title', async ({ hash }) => {
  const checker = await checkerWith()
  const right = Buffer.from(hash.right)
  expect(await checker.check(stored(hash), right, inMillis(5000))).toBe(true)
  expect(await checker.check(stored(hash), Buffer.from('another'), inMillis(5000))).toBe(false)
  expect(right.toString()).toBe(hash.right)
})

test('the recipes and secrets of the operator reach the threads', async () => {
  const context = {
    recipes: new Map([['shop', 'bcrypt($pass.$pepper)']]),
    secrets: new Map([['pepper', Buffer.from('e0a1b2c3d4e5f60718293a4b5c6d7e8f')]]),
    plaintext: false,
  }
  const hash = { encoded: '$2a$04$CCCCCCCCCCCCCCCCCCCCC.24By8Ha55MzYTVXhQ09I2aUXpvfq4kW', scheme: 'shop' }
  const checker = await checkerWith({ context })
  expect(await checker.check(stored(hash), Buffer.from('s3cr3t'), inMillis(5000))).toBe(true)
  expect(await checker.check(stored(hash), Buffer.from('secret'), inMillis(5000))).toBe(false)
  const without = await checkerWith()
  await expect(without.check(stored(hash), Buffer.from('s3cr3t'), inMillis(5000))).rejects.toThrow(HashError)
})

test('a digest needs no thread', async () => {
  const checker = createChecker({ threads: 1, script: new URL('./fixtures/missing.mjs', import.meta.url) })
  open.push(checker)
  expect(await checker.check(stored(MD5), Buffer.from(MD5.right), inMillis(1000))).toBe(true)
})

test('the digest of a long password is made on a thread', async () => {
  const checker = await checkerWith()
  const checks = ['x'.repeat(64), 'x'.repeat(65)].map((text) => {
    const check = checker.check(stored(MD5), Buffer.from(text), inMillis(5000))
    return [checker.busy(), check] as const
  })
  expect(checks.map(([busy]) => busy)).toEqual([0, 1])
  expect(await Promise.all(checks.map(([, check]) => check))).toEqual([false, false])
})

test.for([
  { title: 'damaged', encoded: BCRYPT.encoded.slice(0, -1), defect: 'malformed' },
  { title: 'too costly', encoded: BCRYPT.encoded.replace('05', '31'), defect: 'too-costly' },
  { title: 'missing', encoded: null, defect: 'missing' },
])('a hash that is $title is refused before any work', async ({ encoded, defect }) => {
  const checker = await checkerWith()
  const refused = checker.check(stored({ encoded }), Buffer.from('x'), inMillis(5000))
  await expect(refused).rejects.toSatisfy((error) => error instanceof HashError && error.defect === defect)
  expect([checker.busy(), checker.queued()]).toEqual([0, 0])
})

describe('when there is more work than time', () => {
  test('what cannot be done by its deadline is refused at once, and the rest is done', async () => {
    const checker = await checkerWith()
    const settled: unknown[] = []
    const checks = Array.from({ length: 200 }, async () => {
      const result = await checker.check(stored(BCRYPT_10), Buffer.from('x'), inMillis(700)).catch(codeOf)
      settled.push(result)
      return result
    })
    expect([checker.busy(), checker.queued() > 0]).toEqual([1, true])
    const results = await Promise.all(checks)
    expect(new Set(results)).toEqual(new Set([false, 'overloaded']))
    // At once: before the first one that is done.
    expect(settled[0]).toBe('overloaded')
    expect([checker.busy(), checker.queued()]).toEqual([0, 0])
  })

  test('a check whose deadline passes in the queue leaves it then', async () => {
    const checker = await checkerWith({ script: fixture() })
    const slow = checker.check(stored(BCRYPT_10, 'slow'), Buffer.from('x'), inMillis(5000))
    const waiting = checker.check(stored(BCRYPT_10, 'quick'), Buffer.from('x'), inMillis(200))
    expect(checker.queued()).toBe(1)
    await expect(waiting).rejects.toSatisfy((error) => codeOf(error) === 'overloaded')
    expect([checker.busy(), checker.queued()]).toEqual([1, 0])
    expect(await slow).toBe(true)
  })

  test('a deadline in the past is refused, inline and on a thread', async () => {
    const checker = await checkerWith()
    for (const hash of [MD5, BCRYPT]) {
      const late = checker.check(stored(hash), Buffer.from('x'), inMillis(-1))
      await expect(late).rejects.toSatisfy((error) => codeOf(error) === 'overloaded')
    }
  })

  test('checks that are slower than their format says are refused sooner, but not for ever', async () => {
    const checker = await checkerWith({ script: fixture() })
    const slow = () => checker.check(stored(BCRYPT, 'slow'), Buffer.from('x'), inMillis(5000))
    for (let round = 0; round < 4; round += 1) await slow()
    const hurried = () => checker.check(stored(BCRYPT, 'quick'), Buffer.from('x'), inMillis(8))
    await expect(hurried()).rejects.toSatisfy((error) => codeOf(error) === 'overloaded')
    const later: unknown[] = []
    for (let round = 0; round < 10; round += 1) later.push(await hurried().catch(codeOf))
    expect(later).toContain(true)
  })
})

describe('when a thread ends', () => {
  test('a check that crashes twice is unavailable, and the next one is done', async () => {
    const checker = await checkerWith({ script: fixture() })
    for (const act of ['crash', 'throw']) {
      const crashing = checker.check(stored(BCRYPT, act), Buffer.from('x'), inMillis(5000))
      await expect(crashing).rejects.toSatisfy((error) => detailOf(error) === 'unavailable thread-crashed')
      expect(await checker.check(stored(BCRYPT, 'quick'), Buffer.from('x'), inMillis(5000))).toBe(true)
    }
  })

  test('a check that crashes once is done by the next thread', async () => {
    const checker = await checkerWith({ script: fixture() })
    const flag = join(mkdtempSync(join(tmpdir(), 'carryover-')), 'crashed')
    const row = { ...stored(BCRYPT, 'crash-once'), id: flag }
    expect(await checker.check(row, Buffer.from('x'), inMillis(5000))).toBe(true)
  })

  test('a thread out of memory takes nothing with it', async () => {
    const checker = await checkerWith({ script: fixture() })
    const greedy = checker.check(stored(BCRYPT, 'out-of-memory'), Buffer.from('x'), inMillis(30_000))
    await expect(greedy).rejects.toSatisfy((error) => detailOf(error) === 'unavailable thread-crashed')
    expect(await checker.check(stored(BCRYPT, 'quick'), Buffer.from('x'), inMillis(5000))).toBe(true)
  })

  test('threads that do not come up are reported, and checks run out of time', async () => {
    const checker = createChecker({ threads: 2, script: new URL('./fixtures/missing.mjs', import.meta.url) })
    open.push(checker)
    await expect(checker.ready()).rejects.toSatisfy((error) => detailOf(error) === 'unavailable thread-start')
    const waiting = checker.check(stored(BCRYPT), Buffer.from('x'), inMillis(100))
    await expect(waiting).rejects.toSatisfy((error) => codeOf(error) === 'overloaded')
  })
})

test.for([
  { act: 'fail', error: 'unavailable EXAMPLE' },
  { act: 'unusable', error: 'malformed' },
])('an error in a thread is never a verdict: $error', async ({ act, error: expected }) => {
  const checker = await checkerWith({ script: fixture() })
  const failing = checker.check(stored(BCRYPT, act), Buffer.from('x'), inMillis(5000))
  await expect(failing).rejects.toSatisfy((error) => detailOf(error) === expected)
})

describe('who waits for whom', () => {
  const settledOrder = async (checks: readonly [string, Promise<unknown>][]) => {
    const order: string[] = []
    await Promise.all(checks.map(([name, check]) => check.finally(() => order.push(name))))
    return order
  }

  test('a brief check does not wait behind dear ones', async () => {
    const checker = await checkerWith({ script: fixture() })
    const dear = () => checker.check(stored(BCRYPT_10, 'slow'), Buffer.from('x'), inMillis(5000))
    const brief = () => checker.check(stored(BCRYPT, 'quick'), Buffer.from('x'), inMillis(5000))
    const order = await settledOrder([
      ['dear', dear()],
      ['dear', dear()],
      ['brief', brief()],
    ])
    expect(order).toEqual(['brief', 'dear', 'dear'])
  })

  test('dear checks do not wait behind brief ones', async () => {
    const checker = await checkerWith({ script: fixture() })
    const brief = () => checker.check(stored(BCRYPT, 'slow'), Buffer.from('x'), inMillis(5000))
    const dear = () => checker.check(stored(BCRYPT_10, 'quick'), Buffer.from('x'), inMillis(5000))
    const order = await settledOrder([
      ['brief', brief()],
      ['brief', brief()],
      ['brief', brief()],
      ['dear', dear()],
    ])
    expect(order.indexOf('dear')).toBeLessThan(order.length - 1)
  })

  test('many checks of one login leave room for the others', async () => {
    const checker = await checkerWith({ script: fixture() })
    const check = (subject: string) =>
      checker.check(stored(BCRYPT_10, 'slow'), Buffer.from('x'), inMillis(10_000), { subject })
    const order = await settledOrder([
      ...Array.from({ length: 5 }, (): [string, Promise<unknown>] => ['flooded', check('flooded')]),
      ['other', check('other')],
    ])
    expect(order).toEqual(['flooded', 'flooded', 'other', 'flooded', 'flooded', 'flooded'])
  })

  test('what nobody waits for any more is not checked', async () => {
    const checker = await checkerWith({ script: fixture() })
    let gone = false
    let leave = () => {}
    const caller: Caller = {
      hasGone: () => gone,
      onceGone: (act) => {
        leave = act
        return () => {}
      },
    }
    const check = (caller?: Caller) =>
      checker.check(stored(BCRYPT_10, 'slow'), Buffer.from('x'), inMillis(5000), { caller })
    const running = check()
    const waiting = check(caller)
    gone = true
    leave()
    await expect(waiting).rejects.toSatisfy((error) => detailOf(error) === 'overloaded caller-gone')
    expect([checker.busy(), checker.queued()]).toEqual([1, 0])
    expect(await running).toBe(true)
    await expect(check(caller)).rejects.toSatisfy((error) => codeOf(error) === 'overloaded')
  })
})

test('checks of one kind that wait at the same time share calls, and each gets its own answer', async () => {
  const companies: number[] = []
  const events = {
    ran: (_: string, _predicted: number, _taken: number, company: number) => companies.push(company),
  }
  const checker = await checkerWith({ events })
  const hashes = [
    { encoded: '$2b$08$CCCCCCCCCCCCCCCCCCCCC.', right: '' },
    { encoded: '$2y$08$CarryoverCarryoverCarO', right: 'another' },
  ].map(({ encoded, right }) => ({ encoded: hashSync(right, encoded.replace('$2y$', '$2b$')), right }))
  const questions = Array.from({ length: 31 }, (_, place) => {
    const hash = hashes[place % 2] ?? BCRYPT
    return { hash, password: place % 3 === 0 ? 'wrong' : hash.right }
  })
  const answers = await Promise.all(
    questions.map(({ hash, password }) =>
      checker.check(stored(hash), Buffer.from(password), inMillis(30_000)),
    ),
  )
  expect(answers).toEqual(questions.map(({ hash, password }) => password === hash.right))
  expect(companies[0]).toBe(1)
  expect(Math.max(...companies)).toBe(3)
  expect(companies.reduce((sum, company) => sum + company, 0)).toBe(31)
})

describe('the memory of Argon2', () => {
  const MEBIBYTE = 2 ** 20
  const greedy = {
    encoded:
      '$argon2id$v=19$m=65536,t=1,p=1$Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo',
  }
  const contextOf = (mebibytes: number) => ({ ...NO_CONTEXT, memory: mebibytes * MEBIBYTE })

  test('checks that run together never take more than is allowed', async () => {
    const checker = await checkerWith({ threads: 4, context: contextOf(150) })
    const seen: number[] = []
    const watching = setInterval(() => seen.push(checker.memory() / MEBIBYTE), 1)
    const checks = Array.from({ length: 12 }, () =>
      checker.check(stored(greedy), Buffer.from('x'), inMillis(60_000)),
    )
    expect(await Promise.all(checks)).toEqual(Array.from({ length: 12 }, () => false))
    clearInterval(watching)
    expect(Math.max(...seen)).toBe(128)
    expect(checker.memory()).toBe(0)
  })

  test('a hash that needs more than is allowed at all is too costly', async () => {
    const checker = await checkerWith({ context: contextOf(63) })
    await expect(checker.check(stored(greedy), Buffer.from('x'), inMillis(5000))).rejects.toSatisfy(
      (error) => detailOf(error) === 'too-costly',
    )
  })
})

test('a thread that hangs is replaced, its check fails, and the next one is done', async () => {
  const lost: string[] = []
  const events = { threadLost: (reason: string) => lost.push(reason) }
  const checker = await checkerWith({ script: fixture(), events })
  const hanging = checker.check(stored(BCRYPT, 'hang'), Buffer.from('x'), inMillis(20_000))
  await expect(hanging).rejects.toSatisfy((error) => detailOf(error) === 'unavailable thread-overran')
  expect(await checker.check(stored(BCRYPT, 'quick'), Buffer.from('x'), inMillis(5000))).toBe(true)
  expect([lost, checker.busy()]).toEqual([['overran'], 0])
})

test('the cohort of a row reaches the thread', async () => {
  const checker = await checkerWith({ script: fixture() })
  const row = (cohort: string) => ({ ...stored(BCRYPT, 'cohort-known'), cohort })
  expect(await checker.check(row('retail'), Buffer.from('x'), inMillis(5000))).toBe(true)
  expect(await checker.check(row('staff'), Buffer.from('x'), inMillis(5000))).toBe(false)
})

describe('close', () => {
  test('what runs and what waits becomes unavailable, and so does what comes later; no thread is lost', async () => {
    const lost: string[] = []
    const events = { threadLost: (reason: string) => lost.push(reason) }
    const checker = await checkerWith({ script: fixture(), events })
    const checks = ['slow', 'slow'].map((act) =>
      checker.check(stored(BCRYPT, act), Buffer.from('x'), inMillis(5000)),
    )
    const results = Promise.all(checks.map((check) => check.catch(detailOf)))
    await checker.close()
    expect(await results).toEqual(['unavailable closing', 'unavailable closing'])
    const late = checker.check(stored(BCRYPT, 'quick'), Buffer.from('x'), inMillis(5000))
    await expect(late).rejects.toSatisfy((error) => detailOf(error) === 'unavailable closing')
    expect(lost).toEqual([])
  })
})

describe('the libraries of Argon2', () => {
  test.for<Argon2Library[][]>([[['node-rs']], [['argon2']]])(
    'one is enough: %s',
    async ([libraries = []]) => {
      const checker = await checkerWith({ argon2Libraries: async () => libraries })
      expect(await checker.check(stored(ARGON2), Buffer.from(ARGON2.right), inMillis(5000))).toBe(true)
      expect(await checker.check(stored(ARGON2), Buffer.from('another'), inMillis(5000))).toBe(false)
    },
  )

  test('associated data is unavailable without the one that takes it', async () => {
    const without = await checkerWith({ argon2Libraries: async () => ['node-rs'] })
    const unchecked = without.check(stored(ARGON2_DATA), Buffer.from(ARGON2_DATA.right), inMillis(5000))
    await expect(unchecked).rejects.toSatisfy((error) => detailOf(error) === 'unavailable argon2-native')
    const checker = await checkerWith()
    expect(await checker.check(stored(ARGON2_DATA), Buffer.from(ARGON2_DATA.right), inMillis(5000))).toBe(
      true,
    )
  })

  test('where none works, Argon2 is unavailable and the rest works', async () => {
    const checker = await checkerWith({ argon2Libraries: async () => [] })
    const unchecked = checker.check(stored(ARGON2), Buffer.from(ARGON2.right), inMillis(5000))
    await expect(unchecked).rejects.toSatisfy((error) => detailOf(error) === 'unavailable argon2-native')
    expect(await checker.check(stored(BCRYPT), Buffer.from(BCRYPT.right), inMillis(5000))).toBe(true)
  })
})

test('many checks at once on two threads all get their own answer', async () => {
  const checker = await checkerWith({ threads: 2 })
  const passwords = Array.from({ length: 60 }, (_, index) =>
    index % 3 === 0 ? BCRYPT.right : `wrong ${index}`,
  )
  const results = await Promise.all(
    passwords.map((password) => checker.check(stored(BCRYPT), Buffer.from(password), inMillis(20_000))),
  )
  expect(results).toEqual(passwords.map((password) => password === BCRYPT.right))
})

function fixture(): URL {
  return new URL('./fixtures/thread.mjs', import.meta.url)
}

function codeOf(error: unknown): string {
  return error instanceof Failure ? error.code : String(error)
}

function detailOf(error: unknown): string {
  if (error instanceof HashError) return error.defect
  return error instanceof Failure ? `${error.code} ${error.detail}` : String(error)
}
