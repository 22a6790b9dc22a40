import type { Defect, StoredHash } from '../domain.ts'
import type { FailureCode } from '../errors.ts'
import type { Argon2Library } from '../hashes/argon2-library.ts'

/** One check. The password's memory goes with it to the thread, which clears it. */
export interface Check {
  readonly stored: StoredHash
  readonly password: Uint8Array<ArrayBuffer>
}

/** To a thread: one check, or several that one call can do together. */
export interface Question {
  readonly checks: readonly Check[]
  /** The libraries that may be loaded for them, the fastest first; empty for hashes that are not of Argon2. */
  readonly argon2: readonly Argon2Library[]
}

/** Only codes cross: messages of foreign libraries may quote their input. */
export type Finding =
  | { readonly kind: 'verdict'; readonly matches: boolean }
  | { readonly kind: 'unusable'; readonly defect: Defect }
  | { readonly kind: 'failure'; readonly code: FailureCode; readonly detail: string }

/** From a thread. */
export type Answer =
  /** `slowness`: how much longer than on the machine of the estimates a check takes here. */
  | { readonly kind: 'ready'; readonly slowness: number }
  /** Findings in the order of the checks; `millis` for all of them together. */
  | { readonly kind: 'answered'; readonly findings: readonly Finding[]; readonly millis: number }
