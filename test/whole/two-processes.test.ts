import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, cheapUsers(500))
})
afterAll(() => db.drop())

/** Everything that was answered with a verdict is in the record, under the caller's id and with that verdict. */
async function expectRecorded(answers: readonly { id: string; verified: boolean }[]): Promise<void> {
  const { rows } = await db.owner.query<{ request_id: string; verdict: string }>(
    'select request_id, verdict from carryover.outcomes',
  )
  const recorded = new Map(rows.map(({ request_id, verdict }) => [request_id, verdict]))
  const lost = answers.filter(
    ({ id, verified }) =>
      (recorded.get(`request-${id}`) === 'match') !== verified || !recorded.has(`request-${id}`),
  )
  expect(lost).toEqual([])
}

test('2,000 sign-ins at once over 500 users and two processes, one killed in the middle: nothing answered is lost, and the counts are exact', async () => {
  const one = await startProcess(db.url)
  const two = await startProcess(db.url)
  const posts = [caller(one.hooksUrl), caller(two.hooksUrl)]
  const answers: { id: string; verified: boolean }[] = []
  const statuses = new Map<number | 'lost', number>()
  const signIn = async (round: string, at: number) => {
    const login = `u${at % 500}@example.com`
    const id = `${round}-${at}`
    // Each user once wrong (at 500 to 999) and three times right.
    const password = at >= 500 && at < 1000 ? 'wrong' : `${login}?`
    const answer = await posts[at % 2]?.('/okta/password-import', passwordImport(login, password, id)).catch(
      () => undefined,
    )
    const status = answer?.status ?? 'lost'
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    if (answer?.status === 200) answers.push({ id, verified: answer.text.includes('"VERIFIED"') })
  }
  await Promise.all(Array.from({ length: 2000 }, (_, at) => signIn('a', at)))
  // Whatever cannot be answered in time on a busy machine is refused, and never as a verdict.
  expect([200, 408, 429, 503]).toEqual(expect.arrayContaining([...statuses.keys()]))
  expect(statuses.get(200)).toBeGreaterThan(500)
  expect(answers.filter(({ verified }) => verified).length).toBeGreaterThan(300)
  expect(
    answers.filter(
      ({ id, verified }) => verified !== !(Number(id.slice(2)) >= 500 && Number(id.slice(2)) < 1000),
    ),
  ).toEqual([])
  await expectRecorded(answers)
  expect((await runCommand(['counts', '--check'], { DATABASE_URL: db.url })).out).toContain('agree')

  const killed = new Promise((later) => setTimeout(later, 60)).then(() => one.child.kill('SIGKILL'))
  await Promise.all(Array.from({ length: 2000 }, (_, at) => signIn('b', at)))
  await killed
  expect(await one.ended).toBe('SIGKILL')
  expect(statuses.get('lost')).toBeGreaterThan(0)
  await expectRecorded(answers)
  const check = await runCommand(['counts', '--check', '--json'], { DATABASE_URL: db.url })
  expect([check.code, check.err]).toEqual([0, ''])
  two.child.kill('SIGTERM')
  expect(await two.ended).toBe(0)
})
