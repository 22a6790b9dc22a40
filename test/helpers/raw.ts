import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A connection over which bytes are written as they are. Texts are Latin-1: one character, one byte. */
export interface RawConnection {
  readonly socket: Socket
  write(bytes: string): void
  /** The next complete answer, or null when the connection ends without one. */
  answer(to?: 'HEAD'): Promise<RawAnswer | null>
  readonly ended: Promise<void>
}

export async function rawConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let received = ''
  let over = false
  let changed = () => {}
  socket.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1')
    changed()
  })
  // A connection that is closed while we still write may be reset.
  socket.on('error', () => {})
  const ended = new Promise<void>((done) =>
    socket.once('close', () => {
      over = true
      changed()
      done()
    }),
  )
  await new Promise<void>((done) => {
    socket.once('connect', done)
    socket.once('close', () => done())
  })
  return {
    socket,
    ended,
    write: (bytes) => void socket.write(Buffer.from(bytes, 'latin1')),
    answer: async (to) => {
      for (;;) {
        const read = firstAnswer(received, to)
        if (read !== null) {
          received = received.slice(read.length)
          return read.answer
        }
        if (over) return null
        await new Promise<void>((done) => {
          changed = done
        })
      }
    },
  }
}

function firstAnswer(text: string, to?: 'HEAD'): { answer: RawAnswer; length: number } | null {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return null
  const [line = '', ...rest] = text.slice(0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1])
  const headers = Object.fromEntries(
    rest.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 1).trim()]),
  )
  const start = end + 4
  if (to === 'HEAD' || status === 100 || status === 204)
    return { answer: { status, headers, body: '' }, length: start }
  if (headers['transfer-encoding'] === 'chunked') {
    // Node's own refusals are empty.
    if (!text.startsWith('0\r\n\r\n', start)) return null
    return { answer: { status, headers, body: '' }, length: start + 5 }
  }
  const bytes = Number(headers['content-length'] ?? 0)
  if (text.length < start + bytes) return null
  return { answer: { status, headers, body: text.slice(start, start + bytes) }, length: start + bytes }
}
