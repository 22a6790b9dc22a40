// Resident memory and the time to start: after the start, after MINUTES of bcrypt load, and with 64 Argon2 checks at once.
import { createRequire } from 'node:module'
import { hashSync } from 'bcryptjs'
import { closedLoop, openLoop } from './lib/client.mjs'
import { report } from './lib/report.mjs'
import { addUsers, saysVerified, signIn, startService, withDatabase } from './lib/service.mjs'

const MINUTES = Number(process.env.MINUTES ?? 10)
const USERS = 20_000
const SETTING_MIB = 256
const PASSWORD = 'the right one'

await withDatabase(async (url) => {
  const hash = hashSync(PASSWORD, 10)
  await addUsers(url, USERS, () => ({ hash, scheme: null, salt: null }))
  await startAndLoad(url)
})
await withDatabase(async (url) => {
  const { hash } = createRequire(import.meta.url)('argon2')
  const settings = { type: 2, memoryCost: 64 * 1024, timeCost: 3, parallelism: 4 }
  const stored = await hash(PASSWORD, settings)
  await addUsers(url, 64, () => ({ hash: stored, scheme: null, salt: null }))
  await argon2AtOnce(url)
})

async function startAndLoad(url) {
  const starts = []
  for (let start = 0; start < 5; start++) {
    const service = await startService(url)
    starts.push(service.startedIn)
    await service.stop()
  }
  report('memory: from the start of the process until it is ready, best of 5', Math.min(...starts), 'ms')
  const service = await startService(url)
  report('memory: resident after the start', service.memory().now, 'MiB')
  const bytesOf = (number) => signIn(`user${number % USERS}`, PASSWORD, number)
  const seconds = (MINUTES * 60) / 4
  for (let quarter = 1; quarter <= 4; quarter++) {
    await closedLoop(service.hooks, { callers: 32, seconds, bytesOf, isRight: saysVerified })
    report(
      `memory: resident after ${(quarter * MINUTES) / 4} minutes of bcrypt load`,
      service.memory().now,
      'MiB',
    )
  }
  report('memory: most that was ever resident', service.memory().peak, 'MiB')
  await service.stop()
}

async function argon2AtOnce(url) {
  const service = await startService(url, { CHECK_MEMORY_MIB: String(SETTING_MIB) })
  let given = 0
  await openLoop(service.hooks, {
    rate: 10_000,
    seconds: 64 / 10_000,
    bytesOf: (number) => signIn(`user${number}`, PASSWORD, number),
    answered: (answer) => {
      if (saysVerified(answer)) given++
    },
  })
  report('memory: 64 Argon2 checks of 64 MiB at once, answered yes', given, 'answers')
  report(
    'memory: 64 Argon2 checks of 64 MiB at once, peak resident',
    service.memory().peak,
    'MiB',
    'CHECK_MEMORY_MIB and 150',
    SETTING_MIB + 150,
  )
  await service.stop()
}
