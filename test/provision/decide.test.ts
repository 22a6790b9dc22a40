import { expect, test } from 'vitest'
import { decide, isLeftOut, type Policy, type Subject } from '../../src/provision/decide.ts'

const DAY = 86_400_000
const now = Date.UTC(2026, 0, 100)
const quietSince = new Date(now - 90 * DAY)

type Change = {
  readonly row?: Partial<NonNullable<Subject['row']>> | null
  readonly ledger?: Partial<NonNullable<Subject['ledger']>> | null
  readonly provisioned?: Partial<NonNullable<Subject['provisioned']>>
  readonly cohort?: string
  readonly changedAfterwards?: boolean
}

/** An active, unmigrated user whose hash we can check and the target reads, unchanged for a year, whom it does not have. */
function subject({
  row,
  ledger,
  provisioned,
  cohort = 'retail',
  changedAfterwards = false,
}: Change): Subject {
  return {
    cohort,
    row:
      row === null
        ? null
        : { status: 'active', changedAt: new Date(now - 365 * DAY), ready: true, readable: true, ...row },
    ledger: ledger === null ? null : { state: 'unmigrated', deleted: false, usable: true, ...ledger },
    provisioned: provisioned
      ? { method: 'hook', removed: false, sameContent: true, sameHash: true, ...provisioned }
      : null,
    changedAfterwards,
  }
}

type PolicyChange = Partial<Omit<Policy, 'traits'>> & { readonly traits?: Partial<Policy['traits']> }

function policy({ traits, ...change }: PolicyChange): Policy {
  return {
    hashes: 'quiet',
    quietSince,
    inactive: 'leave-out',
    removals: 'deactivate',
    changedPasswords: 'leave',
    cohorts: null,
    ...change,
    traits: {
      hook: true,
      replacesHash: false,
      updates: true,
      removes: ['deactivate', 'delete'],
      ...traits,
    },
  }
}

const lately = { changedAt: new Date(now - 10 * DAY) }
const migrated = { state: 'migrated' } as const
const hashed = { method: 'hash' } as const
const changed = { ...hashed, sameHash: false } as const
const noHook = { traits: { hook: false } }

