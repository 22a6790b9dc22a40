import { Agent, request } from 'node:https'
import { afterEach, describe, expect, test } from 'vitest'
import { type Answer, type Call, type Listener, listen } from '../src/http.ts'
import type { TlsContents } from '../src/tls-files.ts'
import { createAuthority, hasOpenssl } from './helpers/certificates.ts'

const bound: Listener[] = []
afterEach(async () => {
  await Promise.all(bound.splice(0).map((listener) => listener.close(0)))
})

async function serve(handler: (call: Call) => Promise<Answer>, tls?: TlsContents): Promise<Listener> {
  const listener = await listen(handler, {
    address: { host: '127.0.0.1', port: 0 },
    tls,
    headersWithin: 2_000,
    requestWithin: 4_000,
    maxConnections: 10,
  })
  bound.push(listener)
  return listener
}

test('a body is read once, and whoever asks again gets the same bytes', async () => {
  let same = false
  const { url } = await serve(async (call) => {
    const [first, second] = await Promise.all([call.body(10), call.body(10)])
    same = first === second && first === (await call.body(10))
    return { status: 200, headers: {}, body: first.toString() }
  })
  const response = await fetch(url, { method: 'POST', body: 'text' })
  expect([await response.text(), same]).toEqual(['text', true])
})

test('a body that is too large is so for everyone who asks', async () => {
  const { url } = await serve(async (call) => {
    const results = [
      await call.body(3).catch((error) => error.code),
      await call.body(3).catch((error) => error.code),
    ]
    return { status: 200, headers: { connection: 'close' }, body: results.join() }
  })
  const response = await fetch(url, { method: 'POST', body: 'text' })
  expect(await response.text()).toBe('too-large,too-large')
})

test('without TLS there is no certificate, and the address is that of the connection', async () => {
  const { url } = await serve(async (call) => ({
    status: 200,
    headers: {},
    body: `${call.remote} ${call.certificate()}`,
  }))
  expect(await (await fetch(url)).text()).toBe('127.0.0.1 null')
})

describe.skipIf(!hasOpenssl)('a connection that is in use while certificates are renewed', () => {
  test.for([
    { title: 'goes on after a new certificate', replaced: false, connection: 'keep-alive' },
    { title: 'ends after its answer when the client CA is another one', replaced: true, connection: 'close' },
  ])('$title', async ({ replaced, connection }) => {
    const authority = createAuthority('tests')
    const issue = () => authority.issue('/CN=hooks', 'IP:127.0.0.1')
    const contents = { ...issue(), clientCa: authority.cert }
    const listener: Listener = await serve(async () => {
      listener.renew({ ...issue(), clientCa: replaced ? createAuthority('others').cert : authority.cert })
      return { status: 200, headers: {} }
    }, contents)
    const agent = new Agent({ keepAlive: true, ca: authority.cert })
    const told = await new Promise((done, failed) => {
      request(listener.url, { agent }, (response) => done(response.resume().headers.connection))
        .on('error', failed)
        .end()
    })
    agent.destroy()
    expect(told).toBe(connection)
  })

  test('what cannot be used changes nothing', async () => {
    const authority = createAuthority('tests')
    const issued = authority.issue('/CN=hooks', 'IP:127.0.0.1')
    const listener = await serve(async () => ({ status: 200, headers: {} }), {
      ...issued,
      clientCa: undefined,
    })
    const { key } = authority.issue('/CN=other')
    expect(() => listener.renew({ cert: issued.cert, key, clientCa: undefined })).toThrow()
    const status = await new Promise((done, failed) => {
      request(listener.url, { ca: authority.cert, agent: false }, (response) =>
        done(response.resume().statusCode),
      )
        .on('error', failed)
        .end()
    })
    expect(status).toBe(200)
  })
})
