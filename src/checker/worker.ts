import { performance } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { Failure } from '../errors.ts'
import { copiedContext } from '../hashes/context.ts'
import { HashError } from '../hashes/format.ts'
import { readHash } from '../hashes/index.ts'
import { matchesInForms } from '../hashes/password-forms.ts'
import { asFailure } from './failure.ts'
import type { Answer, Question } from './messages.ts'

const context = copiedContext(workerData)

/** The thread: one question at a time, one answer for each. */
async function answerTo({ stored, password }: Question): Promise<Answer> {
  try {
    const started = performance.now()
    const matches = await matchesInForms(readHash(stored, context), password, context.forms)
    return { kind: 'verdict', matches, millis: performance.now() - started }
  } catch (error) {
    if (error instanceof HashError) return { kind: 'unusable', defect: error.defect }
    const { code, detail } = asFailure(error)
    return { kind: 'failure', code, detail: detail ?? code }
  } finally {
    password.fill(0)
  }
}

if (parentPort === null) throw new Failure('internal', { detail: 'not-a-thread' })
const port = parentPort
port.on('message', async (question: Question) => {
  port.postMessage(await answerTo(question))
})
port.postMessage({ kind: 'ready' } satisfies Answer)
