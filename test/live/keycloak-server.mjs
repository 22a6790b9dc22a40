// A Keycloak of the test's own: a copy of a distribution, with a provider in it, in development mode on a free port.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { copyFile, cp, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** The first start builds the server anew, with the provider: a minute on two cores that have nothing else to do. */
const START_LIMIT_MS = 300_000

/** Tokens of the administrator's live a minute. */
const TOKEN_LIFE_MS = 40_000

/**
 * Starts Keycloak with the provider in the file `provider`. The distribution itself stays as it is.
 * @returns `url` without a slash at its end, `admin(method, path, body)`, `output()` and `stop()`
 */
export async function startKeycloak(distribution, provider) {
  const scratch = await mkdtemp(join(tmpdir(), 'carryover-keycloak-'))
  // Also when this process is interrupted: it is a copy of 170 MB.
  process.once('exit', () => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }))
  const home = join(scratch, 'keycloak')
  await cp(distribution, home, { recursive: true })
  await copyFile(provider, join(home, 'providers', basename(provider)))
  const url = `http://127.0.0.1:${await freePort()}`
  const administrator = { username: 'admin', password: randomBytes(24).toString('base64url') }
  const server = startServer(home, new URL(url).port, administrator)
  const stop = async () => {
    await server.stop()
    await rm(scratch, { recursive: true, force: true })
  }
  try {
    await accepting(url, server)
  } catch (error) {
    await stop()
    throw error
  }
  return { url, admin: adminOf(url, administrator), output: server.output, stop }
}

function startServer(home, port, { username, password }) {
  const child = spawn(
    join(home, 'bin', 'kc.sh'),
    ['start-dev', '--http-host=127.0.0.1', `--http-port=${port}`],
    {
      // Its own group: the script starts Java as a child.
      detached: true,
      env: {
        PATH: process.env.PATH,
        ...(process.env.JAVA_HOME && { JAVA_HOME: process.env.JAVA_HOME }),
        KC_BOOTSTRAP_ADMIN_USERNAME: username,
        KC_BOOTSTRAP_ADMIN_PASSWORD: password,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
    })
  const ended = new Promise((done) => child.once('close', done))
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal)
    } catch {
      // Already gone.
    }
  }
  const killAtExit = () => kill('SIGKILL')
  process.once('exit', killAtExit)
  return {
    output: () => output,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    stop: async () => {
      kill('SIGTERM')
      const forced = setTimeout(() => kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(forced)
      process.off('exit', killAtExit)
    },
  }
}

async function accepting(url, server) {
  const until = Date.now() + START_LIMIT_MS
  for (;;) {
    const response = await fetch(`${url}/realms/master`).catch(() => undefined)
    await response?.body?.cancel()
    if (response?.ok) return
    if (server.hasEnded() || Date.now() > until)
      throw new Error(`Keycloak did not start:\n${server.output().slice(-4_000)}`)
    await new Promise((done) => setTimeout(done, 500))
  }
}

/** Calls of the admin API: resolves with the JSON, or with the id that the answer's `Location` ends in, or undefined. */
function adminOf(url, administrator) {
  let token = { value: '', until: 0 }
  const refresh = async () => {
    const response = await fetch(`${url}/realms/master/protocol/openid-connect/token`, {
      method: 'POST',
      body: new URLSearchParams({ grant_type: 'password', client_id: 'admin-cli', ...administrator }),
    })
    if (!response.ok) throw new Error(`the administrator's token: ${response.status}`)
    token = { value: (await response.json()).access_token, until: Date.now() + TOKEN_LIFE_MS }
  }
  return async (method, path, body) => {
    if (Date.now() > token.until) await refresh()
    const response = await fetch(`${url}/admin/realms${path}`, {
      method,
      headers: { authorization: `Bearer ${token.value}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    const made = response.headers.get('location')?.split('/').at(-1)
    return text === '' ? made : JSON.parse(text)
  }
}

async function freePort() {
  const server = createServer()
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address()
  await new Promise((done) => server.close(done))
  return port
}
