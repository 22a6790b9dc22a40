import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { passwordImport, SECRET } from '../helpers/service.ts'
import { difference, quantile } from '../helpers/statistics.ts'
import { isFailure, rawPost, timedConnection, withoutDate } from '../helpers/timed.ts'
import {
  addCheapMajority,
  addRefused,
  loginOf,
  prepareRefused,
  REFUSALS,
  type RefusedClass,
  refusedClasses,
} from './refused.ts'

/** Milliseconds. Longer than the dearest check of the classes takes on two busy cores. */
const FLOOR_MS = sized(150, 250)
/** Milliseconds. Okta's deadline, and what a busy machine takes to tell us. */
const LATEST_MS = 4_000
/** Calls to each class. */
const CALLS = sized(6, 1_000)
const LOADED_CALLS = sized(3, 200)
const CONTROL_CALLS = sized(4, 100)
const QUESTIONS = CALLS + LOADED_CALLS + CONTROL_CALLS
/** Connections that ask at the same time, each one call after the other. */
const LANES = sized(8, 11)
const LOADED_LANES = 6
const CONTROL_LANES = 2
/** in milliseconds. */
const MOST = { difference: 1, t: 4.5, loaded: 5 }
/** Milliseconds. Below this a value of t is one of the machine's: R-03 says why an effect is what counts in JavaScript. */
const NO_EFFECT = 0.05
const full = sized(0, 1) === 1

const SOURCE = new URL('../../src/', import.meta.url)
const source = (name: string) => readFileSync(new URL(name, SOURCE), 'utf8')

describe('the classes', () => {
  const covered = new Set<string>(refusedClasses.map(({ verdict }) => verdict))

  test('are of every verdict that is a no', () => {
    const union = /export type Verdict =\n([\s\S]*?)\n\n/.exec(source('domain.ts'))?.[1] ?? ''
    const kinds = [...union.matchAll(/kind: '([a-z-]+)'/g)].map(([, kind]) => kind)
    expect(kinds.length).toBeGreaterThan(5)
    expect(kinds.filter((kind) => kind !== 'match').sort()).toEqual([...covered].sort())
  })

  test('are of every verdict that judge.ts makes, and it makes none without having checked', () => {
    const text = source('hooks/judge.ts').split('/** For `carryover try`')[0] ?? ''
    const [before = '', examine = ''] = text.split('async function examine')
    const made = (part: string) => [...part.matchAll(/\{ kind: '([a-z-]+)'/g)].map(([, kind]) => kind)
    expect(
      [...made(before), ...made(examine)].filter((kind) => kind !== 'match' && !covered.has(kind ?? '')),
    ).toEqual([])
    expect(made(before).every((kind) => kind === 'throttled')).toBe(true)
    const [early = '', late = ''] = examine.split(/await deps\s*\.check\(/)
    expect(late).not.toBe('')
    expect(early).not.toContain('return')
    expect(made(late).length).toBeGreaterThan(4)
  })
})

test('the statistics: a crop of the slowest twentieth, then Welch', () => {
  const { mean, t } = difference([1, 2, 3, 4], [2, 3, 4, 5])
  // Both variances are 5/3, so the error is the root of 5/6.
  expect([mean, t]).toEqual([-1, expect.closeTo(-1 / Math.sqrt(5 / 6), 12)])
  const calm = Array.from({ length: 100 }, (_, at) => at % 10)
  const disturbed = calm.map((time, at) => (at < 5 ? 1_000 : time))
  expect(difference(calm, calm)).toEqual({ mean: 0, t: 0 })
  expect(Math.abs(difference(calm, disturbed).mean)).toBeLessThan(0.2)
})

let db: TestDatabase
const services: ServiceProcess[] = []

/** The service over the users of all classes, which have been confirmed and refused as their classes say. */
async function serve(environment: Record<string, string>): Promise<Asked> {
  const service = await startProcess(db.url, {
    THROTTLE_REFUSALS: String(REFUSALS),
    THROTTLE_WINDOW_SECONDS: '86400',
    MIGRATED_GRACE_SECONDS: '0',
    // Many at the same time on one machine.
    CHECK_THREADS: '2',
    ...environment,
  })
  services.push(service)
  return { service, answers: new Map(), verdicts: new Map() }
}

interface Asked {
  readonly service: ServiceProcess
  readonly answers: Map<string, Set<string>>
  /** What the record calls them, by the class. */
  readonly verdicts: Map<string, string>
}

function requestTo({ name, password }: RefusedClass, login: string, id: string): string {
  const body = passwordImport(login, password, `${name.replaceAll(/[^a-z0-9]/gi, '-')}.${id}`)
  return rawPost('/okta/password-import', { authorization: SECRET }, body)
}

/** Times of all classes, which are asked in random order. @param from the number of the first question to each */
async function timesOf(
  { service, answers }: Asked,
  classes: readonly RefusedClass[],
  calls: number,
  from: number,
  lanes = LANES,
) {
  const order = classes.flatMap((one) =>
    Array.from({ length: calls }, (_, place) => ({
      one,
      login: loginOf(one, from + place),
      place: from + place,
    })),
  )
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(Math.random() * (at + 1))
    const [mine, its] = [order[at], order[other]]
    if (mine && its) [order[at], order[other]] = [its, mine]
  }
  const times = new Map<string, number[]>(classes.map(({ name }) => [name, []]))
  const ask = async () => {
    const connection = timedConnection(service.hooksUrl)
    for (let next = order.pop(); next !== undefined; next = order.pop()) {
      const { one, login, place } = next
      const { text, millis } = await connection.ask(requestTo(one, login, String(place)))
      if (isFailure(text)) {
        order.unshift(next)
        continue
      }
      times.get(one.name)?.push(millis)
      const seen = answers.get(one.name) ?? new Set()
      answers.set(one.name, seen.add(withoutDate(text)))
    }
    connection.end()
  }
  await Promise.all(Array.from({ length: lanes }, ask))
  return times
}

/** The pair of classes that differs most, by the difference of its means. */
function worst(times: ReadonlyMap<string, readonly number[]>) {
  const names = [...times.keys()]
  const pairs = names.flatMap((one, place) =>
    names.slice(place + 1).map((other) => {
      const { mean, t } = difference(times.get(one) ?? [], times.get(other) ?? [])
      return { pair: `${one} / ${other}`, mean: Math.abs(mean), t: Math.abs(t) }
    }),
  )
  const most = (of: (pair: (typeof pairs)[number]) => number) =>
    pairs.reduce((far, pair) => (of(pair) > of(far) ? pair : far))
  return {
    pairs,
    byMean: most(({ mean }) => mean),
    /** Among those that have an effect. */
    failing: pairs.filter(({ mean, t }) => mean >= MOST.difference || (t >= MOST.t && mean >= NO_EFFECT)),
    byT: most(({ t }) => t),
  }
}

const said = ({ pair, mean, t }: { pair: string; mean: number; t: number }) =>
  `${mean.toFixed(3)} ms, |t| ${t.toFixed(1)} (${pair})`

/** What the log calls each class. */
function verdictsIn({ service }: Asked): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>()
  for (const line of service.output().split('\n')) {
    const [, verdict = ''] = /"event":"attempt".*"verdict":"([a-z-]+)"/.exec(line) ?? []
    const [, id] = /"requestId":"request-([^"]+)\.\d+"/.exec(line) ?? []
    if (id !== undefined && verdict !== '') found.set(id, (found.get(id) ?? new Set()).add(verdict))
  }
  return found
}

