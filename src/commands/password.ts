import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { type Io, UsageError } from './command.ts'

/** One line: typed on the terminal without echo, or the first line of standard input. Never from the command line. */
export async function readPassword(io: Io): Promise<string> {
  const terminal = io.stdin.isTTY === true
  if (terminal) io.err('password: ')
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input: io.stdin, ...(terminal && { output: nowhere, terminal: true }) })
  try {
    for await (const line of lines) return line
    throw new UsageError('a password was expected on standard input')
  } finally {
    lines.close()
    if (terminal) io.err('\n')
  }
}
