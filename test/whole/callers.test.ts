import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority, hasOpenssl, type Issued } from '../helpers/certificates.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { signedHeaders } from '../helpers/proofs.ts'
import { passwordImport, SECOND_SECRET, SECRET } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const RIGHT = 'Right-pa55word'
const PATH = '/okta/password-import'
const QUESTION = JSON.stringify(passwordImport('ann@example.com', RIGHT))
const VERIFIED = '{"commands":[{"type":"com.okta.action.update","value":{"credential":"VERIFIED"}}]}'
const STRANGER = { status: 401, text: '{"status":401,"title":"unauthorized"}' }
const KNOWN = { status: 200, text: VERIFIED }

const OLD_USER = 'hook:old-pässword:of-the-tests-0123456789'
const NEW_USER = 'hook:new-password-of-the-tests-0123456789'
const OLD_KEY = `whsec_${Buffer.from('old key of the tests, 32 bytes..').toString('base64')}`
const NEW_KEY = `whsec_${Buffer.from('new key of the tests, 32 bytes..').toString('base64')}`
const FOREIGN_KEY = `whsec_${Buffer.alloc(32, 1).toString('base64')}`

let db: TestDatabase
const services: ServiceProcess[] = []

async function start(environment: Record<string, string>): Promise<ServiceProcess> {
  const service = await startProcess(db.url, { OKTA_HOOK_SECRETS: '', ...environment })
  services.push(service)
  return service
}

beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, [
    { id: '1', login: 'ann@example.com', password_hash: md5(RIGHT), hash_scheme: 'md5' },
  ])
})
afterAll(async () => {
  for (const { child } of services) child.kill('SIGTERM')
  for (const { ended, output } of services) {
    expect(await ended).toBe(0)
    for (const secret of [SECRET, SECOND_SECRET, OLD_USER, NEW_USER, OLD_KEY, NEW_KEY])
      expect(output().includes(secret.slice(-12))).toBe(false)
  }
  await db.drop()
})

const basic = (user: string) => ({ authorization: `Basic ${Buffer.from(user).toString('base64')}` })
const now = () => Math.floor(Date.now() / 1_000)
let calls = 0
const signed = (keys: readonly string[], at = now(), body = QUESTION) =>
  signedHeaders(body, keys, { id: `msg_${calls++}`, at })

