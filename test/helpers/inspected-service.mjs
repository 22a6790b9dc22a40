// `carryover serve` as it is built, and on standard input the orders of a test: to look into the process, or to make it
// crash. Node is told by flags what the product refuses (`--expose-gc`), so it does not know how it was started.
import { EventEmitter } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { writeHeapSnapshot } from 'node:v8'
import { run } from '../../dist/cli.js'

const workers = new Set()
process.on('worker', (worker) => {
  workers.add(worker)
  worker.once('exit', () => workers.delete(worker))
})
const anyWorker = () => [...workers][0]

const orders = {
  report: () => writeFileSync('order.report', JSON.stringify(process.report.getReport())),
  snapshot: async () => {
    for (let times = 0; times < 2; times++) {
      globalThis.gc()
      await pause(50)
    }
    writeHeapSnapshot('order.heapsnapshot')
  },
  // As a service without the filter would be.
  unseal: () => writeFileSync('/proc/self/coredump_filter', '0x33'),
  segfault: () => process.kill(process.pid, 'SIGSEGV'),
  'timer throws': () => setTimeout(() => JSON.parse(process.env.CANARY)),
  'promise rejects': () => Promise.reject(new Error(process.env.CANARY)),
  'socket handler throws': () => {
    const server = createServer((socket) => {
      socket.on('data', () => JSON.parse(process.env.CANARY))
    })
    server.listen(0, '127.0.0.1', () => connect(server.address().port, '127.0.0.1').write('x'))
  },
  'emitter without a listener': () => new EventEmitter().emit('error', new Error(process.env.CANARY)),
  // Not a question: what the thread does with it throws.
  'thread crashes': () => anyWorker()?.postMessage({ checks: process.env.CANARY.split('') }),
  // Two million times the same check, which the thread reads two million times.
  'thread out of memory': () => {
    const stored = { encoded: process.env.BCRYPT, scheme: null, salt: null, login: '', id: '' }
    const checks = new Array(2_000_000).fill({ stored, password: new Uint8Array(8) })
    anyWorker()?.postMessage({ checks, argon2: [] })
  },
  // Positive controls: leaks that the search must find.
  'leak an error': () => {
    try {
      JSON.parse(process.env.CANARY)
    } catch (error) {
      process.stderr.write(`${error.message}\n`)
    }
  },
  'leak a global': () => {
    globalThis.leaked = { kept: `${process.env.CANARY}`.split('').join('') }
  },
}

createInterface({ input: process.stdin }).on('line', async (order) => {
  await orders[order]()
  process.stdout.write(`done: ${order}\n`)
})

const stop = new AbortController()
process.on('SIGTERM', () => stop.abort())
process.exitCode = await run(['serve'], {
  env: process.env,
  stdin: process.stdin,
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  terminal: false,
  stop: stop.signal,
})
process.exit()
