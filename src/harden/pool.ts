import { Worker } from 'node:worker_threads'
import type { StoredHash } from '../domain.ts'
import { Failure } from '../errors.ts'
import { argon2Libraries } from '../hashes/argon2-library.ts'
import type { HashContext } from '../hashes/context.ts'
import type { HardenedRow } from '../hashes/hardened-row.ts'
import type { Answer, Question, Setup } from './messages.ts'

/** Threads that harden rows. */
export interface HardenPool {
  /** In the order of the rows. Throws Failure `unavailable` where Argon2 cannot be computed here. */
  harden(rows: readonly StoredHash[]): Promise<readonly HardenedRow[]>
  close(): Promise<void>
}

/** Rows of one question: a fraction of a second, so that all threads end at about the same time. */
const SLICE = 8

/** Node 20 cannot load TypeScript, so tests that run the source use the compiled thread. */
const SCRIPT = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/harden/worker.js', import.meta.url)
  : new URL('./worker.js', import.meta.url)

/** Starts threads. `dry`: nothing is hardened, and what would be is told. */
export async function createHardenPool(
  context: HashContext,
  { threads, dry }: { readonly threads: number; readonly dry: boolean },
): Promise<HardenPool> {
  const argon2 = await argon2Libraries()
  if (argon2.length === 0) throw new Failure('unavailable', { detail: 'argon2-native' })
  const setup: Setup = { context, argon2, dry }
  const seats = Array.from({ length: threads }, () => startThread(setup))
  return {
    harden: async (rows) => {
      const slices = slicesOf(rows)
      const made: (readonly HardenedRow[])[] = []
      let next = 0
      const work = async (seat: Seat) => {
        for (let at = next++; at < slices.length; at = next++) made[at] = await seat.ask(slices[at] ?? [])
      }
      await Promise.all(seats.map(work))
      return made.flat()
    },
    close: async () => {
      await Promise.all(seats.map((seat) => seat.stop()))
    },
  }
}

function slicesOf(rows: readonly StoredHash[]): Question[] {
  const slices: Question[] = []
  for (let at = 0; at < rows.length; at += SLICE) slices.push(rows.slice(at, at + SLICE))
  return slices
}

interface Seat {
  /** One question at a time. */
  ask(question: Question): Promise<readonly HardenedRow[]>
  stop(): Promise<void>
}

function startThread(setup: Setup): Seat {
  const worker = new Worker(SCRIPT, { env: {}, argv: [], workerData: setup })
  let ended = false
  let waiting: { answered(answer: Answer): void; lost(): void } | undefined
  worker.on('message', (answer: Answer) => waiting?.answered(answer))
  // Without a listener the error of a thread would end the process; what matters of it is that the thread exits.
  worker.on('error', () => {})
  worker.on('exit', () => {
    ended = true
    waiting?.lost()
  })
  return {
    ask: (question) =>
      new Promise((done, failed) => {
        const lost = () => failed(new Failure('internal', { detail: 'harden-thread-lost' }))
        if (ended) return lost()
        waiting = {
          lost,
          answered: (answer) => {
            if (answer.kind === 'hardened') done(answer.rows)
            else failed(new Failure('internal', { detail: `harden-${answer.code}` }))
          },
        }
        worker.postMessage(question)
      }),
    stop: async () => {
      await worker.terminate()
    },
  }
}
