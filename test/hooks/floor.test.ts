import { describe, expect, test } from 'vitest'
import { createHooksApp } from '../../src/app.ts'
import { dialects } from '../../src/dialects/index.ts'
import { createFloor, followingStep } from '../../src/hooks/floor.ts'
import { type Clock, createUntil } from '../../src/hooks/punctual.ts'
import { hookRoutes } from '../../src/hooks/routes.ts'
import { requester } from '../helpers/calls.ts'
import { policiesFor } from '../helpers/dialects.ts'
import { flowsOver, found, legacyUser } from '../helpers/flows.ts'
import { passwordImport, SECRET } from '../helpers/service.ts'

/** A clock that jumps to whatever comes next, and is late by as much as timers are. */
function pretend() {
  let time = 1_000.25
  let asleep: { moment: number; act: () => void }[] = []
  let soon: (() => void)[] = []
  const count = { timers: 0, turns: 0 }
  const clock: Clock = {
    now: () => time,
    after: (millis, act) => {
      count.timers++
      const timer = { moment: time + Math.trunc(millis) + 0.9, act }
      asleep.push(timer)
      return () => {
        asleep = asleep.filter((other) => other !== timer)
      }
    },
    soon: (act) => {
      count.turns++
      soon.push(act)
    },
  }
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  const run = async (end: number) => {
    await settle()
    for (;;) {
      asleep.sort((one, other) => one.moment - other.moment)
      const [timer] = asleep
      if (soon.length > 0) {
        const turn = soon
        soon = []
        time += 0.01
        for (const act of turn) act()
      } else if (timer && timer.moment <= end) {
        asleep.shift()
        time = Math.max(time, timer.moment)
        timer.act()
      } else break
      await settle()
    }
    time = Math.max(time, end)
  }
  return { clock, run, count, now: () => time }
}

describe('waiting until a moment', () => {
  test.each([0.1, 1, 1.7, 2, 2.3, 50.5, 99.999])(
    '%d ms away is never early and at most a turn late',
    async (away) => {
      const { clock, run, now } = pretend()
      const moment = now() + away
      let woken = 0
      void createUntil(clock)(moment).then(() => {
        woken = now()
      })
      await run(moment + 100)
      expect(woken).toBeGreaterThanOrEqual(moment)
      expect(woken - moment).toBeLessThan(0.02)
    },
  )

  test('those who wait are woken in the order of their moments, whatever order they came in', async () => {
    const { clock, run, now } = pretend()
    const until = createUntil(clock)
    const order: number[] = []
    for (const away of [30, 10, 20, 10.5, 5]) void until(now() + away).then(() => order.push(away))
    await run(now() + 100)
    expect(order).toEqual([5, 10, 10.5, 20, 30])
  })

  test('there is one timer for all of them', async () => {
    const { clock, run, count, now } = pretend()
    const until = createUntil(clock)
    for (let at = 0; at < 50; at++) void until(now() + 100)
    expect(count.timers).toBe(1)
    await run(now() + 200)
    expect(count.timers).toBe(1)
  })

  test('a moment that has passed is there at the next turn', async () => {
    const { clock, run, now, count } = pretend()
    let woken = false
    void createUntil(clock)(now() - 5).then(() => {
      woken = true
    })
    await run(now() + 1)
    expect(woken).toBe(true)
    expect(count).toEqual({ timers: 0, turns: 1 })
  })

  test('when many wait, timers do, and the loop does not turn for nothing', async () => {
    const { clock, run, now, count } = pretend()
    const until = createUntil(clock)
    const late: number[] = []
    for (let at = 0; at < 1_000; at++) {
      const moment = now() + 50 + at
      void until(moment).then(() => late.push(now() - moment))
    }
    await run(now() + 2_000)
    expect(late).toHaveLength(1_000)
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...late)).toBeLessThan(3)
    // The last of them are few enough to be exact.
    expect(count.turns).toBeLessThan(100 * 64)
    expect(count.timers).toBeGreaterThan(300)
  })

  test('with the real clock it is on time', async () => {
    const until = createUntil()
    for (const away of [0.5, 3, 12.3, 20]) {
      const moment = performance.now() + away
      await until(moment)
      expect(performance.now()).toBeGreaterThanOrEqual(moment)
    }
  })
})

