import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, SECRET } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const sample = JSON.parse(
  readFileSync(new URL('../dialects/fixtures/fusionauth.login.request.json', import.meta.url), 'utf8'),
)
const WRONG = 'Wrong-pa55word'

let db: TestDatabase
let service: ServiceProcess
let post: ReturnType<typeof caller>

beforeAll(async () => {
  plant(WRONG)
  db = await testDatabase()
  const known = { password_hash: md5(sample.password), hash_scheme: 'md5' }
  await loadUsers(db.url, [
    {
      ...known,
      id: '42',
      login: 'richard@example.com',
      profile: '{"given_name":"Richard","locale":"en-US","plan":"gold","groups":["user"],"inner":"stays"}',
    },
    { ...known, id: '43', login: 'off@example.com', status: 'disabled' },
    { id: '44', login: 'odd@example.com', password_hash: '{ODD}x' },
  ])
  service = await startProcess(db.url, {
    OKTA_HOOK_SECRETS: '',
    FUSIONAUTH_HOOK_SECRETS: SECRET,
    FUSIONAUTH_ATTRIBUTES: 'plan,groups',
    FUSIONAUTH_ROLES_ATTRIBUTE: 'groups',
    FUSIONAUTH_ID_NAMESPACE: '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
    VERIFIED_GRACE_SECONDS: '0',
  })
  post = caller(service.hooksUrl)
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await db.drop()
})

const login = (change: object = {}) => post('/fusionauth/login', { ...sample, ...change })

test.each([
  { title: 'a wrong password', change: { password: WRONG } },
  { title: 'an unknown login', change: { loginId: 'nobody@example.com' } },
  { title: 'a disabled user', change: { loginId: 'off@example.com' } },
  { title: 'a hash that nothing can read', change: { loginId: 'odd@example.com' } },
])('$title is 404 with the same bytes', async ({ change }) => {
  const { status, text } = await login(change)
  expect([status, text]).toEqual([404, ''])
})

test('the documented request is answered with the user, and once the old password is over with 404', async () => {
  const { status, json } = await login()
  expect([status, json]).toEqual([
    200,
    {
      user: {
        // Version 5 in the namespace of domain names, of `42`.
        id: '7c411b5e-9d3f-50b5-9c28-62096e41c4ed',
        email: 'richard@example.com',
        firstName: 'Richard',
        preferredLanguages: ['en_US'],
        active: true,
        verified: false,
        registrations: [{ applicationId: sample.applicationId, roles: ['user'] }],
        data: { plan: 'gold' },
      },
    },
  ])
  expect((await login()).status).toBe(404)
})

test.each([
  { title: 'no password', path: '/fusionauth/login', body: { loginId: 'a' }, status: 400 },
  { title: 'another path', path: '/fusionauth/other', body: sample, status: 404 },
  {
    title: 'a dialect that is not configured',
    path: '/verify',
    body: { identifier: 'a', password: 'b' },
    status: 404,
  },
])('$title is $status', async ({ path, body, status }) => {
  expect((await post(path, body)).status).toBe(status)
})
