import { createHash, randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { withDatabase } from '../../src/commands/counts.ts'
import { connectOwner } from '../../src/db/client.ts'
import { copyDigest, listPlans, openPlanning, provisionKey, readPlan } from '../../src/db/plans.ts'
import { purgeMigrated } from '../../src/db/purge.ts'
import type { StoredHash } from '../../src/domain.ts'
import type { CopiedUser, Prepared } from '../../src/mapping/user.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { candidateOf, contentDigest, hashDigest } from '../../src/provision/content.ts'
import {
  makePlan,
  type PlanContent,
  type PlanOptions,
  type PlanReport,
  PlanStopped,
} from '../../src/provision/plan.ts'
import type { Finding, TargetUse, Traits } from '../../src/targets/target.ts'
import { eraseNow, moved } from '../forget/helpers.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { md5 } from '../helpers/users.ts'
import { disagreements, runLoad, scratch } from '../load/helpers.ts'
import { fakeTraits } from './fake-target.ts'

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

const HEADER = 'id,login,email,password_hash,hash_scheme,status,cohort,profile,updated_at,deleted'
interface Row {
  readonly hash?: string
  readonly scheme?: string
  readonly status?: string
  readonly cohort?: string
  readonly given?: string
  readonly updated?: string
  readonly deleted?: true
}
const row = (id: string, change: Row = {}) =>
  [
    id,
    `${id}-login`,
    `${id}@example.com`,
    change.hash ?? md5(id),
    change.scheme ?? 'md5',
    change.status ?? 'active',
    change.cohort ?? 'retail',
    `"{""given_name"":""${change.given ?? id}""}"`,
    change.updated ?? '2020-01-01T00:00:00Z',
    change.deleted ? 'true' : '',
  ].join(',')
async function load(...rows: string[]) {
  const { code, err } = await runLoad(db.url, await files.file('users.csv', [HEADER, ...rows, ''].join('\n')))
  expect(code, err).toBe(0)
}

/** The given name, and nobody whose given name is `out`. */
const prepare = (user: CopiedUser): Prepared =>
  user.profile.given_name === 'out'
    ? { kind: 'left-out', rule: 'no-outsiders' }
    : { kind: 'ready', user, attributes: { firstName: user.profile.given_name } }

const portable = ({ encoded }: StoredHash): PortableHash | null =>
  encoded !== null && /^[0-9a-f]{32}$/.test(encoded)
    ? {
        kind: 'digest',
        algorithm: 'md5',
        digest: Buffer.from(encoded, 'hex'),
        salt: null,
        position: 'prefix',
      }
    : null

const usual: PlanOptions = {
  hashes: 'quiet',
  quietDays: 90,
  inactive: 'leave-out',
  removals: 'deactivate',
  changedPasswords: 'leave',
  cohorts: [],
  rate: null,
  share: 90,
  tag: 'wave-1',
}
const mapping = { attributes: { 'profile.given_name': 'firstName' }, drop: [], calculated: {} }
const settingsDigest = createHash('sha256').update('settings').digest()

async function plan({
  id = randomUUID(),
  options = {},
  traits = {},
  examine = null,
  stop = new AbortController().signal,
}: {
  id?: string
  options?: Partial<PlanOptions>
  traits?: Partial<Traits>
  examine?: ((use: TargetUse) => Promise<readonly Finding[]>) | null
  stop?: AbortSignal
} = {}): Promise<PlanReport> {
  const planning = await openPlanning(db.url, id)
  try {
    return await makePlan(
      {
        id,
        kind: { name: 'fake', traits: fakeTraits(traits) },
        settingsDigest,
        batch: 100,
        options: { ...usual, ...options },
        now: new Date('2026-06-01T00:00:00Z'),
      },
      {
        planning,
        mapping: async () => mapping,
        preparedBy: () => prepare,
        portable,
        examine,
        progress: () => {},
        stop,
      },
    )
  } finally {
    await planning.close()
  }
}

async function items(report: PlanReport): Promise<string[]> {
  const { rows } = await db.owner.query<{ text: string }>(
    `select concat_ws(' ', user_id, action, method, why, state, reason) as text from carryover.plan_items
    where plan = $1 order by user_id`,
    [report.plan],
  )
  return rows.map(({ text }) => text)
}

/** What a run would have written down, of everybody whom the plan has. */
async function brought(report: PlanReport): Promise<void> {
  const key = await provisionKey(db.owner)
  const { rows } = await db.owner.query(
    `select i.action, i.method, i.content, l.* from carryover.plan_items i join legacy.users l on l.id = i.user_id
    where i.plan = $1 and i.state = 'pending'`,
    [report.plan],
  )
  for (const one of rows) {
    const stored = { encoded: one.password_hash, salt: one.salt, scheme: one.hash_scheme }
    await db.owner.query(
      `insert into carryover.provisioned (target, user_id, target_id, content, method, hash)
      values ('fake', $1, $1, $2, $3, $4) on conflict (target, user_id) do update set content = excluded.content`,
      [one.id, one.content, one.method, hashDigest(key, stored)],
    )
  }
}
const query = (text: string, values: unknown[] = []) => db.owner.query(text, values)
const digest = async () => (await copyDigest(db.owner)).toString('hex')

test('everybody is decided, written down, counted and forecast', async () => {
  await load(
    row('hash'),
    row('recent', { updated: '2026-05-01T00:00:00Z' }),
    row('foreign', {
      hash: `$2b$10$${'CarryoverCarryoverCarO'}${'nobodyKnowsAPasswordForThisHas.'}`,
      scheme: '',
    }),
    row('none', { hash: '', cohort: 'staff' }),
    row('off', { status: 'disabled', cohort: 'staff' }),
    row('ruled', { given: 'out' }),
    row('there'),
  )
  await moved(db.owner, 'migrated', 10, ['there'])
  const findings: Finding[] = [
    { severity: 'warning', code: 'hook-inactive', text: 'The hook is not active.' },
  ]
  let looked: TargetUse | undefined
  const report = await plan({
    examine: async (use) => {
      looked = use
      return findings
    },
  })
  expect(await items(report)).toEqual([
    'foreign create hook hook pending',
    'hash create hash hash-readable pending',
    'none create reset no-usable-hash pending',
    'off none none disabled left-out disabled',
    'recent create hook hash-changes-later pending',
    'ruled none none left-out-by-rule left-out no-outsiders',
  ])
  const use = { hook: true, hash: true, attributes: ['firstName'] }
  expect(looked).toEqual(use)
  const nobody = { create: 0, update: 0, remove: 0, leftOut: 0, none: 0 }
  expect(report).toEqual({
    plan: report.plan,
    target: 'fake',
    tag: 'wave-1',
    users: 7,
    toDo: 4,
    leftOut: 2,
    byAction: { create: 4, update: 0, deactivate: 0, delete: 0 },
    byMethod: { hash: 1, hook: 2, reset: 1, none: 0 },
    byWhy: [
      { action: 'create', method: 'hash', why: 'hash-readable', users: 1 },
      { action: 'create', method: 'hook', why: 'hook', users: 1 },
      { action: 'create', method: 'hook', why: 'hash-changes-later', users: 1 },
      { action: 'create', method: 'reset', why: 'no-usable-hash', users: 1 },
      { action: 'none', method: 'none', why: 'disabled', users: 1 },
      { action: 'none', method: 'none', why: 'left-out-by-rule', users: 1 },
      { action: 'none', method: 'none', why: 'migrated-already', users: 1 },
    ],
    byCohort: [
      { cohort: 'retail', ...nobody, create: 3, leftOut: 1, none: 1 },
      { cohort: 'staff', ...nobody, create: 1, leftOut: 1 },
    ],
    byScheme: [
      { scheme: 'bcrypt', ...nobody, create: 1 },
      { scheme: 'md5', ...nobody, create: 2, leftOut: 2, none: 1 },
      { scheme: 'unknown', ...nobody, create: 1 },
    ],
    leftOutByRule: { 'no-outsiders': 1 },
    forecast: { calls: 1, callsPerMinute: 54, seconds: 2, inWords: '2 s: 1 call at 54 a minute, 90 % of 60' },
    needs: ['hook true, hash true, firstName'],
    findings,
  })
  const { rows: counts } = await query(
    `select concat_ws(' ', action, method, state, reason, users) as text from carryover.plan_counts where plan = $1 order by 1`,
    [report.plan],
  )
  expect(counts.map(({ text }) => text)).toEqual([
    'create hash pending  1',
    'create hook pending  2',
    'create reset pending  1',
    'none none left-out disabled 1',
    'none none left-out no-outsiders 1',
  ])
  expect(await readPlan<PlanContent, PlanReport>(db.owner, report.plan)).toEqual({
    id: report.plan,
    target: 'fake',
    createdAt: expect.any(Date),
    content: { mapping, rules: [], options: usual },
    settingsDigest,
    copyDigest: await copyDigest(db.owner),
    users: 6,
    report,
    state: 'ready',
    pausedFor: null,
    speed: null,
    startedAt: null,
    endedAt: null,
  })
  expect(await listPlans(db.owner)).toEqual([
    {
      id: report.plan,
      target: 'fake',
      createdAt: expect.any(Date),
      users: 6,
      pending: 4,
      state: 'ready',
      pausedFor: null,
    },
  ])
})

test('an item has the digest of what a run will make of the user, and only of those who are brought', async () => {
  await load(row('a'), row('off', { status: 'disabled' }))
  const report = await plan()
  const { rows } = await query(
    'select user_id, content from carryover.plan_items where plan = $1 order by 1',
    [report.plan],
  )
  const user = {
    id: 'a',
    login: 'a-login',
    email: 'a@example.com',
    status: 'active',
    cohort: 'retail',
    profile: { given_name: 'a' },
  } as const
  const candidate = candidateOf(
    { kind: 'ready', user, attributes: { firstName: 'a' } },
    { kind: 'hook' },
    'wave-1',
  )
  expect(rows).toEqual([
    { user_id: 'a', content: contentDigest(await provisionKey(db.owner), candidate) },
    { user_id: 'off', content: null },
  ])
})

test('a second plan after nothing has changed has nothing to do', async () => {
  await load(row('a'), row('b', { updated: '2026-05-01T00:00:00Z' }), row('c', { hash: '' }))
  await brought(await plan())
  const again = await plan()
  expect(again).toMatchObject({ users: 3, toDo: 0, leftOut: 0, forecast: { calls: 0, seconds: 0 } })
  expect(await items(again)).toEqual([])
})

test('a later plan has what has changed: new, changed and deleted users, and changed passwords', async () => {
  const old = ['same', 'profile', 'asked', 'sent', 'gone', 'off', 'left'].map((id) =>
    row(id, id === 'asked' ? { updated: '2026-05-01T00:00:00Z' } : {}),
  )
  await load(...old)
  await brought(await plan())
  await query(`insert into carryover.provisioned (target, user_id, content, method, removed_at)
    select 'fake', 'left', content, method, now() from carryover.provisioned where user_id = 'left'
    on conflict (target, user_id) do update set removed_at = now()`)
  await load(
    row('profile', { given: 'other' }),
    row('asked', { hash: md5('other'), updated: '2026-05-02T00:00:00Z' }),
    row('sent', { hash: md5('other') }),
    row('gone', { deleted: true }),
    row('left', { deleted: true }),
    row('off', { status: 'locked' }),
    row('new'),
  )
  const report = await plan()
  expect(await items(report)).toEqual([
    'gone deactivate none deleted pending',
    'new create hash hash-readable pending',
    'off deactivate none disabled pending',
    'profile update none profile-changed pending',
    'sent update hook password-changed pending',
  ])
  expect(report.byWhy).toContainEqual({ action: 'none', method: 'none', why: 'password-changed', users: 1 })
  expect((await plan({ traits: { replacesHash: true } })).byMethod.hash).toBe(2)
})

test('passwords that were changed after the migration wait for a decision', async () => {
  await load(row('a'), row('b'))
  await brought(await plan())
  await moved(db.owner, 'migrated', 10, ['a', 'b'])
  await query(
    `insert into carryover.password_changes (user_id, decision) values ('a', 'open'), ('b', 'left')`,
  )
  expect(await items(await plan())).toEqual([])
  expect(await items(await plan({ options: { changedPasswords: 'reset' } }))).toEqual([
    'a update reset password-changed pending',
  ])
})

test.each([
  {
    policy: 'ask-again',
    decided: [
      ['a', 'asked-again', 'unmigrated'],
      ['b', 'asked-again', 'unmigrated'],
      ['c', 'open', 'migrated'],
      ['v', 'asked-again', 'unmigrated'],
    ],
  },
  {
    policy: 'reset',
    decided: [
      ['a', 'reset', 'migrated'],
      ['b', 'reset', 'migrated'],
      ['c', 'reset', 'migrated'],
      ['v', 'reset', 'verified'],
    ],
  },
] as const)(
  'with $policy a changed password is decided when the target has it, once',
  async ({ policy, decided }) => {
    await load(row('a'), row('b', { cohort: 'staff' }), row('c'), row('v'), row('other'))
    await brought(await plan())
    await moved(db.owner, 'verified', 20, ['a', 'v'])
    await moved(db.owner, 'migrated', 7_200, ['c'])
    await withDatabase(db.url, (database) => purgeMigrated(database, 3_600, 100))
    await moved(db.owner, 'migrated', 10, ['a', 'b', 'other'])
    await query(`insert into carryover.password_changes (user_id) values ('a'), ('b'), ('c'), ('v')`)
    const options = { changedPasswords: policy }
    const report = await plan({ options })
    const settled = async () =>
      (
        await query(
          `select c.user_id, c.decision, u.state from carryover.password_changes c join carryover.users u using (user_id) order by 1`,
        )
      ).rows.map(({ user_id, decision, state }) => [user_id, decision, state])
    // As a run does it: with leases first, and with its own rights.
    await query(`begin; set local session authorization carryover_provision`)
    await query(`update carryover.plan_items set attempts = 1 where plan = $1`, [report.plan])
    expect(await settled()).toEqual([
      ...['a', 'b', 'c'].map((id) => [id, 'open', 'migrated']),
      ['v', 'open', 'verified'],
    ])
    await query(
      `update carryover.plan_items set state = 'updated', ended_at = now() where plan = $1 and state = 'pending'`,
      [report.plan],
    )
    await query('commit')
    expect(await settled()).toEqual(decided)
    expect(await disagreements(db.url)).toEqual([])
    expect(await items(await plan({ options }))).toEqual([])
    expect((await query(`select state from carryover.users where user_id = 'other'`)).rows).toEqual([
      { state: 'migrated' },
    ])
  },
)

test('a purge changes neither the copy of a plan nor what is to be done', async () => {
  await load(row('a'), row('b'))
  await brought(await plan())
  await moved(db.owner, 'migrated', 7_200, ['a'])
  const before = await digest()
  expect(await withDatabase(db.url, (database) => purgeMigrated(database, 3_600, 100))).toBe(1)
  expect(await digest()).toBe(before)
  expect(await items(await plan())).toEqual([])
})

test.each([
  { title: 'another login', change: `update legacy.users set login = 'other' where id = 'a'`, same: false },
  {
    title: 'another e-mail address',
    change: `update legacy.users set email = null where id = 'a'`,
    same: false,
  },
  {
    title: 'another status',
    change: `update legacy.users set status = 'locked' where id = 'a'`,
    same: false,
  },
  { title: 'another cohort', change: `update legacy.users set cohort = 'x' where id = 'a'`, same: false },
  {
    title: 'another profile',
    change: `update legacy.users set profile = '{"a": 1}' where id = 'a'`,
    same: false,
  },
  {
    title: 'logins that change places',
    change: `update legacy.users u set login = o.login from legacy.users o where o.id <> u.id`,
    same: false,
  },
  { title: 'a row that is gone', change: `delete from legacy.users where id = 'a'`, same: false },
  { title: 'a new row', change: `insert into legacy.users (id, login) values ('c', 'c')`, same: false },
  {
    title: 'a finished load',
    change: `insert into carryover.loads (format, origin, state) values ('csv', 'a.csv', 'done')`,
    same: false,
  },
  {
    title: 'a load that failed',
    change: `insert into carryover.loads (format, origin, state) values ('csv', 'a.csv', 'failed')`,
    same: true,
  },
  { title: 'another hash', change: `update legacy.users set password_hash = 'x', salt = 'y'`, same: true },
  { title: 'rows in another order', change: `cluster legacy.users using users_pkey`, same: true },
])('$title: the same copy is $same', async ({ change, same }) => {
  await query(`insert into legacy.users (id, login, email, profile) values ('b', 'b-login', 'b@example.com', '{"x": 1}'),
    ('a', 'a-login', 'a@example.com', '{"y": [1, 2]}')`)
  const before = await digest()
  await query(change)
  expect((await digest()) === before).toBe(same)
  await query('delete from legacy.users')
})

test('a plan of some cohorts has nobody else', async () => {
  await load(row('a'), row('b', { cohort: 'staff' }), row('c', { cohort: 'staff', status: 'disabled' }))
  const report = await plan({ options: { cohorts: ['retail'] } })
  expect(await items(report)).toEqual(['a create hash hash-readable pending'])
  expect(report.byWhy).toContainEqual({ action: 'none', method: 'none', why: 'not-in-cohort', users: 2 })
})

test('a plan that is stopped or fails leaves nothing behind', async () => {
  await load(row('a'))
  await expect(plan({ stop: AbortSignal.abort() })).rejects.toThrow(PlanStopped)
  await expect(plan({ examine: () => Promise.reject(new Error('broken')) })).rejects.toThrow('broken')
  const { rows } = await query(
    `select (select count(*) from carryover.plans)::int as plans, (select count(*) from carryover.plan_items)::int as items,
      (select count(*) from carryover.plan_counts)::int as counts`,
  )
  expect(rows).toEqual([{ plans: 0, items: 0, counts: 0 }])
})

test('more users than are read at once', async () => {
  await query(`insert into legacy.users (id, login, password_hash, updated_at)
    select 'u' || n, 'u' || n, md5(n::text), '2020-01-01' from generate_series(1, 9001) n`)
  await query(
    `insert into carryover.users (user_id, cohort, scheme, usable) select id, 'default', 'md5', true from legacy.users`,
  )
  const report = await plan()
  const { rows } = await query(
    `select count(*)::int as users, count(distinct user_id)::int as different, min(place)::int as first, max(place)::int as last
    from carryover.plan_items where plan = $1`,
    [report.plan],
  )
  expect(rows).toEqual([{ users: 9_001, different: 9_001, first: 1, last: 9_001 }])
  expect(report).toMatchObject({ users: 9_001, toDo: 9_001, forecast: { calls: 91 } })
  await query('truncate legacy.users, carryover.users')
})

test('claims and corrections are read for the mapping', async () => {
  await load(row('a'))
  await query(
    `update legacy.users set profile = '{"given_name": "A", "address": {"zip": "1", "more": {"deep": 1}}, "list": [1]}'`,
  )
  const trim = (name: string) => ({ name, field: 'email', fix: { kind: 'trim' } })
  await db.owner.query(
    `insert into carryover.fixes (name, rule, undone_at) values ('one', $1, null), ('two', $2, now()), ('three', $3, null)`,
    [trim('one'), trim('two'), trim('three')],
  )
  const planning = await openPlanning(db.url, randomUUID())
  try {
    expect(await planning.claims()).toEqual(['address.more', 'address.zip', 'given_name', 'list'])
    expect(await planning.rules()).toEqual([trim('one'), trim('three')])
  } finally {
    await planning.close()
  }
})

test('an account with the role for provisioning can make a plan', async () => {
  await load(row('a'))
  const id = randomUUID()
  await query(`create role planner_${id.slice(0, 8)} login in role carryover_provision`)
  try {
    const url = db.url.replace('postgres@', `planner_${id.slice(0, 8)}@`)
    const planning = await openPlanning(url, id)
    try {
      const request = {
        id,
        kind: { name: 'fake', traits: fakeTraits() },
        settingsDigest,
        batch: 100,
        options: usual,
        now: new Date(),
      }
      const stop = new AbortController().signal
      const deps = {
        planning,
        mapping: async () => mapping,
        preparedBy: () => prepare,
        portable,
        examine: null,
        progress: () => {},
        stop,
      }
      expect((await makePlan(request, deps)).toDo).toBe(1)
    } finally {
      await planning.close()
    }
    const client = await connectOwner(url, 'test')
    expect(await listPlans(client)).toHaveLength(1)
    await client.end()
  } finally {
    await query(`drop role planner_${id.slice(0, 8)}`)
  }
})

test('of an erased user nothing is left in plans, and no later plan has it', async () => {
  await load(row('a'), row('b'))
  const report = await plan()
  await brought(report)
  await eraseNow(db.url, 'a')
  expect(await items(report)).toEqual(['b create hash hash-readable pending'])
  expect(await items(await plan())).toEqual([])
})
