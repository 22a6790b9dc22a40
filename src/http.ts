import type { Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Address } from './config.ts'

export interface ListenerOptions {
  readonly address: Address
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  /** Milliseconds in which a request's headers, and the whole request, must have arrived. */
  readonly headersWithin: number
  readonly requestWithin: number
  readonly maxConnections: number
}

export interface Listener {
  /** With the port that was really taken. */
  readonly url: string
  /** Takes no new connection, lets the calls in flight finish, and ends what is left after `limit` milliseconds. */
  close(limit: number): Promise<void>
}

type Fetch = (request: Request) => Response | Promise<Response>

/** An HTTP server with every limit set: the defaults of Node let a slow sender live for minutes. */
export async function listen(fetch: Fetch, options: ListenerOptions): Promise<Listener> {
  let closing = false
  const serverOptions = {
    headersTimeout: options.headersWithin,
    requestTimeout: options.requestWithin,
    // How often the two limits above are looked at. The default makes a limit of 2 s strike after 30.
    connectionsCheckingInterval: 250,
    // Longer than the idle time of common load balancers (60 s), or they reuse a connection that was just closed.
    keepAliveTimeout: 65_000,
    maxHeaderSize: 8_192,
    requireHostHeader: true,
    insecureHTTPParser: false,
  }
  const server = createAdaptorServer({
    fetch: async (request) => {
      const response = await fetch(request)
      if (closing) response.headers.set('connection', 'close')
      return response
    },
    overrideGlobalObjects: false,
    ...(options.tls === undefined
      ? { serverOptions }
      : {
          createServer: createTlsServer,
          serverOptions: { ...serverOptions, ...options.tls, minVersion: 'TLSv1.2' },
        }),
  }) as Server
  server.maxConnections = options.maxConnections
  server.maxHeadersCount = 64
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
    close: (limit) =>
      new Promise((closed) => {
        closing = true
        server.close(() => closed())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), limit).unref()
      }),
  }
}
