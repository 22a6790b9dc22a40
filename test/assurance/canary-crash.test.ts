import { readFileSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { hashSync } from 'bcryptjs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { canaryFormsIn, countCanaries, mintCanaries } from '../helpers/canaries.ts'
import { post } from '../helpers/canary-calls.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { BIN, runCommand, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { loadUsers } from '../helpers/users.ts'

const INSPECTED = fileURLToPath(new URL('../helpers/inspected-service.mjs', import.meta.url))
const LOGIN = 'ann@example.com'
const [RIGHT = '', THROWN = ''] = mintCanaries(2)
/** A tenth of a second: long enough to be in flight when something happens. */
const hash = hashSync(RIGHT, 11)
const everyKind = sized(0, 1) === 1

let db: TestDatabase
let cwd: string
let services: ServiceProcess[] = []
beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, [{ id: '1', login: LOGIN, password_hash: hash }])
})
afterAll(() => db.drop())
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'carryover-crash-'))
})
afterEach(async () => {
  for (const { child } of services) child.kill('SIGKILL')
  await Promise.all(services.map(({ ended }) => ended))
  services = []
  await rm(cwd, { recursive: true, force: true })
})

/** All of them in `npm run assurance`, the first ones in `npm test`. */
function some<Kind>(kinds: readonly Kind[], quick: number): readonly Kind[] {
  return everyKind ? kinds : kinds.slice(0, quick)
}

async function start(command: readonly string[]): Promise<ServiceProcess> {
  const service = await startProcess(
    db.url,
    { CANARY: THROWN, CHECK_THREADS: '1', BCRYPT: hash },
    { command, cwd },
  )
  services.push(service)
  return service
}
const inspected = () => start([process.execPath, INSPECTED])
const signIn = ({ hooksUrl }: ServiceProcess) =>
  post(
    hooksUrl,
    '/okta/password-import',
    JSON.stringify({
      eventType: 'com.okta.user.credential.password.import',
      data: { context: { request: { id: 'request-1' }, credential: { username: LOGIN, password: RIGHT } } },
    }),
  )
const isUp = async ({ adminUrl }: ServiceProcess) => (await fetch(`${adminUrl}/healthz`)).status === 200

describe('after an error that nobody expected', () => {
  test.for(
    some(
      [
        { order: 'timer throws', code: 'SyntaxError' },
        { order: 'promise rejects', code: 'Error' },
        { order: 'socket handler throws', code: 'SyntaxError' },
        { order: 'emitter without a listener', code: 'Error' },
      ],
      1,
    ),
  )(
    '$order: calls in flight are answered, exit 1, no file, and of the error its code',
    async ({ order, code }) => {
      const service = await inspected()
      const inFlight = signIn(service)
      await pause(60)
      const crashed = performance.now()
      service.child.stdin?.write(`${order}\n`)
      const [answer, ended] = await Promise.all([inFlight, service.ended])
      const seconds = (performance.now() - crashed) / 1_000
      measured({
        part: 'canary',
        requirement: 'R-81',
        what: `${order}: a call in flight, exit, time, files left`,
        wanted: '200, exit 1, within 5 s, none',
        got: `${answer.status}, exit ${ended}, ${seconds.toFixed(2)} s, ${(await readdir(cwd)).length} files`,
      })
      expect([typeof answer.status, ended]).toEqual(['number', 1])
      // On a busy machine the answer may be a refusal, and the end may take longer.
      if (everyKind)
        expect([answer.status, answer.text.includes('"VERIFIED"'), seconds < 5]).toEqual([200, true, true])
      expect(service.output()).toContain(`"event":"crash","code":"${code}"`)
      expect(service.output().match(/"event":"crash"/g)).toHaveLength(1)
      expect(canaryFormsIn(service.output())).toBe(0)
      expect(await readdir(cwd)).toEqual([])
    },
  )

  test.for(
    some(
      [
        { order: 'thread crashes', times: sized(1, 10) },
        { order: 'thread out of memory', times: 1 },
      ],
      1,
    ),
  )('$order: the service goes on, no file', async ({ order, times }) => {
    const service = await inspected()
    for (let time = 0; time < times; time++) {
      service.child.stdin?.write(`${order}\n`)
      await expect
        .poll(() => service.output().match(/"event":"thread-lost"/g)?.length ?? 0, { timeout: 15_000 })
        .toBeGreaterThan(time)
    }
    await expect.poll(async () => (await signIn(service)).status, { timeout: 15_000 }).toBe(200)
    expect(await isUp(service)).toBe(true)
    expect(canaryFormsIn(service.output())).toBe(0)
    expect(await readdir(cwd)).toEqual([])
  })
})

