import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readJson } from '../../src/hooks/json.ts'
import type { Listener } from '../../src/http.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { createAuthority, hasOpenssl } from '../helpers/certificates.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { honest, hooksHandler, listening, PATH } from '../helpers/listening.ts'
import { residentBytes } from '../helpers/memory.ts'
import { admin, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { rawConnection } from '../helpers/raw.ts'
import { caller, passwordImport, SECRET } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

const MOST_CONNECTIONS = 400
const full = sized(0, 1) === 1
const MIB = 2 ** 20

let db: TestDatabase
let service: ServiceProcess
beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, cheapUsers(10))
  service = await startProcess(db.url, { MAX_CONNECTIONS: String(MOST_CONNECTIONS) })
})
afterAll(async () => {
  service?.child.kill('SIGTERM')
  await service?.ended
  await db?.drop()
})

const wait = (millis: number) => new Promise((done) => setTimeout(done, millis))
const line = (requirement: string, what: string, wanted: string, got: string) =>
  measured({ part: 'http', requirement, what, wanted, got })

let signIns = 0
async function signIn(): Promise<number> {
  const login = `u${signIns % 10}@example.com`
  const { status, text } = await caller(service.hooksUrl)(
    PATH,
    passwordImport(login, `${login}?`, `http-${signIns++}`),
  )
  expect(text).toContain('"VERIFIED"')
  return status
}

/** Milliseconds of each of `count` calls, one after the other. */
async function timesOf(count: number): Promise<number[]> {
  const times: number[] = []
  for (let at = 0; at < count; at++) {
    const started = performance.now()
    expect(await signIn()).toBe(200)
    times.push(performance.now() - started)
  }
  return times.sort((a, b) => a - b)
}
const p99 = (times: readonly number[]) => times[Math.ceil(times.length * 0.99) - 1] ?? 0

/** Writes a byte of `text` every 100 ms. Resolves with the milliseconds until the other side has closed. */
function drip(url: string, start: string, text: string): Promise<number> {
  const { hostname, port } = new URL(url)
  const began = performance.now()
  return new Promise((closed) => {
    const socket = connect(Number(port), hostname)
    let at = 0
    const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 100)
    socket.on('connect', () => socket.write(start))
    socket.on('error', () => {})
    socket.resume()
    socket.on('close', () => {
      clearInterval(timer)
      closed(performance.now() - began)
    })
  })
}

describe(
  'connections that send a byte now and then are closed while others are answered',
  allowed(60_000, 120_000),
  () => {
    const COUNT = sized(30, 200)
    test.for([
      { title: 'headers', start: `POST ${PATH} HTTP/1.1\r\nHost: x\r\nX-Slow: `, within: 2_500 },
      { title: 'bodies', start: honest({ framing: 'Content-Length: 1000', body: '{' }), within: 4_500 },
      { title: 'empty lines', start: '', text: '\r\n', within: 2_500 },
      { title: 'nothing', start: '', text: '', within: 2_500 },
    ])('$title', async ({ title, start, text = 'a', within }) => {
      const before = p99(await timesOf(sized(20, 300)))
      const drips = Array.from({ length: COUNT }, () => drip(service.hooksUrl, start, text))
      const during = p99(await timesOf(sized(20, 300)))
      const slowest = Math.max(...(await Promise.all(drips)))
      line(
        'R-50',
        `${COUNT} drip connections, ${title}: the last is closed`,
        `<= ${within} ms`,
        `${slowest.toFixed(0)} ms`,
      )
      line(
        'R-50',
        `99th percentile of honest calls meanwhile, ${title}`,
        `< 20 % above ${before.toFixed(1)} ms`,
        `${during.toFixed(1)} ms`,
      )
      // Checked every 250 ms; a machine that others use needs more.
      expect(slowest).toBeLessThan(within + sized(5_000, 300))
    })
  },
)

