import { lookup } from 'node:dns/promises'
import { setMaxListeners } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request as send } from 'node:https'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { mayBeCalled } from './addresses.ts'
import { type Call, CallFailure, type OutboundAnswer, type OutboundRequest } from './call.ts'
import { type Destination, destinationOf, listedHosts } from './urls.ts'

export interface CallerOptions {
  /** The only ones that are called, each as `new URL(...).host` writes it. */
  readonly hosts: readonly string[]
  /** PEM of the authorities that are trusted, instead of those that Node comes with. */
  readonly ca?: string
  /** Addresses that may be called though they are not public: of a provider inside the company. */
  readonly allowAddresses?: BlockList
  /** Milliseconds for a whole exchange, from the wait for a connection to the last byte. */
  readonly within?: number
  /** Bytes of an answer's body. */
  readonly mostBytes?: number
  /** Connections to a host at the same time; further calls wait for one, within their time. */
  readonly connections?: number
  /** The addresses of a name. It is asked once for each connection, and the connection goes to what it answered. */
  readonly resolve?: (name: string) => Promise<readonly string[]>
}

/** `close` ends all connections and the calls on them, which fail with `unreachable`. */
export type Caller = Call & { close(): void }

/** Milliseconds. Bulk imports of a thousand users are answered within some seconds. */
const WITHIN_MS = 10_000

/** Bytes. An answer about a thousand users has some 300 KiB. */
const MOST_BYTES = 1024 * 1024

/** More than any provider lets us call at the same time. */
const MOST_CONNECTIONS = 64

/** Makes calls to the listed hosts by HTTPS, and to nowhere else. Throws a RangeError for a host that is not written plainly. */
export function createCaller({
  hosts,
  ca,
  allowAddresses = new BlockList(),
  within = WITHIN_MS,
  mostBytes = MOST_BYTES,
  connections = MOST_CONNECTIONS,
  resolve = resolveName,
}: CallerOptions): Caller {
  const listed = listedHosts(hosts)
  const permits = (address: string) => mayBeCalled(address, allowAddresses)
  const agent = new Agent({
    keepAlive: true,
    maxSockets: connections,
    minVersion: 'TLSv1.2',
    // Said, as the environment (NODE_TLS_REJECT_UNAUTHORIZED) could say otherwise.
    rejectUnauthorized: true,
    lookup: checkedLookup(resolve, permits),
    ...(ca === undefined ? {} : { ca }),
  })
  const closing = new AbortController()
  // Every call listens to it; Node warns from eleven on.
  setMaxListeners(0, closing.signal)

  const call: Call = async (request) => {
    if (closing.signal.aborted) throw new CallFailure('unreachable')
    const destination = destinationOf(request.url, listed)
    // For an address no name is looked up.
    if (isIP(destination.hostname) !== 0 && !permits(destination.hostname))
      throw new CallFailure('forbidden-address')
    return exchange(request, destination, {
      agent,
      signal: closing.signal,
      permits,
      within: Math.min(within, request.within ?? within),
      mostBytes,
    })
  }
  return Object.assign(call, {
    close: () => {
      closing.abort()
      agent.destroy()
    },
  })
}

async function resolveName(name: string): Promise<readonly string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address)
}

/**
 * The lookup of a connection: what it has checked is what is connected to, so a name cannot answer a second question
 * otherwise. One address that is not permitted spoils the answer, as the name is then not what it was listed for.
 */
function checkedLookup(
  resolve: (name: string) => Promise<readonly string[]>,
  permits: (address: string) => boolean,
): LookupFunction {
  const checked = async (name: string) => {
    const addresses = await resolve(name)
    if (!addresses.every(permits)) throw new CallFailure('forbidden-address')
    return addresses.map((address) => ({ address, family: isIP(address) }))
  }
  return (name, { all }, done) => {
    checked(name).then(
      (addresses) => {
        const [first] = addresses
        if (first === undefined) done(new CallFailure('unreachable'), '')
        else if (all) done(null, addresses)
        else done(null, first.address, first.family)
      },
      (error: unknown) => done(error instanceof CallFailure ? error : new CallFailure('unreachable'), ''),
    )
  }
}

interface Terms {
  readonly agent: Agent
  readonly signal: AbortSignal
  readonly permits: (address: string) => boolean
  readonly within: number
  readonly mostBytes: number
}

/** How far a connection has come; before `secured` nothing of the request has left. */
type Phase = 'connecting' | 'connected' | 'secured'

