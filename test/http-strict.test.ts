import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fetchHandler, type Listener } from '../src/http.ts'
import { CHUNKED, honest, hooksHandler, listening, PATH, QUESTION } from './helpers/listening.ts'
import { rawConnection } from './helpers/raw.ts'
import { SECRET } from './helpers/service.ts'

const refused: string[] = []
const bound: Listener[] = []
let hooks = ''
let admin = ''
const reached: string[] = []
beforeAll(async () => {
  const answersAll = fetchHandler((request) => {
    reached.push(new URL(request.url).pathname)
    return new Response('reached')
  })
  const hooksListener = await listening(hooksHandler(), { refused: (reason) => refused.push(reason) })
  const adminListener = await listening(answersAll)
  bound.push(hooksListener, adminListener)
  hooks = hooksListener.url
  admin = adminListener.url
})
afterAll(() => Promise.all(bound.map((listener) => listener.close(0))))

const VERIFIED = '{"commands":[{"type":"com.okta.action.update","value":{"credential":"VERIFIED"}}]}'
const NOT_FOUND = '{"status":404,"title":"not found"}'

interface Case {
  readonly title: string
  readonly bytes: string
  /** Of each answer, in order; 200 stands for VERIFIED unless it is said otherwise. */
  readonly answers: readonly number[]
  /** Whether another call on the same connection is answered as if nothing had been. */
  readonly kept?: true
  readonly reason?: string
}

const line = (target: string, method = 'POST') => honest({ line: `${method} ${target} HTTP/1.1` })
const bare = (method: string, target: string, ...headers: string[]) =>
  `${method} ${target} HTTP/1.1\r\nHost: x\r\nAuthorization: ${SECRET}\r\n${headers.map((one) => `${one}\r\n`).join('')}\r\n`
const withHeader = (...more: string[]) => honest({ more })
const many = (number: number) => Array.from({ length: number }, (_, at) => `X-${at}: y`)

