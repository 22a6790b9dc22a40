// How it is read at a provider what became of users' passwords: for those that cannot tell us, or not reliably.
import type { Call } from '../outbound/call.ts'
import type { Target, TargetSetting, TargetSettings } from './target.ts'

/** What a provider's log says of one user. */
export interface LoggedPassword {
  readonly login: string
  /** `stored`: the provider now holds a password of its own. `not-stored`: it tried and could not. */
  readonly result: 'stored' | 'not-stored'
  /** The provider's id of the entry: the same as in a notice that it sends by itself. */
  readonly eventId: string
}

export interface LogPage {
  readonly passwords: readonly LoggedPassword[]
  /** Where the next page begins. Opaque, printable, at most 2,048 characters. */
  readonly position: string
  /** Whether there may be more already. */
  readonly more: boolean
}

/**
 * What the provider itself says of a user: `own-password`: it needs us no more. `asks-us`: it has none, or an imported hash, that
 * nobody has signed in with. `absent`: it has no such user. `unclear`: a reset is under way, or the account is not active.
 */
export type Standing = 'own-password' | 'asks-us' | 'absent' | 'unclear'

/** An opened log. It needs a right to read, and no other. */
export interface ConfirmationLog extends Pick<Target, 'hosts' | 'inFlight' | 'limitOf'> {
  /** Headers of every call. */
  readonly headers: Readonly<Record<string, string>>
  /**
   * The page at `position`; null: the first one since that moment. Throws CallFailure; RunHalt when the token is refused;
   * LogPositionError when the position is not known any more.
   */
  read(call: Call, position: string | null, since: Date): Promise<LogPage>
  standing(call: Call, user: { readonly targetId: string | null; readonly login: string }): Promise<Standing>
}

/** The provider does not know the position any more: it has to be read again from a moment on. */
export class LogPositionError extends Error {}

export interface ConfirmationKind {
  /** By the part of the name that follows `<NAME>_RECONCILE_`. */
  readonly settings: Readonly<Record<string, TargetSetting>>
  /** Throws TargetError. */
  open(settings: TargetSettings): ConfirmationLog
}
