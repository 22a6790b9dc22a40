// Checks a second on one core of hashes that are thousands of digests, each of the one before: with SHA-2 and MD5 in
// WebAssembly, against the same checks through node:crypto, which are those of a thread without WebAssembly. After
// `npm run build`. Start it with `taskset -c 1` on a machine that does other work. The rivals take turns, and each one's
// best turn counts.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { report } from './lib/report.mjs'

/** `digest`: which one's module the first check of the scheme makes, compiles and tests. */
const SCHEMES = [
  { scheme: 'sha512crypt', cost: '5000 rounds', digest: 'SHA-512' },
  { scheme: 'sha256crypt', cost: '5000 rounds', digest: 'SHA-256' },
  { scheme: 'drupal7', cost: '2^15 rounds' },
  { scheme: 'mysql-caching-sha2', cost: '5000 rounds' },
  { scheme: 'phpass', cost: '2^13 rounds', digest: 'MD5' },
  { scheme: 'md5crypt', cost: '1000 rounds' },
]
const TURNS = 25

const dist = process.env.DIST ?? fileURLToPath(new URL('../dist', import.meta.url))
const thread = (before) =>
  new Worker(
    `const { parentPort } = require('node:worker_threads')
    ${before}
    import(${JSON.stringify(`file://${dist}/hashes/index.js`)}).then(({ exampleStored, readHash }) => {
      parentPort.on('message', async (scheme) => {
        const hash = readHash(exampleStored(scheme))
        const started = performance.now()
        if (await hash.matches(Buffer.from('ten bytes!'))) throw new Error('a verdict is wrong')
        parentPort.postMessage(performance.now() - started)
      })
    })`,
    { eval: true },
  )
const rivals = { lanes: thread(''), crypto: thread('delete globalThis.WebAssembly') }

for (const { scheme, cost, digest } of SCHEMES) {
  const first = await millisOf('lanes', scheme)
  const best = { lanes: first, crypto: Number.POSITIVE_INFINITY }
  for (let turn = 0; turn < TURNS; turn++)
    for (const name of Object.keys(rivals)) best[name] = Math.min(best[name], await millisOf(name, scheme))
  const bench = `${scheme}, ${cost}: checks a second on one core`
  report(bench, 1_000 / best.lanes, 'checks/s', 'the loop through node:crypto', 1_000 / best.crypto)
  if (digest) report(`${scheme}, ${cost}: the first check of a thread with ${digest}`, first, 'ms')
}
for (const rival of Object.values(rivals)) await rival.terminate()

async function millisOf(name, scheme) {
  const answer = once(rivals[name], 'message')
  rivals[name].postMessage(scheme)
  return (await answer)[0]
}
