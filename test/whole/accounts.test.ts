import { afterAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, runCommand, startProcess } from '../helpers/process.ts'
import { caller, passwordImport, SECRET, TOKEN } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

let db: TestDatabase
afterAll(() => db.drop())

/** The same database for another account. */
function as(account: string): string {
  return db.url.replace('postgres@', `${account}@`)
}

test('an owner without superuser rights migrates, loads and serves; so do two accounts that have one role each', async () => {
  db = await testDatabase('template0')
  const name = (await db.owner.query('select current_database() as name')).rows[0].name
  const [owner, hooks, looker] = ['owner', 'hooks', 'looker'].map((account) => `${account}_${name}`)
  await db.owner.query(`create user ${owner} createrole; alter database ${name} owner to ${owner}`)
  // Another test made the roles before, as an administrator would.
  await db.owner.query(`grant carryover_hooks, carryover_admin to ${owner}`)
  await db.owner.query(
    `create user ${hooks} in role carryover_hooks; create user ${looker} in role carryover_admin`,
  )
  try {
    expect(await runCommand(['migrate'], { DATABASE_URL: as(owner ?? '') })).toMatchObject({ code: 0 })
    await loadUsers(as(owner ?? ''), cheapUsers(3))
    const narrow = {
      DATABASE_URL: '',
      HOOKS_DATABASE_URL: as(hooks ?? ''),
      ADMIN_DATABASE_URL: as(looker ?? ''),
    }
    for (const [login, environment] of [
      ['u0@example.com', {}],
      ['u1@example.com', narrow],
    ] as const) {
      const service = await startProcess(as(owner ?? ''), environment)
      expect(
        (await caller(service.hooksUrl)('/okta/password-import', passwordImport(login, `${login}?`))).text,
      ).toContain('"VERIFIED"')
      expect((await admin(service.adminUrl, `/users/${login}`)).text).toContain('"state":"verified"')
      service.child.kill('SIGTERM')
      expect(await service.ended).toBe(0)
    }
    const swapped = await runCommand(['serve'], {
      ...narrow,
      HOOKS_DATABASE_URL: as('nobody_at_all'),
      ADMIN_TOKENS: TOKEN,
      OKTA_HOOK_SECRETS: SECRET,
    })
    expect([swapped.code, swapped.err]).toEqual([1, expect.stringContaining('the database cannot be used')])
  } finally {
    await db.owner.query(
      `reassign owned by ${owner} to postgres; drop owned by ${owner}, ${hooks}, ${looker}; drop user ${owner}, ${hooks}, ${looker}`,
    )
  }
})
