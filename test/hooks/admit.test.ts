import { expect, test } from 'vitest'
import type { LegacyUser, MigrationState } from '../../src/domain.ts'
import { type AdmitDeps, admit } from '../../src/hooks/admit.ts'

function user(id: string, state: MigrationState): LegacyUser {
  const hash = { encoded: null, scheme: null, salt: null, login: id, id }
  return {
    id,
    login: id,
    email: null,
    hash,
    status: 'active',
    cohort: 'retail',
    profile: { given_name: 'Ann', loyalty: 7 },
    state,
    verifiedAt: null,
    migratedAt: null,
  }
}

const users: Record<string, LegacyUser> = {
  old: user('old', 'unmigrated'),
  said: user('said', 'verified'),
  moved: user('moved', 'migrated'),
}

function ask(values: string[], change: Partial<AdmitDeps> = {}, self: string | null = null) {
  const recorded: string[] = []
  const names = values.map((value, at) => ({ field: ['login', 'email'][at] ?? 'login', value }))
  const result = admit(
    {
      dialect: 'okta',
      hook: 'registration',
      names,
      self,
      requestId: null,
      deadline: performance.now() + 1_000,
    },
    {
      find: async (name) => ({ user: users[name ?? ''] ?? null, ambiguous: name === 'twins', refusals: 0 }),
      record: async (_application, admission) => {
        recorded.push(admission.kind)
      },
      policy: 'deny',
      attributes: [],
      ...change,
    },
  )
  return { result, recorded }
}

test.each([
  { title: 'a stranger', names: ['new', 'new@example.com'], admission: { kind: 'allowed', attributes: {} } },
  {
    title: 'an unmigrated login',
    names: ['old', 'new@example.com'],
    admission: { kind: 'denied', field: 'login' },
  },
  {
    title: 'an unmigrated e-mail address',
    names: ['new', 'old'],
    admission: { kind: 'denied', field: 'email' },
  },
  {
    title: 'a user who was verified but not confirmed',
    names: ['said'],
    admission: { kind: 'denied', field: 'login' },
  },
  {
    title: 'a name that several users answer to',
    names: ['twins'],
    admission: { kind: 'denied', field: 'login' },
  },
  {
    title: 'a migrated user, whom the provider knows itself',
    names: ['moved'],
    admission: { kind: 'allowed', attributes: {} },
  },
  { title: 'no names at all', names: [], admission: { kind: 'allowed', attributes: {} } },
])('$title: $admission.kind, on record', async ({ names, admission }) => {
  const { result, recorded } = ask(names)
  expect((await result).admission).toEqual(admission)
  expect(recorded).toEqual([admission.kind])
})

test('people are not in the way of changes to their own profile', async () => {
  expect((await ask(['old'], {}, 'old').result).admission.kind).toBe('allowed')
  expect((await ask(['old'], {}, 'moved').result).admission.kind).toBe('denied')
})

test('where registration is allowed, the attributes of the list are added, and no others', async () => {
  const { admission } = await ask(['old'], {
    policy: 'allow',
    attributes: ['loyalty', 'constructor', 'phone_number'],
  }).result
  expect(admission).toEqual({ kind: 'allowed', attributes: { loyalty: 7 } })
  expect((await ask(['old'], { policy: 'allow' }).result).admission).toEqual({
    kind: 'allowed',
    attributes: {},
  })
})
