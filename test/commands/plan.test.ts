import { createServer } from 'node:https'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from '../../src/cli.ts'
import { planFor } from '../../src/commands/plan.ts'
import type { PlanReport } from '../../src/provision/plan.ts'
import type { TargetKind } from '../../src/targets/target.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { md5 } from '../helpers/users.ts'
import { runLoad, scratch } from '../load/helpers.ts'
import { fakeKind } from '../provision/fake-target.ts'

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  db = await testDatabase()
  files = await scratch()
})
afterEach(async () => {
  await db.drop()
  await files.remove()
})

async function loadTwo() {
  const rows = ['id,login,email,password_hash,hash_scheme,profile,updated_at']
  for (const id of ['ann', 'bob'])
    rows.push(
      `${id},${id}-login,${id}@example.com,${md5(id)},md5,"{""given_name"":""${id}""}",2020-01-01T00:00:00Z`,
    )
  const { code, err } = await runLoad(db.url, await files.file('users.csv', [...rows, ''].join('\n')))
  expect(code, err).toBe(0)
}

async function planned(
  args: readonly string[],
  { kind = fakeKind(), env = {} }: { kind?: TargetKind; env?: Record<string, string> } = {},
) {
  const { code, out, err } = await heard((io) => planFor([kind]).run(args, io), {
    env: { DATABASE_URL: db.url, ...env },
  })
  const report: PlanReport | undefined = out.startsWith('{') ? JSON.parse(out) : undefined
  return { code, out, err, report }
}

const settings = async () => ({
  FAKE_PROVISION_URL: 'https://fake.example',
  FAKE_PROVISION_TOKEN_FILE: await files.file('token', 'secret'),
  SECRET_FILE_MODE: '0444',
})

test('away from the network a plan needs no setting of the target', async () => {
  await loadTwo()
  const { code, err, report } = await planned(['fake', '--offline', '--json'])
  expect([code, err]).toEqual([0, ''])
  expect(report).toMatchObject({
    target: 'fake',
    tag: expect.stringMatching(/^carryover-\d{8}$/),
    users: 2,
    toDo: 2,
    byMethod: { hash: 2, hook: 0, reset: 0, none: 0 },
    needs: ['hook false, hash true, firstName and login and mail'],
    findings: null,
  })
})

test('in words: what is to be done, why, how long it takes and what comes next', async () => {
  await loadTwo()
  const { code, out } = await planned([
    'fake',
    '--offline',
    '--tag',
    'wave 1',
    '--rate',
    '10',
    '--share',
    '50',
  ])
  expect(code).toBe(0)
  const id = /^plan ([0-9a-f-]{36}) for fake, batch wave 1\n/.exec(out)?.[1]
  expect(out).toContain(
    '2 users in the copy: 2 to create, 0 to update, 0 to deactivate, 0 to delete, 0 left out\n',
  )
  expect(out).toContain('time: 12 s: 1 call at 5 a minute, 50 % of 10\n')
  expect(out).toMatch(/\n2 {6}create {2}hash {6}the target reads the stored hash\n/)
  expect(out).toMatch(/\ncohort default +2 +0 +0 +0 +0\n/)
  expect(out).toContain('nobody looked at the target (--offline)\n')
  expect(out).toContain(`next: carryover provision ${id}\n`)
  expect(out).not.toMatch(/ann|bob/)
})

test.each([
  { severity: 'error', code: 1 },
  { severity: 'warning', code: 0 },
] as const)(
  'a finding that is $severity: exit code $code, and the plan is kept',
  async ({ severity, code }) => {
    await loadTwo()
    const findings = [{ severity, code: 'hook-inactive', text: 'The hook is not active.' }]
    const told = await planned(['fake', '--json'], { kind: fakeKind({ findings }), env: await settings() })
    expect([told.code, told.report?.findings]).toEqual([code, findings])
    const listed = await planned(['--list', '--json'])
    expect(JSON.parse(listed.out)).toEqual({
      plans: [
        {
          id: told.report?.plan,
          target: 'fake',
          createdAt: expect.stringMatching(/^\d{4}-/),
          users: 2,
          pending: 2,
          state: 'ready',
          pausedFor: null,
        },
      ],
    })
    expect((await planned(['--list'])).out).toMatch(
      new RegExp(`\n${told.report?.plan} +fake +\\S+ +2 +2 +ready\n`),
    )
  },
)

