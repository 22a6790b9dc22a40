import { randomUUID } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { provisionFor } from '../../src/commands/provision.ts'
import { defaultMapping } from '../../src/mapping/read.ts'
import { okta } from '../../src/targets/okta.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { type OktaSimulator, startOkta } from '../helpers/simulators/okta.ts'
import { plannedOffline, targetEnvironment } from '../helpers/target-environment.ts'
import { md5 } from '../helpers/users.ts'
import { runLoad, scratch } from '../load/helpers.ts'

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
let server: OktaSimulator
let env: Record<string, string>

beforeEach(async () => {
  db = await testDatabase()
  files = await scratch()
  server = await startOkta()
  env = await targetEnvironment('okta', server, db.url, files)
})

afterEach(async () => {
  await server.close()
  await db.drop()
  await files.remove()
})

const fields = ['id', 'login', 'email', 'status', 'cohort', 'profile.given_name', 'profile.family_name']
const mapping = defaultMapping(okta.traits, fields)

/** Users in the copy; the last one has a name that the target does not take. */
async function loaded(count: number, longNameOf = 0) {
  const rows = Array.from({ length: count }, (_, at) => {
    const name = at + 1 === longNameOf ? 'n'.repeat(60) : 'Ann'
    return JSON.stringify({
      id: `${at + 1}`,
      login: `user${at + 1}@example.com`,
      email: `user${at + 1}@example.com`,
      password_hash: md5('x'),
      hash_scheme: 'md5',
      profile: { given_name: name, family_name: 'Example' },
      updated_at: '2020-01-01T00:00:00Z',
    })
  })
  const { code, err } = await runLoad(db.url, await files.file('users.jsonl', rows.join('\n')))
  expect(code, err).toBe(0)
}

const planned = () => plannedOffline(okta, env, '--hashes', 'never')

const provision = (plan: string, args: readonly string[] = [], more: Record<string, string> = {}) =>
  heard((io) => provisionFor([okta]).run([plan, ...args], io), { env: { ...env, ...more } })

test('a plan is carried out, told in words, and done again without a call', async () => {
  await loaded(5)
  const plan = await planned()
  const first = await provision(plan)
  expect([first.err, first.code]).toEqual(['', 0])
  expect(first.out).toBe(`plan ${plan} for okta is done; 5 users: 5 created\n`)
  expect([...server.users()]).toHaveLength(5)
  const calls = server.log().length
  expect(await provision(plan)).toMatchObject({ code: 0, out: first.out })
  expect(server.log()).toHaveLength(calls)
})

test.each([
  {
    what: 'the copy has',
    change: () => db.owner.query(`update legacy.users set email = 'new@example.com' where id = '1'`),
    more: {},
  },
  {
    what: 'the rules have',
    change: () =>
      db.owner.query(
        `insert into carryover.fixes (name, rule) values ('trim', '{"name": "trim", "field": "email", "fix": {"kind": "trim"}}')`,
      ),
    more: {},
  },
  {
    what: 'the rules have',
    change: () =>
      db.owner.query(`insert into carryover.fixes (name, rule) values ('odd', '{"name": "odd"}')`),
    more: {},
  },
  {
    what: 'the settings of the target have',
    change: async () => {},
    more: { OKTA_PROVISION_GROUP: 'Another' },
  },
])('nothing begins when $what changed', async ({ what, change, more }) => {
  await loaded(2)
  const plan = await planned()
  await change()
  expect(await provision(plan, [], more)).toEqual({
    code: 1,
    out: '',
    err: `carryover provision: ${what} changed since the plan was made: make a new plan\n`,
  })
  expect(server.log()).toEqual([])
  const { rows } = await db.owner.query('select state from carryover.plans')
  expect(rows).toEqual([{ state: 'ready' }])
})

test('nothing begins with another mapping', async () => {
  await loaded(2)
  const plan = await planned()
  const same = await files.file('same.json', JSON.stringify(mapping))
  const other = await files.file(
    'other.json',
    JSON.stringify({ ...mapping, calculated: { nickName: '{login}' } }),
  )
  expect(await provision(plan, ['--mapping', other])).toMatchObject({
    code: 1,
    err: 'carryover provision: the mapping has changed since the plan was made: make a new plan\n',
  })
  expect((await provision(plan, ['--mapping', same])).code).toBe(0)
})

