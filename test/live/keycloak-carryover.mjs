// The built service of the live test: the old system's users in its database, and `carryover serve`.
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const DIST = process.env.DIST ?? fileURLToPath(new URL('../../dist', import.meta.url))

const ADMIN_TOKEN = randomBytes(32).toString('base64url')

/** Brings the schema and the old system's users into the database, as an operator does. */
export async function fill(url, rows) {
  const directory = await mkdtemp(join(tmpdir(), 'carryover-live-'))
  const file = join(directory, 'users.jsonl')
  try {
    await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'))
    for (const args of [['migrate'], ['load', file]]) await run(args, url)
  } finally {
    await rm(directory, { recursive: true })
  }
}

const run = (args, url) =>
  promisify(execFile)(process.execPath, [join(DIST, 'bin.js'), ...args], {
    env: { PATH: process.env.PATH, DATABASE_URL: url },
  })

/** `carryover serve`, which can be stopped and started again on the same port. */
export async function startCarryover(url, settings) {
  let [child, at, output, listen] = [undefined, undefined, '', '127.0.0.1:0']
  const start = async () => {
    child = spawn(process.execPath, [join(DIST, 'bin.js'), 'serve'], {
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: url,
        HOOKS_LISTEN: listen,
        ADMIN_LISTEN: '127.0.0.1:0',
        ADMIN_TOKENS: ADMIN_TOKEN,
        ...settings,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    process.once('exit', child.kill.bind(child, 'SIGKILL'))
    at = await new Promise((listening, failed) => {
      let said = ''
      child.once('exit', (code) => failed(new Error(`carryover serve ended (${code}): ${said}`)))
      child.stderr.on('data', (chunk) => {
        output += chunk
        said += chunk
        const line = /^.*"event":"started".*\}$/m.exec(said)?.[0]
        if (line !== undefined) listening(JSON.parse(line))
      })
    })
    listen = new URL(at.hooks).host
  }
  await start()
  return {
    hooks: () => at.hooks,
    output: () => output,
    start,
    stop: () =>
      new Promise((stopped) => {
        if (child.exitCode !== null || child.signalCode !== null) return stopped()
        child.once('exit', stopped)
        child.kill('SIGTERM')
      }),
    admin: async (path) => {
      const response = await fetch(at.admin + path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } })
      if (!response.ok) throw new Error(`GET ${path}: ${response.status}`)
      return response.json()
    },
  }
}