test('a target at a private address is called when that is allowed, and trusted for no other reason', async () => {
  await loadTwo()
  let calls = 0
  const server = createServer({}, () => {}).on('tlsClientError', () => {
    calls++
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  const host = `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
  try {
    const kind = fakeKind({ hosts: [host] })
    const findings = async (env: Record<string, string>) =>
      (await planned(['fake', '--json'], { kind, env: { ...(await settings()), ...env } })).report?.findings
    expect(await findings({})).toMatchObject([{ severity: 'error', code: 'forbidden-address' }])
    expect(calls).toBe(0)
    // It has no certificate at all.
    expect(await findings({ OUTBOUND_ALLOW_ADDRESSES: '127.0.0.0/8' })).toMatchObject([{ severity: 'error' }])
    expect(calls).toBe(1)
  } finally {
    server.close()
  }
})

test('a mapping file says what is sent', async () => {
  await loadTwo()
  const mapping = {
    attributes: { login: 'userName', 'profile.given_name': 'nick' },
    drop: ['email'],
    calculated: { shown: '{profile.given_name} of {login}' },
  }
  const path = await files.file('mapping.json', JSON.stringify(mapping))
  const { code, report } = await planned(['fake', '--offline', '--json', '--mapping', path])
  expect([code, report?.needs]).toEqual([0, ['hook false, hash true, nick and shown and userName']])
  const { rows } = await db.owner.query('select content from carryover.plans')
  expect(rows[0].content.mapping).toEqual(mapping)
})

test('corrections that leave users out are kept with the plan and named', async () => {
  await loadTwo()
  const rule = {
    name: 'no-bobs',
    field: 'profile.family_name',
    fix: { kind: 'leave-out' },
    where: 'missing',
  }
  await db.owner.query(`insert into carryover.fixes (name, rule) values ('no-bobs', $1)`, [
    JSON.stringify(rule),
  ])
  const { out } = await planned(['fake', '--offline'])
  expect(out).toContain('left out by the rule no-bobs: 2\n')
  expect(out).toContain('there is nothing to do\n')
  const { rows } = await db.owner.query('select content from carryover.plans')
  expect(rows[0].content.rules).toEqual([rule])
})

test('a correction of another version of this program is not understood, and nothing is kept', async () => {
  await loadTwo()
  await db.owner.query(
    `insert into carryover.fixes (name, rule) values ('odd', '{"name": "odd", "field": "email", "fix": {"kind": "rhyme"}}')`,
  )
  const { code, out, err } = await planned(['fake', '--offline'])
  expect([code, out]).toEqual([2, ''])
  expect(err).toBe('carryover plan: this was not understood:\n  rule 1: fix: kind: not a kind of fix\n')
  expect((await db.owner.query('select from carryover.plans')).rowCount).toBe(0)
})

test('a cohort that nobody has is said', async () => {
  await loadTwo()
  const { code, err, report } = await planned(['fake', '--offline', '--json', '--cohort', 'nobody'])
  expect([code, err, report?.toDo]).toEqual([0, 'carryover plan: no user has the cohort nobody\n', 0])
})

test('without plans the list says so', async () => {
  expect(await planned(['--list'])).toMatchObject({ code: 0, out: 'there is no plan yet\n' })
})

test('a target to which nobody can be brought says why, and what to do instead', async () => {
  const kind = fakeKind({ impossible: 'Nobody can be brought there: do that instead.' })
  expect(await planned(['fake'], { kind })).toMatchObject({
    code: 1,
    out: '',
    err: 'carryover plan: Nobody can be brought there: do that instead.\n',
  })
})

test.each([
  { args: [], says: 'expected TARGET' },
  { args: ['--list', 'fake'], says: 'no argument was expected' },
  { args: ['else'], says: 'TARGET is one of fake' },
  { args: ['fake', '--hashes', 'some'], says: '--hashes takes one of quiet, always, never' },
  { args: ['fake', '--inactive', 'x'], says: '--inactive takes one of bring, leave-out' },
  {
    args: ['fake', '--removals', 'delete'],
    says: '--removals delete is not possible at this target: deactivate or leave',
  },
  { args: ['fake', '--quiet-days', '-1'], says: '--quiet-days' },
  { args: ['fake', '--share', '0'], says: '--share takes a whole number from 1 to 100' },
  { args: ['fake', '--rate', 'fast'], says: '--rate takes a whole number from 1 to 1000000' },
  { args: ['fake', '--tag', ' '], says: '--tag takes a name of at most 100 characters' },
  { args: ['fake', '--mapping', '/nowhere'], says: '--mapping names a file that cannot be read (ENOENT)' },
])('$args is not understood', async ({ args, says }) => {
  await expect(planned(args)).rejects.toThrow(says)
})

test('a target without a hook is not asked again', async () => {
  const kind = fakeKind({ traits: { hook: false } })
  await expect(planned(['fake', '--changed-passwords', 'ask-again'], { kind })).rejects.toThrow(
    '--changed-passwords ask-again needs a target that asks our hook about users whom it has',
  )
})

test.each([
  { text: '{', says: /--mapping: the text is not JSON/ },
  { text: '{"attributes": {"nobody": "x"}}', says: /--mapping: attributes: "nobody" is not a field/ },
])('the mapping file $text is refused', async ({ text, says }) => {
  const path = await files.file('mapping.json', text)
  await expect(planned(['fake', '--mapping', path])).rejects.toThrow(says)
})

test('missing settings of the target are said before the copy is read', async () => {
  await expect(planned(['fake'])).rejects.toThrow('FAKE_PROVISION_URL is missing')
})

test('a database that is not there is no plan', async () => {
  const { code, out, err } = await planned(['fake', '--offline'], {
    env: { DATABASE_URL: db.url.replace(/test_[0-9a-f]+/, 'test_none') },
  })
  expect([code, out]).toEqual([1, ''])
  expect(err).toBe('carryover plan: the database failed while connecting (3D000); nothing was kept\n')
})

test('the program has the command', async () => {
  const { code, out } = await heard((io) => run(['plan', '--help'], io), { env: {} })
  expect(code).toBe(0)
  expect(out).toContain('usage: carryover plan TARGET [OPTIONS] | --list')
  const unknown = await heard((io) => run(['plan', 'nowhere'], io), { env: { DATABASE_URL: db.url } })
  expect([unknown.code, unknown.err]).toEqual([
    2,
    expect.stringMatching(/^carryover plan: TARGET is one of /),
  ])
})
