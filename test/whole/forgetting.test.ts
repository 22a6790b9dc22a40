import { afterAll, beforeAll, expect, test } from 'vitest'
import { holders, moved } from '../forget/helpers.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, runCommand, startProcess } from '../helpers/process.ts'
import { caller, delivery, importEvent, passwordImport, signUp } from '../helpers/service.ts'
import { until } from '../helpers/until.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, cheapUsers(40))
})
afterAll(() => db.drop())

const AT_ONCE = { MIGRATED_GRACE_SECONDS: '0', PURGE_AFTER_SECONDS: '0', PURGE_EVERY_SECONDS: '1' }

test('two processes purge what is confirmed, while people sign in; the purged are answered as migrated, without an alarm', async () => {
  const services = [await startProcess(db.url, AT_ONCE), await startProcess(db.url, AT_ONCE)]
  const [one] = services
  if (one === undefined) throw new Error('not started')
  const post = caller(one.hooksUrl)
  const signIn = (at: number) =>
    post('/okta/password-import', passwordImport(`u${at}@example.com`, `u${at}@example.com?`, `e${at}`))
  const before = await Promise.all([0, 1, 2, 3].map(signIn))
  expect(before.map(({ text }) => text.includes('"VERIFIED"'))).toEqual([true, true, true, true])
  await post(
    '/okta/events',
    delivery(importEvent('u0@example.com', 'c0'), importEvent('u1@example.com', 'c1')),
  )
  await moved(
    db.owner,
    'migrated',
    1,
    Array.from({ length: 20 }, (_, at) => `id-${at + 10}`),
  )
  await until(async () => (await holders(db.owner)).length === 18)

  const after = await Promise.all([0, 2, 15, 35].map(signIn))
  expect(after.map(({ text }) => text.includes('"VERIFIED"'))).toEqual([false, true, false, true])
  await until(async () => /"verdict":"migrated".*"userId":"id-15"/.test(one.output()))
  expect(one.output()).toMatch(/"event":"attempt".*"verdict":"migrated".*"userId":"id-0"/)
  expect(one.output()).not.toContain('hash-unusable')
  const purgedAt = async (at: number) =>
    JSON.parse((await admin(one.adminUrl, `/users/u${at}@example.com`)).text).purgedAt
  expect([await purgedAt(0), await purgedAt(2)]).toEqual([expect.stringMatching(/^\d{4}-/), null])
  const purged = await Promise.all(
    services.map(async ({ adminUrl }) =>
      Number(
        /^carryover_hashes_purged_total (\d+)$/m.exec((await admin(adminUrl, '/metrics')).text)?.[1] ?? 0,
      ),
    ),
  )
  expect(purged.reduce((sum, users) => sum + users, 0)).toBe(22)
  const told = services.map(({ output }) => output()).join('')
  expect(told).toContain('"event":"purged"')
  expect(told).not.toContain('purge-failed')
  const check = await runCommand(['counts', '--check'], { DATABASE_URL: db.url })
  expect(check).toMatchObject({ code: 0, err: '' })
  for (const { child, ended } of services) {
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
  }
})

test('after an erasure the service knows nobody of that name, and the name is free', async () => {
  const service = await startProcess(db.url, AT_ONCE)
  const post = caller(service.hooksUrl)
  const login = 'u5@example.com'
  expect((await admin(service.adminUrl, `/users/${login}`)).status).toBe(200)
  expect((await post('/okta/registration', signUp(login))).text).toContain('DENY')
  expect(await runCommand(['erase', login], { DATABASE_URL: db.url })).toMatchObject({ code: 0, err: '' })
  expect((await admin(service.adminUrl, `/users/${login}`)).status).toBe(404)
  const signedIn = await post('/okta/password-import', passwordImport(login, `${login}?`))
  expect(signedIn.text).toContain('UNVERIFIED')
  expect((await post('/okta/registration', signUp(login))).text).toContain('ALLOW')
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  expect(service.output()).toMatch(/"verdict":"unknown-login"/)
})

test('with accounts of its own the service purges by one that can do nothing else, or says that it does not', async () => {
  const name = (await db.owner.query('select current_database() as name')).rows[0].name
  const accounts = ['hooks', 'admin', 'purge'].map((role) => `${role}_of_${name}`)
  const [hooks, looker, purger] = accounts.map((account) => db.url.replace('postgres@', `${account}@`))
  for (const [at, role] of ['hooks', 'admin', 'purge'].entries())
    await db.owner.query(`create user ${accounts[at]} in role carryover_${role}`)
  try {
    const narrow = {
      ...AT_ONCE,
      DATABASE_URL: '',
      HOOKS_DATABASE_URL: hooks ?? '',
      ADMIN_DATABASE_URL: looker ?? '',
    }
    const without = await startProcess(db.url, narrow)
    expect(without.output()).toContain('PURGE_DATABASE_URL is missing, and so is DATABASE_URL')
    without.child.kill('SIGTERM')
    expect(await without.ended).toBe(0)

    await moved(db.owner, 'migrated', 1, ['id-6'])
    await moved(db.owner, 'verified', 90_000, ['id-7'])
    const verified = { PURGE_VERIFIED: 'on' }
    const service = await startProcess(db.url, { ...narrow, ...verified, PURGE_DATABASE_URL: purger ?? '' })
    await until(async () => !(await holders(db.owner)).includes('id-6'))
    // Of those whom nobody confirmed only by a grant of its own.
    await until(async () => /purge-failed","code":"42501/.test(service.output()))
    expect(await holders(db.owner)).toContain('id-7')
    await db.owner.query(
      'grant execute on function carryover.purge_verified(timestamptz, text, int) to carryover_purge',
    )
    await until(async () => !(await holders(db.owner)).includes('id-7'))
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
  } finally {
    await db.owner.query(`drop owned by ${accounts.join(', ')}; drop user ${accounts.join(', ')}`)
  }
})
