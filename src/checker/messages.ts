import type { Defect, StoredHash } from '../domain.ts'
import type { FailureCode } from '../errors.ts'
import type { Argon2Library } from '../hashes/argon2-library.ts'

/** To a thread. The password's memory goes with it; the thread clears it. */
export interface Question {
  readonly stored: StoredHash
  readonly password: Uint8Array<ArrayBuffer>
  /** The libraries that may be loaded for it, the fastest first; empty for a hash that is not of Argon2. */
  readonly argon2: readonly Argon2Library[]
}

/** From a thread. Only codes cross: messages of foreign libraries may quote their input. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'verdict'; readonly matches: boolean; readonly millis: number }
  | { readonly kind: 'unusable'; readonly defect: Defect }
  | { readonly kind: 'failure'; readonly code: FailureCode; readonly detail: string }
