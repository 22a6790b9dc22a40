import { expect, test } from 'vitest'
import { createRefusalWatch, type RefusalNews } from '../../src/hooks/refusals.ts'

function setUp(percent = 20) {
  let time = 123_456
  const news: RefusalNews[] = []
  const watch = createRefusalWatch({ percent, now: () => time, tell: (one) => news.push(one) })
  const come = (attempts: number, refused: number) => {
    for (let at = 0; at < attempts; at++) watch.count(at < refused)
  }
  const pass = (seconds: number) => {
    for (let at = 0; at < seconds; at++) {
      time += 1_000
      watch.look()
    }
  }
  return { watch, news, come, pass }
}

test('nothing has happened: nothing is refused', () => {
  const { watch, news } = setUp()
  watch.look()
  expect([watch.share(), watch.isHigh(), news]).toEqual([0, false, []])
})

test('one fifth is not more than one fifth; one more is, and is told once', () => {
  const { watch, news, come } = setUp()
  for (let at = 0; at < 40; at++) {
    come(4, 0)
    come(1, 1)
  }
  expect([watch.share(), watch.isHigh()]).toEqual([0.2, false])
  come(5, 5)
  expect(watch.isHigh()).toBe(true)
  expect(news).toEqual([{ high: true, attempts: 201, refused: 41 }])
})

test('fewer than a hundred attempts are never many refusals', () => {
  const { watch, news, come } = setUp()
  come(99, 99)
  expect([watch.share(), watch.isHigh(), news]).toEqual([1, false, []])
  come(1, 0)
  expect(news).toEqual([{ high: true, attempts: 100, refused: 99 }])
})

test('what is older than five minutes counts no more, and that it is over is told without a new attempt', () => {
  const { watch, news, come, pass } = setUp()
  come(200, 100)
  pass(289)
  expect(watch.isHigh()).toBe(true)
  pass(11)
  expect([watch.share(), watch.isHigh()]).toEqual([0, false])
  expect(news).toEqual([
    { high: true, attempts: 100, refused: 100 },
    { high: false, attempts: 0, refused: 0 },
  ])
})

test('a share that moves about the line is told once', () => {
  const { watch, news, come } = setUp()
  come(100, 21)
  expect(watch.isHigh()).toBe(true)
  come(8, 0)
  expect(watch.share()).toBeLessThan(0.2)
  come(8, 8)
  expect(news).toHaveLength(1)
  come(100, 0)
  expect(watch.isHigh()).toBe(false)
  expect(news).toHaveLength(2)
})

test('the line can be drawn elsewhere', () => {
  const { watch, come } = setUp(60)
  come(100, 60)
  expect(watch.isHigh()).toBe(false)
  come(1, 1)
  expect(watch.isHigh()).toBe(true)
})
