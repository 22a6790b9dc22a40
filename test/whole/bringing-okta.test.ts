// The part of bringing users that only a provider with confirmations has: by its events, by its log, and what becomes of a
// password that is changed in the old system afterwards.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canaryFormsIn, mintCanaries, plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, runCommand, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, delivery, importEvent, SECRET } from '../helpers/service.ts'
import { type OktaSimulator, startOkta } from '../helpers/simulators/okta.ts'
import { createSystemLog, type SystemLog } from '../helpers/simulators/okta-log.ts'
import { md5 } from '../helpers/users.ts'
import { scratch } from '../load/helpers.ts'

const HEAD = 'id,login,email,password_hash,hash_scheme,profile,updated_at'

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
let okta: OktaSimulator
let log: SystemLog
let service: ServiceProcess
let env: Record<string, string>

const canaries = mintCanaries(8)
const passwords = new Map<string, string>()

/** A row with a new password. What Okta reads is `md5`; the other one is for the hook. */
function row(name: string, scheme: 'md5' | 'md5(hex(md5($pass)))', family = 'Example'): string {
  const password = canaries.pop() ?? ''
  plant(password)
  passwords.set(name, password)
  const hash = scheme === 'md5' ? md5(password) : md5(md5(password))
  const profile = `"{""given_name"":""${name}"",""family_name"":""${family}""}"`
  const login = `${name}@example.com`
  return [`L-${name}`, login, login, hash, scheme, profile, '2020-01-01T00:00:00Z'].join(',')
}

const TWICE = 'md5(hex(md5($pass)))'

beforeAll(async () => {
  db = await testDatabase()
  files = await scratch()
  log = createSystemLog(() => okta.url)
  okta = await startOkta({ also: (asked) => log.answer(asked) ?? undefined })
  const token = await files.file('token', okta.token)
  env = {
    DATABASE_URL: db.url,
    SECRET_FILE_MODE: '0444',
    OKTA_PROVISION_URL: okta.url,
    OKTA_PROVISION_TOKEN_FILE: token,
    OKTA_RECONCILE_URL: okta.url,
    OKTA_RECONCILE_TOKEN_FILE: token,
    OUTBOUND_CA_FILE: await files.file('ca.pem', okta.ca),
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.0/8',
  }
  service = await startProcess(db.url)
  okta.setHook({ url: `${service.hooksUrl}/okta/password-import`, authorization: SECRET })
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  expect(canaryFormsIn(service.output())).toBe(0)
  await okta.close()
  await db.drop()
  await files.remove()
})

async function carryover(...args: string[]) {
  const { code, out, err } = await runCommand([...args, '--json'], env)
  expect(canaryFormsIn(out + err), `carryover ${args[0]} tells of passwords`).toBe(0)
  expect(out + err).not.toContain(okta.token)
  return { code, err, json: JSON.parse(out) }
}

async function load(...rows: string[]) {
  const { code, err, json } = await carryover(
    'load',
    await files.file('users.csv', [HEAD, ...rows, ''].join('\n')),
  )
  expect(code, err).toBe(0)
  return json
}

/** Makes a plan and carries it out. */
async function bring(...options: string[]) {
  const { code, err, json } = await carryover('plan', 'okta', ...options)
  expect(code, err + JSON.stringify(json?.findings)).toBe(0)
  const run = await carryover('provision', json.plan)
  expect(run.code, run.err).toBe(0)
  return { byAction: json.byAction, byMethod: json.byMethod, byWhy: json.byWhy, toDo: json.toDo }
}

const signIn = (name: string, password = passwords.get(name) ?? '') =>
  okta.signIn(`${name}@example.com`, password)

async function counts() {
  expect((await carryover('counts', '--check')).json).toMatchObject({ agree: true })
  const { unmigrated, verified, migrated } = (await admin(service.adminUrl, '/counts')).json() as Record<
    string,
    number
  >
  return { unmigrated, verified, migrated }
}

test('users are brought, sign in, and are confirmed by an event and by the log', async () => {
  await load(row('ann', 'md5'), row('bob', TWICE), row('cyd', TWICE), row('dee', TWICE))
  expect(await bring()).toMatchObject({ byMethod: { hash: 1, hook: 3, reset: 0, none: 0 } })
  for (const name of ['ann', 'bob', 'cyd']) expect([name, await signIn(name)]).toEqual([name, 'signed-in'])
  expect(await signIn('dee', passwords.get('bob'))).toBe('refused')
  expect(await counts()).toEqual({ unmigrated: 2, verified: 2, migrated: 0 })

  const post = caller(service.hooksUrl)
  const event = delivery(importEvent('bob@example.com', 'event-bob'))
  expect((await post('/okta/events', event)).status).toBe(204)
  expect(await counts()).toEqual({ unmigrated: 2, verified: 1, migrated: 1 })
  log.add(
    { ...importEvent('bob@example.com', 'event-bob'), published: new Date().toISOString() },
    { ...importEvent('cyd@example.com', randomUUID()), published: new Date().toISOString() },
  )
  expect((await carryover('reconcile', 'okta', '--all')).code).toBe(0)
  // Of Ann, whose hash Okta had, it says so, too: she has a password of Okta's own.
  expect(await counts()).toEqual({ unmigrated: 1, verified: 0, migrated: 3 })
})

test('a password that is changed in the old system is what the policy says', async () => {
  const before = passwords.get('bob')
  const summary = await load(row('bob', TWICE), row('dee', TWICE), row('eve', TWICE))
  expect(summary).toMatchObject({ added: 1, changed: 2, changedAfterMigration: 1 })
  const left = await bring()
  expect(left).toMatchObject({ toDo: 1, byAction: { create: 1, update: 0 } })
  expect(left.byWhy).toContainEqual({ action: 'none', method: 'none', why: 'password-stays-old', users: 1 })
  expect([await signIn('bob', before), await signIn('dee'), await signIn('eve')]).toEqual([
    'signed-in',
    'signed-in',
    'signed-in',
  ])
  expect(await counts()).toEqual({ unmigrated: 0, verified: 2, migrated: 3 })

  expect(await bring('--changed-passwords', 'ask-again')).toMatchObject({
    toDo: 1,
    byAction: { create: 0, update: 1 },
    byMethod: { hook: 1 },
  })
  expect(await counts()).toEqual({ unmigrated: 1, verified: 2, migrated: 2 })
  expect([await signIn('bob', before), await signIn('bob')]).toEqual(['refused', 'signed-in'])
  expect(await counts()).toEqual({ unmigrated: 0, verified: 3, migrated: 2 })
  expect(await bring('--changed-passwords', 'ask-again')).toMatchObject({ toDo: 0 })
})