const pattern =
  process.platform === 'linux' ? readFileSync('/proc/sys/kernel/core_pattern', 'latin1').trim() : '|'
const [, hardLimit = '0'] =
  process.platform === 'linux'
    ? (/^Max core file size\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [])
    : []

// Where cores go to a program or to a directory of the machine's own they are not looked for.
describe.runIf(!/[|/]/.test(pattern) && hardLimit === 'unlimited')('a core dump', () => {
  const dump = async (service: ServiceProcess, signal: NodeJS.Signals): Promise<Buffer> => {
    await expect.poll(async () => (await signIn(service)).status, { timeout: 15_000 }).toBe(200)
    service.child.kill(signal)
    expect(await service.ended).toBe(signal)
    const cores = (await readdir(cwd)).filter((name) => name.startsWith(pattern.split('%', 1)[0] ?? 'core'))
    expect(cores).toHaveLength(1)
    return readFile(join(cwd, cores[0] ?? ''))
  }
  const unlimited = (...command: string[]) => [
    'sh',
    '-c',
    'ulimit -c unlimited; exec "$@"',
    'sh',
    process.execPath,
    ...command,
  ]

  test.for(some(['SIGSEGV', 'SIGABRT'] as const, 1))('after %s holds no memory', async (signal) => {
    const core = await dump(await start(unlimited(BIN, 'serve')), signal)
    measured({
      part: 'canary',
      requirement: 'R-34',
      what: `a core dump after ${signal}: size, forms of the password and of the secrets`,
      wanted: 'no memory, 0 hits',
      got: `${Math.round(core.length / 1024)} KiB, ${canaryFormsIn(core)} hits`,
    })
    expect(canaryFormsIn(core)).toBe(0)
    expect(core.includes('hook-secret-of-the-tests')).toBe(false)
  })

  test('without the filter holds the password: the search finds it', async () => {
    const service = await start(unlimited(INSPECTED))
    service.child.stdin?.write('unseal\n')
    await expect.poll(() => service.output()).toContain('done: unseal')
    const core = await dump(service, 'SIGSEGV')
    expect(countCanaries(core).copies).toBeGreaterThan(0)
    expect(core.includes('hook-secret-of-the-tests')).toBe(true)
  })
})

test('SIGUSR1 opens no debugger, and the service goes on', allowed(30_000, 30_000), async () => {
  const service = await start([process.execPath, BIN, 'serve'])
  service.child.kill('SIGUSR1')
  await pause(500)
  await expect.poll(async () => (await signIn(service)).status, { timeout: 15_000 }).toBe(200)
  expect(await connects(9229)).toBe(false)
  expect(service.output()).not.toContain('Debugger')
})

describe('the service is not started', () => {
  test('in a process that lets passwords out: all reasons at once, and no value', async () => {
    const { code, out, err } = await runCommand(['serve'], {
      NODE_OPTIONS: '--max-old-space-size=200 --report_on_signal --trace-warnings',
      NODE_DEBUG: 'http',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    })
    expect([code, out]).toEqual([2, ''])
    const told = err.slice(err.indexOf('carryover serve:'))
    expect(told).toBe(`carryover serve: Node was started in a way that lets passwords out:
  --report-on-signal writes reports, which hold the environment
  --trace-warnings prints what the program does
  NODE_DEBUG prints traffic
  NODE_TLS_REJECT_UNAUTHORIZED lets any server pass for the right one
`)
  })

  test('by an option of the command line, or with a debugger that is open', async () => {
    const started = startProcess(
      db.url,
      {},
      { command: [process.execPath, '--inspect=127.0.0.1:0', BIN, 'serve'], cwd },
    )
    await expect(started).rejects.toThrow(/\(2\)[\s\S]*--inspect opens a debugger/)
  })

  test.for(some(['try', 'probe', 'load'], 1))('neither is %s', async (name) => {
    const { code, err } = await runCommand([name, 'x'], { NODE_OPTIONS: '--heapsnapshot-signal=SIGUSR2' })
    expect([code, err]).toEqual([
      2,
      expect.stringContaining('--heapsnapshot-signal writes all memory to a file'),
    ])
  })
})

function connects(port: number): Promise<boolean> {
  return new Promise((found) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      found(true)
    })
    socket.once('error', () => found(false))
  })
}
