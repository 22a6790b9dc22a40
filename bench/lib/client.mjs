// A load generator that costs little beside what it measures: raw sockets, requests that were written beforehand, and of
// an answer only its status, its length and whether it says yes.
import { connect } from 'node:net'

/** One POST. */
export function requestBytes({ path, headers = {}, body }) {
  const lines = Object.entries({
    host: 'bench',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}

/** One connection, one request at a time. */
export async function openConnection(url) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  let settle
  let received = ''
  await new Promise((connected, failed) => {
    socket.once('connect', connected)
    socket.once('error', failed)
  })
  const end = (error) => {
    settle?.({ status: 0, text: '', error })
    settle = undefined
  }
  socket.on('error', end)
  socket.on('close', () => end('closed'))
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    const head = received.indexOf('\r\n\r\n')
    if (head === -1) return
    const length = Number(/content-length: (\d+)/i.exec(received.slice(0, head))?.[1] ?? 0)
    if (received.length < head + 4 + length) return
    const answer = {
      status: Number(received.slice(9, 12)),
      text: received.slice(head + 4, head + 4 + length),
    }
    if (/connection: close/i.test(received.slice(0, head))) socket.destroy()
    received = received.slice(head + 4 + length)
    const resolve = settle
    settle = undefined
    resolve?.(answer)
  })
  return {
    get usable() {
      return !socket.destroyed
    },
    send: (bytes) =>
      new Promise((resolve) => {
        settle = resolve
        socket.write(bytes)
      }),
    close: () => socket.destroy(),
  }
}

/** There was more work than time, or something else that is no verdict. */
export const isRefusal = ({ status }) => status === 429 || status === 503
/** A caller that asks again at once would only take time from the others. */
const AFTER_REFUSAL_MS = 100

/** Connections that are kept while nothing is sent on them. */
function connectionPool(url) {
  const idle = []
  return {
    send: async (bytes) => {
      let connection = idle.pop()
      while (connection && !connection.usable) connection = idle.pop()
      connection ??= await openConnection(url)
      const answer = await connection.send(bytes)
      if (connection.usable) idle.push(connection)
      return answer
    },
    close: () => {
      for (const connection of idle) connection.close()
    },
  }
}

/** As fast as `callers` go, each waiting for its answer. Counts those that `isRight(answer, number)`. */
export async function closedLoop(url, { callers, seconds, bytesOf, isRight }) {
  const pool = connectionPool(url)
  let number = 0
  const count = { right: 0, refused: 0, wrong: 0 }
  const started = performance.now()
  const end = started + seconds * 1_000
  const caller = async () => {
    while (performance.now() < end) {
      const mine = number++
      const answer = await pool.send(bytesOf(mine))
      if (isRefusal(answer)) {
        count.refused++
        await new Promise((resolve) => setTimeout(resolve, AFTER_REFUSAL_MS))
      } else if (isRight(answer, mine)) count.right++
      else count.wrong++
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  const elapsed = (performance.now() - started) / 1_000
  pool.close()
  return { rate: count.right / elapsed, ...count }
}

/**
 * `rate` requests a second whatever becomes of them, as a provider sends them. Calls `answered(answer, number, millis)` for
 * each; the time counts from the moment at which the request was due.
 */
export async function openLoop(url, { rate, seconds, bytesOf, answered }) {
  const pool = connectionPool(url)
  const started = performance.now()
  const total = Math.floor(rate * seconds)
  const calls = []
  while (calls.length < total) {
    const due = started + (calls.length * 1_000) / rate
    const early = due - performance.now()
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(5, early)))
    else {
      const number = calls.length
      calls.push(
        pool.send(bytesOf(number)).then((answer) => answered(answer, number, performance.now() - due)),
      )
    }
  }
  await Promise.all(calls)
  pool.close()
}
