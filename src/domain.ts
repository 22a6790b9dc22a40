/**
 * The words of the product. This file imports nothing.
 *
 * - legacy user: a row of the copy of the old store.
 * - attempt: one question of an identity provider: is this the password of this login?
 * - verdict: what we know about an attempt. When we could not find out, that is a Failure, never a verdict.
 * - admission: may somebody register under this name?
 * - confirmation: the identity provider tells us what became of a user's password on its side.
 * - outcome: the record of a verdict, an admission or a confirmation.
 */

export type UserStatus = 'active' | 'disabled' | 'locked'

/** `verified`: we said yes. `migrated`: the identity provider has confirmed that it holds a password of its own. */
export type MigrationState = 'unmigrated' | 'verified' | 'migrated'

/** A password hash as the old system stored it, with what else is needed to read it. */
export interface StoredHash {
  readonly encoded: string | null
  /** A scheme's name or a recipe such as `sha256($salt.$pass)`; null: tell it from `encoded`. */
  readonly scheme: string | null
  readonly salt: string | null
  readonly login: string
  readonly id: string
  /** The row's, for schemes that are configured by cohort. */
  readonly cohort?: string
}

export interface LegacyUser {
  readonly id: string
  readonly login: string
  readonly email: string | null
  readonly hash: StoredHash
  readonly status: UserStatus
  readonly cohort: string
  /** OpenID Connect standard claims and attributes of the old system's own. */
  readonly profile: Readonly<Record<string, unknown>>
  readonly state: MigrationState
  readonly verifiedAt: Date | null
  readonly migratedAt: Date | null
}

/** Why a stored hash cannot be used. Recorded and counted, so never renamed. */
export type Defect =
  | 'missing'
  | 'locked-marker'
  | 'unrecognised'
  | 'ambiguous'
  | 'malformed'
  | 'too-costly'
  | 'unknown-scheme'
  | 'bad-recipe'
  | 'bad-salt'
  | 'missing-secret'

/** One question from an identity provider: is this the password of this login? */
export interface Attempt {
  readonly dialect: string
  readonly hook: string
  readonly login: string
  readonly password: string
  /** The caller's own id of the request, for correlation. */
  readonly requestId: string | null
  /** The id is the same for every try of one sign-in, which is one refusal then. */
  readonly oncePerRequest?: boolean
  /** Moment on the monotonic clock (`performance.now()`) after which nobody listens for the answer. */
  readonly deadline: number
  readonly caller?: Caller
}

/** Who waits for an answer, and may hang up. */
export interface Caller {
  hasGone(): boolean
  /** Calls `act` when the caller hangs up, at most once. The result makes that undone. */
  onceGone(act: () => void): () => void
}

/** Who wants to know whether a password is right. */
export interface Asker {
  /** Whose password it is. Many checks of one subject do not keep those of others waiting. */
  readonly subject?: string
  /** A check that has not begun is not done once the caller has gone. */
  readonly caller?: Caller | undefined
}

/**
 * Our answer to an attempt. A verdict is something we know; when we could not find out (overload,
 * database gone) a Failure is thrown instead, so that a provider never mistakes an outage for a
 * wrong password.
 */
export type Verdict =
  | { readonly kind: 'match'; readonly user: LegacyUser }
  | { readonly kind: 'mismatch' }
  | { readonly kind: 'unknown-login' }
  | { readonly kind: 'disabled' }
  | { readonly kind: 'throttled' }
  | { readonly kind: 'unusable-hash'; readonly defect: Defect }
  /** The provider has confirmed its own password, and the grace period is over. */
  | { readonly kind: 'migrated' }

export type VerdictKind = Verdict['kind']

/** Somebody wants to register under these names (login, e-mail), or to change them on an existing profile. */
export interface Registration {
  readonly dialect: string
  readonly hook: string
  readonly names: readonly { readonly field: string; readonly value: string }[]
  readonly requestId: string | null
}

export type Admission =
  /** `attributes`: OpenID Connect claims and old attributes that may be added to the new profile. */
  | { readonly kind: 'allowed'; readonly attributes: Readonly<Record<string, unknown>> }
  /** `field`: the name that an unmigrated legacy user answers to. */
  | { readonly kind: 'denied'; readonly field: string }

/** What a provider tells us about one of its users. */
export interface Confirmation {
  readonly dialect: string
  readonly hook: string
  readonly login: string
  /** `stored`: the provider now holds a password of its own. `not-stored`: it tried and could not. */
  readonly result: 'stored' | 'not-stored'
  /** The provider's id of the event: the same event twice is one. */
  readonly eventId: string
}