let floored: Asked

beforeAll(async () => {
  db = await testDatabase()
  await addRefused(db, QUESTIONS)
  floored = await serve({ REFUSAL_FLOOR_MS: String(FLOOR_MS) })
  const { service } = floored
  await prepareRefused(service.hooksUrl, QUESTIONS, async (one, login) => {
    const connection = timedConnection(service.hooksUrl)
    await connection.ask(requestTo(one, login, 'before'))
    connection.end()
  })
})
afterAll(async () => {
  for (const { child, ended } of services) {
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }
  await db.drop()
})

test(
  'no class of refusals is told from another by its time or its bytes',
  allowed(60_000, 900_000),
  async () => {
    const times = await timesOf(floored, refusedClasses, CALLS, 0)
    const { byMean, byT, pairs, failing } = worst(times)
    const answers = new Set([...floored.answers.values()].flatMap((texts) => [...texts]))
    measured({
      part: 'timing',
      requirement: 'R-10, R-11',
      what: `${refusedClasses.length} classes, ${CALLS} calls each, floor ${FLOOR_MS} ms: the pair that differs most of ${pairs.length}`,
      wanted: '< 1 ms',
      got: said(byMean),
    })
    measured({
      part: 'timing',
      requirement: 'R-10, R-11',
      what: 'the pair with the largest |t|',
      wanted: `|t| < 4.5, or a difference below ${NO_EFFECT} ms (see R-03 on t in JavaScript)`,
      got: `${said(byT)}; ${pairs.filter(({ t }) => t >= MOST.t).length} pairs with |t| of 4.5 and more`,
    })
    measured({
      part: 'timing',
      requirement: 'R-14',
      what: `answers to ${refusedClasses.length} classes, but for the date`,
      wanted: '1 byte string',
      got: String(answers.size),
    })
    const verdicts = verdictsIn(floored)
    for (const { name, verdict } of refusedClasses) {
      expect([name, [...(verdicts.get(name.replaceAll(/[^a-z0-9]/gi, '-')) ?? [])]]).toEqual([
        name,
        [verdict],
      ])
      const own = times.get(name) ?? []
      expect(own).toHaveLength(CALLS)
      expect(Math.min(...own), name).toBeGreaterThanOrEqual(FLOOR_MS)
      expect(quantile(own, 0.5), name).toBeLessThan(LATEST_MS)
    }
    expect(answers.size).toBe(1)
    if (full) expect(failing.map(said)).toEqual([])
  },
)

