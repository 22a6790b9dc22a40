// How users are brought to an identity provider. A target translates and nothing else: it opens no connection, reads no clock and
// sees no database. What it needs of these is given to it.
import { errorCode } from '../errors.ts'
import { type Call, CallFailure, type OutboundAnswer } from '../outbound/call.ts'
import type { PortableHash } from '../portable-hash.ts'
import type { ConfirmationKind } from './confirmations.ts'

/** A kind of target: what the registry lists. */
export interface TargetKind {
  /** The word on the command line, in the tables and in `<NAME>_PROVISION_...`. Never renamed. */
  readonly name: string
  /** As its makers write it. */
  readonly title: string
  /** Why users cannot be brought here, and what to do instead. With it nothing else matters. */
  readonly impossible?: string
  /** By the part of the name that follows `<NAME>_PROVISION_`. */
  readonly settings: Readonly<Record<string, TargetSetting>>
  /** What is known without any setting, for `check` and for plans that are made away from the network. */
  readonly traits: Traits
  /** Where it keeps a log of passwords that can be read: `carryover reconcile`. */
  readonly confirmations?: ConfirmationKind
  /** Throws TargetError for settings that make no sense. */
  open(settings: TargetSettings): Target
}

export interface TargetSetting {
  readonly purpose: string
  readonly default?: string
  /** Read from the file that `..._FILE` names, and from nowhere else. */
  readonly secret?: true
  readonly required?: true
}

/** Texts by the names of `TargetKind.settings`; of those without a default that are not set, nothing. */
export type TargetSettings = Readonly<Record<string, string | undefined>>

/** A setting that makes no sense, by its short name. The message repeats no value. */
export class TargetError extends Error {}

/** What the target does with users, as far as plans and checks need to know. */
export interface Traits {
  /** It can ask our hook at the first sign-in for a user whose password it does not have. */
  readonly hook: boolean
  /** The hook is asked for users whom the target does not have: who is to be asked for must not be brought. Absent: for users who are there. */
  readonly hookWants?: 'absent'
  /** Whether it reads this hash, in a notation of its own. */
  reads(hash: PortableHash): boolean
  /** Whether a hash can be replaced by another one before the user's first sign-in. */
  readonly replacesHash: boolean
  /** Whether a profile can be changed later. */
  readonly updates: boolean
  /** What becomes of users who are removed; undefined: it cannot be done by this target. */
  readonly removes: readonly ('deactivate' | 'delete')[]
  /** Names that it gives to the fields of a user: `login`, `email`, `id` and `profile.<claim>`; what is not here has to be mapped. */
  readonly standard: Readonly<Record<string, string>>
  readonly attributes: readonly AttributeRule[]
  /** Attributes that are not in `attributes`: taken as they are, or to be defined at the target beforehand, or refused. */
  readonly others: 'taken' | 'defined-beforehand' | 'refused'
  /** What makes two names one: applied in this order to attributes with `unique`. */
  readonly sameness: readonly ('trim' | 'nfkc' | 'case' | 'diacritics')[]
  /** Users in a request, and calls that it takes for each such batch when nothing goes wrong. */
  readonly batch: number
  readonly callsPerBatch: number
  /** Published or usual calls a minute, for the forecast; undefined: no limit is known. */
  readonly callsPerMinute?: number
  /** What must be so at the target before users are brought, in sentences: mails off, hook active. */
  needs(use: TargetUse): readonly string[]
}

export interface TargetUse {
  readonly hook: boolean
  readonly hash: boolean
  /** Attribute names that the plan sends; none: nobody is created or changed. */
  readonly attributes: readonly string[]
}

/** What an attribute must be like. Lengths are UTF-16 units. */
export interface AttributeRule {
  readonly name: string
  readonly required?: true
  readonly least?: number
  readonly most?: number
  /** Anchored, without nested quantifiers: it meets every value of the copy. */
  readonly pattern?: RegExp
  readonly format?: 'email' | 'e164' | 'uri' | 'locale' | 'date' | 'boolean' | 'zoneinfo'
  /** No two users of the target may have the same; see `Traits.sameness`. */
  readonly unique?: true
}

/** A user as the target is to have it. */
export interface Candidate {
  /** The old system's key. */
  readonly id: string
  readonly login: string
  readonly email: string | null
  readonly active: boolean
  /** Under the target's own names. */
  readonly attributes: Readonly<Record<string, unknown>>
  readonly credential: Credential
  /** For the target's groups, where it has them: names the batch, so that it can be undone. */
  readonly tag: string | null
}

export type Credential =
  | { readonly kind: 'hash'; readonly hash: PortableHash }
  /** The target asks our hook. */
  | { readonly kind: 'hook' }
  /** Nothing that signs in: the user resets the password. */
  | { readonly kind: 'reset' }
  /** The credential at the target is left as it is: an update of the profile alone. */
  | { readonly kind: 'keep' }

