import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** What is done to one statement. */
export type Fault =
  /** The connection ends before the server gets it. */
  | 'cut-before'
  /** The server has done it, and the connection ends before the answer arrives. */
  | 'cut-after'
  /** Nobody answers: the server does not get it, or its answer is kept. */
  | 'stalled-before'
  | 'stalled-after'
  /** The server does not get it, and an error with this SQLSTATE is the answer. */
  | { readonly sqlstate: string }

export interface DatabaseProxy {
  /** The connection string, by way of the proxy. */
  readonly url: string
  /** Statements since `arm` or `disarm`. */
  seen(): number
  /** Does this to the n-th statement from now on, 1 being the next. */
  arm(fault: Fault, nth: number): void
  /** Lets everything through, and counts from 0. */
  disarm(): void
  /** Connections that are open now. */
  connections(): number
  close(): Promise<void>
}

const SSL_REQUEST = 80877103

/**
 * Stands between the service and a PostgreSQL that listens on a socket, knows as much of the protocol as it takes to tell
 * one statement from the next, and hurts the one it is told to.
 */
export async function databaseProxy(url: string): Promise<DatabaseProxy> {
  const { searchParams, pathname } = new URL(url.replace('@/', '@socket/'))
  const path = `${searchParams.get('host')}/.s.PGSQL.5432`
  let seen = 0
  let armed: { fault: Fault; nth: number } | undefined
  const open = new Set<Socket>()

  const faultOfNext = (): Fault | undefined => {
    seen += 1
    return armed?.nth === seen ? armed.fault : undefined
  }

  const server = createServer((client) => {
    const upstream = connect(path)
    const sockets = [client, upstream]
    open.add(client)
    let answers: 'passed' | 'kept' | 'cut' = 'passed'
    let mute = false
    const end = () => {
      for (const socket of sockets) socket.destroy()
    }
    for (const socket of sockets) socket.on('error', () => {}).once('close', end)
    client.once('close', () => open.delete(client))

    const strike = (fault: Fault, statement: Buffer) => {
      if (fault === 'cut-before') return end()
      if (fault === 'stalled-before') {
        mute = true
        return
      }
      if (typeof fault === 'object') {
        client.write(errorAnswer(fault.sqlstate))
        // The server ends such a connection itself.
        if (fault.sqlstate === '57P01') client.end()
        return
      }
      answers = fault === 'cut-after' ? 'cut' : 'kept'
      upstream.write(statement)
    }

    let unread: Buffer = Buffer.alloc(0)
    let greeted = false
    let statement: Buffer[] = []
    client.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk])
      for (;;) {
        const start = greeted ? 1 : 0
        if (unread.length < start + 4) return
        const length = start + unread.readUInt32BE(start)
        if (unread.length < length) return
        const message = unread.subarray(0, length)
        unread = unread.subarray(length)
        if (mute) continue
        if (!greeted) {
          if (message.readUInt32BE(4) === SSL_REQUEST) {
            client.write('N')
            continue
          }
          greeted = true
          upstream.write(message)
          continue
        }
        statement.push(message)
        const type = String.fromCharCode(message[0] ?? 0)
        // Sync ends a statement, Query is one; everything else that is no part of one goes through.
        if (type !== 'S' && type !== 'Q') {
          if (type === 'X' || type === 'p') upstream.write(Buffer.concat(statement.splice(0)))
          continue
        }
        const whole = Buffer.concat(statement)
        statement = []
        const fault = faultOfNext()
        if (fault === undefined) upstream.write(whole)
        else strike(fault, whole)
      }
    })

    let answered: Buffer = Buffer.alloc(0)
    upstream.on('data', (chunk: Buffer) => {
      if (answers === 'passed') return void client.write(chunk)
      answered = Buffer.concat([answered, chunk])
      // ReadyForQuery: the statement is over, and committed.
      if (answers === 'cut' && answered.includes(Buffer.from([0x5a, 0, 0, 0, 5]))) end()
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return {
    url: `postgresql://postgres@127.0.0.1:${port}${pathname}`,
    seen: () => seen,
    arm: (fault, nth) => {
      seen = 0
      armed = { fault, nth }
    },
    disarm: () => {
      seen = 0
      armed = undefined
    },
    connections: () => open.size,
    close: () =>
      new Promise((closed) => {
        for (const socket of open) socket.destroy()
        server.close(() => closed())
      }),
  }
}

/** ErrorResponse and ReadyForQuery, as a server sends them that is in no transaction. */
function errorAnswer(sqlstate: string): Buffer {
  const fields = `SERROR\0VERROR\0C${sqlstate}\0Mfrom the proxy of the test\0\0`
  const error = Buffer.alloc(5 + fields.length)
  error.write('E')
  error.writeUInt32BE(4 + fields.length, 1)
  error.write(fields, 5)
  return Buffer.concat([error, Buffer.from([0x5a, 0, 0, 0, 5, 0x49])])
}
