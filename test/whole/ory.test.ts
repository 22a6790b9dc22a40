import { readFileSync } from 'node:fs'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kratosClient } from '../dialects/kratos-client.ts'
import { plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, SECOND_SECRET, SECRET } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const RIGHT = 'Right-pa55word'
const FIXTURES = new URL('../dialects/fixtures/', import.meta.url)

let db: TestDatabase
let service: ServiceProcess
let kratos: ReturnType<typeof kratosClient>

beforeAll(async () => {
  plant(RIGHT)
  db = await testDatabase()
  const cheap = { password_hash: md5(RIGHT), hash_scheme: 'md5' }
  await loadUsers(db.url, [
    { id: '1', login: 'pw-migration@example.org', password_hash: bcrypt.hashSync('the-password', 4) },
    { id: '2', login: 'user@example.com', password_hash: md5('123456'), hash_scheme: 'md5' },
    {
      id: '3',
      login: 'ann',
      email: 'ann@example.org',
      ...cheap,
      profile: '{"given_name":"Ann","plan":"gold"}',
    },
    { id: '4', login: 'off@example.org', ...cheap, status: 'disabled' },
    { id: '5', login: 'odd@example.org', password_hash: '{ODD}x' },
    { id: '6', login: 'guessed@example.org', ...cheap },
    { id: '7', login: 'moved@example.org', ...cheap },
  ])
  service = await startProcess(db.url, {
    ORY_HOOK_SECRETS: SECOND_SECRET,
    ORY_REGISTRATION: 'allow',
    ORY_REGISTRATION_ATTRIBUTES: 'given_name',
    ORY_TRAIT_NAMES: 'given_name=name.first',
  })
  kratos = kratosClient(service.hooksUrl, SECOND_SECRET)
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await db.drop()
})

test.each(['ory.password-migration.request.json', 'ory.password-migration.request.full-context.json'])(
  'plays %s',
  async (name) => {
    const post = caller(service.hooksUrl, SECOND_SECRET)
    const body = readFileSync(new URL(name, FIXTURES), 'utf8')
    expect(await post('/ory/password-migration', body)).toEqual({
      status: 200,
      text: '{"status":"password_match"}',
      json: JSON.parse(readFileSync(new URL('ory.password-migration.response.match.json', FIXTURES), 'utf8')),
    })
  },
)

test.each([
  { title: 'by login', login: 'Ann', password: RIGHT, outcome: 'signed-in' },
  { title: 'by e-mail address', login: ' ANN@example.org ', password: RIGHT, outcome: 'signed-in' },
  { title: 'a wrong password', login: 'ann', password: 'wrong', outcome: 'refused' },
  { title: 'an unknown login', login: 'nobody', password: RIGHT, outcome: 'refused' },
  { title: 'a disabled user', login: 'off@example.org', password: RIGHT, outcome: 'refused' },
  { title: 'a hash that nothing can read', login: 'odd@example.org', password: RIGHT, outcome: 'refused' },
  { title: 'an empty password', login: 'ann', password: '', outcome: 'refused' },
])('$title: $outcome', async ({ login, password, outcome }) => {
  expect(await kratos.migratePassword(login, password)).toMatchObject({ outcome, tries: 1 })
})

test('after ten guesses the right password is refused as well, and the history has the trigger ids', async () => {
  const triggers: string[] = []
  for (let at = 0; at < 10; at++)
    triggers.push((await kratos.migratePassword('guessed@example.org', `guess ${at}`)).trigger)
  expect(await kratos.migratePassword('guessed@example.org', RIGHT)).toMatchObject({
    outcome: 'refused',
    tries: 1,
  })
  const { history } = (await admin(service.adminUrl, '/users/guessed@example.org')).json() as {
    history: { verdict: string; requestId: string }[]
  }
  expect(history[0]?.verdict).toBe('throttled')
  expect(history.slice(1).map(({ requestId }) => requestId)).toEqual(triggers.reverse())
})

test('the tries of one sign-in are one refusal', async () => {
  const post = caller(service.hooksUrl, SECOND_SECRET)
  const ask = async (trigger: string, password: string) => {
    plant(password)
    const body = { identifier: 'moved@example.org', password }
    return (await post('/ory/password-migration', body, { 'ory-webhook-trigger-id': trigger })).status
  }
  for (let at = 0; at < 9; at++)
    for (let tries = 0; tries < 3; tries++) expect(await ask(`trigger-${at}`, `guess no. ${at}`)).toBe(403)
  expect(await ask('trigger-9', RIGHT)).toBe(200)
  expect(await ask('trigger-10', 'the tenth guess')).toBe(403)
  expect(await ask('trigger-11', RIGHT)).toBe(403)
})

test('a registration that is allowed gets what is on record, and keeps what was typed', async () => {
  expect(await kratos.register({ email: 'ann@example.org', name: { last: 'Lee' } })).toMatchObject({
    outcome: 'registered',
    status: 200,
    traits: { email: 'ann@example.org', name: { last: 'Lee', first: 'Ann' } },
  })
  expect(await kratos.register({ email: 'new@example.org' })).toMatchObject({
    status: 204,
    outcome: 'registered',
  })
})

test('the secret of another dialect is a stranger, told loudly and at once', async () => {
  const stranger = kratosClient(service.hooksUrl, SECRET)
  expect(await stranger.migratePassword('ann', RIGHT)).toMatchObject({
    outcome: 'bad-gateway',
    status: 401,
    tries: 1,
  })
})
