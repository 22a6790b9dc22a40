// Checks a second of an ordinary Argon2 hash by this program's own function, against the package `argon2` bare in the
// same run: one check after the other, and as many at once as there are cores, each on a thread of its own, as the
// service does. The best of several short rounds in turn. After `npm run build`. ROUNDS=n for another number of them.
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { report } from './lib/report.mjs'

const SETTINGS = { memoryCost: 65_536, timeCost: 3, parallelism: 4 }
const PASSWORD = Buffer.from('correct horse battery staple')
const rounds = Number(process.env.ROUNDS ?? 12)
const dist = process.env.DIST ?? fileURLToPath(new URL('../dist', import.meta.url))

if (isMainThread) await measureAll()
else await serve()

async function measureAll() {
  for (const threads of new Set([1, availableParallelism()])) {
    const sides = { ours: await sideOf('ours', threads), bare: await sideOf('bare', threads) }
    const best = { ours: 0, bare: 0 }
    for (let round = 0; round < rounds; round += 1)
      for (const side of Object.keys(sides))
        best[side] = Math.max(best[side], await sides[side].checksPerSecond())
    for (const { close } of Object.values(sides)) await close()
    const many = threads === 1 ? 'one at a time' : `${threads} at once`
    report(
      `argon2id m=64 MiB t=3 p=4 checks/s, ${many}`,
      best.ours,
      'checks/s',
      'argon2 (npm), bare',
      best.bare,
    )
  }
}

/** Threads that wait for a number of checks to do. */
async function sideOf(side, threads) {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL(import.meta.url), { workerData: { side } }),
  )
  const all = (checks) => Promise.all(workers.map((worker) => answer(worker, checks)))
  await all(1)
  return {
    checksPerSecond: async () => {
      const checks = 3
      const started = performance.now()
      await all(checks)
      return (checks * threads * 1_000) / (performance.now() - started)
    },
    close: () => Promise.all(workers.map((worker) => worker.terminate())),
  }
}

function answer(worker, checks) {
  const answered = once(worker, 'message')
  worker.postMessage(checks)
  return answered
}

async function serve() {
  const check = workerData.side === 'ours' ? await ourCheck() : await bareCheck()
  parentPort.on('message', async (checks) => {
    for (let done = 0; done < checks; done += 1) await check()
    parentPort.postMessage('done')
  })
}

async function ourCheck() {
  const { argon2 } = await import(`${dist}/hashes/argon2.js`)
  const { hash } = await import('argon2')
  const read = argon2.read(await hash(PASSWORD, { ...SETTINGS, type: 2 }))
  return async () => {
    if (!(await read.matches(PASSWORD))) throw new Error('the right password does not match')
  }
}

async function bareCheck() {
  const { hash, verify } = await import('argon2')
  const encoded = await hash(PASSWORD, { ...SETTINGS, type: 2 })
  return async () => {
    if (!(await verify(encoded, PASSWORD))) throw new Error('the right password does not match')
  }
}
