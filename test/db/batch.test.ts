import { describe, expect, test } from 'vitest'
import { batched } from '../../src/db/batch.ts'
import { Failure } from '../../src/errors.ts'

const later = () => performance.now() + 10_000
/** The end of a turn of the event loop: what was asked in it is sent. */
const turn = () => new Promise((over) => setImmediate(over))

/** A statement that is answered when the test says so. */
function statements() {
  const sent: { questions: readonly number[]; answer: () => void; fail: () => void }[] = []
  const ask = (questions: readonly number[]) =>
    new Promise<number[]>((answered, failed) => {
      sent.push({
        questions,
        answer: () => answered(questions.map((question) => question * 10)),
        fail: () => failed(new Failure('unavailable')),
      })
    })
  return { sent, ask }
}

describe('many callers in one statement', () => {
  test('a lone question goes in its turn; what comes meanwhile goes together, and everyone gets its own answer', async () => {
    const { sent, ask } = statements()
    const call = batched(ask, { most: 3, lanes: 1, patience: 5 })
    const first = call(1, later())
    await turn()
    expect(sent.map(({ questions }) => questions)).toEqual([[1]])
    const others = [2, 3, 4, 5].map((question) => call(question, later()))
    await turn()
    expect(sent.map(({ questions }) => questions)).toEqual([[1]])
    sent[0]?.answer()
    expect(await first).toBe(10)
    expect(sent.map(({ questions }) => questions)).toEqual([[1], [2, 3, 4]])
    sent[1]?.answer()
    expect(await others[2]).toBe(40)
    sent[2]?.answer()
    expect(await Promise.all(others)).toEqual([20, 30, 40, 50])
  })

  test('what is asked in one turn goes together, in as many lanes as it needs', async () => {
    const { sent, ask } = statements()
    const call = batched(ask, { most: 3, lanes: 2, patience: 5 })
    const answers = [1, 2, 3, 4, 5, 6, 7].map((question) => call(question, later()))
    await turn()
    expect(sent.map(({ questions }) => questions)).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ])
    sent[0]?.answer()
    expect(await answers[0]).toBe(10)
    sent[1]?.answer()
    sent[2]?.answer()
    expect(await Promise.all(answers)).toEqual([10, 20, 30, 40, 50, 60, 70])
  })

  test('another statement goes out beside one that is held up, and beside no other', async () => {
    const { sent, ask } = statements()
    const call = batched(ask, { most: 10, lanes: 2, patience: 30 })
    const first = call(1, later())
    await turn()
    const second = call(2, later())
    await turn()
    expect(sent.map(({ questions }) => questions)).toEqual([[1]])
    sent[0]?.answer()
    expect(await first).toBe(10)
    expect(sent.map(({ questions }) => questions)).toEqual([[1], [2]])
    const third = call(3, later())
    await new Promise((over) => setTimeout(over, 60))
    expect(sent.map(({ questions }) => questions)).toEqual([[1], [2], [3]])
    sent[2]?.answer()
    expect(await third).toBe(30)
    sent[1]?.answer()
    expect(await second).toBe(20)
  })

  test('a statement that fails fails those who have waited long for it, and nobody else', async () => {
    const { sent, ask } = statements()
    const call = batched(ask, { most: 1, lanes: 1, patience: 5 })
    const first = call(1, later())
    const long = call(2, later())
    await new Promise((over) => setTimeout(over, 450))
    const short = call(3, later())
    sent[0]?.fail()
    await expect(first).rejects.toThrow(Failure)
    await expect(long).rejects.toThrow(Failure)
    expect(sent.map(({ questions }) => questions)).toEqual([[1], [3]])
    sent[1]?.answer()
    expect(await short).toBe(30)
  })

  test('a statement that fails fails those in it alone', async () => {
    const { sent, ask } = statements()
    const call = batched(ask, { most: 10, lanes: 1, patience: 5 })
    const first = call(1, later())
    await turn()
    const second = call(2, later())
    sent[0]?.fail()
    await expect(first).rejects.toThrow(Failure)
    sent[1]?.answer()
    expect(await second).toBe(20)
  })

  test('an answer that is missing is a failure', async () => {
    const call = batched(async () => [], { most: 10, lanes: 1, patience: 5 })
    await expect(call(1, later())).rejects.toMatchObject({ code: 'internal' })
  })

  test('a question that nobody waits for any more is not sent: overload while others are answered, an outage otherwise', async () => {
    const { sent, ask } = statements()
    const call = batched(ask, { most: 10, lanes: 1, patience: 5 })
    const first = call(1, later())
    await turn()
    const late = call(2, performance.now() - 1)
    sent[0]?.answer()
    await first
    await expect(late).rejects.toMatchObject({ code: 'overloaded' })
    const next = call(3, later())
    await turn()
    const behind = call(4, performance.now() - 1)
    sent[1]?.answer()
    await next
    await expect(behind).rejects.toMatchObject({ code: 'overloaded' })
    const broken = batched(ask, { most: 10, lanes: 1, patience: 5 })
    const hanging = broken(5, later())
    await turn()
    const lost = broken(6, performance.now() - 1)
    sent[2]?.fail()
    await expect(hanging).rejects.toThrow(Failure)
    await expect(lost).rejects.toMatchObject({ code: 'unavailable' })
    expect(sent.map(({ questions }) => questions)).toEqual([[1], [3], [5]])
  })
})
