import type { Asker, Attempt, LegacyUser, StoredHash, Verdict } from '../domain.ts'
import { Failure } from '../errors.ts'
import type { Classified } from '../hashes/classify.ts'
import { lookupName, usablePassword } from '../input.ts'
import type { Decoys } from './decoy.ts'
import type { Gate } from './gate.ts'

/** What a name led to. `ambiguous`: several users answer to it, which is no user. */
export interface Found {
  readonly user: LegacyUser | null
  readonly ambiguous: boolean
  /** Refusals of this user, or of this unknown login, within the window. */
  readonly refusals: number
}

/** A verdict on its way into the record. */
export interface VerdictRecord {
  readonly attempt: Attempt
  readonly name: string | null
  readonly user: LegacyUser | null
  readonly classified: Classified | null
  readonly verdict: Verdict
  readonly millis: number
}

export interface JudgeDeps {
  readonly find: (name: string | null, deadline: number) => Promise<Found>
  readonly check: (
    stored: StoredHash,
    password: Uint8Array,
    deadline: number,
    asker: Asker,
  ) => Promise<boolean>
  readonly classify: (stored: StoredHash) => Classified
  /** Durable when it resolves. Says which verdict to give: `throttled` replaces any other. */
  readonly record: (record: VerdictRecord) => Promise<Verdict['kind']>
  readonly decoys: Decoys
  readonly gate: Gate
  readonly refusalLimit: number
  readonly migratedGraceMs: number
  /** Likewise after the first match, where the provider never confirms; null: it does. */
  readonly verifiedGraceMs: number | null
  /** Resolves when a no may be given. `checked`: a check was done for it. */
  readonly hold: (checked: boolean) => Promise<void>
  readonly notice: (seen: 'ambiguous-login' | { unusable: Classified; userId: string }) => void
}

/** Milliseconds that are kept for the record and the reply after a check. */
const RECORD_RESERVE_MS = 200

/** The verdict, once it is on disk. */
export interface Judgement {
  readonly verdict: Verdict
  readonly user: LegacyUser | null
  readonly scheme: string | null
}

/**
 * Attempt to verdict. Whatever keeps us from finding out is thrown.
 *
 * Every way through costs one check: of the user's own hash, or of a decoy where there is no user or no usable hash, so
 * that what is left for the floor to hide is little. The exception is a throttled login, known or not. A no is held until
 * its moment; a match is not, because what it says tells it apart.
 */
export async function judge(attempt: Attempt, deps: JudgeDeps): Promise<Judgement> {
  const started = performance.now()
  const name = lookupName(attempt.login)
  const found = await deps.find(name, attempt.deadline)
  if (found.ambiguous) deps.notice('ambiguous-login')
  const { user } = found
  const classified = user === null ? null : deps.classify(user.hash)
  const subject = user === null ? `login:${name?.toLowerCase() ?? ''}` : `user:${user.id}`
  const place = await deps.gate.enter(subject, found.refusals, attempt.deadline)
  const isThrottled = place.refusals() >= deps.refusalLimit
  try {
    const proposed: Verdict = isThrottled
      ? { kind: 'throttled' }
      : await examine(attempt, subject, user, classified, deps)
    const millis = Math.round(performance.now() - started)
    const given = await deps.record({ attempt, name, user, classified, verdict: proposed, millis })
    const verdict: Verdict = given === 'throttled' ? { kind: 'throttled' } : proposed
    if (verdict.kind !== 'match') {
      place.refused()
      // Those behind wait for as long as this answer shows, not for as long as its check took; without a check for nothing.
      if (isThrottled) place.leave()
      await deps.hold(!isThrottled)
    }
    return { verdict, user, scheme: classified?.scheme ?? null }
  } finally {
    place.leave()
  }
}

async function examine(
  attempt: Attempt,
  subject: string,
  user: LegacyUser | null,
  classified: Classified | null,
  deps: JudgeDeps,
): Promise<Verdict> {
  const password = usablePassword(attempt.password)
  const stored = user !== null && classified?.usable ? user.hash : deps.decoys.current()
  const deadline = attempt.deadline - RECORD_RESERVE_MS
  // Without a usable password the same work is done with a stand-in, and never matches.
  const asker = { subject, caller: attempt.caller }
  const matches = await deps
    .check(stored, password ?? STAND_IN, deadline, asker)
    .finally(() => password?.fill(0))
  if (user === null || classified === null) return { kind: 'unknown-login' }
  if (user.status !== 'active') return { kind: 'disabled' }
  // Before the hash is looked at, which may have been purged.
  if (isOver(user, deps)) return { kind: 'migrated' }
  if (!classified.usable) {
    deps.notice({ unusable: classified, userId: user.id })
    // A key that is not there is an outage of ours, and says nothing of the password.
    if (classified.defect === 'missing-secret') throw new Failure('unavailable', { detail: 'hardening-key' })
    return { kind: 'unusable-hash', defect: classified.defect }
  }
  deps.decoys.learn(classified.read)
  return matches && password !== undefined ? { kind: 'match', user } : { kind: 'mismatch' }
}

const STAND_IN = new Uint8Array(16).fill(0x78)

/** The provider has a password of its own, which a stale one must not replace. */
function isOver({ hash, migratedAt, verifiedAt }: LegacyUser, deps: JudgeDeps): boolean {
  if (migratedAt !== null && hash.encoded === null) return true
  return isLong(migratedAt, deps.migratedGraceMs) || isLong(verifiedAt, deps.verifiedGraceMs)
}

function isLong(since: Date | null, graceMs: number | null): boolean {
  return since !== null && graceMs !== null && Date.now() - since.getTime() > graceMs
}

/** For `carryover try`: what the hash says, without gate, throttle, grace period, record or stand-in work. */
export async function foresee(
  found: Found,
  password: string,
  {
    check,
    classify,
  }: {
    check(stored: StoredHash, password: Uint8Array): Promise<boolean>
    classify(stored: StoredHash): Classified
  },
): Promise<{ verdict: Verdict; classified: Classified | null }> {
  const { user } = found
  if (user === null) return { verdict: { kind: 'unknown-login' }, classified: null }
  const classified = classify(user.hash)
  const bytes = usablePassword(password)
  const verdict = async (): Promise<Verdict> => {
    if (user.status !== 'active') return { kind: 'disabled' }
    if (!classified.usable) return { kind: 'unusable-hash', defect: classified.defect }
    return bytes !== undefined && (await check(user.hash, bytes).finally(() => bytes.fill(0)))
      ? { kind: 'match', user }
      : { kind: 'mismatch' }
  }
  return { verdict: await verdict(), classified }
}
