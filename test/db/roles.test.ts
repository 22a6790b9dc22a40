import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await db.owner.query(`insert into legacy.users (id, login, password_hash) values ('1', 'ann', 'canary')`)
})
afterAll(() => db.drop())

const writes = [
  'legacy.users',
  'carryover.users',
  'carryover.outcomes',
  'carryover.counts',
  'carryover.refusals',
  'carryover.confirmed_events',
  'carryover.installation',
  'carryover.probes',
].flatMap((name) => [
  `delete from ${name}`,
  `truncate ${name}`,
  `drop table ${name}`,
  `alter table ${name} add x int`,
])

const forbidden: Record<string, string[]> = {
  carryover_hooks: [
    ...writes,
    'select * from legacy.users',
    'select count(*) from legacy.users',
    'select id from legacy.users',
    'select * from carryover.users',
    'select * from carryover.outcomes',
    'select * from carryover.counts',
    'select * from carryover.installation',
    'copy legacy.users to stdout',
    `insert into carryover.outcomes (dialect, hook, verdict, millis) values ('a', 'b', 'match', 0)`,
    `update carryover.users set state = 'migrated'`,
    `insert into legacy.users (id, login) values ('2', 'b')`,
    `select carryover.add_counts('[]')`,
    `select carryover.candidates('ann')`,
    `select carryover.login_digest('ann')`,
    'create table carryover.mine (id int)',
    'create function carryover.mine() returns int language sql as $$ select 1 $$',
    'create or replace function carryover.schema_version() returns bigint language sql as $$ select 1::bigint $$',
    'set role carryover_admin',
  ],
  carryover_admin: [
    ...writes,
    'select * from legacy.users',
    'select password_hash from legacy.users',
    'select profile from legacy.users',
    `update carryover.users set state = 'migrated'`,
    'select * from carryover.installation',
    'select * from carryover.refusals',
    `select * from carryover.find_users(array['ann'], '1 s')`,
    `select * from carryover.record_outcomes('[]', 1, '1 s', 1, gen_random_uuid(), 0)`,
    `select * from carryover.confirm_users('[]', gen_random_uuid(), 0)`,
    `select carryover.login_digest('ann')`,
    'create table carryover.mine (id int)',
    'copy legacy.users to stdout',
    'set role carryover_hooks',
  ],
}

const cases = Object.entries(forbidden).flatMap(([role, statements]) =>
  statements.map((statement) => ({ role, statement })),
)

describe.each(['carryover_hooks', 'carryover_admin'])('%s', (role) => {
  test.each(cases.filter((one) => one.role === role))('may not: $statement', async ({ statement }) => {
    // As an account that has this one role: `set role` from a superuser could always go back.
    await db.owner.query(`begin; set local session authorization ${role}`)
    try {
      await expect(db.owner.query(statement)).rejects.toMatchObject({ code: '42501' })
    } finally {
      await db.owner.query('rollback')
    }
  })
})

test('the hooks role finds and records, the admin role counts', async () => {
  await db.owner.query('set session authorization carryover_hooks')
  expect((await db.owner.query(`select id from carryover.find_users(array['ANN'], '1 s')`)).rows).toEqual([
    { id: '1' },
  ])
  await db.owner.query('reset session authorization; set session authorization carryover_admin')
  expect((await db.owner.query(`select id, login from carryover.find_user_ids('ann')`)).rows).toEqual([
    { id: '1', login: 'ann' },
  ])
  await db.owner.query(
    'select * from carryover.counts; select * from carryover.users; select * from carryover.outcomes',
  )
  await db.owner.query('reset session authorization')
})
