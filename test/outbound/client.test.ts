import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import {
  type AddressInfo,
  BlockList,
  connect,
  createServer as createTcp,
  type Server,
  type Socket,
} from 'node:net'
import { createServer as createTls, type TLSSocket } from 'node:tls'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import type { CallFailureCode, OutboundAnswer, OutboundRequest } from '../../src/outbound/call.ts'
import { type Caller, type CallerOptions, createCaller } from '../../src/outbound/client.ts'
import { createAuthority, hasOpenssl } from '../helpers/certificates.ts'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')

const KIB = 1024
const TOKEN = 'Bearer a-token-that-nobody-may-see'

describe.skipIf(!hasOpenssl)('a call over TLS', () => {
  const authority = createAuthority('Carryover test')
  const issued = authority.issue('/CN=target.example', 'DNS:target.example,IP:127.0.0.1')

  const open: { close(): unknown }[] = []
  const sockets = new Set<Socket>()
  afterEach(() => {
    for (const each of open.splice(0)) each.close()
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  })

  async function listening(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
    server.on('connection', (socket) => sockets.add(socket))
    server.listen(port, host)
    await once(server, 'listening')
    open.push(server)
    return (server.address() as AddressInfo).port
  }

  /** A listener that answers by HTTP. */
  const serving = (
    answer: (request: IncomingMessage, response: ServerResponse) => void,
    { host = '127.0.0.1', port = 0, identity = issued } = {},
  ) => listening(createHttps(identity, answer), host, port)

  /** A listener that answers each request, once its head is there, with whatever `answer` writes. */
  const writing = (answer: (socket: TLSSocket) => void, options: object = {}) =>
    listening(
      createTls({ ...issued, ...options }, (socket) => {
        socket.on('error', () => {})
        socket.once('data', () => answer(socket))
      }),
    )

  /** Calls `host` at a port, whose name leads to 127.0.0.1. */
  function caller(port: number, change: Partial<CallerOptions> & { host?: string } = {}) {
    const { host = 'target.example', ...options } = change
    const made: Caller = createCaller({
      hosts: [`${host}:${port}`],
      ca: authority.cert,
      allowAddresses: loopback,
      resolve: async () => ['127.0.0.1'],
      ...options,
    })
    open.push(made)
    return (request: Partial<OutboundRequest> & { path?: string } = {}) => {
      const { path = '/', ...rest } = request
      return made({ method: 'GET', url: `https://${host}:${port}${path}`, ...rest })
    }
  }

  /** The code, where nothing but it was said. */
  async function failure(answer: Promise<OutboundAnswer>): Promise<CallFailureCode> {
    const error: unknown = await answer.then(
      () => new Error('answered'),
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ name: 'CallFailure' })
    const { code, message, cause } = error as Error & { code: CallFailureCode }
    expect({ message, cause }).toEqual({ message: `the call failed: ${code}`, cause: undefined })
    return code
  }

  test('leaves nothing behind on a connection that is kept', async () => {
    const port = await serving((_, response) => response.end('yes'))
    const warnings: string[] = []
    const onWarning = ({ name }: Error) => warnings.push(name)
    process.on('warning', onWarning)
    const call = caller(port)
    // Node warns of the eleventh listener for the same event.
    for (let calls = 0; calls < 12; calls++) expect((await call()).status).toBe(200)
    await new Promise((later) => setImmediate(later))
    process.off('warning', onWarning)
    expect({ connections: sockets.size, warnings }).toEqual({ connections: 1, warnings: [] })
  })

  test('brings what was sent, and what was answered', async () => {
    const port = await serving((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part) => parts.push(part))
      request.on('end', () => {
        const { method, url, headers } = request
        response.writeHead(201, { 'x-one': ['a', 'b'], 'set-cookie': ['c=1', 'd=2'] })
        response.end(JSON.stringify({ method, url, headers, body: Buffer.concat(parts).toString(), u: 'ü' }))
      })
    })
    const call = caller(port)
    const answer = await call({
      method: 'POST',
      path: "/a'b/%20?q=o'x",
      headers: { Authorization: TOKEN, 'content-type': 'application/json' },
      body: '{"name":"ü"}',
    })
    expect(answer.status).toBe(201)
    expect(answer.headers).toMatchObject({ 'x-one': 'a, b', 'set-cookie': 'c=1, d=2' })
    expect(JSON.parse(answer.text)).toEqual({
      method: 'POST',
      url: "/a'b/%20?q=o'x",
      headers: {
        host: `target.example:${port}`,
        connection: 'keep-alive',
        authorization: TOKEN,
        'content-type': 'application/json',
        'content-length': '13',
        'accept-encoding': 'identity',
      },
      body: '{"name":"ü"}',
      u: 'ü',
    })
  })

  test.for(['127.0.0.1', 'target.example'])('verifies the certificate for %s', async (host) => {
    const port = await serving((_, response) => response.end('here'))
    expect((await caller(port, { host })()).text).toBe('here')
  })

  test('a connection that is kept for many calls gathers no listeners', async () => {
    const port = await serving((_, response) => response.end('here'))
    const warnings: Error[] = []
    const warned = (warning: Error) => warnings.push(warning)
    process.on('warning', warned)
    const call = caller(port, { connections: 1 })
    for (let at = 0; at < 30; at++) expect((await call()).text).toBe('here')
    await new Promise((later) => setImmediate(later))
    process.off('warning', warned)
    expect(warnings).toEqual([])
    expect(sockets.size).toBe(1)
  })

  test('any other status is an answer, also one without a body', async () => {
    const port = await serving((request, response) => {
      response.statusCode = Number(request.url?.slice(1))
      response.end()
    })
    const call = caller(port)
    for (const status of [200, 204, 400, 401, 404, 429, 500, 503])
      expect(await call({ path: `/${status}` })).toMatchObject({ status, text: '' })
  })

  test('one connection serves several calls, and no more are open than were allowed', async () => {
    let most = 0
    const now = new Set<Socket>()
    const ports = new Set<number | undefined>()
    const port = await serving(({ socket }, response) => {
      now.add(socket)
      ports.add(socket.remotePort)
      most = Math.max(most, now.size)
      setTimeout(() => {
        now.delete(socket)
        response.end('here')
      }, 5)
    })
    const call = caller(port, { connections: 3 })
    await Promise.all(Array.from({ length: 20 }, () => call()))
    expect({ most, ports: ports.size }).toEqual({ most: 3, ports: 3 })
  })

  test('bytes are sent as they are', async () => {
    const port = await serving((request, response) => {
      const parts: Buffer[] = []
      request.on('data', (part) => parts.push(part))
      request.on('end', () => response.end(Buffer.concat(parts).toString('hex')))
    })
    const body = new Uint8Array([0, 255, 13, 10])
    expect((await caller(port)({ method: 'PUT', body })).text).toBe('00ff0d0a')
  })

  describe('the address', () => {
    test('a name that leads into the own network is not called', async () => {
      let connections = 0
      const port = await listening(createTcp(() => connections++))
      for (const address of [
        '127.0.0.1',
        '::ffff:127.0.0.1',
        '::1',
        '169.254.169.254',
        '10.0.0.1',
        'rubbish',
      ])
        expect(
          await failure(caller(port, { allowAddresses: new BlockList(), resolve: async () => [address] })()),
        ).toBe('forbidden-address')
      expect(connections).toBe(0)
    })

    test('one such address among others spoils the answer', async () => {
      const port = await serving((_, response) => response.end('here'))
      const resolve = async () => ['127.0.0.1', '169.254.169.254']
      expect(await failure(caller(port, { resolve })())).toBe('forbidden-address')
    })

    test('a listed address in the own network is not called either', async () => {
      const callers: (number | undefined)[] = []
      const port = await listening(createTcp(({ remotePort }) => callers.push(remotePort)))
      const call = caller(port, { host: '127.0.0.1', allowAddresses: new BlockList() })
      expect(await failure(call())).toBe('forbidden-address')
      // Whoever listens is told of connections in their order.
      const own = connect(port, '127.0.0.1')
      await once(own, 'connect')
      const { localPort } = own
      await expect.poll(() => callers).toContain(localPort)
      own.destroy()
      expect(callers).toEqual([localPort])
    })

    test('localhost is what the machine says it is', async () => {
      const port = await serving((_, response) => response.end('here'))
      const made = createCaller({ hosts: [`localhost:${port}`], ca: authority.cert })
      open.push(made)
      expect(await failure(made({ method: 'GET', url: `https://localhost:${port}/` }))).toBe(
        'forbidden-address',
      )
    })

    test('the connection goes to the address that was checked, however the name answers later', async () => {
      const first = new BlockList()
      first.addAddress('127.0.0.2', 'ipv4')
      const port = await serving((_, response) => response.end('the first'), { host: '127.0.0.2' })
      const second: string[] = []
      await serving(
        ({ headers }, response) => {
          second.push(String(headers.authorization))
          response.end('the second')
        },
        { host: '127.0.0.1', port },
      )
      let asked = 0
      const call = caller(port, {
        allowAddresses: first,
        resolve: async () => [asked++ === 0 ? '127.0.0.2' : '127.0.0.1'],
      })
      const headers = { authorization: TOKEN }
      expect((await call({ headers })).text).toBe('the first')
      expect(asked).toBe(1)
      // The same connection, which asks nobody.
      expect((await call({ headers })).text).toBe('the first')
      expect(asked).toBe(1)
      const ended = [...sockets].map((socket) => once(socket, 'close'))
      for (const socket of sockets) socket.destroy()
      await Promise.all(ended)
      await expect.poll(() => call({ headers }).catch((error) => error.code)).toBe('forbidden-address')
      expect(asked).toBe(2)
      expect(second).toEqual([])
    })

    test('the other end of the connection is looked at again, before anything is sent', async () => {
      const heard: string[] = []
      const port = await serving((request, response) => {
        heard.push(request.url ?? '')
        response.end()
      })
      const once = new BlockList()
      let asked = 0
      once.check = () => asked++ === 0
      expect(await failure(caller(port, { allowAddresses: once })())).toBe('forbidden-address')
      expect({ asked, heard }).toEqual({ asked: 2, heard: [] })
    })

    test('a name without an address, or one that cannot be looked up', async () => {
      expect(await failure(caller(1, { resolve: async () => [] })())).toBe('unreachable')
      const resolve = () => Promise.reject(new Error('getaddrinfo ENOTFOUND target.example'))
      expect(await failure(caller(1, { resolve })())).toBe('unreachable')
    })
  })

  describe('redirects', () => {
    test.for([
      { status: 301, location: 'https://169.254.169.254/latest/meta-data/' },
      { status: 302, location: 'http://169.254.169.254/' },
      { status: 303, location: '/elsewhere' },
      { status: 307, location: '//evil.example/' },
      { status: 308, location: 'https://target.example/' },
      { status: 300, location: undefined },
      { status: 304, location: undefined },
    ])('$status to $location is not followed', async ({ status, location }) => {
      let requests = 0
      const port = await serving((_, response) => {
        requests++
        response.writeHead(status, location === undefined ? {} : { location })
        response.end('x'.repeat(100 * KIB))
      })
      expect(await failure(caller(port)({ headers: { authorization: TOKEN } }))).toBe('redirect')
      expect(requests).toBe(1)
    })
  })

  describe('time', () => {
    test('a body that drips is ended by the clock', async () => {
      const port = await serving((_, response) => {
        response.writeHead(200, { 'content-length': '100000' })
        const drip = setInterval(() => response.write('x'), 20)
        response.on('close', () => clearInterval(drip))
      })
      expect(await failure(caller(port, { within: 300 })())).toBe('timeout')
    })

    test('so is a head that drips', async () => {
      const port = await writing((socket) => {
        const drip = setInterval(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 20)
        socket.on('close', () => clearInterval(drip))
      })
      expect(await failure(caller(port, { within: 300 })())).toBe('timeout')
    })

    test('a name that nobody answers for', async () => {
      expect(await failure(caller(1, { within: 50, resolve: () => new Promise(() => {}) })())).toBe('timeout')
    })

    test('a listener that never shakes hands', async () => {
      const port = await listening(createTcp(() => {}))
      expect(await failure(caller(port, { within: 100 })())).toBe('timeout')
    })

    test('the wait for a connection', async () => {
      const port = await serving(() => {})
      const call = caller(port, { connections: 1, within: 200 })
      expect(await Promise.all([failure(call()), failure(call())])).toEqual(['timeout', 'timeout'])
    })

    test('a call may have less time, and never more', async () => {
      const port = await serving(() => {})
      expect(await failure(caller(port)({ within: 50 }))).toBe('timeout')
      expect(await failure(caller(port, { within: 50 })({ within: 3_600_000 }))).toBe('timeout')
    })
  })

  describe('the answer', () => {
    test('as large as is allowed, and a byte more', async () => {
      const port = await serving((request, response) => {
        response.writeHead(200, { 'transfer-encoding': 'chunked' })
        response.end('x'.repeat(Number(request.url?.slice(1))))
      })
      const call = caller(port)
      expect((await call({ path: `/${1024 * KIB}` })).text).toHaveLength(1024 * KIB)
      expect(await failure(call({ path: `/${1024 * KIB + 1}` }))).toBe('too-large')
      expect(await failure(caller(port, { mostBytes: 10 })({ path: '/11' }))).toBe('too-large')
    })

    test('one that announces too much is not read at all', async () => {
      const port = await writing((socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n'),
      )
      expect(await failure(caller(port)())).toBe('too-large')
    })

    test('one without end', async () => {
      const port = await serving((_, response) => {
        const more = () => {
          while (response.write('x'.repeat(16 * KIB)));
          response.once('drain', more)
        }
        more()
      })
      expect(await failure(caller(port)())).toBe('too-large')
    })

    test.for(['gzip', 'deflate', 'br', 'zstd', 'x-rot13', 'identity, gzip'])(
      'in %s, which nobody asked for',
      async (coding) => {
        const port = await serving((_, response) => {
          response.writeHead(200, { 'content-encoding': coding })
          // Text, so that it is refused for nothing else.
          response.end('{}')
        })
        expect(await failure(caller(port)())).toBe('malformed')
      },
    )

    test('64 MiB of zeros in 64 KiB, said to be nothing else', async () => {
      const bomb = gzipSync(Buffer.alloc(64 * 1024 * KIB))
      const port = await serving((_, response) => response.end(bomb))
      expect(await failure(caller(port)())).toBe('malformed')
    })

    test.for([
      { what: 'a byte that begins nothing', body: Buffer.from([0x7b, 0xff, 0x7d]) },
      { what: 'half a character at the end', body: Buffer.from([0x61, 0xc3]) },
      { what: 'half of a surrogate pair', body: Buffer.from([0xed, 0xa0, 0x80]) },
      { what: 'a long form', body: Buffer.from([0xc0, 0xaf]) },
    ])('$what is no UTF-8', async ({ body }) => {
      const port = await serving((_, response) => response.end(body))
      expect(await failure(caller(port)())).toBe('malformed')
    })

    test.for<{ what: string; answer: string; code: CallFailureCode }>([
      { what: 'no HTTP', answer: 'SSH-2.0-OpenSSH_9.2\r\n', code: 'malformed' },
      { what: 'another version', answer: 'HTTP/3.0 200 OK\r\n\r\n', code: 'malformed' },
      { what: 'no status', answer: 'HTTP/1.1 OK\r\n\r\n', code: 'malformed' },
      {
        what: 'another protocol',
        answer: 'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
        code: 'malformed',
      },
      {
        what: 'two lengths',
        answer: 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
        code: 'malformed',
      },
      {
        what: 'two framings',
        answer:
          'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
        code: 'malformed',
      },
      {
        what: 'a length that is none',
        answer: 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
        code: 'malformed',
      },
      {
        what: 'a folded header',
        answer: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: b\r\n c: d\r\n\r\n',
        code: 'malformed',
      },
      {
        what: 'a chunk without a size',
        answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
        code: 'malformed',
      },
      {
        what: 'a body that ends with the connection',
        answer: 'HTTP/1.1 200 OK\r\n\r\n{}',
        code: 'malformed',
      },
      {
        what: 'headers without end',
        answer: `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(64 * KIB)}\r\n`,
        code: 'too-large',
      },
      { what: 'nothing', answer: '', code: 'unreachable' },
      { what: 'half a head', answer: 'HTTP/1.1 200 OK\r\nContent-Le', code: 'unreachable' },
      {
        what: 'half a body',
        answer: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"a":',
        code: 'unreachable',
      },
      {
        what: 'half of the chunks',
        answer: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n',
        code: 'unreachable',
      },
    ])('$what, and the end: $code', async ({ answer, code }) => {
      const port = await writing((socket) => socket.end(answer))
      expect(await failure(caller(port)())).toBe(code)
    })

    test('a name of JavaScript as a header is a header', async () => {
      const port = await writing((socket) =>
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n__proto__: a\r\nX-A: 1\r\nx-a: 2\r\n\r\n'),
      )
      const { headers } = await caller(port)()
      expect(Object.entries(headers)).toEqual([
        ['content-length', '0'],
        ['__proto__', 'a'],
        ['x-a', '1, 2'],
      ])
    })
  })

  describe('the other side', () => {
    const other = createAuthority('Somebody else')
    test.for([
      { what: 'of another name', identity: authority.issue('/CN=target.example', 'DNS:evil.example') },
      { what: 'of a name below', identity: authority.issue('/CN=target.example', 'DNS:*.target.example') },
      { what: 'that is over', identity: authority.issue('/CN=target.example', 'DNS:target.example', -1) },
      { what: 'of another authority', identity: other.issue('/CN=target.example', 'DNS:target.example') },
    ])('a certificate $what', async ({ identity }) => {
      let requests = 0
      const port = await serving((_, response) => response.end(String(requests++)), { identity })
      expect(await failure(caller(port)({ headers: { authorization: TOKEN } }))).toBe('tls')
      expect(requests).toBe(0)
    })

    test('a certificate of an authority that is not given', async () => {
      const port = await serving((_, response) => response.end())
      const made = createCaller({
        hosts: [`target.example:${port}`],
        allowAddresses: loopback,
        resolve: async () => ['127.0.0.1'],
      })
      open.push(made)
      expect(await failure(made({ method: 'GET', url: `https://target.example:${port}/` }))).toBe('tls')
    })

    test('a version before TLS 1.2', async () => {
      const options = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }
      const port = await writing((socket) => socket.end(), options)
      expect(await failure(caller(port)())).toBe('tls')
    })

    test('plain HTTP on the port', async () => {
      const heard: Buffer[] = []
      const server = createTcp((socket) => {
        socket.on('error', () => {})
        socket.on('data', (part) => heard.push(part))
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}')
      })
      const port = await listening(server)
      expect(await failure(caller(port)({ headers: { authorization: TOKEN } }))).toBe('tls')
      expect(Buffer.concat(heard).includes('Bearer')).toBe(false)
    })

    test('nobody, and somebody who hangs up', async () => {
      const port = await listening(createTcp((socket) => socket.destroy()))
      expect(await failure(caller(port)())).toBe('unreachable')
      const free = await listening(createTcp())
      const server = open.pop() as Server
      await new Promise((resolve) => server.close(resolve))
      expect(await failure(caller(free)())).toBe('unreachable')
    })
  })

  describe('headers that are not sent', () => {
    test.for([
      { what: 'a line break', headers: { 'x-a': 'b\r\nx-c: d' } },
      { what: 'a line feed', headers: { 'x-a': 'b\nx-c: d' } },
      { what: 'a line feed at the end', headers: { 'x-a': 'b\n' } },
      { what: 'a NUL', headers: { 'x-a': 'b\0' } },
      { what: 'a tab', headers: { 'x-a': 'b\tc' } },
      { what: 'nothing', headers: { authorization: '' } },
      { what: 'a space at the end', headers: { authorization: 'Bearer a ' } },
      { what: 'letters beyond ASCII', headers: { 'x-a': 'ü' } },
      { what: 'a line break that is no character of Latin 1', headers: { 'x-a': '\u010d\u010a' } },
      { what: 'a name with a colon', headers: { 'x-a: b': 'c' } },
      { what: 'a name with a line break', headers: { 'x-a\r\nx-b': 'c' } },
      { what: 'an empty name', headers: { '': 'c' } },
      { what: 'a name twice', headers: { Authorization: 'a', authorization: 'b' } },
      { what: 'another host', headers: { Host: 'evil.example' } },
      { what: 'another length', headers: { 'Content-Length': '3' } },
      { what: 'another framing', headers: { 'transfer-encoding': 'chunked' } },
      { what: 'another coding', headers: { 'Accept-Encoding': 'gzip' } },
      { what: 'another way of the connection', headers: { connection: 'upgrade' } },
    ])('$what', async ({ headers }) => {
      let connections = 0
      const port = await listening(createTcp(() => connections++))
      expect(await failure(caller(port)({ headers }))).toBe('malformed')
      expect(connections).toBe(0)
    })
  })

  test('after the end nothing is called, and what was under way has failed', async () => {
    const port = await serving(() => {})
    const made = createCaller({
      hosts: [`127.0.0.1:${port}`],
      ca: authority.cert,
      allowAddresses: loopback,
      connections: 1,
    })
    const request = { method: 'GET', url: `https://127.0.0.1:${port}/` } as const
    const running = [failure(made(request)), failure(made(request))]
    await expect.poll(() => sockets.size).toBe(1)
    made.close()
    expect(await Promise.all(running)).toEqual(['unreachable', 'unreachable'])
    expect(await failure(made(request))).toBe('unreachable')
    expect(sockets.size).toBe(1)
  })
})