describe('the floor', () => {
  function setUp(step = 100) {
    let time = 0
    const waits: number[] = []
    let picked = 0
    const floor = createFloor({
      step: () => step,
      until: async (moment) => void waits.push(moment),
      now: () => time,
      random: () => picked,
    })
    /** The moment at which a no goes out that is there after so long, in milliseconds from the start of its call. */
    const answered = async (after: number, { checked = true, within = 2_400 } = {}) => {
      const started = 10_000.5
      time = started + after
      waits.length = 0
      await floor.reached({ started, deadline: started + within }, checked)
      return (waits[0] ?? time) - started
    }
    return {
      answered,
      pick: (share: number) => {
        picked = share
      },
    }
  }

  test.each([
    { after: 0, at: 100 },
    { after: 99.9, at: 100 },
    { after: 100, at: 100 },
    { after: 100.1, at: 200 },
    { after: 730, at: 800 },
    // 50 ms before the deadline is the last moment, whatever the step.
    { after: 2_310, at: 2_350 },
    { after: 2_349, at: 2_350 },
    { after: 2_360, at: 2_360 },
    { after: 2_399, at: 2_399 },
  ])('what is there after $after ms goes out after $at ms', async ({ after, at }) => {
    expect(await setUp().answered(after)).toBeCloseTo(at, 6)
  })

  test('a step that is longer than the caller waits ends before the caller does', async () => {
    expect(await setUp(2_000).answered(5, { within: 900 })).toBeCloseTo(850, 6)
  })

  test('off, every no goes out at once', async () => {
    expect(await setUp(0).answered(5)).toBeCloseTo(5, 6)
  })

  test('what was not checked takes the step of something that was, and never an earlier one than its own', async () => {
    const { answered, pick } = setUp()
    expect(await answered(3, { checked: false })).toBeCloseTo(100, 6)
    for (const after of [50, 350]) await answered(after)
    expect(await answered(3, { checked: false })).toBeCloseTo(100, 6)
    pick(0.99)
    expect(await answered(3, { checked: false })).toBeCloseTo(400, 6)
    expect(await answered(520, { checked: false })).toBeCloseTo(600, 6)
    expect(await answered(3, { checked: false, within: 300 })).toBeCloseTo(250, 6)
  })

  test('only the newest are remembered, and what was not checked is none of them', async () => {
    const { answered, pick } = setUp()
    await answered(950)
    for (let at = 0; at < 31; at++) await answered(20)
    expect(await answered(3, { checked: false })).toBeCloseTo(1_000, 6)
    await answered(850, { checked: false })
    await answered(20)
    for (const share of [0, 0.5, 0.999]) {
      pick(share)
      expect(await answered(3, { checked: false })).toBeCloseTo(100, 6)
    }
  })
})

describe('the step that follows the work', () => {
  test.each([
    { check: 0.001, step: 50 },
    { check: 60, step: 150 },
    { check: 95, step: 150 },
    { check: 97, step: 200 },
    { check: 300, step: 450 },
    { check: 5_000, step: 1_000 },
  ])('is $step ms where a check takes $check ms', ({ check, step }) => {
    expect(followingStep(() => check).current()).toBe(step)
  })

  test('becomes longer at once, and shorter only when thirty looks in a row agree', () => {
    let check = 60
    const step = followingStep(() => check)
    check = 200
    step.look()
    expect(step.current()).toBe(300)
    check = 60
    for (let at = 0; at < 29; at++) step.look()
    expect(step.current()).toBe(300)
    step.look()
    expect(step.current()).toBe(150)
  })
})

describe('a hook', () => {
  const asking = [
    { name: 'okta', path: '/okta/password-import', within: 2_400, body: passwordImport },
    {
      name: 'fusionauth',
      path: '/fusionauth/login',
      within: 900,
      body: (loginId: string, password: string) => ({ loginId, password }),
    },
  ]

  test.each(asking)(
    'of $name waits for the floor of its own call before a no, and never before a yes',
    async (asked) => {
      const reached: { within: number; since: number; checked: boolean }[] = []
      let throttled = 0
      const { flows, log, metrics } = flowsOver(
        () => ({ ...found(legacyUser()), refusals: throttled }),
        {},
        {
          floor: {
            reached: async ({ started, deadline }, checked) => {
              reached.push({ within: deadline - started, since: performance.now() - started, checked })
            },
          },
        },
      )
      const policies = policiesFor(new Map([[asked.name, [SECRET]]]))
      const request = requester(createHooksApp(hookRoutes(dialects, policies, flows), { log, metrics }))
      const ask = (password: string) =>
        request(asked.path, {
          method: 'POST',
          headers: { authorization: SECRET, 'content-type': 'application/json' },
          body: JSON.stringify(asked.body('ann', password)),
        })
      await ask('right')
      expect(reached).toEqual([])
      await ask('wrong')
      throttled = 10
      await ask('right')
      expect(reached.map(({ within, checked }) => [within, checked])).toEqual([
        [expect.closeTo(asked.within, 6), true],
        [expect.closeTo(asked.within, 6), false],
      ])
      for (const { since } of reached) {
        expect(since).toBeGreaterThanOrEqual(0)
        expect(since).toBeLessThan(asked.within)
      }
    },
  )
})
