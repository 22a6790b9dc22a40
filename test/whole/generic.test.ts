import { afterAll, beforeAll, expect, test } from 'vitest'
import { plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, SECRET } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const RIGHT = 'Right-pa55word'

let db: TestDatabase
let service: ServiceProcess
let post: ReturnType<typeof caller>

beforeAll(async () => {
  plant(RIGHT)
  db = await testDatabase()
  await loadUsers(db.url, [
    { id: '42', login: 'ann@example.com', password_hash: md5(RIGHT), hash_scheme: 'md5' },
  ])
  service = await startProcess(db.url, {
    OKTA_HOOK_SECRETS: '',
    GENERIC_HOOK_SECRETS: SECRET,
    VERIFIED_GRACE_SECONDS: '0',
  })
  post = caller(service.hooksUrl)
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await db.drop()
})

test('nobody is looked up without a password until a setting says so', async () => {
  for (const identifier of ['ann@example.com', 'nobody@example.com']) {
    const { status, text } = await post('/verify', { identifier, purpose: 'lookup' })
    expect([status, text]).toEqual([
      400,
      '{"status":400,"title":"the request does not have the expected shape"}',
    ])
  }
})

test('an old password that has matched does not come back after the grace period', async () => {
  const verdict = async () =>
    (await post('/verify', { identifier: 'ann@example.com', password: RIGHT, purpose: 'login' })).json.verdict
  expect(await verdict()).toBe('match')
  expect(await verdict()).toBe('wrong_password')
})

test.each(['/verify/', '/verify/more', '/generic/verify', '/generic', '/other'])(
  '%s is 404 with the same bytes as everything unknown',
  async (path) => {
    const { status, text } = await post(path, { identifier: 'ann@example.com', password: RIGHT })
    expect([status, text]).toEqual([404, '{"status":404,"title":"not found"}'])
  },
)
