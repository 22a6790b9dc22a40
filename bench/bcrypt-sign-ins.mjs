// bcrypt of cost 10 through the HTTP hook: checks a second with all cores, against a library alone in a loop; then twice
// and five times as many calls as can be answered, in an open loop as a provider sends them; then several processes on one
// PostgreSQL. SECONDS for each closed loop, OVERLOAD_SECONDS for each open one.
import { hashSync } from 'bcryptjs'
import { checksOnAllCores } from './lib/all-cores.mjs'
import { closedLoop, isRefusal, openLoop } from './lib/client.mjs'
import { quantile, report } from './lib/report.mjs'
import { addUsers, saysVerified, signIn, startService, withDatabase } from './lib/service.mjs'

const USERS = 20_000
const SECONDS = Number(process.env.SECONDS ?? 8)
const OVERLOAD_SECONDS = Number(process.env.OVERLOAD_SECONDS ?? 60)
const ROUNDS = Number(process.env.ROUNDS ?? 3)
const COST = 10

const hash = hashSync('the right one', COST)
// Every fourth password is wrong. No user is asked so often that the throttle would answer instead.
const isWrong = (number) => number % 4 === 3
const bytesOf = (number) =>
  signIn(`user${number % USERS}`, isWrong(number) ? 'a wrong one' : 'the right one', number)
const saysUnverified = ({ status, text }) => status === 200 && text.includes('"UNVERIFIED"')
const isRight = (answer, number) => (isWrong(number) ? saysUnverified(answer) : saysVerified(answer))

const BARE = `
  const { verifySync } = await import('@node-rs/bcrypt')
  const check = () => { if (!verifySync('the right one', ${JSON.stringify(hash)})) throw new Error('wrong') }`

await withDatabase(async (url) => {
  await addUsers(url, USERS, () => ({ hash, scheme: null, salt: null }))
  const sustainable = await againstBareLoop(url)
  for (const times of [2, 5]) await overload(url, sustainable, times)
  for (const processes of [2, 4]) await severalProcesses(url, processes)
})

async function againstBareLoop(url) {
  const service = await startService(url)
  const measure = async (seconds) => {
    const { rate, wrong } = await closedLoop(service.hooks, { callers: 32, seconds, bytesOf, isRight })
    if (wrong > 0) throw new Error(`${wrong} answers were not right`)
    return rate
  }
  await measure(2)
  let ours = 0
  let bare = 0
  for (let round = 0; round < ROUNDS; round++) {
    ours = Math.max(ours, await measure(SECONDS))
    bare = Math.max(bare, await checksOnAllCores(BARE, SECONDS))
  }
  await service.stop()
  report(
    `bcrypt sign-ins: cost ${COST} a second through the hook, all cores`,
    ours,
    '/s',
    '@node-rs/bcrypt, bare loop on all cores',
    bare,
  )
  return ours
}

async function overload(url, sustainable, times) {
  const service = await startService(url)
  await closedLoop(service.hooks, { callers: 16, seconds: 2, bytesOf, isRight })
  let given = 0
  let refused = 0
  let wrong = 0
  const millis = []
  await openLoop(service.hooks, {
    rate: sustainable * times,
    seconds: OVERLOAD_SECONDS,
    bytesOf,
    answered: (answer, number, taken) => {
      millis.push(taken)
      if (isRefusal(answer)) refused++
      else if (isRight(answer, number)) given++
      else wrong++
    },
  })
  const load = `bcrypt sign-ins at ${times} times the sustainable rate`
  report(`${load}: slowest answer`, Math.max(...millis), 'ms')
  report(`${load}: median answer`, quantile(millis, 0.5), 'ms')
  report(`${load}: wrong answers`, wrong, 'answers')
  report(`${load}: refused`, refused, 'calls')
  report(`${load}: right answers a second`, given / OVERLOAD_SECONDS, '/s', 'sustainable rate', sustainable)
  report(`${load}: resident memory, peak`, service.memory().peak, 'MiB')
  await service.stop()
}

async function severalProcesses(url, processes) {
  const services = await Promise.all(Array.from({ length: processes }, () => startService(url)))
  const results = await Promise.all(
    services.map(({ hooks }) =>
      closedLoop(hooks, { callers: Math.ceil(32 / processes), seconds: SECONDS, bytesOf, isRight }),
    ),
  )
  if (results.some(({ wrong }) => wrong > 0)) throw new Error('some answers were not right')
  const rate = results.reduce((sum, one) => sum + one.rate, 0)
  report(`bcrypt sign-ins: ${processes} processes on one machine and one PostgreSQL`, rate, '/s')
  await Promise.all(services.map((service) => service.stop()))
}