export interface Order {
  readonly action: 'create' | 'update' | 'deactivate' | 'delete'
  readonly user: Candidate
  /** The target's own key, where an earlier run has learned it. */
  readonly targetId: string | null
  /** Tries before this one, any of which may have been heard: the user may be there already. */
  readonly attempts: number
}

/** What became of an order. */
export type Result =
  | {
      readonly kind: 'created' | 'updated' | 'unchanged' | 'removed'
      readonly targetId: string | null
      /** What besides the user did not come about. */
      readonly warnings?: readonly WarningCode[]
    }
  | Refused
  /** Not now: it is tried again later. */
  | { readonly kind: 'postponed'; readonly reason: ReasonCode }

/** The user is there as planned, and something that goes with it is not. */
export type WarningCode = 'factor-not-enrolled'

export interface Refused {
  readonly kind: 'refused'
  readonly reason: ReasonCode
  /** The target's own code or status, as `E0000001` or `409`. */
  readonly targetCode: string | null
  /** The target's own words. Whoever keeps them takes the user's values out of them. */
  readonly targetText: string | null
}

export type Brought =
  /** In the order of the orders. */
  | { readonly kind: 'each'; readonly results: readonly Result[] }
  /** One of them spoils the batch and the target does not say which: they are to be tried in halves. */
  | { readonly kind: 'whole'; readonly refused: Refused }

/** Why a user is not there as planned, in words of ours that are the same for every target. */
export type ReasonCode =
  | 'taken'
  | 'invalid-attribute'
  | 'unknown-attribute'
  | 'missing-attribute'
  | 'hash-refused'
  | 'too-large'
  | 'wrong-state'
  | 'not-there'
  | 'forbidden'
  | 'rejected'
  | 'busy'
  | 'no-answer'
  | 'changed-since-plan'
  | 'confirmed-since-plan'

/** Everything stops: the next user would fare no better. */
export class RunHalt extends Error {
  readonly reason: 'unauthorized' | 'not-found' | 'misconfigured'
  /** The target's own code or status. */
  readonly targetCode: string | null

  constructor(reason: RunHalt['reason'], targetCode: string | null = null) {
    super(`the target cannot be used: ${reason}`)
    this.reason = reason
    this.targetCode = targetCode
  }
}

/** Why a target could not be asked: a word of ours, or an error code. */
export function troubleOf(error: unknown): string {
  if (error instanceof CallFailure) return error.code
  if (error instanceof RunHalt) return error.reason
  return errorCode(error)
}

/** The access token is not taken any more: `authorize` is asked again, and then the same orders are brought. */
export class ExpiredError extends Error {
  constructor() {
    super('the access token is not taken any more')
    this.name = 'ExpiredError'
  }
}

/** What an answer says of limits. Moments are milliseconds since 1970 by the target's clock: see `now`. */
export interface LimitNotice {
  /** Calls of a window, and how many of them are left. */
  readonly limit?: number
  readonly remaining?: number
  /** When the window ends. */
  readonly resetAt?: number
  /** Milliseconds to wait before any other call. */
  readonly waitMs?: number
  /** The target's clock, by its Date header. */
  readonly now?: number
}

/** An opened target. */
export interface Target {
  /** The only hosts that are called, as `dev-1.okta.com` or `127.0.0.1:8443`. */
  readonly hosts: readonly string[]
  /** Headers of every call. For targets with access tokens it calls for one, and is asked again after `ExpiredError`. */
  authorize(call: Call): Promise<Authorization>
  /** Calls at the same time, of one process. */
  readonly inFlight: number
  /** Orders that `bring` takes at once, where a setting says another number than `Traits.batch`. */
  readonly batch?: number
  /** Processes that may call at the same time; undefined: as many as there are. */
  readonly processes?: number
  /**
   * The file that `append` writes, of targets that are a file. A plan has a file of its own, whose name is made of this one and the
   * plan's id; its lines are JSON objects with the user's `id`.
   */
  readonly file?: string
  /** Looks whether the target is ready: attributes defined, hook active, mails off. */
  examine(context: Context, use: TargetUse): Promise<readonly Finding[]>
  /** At most `batch` orders of one action, and `traits.batch` where that is absent. Throws CallFailure, RunHalt. */
  bring(orders: readonly Order[], context: Context): Promise<Brought>
  limitOf(answer: OutboundAnswer): LimitNotice | null
}

export interface Authorization {
  readonly headers: Readonly<Record<string, string>>
  /** Milliseconds for which it is good; undefined: it does not end by itself. */
  readonly goodFor?: number
}

export interface Context {
  /** With the headers of `authorize`. Waits for its turn; an answer that says "too many" is waited out and asked again. */
  readonly call: Call
  /** For targets that have to be asked again and again whether they are done. */
  wait(ms: number): Promise<void>
  /** Writes lines to the file of a target that is a file; they are on disk when it resolves. */
  append(lines: readonly string[]): Promise<void>
}

export interface Finding {
  readonly severity: 'error' | 'warning'
  /** A word that stays, as `hook-inactive`. */
  readonly code: string
  /** A sentence without values of users. */
  readonly text: string
}
