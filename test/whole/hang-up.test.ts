import { request } from 'node:http'
import { hashSync } from 'bcryptjs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { passwordImport, SECRET } from '../helpers/service.ts'
import { loadUsers } from '../helpers/users.ts'

/** Long enough that others wait behind it. */
const COST = 13
const WAITING = 2

let db: TestDatabase
let service: ServiceProcess
beforeAll(async () => {
  db = await testDatabase()
  const hash = hashSync('right', COST)
  await loadUsers(
    db.url,
    Array.from({ length: WAITING + 1 }, (_, number) => ({
      id: `u${number}`,
      login: `user${number}`,
      password_hash: hash,
    })),
  )
  service = await startProcess(db.url, { CHECK_THREADS: '1' })
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  await service.ended
  await db.drop()
})

/** Resolves with the status; `hangUp` ends the call before. */
function ask(number: number) {
  const body = JSON.stringify(passwordImport(`user${number}`, 'right', `event-${number}`))
  const call = request(`${service.hooksUrl}/okta/password-import`, {
    method: 'POST',
    agent: false,
    headers: { authorization: SECRET, 'content-type': 'application/json' },
  })
  const status = new Promise<number | 'gone'>((answered) => {
    call.once('response', (response) => {
      response.resume()
      answered(response.statusCode ?? 0)
    })
    call.once('error', () => answered('gone'))
  })
  call.end(body)
  return { status, hangUp: () => call.destroy() }
}

const figure = async (name: string): Promise<number> => {
  const { text } = await admin(service.adminUrl, '/metrics')
  const lines = text.split('\n').filter((line) => line.startsWith(name))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

test('what nobody waits for any more is not checked', async () => {
  const first = ask(0)
  await expect.poll(() => figure('carryover_threads_busy'), { interval: 20 }).toBe(1)
  const others = Array.from({ length: WAITING }, (_, number) => ask(number + 1))
  await expect.poll(() => figure('carryover_checks_waiting'), { interval: 20 }).toBe(WAITING)
  for (const { hangUp } of others) hangUp()
  await expect.poll(() => figure('carryover_checks_waiting'), { interval: 20 }).toBe(0)
  expect(await first.status).toBe(200)
  expect(await Promise.all(others.map(({ status }) => status))).toEqual(others.map(() => 'gone'))
  expect(await figure('carryover_check_run_seconds_count')).toBe(1)
  const record = await db.owner.query('select user_id, verdict from carryover.outcomes')
  expect(record.rows).toEqual([{ user_id: 'u0', verdict: 'match' }])
})
