import { expect, test } from 'vitest'
import type { LegacyUser, StoredHash } from '../../src/domain.ts'
import { Failure } from '../../src/errors.ts'
import { classify } from '../../src/hashes/classify.ts'
import { exampleStored } from '../../src/hashes/index.ts'
import { createDecoys } from '../../src/hooks/decoy.ts'
import { createGate } from '../../src/hooks/gate.ts'
import { type Found, type JudgeDeps, judge, type VerdictRecord } from '../../src/hooks/judge.ts'

/** md5 of "right". */
const RIGHT = '7c4f29407893c334a6cb7a87bf045c0d'

function user(change: Partial<LegacyUser> & { encoded?: string | null } = {}): LegacyUser {
  const { encoded = RIGHT, ...rest } = change
  const hash: StoredHash = { encoded, scheme: 'md5', salt: null, login: 'ann', id: '1' }
  return {
    id: '1',
    login: 'ann',
    email: null,
    hash,
    status: 'active',
    cohort: 'retail',
    profile: {},
    state: 'unmigrated',
    verifiedAt: null,
    migratedAt: null,
    ...rest,
  }
}

function setUp(found: Partial<Found> = {}, change: Partial<JudgeDeps> = {}) {
  const checked: StoredHash[] = []
  const recorded: VerdictRecord[] = []
  const noticed: unknown[] = []
  const held: boolean[] = []
  const deps: JudgeDeps = {
    find: async () => ({ user: null, ambiguous: false, refusals: 0, ...found }),
    check: async (stored, password) => {
      checked.push(stored)
      return Buffer.from(password).toString() === 'right' && stored.encoded === RIGHT
    },
    record: async (record) => {
      recorded.push(record)
      return record.verdict.kind
    },
    decoys: createDecoys(exampleStored, (stored) => classify(stored).usable),
    classify,
    gate: createGate(2),
    refusalLimit: 10,
    migratedGraceMs: 60_000,
    verifiedGraceMs: null,
    hold: async (checked) => void held.push(checked),
    notice: (seen) => noticed.push(seen),
    ...change,
  }
  const ask = (password: string, login = 'ann') =>
    judge(
      { dialect: 'okta', hook: 'h', login, password, requestId: null, deadline: performance.now() + 5_000 },
      deps,
    )
  return { ask, checked, recorded, noticed, held, deps }
}

const long = new Date(Date.now() - 3_600_000)

test.each([
  { title: 'the right password', found: { user: user() }, typed: 'right', kind: 'match' },
  { title: 'a wrong password', found: { user: user() }, typed: 'wrong', kind: 'mismatch' },
  { title: 'nobody', found: {}, typed: 'right', kind: 'unknown-login' },
  { title: 'two users', found: { ambiguous: true }, typed: 'right', kind: 'unknown-login' },
  {
    title: 'a disabled user with the right password',
    found: { user: user({ status: 'disabled' }) },
    typed: 'right',
    kind: 'disabled',
  },
  {
    title: 'a locked user with the right password',
    found: { user: user({ status: 'locked' }) },
    typed: 'right',
    kind: 'disabled',
  },
  {
    title: 'a hash that nothing can read',
    found: { user: user({ encoded: 'zzz' }) },
    typed: 'right',
    kind: 'unusable-hash',
  },
  { title: 'no hash', found: { user: user({ encoded: null }) }, typed: 'right', kind: 'unusable-hash' },
  {
    title: 'a user who was verified before',
    found: { user: user({ state: 'verified' }) },
    typed: 'right',
    kind: 'match',
  },
  {
    title: 'a migrated user within the grace period',
    found: { user: user({ state: 'migrated', migratedAt: new Date() }) },
    typed: 'right',
    kind: 'match',
  },
  {
    title: 'a migrated user after it',
    found: { user: user({ state: 'migrated', migratedAt: long }) },
    typed: 'right',
    kind: 'migrated',
  },
  { title: 'an empty password', found: { user: user() }, typed: '', kind: 'mismatch' },
  { title: 'a password with NUL', found: { user: user() }, typed: 'right\0', kind: 'mismatch' },
  { title: 'a password of 4097 bytes', found: { user: user() }, typed: 'x'.repeat(4097), kind: 'mismatch' },
  {
    title: 'a password that is not valid Unicode',
    found: { user: user() },
    typed: '\ud800',
    kind: 'mismatch',
  },
])('$title: $kind, with the work of one check, on record', async ({ found, typed, kind }) => {
  const { ask, checked, recorded, held } = setUp(found)
  const { verdict } = await ask(typed)
  expect(held).toEqual(kind === 'match' ? [] : [true])
  expect(verdict.kind).toBe(kind)
  expect(checked).toHaveLength(1)
  expect(recorded.map((one) => one.verdict.kind)).toEqual([kind])
})

test('too many refusals are answered without checking', async () => {
  const { ask, checked, recorded, held } = setUp({ user: user(), refusals: 10 })
  expect((await ask('right')).verdict.kind).toBe('throttled')
  expect(checked).toEqual([])
  expect(held).toEqual([false])
  expect(recorded).toHaveLength(1)
})

