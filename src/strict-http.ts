import type { IncomingMessage } from 'node:http'

/** Why a request is refused before anybody looks at who sends it. The name of a label, so it is never renamed. */
export type Offence =
  | 'version'
  | 'target'
  | 'target-length'
  | 'host'
  | 'header-count'
  | 'header-twice'
  | 'transfer-coding'
  | 'expectation'

/** Characters. A login of 320 bytes (RFC 5321: 64 and 255 around `@`) fits into a path, each byte of it escaped. */
export const LONGEST_TARGET = 1_024

/** Providers send some twenty, proxies add a few. */
export const MOST_HEADERS = 64

const statuses: Readonly<Record<Offence, number>> = {
  version: 505,
  target: 400,
  'target-length': 414,
  host: 400,
  'header-count': 431,
  'header-twice': 400,
  'transfer-coding': 501,
  expectation: 417,
}

export function statusOf(offence: Offence): number {
  return statuses[offence]
}

/**
 * What is wrong with a request, or null. Node's parser lets these pass, or takes the first of two: a proxy in front of us
 * may take the second, and then the two would not mean the same request (RFC 9112, section 11.2).
 */
export function offenceOf(incoming: IncomingMessage): Offence | null {
  const { httpVersion, url = '', headers, rawHeaders } = incoming
  // nginx calls with 1.0 by default. Without a version (0.9), or with 2.0, there is no agreement on what follows.
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 'version'
  if (url.length > LONGEST_TARGET) return 'target-length'
  if (!isPath(url)) return 'target'
  if (rawHeaders.length > 2 * MOST_HEADERS) return 'header-count'
  if (hasTwice(rawHeaders)) return 'header-twice'
  // HTTP/1.0 knows none. With 1.1 Node has seen to it that there is one.
  if (headers.host !== undefined && !HOST.test(headers.host)) return 'host'
  const coding = headers['transfer-encoding']
  if (coding !== undefined && (httpVersion === '1.0' || coding.toLowerCase() !== 'chunked'))
    return 'transfer-coding'
  const { expect } = headers
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') return 'expectation'
  return null
}

/** RFC 3986, section 3.3 and 3.4, from the root: no other authority, no fragment, nothing that another reader would mend. */
const TARGET = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*$/
const BROKEN_ESCAPE = /%(?![0-9A-Fa-f]{2})/

function isPath(target: string): boolean {
  return TARGET.test(target) && !BROKEN_ESCAPE.test(target)
}

/** A name or an address, and a port. Of IPv6 the brackets are enough: nothing is made of it. */
const HOST = /^(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/

const ONCE: ReadonlySet<string> = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'transfer-encoding',
])

function hasTwice(rawHeaders: readonly string[]): boolean {
  const seen = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (!ONCE.has(name)) continue
    if (seen.has(name)) return true
    seen.add(name)
  }
  return false
}