const cases: readonly Case[] = [
  { title: 'an ordinary call', bytes: honest(), answers: [200], kept: true },
  { title: 'an ordinary call in chunks', bytes: honest(CHUNKED), answers: [200], kept: true },

  // The target.
  { title: 'a query', bytes: line(`${PATH}?a=b`), answers: [200], kept: true },
  {
    title: 'the absolute form',
    bytes: line(`http://hooks.example.com${PATH}`),
    answers: [400],
    reason: 'target',
  },
  {
    title: 'the absolute form of another host',
    bytes: line(`http://x${PATH}`),
    answers: [400],
    reason: 'target',
  },
  { title: 'the absolute form of https', bytes: line(`https://x${PATH}`), answers: [400], reason: 'target' },
  { title: 'another scheme', bytes: line(`file://${PATH}`), answers: [400], reason: 'target' },
  { title: 'the asterisk form', bytes: bare('OPTIONS', '*'), answers: [400], reason: 'target' },
  { title: 'the asterisk form of POST', bytes: line('*'), answers: [400], reason: 'target' },
  { title: 'the authority form', bytes: bare('CONNECT', 'x:443'), answers: [] },
  { title: 'two slashes', bytes: line(`/${PATH}`), answers: [404] },
  { title: 'a final slash', bytes: line(`${PATH}/`), answers: [404] },
  { title: 'a dot segment', bytes: line(`/.${PATH}`), answers: [404] },
  { title: 'two dot segments', bytes: line(`/x/..${PATH}`), answers: [404] },
  { title: 'escaped dot segments', bytes: line(`/x/%2e%2E${PATH}`), answers: [404] },
  { title: 'an escaped letter', bytes: line('/okta/password%2dimport'), answers: [404] },
  { title: 'an escaped slash', bytes: line('/okta%2Fpassword-import'), answers: [404] },
  { title: 'an escaped NUL', bytes: line(`${PATH}%00`), answers: [404] },
  { title: 'half an escape', bytes: line(`${PATH}%4`), answers: [400], reason: 'target' },
  { title: 'an escape of no digits', bytes: line('/okta/%zz'), answers: [400], reason: 'target' },
  { title: 'a fragment', bytes: line(`${PATH}#x`), answers: [400], reason: 'target' },
  { title: 'a backslash', bytes: line('/okta\\password-import'), answers: [400], reason: 'target' },
  { title: 'a NUL', bytes: line(`${PATH}\0`), answers: [400] },
  { title: 'overlong UTF-8', bytes: line('/okta\xc0\xafpassword-import'), answers: [400] },
  { title: 'brackets', bytes: line(`${PATH}[0]`), answers: [400], reason: 'target' },
  { title: 'a blank', bytes: line(`${PATH} x`), answers: [400] },
  { title: 'a tab', bytes: line(`\t${PATH}`), answers: [400] },
  { title: 'no slash', bytes: line('okta/password-import'), answers: [400] },
  {
    title: '1,024 characters',
    bytes: line(`${PATH}?${'a'.repeat(1_023 - PATH.length)}`),
    answers: [200],
    kept: true,
  },
  {
    title: '1,025 characters',
    bytes: line(`${PATH}?${'a'.repeat(1_024 - PATH.length)}`),
    answers: [414],
    reason: 'target-length',
  },
  { title: '9,000 characters', bytes: line(`/${'a'.repeat(9_000)}`), answers: [431] },

  // The method.
  { title: 'GET', bytes: bare('GET', PATH), answers: [404] },
  { title: 'HEAD', bytes: bare('HEAD', PATH), answers: [404] },
  { title: 'HEAD where there is a GET', bytes: bare('HEAD', '/okta/events'), answers: [404] },
  { title: 'TRACE', bytes: bare('TRACE', PATH), answers: [404] },
  { title: 'OPTIONS', bytes: bare('OPTIONS', PATH), answers: [404] },
  { title: 'PUT', bytes: line(PATH, 'PUT'), answers: [404] },
  { title: 'DELETE', bytes: line(PATH, 'DELETE'), answers: [404] },
  { title: 'QUERY', bytes: line(PATH, 'QUERY'), answers: [404] },
  {
    title: 'another method in a header',
    bytes: bare('GET', PATH, 'X-HTTP-Method-Override: POST'),
    answers: [404],
  },
  { title: 'a method in lower case', bytes: line(PATH, 'post'), answers: [400] },
  { title: 'a method that nobody knows', bytes: line(PATH, 'FROB'), answers: [400] },

  // The version.
  { title: 'HTTP/1.0', bytes: honest({ line: `POST ${PATH} HTTP/1.0` }), answers: [200] },
  { title: 'HTTP/0.9', bytes: `GET ${PATH}\r\n\r\n`, answers: [505], reason: 'version' },
  {
    title: 'HTTP/2.0 in the words of 1.1',
    bytes: honest({ line: `POST ${PATH} HTTP/2.0` }),
    answers: [505],
    reason: 'version',
  },
  { title: 'HTTP/1.2', bytes: honest({ line: `POST ${PATH} HTTP/1.2` }), answers: [400] },
  { title: 'the preface of HTTP/2', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', answers: [400] },
  { title: 'the start of TLS', bytes: '\x16\x03\x01\x02\x00\x01\x00', answers: [400] },

  // Headers that may be there once.
  {
    title: 'Authorization twice, the right one first',
    bytes: withHeader('Authorization: x'),
    answers: [400],
    reason: 'header-twice',
  },
  {
    title: 'Authorization twice, the right one last',
    bytes: honest({ secret: `authorization: x\r\nAuthorization: ${SECRET}` }),
    answers: [400],
    reason: 'header-twice',
  },
  {
    title: 'the same Authorization twice',
    bytes: withHeader(`AUTHORIZATION: ${SECRET}`),
    answers: [400],
    reason: 'header-twice',
  },
  {
    title: 'Content-Type twice',
    bytes: withHeader('Content-Type: text/plain'),
    answers: [400],
    reason: 'header-twice',
  },
  {
    title: 'Content-Encoding twice',
    bytes: withHeader('Content-Encoding: identity', 'Content-Encoding: gzip'),
    answers: [400],
    reason: 'header-twice',
  },
  {
    title: 'Host twice',
    bytes: withHeader('Host: hooks.example.com'),
    answers: [400],
    reason: 'header-twice',
  },
  { title: 'Content-Length twice', bytes: withHeader(`Content-Length: ${QUESTION.length}`), answers: [400] },
  { title: 'two Content-Lengths', bytes: withHeader('Content-Length: 1'), answers: [400] },
  {
    title: 'Authorization as the 65th header, after one at the start',
    bytes: honest({ more: [...many(60), `Authorization: ${SECRET}`] }),
    answers: [431],
    reason: 'header-count',
  },
  { title: 'Host of nothing', bytes: honest({ host: 'Host:' }), answers: [400], reason: 'host' },
  { title: 'Host with a path', bytes: honest({ host: 'Host: a/b' }), answers: [400], reason: 'host' },
  { title: 'Host with a user', bytes: honest({ host: 'Host: a@b' }), answers: [400], reason: 'host' },
  { title: 'Host with a blank', bytes: honest({ host: 'Host: a b' }), answers: [400], reason: 'host' },
  { title: 'Host with a comma', bytes: honest({ host: 'Host: a,b' }), answers: [400], reason: 'host' },
  { title: 'Host of IPv6', bytes: honest({ host: 'Host: [2001:db8::1]:8080' }), answers: [200], kept: true },
  { title: 'no Host', bytes: honest({ host: '' }), answers: [400] },
  {
    title: 'no Host in HTTP/1.0',
    bytes: honest({ line: `POST ${PATH} HTTP/1.0`, host: '' }),
    answers: [200],
  },

  // The size of the headers.
  { title: '64 headers', bytes: withHeader(...many(60)), answers: [200], kept: true },
  { title: '65 headers', bytes: withHeader(...many(61)), answers: [431], reason: 'header-count' },
  {
    title: '1,500 headers',
    bytes: withHeader(...Array.from({ length: 1_500 }, () => 'a:')),
    answers: [431],
    reason: 'header-count',
  },
  { title: '8 KiB of headers', bytes: withHeader(`X-Long: ${'x'.repeat(8_192)}`), answers: [431] },

  // Where the body ends.
  {
    title: 'Content-Length and Transfer-Encoding',
    bytes: honest({ ...CHUNKED, more: ['Content-Length: 5'] }),
    answers: [400],
  },
  {
    title: 'Transfer-Encoding: gzip, chunked',
    bytes: honest({ ...CHUNKED, framing: 'Transfer-Encoding: gzip, chunked' }),
    answers: [501],
    reason: 'transfer-coding',
  },
  {
    title: 'Transfer-Encoding: chunked, identity',
    bytes: honest({ ...CHUNKED, framing: 'Transfer-Encoding: chunked, identity' }),
    answers: [400],
  },
  {
    title: 'Transfer-Encoding: chunked, chunked',
    bytes: honest({ ...CHUNKED, framing: 'Transfer-Encoding: chunked, chunked' }),
    answers: [400],
  },
  {
    title: 'Transfer-Encoding: identity',
    bytes: honest({ framing: 'Transfer-Encoding: identity' }),
    answers: [501],
    reason: 'transfer-coding',
  },
  {
    title: 'Transfer-Encoding: xchunked',
    bytes: honest({ ...CHUNKED, framing: 'Transfer-Encoding: xchunked' }),
    answers: [501],
    reason: 'transfer-coding',
  },
  {
    title: 'Transfer-Encoding twice',
    bytes: honest({ ...CHUNKED, more: ['Transfer-Encoding: chunked'] }),
    answers: [400],
  },
  {
    title: 'Transfer-Encoding in HTTP/1.0',
    bytes: honest({ ...CHUNKED, line: `POST ${PATH} HTTP/1.0` }),
    answers: [501],
    reason: 'transfer-coding',
  },
  { title: 'a chunk of no size', bytes: honest({ ...CHUNKED, body: 'zz\r\n\r\n' }), answers: [400] },
  { title: 'a chunk of a negative size', bytes: honest({ ...CHUNKED, body: '-1\r\n\r\n' }), answers: [400] },
  {
    title: 'a chunk of 2^68 bytes',
    bytes: honest({ ...CHUNKED, body: 'fffffffffffffffff\r\n' }),
    answers: [400],
  },
  {
    title: 'a chunk longer than its size',
    bytes: honest({ ...CHUNKED, body: '2\r\n{}}\r\n0\r\n\r\n' }),
    answers: [400],
  },
  {
    title: 'a chunk with an endless extension',
    bytes: honest({ ...CHUNKED, body: `2;${'x'.repeat(20_000)}\r\n` }),
    answers: [413],
  },
  { title: 'Content-Length: -1', bytes: honest({ framing: 'Content-Length: -1' }), answers: [400] },
  {
    title: 'Content-Length: +2',
    bytes: honest({ framing: 'Content-Length: +2', body: '{}' }),
    answers: [400],
  },
  {
    title: 'Content-Length: 0x2',
    bytes: honest({ framing: 'Content-Length: 0x2', body: '{}' }),
    answers: [400],
  },
  {
    title: 'Content-Length: 2, 2',
    bytes: honest({ framing: 'Content-Length: 2, 2', body: '{}' }),
    answers: [400],
  },
  {
    title: 'Content-Length of 2^64',
    bytes: honest({ framing: 'Content-Length: 18446744073709551616' }),
    answers: [400],
  },
  {
    title: 'Content-Length over 64 KiB',
    bytes: honest({ framing: 'Content-Length: 65537' }),
    answers: [413],
  },
  { title: 'lines that end in LF', bytes: honest().replaceAll('\r\n', '\n'), answers: [400] },
  { title: 'a header that ends in LF', bytes: withHeader('X: y\nZ: z'), answers: [400] },
  { title: 'a folded header', bytes: withHeader('X: y\r\n z'), answers: [400] },
  { title: 'a blank before the colon', bytes: withHeader('X : y'), answers: [400] },
  { title: 'a header of no name', bytes: withHeader(': y'), answers: [400] },
  { title: 'a header of no colon', bytes: withHeader('X'), answers: [400] },
  { title: 'a control character in a header', bytes: withHeader('X: \x01'), answers: [400] },
  { title: 'a NUL in a header', bytes: withHeader('X: \0'), answers: [400] },
  { title: 'a CR in a header', bytes: withHeader('X: a\rb'), answers: [400] },
  { title: 'empty lines before the call', bytes: `\r\n\r\n${honest()}`, answers: [200], kept: true },

  // What the body is said to be.
  { title: 'Content-Encoding: gzip', bytes: withHeader('Content-Encoding: gzip'), answers: [415] },
  { title: 'Content-Encoding: br', bytes: withHeader('Content-Encoding: br'), answers: [415] },
  {
    title: 'Content-Encoding: identity, gzip',
    bytes: withHeader('Content-Encoding: identity, gzip'),
    answers: [415],
  },
  { title: 'Content-Encoding of nothing', bytes: withHeader('Content-Encoding:'), answers: [415] },
  {
    title: 'Content-Encoding: identity',
    bytes: withHeader('Content-Encoding: Identity'),
    answers: [200],
    kept: true,
  },
  { title: 'no Content-Type', bytes: honest({ type: '' }), answers: [415] },
  {
    title: 'a form',
    bytes: honest({ type: 'Content-Type: application/x-www-form-urlencoded' }),
    answers: [415],
  },
  { title: 'text', bytes: honest({ type: 'Content-Type: text/plain' }), answers: [415] },
  {
    title: 'JSON of another kind',
    bytes: honest({ type: 'Content-Type: application/json-patch+json' }),
    answers: [415],
  },
  {
    title: 'two types in one',
    bytes: honest({ type: 'Content-Type: text/plain, application/json' }),
    answers: [415],
  },
  {
    title: 'JSON with a charset',
    bytes: honest({ type: 'Content-Type: Application/JSON; charset=UTF-8' }),
    answers: [200],
    kept: true,
  },

  // What else a connection can be asked for.
  {
    title: 'Expect: 100-continue',
    bytes: withHeader('Expect: 100-continue'),
    answers: [100, 200],
    kept: true,
  },
  {
    title: 'Expect: 100-continue of a stranger',
    bytes: honest({ secret: '', more: ['Expect: 100-continue'] }),
    answers: [401],
  },
  {
    title: 'another expectation',
    bytes: withHeader('Expect: 200-ok'),
    answers: [417],
    reason: 'expectation',
  },
  {
    title: 'Upgrade: websocket',
    bytes: withHeader('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'),
    answers: [200],
    kept: true,
  },
  {
    title: 'Upgrade: h2c, as clients in Java send it',
    bytes: withHeader('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAEAAEAA'),
    answers: [200],
    kept: true,
  },
  {
    title: 'Connection: authorization',
    bytes: withHeader('Connection: authorization, content-type'),
    answers: [200],
    kept: true,
  },
  { title: 'Connection: close', bytes: withHeader('Connection: close'), answers: [200] },
  {
    title: 'three calls at once',
    bytes: honest() + honest() + honest(),
    answers: [200, 200, 200],
    kept: true,
  },
  { title: 'a call behind one that is refused', bytes: honest({ secret: '' }) + honest(), answers: [401] },
  {
    title: 'a call behind one that is no HTTP',
    bytes: line('*') + honest(),
    answers: [400],
    reason: 'target',
  },
  {
    title: 'a call in the body of another',
    bytes: bare('GET', PATH, `Content-Length: ${honest().length}`) + honest(),
    answers: [404],
  },
  {
    title: 'a secret in a trailer',
    bytes: honest({
      secret: '',
      framing: 'Transfer-Encoding: chunked\r\nTrailer: Authorization',
      body: CHUNKED.body.replace(/\r\n$/, `Authorization: ${SECRET}\r\n\r\n`),
    }),
    answers: [401],
  },
  {
    title: 'another secret in a trailer',
    bytes: honest({
      framing: 'Transfer-Encoding: chunked\r\nTrailer: Authorization',
      body: CHUNKED.body.replace(/\r\n$/, 'Authorization: x\r\n\r\n'),
    }),
    answers: [200],
    kept: true,
  },
  {
    title: 'a header __proto__',
    bytes: withHeader('__proto__: x', 'constructor: x', 'hasOwnProperty: x'),
    answers: [200],
    kept: true,
  },
  {
    title: 'a secret in a header __proto__',
    bytes: honest({ secret: `__proto__: ${SECRET}` }),
    answers: [401],
  },
  {
    title: 'X-Forwarded-For twice, as two proxies write it',
    bytes: withHeader('X-Forwarded-For: 192.0.2.1', 'X-Forwarded-For: 192.0.2.2'),
    answers: [200],
    kept: true,
  },
  {
    title: 'another path in X-Original-URL',
    bytes: honest({ line: 'POST /x HTTP/1.1', more: [`X-Original-URL: ${PATH}`, `X-Rewrite-URL: ${PATH}`] }),
    answers: [404],
  },
]

test('there are cases enough, and no title twice', () => {
  expect(new Set(cases.map(({ title }) => title)).size).toBe(cases.length)
  expect(cases.length).toBeGreaterThanOrEqual(45)
})

test.for(cases)('$title', async ({ bytes, answers, kept, reason }) => {
  refused.length = 0
  const connection = await rawConnection(hooks)
  connection.write(bytes)
  for (const status of answers) {
    const answer = await connection.answer(bytes.startsWith('HEAD') ? 'HEAD' : undefined)
    expect([answer?.status, answer?.headers.connection ?? 'keep-alive']).toEqual([
      status,
      kept ? 'keep-alive' : 'close',
    ])
    if (status === 200) expect(answer?.body).toBe(VERIFIED)
    if (status === 404 && !bytes.startsWith('HEAD')) expect(answer?.body).toBe(NOT_FOUND)
    expect(JSON.stringify(answer)).not.toContain(SECRET)
  }
  expect(refused).toEqual(reason === undefined ? [] : [reason])
  if (kept) {
    connection.write(honest())
    expect((await connection.answer())?.body).toBe(VERIFIED)
    connection.socket.destroy()
  } else {
    expect(await connection.answer()).toBeNull()
    await connection.ended
  }
})

test('whoever asks for what is not there is told the same bytes, whatever they show', async () => {
  const told = new Set<string>()
  for (const secret of ['', 'Authorization: x', `Authorization: ${SECRET}`]) {
    for (const target of ['/', '/counts', '/x/y', '/OKTA/password-import', '/ory/password-migration']) {
      for (const method of ['POST', 'GET', 'PUT', 'TRACE']) {
        const connection = await rawConnection(hooks)
        connection.write(honest({ line: `${method} ${target} HTTP/1.1`, secret }))
        const { status, headers, body } = (await connection.answer()) ?? {}
        told.add(JSON.stringify([status, { ...headers, date: '' }, body]))
      }
    }
  }
  expect([...told]).toHaveLength(1)
})

describe('the admin listener', () => {
  const get = (target: string) => `GET ${target} HTTP/1.1\r\nHost: admin\r\n\r\n`
  test.for([
    ['a path', '/counts', 200],
    ['a login', '/users/ann%40example.com', 200],
    ['the absolute form', 'http://admin/counts', 400],
    ['the absolute form of another host', 'http://evil/counts', 400],
    ['dot segments', '/x/../counts', 400],
    ['a dot segment', '/./counts', 400],
    ['escaped dot segments', '/x/%2e%2e/counts', 400],
    ['an escaped letter', '/%63ounts', 400],
    ['an escaped slash', '/%2fcounts', 400],
    ['a backslash', '/x\\..\\counts', 400],
    ['a fragment', '/x#/../counts', 400],
    ['the asterisk', '*', 400],
  ] as const)('%s', async ([, target, status]) => {
    reached.length = 0
    const connection = await rawConnection(admin)
    connection.write(get(target))
    expect((await connection.answer())?.status).toBe(status)
    expect(reached).toEqual(status === 200 ? [target] : [])
    connection.socket.destroy()
  })
})

test('no path of 200 and more on the hooks listener reaches anything of the other one', async () => {
  const routes = ['counts', 'metrics', 'healthz', 'readyz', 'openapi.json', 'users/ann']
  const tricks = routes.flatMap((route) => [
    `/${route}`,
    `//${route}`,
    `/./${route}`,
    `/x/../${route}`,
    `/okta/../${route}`,
    `/okta/..%2f${route}`,
    `/okta/%2e%2e/${route}`,
    `/okta/%252e%252e/${route}`,
    `/okta/..;/${route}`,
    `/keycloak/users/../../${route}`,
    `/keycloak/users/%2e%2e/%2e%2e/${route}`,
    `/admin/${route}`,
    `/${route}/`,
    `/${route}?`,
    `/${route}?x`,
    `/${route}%20`,
    `/${route}%00`,
    `/${route};x`,
    `/${route}.json`,
    `/%2f${route}`,
    `/${route.replace(/^./, (letter) => `%${letter.charCodeAt(0).toString(16)}`)}`,
    `/${route.toUpperCase()}`,
    `/${route[0]?.toUpperCase()}${route.slice(1)}`,
    `http://admin/${route}`,
    `http://127.0.0.1:8081/${route}`,
    `https://admin/${route}`,
    `//127.0.0.1:8081/${route}`,
    `/@127.0.0.1:8081/${route}`,
    `/\\${route}`,
    `/${route}#`,
    `/#/${route}`,
    `/\t${route}`,
    `*${route}`,
    `/${route}\xff`,
    `/${'x/../'.repeat(50)}${route}`,
  ])
  const served = new Set<number | undefined>()
  for (const target of tricks) {
    for (const secret of [SECRET, 'Bearer admin']) {
      const connection = await rawConnection(hooks)
      connection.write(`GET ${target} HTTP/1.1\r\nHost: admin\r\nAuthorization: ${secret}\r\n\r\n`)
      const answer = await connection.answer()
      served.add(answer?.status)
      expect(answer?.body ?? '', target).not.toMatch(/"ok"|"ready"|asOf|carryover_|openapi|reached/)
      connection.socket.destroy()
    }
  }
  expect(tricks.length).toBeGreaterThanOrEqual(200)
  expect([...served].sort()).toEqual([400, 401, 404])
})
