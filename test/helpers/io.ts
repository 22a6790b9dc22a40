import { Readable } from 'node:stream'
import type { ExitCode, Io } from '../../src/commands/command.ts'

/** Runs a command here, without a terminal; with what it wrote. */
export async function heard(
  run: (io: Io) => Promise<ExitCode>,
  { env, typed = '' }: { readonly env: Io['env']; readonly typed?: string },
): Promise<{ code: ExitCode; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await run({
    env,
    stdin: Readable.from(typed === '' ? [] : [typed]),
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    terminal: false,
    stop: new AbortController().signal,
  })
  return { code, out, err }
}