function exchange(
  { method, headers = {}, body }: OutboundRequest,
  destination: Destination,
  { agent, signal, permits, within, mostBytes }: Terms,
): Promise<OutboundAnswer> {
  const bytes = body === undefined ? undefined : Buffer.from(body)
  const sent = headersOf(headers, bytes?.length)
  return new Promise((resolve, reject) => {
    const request = send({ ...destination, method, headers: sent, agent, signal, insecureHTTPParser: false })
    let phase: Phase = 'connecting'
    const fail = (error: unknown) => {
      clearTimeout(timer)
      reject(failureOf(error, phase))
      request.destroy()
    }
    const timer = setTimeout(() => fail(new CallFailure('timeout')), within)
    request.on('socket', (socket) => {
      // One that was kept alive has been looked at when it was new. Listeners for what has been would stay with it for good.
      if (!socket.connecting) {
        phase = 'secured'
        return
      }
      socket.once('connect', () => {
        phase = 'connected'
        const { remoteAddress } = socket
        // Without one the other side has hung up already.
        if (remoteAddress === undefined) fail(new CallFailure('unreachable'))
        else if (!permits(remoteAddress)) fail(new CallFailure('forbidden-address'))
      })
      socket.once('secureConnect', () => {
        phase = 'secured'
      })
    })
    request.on('error', fail)
    // Nobody asked for another protocol.
    request.on('upgrade', () => fail(new CallFailure('malformed')))
    request.on('response', (response) => {
      read(response, mostBytes).then((answer) => {
        clearTimeout(timer)
        resolve(answer)
      }, fail)
    })
    request.end(bytes)
  })
}

/** What is ours to say: framing, the way of the connection, and that bodies come as they are. */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const HEADER_NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/
/** One line of visible ASCII: a line break would begin a header of somebody else's choice. */
const HEADER_VALUE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/

/** Throws CallFailure `malformed`. */
function headersOf(
  headers: Readonly<Record<string, string>>,
  length: number | undefined,
): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const)
  const isPlain = entries.every(
    ([name, value]) => HEADER_NAME.test(name) && HEADER_VALUE.test(value) && !OWN_HEADERS.has(name),
  )
  if (!isPlain || new Set(entries.map(([name]) => name)).size < entries.length)
    throw new CallFailure('malformed')
  return {
    ...Object.fromEntries(entries),
    // Nothing has to be unpacked, so nothing small can become large.
    'accept-encoding': 'identity',
    ...(length === undefined ? {} : { 'content-length': String(length) }),
  }
}

/** Throws CallFailure, and whatever the connection throws. */
async function read(response: IncomingMessage, mostBytes: number): Promise<OutboundAnswer> {
  const { statusCode: status = 0 } = response
  if (status >= 300 && status < 400) throw new CallFailure('redirect')
  const headers = joined(response.rawHeaders)
  if (headers['content-encoding'] !== undefined) throw new CallFailure('malformed')
  const length = headers['content-length']
  // A body that ends with the connection could have been cut off by anybody on the way.
  if (status !== 204 && length === undefined && headers['transfer-encoding'] === undefined)
    throw new CallFailure('malformed')
  if (Number(length ?? 0) > mostBytes) throw new CallFailure('too-large')
  return { status, headers, text: await boundedText(response, mostBytes) }
}

async function boundedText(response: IncomingMessage, mostBytes: number): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length
    if (length > mostBytes) throw new CallFailure('too-large')
    parts.push(part)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
  } catch {
    throw new CallFailure('malformed')
  }
}

function joined(rawHeaders: readonly string[]): Readonly<Record<string, string>> {
  const found = new Map<string, string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase()
    const value = rawHeaders[at + 1] ?? ''
    const before = found.get(name)
    found.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(found)
}

/** Codes of a connection that broke, which says nothing of certificates. */
const BROKEN: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ECONNABORTED', 'ABORT_ERR'])

/** A word for a foreign error, by its code: its message may quote what was sent or received. */
function failureOf(error: unknown, phase: Phase): CallFailure {
  if (error instanceof CallFailure) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'HPE_HEADER_OVERFLOW') return new CallFailure('too-large')
  if (code.startsWith('HPE_')) return new CallFailure('malformed')
  // Refused by us, by the name or the chain of the certificate; or by the other side, in words of the protocol.
  if ((phase === 'connected' && !BROKEN.has(code)) || /^(ERR_SSL_|ERR_TLS_|EPROTO$)/.test(code))
    return new CallFailure('tls')
  return new CallFailure('unreachable')
}
