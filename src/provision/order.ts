import type { Claimed } from '../db/plan-items.ts'
import type { StoredHash } from '../domain.ts'
import type { CopiedUser, Prepared } from '../mapping/user.ts'
import type { PortableHash } from '../portable-hash.ts'
import type { Candidate, Credential, Order } from '../targets/target.ts'
import { candidateOf, candidateToRemove } from './content.ts'
import type { RunReason } from './reasons.ts'

/** What the target will have once the order is done: what the next plan compares with. */
export interface Brings {
  readonly content: Buffer
  readonly method: Claimed['method']
  readonly hash: Buffer | null
}

export type Readied =
  | {
      readonly kind: 'order'
      readonly item: Claimed
      readonly order: Order
      /** null for removals. */
      readonly brings: Brings | null
    }
  /** Nothing is asked of the target. */
  | {
      readonly kind: 'ended'
      readonly item: Claimed
      readonly state: 'postponed' | 'left-out' | 'unchanged' | 'refused'
      readonly reason: RunReason | null
    }

export interface ReadyDeps {
  /** With the plan's mapping and rules. */
  readonly prepare: (user: CopiedUser) => Prepared
  /** null: not a hash that could be given away. */
  readonly portable: (stored: StoredHash) => PortableHash | null
  /** Whether the target reads it. */
  readonly reads: (hash: PortableHash) => boolean
  readonly contentDigest: (candidate: Candidate) => Buffer
  readonly hashDigest: (stored: StoredHash) => Buffer
  readonly tag: string | null
}

/** Makes an order of what was planned, unless the user has changed since. */
export function readied(item: Claimed, deps: ReadyDeps): Readied {
  switch (item.action) {
    case 'none':
      return { kind: 'ended', item, state: 'unchanged', reason: null }
    case 'deactivate':
    case 'delete':
      return removal(item, item.action, deps.tag)
    case 'create':
    case 'update':
      return bringing(item, item.action, deps)
  }
}

function removal(item: Claimed, action: 'deactivate' | 'delete', tag: string | null): Readied {
  const present = item.row !== null && !item.deleted
  // Who is in the old system again is not removed; who is only disabled there may be deactivated.
  if (present && (action === 'delete' || item.row?.user.status === 'active'))
    return { kind: 'ended', item, state: 'postponed', reason: 'changed-since-plan' }
  const user = candidateToRemove(item.userId, item.row?.user ?? null, tag)
  return { kind: 'order', item, order: orderOf(item, action, user), brings: null }
}

function bringing(item: Claimed, action: 'create' | 'update', deps: ReadyDeps): Readied {
  const postponed = (reason: RunReason): Readied => ({ kind: 'ended', item, state: 'postponed', reason })
  if (item.row === null || item.deleted)
    return { kind: 'ended', item, state: 'left-out', reason: 'deleted-since-plan' }
  const prepared = deps.prepare(item.row.user)
  if (prepared.kind === 'left-out') return postponed('changed-since-plan')
  const confirmed = item.confirmedSincePlan && item.method !== 'none'
  // An update that asks for the password again was for the one before: whether this one is also old is for the next plan to say.
  if (confirmed && (action === 'create' || item.method !== 'hash')) return postponed('confirmed-since-plan')
  const method = confirmed ? 'none' : item.method
  const credential = credentialOf(method, item.row.stored, deps)
  if (credential === null) return postponed('changed-since-plan')
  const user = candidateOf(prepared, credential, deps.tag)
  const content = deps.contentDigest(user)
  if (item.content === null || !content.equals(item.content)) return postponed('changed-since-plan')
  // A reset leaves no old password behind, and one that is kept is not of the copy.
  const hash = method === 'hash' || method === 'hook' ? deps.hashDigest(item.row.stored) : null
  return { kind: 'order', item, order: orderOf(item, action, user), brings: { content, method, hash } }
}

/** null: there is no hash any more that this target reads. The plan may be days old, so it is taken fresh from the copy. */
function credentialOf(
  method: Claimed['method'],
  stored: StoredHash,
  { portable, reads }: ReadyDeps,
): Credential | null {
  switch (method) {
    case 'hash': {
      const hash = portable(stored)
      return hash !== null && reads(hash) ? { kind: 'hash', hash } : null
    }
    case 'hook':
      return { kind: 'hook' }
    case 'reset':
      return { kind: 'reset' }
    case 'none':
      return { kind: 'keep' }
  }
}

function orderOf(item: Claimed, action: Order['action'], user: Candidate): Order {
  // Another plan may have brought the user meanwhile: that counts as a try that may have been heard.
  const broughtBefore = item.there !== null && !item.there.removed
  const tried = item.attempts - 1
  return {
    action,
    user,
    targetId: item.there?.targetId ?? null,
    attempts: action === 'create' && broughtBefore ? Math.max(1, tried) : tried,
  }
}
