import { request as httpRequest } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keycloakClient } from '../dialects/keycloak-client.ts'
import { plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { SECOND_SECRET, SECRET } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const RIGHT = 'Right-pa55word'
const UUID = '0d0ed560-43ce-42a9-bd40-aafe921c3af1'

let db: TestDatabase
let service: ServiceProcess
let plugin: ReturnType<typeof keycloakClient>

beforeAll(async () => {
  plant(RIGHT)
  db = await testDatabase()
  const cheap = { password_hash: md5(RIGHT), hash_scheme: 'md5' }
  const lucy = {
    given_name: 'Lucy',
    family_name: 'Brennan',
    email_verified: true,
    'attribute 1': ['value1', 'value 2'],
    roles: ['role 1'],
    salary: 1,
  }
  await loadUsers(db.url, [
    { id: UUID, login: 'Lucy', email: 'Lucy@example.com', ...cheap, profile: JSON.stringify(lucy) },
    { id: '2', login: 'some Username', ...cheap },
    { id: '3', login: 'bob+tag@x.io', email: 'bob@x.io', ...cheap },
    { id: '4', login: 'bob tag@x.io', password_hash: md5('x'), hash_scheme: 'md5' },
    { id: '5', login: 'CORP/jürgen', ...cheap },
    { id: '6', login: 'off', ...cheap, status: 'disabled' },
    { id: '7', login: 'guessed', ...cheap },
  ])
  service = await startProcess(db.url, {
    KEYCLOAK_HOOK_SECRETS: SECOND_SECRET,
    KEYCLOAK_LOOKUP: 'on',
    KEYCLOAK_ATTRIBUTES: 'attribute 1,roles',
    KEYCLOAK_ROLES_ATTRIBUTE: 'roles',
  })
  plugin = keycloakClient(`${service.hooksUrl}/keycloak/users`, SECOND_SECRET)
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await db.drop()
})

test.each([
  { typed: 'lucy', outcome: 'signed-in' },
  { typed: 'LUCY@example.com', outcome: 'signed-in' },
  { typed: 'some Username', outcome: 'signed-in' },
  { typed: 'bob+tag@x.io', outcome: 'signed-in' },
  { typed: 'bob@x.io', outcome: 'signed-in' },
  { typed: 'bob tag@x.io', outcome: 'wrong-password' },
  { typed: 'corp/JÜRGEN', outcome: 'signed-in' },
  { typed: 'off', outcome: 'disabled' },
  { typed: 'nobody', outcome: 'unknown' },
  { typed: '%', outcome: 'unknown' },
  { typed: 'a\0b', outcome: 'unknown' },
])('$typed: $outcome, with one slash and with two', async ({ typed, outcome }) => {
  expect(await plugin.signIn(typed, RIGHT)).toMatchObject({ outcome })
  const slashed = keycloakClient(`${service.hooksUrl}/keycloak/users/`, SECOND_SECRET)
  expect(await slashed.signIn(typed, RIGHT)).toMatchObject({ outcome })
})

test('the whole user, with what may go out and nothing else', async () => {
  expect(await plugin.findByUsername('lucy')).toEqual({
    id: UUID,
    username: 'lucy',
    email: 'Lucy@example.com',
    firstName: 'Lucy',
    lastName: 'Brennan',
    enabled: true,
    emailVerified: true,
    attributes: { 'attribute 1': ['value1', 'value 2'] },
    roles: ['role 1'],
  })
})

test('after ten guesses the right password is refused as well; look-ups are on record', async () => {
  for (let at = 0; at < 10; at++) expect(await plugin.isPasswordValid('guessed', `guess ${at}`)).toBe(false)
  expect(await plugin.signIn('guessed', RIGHT)).toMatchObject({ outcome: 'wrong-password' })
  const { history } = (await admin(service.adminUrl, '/users/guessed')).json() as {
    history: { verdict: string }[]
  }
  expect(history.slice(0, 3).map(({ verdict }) => verdict)).toEqual(['throttled', 'found', 'mismatch'])
})

describe('what is no question of the plug-in', () => {
  const send = (method: string, path: string, authorization = SECOND_SECRET) =>
    new Promise<number | undefined>((answered, failed) => {
      const { port } = new URL(service.hooksUrl)
      const headers = { authorization, 'content-type': 'application/json' }
      httpRequest({ host: '127.0.0.1', port, method, path, headers }, (response) => {
        response.resume()
        answered(response.statusCode)
      })
        .on('error', failed)
        .end(method === 'POST' ? JSON.stringify({ password: RIGHT }) : undefined)
    })

  test.each([
    { method: 'GET', path: '/keycloak/users', status: 400 },
    { method: 'POST', path: '/keycloak/users/', status: 400 },
    { method: 'POST', path: '/keycloak/users/%C3%28', status: 400 },
    { method: 'GET', path: '/keycloak/users/a/lucy', status: 400 },
    { method: 'GET', path: '/keycloak/users/../users/lucy', status: 400 },
    { method: 'POST', path: '//keycloak/users/lucy', status: 404 },
    { method: 'POST', path: '/keycloak/Users/lucy', status: 404 },
    { method: 'HEAD', path: '/keycloak/users/lucy', status: 404 },
    { method: 'PUT', path: '/keycloak/users/lucy', status: 404 },
    { method: 'OPTIONS', path: '/keycloak/users/lucy', status: 404 },
    { method: 'POST', path: '/ory/password-migration', status: 404 },
  ])('$method $path is $status', async ({ method, path, status }) => {
    expect(await send(method, path)).toBe(status)
  })

  test('the secret of another dialect is a stranger', async () => {
    expect([
      await send('GET', '/keycloak/users/lucy', SECRET),
      await send('POST', '/keycloak/users/lucy', SECRET),
    ]).toEqual([401, 401])
  })
})
