import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expectNoPlanted } from './canaries.ts'
import { SECRET, TOKEN } from './service.ts'

const BIN = fileURLToPath(new URL('../../dist/bin.js', import.meta.url))

export interface ServiceProcess {
  readonly child: ChildProcess
  readonly hooksUrl: string
  readonly adminUrl: string
  /** Everything that was written so far, both streams. */
  output(): string
  /** Resolves with the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

/** The built service as a process of its own, on free ports. */
export async function startProcess(
  databaseUrl: string,
  environment: Record<string, string> = {},
): Promise<ServiceProcess> {
  const child = spawn(process.execPath, [BIN, 'serve'], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl,
      HOOKS_LISTEN: '127.0.0.1:0',
      ADMIN_LISTEN: '127.0.0.1:0',
      ADMIN_TOKENS: TOKEN,
      OKTA_HOOK_SECRETS: SECRET,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  // A test that fails must not leave its service behind.
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  child.once('exit', () => process.off('exit', killAtExit))
  let output = ''
  const ended = new Promise<number | string>((done) =>
    child.once('exit', (code, signal) => done(code ?? signal ?? 'gone')),
  )
  return new Promise((started, failed) => {
    const read = (chunk: Buffer) => {
      output += chunk.toString()
      const line = output.split('\n').find((text) => text.includes('"event":"started"'))
      if (line === undefined) return
      const { hooks, admin } = JSON.parse(line)
      started({ child, hooksUrl: hooks, adminUrl: admin, output: () => output, ended })
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    ended.then((end) => failed(new Error(`the service ended (${end}): ${output}`)))
  })
}

export interface CommandResult {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** One command of the built program. */
export function runCommand(
  args: readonly string[],
  environment: Record<string, string> = {},
  input = '',
): Promise<CommandResult> {
  const child = spawn(process.execPath, [BIN, ...args], { env: { PATH: process.env.PATH, ...environment } })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk.toString()
  })
  child.stdin.end(input)
  return new Promise((done) => child.once('close', (code) => done({ code, out, err })))
}

/** What the admin listener answers. */
export async function admin(
  base: string,
  path: string,
): Promise<{ status: number; text: string; json: () => unknown }> {
  const response = await fetch(base + path, { headers: { authorization: `Bearer ${TOKEN}` } })
  const text = await response.text()
  expectNoPlanted(path, text)
  return { status: response.status, text, json: () => JSON.parse(text) }
}
