import { expect, test } from 'vitest'
import { createQueue } from '../../src/checker/queue.ts'

function queueOf(...subjects: string[]) {
  const queue = createQueue<{ subject: string; arrival: number }>()
  subjects.forEach((subject, arrival) => {
    queue.add({ subject, arrival })
  })
  const order = () => queue.items().map(({ subject, arrival }) => `${subject}${arrival}`)
  return { queue, order }
}

test('subjects take turns, and each keeps its own order', () => {
  const { order } = queueOf('a', 'a', 'a', 'b', 'c', 'b')
  expect(order()).toEqual(['a0', 'b3', 'c4', 'a1', 'b5', 'a2'])
})

test('one that has left makes no room for a subject that still waits', () => {
  const { queue, order } = queueOf('a', 'a', 'b')
  const [first] = queue.items()
  if (first) expect([queue.remove(first), queue.remove(first)]).toEqual([true, false])
  queue.add({ subject: 'a', arrival: 3 })
  queue.add({ subject: 'c', arrival: 4 })
  expect(order()).toEqual(['b2', 'c4', 'a1', 'a3'])
})

test('ahead of a newcomer are those of its rank and better ones', () => {
  const { queue } = queueOf('a', 'a', 'b')
  const ahead = (subject: string) => queue.aheadOf(subject).map(({ arrival }) => arrival)
  expect([ahead('new'), ahead('b'), ahead('a')]).toEqual([
    [0, 2],
    [0, 2, 1],
    [0, 2, 1],
  ])
})
