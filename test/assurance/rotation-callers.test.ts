import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { seeded } from '../helpers/random.ts'
import { TOKEN } from '../helpers/service.ts'

/** Variants of credentials that are none. */
const VARIANTS = sized(250, 1_000)

/** Sockets at the same time. */
const AT_ONCE = 20

const secret = `Bearer ${randomBytes(32).toString('base64url')}`
const password = randomBytes(32).toString('base64url')
let db: TestDatabase
let service: ServiceProcess

beforeAll(async () => {
  db = await testDatabase()
  service = await startProcess(db.url, { OKTA_HOOK_SECRETS: secret, OKTA_BASIC: `hook:${password}` })
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await db.drop()
})

/** Header lines that nearly prove something: a right one with a fault, or nothing like it. */
function variants(count: number): string[][] {
  const random = seeded(20)
  const at = (length: number) => Math.floor(random() * length)
  const fault = (text: string) => {
    const place = at(text.length)
    const other = text[place] === 'x' ? 'y' : 'x'
    return `${text.slice(0, place)}${other}${text.slice(place + 1)}`
  }
  const header = (value: string) => [`Authorization: ${value}`]
  const user = (text: string) => header(`Basic ${Buffer.from(text).toString('base64')}`)
  const kinds: (() => string[])[] = [
    () => [],
    () => header(''),
    () => header(fault(secret)),
    () => header(secret.slice(0, at(secret.length))),
    () => header(secret + randomBytes(1 + at(40)).toString('hex')),
    () => header(secret.toUpperCase()),
    () => header(secret.replace('Bearer', 'Basic')),
    () => header(`Bearer ${randomBytes(1 + at(2_000)).toString('base64url')}`),
    () => header(`${secret},${secret}`),
    () => user(`hook:${fault(password)}`),
    () => user(`${randomBytes(4).toString('hex')}:${password}`),
    () => user(`hook:${password.slice(0, at(password.length))}`),
    () => user(`${password}:hook`),
    () => header(`Basic ${randomBytes(1 + at(90)).toString('base64')}`),
    () => [`X-Authorization: ${secret}`],
    () => [`Proxy-Authorization: ${secret}`],
    () => [`Cookie: authorization=${encodeURIComponent(secret)}`],
    () =>
      header(
        randomBytes(1 + at(60))
          .toString('latin1')
          .replace(/[^\x21-\x7e\xa1-\xff]/g, '.'),
      ),
    () => header(Buffer.from(secret).toString('base64')),
  ]
  return Array.from({ length: count }, (_, number) => kinds[number % kinds.length]?.() ?? [])
}

/** Sends the headers of a call and none of the body that they announce, and reads until the connection ends. */
function answerTo(lines: readonly string[]): Promise<string> {
  const { hostname, port } = new URL(service.hooksUrl)
  const head = [
    'POST /okta/password-import HTTP/1.1',
    'Host: hooks',
    'Content-Type: application/json',
    'Content-Length: 500',
    ...lines,
  ]
  return new Promise((done, failed) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(`${head.join('\r\n')}\r\n\r\n`, 'latin1'),
    )
    let answer = ''
    socket.setEncoding('latin1').on('data', (part: string) => {
      answer += part
    })
    socket.setTimeout(20_000, () => socket.destroy(new Error('no answer')))
    socket.once('error', failed).once('end', () => {
      socket.destroy()
      done(answer)
    })
  })
}

test('wrong credentials are all answered alike, before the body', allowed(60_000, 120_000), async () => {
  const all = variants(VARIANTS)
  const answers = new Map<string, number>()
  const queue = all.values()
  const asking = Array.from({ length: AT_ONCE }, async () => {
    for (const lines of queue) {
      const answer = (await answerTo(lines)).replace(/^Date: .*\r\n/im, '')
      answers.set(answer, (answers.get(answer) ?? 0) + 1)
    }
  })
  await Promise.all(asking)
  measured({
    part: 'rotation',
    requirement: 'R-02',
    what: `answers to ${VARIANTS} variants of wrong credentials over raw sockets, without a byte of the body`,
    wanted: '1 answer for all, apart from Date',
    got: `${answers.size}, the most common ${Math.max(...answers.values())} times`,
  })
  const [[answer = '', times] = []] = [...answers]
  expect([answers.size, times]).toEqual([1, VARIANTS])
  expect(answer).toMatch(/^HTTP\/1\.1 401 /)
  expect(answer).toMatch(/^connection: close\r$/im)
  expect(answer).toMatch(/\r\n\r\n\{"status":401,"title":"unauthorized"\}$/)
})

test('the right ones are not answered before the body', allowed(30_000, 30_000), async () => {
  const known = [
    [`Authorization: ${secret}`],
    [`Authorization: Basic ${Buffer.from(`hook:${password}`).toString('base64')}`],
  ]
  for (const lines of known) {
    const { hostname, port } = new URL(service.hooksUrl)
    let answer = ''
    const socket = connect(Number(port), hostname)
    socket.setEncoding('latin1').on('data', (part: string) => {
      answer += part
    })
    socket.write(`POST /okta/password-import HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n`)
    socket.write(`Content-Length: 2\r\n${lines.join('')}\r\n\r\n`)
    await new Promise((later) => setTimeout(later, 300))
    expect(answer).toBe('')
    socket.write('{}')
    await expect.poll(() => answer).toMatch(/^HTTP\/1\.1 400 /)
    socket.destroy()
  }
})

test.for([
  { title: 'short', change: { OKTA_HOOK_SECRETS: 'Bearer k3Qm9vx7Lw2pTzR5Yb8Nd' } },
  { title: 'a sample', change: { OKTA_HOOK_SECRETS: 'Bearer changeme-changeme-changeme' } },
  { title: 'there twice', change: { OKTA_BASIC: `hook:${secret.slice('Bearer '.length)}` } },
])('a secret that is $title stops the start', allowed(30_000, 30_000), async ({ title, change }) => {
  const started = performance.now()
  const { code, out, err } = await runCommand(['serve'], {
    DATABASE_URL: db.url,
    ADMIN_TOKENS: TOKEN,
    OKTA_HOOK_SECRETS: secret,
    ...change,
  } as Record<string, string>)
  measured({
    part: 'rotation',
    requirement: 'R-01',
    what: `start with a hook secret that is ${title}`,
    wanted: 'exit code 2 within 1 s, the setting named, no value',
    got: `exit code ${code} after ${Math.round(performance.now() - started)} ms`,
  })
  expect([code, out]).toEqual([2, ''])
  expect(err).toMatch(/^ {2}OKTA_HOOK_SECRETS holds /m)
  for (const value of [secret, TOKEN, ...Object.values(change)])
    expect(err.includes(value.slice(-12)), 'a value is told').toBe(false)
})
