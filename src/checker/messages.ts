import type { Defect, StoredHash } from '../domain.ts'
import type { FailureCode } from '../errors.ts'

/** To a thread. The password's memory goes with it; the thread clears it. */
export interface Question {
  readonly stored: StoredHash
  readonly password: Uint8Array<ArrayBuffer>
}

/** From a thread. Only codes cross: messages of foreign libraries may quote their input. */
export type Answer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'verdict'; readonly matches: boolean; readonly millis: number }
  | { readonly kind: 'unusable'; readonly defect: Defect }
  | { readonly kind: 'failure'; readonly code: FailureCode; readonly detail: string }
