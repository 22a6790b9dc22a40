import { on } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { CopiedContext } from '../hashes/context.ts'
import type { Batch, EncodeJob } from '../load/batches.ts'
import { NotLinesError } from '../load/lines.ts'

export type ThreadJob = Omit<EncodeJob, 'deletedIds'> & { readonly context: CopiedContext }

export type ToThread =
  | { readonly kind: 'deleted'; readonly ids: readonly string[] }
  | { readonly kind: 'start' }
  /** A batch has been taken: another one may be made. */
  | { readonly kind: 'taken' }

export type FromThread =
  | { readonly kind: 'batch'; readonly batch: Batch }
  | { readonly kind: 'not-lines'; readonly message: string }
  | { readonly kind: 'failed'; readonly code: string }

/** Batches of a quarter of a MiB that may wait to be taken. */
export const BATCHES_AHEAD = 16

/** Young objects are nearly all there is: with more room for them, they are gone before they are ever copied. */
const LIMITS = { maxYoungGenerationSizeMb: 64 }

/** Node 20 cannot load TypeScript on a thread, so tests that run the source do the same work without one. */
export const hasThread = !import.meta.url.endsWith('.ts')

/** `encodeFile` on a thread: on two cores it makes rows while the other one does what the database asks. */
export async function* encodeOnThread(
  { options, plan, deletedIds }: EncodeJob,
  context: CopiedContext,
): AsyncGenerator<Batch, void> {
  const job: ThreadJob = { options, plan, context }
  const worker = new Worker(new URL('./load-worker.js', import.meta.url), {
    workerData: job,
    resourceLimits: LIMITS,
    env: {},
    argv: [],
  })
  const say = (message: ToThread) => worker.postMessage(message)
  try {
    const messages = on(worker, 'message', { close: ['exit'] })
    for await (const ids of deletedIds) say({ kind: 'deleted', ids })
    say({ kind: 'start' })
    for await (const [message] of messages as AsyncIterable<[FromThread]>) {
      switch (message.kind) {
        case 'batch':
          yield message.batch
          say({ kind: 'taken' })
          break
        case 'not-lines':
          throw new NotLinesError(message.message)
        case 'failed':
          throw Object.assign(new Error('the thread failed'), { code: message.code })
      }
    }
  } finally {
    await worker.terminate()
  }
}
