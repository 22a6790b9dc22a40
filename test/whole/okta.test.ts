import { readdirSync, readFileSync } from 'node:fs'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, type ServiceProcess, startProcess } from '../helpers/process.ts'
import {
  caller,
  delivery,
  importEvent,
  passwordImport,
  SECOND_SECRET,
  SECRET,
  signUp,
} from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const FIXTURES = new URL('../dialects/fixtures/', import.meta.url)
const verdict = (word: string) => ({
  commands: [{ type: 'com.okta.action.update', value: { credential: word } }],
})

const RIGHT = 'Right-pa55word'

let db: TestDatabase
let service: ServiceProcess
let post: ReturnType<typeof caller>

beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, [
    {
      id: '1',
      login: 'isaac.brock@example.com',
      password_hash: bcrypt.hashSync('Okta', 10),
      profile: '{"given_name":"Isaac"}',
    },
    {
      id: '2',
      login: 'rosario.jones@example.com',
      email: 'rj@example.com',
      password_hash: md5('a'),
      hash_scheme: 'md5',
    },
    { id: '3', login: 'john.doe@example.com', password_hash: md5('a'), hash_scheme: 'md5' },
    {
      id: '4',
      login: 'off@example.com',
      password_hash: md5(RIGHT),
      hash_scheme: 'md5',
      status: 'disabled',
    },
    { id: '5', login: 'odd@example.com', password_hash: '{ODD}x' },
    { id: '6', login: 'dear@example.com', password_hash: `$2b$31$${'a'.repeat(21)}u${'a'.repeat(31)}` },
    { id: '7', login: 'guessed@example.com', password_hash: md5(RIGHT), hash_scheme: 'md5' },
    { id: '8', login: 'moved@example.com', password_hash: md5(RIGHT), hash_scheme: 'md5' },
    {
      id: '9',
      login: 'twin@example.com',
      email: 'both@example.com',
      password_hash: md5(RIGHT),
      hash_scheme: 'md5',
    },
    {
      id: '10',
      login: 'twin2@example.com',
      email: 'both@example.com',
      password_hash: md5(RIGHT),
      hash_scheme: 'md5',
    },
  ])
  service = await startProcess(db.url, {
    OKTA_HOOK_SECRETS: `${SECRET},${SECOND_SECRET}`,
    MIGRATED_GRACE_SECONDS: '0',
  })
  post = caller(service.hooksUrl)
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await db.drop()
})

const requests = readdirSync(FIXTURES).filter(
  (name) => name.startsWith('okta.') && name.includes('.request.') && name.endsWith('.json'),
)

test.each(requests)('plays %s', async (name) => {
  const body = readFileSync(new URL(name, FIXTURES), 'utf8')
  const path = name.includes('password-import') ? '/okta/password-import' : '/okta/registration'
  const { status, json } = await post(path, body)
  if (name.includes('password-import')) expect([status, json]).toEqual([200, verdict('VERIFIED')])
  else if (name.includes('progressive')) expect([status, json]).toEqual([204, undefined])
  else if (name.includes('jessie') || body.includes('jessie.smith')) {
    expect([status, json]).toEqual([
      200,
      { commands: [{ type: 'com.okta.action.update', value: { registration: 'ALLOW' } }] },
    ])
  } else {
    expect([status, json.commands[0].value, json.error.errorCauses[0].location]).toEqual([
      200,
      { registration: 'DENY' },
      'data.userProfile.login',
    ])
  }
})

test('plays the verification of the event hook and the official delivery', async () => {
  const [head = ''] = readFileSync(
    new URL('okta.event-hook.verification.request.http.txt', FIXTURES),
    'utf8',
  ).split('\n\n')
  const lines = head
    .split('\n')
    .slice(1)
    .map((line) => line.split(': ') as [string, string])
  const headers = Object.fromEntries(lines.filter(([name]) => name !== 'Host' && name !== ''))
  const response = await fetch(`${service.hooksUrl}/okta/events`, {
    headers: { ...headers, Authorization: SECRET },
  })
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(await response.json()).toEqual(
    JSON.parse(readFileSync(new URL('okta.event-hook.verification.response.json', FIXTURES), 'utf8')),
  )
  expect((await fetch(`${service.hooksUrl}/okta/events`, { headers })).status).toBe(401)
  const sample = readFileSync(new URL('okta.event-hook.delivery.user.session.start.json', FIXTURES), 'utf8')
  expect((await post('/okta/events', sample)).status).toBe(204)
})

