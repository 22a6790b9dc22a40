import type pg from 'pg'
import { from } from 'pg-copy-streams'
import { BINARY_HEADER, BINARY_TRAILER } from './binary.ts'

/** Where rows go: a table and its columns, as they follow the word COPY. */
export type Target = string

/** Feeds several tables through one connection. */
export interface Feed {
  /** Sends the chunks after everything that was sent before. Resolves while some of it still waits its turn. */
  send(target: Target, chunks: readonly Uint8Array[]): Promise<void>
  /** After the last: when the server has taken everything. */
  finish(): Promise<void>
}

/** Enough for the server to be busy while we make more rows, and the other way round. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024

export function openFeed(client: pg.Client): Feed {
  const waiting: { readonly bytes: number; readonly sent: Promise<void> }[] = []
  let last: Promise<void> = Promise.resolve()
  let open: { readonly target: Target; readonly copy: CopyIn } | undefined

  const sendNow = async (target: Target, chunks: readonly Uint8Array[]) => {
    if (open?.target !== target) {
      await open?.copy.end()
      open = { target, copy: copyIn(client, target) }
    }
    await open.copy.write(chunks)
  }

  return {
    send: async (target, chunks) => {
      last = last.then(() => sendNow(target, chunks))
      last.catch(() => {}) // reported to whoever waits for it, or for a later one
      waiting.push({ bytes: chunks.reduce((sum, { length }) => sum + length, 0), sent: last })
      while (waiting.reduce((sum, { bytes }) => sum + bytes, 0) > MOST_WAITING_BYTES)
        await waiting.shift()?.sent
    },
    finish: async () => {
      await last
      await open?.copy.end()
      open = undefined
    },
  }
}

/** A COPY from us to the server that is under way. */
interface CopyIn {
  write(chunks: readonly Uint8Array[]): Promise<void>
  end(): Promise<void>
}

function copyIn(client: pg.Client, target: Target): CopyIn {
  const stream = client.query(from(`copy ${target} from stdin (format binary)`))
  const broken = new Promise<never>((_, failed) => stream.on('error', failed))
  broken.catch(() => {}) // reported by whichever call waits, or by the next
  // One chunk at a time: the stream does not survive an error with chunks of its own waiting.
  const unlessBroken = (work: (done: () => void) => void) => Promise.race([broken, new Promise<void>(work)])
  const write = (chunk: Uint8Array) => unlessBroken((done) => stream.write(chunk, () => done()))
  const started = write(BINARY_HEADER)
  started.catch(() => {})
  return {
    write: async (chunks) => {
      await started
      for (const chunk of chunks) await write(chunk)
    },
    end: () => unlessBroken((done) => stream.end(BINARY_TRAILER, () => done())),
  }
}
