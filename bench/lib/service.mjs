// The built service as processes of their own, on a PostgreSQL of the benchmark's own.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { requestBytes } from './client.mjs'

export const DIST = process.env.DIST ?? fileURLToPath(new URL('../../dist', import.meta.url))
const { startEmbedded } = await import(`${DIST}/db/embedded.js`)
const { migrateDatabase } = await import(`${DIST}/db/migrate.js`)

/** New for every run, as the service takes neither samples nor one secret for two doors. */
export const SECRET = randomBytes(32).toString('base64url')
export const TOKEN = randomBytes(32).toString('base64url')

/** Calls `work` with the connection string of a new database that has the tables. */
export async function withDatabase(work) {
  const server = await startEmbedded({ settings: ['log_statement=none', 'max_connections=200'] })
  try {
    const url = await server.database('bench')
    await migrateDatabase(url)
    return await work(url)
  } finally {
    await server.stop()
  }
}

/** Users `user0`, `user1`, ... whose rows `rowOf(number)` makes: `{ hash, scheme, salt }`. */
export async function addUsers(url, count, rowOf) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const rows = Array.from({ length: count }, (_, number) => ({ number, ...rowOf(number) }))
    await client.query(
      `insert into legacy.users (id, login, password_hash, hash_scheme, salt, status, cohort, profile)
       select 'u' || number, 'user' || number, hash, scheme, salt, 'active', 'default', '{}'::jsonb
       from jsonb_to_recordset($1::jsonb) as rows(number int, hash text, scheme text, salt text)`,
      [JSON.stringify(rows)],
    )
    await client.query('analyze legacy.users')
  } finally {
    await client.end()
  }
}

/** One process of the service. */
export function startService(url, environment = {}) {
  return startProcess([`${DIST}/bin.js`, 'serve'], {
    DATABASE_URL: url,
    HOOKS_LISTEN: '127.0.0.1:0',
    ADMIN_LISTEN: '127.0.0.1:0',
    ADMIN_TOKENS: TOKEN,
    OKTA_HOOK_SECRETS: SECRET,
    // A no would otherwise wait for its moment, and the figures are about checks.
    REFUSAL_FLOOR_MS: 'off',
    ...environment,
  })
}

// Each process of the service has a listener that ends it with this one.
process.setMaxListeners(0)

/** A program that says where it listens. `startedIn`: milliseconds from the start of the process until then. */
export async function startProcess(args, environment) {
  const begun = performance.now()
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const { hooks, admin } = await announced(child)
  const startedIn = performance.now() - begun
  return {
    hooks,
    admin,
    startedIn,
    /** Resident memory in MiB: now, and the most that it ever was. */
    memory: () => {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      const of = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024
      return { now: of('VmRSS'), peak: of('VmHWM') }
    },
    stop: () =>
      new Promise((stopped) => {
        child.once('exit', stopped)
        child.kill('SIGTERM')
      }),
  }
}

/** Resolves with the addresses that the process tells when it listens. */
function announced(child) {
  return new Promise((started, failed) => {
    let said = ''
    child.once('exit', (code) => failed(new Error(`the service ended (${code}): ${said}`)))
    child.stderr.on('data', (chunk) => {
      // Read for as long as it writes, or the pipe would fill up.
      if (said === undefined) return
      said += chunk
      const line = said.split('\n').find((text) => text.includes('"event":"started"'))
      if (line === undefined) return
      said = undefined
      started(JSON.parse(line))
    })
  })
}

/** Okta's password import hook. */
export function signIn(login, password, id) {
  return requestBytes({
    path: '/okta/password-import',
    headers: { authorization: SECRET },
    body: JSON.stringify({
      eventId: `event-${id}`,
      eventType: 'com.okta.user.credential.password.import',
      data: {
        context: { request: { id: `request-${id}` }, credential: { username: login, password } },
        action: { credential: 'UNVERIFIED' },
      },
    }),
  })
}

export const saysVerified = ({ status, text }) => status === 200 && text.includes('"VERIFIED"')