test('who failed is told by number, and written for load and for people; corrected and planned again, all are there', async () => {
  await loaded(4, 3)
  const plan = await planned()
  const { code, out, err } = await provision(plan)
  expect(code).toBe(1)
  expect(out).toMatch(/^plan \S+ for okta is done; 4 users: 3 created, 1 refused\n {2}1 invalid-attribute: /)
  expect(err).toContain(`--failed FILE`)
  const path = `${files.directory}/failed.jsonl`
  expect((await provision(plan, ['--failed', path])).code).toBe(0)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await stat(`${path}.reasons.csv`)).mode & 0o777).toBe(0o600)
  const reasons = await readFile(`${path}.reasons.csv`, 'utf8')
  expect(reasons).toMatch(/^"id","state","reason",.*\r\n"3","refused","invalid-attribute",/)
  expect(reasons).not.toContain('nnn')
  const { code: loadCode, summary } = await runLoad(db.url, path)
  expect(loadCode).toBe(0)
  expect(summary).toMatchObject({ rows: 1, unchanged: 1, refused: 0 })
  const corrected = (await readFile(path, 'utf8')).replace('n'.repeat(60), 'Nan')
  expect((await runLoad(db.url, await files.file('corrected.jsonl', corrected))).code).toBe(0)
  const next = await planned()
  expect(await provision(next)).toMatchObject({ code: 0 })
  expect([...server.users()]).toHaveLength(4)
})

test('a token that is not taken pauses the plan, and --resume goes on', async () => {
  await loaded(3)
  const plan = await planned()
  const wrong = { OKTA_PROVISION_TOKEN_FILE: await files.file('wrong', 'another token') }
  const halted = await provision(plan, [], wrong)
  expect(halted.code).toBe(1)
  expect(halted.err).toContain('the target does not take our token')
  expect(await provision(plan)).toMatchObject({
    code: 1,
    err: 'carryover provision: the plan is paused (unauthorized): --resume goes on\n',
  })
  expect(await provision(plan, ['--resume'])).toMatchObject({ code: 0, err: '' })
  expect([...server.users()]).toHaveLength(3)
})

test('a stopped plan stays stopped', async () => {
  await loaded(1)
  const plan = await planned()
  expect((await provision(plan, ['--stop'])).code).toBe(0)
  for (const args of [[], ['--resume'], ['--only-failed']])
    expect(await provision(plan, args)).toMatchObject({
      code: 1,
      err: 'carryover provision: the plan was stopped for good: make a new plan\n',
    })
  expect(await provision(plan, ['--pause'])).toMatchObject({
    code: 1,
    err: 'carryover provision: the plan is stopped\n',
  })
  expect(server.log()).toEqual([])
})

test('the status is told in words and as JSON', async () => {
  await loaded(2)
  const plan = await planned()
  expect(await provision(plan, ['--status'])).toEqual({
    code: 0,
    err: '',
    out: `plan ${plan} for okta is ready; 2 users: 2 pending\n`,
  })
  const { out } = await provision(plan, ['--status', '--json'])
  expect(JSON.parse(out)).toMatchObject({ plan, target: 'okta', state: 'ready', users: 2 })
})

test('the speed is kept with the plan', async () => {
  await loaded(2)
  const plan = await planned()
  expect((await provision(plan, ['--speed', '6000'])).code).toBe(0)
  const { rows } = await db.owner.query('select speed from carryover.plans')
  expect(rows).toEqual([{ speed: 6_000 }])
})

test('a plan that nobody has made is not there', async () => {
  expect(await provision(randomUUID())).toEqual({
    code: 1,
    out: '',
    err: 'carryover provision: there is no such plan\n',
  })
})

test.each([
  { title: 'no id', args: ['x'] },
  { title: 'two actions', args: [randomUUID(), '--pause', '--stop'] },
  { title: 'a speed for a pause', args: [randomUUID(), '--pause', '--speed', '5'] },
  { title: 'a share of nothing', args: [randomUUID(), '--share', '0'] },
])('$title is not understood', async ({ args: [plan = '', ...args] }) => {
  await expect(provision(plan, args)).rejects.toThrow()
})
