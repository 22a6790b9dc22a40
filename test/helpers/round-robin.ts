import { Agent, createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Upstream {
  readonly hooksUrl: string
  readonly adminUrl: string
}

export interface RoundRobin {
  readonly url: string
  add(upstream: Upstream): void
  remove(upstream: Upstream): void
  /** Whether calls are handed to it. */
  isReady(upstream: Upstream): boolean
  /** Calls that were handed on and never answered. */
  dropped(): number
  close(): Promise<void>
}

/** Milliseconds. Load balancers ask every few seconds; the delay of a shutdown is chosen for that. */
const HEALTH_EVERY_MS = 50

/**
 * A load balancer as small as it can be: one upstream after the other, those alone whose `/readyz` says 200, over
 * connections that are kept. A call is tried elsewhere only where its connection was refused, since nothing was sent then.
 */
export async function roundRobin(): Promise<RoundRobin> {
  const agent = new Agent({ keepAlive: true })
  const upstreams = new Map<Upstream, boolean>()
  let turn = 0
  let dropped = 0

  let closing = false
  const look = async (upstream: Upstream) => {
    const ready = await fetch(`${upstream.adminUrl}/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    )
    if (upstreams.has(upstream)) upstreams.set(upstream, ready)
  }
  // One round after the other: questions that overtake each other would leave an old answer as the newest.
  const looking = (async () => {
    while (!closing) {
      await Promise.all([...upstreams.keys()].map(look))
      await new Promise((later) => setTimeout(later, HEALTH_EVERY_MS))
    }
  })()

  const next = (tried: ReadonlySet<Upstream>): Upstream | undefined => {
    const ready = [...upstreams].flatMap(([upstream, is]) => (is && !tried.has(upstream) ? [upstream] : []))
    return ready[turn++ % Math.max(1, ready.length)]
  }

  const server = createServer(async (incoming, outgoing) => {
    const body = await bodyOf(incoming)
    const tried = new Set<Upstream>()
    const hand = () => {
      const upstream = next(tried)
      if (upstream === undefined) {
        dropped += 1
        outgoing.writeHead(502).end()
        return
      }
      tried.add(upstream)
      const { host, connection, ...headers } = incoming.headers
      const call = request(
        upstream.hooksUrl + incoming.url,
        { method: incoming.method ?? 'GET', headers, agent },
        async (response) => {
          outgoing.writeHead(response.statusCode ?? 502, {
            'content-type': response.headers['content-type'] ?? '',
          })
          outgoing.end(await bodyOf(response).catch(() => ''))
        },
      )
      call.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'ECONNREFUSED') return hand()
        dropped += 1
        outgoing.writeHead(502).end()
      })
      call.end(body)
    }
    hand()
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    add: (upstream) => void upstreams.set(upstream, false),
    remove: (upstream) => void upstreams.delete(upstream),
    dropped: () => dropped,
    isReady: (upstream) => upstreams.get(upstream) === true,
    close: async () => {
      closing = true
      await looking
      agent.destroy()
      server.closeAllConnections()
      await new Promise<void>((closed) => server.close(() => closed()))
    },
  }
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of message) parts.push(part)
  return Buffer.concat(parts)
}
