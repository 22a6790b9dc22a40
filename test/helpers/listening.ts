import { createHooksApp } from '../../src/app.ts'
import { keycloak } from '../../src/dialects/keycloak.ts'
import { okta } from '../../src/dialects/okta.ts'
import { hookRoutes } from '../../src/hooks/routes.ts'
import { type Handler, type Listener, type ListenerOptions, listen } from '../../src/http.ts'
import { policiesFor } from './dialects.ts'
import { flowsOver, found, legacyUser } from './flows.ts'
import { passwordImport, SECRET } from './service.ts'

/** A listener on a free port, with the limits of the hooks listener. */
export function listening(handler: Handler, change: Partial<ListenerOptions> = {}): Promise<Listener> {
  return listen(handler, {
    address: { host: '127.0.0.1', port: 0 },
    headersWithin: 2_000,
    requestWithin: 4_000,
    maxConnections: 2_048,
    ...change,
  })
}

/** Two dialects over a store in which `ann` has the password `right`. */
export function hooksHandler(): Handler {
  const ann = legacyUser()
  const { flows, log, metrics } = flowsOver((name) => found(name === 'ann' ? ann : null))
  const policies = policiesFor(
    new Map([
      ['okta', [SECRET]],
      ['keycloak', [SECRET]],
    ]),
    { lookup: true },
  )
  return createHooksApp(hookRoutes([okta, keycloak], policies, flows), { log, metrics })
}

export const PATH = '/okta/password-import'
export const QUESTION = JSON.stringify(passwordImport('ann', 'right'))

/** What a provider sends, byte for byte, with one thing changed or added. */
export function honest({
  line = `POST ${PATH} HTTP/1.1`,
  host = 'Host: hooks.example.com',
  type = 'Content-Type: application/json',
  secret = `Authorization: ${SECRET}`,
  framing = `Content-Length: ${QUESTION.length}`,
  more = [] as readonly string[],
  body = QUESTION,
} = {}): string {
  const headers = [host, type, secret, framing, ...more].filter((header) => header !== '')
  return `${line}\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n${body}`
}

/** In one chunk. */
export const CHUNKED = { framing: 'Transfer-Encoding: chunked', body: chunked(QUESTION) }

export function chunked(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`
}