async function ask(service: ServiceProcess, headers: Record<string, string>, body = QUESTION) {
  const response = await fetch(service.hooksUrl + PATH, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  return { status: response.status, text: await response.text() }
}

describe('every kind at once, while each secret is replaced', () => {
  let service: ServiceProcess
  beforeAll(async () => {
    service = await start({
      OKTA_HOOK_SECRETS: `${SECRET},${SECOND_SECRET}`,
      OKTA_BASIC: `${OLD_USER},${NEW_USER}`,
      OKTA_HMAC_SECRETS: `${OLD_KEY},${NEW_KEY}`,
    })
  })

  test.for([
    { title: 'a fixed value', headers: () => ({ authorization: SECRET }), told: KNOWN },
    { title: 'the other fixed value', headers: () => ({ authorization: SECOND_SECRET }), told: KNOWN },
    { title: 'the old user', headers: () => basic(OLD_USER), told: KNOWN },
    { title: 'the new user', headers: () => basic(NEW_USER), told: KNOWN },
    { title: 'the old key', headers: () => signed([OLD_KEY]), told: KNOWN },
    { title: 'the new key', headers: () => signed([NEW_KEY]), told: KNOWN },
    { title: 'both keys', headers: () => signed([OLD_KEY, NEW_KEY]), told: KNOWN },
    {
      title: 'a wrong user with a right signature',
      headers: () => ({ ...basic('a:b'), ...signed([NEW_KEY]) }),
      told: KNOWN,
    },
    { title: 'nothing', headers: () => ({}), told: STRANGER },
    { title: 'a wrong value', headers: () => ({ authorization: `${SECRET}x` }), told: STRANGER },
    { title: 'a wrong password', headers: () => basic(`${NEW_USER}x`), told: STRANGER },
    { title: 'a wrong key', headers: () => signed([FOREIGN_KEY]), told: STRANGER },
    { title: 'an old timestamp', headers: () => signed([NEW_KEY], now() - 310), told: STRANGER },
    { title: 'a timestamp to come', headers: () => signed([NEW_KEY], now() + 310), told: STRANGER },
    {
      title: 'the signature of another body',
      headers: () => signed([NEW_KEY], now(), `${QUESTION} `),
      told: STRANGER,
    },
  ])('$title is told $told.status', async ({ headers, told }) => {
    expect(await ask(service, headers())).toEqual(told)
  })

  test('a call that is sent again is a stranger’s, also in parts', async () => {
    const headers = signed([NEW_KEY])
    expect(await ask(service, headers)).toEqual(KNOWN)
    expect(await ask(service, headers)).toEqual(STRANGER)
    expect(await ask(service, { ...headers, 'webhook-id': 'msg_other' })).toEqual(STRANGER)
    expect(await ask(service, { ...headers, 'webhook-timestamp': String(now() + 1) })).toEqual(STRANGER)
  })

  test('a call that could not be answered may be sent again', async () => {
    const id = { id: 'msg_repeated' }
    expect((await ask(service, signedHeaders('{}', [NEW_KEY], id), '{}')).status).toBe(400)
    expect(await ask(service, signedHeaders(QUESTION, [NEW_KEY], id))).toEqual(KNOWN)
    expect(await ask(service, signedHeaders(QUESTION, [NEW_KEY], id))).toEqual(STRANGER)
  })

  test('a signed body that is too large is a stranger’s', async () => {
    const body = JSON.stringify({ filling: 'x'.repeat(70_000) })
    expect(await ask(service, signed([NEW_KEY], now(), body), body)).toEqual(STRANGER)
  })
})

describe('after the replacement, behind one proxy', () => {
  let service: ServiceProcess
  beforeAll(async () => {
    service = await start({
      OKTA_BASIC: NEW_USER,
      OKTA_HMAC_SECRETS: NEW_KEY,
      HOOKS_ALLOW: '203.0.113.0/24,2001:db8::/32',
      TRUSTED_PROXY_HOPS: '1',
    })
  })

  test.for([
    { title: 'the new user', from: '203.0.113.9', headers: () => basic(NEW_USER), told: KNOWN },
    { title: 'the new user by IPv6', from: '2001:db8::9', headers: () => basic(NEW_USER), told: KNOWN },
    { title: 'the new key', from: '203.0.113.9', headers: () => signed([NEW_KEY]), told: KNOWN },
    { title: 'the old user', from: '203.0.113.9', headers: () => basic(OLD_USER), told: STRANGER },
    { title: 'the old key', from: '203.0.113.9', headers: () => signed([OLD_KEY]), told: STRANGER },
    {
      title: 'a fixed value',
      from: '203.0.113.9',
      headers: () => ({ authorization: SECRET }),
      told: STRANGER,
    },
    { title: 'another address', from: '198.51.100.9', headers: () => basic(NEW_USER), told: STRANGER },
    {
      title: 'a forged entry',
      from: '203.0.113.9, 198.51.100.9',
      headers: () => basic(NEW_USER),
      told: STRANGER,
    },
    {
      title: 'a forged entry that does not matter',
      from: '198.51.100.9, 203.0.113.9',
      headers: () => basic(NEW_USER),
      told: KNOWN,
    },
    { title: 'no entry', from: '', headers: () => basic(NEW_USER), told: STRANGER },
  ])('$title is told $told.status', async ({ from, headers, told }) => {
    expect(await ask(service, { ...headers(), 'x-forwarded-for': from })).toEqual(told)
  })
})

test('addresses are those of connections where no proxy is said to be', async () => {
  const inside = await start({ OKTA_BASIC: NEW_USER, HOOKS_ALLOW: '127.0.0.0/8' })
  const outside = await start({ OKTA_BASIC: NEW_USER, HOOKS_ALLOW: '203.0.113.0/24' })
  const forged = { ...basic(NEW_USER), 'x-forwarded-for': '203.0.113.9' }
  expect([await ask(inside, forged), await ask(outside, forged)]).toEqual([KNOWN, STRANGER])
})

describe.skipIf(!hasOpenssl)('client certificates', () => {
  const directory = mkdtempSync(join(tmpdir(), 'carryover-tls-'))
  const path = (name: string) => join(directory, name)
  const put = (name: string, text: string) => writeFileSync(path(name), text, { mode: 0o600 })
  const make = () => {
    const servers = createAuthority('servers')
    const clients = createAuthority('clients')
    const issueServer = () => servers.issue('/CN=hooks', 'IP:127.0.0.1')
    return {
      servers,
      clients,
      newClients: createAuthority('clients'),
      issueServer,
      right: clients.issue('/O=Example/CN=caller', 'URI:spiffe://example/hook'),
      /** Neither is good for a client, whoever signed it. */
      misfits: [
        clients.issue('/CN=caller', 'URI:spiffe://example/hook\nextendedKeyUsage=serverAuth'),
        clients.issue('/CN=caller', 'URI:spiffe://example/hook', -1),
      ],
      other: clients.issue('/O=Example/CN=other'),
      foreign: createAuthority('clients').issue('/O=Example/CN=caller', 'URI:spiffe://example/hook'),
    }
  }
  let made: ReturnType<typeof make>
  let service: ServiceProcess

  beforeAll(async () => {
    made = make()
    const { cert, key } = made.issueServer()
    put('server.crt', cert)
    put('server.key', key)
    put('clients.crt', made.clients.cert)
    service = await start({
      OKTA_BASIC: NEW_USER,
      OKTA_CLIENT_SUBJECTS: 'cn:nobody; uri:spiffe://example/hook',
      TLS_CERT_FILE: path('server.crt'),
      TLS_KEY_FILE: path('server.key'),
      TLS_CLIENT_CA_FILE: path('clients.crt'),
    })
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  const agentOf = (issued?: Issued) =>
    new Agent({ keepAlive: true, maxSockets: 1, ca: made.servers.cert, ...issued })

  function askBy(agent: Agent, user = NEW_USER): Promise<{ status: number; text: string; server: string }> {
    const headers = { 'content-type': 'application/json', ...basic(user) }
    return new Promise((done, failed) => {
      const asking = request(service.hooksUrl + PATH, { method: 'POST', agent, headers }, (response) => {
        const server = (response.socket as TLSSocket).getPeerCertificate().serialNumber
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('end', () => done({ status: response.statusCode ?? 0, text, server }))
      })
      asking.on('error', failed).end(QUESTION)
    })
  }

  async function told(issued?: Issued, user = NEW_USER) {
    const agent = agentOf(issued)
    const { status, text } = await askBy(agent, user)
    agent.destroy()
    return { status, text }
  }

  const events = (name: string) => service.output().split(`"event":"${name}"`).length - 1
  /** Writes, has the service look at its files, and waits until it has said something new about them. */
  async function reload(event: 'settings-renewed' | 'setting-unusable', write: () => void) {
    const before = events(event)
    write()
    service.child.kill('SIGHUP')
    await expect.poll(() => events(event), { timeout: 10_000 }).toBeGreaterThan(before)
  }

  test('of a pinned subject, of another one, of another authority, and none', async () => {
    expect([
      await told(made.right),
      await told(made.right, OLD_USER),
      await told(made.other),
      await told(made.foreign),
      await told(),
    ]).toEqual([KNOWN, STRANGER, STRANGER, STRANGER, STRANGER])
  })

  test('a certificate that is out of date or for servers counts as none', async () => {
    for (const misfit of made.misfits) expect(await told(misfit)).toEqual(STRANGER)
  })

  test('certificates are replaced while requests go on', async () => {
    const lasting = agentOf(made.right)
    const results: { status: number; server: string }[] = []
    let going = true
    const asking = [lasting, undefined].map(async (kept) => {
      while (going) {
        const agent = kept ?? agentOf(made.right)
        results.push(await askBy(agent))
        if (kept === undefined) agent.destroy()
      }
    })
    for (let round = 0; round < 3; round += 1) {
      const { cert, key } = made.issueServer()
      // The key is not there yet.
      await reload('setting-unusable', () => put('server.crt', cert))
      await reload('settings-renewed', () => put('server.key', key))
    }
    const enough = results.length + 10
    await expect.poll(() => results.length, { timeout: 20_000 }).toBeGreaterThan(enough)
    going = false
    await Promise.all(asking)
    lasting.destroy()
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(results.map(({ server }) => server)).size).toBeGreaterThan(1)
  })

  test('an empty list of authorities is not taken', async () => {
    await reload('setting-unusable', () => put('clients.crt', ''))
    expect([await told(made.right), await told()]).toEqual([KNOWN, STRANGER])
  })

  test('clients of an authority that was replaced are strangers, also on connections and sessions of before', async () => {
    const lasting = agentOf(made.right)
    expect(await askBy(lasting)).toMatchObject(KNOWN)
    const session = await sessionOf(made.right)
    expect(await statusBySession(session)).toBe(200)
    const successor = made.newClients.issue('/CN=caller', 'URI:spiffe://example/hook')
    await reload('settings-renewed', () => put('clients.crt', made.clients.cert + made.newClients.cert))
    expect([await told(made.right), await told(successor)]).toEqual([KNOWN, KNOWN])
    await reload('settings-renewed', () => put('clients.crt', made.newClients.cert))
    expect([await told(made.right), await told(successor)]).toEqual([STRANGER, KNOWN])
    expect((await askBy(lasting)).status).toBe(401)
    lasting.destroy()
    expect(await statusBySession(session)).toBe(401)
  })

  function open(more: object): TLSSocket {
    const { hostname, port } = new URL(service.hooksUrl)
    return connect({
      host: hostname,
      port: Number(port),
      ca: made.servers.cert,
      maxVersion: 'TLSv1.2',
      ...more,
    })
  }

  function sessionOf(issued: Issued): Promise<Buffer> {
    return new Promise((done, failed) => {
      const socket = open({ ...issued })
      socket.on('error', failed).once('session', (session: Buffer) => {
        socket.destroy()
        done(session)
      })
    })
  }

  function statusBySession(session: Buffer): Promise<number> {
    const { authorization } = basic(NEW_USER)
    return new Promise((done, failed) => {
      const socket = open({ session })
      const head = [
        `POST ${PATH} HTTP/1.1`,
        'host: h',
        `authorization: ${authorization}`,
        'content-type: application/json',
      ]
      socket.write(
        `${[...head, `content-length: ${Buffer.byteLength(QUESTION)}`].join('\r\n')}\r\n\r\n${QUESTION}`,
      )
      socket.on('error', failed).once('data', (answer: Buffer) => {
        socket.destroy()
        done(Number(answer.toString().split(' ')[1]))
      })
    })
  }
})
