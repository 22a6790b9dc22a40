import type { X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Caller } from './domain.ts'
import { Failure } from './errors.ts'
import type { Address } from './setting-texts.ts'
import { type Offence, offenceOf, statusOf } from './strict-http.ts'
import type { TlsContents } from './tls-files.ts'

/** One HTTP request. */
export interface Call extends Caller {
  readonly method: string
  /** As it was sent: nothing is decoded, and the query is left out. */
  readonly path: string
  readonly header: (name: string) => string | undefined
  /** The address that the connection comes from: a proxy's, where one stands before us. undefined: it has gone. */
  readonly remote: string | undefined
  /** The client's certificate, if it has shown one that an authority of the client CA has signed. */
  certificate(): X509Certificate | null
  /**
   * The whole body, read once: whoever asks again gets the same bytes, and whoever is the last to use them clears them.
   * Throws Failure `too-large` above `most` bytes, `bad-request` when it does not arrive whole.
   */
  body(most: number): Promise<Buffer>
}

/** What is sent back. `body` undefined: none at all. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
}

/** Must not throw: what does is answered 500, without a word. */
export type Handler = (call: Call) => Promise<Answer>

export interface ListenerOptions {
  readonly address: Address
  readonly tls?: TlsContents | undefined
  /** Milliseconds in which a request's headers, and the whole request, must have arrived. */
  readonly headersWithin: number
  readonly requestWithin: number
  readonly maxConnections: number
  /** Of one address. undefined: as many as there may be in all. */
  readonly maxConnectionsOfOne?: number | undefined
  /** Told of what was turned away before the handler saw it. `connections`: there were too many. */
  readonly refused?: (reason: Offence | 'connections') => void
}

export interface Listener {
  /** With the port that was really taken. */
  readonly url: string
  /** New connections get these certificates. Throws when they cannot be used, and then nothing has changed. */
  renew(tls: TlsContents): void
  /** Takes calls as before, and with each answer tells the caller to come on another connection, perhaps elsewhere. */
  retire(): void
  /** Takes no new connection, lets the calls in flight finish, and ends what is left after `limit` milliseconds. */
  close(limit: number): Promise<void>
}

/** An HTTP server with every limit set: the defaults of Node let a slow sender live for minutes. */
export async function listen(handler: Handler, options: ListenerOptions): Promise<Listener> {
  const { refused = () => {}, maxConnectionsOfOne } = options
  let closing = false
  let clientCa = options.tls?.clientCa
  /** Connections whose clients were checked against the client CA of today. */
  let current = new WeakSet<Socket>()
  const outdated = (socket: Socket) => clientCa !== undefined && !current.has(socket)
  const limits = {
    headersTimeout: options.headersWithin,
    requestTimeout: options.requestWithin,
    // How often the two limits above are looked at. The default makes a limit of 2 s strike after 30.
    connectionsCheckingInterval: 250,
    // Longer than the idle time of common load balancers (60 s), or they reuse a connection that was just closed.
    keepAliveTimeout: 65_000,
    maxHeaderSize: HEADER_BYTES,
    requireHostHeader: true,
    insecureHTTPParser: false,
  }
  const respond = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const offence = offenceOf(incoming)
    if (offence !== null) refused(offence)
    const { status, headers, body } =
      offence === null ? await handler(callOf(incoming, outgoing)).catch(() => BROKEN) : refusal(offence)
    // The caller may have gone, and then nobody is there to be answered.
    if (outgoing.destroyed) return
    // What is left of a request that was answered early is read by nobody.
    if (closing || outdated(incoming.socket) || !incoming.complete) outgoing.setHeader('connection', 'close')
    if (body === undefined) outgoing.writeHead(status, headers).end()
    // Headers and a text together are one write, a buffer would be two.
    else outgoing.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
  }
  const tlsServer =
    options.tls &&
    createTlsServer(
      // Before the handshake is over no other limit holds, and Node's own is two minutes.
      { ...limits, ...tlsOptions(options.tls), handshakeTimeout: options.headersWithin },
      respond,
    )
  const server: Server = tlsServer ?? createServer(limits, respond)
  server.on('secureConnection', (socket: Socket) => current.add(socket))
  // Whoever waits for "100 Continue" is told so when the body is wanted, and a stranger's never is.
  server.on('checkContinue', respond)
  server.on('checkExpectation', respond)
  server.maxConnections = options.maxConnections
  server.on('drop', () => refused('connections'))
  if (maxConnectionsOfOne !== undefined) limitEach(server, maxConnectionsOfOne, refused)
  // Node would leave out what is beyond its own limit: then it could not be seen that a header is there twice.
  server.maxHeadersCount = 0
  server.maxRequestsPerSocket = 1_000
  server.timeout = 70_000
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(options.address.port, options.address.host, () => {
      server.off('error', failed)
      listening()
    })
  })
  const { address, port, family } = server.address() as AddressInfo
  const host = family === 'IPv6' ? `[${address}]` : address
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}`,
    renew: (tls) => {
      tlsServer?.setSecureContext(tlsOptions(tls))
      if (tls.clientCa === clientCa) return
      // A client that the new authority does not know must not go on for as long as its connection lasts.
      clientCa = tls.clientCa
      current = new WeakSet()
      server.closeIdleConnections()
    },
    retire: () => {
      closing = true
    },
    close: (limit) =>
      new Promise((closed) => {
        closing = true
        server.close(() => closed())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), limit).unref()
      }),
  }
}

/** Serves what takes the requests of the Fetch standard and never reads a body. */
export function fetchHandler(fetch: (request: Request) => Response | Promise<Response>): Handler {
  return async ({ method, path, header }) => {
    if (!isPlain(path)) return NOT_PLAIN
    const authorization = header('authorization')
    const request = new Request(`http://admin${path}`, {
      method,
      headers: authorization === undefined ? {} : { authorization },
    })
    const response = await fetch(request)
    return {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
    }
  }
}

