import type { z } from 'zod'
import type { BearerTrust } from '../callers/bearer.ts'
import type { CallerPolicy } from '../callers/check.ts'
import type { Admission, Confirmation, LegacyUser, Verdict } from '../domain.ts'
import type { Failure } from '../errors.ts'

/** An HTTP answer. `body` is sent as JSON; undefined: no body at all. */
export interface Reply {
  readonly status: 200 | 204 | 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 500 | 503
  readonly body?: Readonly<Record<string, unknown>>
}

export interface Route {
  /** Recorded with every outcome and used as a metric label, so it is never renamed. */
  readonly name: string
  readonly method: 'GET' | 'POST'
  /** A final `*` stands for the rest of the path, whatever it is. */
  readonly path: `/${string}`
  /** Milliseconds, where this hook has another time to answer than the others of its dialect. */
  readonly answerWithin?: number
}

/** What there is of a request besides its body. */
export interface RequestLine {
  /** As it was sent: nothing is decoded, and the query is left out. */
  readonly path: string
  header(name: string): string | undefined
}

export interface LookupQuestion {
  readonly login: string
  /** The caller's own id of the request; the same over its retries, where the provider has such a one. */
  readonly requestId: string | null
  /** What the answer has to repeat. */
  readonly echo?: Readonly<Record<string, string>>
}

export interface AttemptQuestion extends LookupQuestion {
  /** null: no password was sent, and a look-up is meant. Only hooks that have `found` may ask so. */
  readonly password: string | null
}

/** A hook with a question in it. */
export interface Asking<Question> extends Route {
  /** Of the body, which is read as JSON. */
  readonly schema: z.ZodType<Question>
  /** A body as the provider sends it, of invented values: for `/openapi.json`. */
  readonly example?: unknown
  /** Adds what stands elsewhere in the request. Throws Failure `bad-request`. */
  complete?(question: Question, line: RequestLine): Question | Promise<Question>
}

/**
 * Is this the password of this login? The profile of a user who is found has only the attributes that may go out.
 */
export interface AttemptHook extends Asking<AttemptQuestion> {
  readonly flow: 'attempt'
  answer(verdict: Verdict, question: AttemptQuestion): Reply
  found?(user: LegacyUser | null, question: AttemptQuestion): Reply
}

/** Who has this login? Nobody proves anything by asking, so such a hook is off until a setting turns it on. */
export interface LookupHook extends Asking<LookupQuestion> {
  readonly flow: 'lookup'
  found(user: LegacyUser | null, question: LookupQuestion): Reply
}

export interface RegistrationQuestion {
  readonly names: readonly { readonly field: string; readonly value: string }[]
  /** Attributes that the person has filled in: those are never replaced. */
  readonly given: readonly string[]
  /** All that the person has filled in, for an answer that has to repeat it. */
  readonly sent?: Readonly<Record<string, unknown>>
  readonly kind: 'new' | 'change'
  /** For a change: the login of the person whose profile it is. */
  readonly self: string | null
  readonly requestId: string | null
}

/** May somebody register under these names? */
export interface RegistrationHook extends Asking<RegistrationQuestion> {
  readonly flow: 'registration'
  answer(admission: Admission, question: RegistrationQuestion): Reply
}

export type ConfirmationNotice = Pick<Confirmation, 'login' | 'result' | 'eventId'>

/** What the provider tells about its users, several at a time. */
export interface ConfirmationHook extends Route {
  readonly flow: 'confirmation'
  readonly schema: z.ZodType<readonly ConfirmationNotice[]>
  /** As in `Asking`. */
  readonly example?: unknown
  answer(): Reply
}

/** A one-time handshake that is answered from the request's headers alone. */
export interface HandshakeHook extends Route {
  readonly flow: 'handshake'
  /** Answered to strangers too, because the provider does not prove itself here. Such an answer says nothing. */
  readonly open?: true
  answer(header: (name: string) => string | undefined): Reply
}

export type Hook = AttemptHook | LookupHook | RegistrationHook | ConfirmationHook | HandshakeHook

/** A setting of one dialect's own. Its name gets the dialect's as a prefix. */
export interface DialectSetting {
  readonly purpose: string
  readonly default: string
  /** The whole text must match, or be approved; `expected` says so in words. */
  readonly fits?: RegExp | ((text: string) => boolean)
  readonly expected?: string
  /** `NAME_FILE` names a file with the value. */
  readonly secret?: true
}

/** A provider that proves itself by a token in place of a fixed header. */
export interface TokenCaller {
  /** Own settings that turn the dialect on. Of every group one is needed. */
  readonly needs: readonly (readonly string[])[]
  /** Whose tokens are believed. Only asked when nothing that is needed is missing. */
  trust(own: OwnSettings): BearerTrust
}

/** The values of a dialect's own settings, by their names without the prefix. */
export type OwnSettings = Readonly<Record<string, string>>

/** How one identity provider talks to us. It translates and nothing else. */
export interface Dialect {
  /** The prefix of its settings and the metric label. */
  readonly name: string
  /** The provider's name as people write it. */
  readonly title: string
  /** Whether answers bring the profile of the user. */
  readonly returnsProfile: boolean
  /** Milliseconds from the first byte to our answer; the provider's own limit less what the network needs. */
  readonly answerWithin: number
  readonly settings?: Readonly<Record<string, DialectSetting>>
  /** Whether the provider tells when it has stored a password. Otherwise a match is all that we hear. */
  readonly confirms: boolean
  /**
   * Whether the request id of an attempt is made by the provider, new for every sign-in and the same for all tries of it. A
   * refusal that is asked for again then counts once.
   */
  readonly oncePerRequest?: boolean
  /** Without it the provider sends one of the fixed headers of `<NAME>_HOOK_SECRETS`, and that turns the dialect on. */
  readonly caller?: TokenCaller
  hooks(own: OwnSettings): readonly Hook[]
  /**
   * How a failure is phrased, because 401, 404 and 503 mean different things to different providers. `hook` is null for a
   * path that no hook has and that begins like one of the dialect's.
   */
  failure(failure: Failure, hook: Hook | null): Reply
}

/** What one dialect is configured with. */
export interface DialectPolicy {
  /** How the provider proves that it is the one who calls. */
  readonly callers: CallerPolicy
  /** Whose access tokens prove who calls; null: tokens prove nothing. */
  readonly trust: BearerTrust | null
  readonly registration: 'deny' | 'allow'
  /** Claims and attributes that may be added to a registration that is allowed. */
  readonly registrationAttributes: readonly string[]
  /** Whether a profile may be asked for without a password. */
  readonly lookup: boolean
  readonly lookupsPerMinute: number
  /** Attributes of the old system's own that may go out besides the standard claims. */
  readonly attributes: readonly string[]
  readonly own: OwnSettings
}
