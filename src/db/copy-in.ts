import type pg from 'pg'
import { from } from 'pg-copy-streams'
import { BINARY_HEADER, BINARY_TRAILER } from './binary.ts'

/** A COPY from us to the server that is under way. */
export interface CopyIn {
  /** Resolves when the chunks are on their way, so that no more than the last call's wait in memory. */
  write(chunks: readonly Buffer[]): Promise<void>
  end(): Promise<void>
}

/** @param target table and columns, as they follow the word COPY */
export function copyIn(client: pg.Client, target: string): CopyIn {
  const stream = client.query(from(`copy ${target} from stdin (format binary)`))
  const broken = new Promise<never>((_, failed) => stream.on('error', failed))
  broken.catch(() => {}) // reported by whichever call waits, or by the next
  stream.write(BINARY_HEADER)
  const unlessBroken = (work: (done: () => void) => void) => Promise.race([new Promise<void>(work), broken])
  return {
    write: async (chunks) => {
      for (const chunk of chunks) await unlessBroken((done) => stream.write(chunk, () => done()))
    },
    end: () => unlessBroken((done) => stream.end(BINARY_TRAILER, () => done())),
  }
}