/**
 * Whether a path means the same to everybody. URLs are put in order before they are routed, so that `/x/../counts` and
 * `/%63ounts` would be `/counts`, past a proxy that forbids that one.
 */
function isPlain(path: string): boolean {
  return new URL(`http://admin${path}`).pathname === path && !/^\/[^/]*%/.test(path)
}

const NOT_PLAIN: Answer = { status: 400, headers: { 'cache-control': 'no-store' } }

/** A client without a certificate that counts is let in and told what every stranger is told. */
function tlsOptions({ cert, key, clientCa }: TlsContents) {
  const asked = { ca: clientCa, requestCert: true, rejectUnauthorized: false }
  return { cert, key, minVersion: 'TLSv1.2' as const, ...(clientCa !== undefined && asked) }
}

const BROKEN: Answer = { status: 500, headers: {} }

/** Bytes of a request's line and headers together. */
export const HEADER_BYTES = 8_192

function refusal(offence: Offence): Answer {
  return { status: statusOf(offence), headers: { 'cache-control': 'no-store', connection: 'close' } }
}

/** Connections of one address beyond `most` are closed without a word. */
function limitEach(server: Server, most: number, refused: (reason: 'connections') => void): void {
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    const before = open.get(address) ?? 0
    if (before >= most) {
      refused('connections')
      socket.destroy()
      return
    }
    open.set(address, before + 1)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left === 0) open.delete(address)
      else open.set(address, left)
    })
  })
}

function callOf(incoming: IncomingMessage, outgoing: ServerResponse): Call {
  const { method = '', url = '', headers, socket } = incoming
  let read: Promise<Buffer> | undefined
  return {
    method,
    path: url.split('?', 1)[0] ?? '',
    header: (name) => {
      const value = headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    remote: socket.remoteAddress,
    certificate: () => {
      if (!(socket instanceof TLSSocket) || !socket.authorized) return null
      return socket.getPeerX509Certificate() ?? null
    },
    body: (most) => {
      if (read === undefined && headers.expect !== undefined) outgoing.writeContinue()
      read ??= readBytes(incoming, most)
      return read
    },
    hasGone: () => outgoing.destroyed,
    onceGone: (act) => {
      outgoing.once('close', act)
      return () => outgoing.off('close', act)
    },
  }
}

/** Counts while it reads, because a chunked body announces no length. */
function readBytes(incoming: IncomingMessage, most: number): Promise<Buffer> {
  return new Promise((read, failed) => {
    const parts: Buffer[] = []
    let length = 0
    const settle = (act: () => void) => {
      incoming.off('data', take).off('end', whole).off('close', broken)
      act()
      for (const part of parts) part.fill(0)
    }
    const take = (part: Buffer) => {
      length += part.length
      parts.push(part)
      if (length > most) settle(() => failed(new Failure('too-large')))
    }
    const whole = () => settle(() => read(Buffer.concat(parts)))
    // The caller went away, or was too slow.
    const broken = () =>
      settle(() => failed(new Failure('bad-request', { detail: 'body-incomplete', fields: ['body'] })))
    incoming.on('data', take).on('end', whole).on('close', broken)
  })
}