test('under load neither', allowed(60_000, 600_000), async () => {
  const chosen = [
    'unknown',
    'wrong md5',
    'wrong bcrypt 6',
    'wrong argon2',
    'disabled, right',
    'malformed',
    'throttled',
  ]
  const classes = refusedClasses.filter(({ name }) => chosen.includes(name))
  const stop = burn(BURNT)
  const before = cpuTimes()
  const times = await timesOf(floored, classes, LOADED_CALLS, CALLS, LOADED_LANES).finally(stop)
  const after = cpuTimes()
  const busy = 1 - (after.idle - before.idle) / (after.all - before.all)
  const { byMean } = worst(times)
  measured({
    part: 'timing',
    requirement: 'R-12',
    what: `${classes.length} classes, ${LOADED_CALLS} calls each, the machine ${Math.round(100 * busy)} % busy`,
    wanted: `< ${MOST.loaded} ms`,
    got: said(byMean),
  })
  for (const own of times.values()) expect(Math.min(...own)).toBeGreaterThanOrEqual(FLOOR_MS)
  if (full) expect(byMean.mean).toBeLessThan(MOST.loaded)
})

test(
  'controls: without floor or without work for the unknown the same statistics fail',
  allowed(60_000, 300_000),
  async () => {
    // What is done for an unknown login costs what an MD5 costs, and nothing waits.
    await addCheapMajority(db, QUESTIONS)
    const bare = await serve({ REFUSAL_FLOOR_MS: 'off' })
    const chosen = ['unknown', 'wrong md5', 'wrong bcrypt 10']
    const classes = refusedClasses.filter(({ name }) => chosen.includes(name))
    const times = await timesOf(bare, classes, CONTROL_CALLS, CALLS + LOADED_CALLS, CONTROL_LANES)
    const fastest = (name: string) => Math.min(...(times.get(name) ?? []))
    for (const { without, name } of [
      { without: 'the floor: two schemes', name: 'wrong md5' },
      { without: 'work for the unknown, and the floor: an unknown login', name: 'unknown' },
    ]) {
      const { mean, t } = difference(times.get('wrong bcrypt 10') ?? [], times.get(name) ?? [])
      measured({
        part: 'timing',
        requirement: 'R-13',
        what: `control without ${without}`,
        wanted: '> 1 ms and |t| > 4.5',
        got: said({ pair: `wrong bcrypt 10 / ${name}`, mean, t }),
      })
      expect(fastest('wrong bcrypt 10')).toBeGreaterThan(fastest(name))
      if (full) {
        expect(mean).toBeGreaterThan(MOST.difference)
        expect(t).toBeGreaterThan(MOST.t)
      }
    }
  },
)

/** Of every core, besides what the service, PostgreSQL and this process take: together about 70 %. */
const BURNT = 0.4

/** Milliseconds of all cores since they were started. */
function cpuTimes(): { idle: number; all: number } {
  const times = cpus().map((core) => core.times)
  const sum = (one: (typeof times)[number]) => Object.values(one).reduce((all, part) => all + part, 0)
  return {
    idle: times.reduce((all, { idle }) => all + idle, 0),
    all: times.reduce((all, one) => all + sum(one), 0),
  }
}

/** Keeps every core busy for this part of the time. The result ends that. */
function burn(part: number): () => Promise<unknown> {
  const code = `
    const { workerData } = require('node:worker_threads')
    const pause = new Int32Array(new SharedArrayBuffer(4))
    for (;;) {
      const until = performance.now() + 20 * workerData
      while (performance.now() < until);
      Atomics.wait(pause, 0, 0, 20 * (1 - workerData))
    }`
  const burners = Array.from(
    { length: availableParallelism() },
    () => new Worker(code, { eval: true, workerData: part }),
  )
  return () => Promise.all(burners.map((burner) => burner.terminate()))
}
