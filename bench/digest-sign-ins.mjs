// Sign-ins a second with a cheap hash, where everything but the hash is what costs: through the service, each outcome on
// disk before its answer, against a bare route on the same database.
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { closedLoop } from './lib/client.mjs'
import { report } from './lib/report.mjs'
import { addUsers, saysVerified, signIn, startProcess, startService, withDatabase } from './lib/service.mjs'

const USERS = 5_000
const CALLERS = 64
const SECONDS = Number(process.env.SECONDS ?? 6)
const ROUNDS = Number(process.env.ROUNDS ?? 3)

const calls = Array.from({ length: USERS }, (_, number) =>
  signIn(`user${number}`, `password-${number}`, number),
)

await withDatabase(async (url) => {
  await addUsers(url, USERS, (number) => ({
    hash: createHash('sha256').update(`salt${number}password-${number}`).digest('hex'),
    scheme: 'sha256($salt.$pass)',
    salt: `salt${number}`,
  }))
  const bare = fileURLToPath(new URL('./lib/bare-route.mjs', import.meta.url))
  const rivals = {
    ours: await startService(url),
    stores: await startProcess([bare], { DATABASE_URL: url }),
    selects: await startProcess([bare], { DATABASE_URL: url, BARE: 'select' }),
  }
  const best = { ours: 0, stores: 0, selects: 0 }
  const measure = async (name, seconds) => {
    const { rate, wrong } = await closedLoop(rivals[name].hooks, {
      callers: CALLERS,
      seconds,
      bytesOf: (number) => calls[number % USERS],
      isRight: saysVerified,
    })
    if (wrong > 0) throw new Error(`${wrong} answers of ${name} were not right`)
    return rate
  }
  for (const name of Object.keys(rivals)) await measure(name, 2)
  // By turns, so that what else the machine does meets all of them.
  for (let round = 0; round < ROUNDS; round++)
    for (const name of Object.keys(rivals)) best[name] = Math.max(best[name], await measure(name, SECONDS))
  const bench = 'digest sign-ins: SHA-256 a second, outcome durable'
  report(bench, best.ours, '/s', 'bare route: select, compare, insert', best.stores)
  report(bench, best.ours, '/s', 'bare route: select alone', best.selects)
  for (const rival of Object.values(rivals)) await rival.stop()
})
