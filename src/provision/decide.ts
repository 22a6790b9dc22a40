// What is to become of a user at a target. Looks at one user and knows nothing of databases and networks.
import type { MigrationState, UserStatus } from '../domain.ts'
import type { Traits } from '../targets/target.ts'

export type Action = 'create' | 'update' | 'deactivate' | 'delete' | 'none'

/** How the password gets there; `none`: it is left as it is. */
export type Method = 'hash' | 'hook' | 'reset' | 'none'

/** Why a decision is as it is, with the sentence that the report has for it. */
export const reasons = {
  'hash-readable': 'the target reads the stored hash',
  hook: 'the target cannot read the stored hash and asks the hook at the first sign-in',
  'hash-changes-later':
    'the row changed lately, so the password may change again: the hook always has the newest',
  'hashes-not-wanted': 'no hashes are given away',
  'hook-while-absent':
    'the target asks the hook about users whom it does not have: the first sign-in creates the user',
  'no-usable-hash':
    'the stored hash can neither be read by the target nor checked here: the user resets the password',
  'no-hook': 'the target neither reads the stored hash nor asks a hook: the user resets the password',
  'profile-changed': 'the target has another profile',
  'password-changed': 'the password was changed in the old system after the user was brought',
  'password-stays-old':
    'the password was changed in the old system, and what the target has cannot be replaced',
  'enabled-again': 'the user was deactivated at the target and is active again',
  disabled: 'disabled or locked in the old system',
  'left-out-by-rule': 'a rule of the mapping leaves the user out',
  deleted: 'deleted in the old system',
  'removed-already': 'the target no longer has the user',
  'cannot-be-removed': 'to be removed, and nothing is: the target cannot, or --removals says so',
  'cannot-be-updated': 'the target has another profile and does not change it',
  'migrated-already': 'the provider has confirmed a password of its own',
  'not-in-ledger': 'in the copy and not in the ledger: run carryover sync',
  'not-in-cohort': 'of another cohort than the plan',
  unchanged: 'the target has the user as it is',
} as const satisfies Record<string, string>

export type Why = keyof typeof reasons

/** These are told user by user, although nothing is done: each of them is missing at the target. */
const missing: readonly Why[] = ['disabled', 'left-out-by-rule']

export interface Decision {
  readonly action: Action
  readonly method: Method
  readonly why: Why
}

export function isLeftOut({ action, why }: Decision): boolean {
  return action === 'none' && missing.includes(why)
}

/** One user, as far as it matters. */
export interface Subject {
  readonly cohort: string
  /** null: no longer in the copy. */
  readonly row: {
    readonly status: UserStatus
    /** When the old system changed it. */
    readonly changedAt: Date
    /** The mapping makes a user of it, and no rule leaves it out. */
    readonly ready: boolean
    /** The target reads the stored hash. */
    readonly readable: boolean
  } | null
  /** null: not listed yet. */
  readonly ledger: {
    readonly state: MigrationState
    readonly deleted: boolean
    /** The hook can check the stored hash, which is still there. */
    readonly usable: boolean
  } | null
  /** What earlier runs have brought to this target. */
  readonly provisioned: {
    readonly method: Method
    readonly removed: boolean
    readonly sameContent: boolean
    /** A hash that was purged meanwhile is the same. */
    readonly sameHash: boolean
  } | null
  /** The password was changed in the old system after the first right one was given or confirmed, and nothing was decided yet. */
  readonly changedAfterwards: boolean
}

export interface Policy {
  /** `quiet`: where the target cannot replace a hash, only of rows that did not change after `quietSince`. */
  readonly hashes: 'quiet' | 'always' | 'never'
  readonly quietSince: Date
  /** What becomes of disabled and locked users. */
  readonly inactive: 'bring' | 'leave-out'
  readonly removals: 'deactivate' | 'delete' | 'leave'
  readonly changedPasswords: 'leave' | 'ask-again' | 'reset'
  /** null: all of them. */
  readonly cohorts: ReadonlySet<string> | null
  readonly traits: Pick<Traits, 'hook' | 'hookWants' | 'replacesHash' | 'updates' | 'removes'>
}

export function decide(subject: Subject, policy: Policy): Decision {
  const { row, ledger, provisioned } = subject
  if (policy.cohorts !== null && !policy.cohorts.has(subject.cohort)) return nothing('not-in-cohort')
  if (row === null || ledger?.deleted) return removal(subject, policy)
  if (ledger === null) return nothing('not-in-ledger')
  if (row.status !== 'active' && policy.inactive === 'leave-out') return inactive(subject, policy)
  if (!row.ready) return nothing('left-out-by-rule')
  if (provisioned === null)
    return ledger.state === 'migrated' ? nothing('migrated-already') : creation(row, ledger, policy)
  if (provisioned.removed) return revival(row, policy)
  return ledger.state === 'migrated' || subject.changedAfterwards
    ? migrated(subject, ledger, provisioned, policy)
    : waiting(row, ledger, provisioned, policy)
}

