import { Failure, tooLate } from '../errors.ts'

interface Waiting<Question, Answer> {
  readonly question: Question
  readonly deadline: number
  readonly since: number
  answered(answer: Answer): void
  failed(error: unknown): void
}

export interface BatchOptions {
  /** Questions in one statement; the database functions refuse more than 100. */
  readonly most: number
  /** Statements in flight at the same time. */
  readonly lanes: number
  /**
   * Milliseconds that a statement has to be in flight before another one goes out beside it. A statement costs as much as
   * dozens of its questions, so waiting for the one in flight is cheaper, unless it is held up.
   */
  readonly patience: number
}

/**
 * Milliseconds. A question that has waited this long behind a statement that failed fails with it: its own statement
 * could be lost as well, and a caller would have waited for two in a row.
 */
const PATIENCE_MS = 400

/**
 * Many callers' questions in one statement: what arrives in one turn of the event loop, as of many sockets that are read
 * one after the other, and whatever arrives while a statement is in flight. A lone question is sent at the end of its turn
 * and never waits for company. Each caller gets its own answer, after its own commit; a statement that
 * fails fails everyone in it, and who has waited long for it. A question whose deadline has passed while it waited is
 * not sent.
 *
 * @param ask answers in the order of the questions
 */
export function batched<Question, Answer>(
  ask: (questions: readonly Question[]) => Promise<readonly Answer[]>,
  { most, lanes, patience }: BatchOptions,
): (question: Question, deadline: number) => Promise<Answer> {
  const waiting: Waiting<Question, Answer>[] = []
  let busy = 0
  let gathering = false
  let relieving = false
  let lastAnswer = Number.NEGATIVE_INFINITY

  const send = async () => {
    busy++
    const batch = take()
    try {
      if (batch.length > 0) settle(batch, await ask(batch.map(({ question }) => question)))
      lastAnswer = performance.now()
    } catch (error) {
      for (const one of [...batch, ...impatient()]) one.failed(error)
    }
    busy--
    if (waiting.length > 0) void send()
  }

  /** Those come first in the line. */
  const impatient = () => {
    const since = performance.now() - PATIENCE_MS
    const first = waiting.findIndex((one) => one.since > since)
    return waiting.splice(0, first === -1 ? waiting.length : first)
  }

  const take = () => {
    const batch: Waiting<Question, Answer>[] = []
    while (batch.length < most) {
      const next = waiting.shift()
      if (next === undefined) break
      if (next.deadline < performance.now()) next.failed(tooLate(lastAnswer, 'database-queue'))
      else batch.push(next)
    }
    return batch
  }

  const begin = () => {
    if (waiting.length === 0 || gathering || busy >= lanes) return
    if (busy === 0 || waiting.length >= most) {
      gathering = true
      setImmediate(() => {
        gathering = false
        while (waiting.length > 0 && busy < lanes && (busy === 0 || waiting.length >= most)) void send()
        begin()
      })
      return
    }
    if (relieving) return
    relieving = true
    setTimeout(() => {
      relieving = false
      if (waiting.length > 0 && busy < lanes) void send()
      begin()
    }, patience)
  }

  return (question, deadline) =>
    new Promise((answered, failed) => {
      waiting.push({ question, deadline, since: performance.now(), answered, failed })
      begin()
    })
}

function settle<Question, Answer>(
  batch: readonly Waiting<Question, Answer>[],
  answers: readonly Answer[],
): void {
  batch.forEach((one, place) => {
    const answer = answers[place]
    if (answer === undefined) one.failed(new Failure('internal', { detail: 'batch-answer-missing' }))
    else one.answered(answer)
  })
}
