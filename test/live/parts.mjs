// What every live test needs: programs as processes, a PostgreSQL, Carryover with the demo's users, and steps that are
// printed as they are taken.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import papa from 'papaparse'

const root = new URL('../../', import.meta.url)
const BIN = new URL('dist/bin.js', root).pathname
const USERS = new URL('demo/legacy-users.csv', root).pathname

/** How much of a program's output is kept for the report of a failure. */
const KEPT = 20_000

/** Long enough for the migrations of a provider on a busy machine. */
const START_LIMIT_MS = 120_000

/** A program that runs on. `stop` ends it with SIGTERM and waits for it; it does not outlive this process either. */
export function start(program, args, env) {
  const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env } })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  let output = ''
  const read = (chunk) => {
    output = (output + chunk).slice(-KEPT)
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  const ended = new Promise((done) => {
    child.once('error', (error) => done(error.message))
    child.once('close', (code, signal) => done(code ?? signal))
  })
  ended.then(() => process.off('exit', kill))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  return { output: () => output, ended, stop }
}

/** A program that ends. Its standard output and error; throws unless it exits with 0. */
export async function run(program, args, env) {
  const { ended, output } = start(program, args, env)
  const code = await ended
  if (code !== 0) throw new Error(`${program} ${args[0]} ended with ${code}: ${output()}`)
  return output()
}

/** Waits until this address answers 200, or the program has ended. */
export async function answering(url, running) {
  let ended = false
  running.ended.then(() => {
    ended = true
  })
  const until = performance.now() + START_LIMIT_MS
  while (!ended && performance.now() < until) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0,
    )
    if (status === 200) return
    await new Promise((later) => setTimeout(later, 100))
  }
  throw new Error(`${url} did not answer: ${running.output()}`)
}

/** A port of 127.0.0.1 that nothing listened on a moment ago. */
export function freePort() {
  const server = createServer()
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })
}

/** The rows of demo/legacy-users.csv: login, email, typed_password, expected and the rest. */
export async function demoUsers() {
  return papa.parse(await readFile(USERS, 'utf8'), { header: true, skipEmptyLines: true }).data
}

/** Carryover on this database, which is migrated and loaded with the demo's users; always on the same two ports. */
export async function carryover(databaseUrl, token) {
  const [hooksPort, adminPort] = [await freePort(), await freePort()]
  const env = {
    DATABASE_URL: databaseUrl,
    HOOKS_LISTEN: `127.0.0.1:${hooksPort}`,
    ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    ADMIN_TOKENS: token,
  }
  await run(process.execPath, [BIN, 'migrate'], env)
  await run(process.execPath, [BIN, 'load', USERS, '--drop', 'typed_password,expected'], env)
  const get = async (path) => {
    const response = await fetch(`http://127.0.0.1:${adminPort}${path}`, {
      headers: { authorization: `Bearer ${token}` },
    })
    return response.json()
  }
  return {
    hooksUrl: `http://127.0.0.1:${hooksPort}`,
    /** `carryover serve` with these settings besides. */
    serve: async (settings) => {
      const service = start(process.execPath, [BIN, 'serve'], { ...env, ...settings })
      await answering(`http://127.0.0.1:${adminPort}/readyz`, service)
      return service
    },
    counts: () => get('/counts'),
    /** State and history of one user. */
    user: (login) => get(`/users/${encodeURIComponent(login)}`),
  }
}

/** Prints what holds and what does not, and remembers whether anything did not. */
export function report() {
  let differences = 0
  const print = (line) => process.stdout.write(`${line}\n`)
  return {
    heading: (text) => print(`\n${text}`),
    /** `found` has to be `expected`, whole. */
    holds: (sentence, found, expected) => {
      if (isDeepStrictEqual(found, expected)) return print(`  ok    ${sentence}`)
      differences += 1
      print(`  WRONG ${sentence}`)
      print(`        expected ${JSON.stringify(expected)}\n        found    ${JSON.stringify(found)}`)
    },
    print,
    differences: () => differences,
  }
}
