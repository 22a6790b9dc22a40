import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { signed, signingKey, tokenIssuer } from '../helpers/tokens.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

// Okta's hook channel with OAuth 2.0: the hook calls with an access token of an authorization server of the customer's.
const ISSUER = 'https://example.okta.com/oauth2/default'
const AUDIENCE = 'api://carryover'
const CLIENT = '0oa1example'

const key = signingKey('first')
const nextKey = signingKey('second')
const stranger = signingKey('first')
const claims = (change: object = {}) => ({
  iss: ISSUER,
  aud: AUDIENCE,
  cid: CLIENT,
  scp: ['hooks'],
  exp: Math.floor(Date.now() / 1_000) + 300,
  ...change,
})

let db: TestDatabase
let issuer: Awaited<ReturnType<typeof tokenIssuer>>
let service: ServiceProcess
beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, cheapUsers(1))
  issuer = await tokenIssuer(key)
  service = await startProcess(db.url, {
    OKTA_HOOK_SECRETS: '',
    OKTA_TOKEN_ISSUER: ISSUER,
    OKTA_TOKEN_AUDIENCE: AUDIENCE,
    OKTA_TOKEN_CLIENTS: CLIENT,
    OKTA_TOKEN_KEYS_URL: issuer.url,
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.1',
    OKTA_TOKEN_SCOPE: 'hooks',
  })
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  await service.ended
  await issuer.close()
  await db.drop()
})

async function statusFor(authorization: string): Promise<number> {
  const question = passwordImport('u0@example.com', 'u0@example.com?')
  return (await caller(service.hooksUrl, authorization)('/okta/password-import', question)).status
}

test('the keys are fetched before the first call, and not again for one', async () => {
  expect(issuer.fetches()).toBe(1)
  expect(await statusFor(`Bearer ${await signed(claims(), key)}`)).toBe(200)
  expect(issuer.fetches()).toBe(1)
})

test.for([
  { title: 'another audience', change: { aud: 'api://other' } },
  { title: 'another issuer', change: { iss: 'https://evil.example.com' } },
  { title: 'another client', change: { cid: '0oa2other' } },
  { title: 'no scope', change: { scp: undefined } },
  { title: 'a token that has expired', change: { exp: Math.floor(Date.now() / 1_000) - 3_600 } },
])('$title is a stranger', async ({ change }) => {
  expect(await statusFor(`Bearer ${await signed(claims(change), key)}`)).toBe(401)
})

test('a key of the same name that is not the issuer’s is a stranger', async () => {
  expect(await statusFor(`Bearer ${await signed(claims(), stranger)}`)).toBe(401)
})

test('a key that the issuer has added since is known at the first token that names it', async () => {
  issuer.publish(key, nextKey)
  expect(await statusFor(`Bearer ${await signed(claims(), nextKey)}`)).toBe(200)
})