test.skipIf(!hasOpenssl)('connections that never begin TLS are closed as well', async () => {
  const issued = createAuthority('tests').issue('/CN=hooks', 'IP:127.0.0.1')
  const listener = await listening(hooksHandler(), { tls: { ...issued, clientCa: undefined } })
  const closed = await Promise.all(Array.from({ length: 20 }, () => drip(listener.url, '', '')))
  await listener.close(0)
  line(
    'R-50',
    '20 connections that never finish a TLS handshake: the last is closed',
    '<= 2,500 ms',
    `${Math.max(...closed).toFixed(0)} ms`,
  )
  expect(Math.max(...closed)).toBeLessThan(10_000)
})

test('a flood of connections leaves the admin listener its answers, and is over when it ends', async () => {
  const { hostname, port } = new URL(service.hooksUrl)
  const flood: Socket[] = []
  for (let at = 0; at < 3 * MOST_CONNECTIONS; at++) {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    flood.push(socket)
  }
  // Those that were let in are closed as well after a while, so it is the service that counts.
  const refusals = async () => {
    const { text } = await admin(service.adminUrl, '/metrics')
    const name = 'carryover_requests_refused_total{listener="hooks",reason="connections"} '
    return Number(
      text
        .split('\n')
        .find((one) => one.startsWith(name))
        ?.slice(name.length) ?? 0,
    )
  }
  await expect.poll(refusals, { timeout: 20_000 }).toBeGreaterThanOrEqual(MOST_CONNECTIONS)
  const turnedAway = await refusals()
  const started = performance.now()
  const health = await fetch(`${service.adminUrl}/healthz`)
  const healthMillis = performance.now() - started
  expect(health.status).toBe(200)
  for (const socket of flood) socket.destroy()
  const ended = performance.now()
  let recovered = false
  while (!recovered && performance.now() - ended < 20_000)
    recovered = await signIn().then(
      () => true,
      () => false,
    )
  const recovery = performance.now() - ended
  line(
    'R-51',
    `${flood.length} connections where ${MOST_CONNECTIONS} may be: closed at once`,
    `>= ${MOST_CONNECTIONS}`,
    String(turnedAway),
  )
  line('R-51', '/healthz during the flood', '200', `200 after ${healthMillis.toFixed(0)} ms`)
  line('R-51', 'the next honest call after the flood', '< 1,000 ms', `${recovery.toFixed(0)} ms`)
  expect(recovered).toBe(true)
  if (full) expect(recovery).toBeLessThan(1_000)
})

test('one address has no more connections than it may, and gets new ones when it closes some', async () => {
  const refused: string[] = []
  const listener = await listening(hooksHandler(), {
    maxConnectionsOfOne: 3,
    refused: (reason) => refused.push(reason),
  })
  const connections = await Promise.all([1, 2, 3].map(() => rawConnection(listener.url)))
  const fourth = await rawConnection(listener.url)
  await fourth.ended
  expect(refused).toEqual(['connections'])
  connections[0]?.socket.destroy()
  await wait(100)
  const another = await rawConnection(listener.url)
  another.write(honest())
  expect((await another.answer())?.status).toBe(200)
  await listener.close(0)
})