const cases: readonly {
  readonly title: string
  readonly user?: Change
  readonly with?: PolicyChange
  /** action method why */
  readonly becomes: string
}[] = [
  // the first time
  { title: 'a hash that the target reads', becomes: 'create hash hash-readable' },
  {
    title: 'a hash that it does not read',
    user: { row: { readable: false } },
    becomes: 'create hook hook',
  },
  {
    title: 'a row that changed lately',
    user: { row: lately },
    becomes: 'create hook hash-changes-later',
  },
  {
    title: 'a row that changed just as the quiet time began',
    user: { row: { changedAt: quietSince } },
    becomes: 'create hook hash-changes-later',
  },
  {
    title: 'a row that changed lately, where hashes can be replaced',
    user: { row: lately },
    with: { traits: { replacesHash: true } },
    becomes: 'create hash hash-readable',
  },
  {
    title: 'a row that changed lately, with --hashes always',
    user: { row: lately },
    with: { hashes: 'always' },
    becomes: 'create hash hash-readable',
  },
  {
    title: 'a row that changed lately, without a hook',
    user: { row: lately },
    with: noHook,
    becomes: 'create hash hash-readable',
  },
  {
    title: 'a row that changed lately, with a hash that we cannot check',
    user: { row: lately, ledger: { usable: false } },
    becomes: 'create hash hash-readable',
  },
  {
    title: 'anybody, with --hashes never',
    with: { hashes: 'never' },
    becomes: 'create hook hashes-not-wanted',
  },
  {
    title: 'anybody, with --hashes never and without a hook',
    with: { hashes: 'never', ...noHook },
    becomes: 'create reset hashes-not-wanted',
  },
  {
    title: 'a hash that nobody reads',
    user: { row: { readable: false }, ledger: { usable: false } },
    becomes: 'create reset no-usable-hash',
  },
  {
    title: 'a hash that we alone read, without a hook',
    user: { row: { readable: false } },
    with: noHook,
    becomes: 'create reset no-hook',
  },
  {
    title: 'a user whose right password was given',
    user: { ledger: { state: 'verified' } },
    becomes: 'create hash hash-readable',
  },
  {
    title: 'a migrated user whom no run of ours has brought',
    user: { ledger: migrated },
    becomes: 'none none migrated-already',
  },
  {
    title: 'a user whom the ledger does not have',
    user: { ledger: null },
    becomes: 'none none not-in-ledger',
  },
  {
    title: 'a user whom a rule leaves out',
    user: { row: { ready: false } },
    becomes: 'none none left-out-by-rule',
  },
  {
    title: 'a user of another cohort',
    with: { cohorts: new Set(['staff']) },
    becomes: 'none none not-in-cohort',
  },
  {
    title: 'a user of the cohort',
    with: { cohorts: new Set(['retail']) },
    becomes: 'create hash hash-readable',
  },

  {
    title: 'a hash that the target does not read, where the hook is asked about strangers',
    user: { row: { readable: false } },
    with: { traits: { hookWants: 'absent' } },
    becomes: 'none none hook-while-absent',
  },
  {
    title: 'a hash that the target reads, where the hook is asked about strangers',
    with: { traits: { hookWants: 'absent' } },
    becomes: 'create hash hash-readable',
  },
  {
    title: 'another hash, where the hook is asked about strangers',
    user: { provisioned: changed },
    with: { traits: { hookWants: 'absent' } },
    becomes: 'none none password-stays-old',
  },
  {
    title:
      'a password that was changed after the migration, with ask-again, where the hook is asked about strangers',
    user: { ledger: migrated, provisioned: changed, changedAfterwards: true },
    with: { changedPasswords: 'ask-again', traits: { hookWants: 'absent' } },
    becomes: 'none none password-stays-old',
  },

  // disabled and locked
  { title: 'a disabled user', user: { row: { status: 'disabled' } }, becomes: 'none none disabled' },
  { title: 'a locked user', user: { row: { status: 'locked' } }, becomes: 'none none disabled' },
  {
    title: 'a disabled user, with --inactive bring',
    user: { row: { status: 'disabled' } },
    with: { inactive: 'bring' },
    becomes: 'create hash hash-readable',
  },
  {
    title: 'a user who was disabled afterwards',
    user: { row: { status: 'disabled' }, provisioned: { sameContent: false } },
    becomes: 'deactivate none disabled',
  },
  {
    title: 'a migrated user who was disabled afterwards',
    user: { row: { status: 'disabled' }, ledger: migrated, provisioned: { sameContent: false } },
    becomes: 'deactivate none disabled',
  },
  {
    title: 'a user who was disabled afterwards, where nobody is deactivated',
    user: { row: { status: 'disabled' }, provisioned: { sameContent: false } },
    with: { traits: { removes: ['delete'] } },
    becomes: 'none none cannot-be-removed',
  },
  {
    title: 'a user who was disabled afterwards, with --inactive bring',
    user: { row: { status: 'disabled' }, provisioned: { sameContent: false } },
    with: { inactive: 'bring' },
    becomes: 'update none profile-changed',
  },
  {
    title: 'a user who was brought as an inactive one',
    user: { row: { status: 'disabled' }, provisioned: {} },
    becomes: 'none none unchanged',
  },
  {
    title: 'a disabled user who was deactivated',
    user: { row: { status: 'disabled' }, provisioned: { removed: true, sameContent: false } },
    becomes: 'none none removed-already',
  },
  {
    title: 'a disabled user who was deactivated, with --inactive bring',
    user: { row: { status: 'disabled' }, provisioned: { removed: true, sameContent: false } },
    with: { inactive: 'bring' },
    becomes: 'none none removed-already',
  },
  {
    title: 'a deactivated user who is active again',
    user: { provisioned: { removed: true } },
    becomes: 'update none enabled-again',
  },
  {
    title: 'a deactivated user who is active again, where nothing is changed',
    user: { provisioned: { removed: true } },
    with: { traits: { updates: false } },
    becomes: 'none none cannot-be-updated',
  },

  // again
  { title: 'a user as the target has it', user: { provisioned: {} }, becomes: 'none none unchanged' },
  {
    title: 'another profile',
    user: { provisioned: { sameContent: false } },
    becomes: 'update none profile-changed',
  },
  {
    title: 'another profile, where nothing is changed',
    user: { provisioned: { sameContent: false } },
    with: { traits: { updates: false } },
    becomes: 'none none cannot-be-updated',
  },
  {
    title: 'a user whom a rule leaves out by now',
    user: { row: { ready: false }, provisioned: { sameContent: false } },
    becomes: 'none none left-out-by-rule',
  },
  {
    title: 'another hash, with the hook',
    user: { provisioned: { sameHash: false } },
    becomes: 'none none password-changed',
  },
  {
    title: 'another hash and another profile, with the hook',
    user: { provisioned: { sameHash: false, sameContent: false } },
    becomes: 'update none profile-changed',
  },
  {
    title: 'another hash, where it can be replaced',
    user: { provisioned: changed },
    with: { traits: { replacesHash: true } },
    becomes: 'update hash password-changed',
  },
  {
    title: 'another hash, where it cannot be replaced',
    user: { provisioned: changed },
    becomes: 'update hook password-changed',
  },
  {
    title: 'another hash that the target does not read, where it could be replaced',
    user: { row: { readable: false }, provisioned: changed },
    with: { traits: { replacesHash: true } },
    becomes: 'update hook password-changed',
  },
  {
    title: 'another hash, where it can be replaced, with --hashes never',
    user: { provisioned: changed },
    with: { hashes: 'never', traits: { replacesHash: true } },
    becomes: 'update hook password-changed',
  },
  {
    title: 'another hash, where nothing can be done about it',
    user: { provisioned: changed },
    with: noHook,
    becomes: 'none none password-stays-old',
  },
  {
    title: 'another hash and another profile, where nothing can be done about the hash',
    user: { provisioned: { ...changed, sameContent: false } },
    with: noHook,
    becomes: 'update none profile-changed',
  },
  {
    title: 'another hash of a user who was to reset the password',
    user: { provisioned: { method: 'reset', sameHash: false } },
    becomes: 'update hook password-changed',
  },
  {
    title: 'another hash of a user whose right password was given',
    user: { ledger: { state: 'verified' }, provisioned: changed },
    becomes: 'none none password-stays-old',
  },
  {
    title: 'a password that was changed after the first sign-in, which nobody has confirmed',
    user: { ledger: { state: 'verified' }, provisioned: { sameHash: false }, changedAfterwards: true },
    becomes: 'none none password-stays-old',
  },
  {
    title: 'a password that was changed after the first sign-in, which nobody has confirmed, with ask-again',
    user: { ledger: { state: 'verified' }, provisioned: { sameHash: false }, changedAfterwards: true },
    with: { changedPasswords: 'ask-again' },
    becomes: 'update hook password-changed',
  },
  {
    title: 'a password that was changed after the first sign-in, which nobody has confirmed, with reset',
    user: { ledger: { state: 'verified' }, provisioned: { sameHash: false }, changedAfterwards: true },
    with: { changedPasswords: 'reset' },
    becomes: 'update reset password-changed',
  },

  // migrated
  {
    title: 'another hash of a migrated user, of which nobody was told',
    user: { ledger: migrated, provisioned: changed },
    becomes: 'none none unchanged',
  },
  {
    title: 'another profile of a migrated user',
    user: { ledger: migrated, provisioned: { sameContent: false } },
    becomes: 'update none profile-changed',
  },
  {
    title: 'a password that was changed after the migration',
    user: { ledger: migrated, provisioned: changed, changedAfterwards: true },
    becomes: 'none none password-stays-old',
  },
  {
    title: 'a password that was changed after the migration, and another profile',
    user: { ledger: migrated, provisioned: { ...changed, sameContent: false }, changedAfterwards: true },
    becomes: 'update none profile-changed',
  },
  {
    title: 'a password that was changed after the migration, with ask-again',
    user: { ledger: migrated, provisioned: changed, changedAfterwards: true },
    with: { changedPasswords: 'ask-again' },
    becomes: 'update hook password-changed',
  },
  {
    title: 'a password that was changed after the migration, with ask-again and no hash to check',
    user: { ledger: { ...migrated, usable: false }, provisioned: changed, changedAfterwards: true },
    with: { changedPasswords: 'ask-again' },
    becomes: 'none none password-stays-old',
  },
  {
    title: 'a password that was changed after the migration, with reset',
    user: { ledger: migrated, provisioned: changed, changedAfterwards: true },
    with: { changedPasswords: 'reset' },
    becomes: 'update reset password-changed',
  },
  {
    title: 'a migrated user without a changed password, with reset',
    user: { ledger: migrated, provisioned: {} },
    with: { changedPasswords: 'reset' },
    becomes: 'none none unchanged',
  },

  // gone
  {
    title: 'a deleted user',
    user: { row: null, ledger: { deleted: true }, provisioned: {} },
    becomes: 'deactivate none deleted',
  },
  {
    title: 'a deleted user whose row is still there',
    user: { ledger: { deleted: true }, provisioned: {} },
    becomes: 'deactivate none deleted',
  },
  {
    title: 'a deleted user, with --removals delete',
    user: { row: null, ledger: { deleted: true }, provisioned: {} },
    with: { removals: 'delete' },
    becomes: 'delete none deleted',
  },
  {
    title: 'a deleted user, with --removals leave',
    user: { row: null, ledger: { deleted: true }, provisioned: {} },
    with: { removals: 'leave' },
    becomes: 'none none cannot-be-removed',
  },
  {
    title: 'a deleted user whom the target never had',
    user: { ledger: { deleted: true } },
    becomes: 'none none deleted',
  },
  {
    title: 'a deleted user who was removed',
    user: { ledger: { deleted: true }, provisioned: { removed: true } },
    becomes: 'none none removed-already',
  },
  {
    title: 'a deleted user of another cohort',
    user: { row: null, ledger: { deleted: true }, provisioned: {} },
    with: { cohorts: new Set(['staff']) },
    becomes: 'none none not-in-cohort',
  },
]

test.each(cases)('$title becomes $becomes', ({ user = {}, with: change = {}, becomes }) => {
  const { action, method, why } = decide(subject(user), policy(change))
  expect(`${action} ${method} ${why}`).toBe(becomes)
})

test('those who are missing at the target are named one by one', () => {
  const named = cases.filter(({ user = {}, with: change = {} }) =>
    isLeftOut(decide(subject(user), policy(change))),
  )
  expect(new Set(named.map(({ becomes }) => becomes))).toEqual(
    new Set(['none none disabled', 'none none left-out-by-rule']),
  )
})
