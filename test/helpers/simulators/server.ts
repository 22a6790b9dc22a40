import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Call,
  CallFailure,
  type OutboundAnswer,
  type OutboundRequest,
} from '../../../src/outbound/call.ts'
import type { Context, Target } from '../../../src/targets/target.ts'
import { type Authority, createAuthority } from '../certificates.ts'
import { seeded } from '../random.ts'

/** Lines of the log that are kept; older ones go, so that hundreds of thousands of requests stay cheap. */
const KEPT_LINES = 20_000

/** What a simulator is asked. */
export interface Asked {
  readonly method: string
  /** As it was sent, with its escapes and without the query. */
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Requests that are being answered, with this one. */
  readonly inFlight: number
  /** Of these, with the same method and path. */
  readonly alike: number
}

export interface Said {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON; undefined: no body. */
  readonly body?: unknown
}

/** Of a hundred requests, how many meet with each. Not more than a hundred together. */
export interface Faults {
  /** Answered 429 without any work. */
  readonly tooMany?: number
  /** Answered 500 without any work. */
  readonly failed?: number
  /** Answered 503 without any work. */
  readonly unavailable?: number
  /** The connection is cut, and nothing was done. */
  readonly cutBefore?: number
  /** The work is done, and the connection is cut instead of an answer. */
  readonly cutAfter?: number
  /** Answered after `slowMs`. */
  readonly slow?: number
}

type Fault = keyof Faults

export interface ServerOptions {
  answer(asked: Asked): Said | Promise<Said>
  /** How this product phrases a failure that is not the caller's. */
  faultAnswer(status: 429 | 500 | 503): Said
  /** Of its own time, besides what the work takes. */
  readonly latencyMs?: number
  readonly slowMs?: number
  readonly faults?: Faults
  readonly seed?: number
  /** 0: any free port. */
  readonly port?: number
  readonly authority?: Authority
}

/** Without body, query and headers. */
export interface LogLine {
  readonly at: number
  readonly method: string
  readonly path: string
  /** 0: the connection was cut. */
  readonly status: number
  readonly fault: Fault | null
}

export interface SimulatorServer {
  /** As `https://127.0.0.1:8443`. */
  readonly url: string
  /** PEM of the authority that issued the certificate. */
  readonly ca: string
  /** The newest lines. */
  log(): readonly LogLine[]
  /** Of all lines that ever were. */
  count(question?: { method?: string; status?: number; path?: RegExp; fault?: Fault }): number
  /** Most requests that were being answered at the same time. */
  mostInFlight(): number
  setFaults(faults: Faults): void
  /** The next requests meet with these, one each, whatever the percentages are. `null`: with nothing. */
  next(...faults: readonly (Fault | null)[]): void
  setLatency(ms: number): void
  close(): Promise<void>
}

let shared: Authority | undefined

/** One authority for all simulators of a process: making one costs a process of openssl. */
export function simulatorAuthority(): Authority {
  shared ??= createAuthority('Simulated providers')
  return shared
}