describe('an upload without an end', allowed(60_000, 180_000), () => {
  const UPLOAD = sized(64, 1_024) * MIB
  const CHUNK = `10000\r\n${'x'.repeat(65_536)}\r\n`

  /** Sends until nobody takes it. The status that was answered, and how much was sent. */
  async function upload(url: string, secret: string): Promise<{ status: number | undefined; sent: number }> {
    const connection = await rawConnection(url)
    connection.write(honest({ secret, framing: 'Transfer-Encoding: chunked', body: '' }))
    const answer = connection.answer()
    let sent = 0
    while (sent < UPLOAD && !connection.socket.destroyed) {
      const room = connection.socket.write(CHUNK)
      sent += 65_536
      if (!room)
        await Promise.race([new Promise((done) => connection.socket.once('drain', done)), connection.ended])
    }
    await connection.ended
    return { status: (await answer)?.status, sent }
  }

  test.for([
    { title: 'a caller that is known', secret: `Authorization: ${SECRET}`, statuses: [413, undefined] },
    { title: 'a stranger', secret: '', statuses: [401, undefined] },
  ])('$title is cut off, and it is not kept', async ({ title, secret, statuses }) => {
    // What the first such call needs is needed once.
    await upload(service.hooksUrl, secret)
    const before = residentBytes(service.child.pid)
    let sent = 0
    let most = 0
    for (let round = 0; round < 5; round++) {
      const outcome = await upload(service.hooksUrl, secret)
      // Where the answer comes while we still write, the connection may be reset before it is read.
      expect(statuses).toContain(outcome.status)
      sent = Math.max(sent, outcome.sent)
      most = Math.max(most, residentBytes(service.child.pid) - before)
    }
    line(
      'R-52',
      `chunked upload of ${UPLOAD / MIB} MiB by ${title}: memory`,
      'rises by < 8 MiB',
      `${(most / MIB).toFixed(1)} MiB`,
    )
    expect(sent).toBeLessThan(32 * MIB)
    expect(most).toBeLessThan(sized(48, 8) * MIB)
    expect(await signIn()).toBe(200)
  })

  test('no more is read than the limit and what has arrived with it', async () => {
    const listener: Listener = await listening(hooksHandler())
    const port = Number(new URL(listener.url).port)
    let socket: Socket | undefined
    const note = (message: unknown) => {
      const { request } = message as { request: IncomingMessage }
      if (request.socket.localPort === port) socket = request.socket
    }
    subscribe('http.server.request.start', note)
    try {
      await upload(listener.url, `Authorization: ${SECRET}`)
    } finally {
      unsubscribe('http.server.request.start', note)
    }
    const read = socket?.bytesRead ?? Number.POSITIVE_INFINITY
    line('R-52', 'bytes read of an upload without an end', '<= 131,072 and one read of 65,536', String(read))
    await listener.close(0)
    expect(read).toBeLessThan(4 * 65_536)
  })
})

test('bodies of 64 KiB that are the most work are read in no time', () => {
  const filled = (piece: string, start = '', end = '') =>
    start + piece.repeat(Math.floor((65_536 - start.length - end.length) / piece.length)) + end
  const numbered = (count: number, at: (n: number) => string) =>
    Array.from({ length: count }, (_, n) => at(n)).join()
  const bodies = {
    'empty lists': `[${filled('[],')}[]]`,
    'lists in lists': filled('['),
    'objects in objects': filled('{"":'),
    'lists that are closed and opened': `[${filled(`${'['.repeat(31)}${']'.repeat(31)},`)}0]`,
    numbers: `[${filled('0,')}0]`,
    'long numbers': `[${filled('1e308,')}0]`,
    'one text': filled('x', '"', '"'),
    'one text of escapes': filled('\\u0061', '"', '"'),
    'one text of quotes': filled('\\"', '"', '"'),
    texts: `[${filled('"",')}""]`,
    'a text that is never closed': filled('\\\\', '"'),
    blanks: filled(' ', '[', ']'),
    'blanks behind texts': `[${filled(`"" ${' '.repeat(500)},`)}0]`,
    'as many names as there may be': `[${Array.from({ length: 8 }, (_, block) => `{${numbered(512, (n) => `"${block}${n}":0`)}}`).join()}]`,
    'names that are numbers': `{${numbered(512, (n) => `"${n * 16_777_619}":0`)}}`,
    'names with escapes': `[${Array.from({ length: 8 }, () => `{${numbered(400, (n) => `"\\u0061${n}":0`)}}`).join()}]`,
    'long names': `{${numbered(120, (n) => `"${'x'.repeat(500)}${n}":0`)}}`,
  }
  const times: number[] = []
  for (const [name, body] of Object.entries(bodies)) {
    const text = body.slice(0, 65_536)
    // As often as shows what it takes and not what the machine does besides.
    const tries = Array.from({ length: 15 }, () => {
      const started = performance.now()
      try {
        readJson(text)
      } catch {}
      return performance.now() - started
    }).sort((a, b) => a - b)
    const median = tries[7] ?? 0
    times.push(median)
    line('R-47', `64 KiB of JSON: ${name}`, '< 5 ms', `${median.toFixed(2)} ms`)
  }
  expect(Math.max(...times)).toBeLessThan(sized(100, 5))
})
