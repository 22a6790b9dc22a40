import { request } from 'node:http'
import { connect } from 'node:net'
import { passwordImport, SECOND_SECRET, SECRET } from './service.ts'

/** What a call brings, and how it is sent. `gone`: the caller hung up. */
export type Send = (base: string, login: string, password: string) => Promise<Answered>

export interface Answered {
  readonly status: number | 'gone'
  readonly text: string
}

const IMPORT = '/okta/password-import'
const asked = (login: string, password: string) => JSON.stringify(unplanted(login, password))

/** Calls that all bring a password, in every shape that a caller may send; `known`: the login is of a user. */
export const mixedCalls: readonly { kind: string; known: boolean; send: Send }[] = [
  { kind: 'valid', known: true, send: (base, ...typed) => post(base, IMPORT, asked(...typed)) },
  { kind: 'wrong', known: false, send: (base, ...typed) => post(base, IMPORT, asked(...typed)) },
  {
    kind: 'another dialect',
    known: false,
    send: (base, identifier, password) =>
      post(base, '/verify', JSON.stringify({ identifier, password }), { authorization: SECOND_SECRET }),
  },
  {
    kind: 'HTTP Basic in place of the secret',
    known: false,
    send: (base, login, password) =>
      post(base, IMPORT, asked(login, password), {
        authorization: `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`,
      }),
  },
  { kind: 'no JSON', known: false, send: (base, _login, password) => post(base, IMPORT, password) },
  {
    kind: 'cut JSON',
    known: false,
    send: (base, ...typed) => post(base, IMPORT, asked(...typed).slice(0, -3)),
  },
  {
    kind: 'wrong types',
    known: false,
    send: (base, _login, password) =>
      post(base, IMPORT, JSON.stringify(unplanted({ [password]: password }, [password]))),
  },
  {
    kind: 'a field of that name',
    known: false,
    send: (base, _login, password) =>
      post(base, IMPORT, JSON.stringify({ eventType: password, [password]: 1 })),
  },
  {
    kind: 'too large',
    known: false,
    send: (base, login, password) => post(base, IMPORT, asked(login, password.repeat(2_000))),
  },
  {
    kind: 'too large, in chunks',
    known: false,
    send: (base, login, password) =>
      post(base, IMPORT, asked(login, password.repeat(2_000)), { 'transfer-encoding': 'chunked' }),
  },
  {
    kind: 'another content type',
    known: false,
    send: (base, ...typed) => post(base, IMPORT, asked(...typed), { 'content-type': 'text/plain' }),
  },
  {
    kind: 'in the path',
    known: false,
    send: (base, _login, password) => post(base, `/okta/${encodeURIComponent(password)}`, ''),
  },
  {
    kind: 'in the query',
    known: false,
    send: (base, login, password) =>
      post(base, `${IMPORT}?password=${encodeURIComponent(password)}`, asked(login, password)),
  },
  {
    kind: 'not HTTP',
    known: false,
    send: (base, _login, password) => raw(base, `${password}\r\n\r\n`, 'answered'),
  },
  {
    kind: 'aborted in the body',
    known: false,
    send: (base, ...typed) => raw(base, head(4_000) + asked(...typed), 'hang up'),
  },
  {
    kind: 'aborted before the answer',
    known: true,
    send: (base, ...typed) => {
      const body = asked(...typed)
      return raw(base, head(Buffer.byteLength(body)) + body, 'hang up')
    },
  },
]

/** Not planted: passwords by the thousand are searched for by what they have in common. */
function unplanted(username: unknown, password: unknown) {
  const body = passwordImport(username, null)
  body.data.context.credential.password = password
  return body
}

export function post(
  base: string,
  path: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Answered> {
  return new Promise((answered) => {
    const gone = () => answered({ status: 'gone', text: '' })
    const call = request(base + path, {
      method: 'POST',
      headers: { authorization: SECRET, 'content-type': 'application/json', ...headers },
    })
    call.once('error', gone)
    call.once('response', (response) => {
      let text = JSON.stringify(response.headers)
      response.on('data', (part: Buffer) => {
        text += part.toString()
      })
      response.once('close', () => answered({ status: response.statusCode ?? 0, text }))
    })
    call.end(body)
  })
}

function head(length: number): string {
  return `POST ${IMPORT} HTTP/1.1\r\nHost: x\r\nAuthorization: ${SECRET}\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`
}

function raw(base: string, bytes: string, then: 'hang up' | 'answered'): Promise<Answered> {
  const { hostname, port } = new URL(base)
  return new Promise((answered) => {
    let text = ''
    const socket = connect(Number(port), hostname, () => {
      socket.write(bytes)
      if (then === 'hang up') setTimeout(() => socket.destroy(), 5)
    })
    socket.on('data', (part) => {
      text += part.toString()
    })
    socket.on('error', () => {})
    socket.on('close', () => answered({ status: text === '' ? 'gone' : Number(text.slice(9, 12)), text }))
  })
}