/** HTTPS on 127.0.0.1. What it says is the simulator's; when it says nothing, is slow or fails is decided here. */
export async function startServer(options: ServerOptions): Promise<SimulatorServer> {
  const authority = options.authority ?? simulatorAuthority()
  const random = seeded(options.seed ?? 1)
  const lines: LogLine[] = []
  const counts = new Map<string, { line: LogLine; times: number }>()
  const planned: (Fault | null)[] = []
  let faults = options.faults ?? {}
  let latencyMs = options.latencyMs ?? 0
  const alike = new Map<string, number>()
  let inFlight = 0
  let mostInFlight = 0

  const note = (line: LogLine) => {
    lines.push(line)
    if (lines.length > KEPT_LINES) lines.splice(0, KEPT_LINES / 2)
    // Counted by kinds of paths, or every user would be an entry.
    const path = kindOf(line.path)
    const key = `${line.method} ${path} ${line.status} ${line.fault}`
    const entry = counts.get(key)
    if (entry === undefined) counts.set(key, { line: { ...line, path }, times: 1 })
    else entry.times++
  }

  const drawFault = (): Fault | null => {
    const first = planned.shift()
    return first !== undefined ? first : faultFor(random() * 100, faults)
  }

  const server = createServer(
    authority.issue('/CN=simulated provider', 'IP:127.0.0.1,DNS:localhost'),
    (incoming, outgoing) => {
      inFlight++
      mostInFlight = Math.max(mostInFlight, inFlight)
      const kind = `${incoming.method} ${incoming.url?.split('?')[0]}`
      alike.set(kind, (alike.get(kind) ?? 0) + 1)
      serve(incoming, outgoing, () => alike.get(kind) ?? 1)
        .catch(() => outgoing.destroy())
        .finally(() => {
          inFlight--
          const left = (alike.get(kind) ?? 1) - 1
          if (left > 0) alike.set(kind, left)
          else alike.delete(kind)
        })
    },
  )
  server.keepAliveTimeout = 60_000

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse, countAlike: () => number) {
    // As many as there are when it comes: the second one is refused, not the first.
    const alikeNow = countAlike()
    const fault = drawFault()
    const { method = '', url = '/' } = incoming
    const [path = '', query = ''] = url.split('?')
    const body = await textOf(incoming)
    if (latencyMs > 0) await sleep(latencyMs)
    if (fault === 'slow') await sleep(options.slowMs ?? 200)
    const said =
      fault === 'cutBefore'
        ? null
        : (refusalOf(fault) ??
          (await options.answer({
            method,
            path,
            query: new URLSearchParams(query),
            headers: incoming.headers,
            body,
            inFlight,
            alike: alikeNow,
          })))
    const cut = said === null || fault === 'cutAfter'
    note({ at: Date.now(), method, path, status: cut ? 0 : said.status, fault })
    if (cut) {
      incoming.socket.destroy()
      return
    }
    const text = said.body === undefined ? '' : JSON.stringify(said.body)
    outgoing.writeHead(said.status, {
      ...(text !== '' && { 'content-type': 'application/json' }),
      'content-length': Buffer.byteLength(text),
      ...said.headers,
    })
    outgoing.end(text)
  }

  function refusalOf(fault: Fault | null): Said | null {
    switch (fault) {
      case 'tooMany':
        return options.faultAnswer(429)
      case 'failed':
        return options.faultAnswer(500)
      case 'unavailable':
        return options.faultAnswer(503)
      case 'cutBefore':
      case 'cutAfter':
      case 'slow':
      case null:
        return null
    }
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo

  return {
    url: `https://127.0.0.1:${port}`,
    ca: authority.cert,
    log: () => lines,
    count: ({ method, status, path, fault } = {}) => {
      let total = 0
      for (const { line, times } of counts.values())
        if (
          (method === undefined || line.method === method) &&
          (status === undefined || line.status === status) &&
          (fault === undefined || line.fault === fault) &&
          (path === undefined || path.test(line.path))
        )
          total += times
      return total
    },
    mostInFlight: () => mostInFlight,
    setFaults: (changed) => {
      faults = changed
    },
    next: (...next) => {
      planned.push(...next)
    },
    setLatency: (ms) => {
      latencyMs = ms
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** The path with whatever looks like a key of a user taken out: `/api/v1/users/*`. */
function kindOf(path: string): string {
  if (!/[\d%@]/.test(path.replace('/v1/', '/'))) return path
  return path
    .split('/')
    .map((part) => (/\d|%|@/.test(part) && !/^v\d$/.test(part) ? '*' : part))
    .join('/')
}

function faultFor(drawn: number, faults: Faults): Fault | null {
  const kinds: readonly Fault[] = ['tooMany', 'failed', 'unavailable', 'cutBefore', 'cutAfter', 'slow']
  let upTo = 0
  for (const kind of kinds) {
    upTo += faults[kind] ?? 0
    if (drawn < upTo) return kind
  }
  return null
}

/** By events: iterating over a stream costs as much as the rest of a request. */
function textOf(incoming: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
    incoming.on('error', reject)
    // A body that was cut off has no end.
    incoming.on('close', () => reject(new Error('the body was cut off')))
  })
}

/** Calls that are allowed in a fixed window, as providers count them. */
export interface RateWindow {
  /** Takes one call. `resetAt` is the end of the window in milliseconds since 1970. */
  take(): {
    readonly allowed: boolean
    readonly limit: number
    readonly remaining: number
    readonly resetAt: number
  }
  /** Calls that were refused, in all; and of one window, the most. */
  refused(): { readonly inAll: number; readonly mostInAWindow: number }
}

export function createWindow(limit: number, windowMs = 60_000, now: () => number = Date.now): RateWindow {
  let endsAt = 0
  let taken = 0
  let refusedHere = 0
  let inAll = 0
  let mostInAWindow = 0
  return {
    take: () => {
      const at = now()
      if (at >= endsAt) {
        endsAt = at - (at % windowMs) + windowMs
        taken = 0
        refusedHere = 0
      }
      taken++
      const allowed = taken <= limit
      if (!allowed) {
        inAll++
        refusedHere++
        mostInAWindow = Math.max(mostInAWindow, refusedHere)
      }
      return { allowed, limit, remaining: Math.max(0, limit - taken), resetAt: endsAt }
    },
    refused: () => ({ inAll, mostInAWindow }),
  }
}

/** A `Call` over real sockets that trusts this authority and no other. Connections are kept. */
export function createTestCall(ca: string): { readonly call: Call; close(): void } {
  const agent = new Agent({ ca, keepAlive: true, maxSockets: 128 })
  const call = ({ method, url, headers = {}, body = '', within = 20_000 }: OutboundRequest) =>
    new Promise<OutboundAnswer>((resolve, reject) => {
      const sent = request(
        url,
        {
          method,
          agent,
          timeout: within,
          headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        },
        (incoming) => {
          textOf(incoming).then(
            (text) => resolve({ status: incoming.statusCode ?? 0, headers: flat(incoming.headers), text }),
            () => reject(new CallFailure('unreachable')),
          )
        },
      )
      sent.on('timeout', () => sent.destroy(new CallFailure('timeout')))
      sent.on('error', (error) =>
        reject(error instanceof CallFailure ? error : new CallFailure('unreachable')),
      )
      sent.end(body)
    })
  return { call, close: () => agent.destroy() }
}

function flat(headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(',') : value]],
    ),
  )
}

/**
 * What a target is given: calls with its own headers. An answer that says "too many" is asked again after a moment, at most
 * `tries` times; no window is waited for.
 */
export async function contextFor(
  target: Target,
  call: Call,
  { tries = 3 } = {},
): Promise<Context & { readonly appended: readonly string[] }> {
  const { headers } = await target.authorize(call)
  const appended: string[] = []
  return {
    appended,
    call: async (asked) => {
      for (let tried = 1; ; tried++) {
        const answer = await call({ ...asked, headers: { ...headers, ...asked.headers } })
        if (answer.status !== 429 || tried >= tries) return answer
        await sleep(5)
      }
    },
    wait: async (ms) => {
      await sleep(Math.min(ms, 20))
    },
    append: async (lines) => {
      appended.push(...lines)
    },
  }
}
