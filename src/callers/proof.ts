import type { Call } from '../http.ts'

/** One way in which a caller shows who it is, with the secrets of one dialect inside. */
export interface Proof<Values = CallerValues> {
  /**
   * `body` is what was sent, byte for byte, and may not be changed; empty without `needsBody`. Throws a Failure when it
   * cannot find out: that is answered as a failure, never as a stranger's call.
   */
  matches(call: Call, body: Buffer): boolean | Promise<boolean>
  readonly needsBody?: true
  /** Whether the headers leave it possible. The body of a call for which no proof is possible is not read. */
  possible?(call: Call): boolean
  /** A call that matched ended in a failure, so that the provider may repeat it. */
  unanswered?(call: Call): void
  /** From now on these values hold, for calls that were not looked at yet. What is remembered of calls stays. */
  renew?(values: Values): void
}

export interface CallerSetting<Value> {
  /** Throws a Misfit when the text does not fit. */
  readonly read: (text: string) => Value
  readonly default?: string
  /** @param title the provider's name as people write it */
  readonly purpose: (title: string) => string
  /** `NAME_FILE` names a file with the value. */
  readonly secret?: true
  /** Why the service must not run with it, to be said after the setting's name. */
  readonly weakness?: (value: Value) => string | undefined
  /** What would have to be guessed, of each secret in it: without a scheme's name, a user's or a prefix. */
  readonly bare?: (value: Value) => readonly string[]
}

/** What one dialect's callers have to show: values of settings, by the settings' names without the dialect's prefix. */
export type CallerValues = Readonly<Record<string, unknown>>

/** A kind of proof. Its settings get the dialect's name as a prefix. */
export interface ProofKind {
  readonly settings: Readonly<Record<string, CallerSetting<unknown>>>
  /**
   * null: not configured. What it remembers of calls begins here. It is made to see whether it can be, too, so it does
   * nothing outside before the first call.
   */
  create(values: CallerValues): Proof | null
}

/** A kind whose values have types: they are what `read` of the same setting gave, so nothing is checked again. */
export function proofKind<Values extends object>(kind: {
  readonly settings: { readonly [Name in keyof Values]: CallerSetting<Values[Name]> }
  create(values: Partial<Values>): Proof<Partial<Values>> | null
}): ProofKind {
  return {
    settings: kind.settings as ProofKind['settings'],
    create: (values) => kind.create(values as Partial<Values>) as Proof | null,
  }
}

/** Characters. A shorter secret may be guessed. */
export const SHORT_SECRET = 32
