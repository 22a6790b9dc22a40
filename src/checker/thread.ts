import { Worker } from 'node:worker_threads'
import type { HashContext } from '../hashes/context.ts'
import type { Answer, Question } from './messages.ts'

/** What the JavaScript of a check may take. Argon2's own memory is outside, and bounded by its format. */
const LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 }

/** Node 20 cannot load TypeScript, so tests that run the source use the compiled thread. */
const SCRIPT = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/checker/worker.js', import.meta.url)
  : new URL('./worker.js', import.meta.url)

export interface Thread {
  ask(question: Question): void
  stop(): Promise<void>
}

export type Answered = Exclude<Answer, { kind: 'ready' }>

export interface ThreadEvents {
  ready(): void
  answered(answer: Answered): void
  /** The thread is gone, by a crash or by `stop`. */
  ended(): void
}

export function startThread(events: ThreadEvents, context: HashContext, script: URL = SCRIPT): Thread {
  // Threads need neither the arguments nor the environment of the process; of its secrets only those of recipes.
  const worker = new Worker(script, {
    resourceLimits: LIMITS,
    env: {},
    argv: [],
    execArgv: [],
    workerData: context,
  })
  worker.on('message', (answer: Answer) => {
    if (answer.kind === 'ready') events.ready()
    else events.answered(answer)
  })
  // Without a listener the error of a thread would end the process; what matters of it is that the thread exits.
  worker.on('error', () => {})
  worker.on('exit', () => events.ended())
  return {
    ask: (question) => worker.postMessage(question, [question.password.buffer]),
    stop: async () => {
      await worker.terminate()
    },
  }
}
