import type { z } from 'zod'
import type { Admission, Confirmation, Verdict } from '../domain.ts'
import type { Failure } from '../errors.ts'

/** An HTTP answer. `body` is sent as JSON; undefined: no body at all. */
export interface Reply {
  readonly status: 200 | 204 | 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 503
  readonly body?: Readonly<Record<string, unknown>>
}

interface Route {
  /** Recorded with every outcome and used as a metric label, so it is never renamed. */
  readonly name: string
  readonly method: 'GET' | 'POST'
  readonly path: `/${string}`
}

export interface AttemptQuestion {
  readonly login: string
  readonly password: string
  readonly requestId: string | null
}

/** Is this the password of this login? */
export interface AttemptHook extends Route {
  readonly flow: 'attempt'
  readonly schema: z.ZodType<AttemptQuestion>
  answer(verdict: Verdict): Reply
}

export interface RegistrationQuestion {
  readonly names: readonly { readonly field: string; readonly value: string }[]
  /** Attributes that the person has filled in: those are never replaced. */
  readonly given: readonly string[]
  readonly kind: 'new' | 'change'
  /** For a change: the login of the person whose profile it is. */
  readonly self: string | null
  readonly requestId: string | null
}

/** May somebody register under these names? */
export interface RegistrationHook extends Route {
  readonly flow: 'registration'
  readonly schema: z.ZodType<RegistrationQuestion>
  answer(admission: Admission, question: RegistrationQuestion): Reply
}

export type ConfirmationNotice = Pick<Confirmation, 'login' | 'result' | 'eventId'>

/** What the provider tells about its users, several at a time. */
export interface ConfirmationHook extends Route {
  readonly flow: 'confirmation'
  readonly schema: z.ZodType<readonly ConfirmationNotice[]>
  answer(): Reply
}

/** A one-time handshake that is answered from the request's headers alone. */
export interface HandshakeHook extends Route {
  readonly flow: 'handshake'
  answer(header: (name: string) => string | undefined): Reply
}

export type Hook = AttemptHook | RegistrationHook | ConfirmationHook | HandshakeHook

/** How one identity provider talks to us. It translates and nothing else. */
export interface Dialect {
  /** The path's first segment, the setting's prefix and the metric label. */
  readonly name: string
  /** Milliseconds from the first byte to our answer; the provider's own limit less what the network needs. */
  readonly answerWithin: number
  readonly hooks: readonly Hook[]
  /** How a failure is phrased, because 401, 404 and 503 mean different things to different providers. */
  failure(failure: Failure, hook: Hook): Reply
}
