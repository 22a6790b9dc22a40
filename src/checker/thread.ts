import { Worker } from 'node:worker_threads'
import type { Answer, Finding, Question } from './messages.ts'

/** What the JavaScript of a check may take. Argon2's own memory is outside, and bounded by the checker. */
const LIMITS = { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 }

/** Node 20 cannot load TypeScript, so tests that run the source use the compiled thread. */
const SCRIPT = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/checker/worker.js', import.meta.url)
  : new URL('./worker.js', import.meta.url)

export interface Thread {
  ask(question: Question): void
  stop(): Promise<void>
}

export interface ThreadEvents {
  ready(slowness: number): void
  /** Milliseconds for all checks of the question together. */
  answered(findings: readonly Finding[], millis: number): void
  /** The thread is gone, by a crash or by `stop`. */
  ended(): void
}

export type StartThread = (events: ThreadEvents) => Thread

/** @param data what the thread needs to read stored hashes */
export function threadStarter(data: unknown, script: URL = SCRIPT): StartThread {
  return (events) => {
    // Threads need neither the arguments nor the environment of the process; of its secrets only those of recipes. They do
    // keep node's own flags: an `execArgv` of their own would free them of its permission model.
    const worker = new Worker(script, {
      resourceLimits: LIMITS,
      env: {},
      argv: [],
      workerData: data,
    })
    worker.on('message', (answer: Answer) => {
      if (answer.kind === 'ready') events.ready(answer.slowness)
      else events.answered(answer.findings, answer.millis)
    })
    // Without a listener the error of a thread would end the process; what matters of it is that the thread exits.
    worker.on('error', () => {})
    worker.on('exit', () => events.ended())
    return {
      ask: (question) =>
        worker.postMessage(
          question,
          question.checks.map(({ password }) => password.buffer),
        ),
      stop: async () => {
        await worker.terminate()
      },
    }
  }
}
