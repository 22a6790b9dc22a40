import { afterAll, beforeAll, expect, test } from 'vitest'
import { measured } from '../helpers/assurance.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

const RIGHT = 80
const WRONG = 21

let db: TestDatabase
let service: ServiceProcess
let post: ReturnType<typeof caller>

beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, cheapUsers(RIGHT + WRONG))
  service = await startProcess(db.url, { REFUSAL_FLOOR_MS: 'auto' })
  post = caller(service.hooksUrl)
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await db.drop()
})

async function gauge(name: string): Promise<number> {
  const { text } = await admin(service.adminUrl, '/metrics')
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

/** Asks again what a busy machine has no time for: that is no attempt. */
async function signIn(user: number, right: boolean): Promise<unknown> {
  const login = `u${user}@example.com`
  const password = right ? `${login}?` : 'Wrong-pa55word'
  const { status, json } = await post(
    '/okta/password-import',
    passwordImport(login, password, `event-${user}`),
  )
  return status === 200 ? json : signIn(user, right)
}

const told = (word: string) => ({
  commands: [{ type: 'com.okta.action.update', value: { credential: word } }],
})

test('auto: a no goes out at the floor that the metrics tell', async () => {
  const floor = (await gauge('carryover_refusal_floor_seconds')) * 1_000
  expect(floor % 50).toBeCloseTo(0, 6)
  expect(floor).toBeGreaterThanOrEqual(50)
  expect(floor).toBeLessThanOrEqual(1_000)
  const begun = performance.now()
  expect(await signIn(0, false)).toEqual(told('UNVERIFIED'))
  expect(performance.now() - begun).toBeGreaterThanOrEqual(floor)
})

test('more than a fifth refused is told once, and shown', async () => {
  const answers = await Promise.all(
    Array.from({ length: RIGHT + WRONG - 1 }, (_, at) => signIn(at + 1, at < RIGHT)),
  )
  expect(answers.slice(0, RIGHT)).toEqual(Array(RIGHT).fill(told('VERIFIED')))
  const begun = performance.now()
  const lines = () => service.output().match(/"event":"refusals-high".*/g) ?? []
  await expect.poll(lines, { timeout: 10_000 }).toHaveLength(1)
  const seconds = (performance.now() - begun) / 1_000
  expect(lines()[0]).toContain(`"attempts":${RIGHT + WRONG},"refused":${WRONG}`)
  expect(await gauge('carryover_refused_share')).toBeCloseTo(WRONG / (RIGHT + WRONG), 6)
  expect(await gauge('carryover_refusals_high')).toBe(1)
  measured({
    part: 'guessing',
    requirement: 'R-16',
    what: `${WRONG} of ${RIGHT + WRONG} attempts refused: until the event and the metric`,
    wanted: '<= 10 s',
    got: `${seconds.toFixed(1)} s`,
  })
})
