import { performance } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { Failure } from '../errors.ts'
import { useArgon2Libraries } from '../hashes/argon2-library.ts'
import { copiedContext } from '../hashes/context.ts'
import { HashError } from '../hashes/format.ts'
import { readHash } from '../hashes/index.ts'
import { matchesInForms } from '../hashes/password-forms.ts'
import { asFailure } from './failure.ts'
import type { Answer, Check, Finding, Question } from './messages.ts'

const context = copiedContext(workerData)

/** The thread: one question at a time, one answer for each. */
async function answerTo({ checks, argon2 }: Question): Promise<Answer> {
  useArgon2Libraries(argon2)
  const started = performance.now()
  const findings: Finding[] = []
  for (const check of checks) findings.push(await find(check))
  return { kind: 'answered', findings, millis: performance.now() - started }
}

async function find({ stored, password }: Check): Promise<Finding> {
  try {
    const hash = readHash(stored, context)
    return { kind: 'verdict', matches: await matchesInForms(hash, password, context.forms) }
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
port.postMessage({ kind: 'ready', slowness: 1 } satisfies Answer)