describe('verdicts', () => {
  test.each([
    { title: 'a wrong password', login: 'isaac.brock@example.com', password: 'okta' },
    { title: 'an unknown login', login: 'nobody@example.com', password: RIGHT },
    { title: 'a disabled user', login: 'off@example.com', password: RIGHT },
    { title: 'a hash that nothing can read', login: 'odd@example.com', password: RIGHT },
    { title: 'a hash that costs too much', login: 'dear@example.com', password: RIGHT },
    { title: 'an e-mail address of two users', login: 'both@example.com', password: RIGHT },
    { title: 'an empty password', login: 'twin@example.com', password: '' },
    { title: 'a password with NUL', login: 'twin@example.com', password: `${RIGHT}\0` },
    { title: 'a password of 5000 bytes', login: 'twin@example.com', password: 'x'.repeat(5000) },
    { title: 'a password that is not valid Unicode', login: 'twin@example.com', password: '\ud800' },
    { title: 'a login with NUL', login: 'twin\0', password: RIGHT },
    { title: 'a login of 5000 characters', login: 'x'.repeat(5000), password: RIGHT },
  ])('$title is UNVERIFIED', async ({ login, password }) => {
    const { status, json } = await post('/okta/password-import', passwordImport(login, password))
    expect([status, json]).toEqual([200, verdict('UNVERIFIED')])
  })

  test('the same again gives the same verdict again', async () => {
    for (let at = 0; at < 3; at++) {
      expect((await post('/okta/password-import', passwordImport(' Twin@Example.com ', RIGHT))).json).toEqual(
        verdict('VERIFIED'),
      )
    }
    expect((await post('/okta/password-import', passwordImport('twin2@example.com', RIGHT))).json).toEqual(
      verdict('VERIFIED'),
    )
  })

  test('a hash that costs too much is refused before any work, and alarmed', async () => {
    const { text } = await admin(service.adminUrl, '/metrics')
    expect(text).toMatch(/carryover_unusable_hashes_total\{defect="too-costly"\} [1-9]/)
    expect(text).toMatch(/carryover_unusable_hashes_total\{defect="unrecognised"\} [1-9]/)
    expect(text).toMatch(/carryover_ambiguous_logins_total [1-9]/)
    expect(service.output()).toContain(
      '"event":"hash-unusable","userId":"6","scheme":"bcrypt","defect":"too-costly"',
    )
  })

  test('ten wrong guesses are checked, then even the right password is refused, and the history says why', async () => {
    for (let at = 0; at < 10; at++)
      await post('/okta/password-import', passwordImport('guessed@example.com', `guess ${at}`))
    expect((await post('/okta/password-import', passwordImport('guessed@example.com', RIGHT))).json).toEqual(
      verdict('UNVERIFIED'),
    )
    const history = (await admin(service.adminUrl, '/users/guessed@example.com')).json() as {
      state: string
      history: { verdict: string }[]
    }
    expect(history.history[0]?.verdict).toBe('throttled')
    expect(history.history).toHaveLength(11)
    expect(history.state).toBe('unmigrated')
  })
})

test('from the first sign-in to the confirmation', async () => {
  const state = async () =>
    ((await admin(service.adminUrl, '/users/moved@example.com')).json() as { state?: string }).state
  expect((await post('/okta/registration', signUp('moved@example.com'))).json.commands[0].value).toEqual({
    registration: 'DENY',
  })
  expect(await state()).toBe('unmigrated')
  expect((await post('/okta/password-import', passwordImport('moved@example.com', RIGHT))).json).toEqual(
    verdict('VERIFIED'),
  )
  expect(await state()).toBe('verified')
  await post('/okta/events', delivery(importEvent('moved@example.com', 'e1', 'FAILURE')))
  expect(await state()).toBe('verified')
  const events = delivery(
    importEvent('stranger@example.com', 'e2'),
    importEvent('Moved@Example.com', 'e3'),
    importEvent('moved@example.com', 'e3'),
  )
  expect((await post('/okta/events', events)).status).toBe(204)
  expect((await post('/okta/events', events)).status).toBe(204)
  expect(await state()).toBe('migrated')
  expect((await post('/okta/password-import', passwordImport('moved@example.com', RIGHT))).json).toEqual(
    verdict('UNVERIFIED'),
  )
  expect((await post('/okta/registration', signUp('moved@example.com'))).json.commands[0].value).toEqual({
    registration: 'ALLOW',
  })
})

test('the admin listener counts what happened', async () => {
  const counts = (await admin(service.adminUrl, '/counts')).json() as Record<string, number>
  expect(counts).toMatchObject({ total: 10, migrated: 1, unverifiable: 2 })
  expect(counts.total).toBe(Number(counts.unmigrated) + Number(counts.verified) + Number(counts.migrated))
  expect((await fetch(`${service.adminUrl}/readyz`)).status).toBe(200)
  expect((await fetch(`${service.hooksUrl}/counts`)).status).toBe(404)
})

test('a name that two users answer to may not register', async () => {
  expect(
    (await post('/okta/registration', signUp('new@example.com', 'BOTH@example.com'))).json.error
      .errorCauses[0].location,
  ).toBe('data.userProfile.email')
})