test('the record has the last word: a match that is one too many is throttled', async () => {
  const { ask, held } = setUp({ user: user() }, { record: async () => 'throttled' })
  expect((await ask('right')).verdict.kind).toBe('throttled')
  expect(held).toEqual([true])
})

test('the next attempt on a user is checked when the no before it may be given, not when its check is over', async () => {
  const { ask, checked, held, deps } = setUp({ user: user() }, { gate: createGate(1) })
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const attempt = { dialect: 'okta', hook: 'h', login: 'ann', password: 'wrong', requestId: null }
  const first = judge({ ...attempt, deadline: performance.now() + 5_000 }, { ...deps, hold: () => released })
  const second = ask('right')
  await new Promise((later) => setTimeout(later, 20))
  expect(checked).toHaveLength(1)
  release()
  expect((await first).verdict.kind).toBe('mismatch')
  expect((await second).verdict.kind).toBe('match')
  expect(held).toEqual([])
})

test('a throttled attempt keeps nobody waiting while it is held', async () => {
  const { ask, deps, recorded } = setUp({ user: user(), refusals: 10 }, { gate: createGate(1) })
  const attempt = { dialect: 'okta', hook: 'h', login: 'ann', password: 'wrong', requestId: null }
  void judge(
    { ...attempt, deadline: performance.now() + 5_000 },
    { ...deps, hold: () => new Promise(() => {}) },
  )
  expect((await ask('wrong')).verdict.kind).toBe('throttled')
  expect(recorded).toHaveLength(2)
})

test('a burst of guesses is checked no more often than the limit and the width of the gate', async () => {
  const { ask, checked, deps } = setUp({ user: user() })
  const slow = {
    ...deps,
    check: async (...args: Parameters<JudgeDeps['check']>) => {
      await new Promise((later) => setTimeout(later, 2))
      return deps.check(...args)
    },
  }
  const attempt = {
    dialect: 'okta',
    hook: 'h',
    login: 'ann',
    password: 'wrong',
    requestId: null,
    deadline: performance.now() + 5_000,
  }
  const answers = await Promise.all(Array.from({ length: 200 }, () => judge(attempt, slow)))
  expect(checked.length).toBeLessThanOrEqual(12)
  expect(checked.length).toBeGreaterThanOrEqual(10)
  expect(answers.filter(({ verdict }) => verdict.kind === 'throttled')).toHaveLength(200 - checked.length)
  await ask('right')
})

test.each([
  {
    title: 'the lookup',
    change: {
      find: async () => {
        throw new Failure('unavailable')
      },
    },
  },
  {
    title: 'the check',
    change: {
      check: async () => {
        throw new Failure('overloaded')
      },
    },
  },
  {
    title: 'the record',
    change: {
      record: async () => {
        throw new Failure('unavailable')
      },
    },
  },
] satisfies { title: string; change: Partial<JudgeDeps> }[])(
  'a failure of $title is no verdict, and the gate is free again',
  async ({ change }) => {
    const { ask, deps } = setUp({ user: user() }, change)
    for (let at = 0; at < 5; at++) await expect(ask('right')).rejects.toThrow(Failure)
    await expect(
      judge(
        {
          dialect: 'okta',
          hook: 'h',
          login: 'ann',
          password: 'right',
          requestId: null,
          deadline: performance.now() + 500,
        },
        { ...setUp({ user: user() }).deps, gate: deps.gate },
      ),
    ).resolves.toMatchObject({ verdict: { kind: 'match' } })
  },
)

test('the work for unknown logins becomes that of the hashes that were really checked', async () => {
  const { ask, deps } = setUp({ user: user() })
  deps.decoys.expect('md5')
  await ask('right')
  expect(deps.decoys.current()).toMatchObject({ scheme: 'md5' })
  expect(deps.decoys.current().encoded).not.toBe(RIGHT)
})

test('a hash whose key is not here is an outage: no verdict, no record, and it is noticed', async () => {
  const classified = { usable: false, scheme: 'hardened', defect: 'missing-secret' } as const
  const { ask, recorded, noticed } = setUp({ user: user() }, { classify: () => classified })
  for (const typed of ['right', 'wrong'])
    await expect(ask(typed)).rejects.toThrow(new Failure('unavailable', { detail: 'hardening-key' }))
  expect(recorded).toEqual([])
  expect(noticed).toContainEqual({ unusable: classified, userId: '1' })
})

test('ambiguity and unusable hashes are noticed', async () => {
  const ambiguous = setUp({ ambiguous: true })
  await ambiguous.ask('right')
  expect(ambiguous.noticed).toEqual(['ambiguous-login'])
  const unusable = setUp({ user: user({ encoded: 'zzz' }) })
  await unusable.ask('right')
  expect(unusable.noticed).toEqual([
    { unusable: { usable: false, scheme: 'unknown', defect: 'malformed' }, userId: '1' },
  ])
})

test('a common scheme that cannot be checked here leaves the decoy an ordinary one', () => {
  const { deps } = setUp()
  deps.decoys.expect('devise-pepper')
  expect(classify(deps.decoys.current()).scheme).toBe('bcrypt')
})
