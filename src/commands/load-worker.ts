// The thread that reads, checks and encodes a file while the main thread feeds the database.
import { parentPort, workerData } from 'node:worker_threads'
import { rowEncoder } from '../db/encode.ts'
import { errorCode } from '../errors.ts'
import { classify } from '../hashes/classify.ts'
import { copiedContext } from '../hashes/context.ts'
import { encodeFile } from '../load/batches.ts'
import { NotLinesError } from '../load/lines.ts'
import { BATCHES_AHEAD, type FromThread, type ThreadJob, type ToThread } from './load-thread.ts'

const port = parentPort
if (port === null) throw new Error('this file is started as a thread')

const deleted: (readonly string[])[] = []
let ahead = 0
let wake = () => {}

const say = (message: FromThread, buffers: ArrayBuffer[] = []) => port.postMessage(message, buffers)
const started = new Promise<void>((start) => {
  port.on('message', (message: ToThread) => {
    if (message.kind === 'deleted') deleted.push(message.ids)
    else if (message.kind === 'start') start()
    else {
      ahead--
      wake()
    }
  })
})

async function* deletedIds() {
  while (deleted.length > 0) yield deleted.shift() ?? []
}

async function work(job: ThreadJob) {
  const context = copiedContext(job.context)
  await started
  for await (const batch of encodeFile(
    { ...job, deletedIds: deletedIds() },
    { classify: (stored) => classify(stored, context), encoder: rowEncoder },
  )) {
    ahead++
    say(
      { kind: 'batch', batch },
      batch.pieces.flatMap(({ chunks }) => chunks.map(({ buffer }) => buffer as ArrayBuffer)),
    )
    while (ahead >= BATCHES_AHEAD) {
      await new Promise<void>((later) => {
        wake = later
      })
    }
  }
}

try {
  await work(workerData)
} catch (error) {
  if (error instanceof NotLinesError) say({ kind: 'not-lines', message: error.message })
  else say({ kind: 'failed', code: errorCode(error) })
}
port.close()
