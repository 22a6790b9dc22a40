import { connect, type Socket } from 'node:net'
import { expectNoPlanted } from './canaries.ts'

/** What came back, byte for byte as text, and how long it took. */
export interface TimedAnswer {
  readonly text: string
  /** Milliseconds from the write to the last byte. */
  readonly millis: number
}

export interface TimedConnection {
  ask(request: string): Promise<TimedAnswer>
  end(): void
}

/** The listener closes a connection after its thousandth request, and says so in that answer. */
const REQUESTS = 900

/** A connection that is kept, without anything of an HTTP client's between the socket and the clock. */
export function timedConnection(base: string): TimedConnection {
  const { hostname, port } = new URL(base)
  let socket: Socket | undefined
  let asked = 0
  const open = async () => {
    if (socket && asked < REQUESTS) return socket
    socket?.destroy()
    asked = 0
    const fresh = connect({ host: hostname, port: Number(port), noDelay: true })
    await new Promise<void>((connected, failed) => {
      fresh.once('connect', connected)
      fresh.once('error', failed)
    })
    socket = fresh
    return fresh
  }
  return {
    ask: async (request) => {
      const mine = await open()
      asked += 1
      return new Promise((answered, failed) => {
        let text = ''
        const settle = (act: () => void) => {
          mine.off('data', read).off('close', lost)
          act()
        }
        const lost = () => settle(() => failed(new Error('the connection was closed')))
        const read = (bytes: Buffer) => {
          text += bytes.toString('latin1')
          if (!isWhole(text)) return
          const millis = performance.now() - begun
          expectNoPlanted('an answer', text)
          settle(() => answered({ text, millis }))
        }
        mine.on('data', read).once('close', lost)
        const begun = performance.now()
        mine.write(request)
      })
    },
    end: () => socket?.destroy(),
  }
}

/** POST with a body of JSON. */
export function rawPost(path: string, headers: Readonly<Record<string, string>>, body: unknown): string {
  // A lone surrogate stays an escape, as JSON.stringify writes it.
  const text = JSON.stringify(body)
  const lines = Object.entries({
    host: 'test',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`)
  return [`POST ${path} HTTP/1.1`, ...lines, '', text].join('\r\n')
}

/** 429 and 503, which a busy machine may answer to anything, and which are no verdicts. */
export function isFailure(text: string): boolean {
  return /^HTTP\/1\.1 (429|503) /.test(text)
}

/** The answer without the one header that is the clock's. */
export function withoutDate(text: string): string {
  return text.replace(/^date: .*\r\n/im, '')
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return false
  const [, length] = /^content-length: (\d+)\r$/im.exec(text.slice(0, end + 2)) ?? []
  const body = text.slice(end + 4)
  if (length !== undefined) return body.length >= Number(length)
  return /^transfer-encoding: chunked\r$/im.test(text.slice(0, end + 2)) ? body.endsWith('0\r\n\r\n') : true
}
