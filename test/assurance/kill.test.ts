import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { expect, test } from 'vitest'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { testDatabase } from '../helpers/db.ts'
import { runCommand, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

const USERS = 500
const CALLERS = 24

interface Answered {
  readonly id: string
  readonly verified: boolean
}

let calls = 0

/** Signs in, one after the other, until the service is gone. Every tenth password is wrong. */
async function callUntilGone(service: ServiceProcess, answers: Answered[], gone: () => boolean) {
  const post = caller(service.hooksUrl)
  while (!gone()) {
    const at = calls++
    const login = `u${at % USERS}@example.com`
    const password = at % 10 === 9 ? 'wrong!!!' : `${login}?`
    const answer = await post('/okta/password-import', passwordImport(login, password, `k${at}`)).catch(
      () => undefined,
    )
    if (answer?.status === 200)
      answers.push({ id: `request-k${at}`, verified: answer.text.includes('"VERIFIED"') })
  }
}

/** Answers that are not on record, or with another verdict. */
async function lostOf(owner: pg.Client, answers: readonly Answered[]): Promise<readonly Answered[]> {
  const { rows } = await owner.query<{ request_id: string; verdict: string }>(
    'select request_id, verdict from carryover.outcomes',
  )
  const recorded = new Map(rows.map(({ request_id, verdict }) => [request_id, verdict]))
  return answers.filter(
    ({ id, verified }) => !recorded.has(id) || (recorded.get(id) === 'match') !== verified,
  )
}

test('kill -9 of the service under load: every answer is on record', allowed(90_000, 450_000), async () => {
  const kills = sized(3, 100)
  const wanted = sized(1_000, 50_000)
  const db = await testDatabase()
  await loadUsers(db.url, cheapUsers(USERS))
  const answers: Answered[] = []
  let killed = 0
  while (killed < kills || answers.length < wanted) {
    const service = await startProcess(db.url, {
      CHECK_THREADS: '1',
      THROTTLE_REFUSALS: '1000',
    })
    let gone = false
    const load = Promise.all(
      Array.from({ length: CALLERS }, () => callUntilGone(service, answers, () => gone)),
    )
    // At any moment: between 50 and 1,050 answers later.
    const least = answers.length + 50 + Math.random() * ((2 * wanted) / kills)
    while (answers.length < least) await new Promise((later) => setTimeout(later, Math.random() * 5))
    service.child.kill('SIGKILL')
    expect(await service.ended).toBe('SIGKILL')
    gone = true
    await load
    killed += 1
  }
  const lost = await lostOf(db.owner, answers)
  const check = await runCommand(['counts', '--check'], { DATABASE_URL: db.url })
  measured({
    part: 'kill',
    requirement: 'R-79',
    what: `kill -9 of the service at random moments under the load of ${CALLERS} callers: ${killed} times`,
    wanted: `0 lost of at least ${wanted} answers, counts --check agrees`,
    got: `${lost.length} lost of ${answers.length} answers, counts --check ${check.code === 0 ? 'agrees' : 'differs'}`,
  })
  expect(lost).toEqual([])
  expect(answers.some(({ verified }) => !verified)).toBe(true)
  expect([check.code, check.err]).toEqual([0, ''])
  expect(check.out).toContain('agree')
  await db.drop()
})

test('kill -9 of PostgreSQL under load: every answer is on record', allowed(90_000, 150_000), async () => {
  const directory = await mkdtemp(join(tmpdir(), 'carryover-kill-'))
  let server = await startEmbedded({ directory })
  const socketDirectory = server.socketDirectory
  const url = await server.database('carryover')
  await migrateDatabase(url)
  await loadUsers(url, cheapUsers(USERS))
  const service = await startProcess(url, { THROTTLE_REFUSALS: '1000' })
  const answers: Answered[] = []
  const kills = sized(1, 10)
  for (let killed = 0; killed < kills; killed++) {
    let gone = false
    const before = answers.length
    const load = Promise.all(
      Array.from({ length: CALLERS }, () => callUntilGone(service, answers, () => gone)),
    )
    const least = before + 50 + Math.random() * 500
    while (answers.length < least) await new Promise((later) => setTimeout(later, 5))
    // Its other processes see that it is gone and end as in a crash.
    process.kill(server.pid, 'SIGKILL')
    gone = true
    await load
    await server.stop()
    server = await startAgain(directory, socketDirectory)
  }
  const owner = new pg.Client({ connectionString: url })
  await owner.connect()
  const lost = await lostOf(owner, answers)
  await owner.end()
  const check = await runCommand(['counts', '--check'], { DATABASE_URL: url })
  measured({
    part: 'kill',
    requirement: 'R-79',
    what: `kill -9 of PostgreSQL under the same load: ${kills} times, and its own recovery`,
    wanted: '0 answers lost, counts --check agrees',
    got: `${lost.length} lost of ${answers.length} answers, counts --check ${check.code === 0 ? 'agrees' : 'differs'}`,
  })
  expect(lost).toEqual([])
  expect([check.code, check.err]).toEqual([0, ''])
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

/** The processes of the one that was killed keep its memory for a moment, and no other may start meanwhile. */
async function startAgain(directory: string, socketDirectory: string) {
  for (let tries = 0; ; tries++) {
    try {
      return await startEmbedded({ directory, socketDirectory })
    } catch (error) {
      if (tries === 50) throw error
      await new Promise((later) => setTimeout(later, 200))
    }
  }
}