type Row = NonNullable<Subject['row']>
type Ledger = NonNullable<Subject['ledger']>
type Provisioned = NonNullable<Subject['provisioned']>

const nothing = (why: Why): Decision => ({ action: 'none', method: 'none', why })
const update = (method: Method, why: Why): Decision => ({ action: 'update', method, why })

function removal({ provisioned }: Subject, { removals }: Policy): Decision {
  if (provisioned === null) return nothing('deleted')
  if (provisioned.removed) return nothing('removed-already')
  if (removals === 'leave') return nothing('cannot-be-removed')
  return { action: removals, method: 'none', why: 'deleted' }
}

function inactive({ provisioned }: Subject, { traits }: Policy): Decision {
  if (provisioned === null) return nothing('disabled')
  if (provisioned.removed) return nothing('removed-already')
  // Brought as an inactive user by an earlier plan, which had another policy.
  if (provisioned.sameContent) return nothing('unchanged')
  if (!traits.removes.includes('deactivate')) return nothing('cannot-be-removed')
  return { action: 'deactivate', method: 'none', why: 'disabled' }
}

function revival({ status }: Row, { traits }: Policy): Decision {
  if (status !== 'active') return nothing('removed-already')
  return traits.updates ? update('none', 'enabled-again') : nothing('cannot-be-updated')
}

function creation(row: Row, ledger: Ledger, policy: Policy): Decision {
  const credential = firstCredential(row, ledger, policy)
  if (credential.method === 'hook' && policy.traits.hookWants === 'absent')
    return nothing('hook-while-absent')
  return { action: 'create', ...credential }
}

function firstCredential(
  row: Row,
  { usable }: Ledger,
  { hashes, quietSince, traits }: Policy,
): Omit<Decision, 'action'> {
  const hook = traits.hook && usable
  const hash = { method: 'hash', why: 'hash-readable' } as const
  if (row.readable && hashes === 'never') return { method: hook ? 'hook' : 'reset', why: 'hashes-not-wanted' }
  // Without a hook the alternative would be a reset, which costs the user more than an old password does.
  if (row.readable && (hashes === 'always' || traits.replacesHash || !hook)) return hash
  if (row.readable) return row.changedAt < quietSince ? hash : { method: 'hook', why: 'hash-changes-later' }
  if (hook) return { method: 'hook', why: 'hook' }
  return { method: 'reset', why: usable ? 'no-hook' : 'no-usable-hash' }
}

/**
 * The provider has a password of its own, or for all we know it has: some never confirm it. Nothing replaces that but the policy
 * for passwords that were changed later.
 */
function migrated(
  { changedAfterwards }: Subject,
  { usable }: Ledger,
  provisioned: Provisioned,
  policy: Policy,
): Decision {
  const { updates } = policy.traits
  if (changedAfterwards && updates) {
    if (policy.changedPasswords === 'reset') return update('reset', 'password-changed')
    if (policy.changedPasswords === 'ask-again' && asksAgain(policy.traits) && usable)
      return update('hook', 'password-changed')
  }
  const profile = profileOf(provisioned, policy)
  return changedAfterwards && profile.why === 'unchanged' ? nothing('password-stays-old') : profile
}

/** Nobody has confirmed a password yet. */
function waiting(row: Row, { state, usable }: Ledger, provisioned: Provisioned, policy: Policy): Decision {
  const profile = profileOf(provisioned, policy)
  if (provisioned.sameHash || provisioned.method === 'none') return profile
  // The hook answers from the copy, which has the new hash.
  if (provisioned.method === 'hook')
    return profile.why === 'unchanged' ? nothing('password-changed') : profile
  const { updates, replacesHash } = policy.traits
  // The right password was given, so the target may hold one by now.
  if (state === 'unmigrated' && updates) {
    if (replacesHash && row.readable && policy.hashes !== 'never') return update('hash', 'password-changed')
    if (asksAgain(policy.traits) && usable) return update('hook', 'password-changed')
  }
  // Who resets the password anyway has lost nothing.
  if (provisioned.method === 'reset') return profile
  return profile.why === 'unchanged' ? nothing('password-stays-old') : profile
}

/** Whether the hook can be asked about a user who is there already. */
export function asksAgain({ hook, hookWants }: Pick<Traits, 'hook' | 'hookWants'>): boolean {
  return hook && hookWants !== 'absent'
}

function profileOf({ sameContent }: Provisioned, { traits }: Policy): Decision {
  if (sameContent) return nothing('unchanged')
  return traits.updates ? update('none', 'profile-changed') : nothing('cannot-be-updated')
}
