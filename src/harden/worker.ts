import { parentPort, workerData } from 'node:worker_threads'
import { errorCode, Failure } from '../errors.ts'
import { useArgon2Libraries } from '../hashes/argon2-library.ts'
import { copiedContext } from '../hashes/context.ts'
import type { HardenedRow } from '../hashes/hardened-row.ts'
import { harden } from '../hashes/index.ts'
import type { Answer, Question, Setup } from './messages.ts'

const { context: copied, argon2, dry }: Setup = workerData
const context = copiedContext(copied)
const { hardening } = context
useArgon2Libraries(argon2)

/** The thread: some rows at a time, one after the other. */
async function answerTo(question: Question): Promise<Answer> {
  try {
    if (hardening === undefined) throw new Failure('internal', { detail: 'no-hardening-key' })
    const rows: HardenedRow[] = []
    for (const stored of question) rows.push(await harden(stored, { ...context, hardening }, { dry }))
    return { kind: 'hardened', rows }
  } catch (error) {
    return { kind: 'failed', code: errorCode(error) }
  }
}

if (parentPort === null) throw new Failure('internal', { detail: 'not-a-thread' })
const port = parentPort
port.on('message', async (question: Question) => port.postMessage(await answerTo(question)))
