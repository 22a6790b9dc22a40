import type { Caller, StoredHash } from '../domain.ts'
import type { Failure } from '../errors.ts'
import type { Argon2Library } from '../hashes/argon2-library.ts'
import type { Cost } from './estimates.ts'
import type { Finding } from './messages.ts'

/** One check that is to be done. */
export interface Work {
  readonly stored: StoredHash
  /** Copied for every thread that gets it, and left to the caller to clear. */
  readonly password: Uint8Array
  readonly deadline: number
  readonly cost: Cost
  /** How many checks of its kind one call can do; 1: each has a call of its own. */
  readonly most: number
  /** Bytes outside of JavaScript while it runs. */
  readonly memory: number
  /** Whose check it is, so that many of one do not keep the others waiting. */
  readonly subject: string
  readonly caller: Caller | undefined
  /** As in Question. */
  readonly argon2: readonly Argon2Library[]
}

/** Work that somebody waits for. */
export interface Job extends Work {
  readonly resolve: (finding: Finding) => void
  readonly reject: (failure: Failure) => void
  /** How many threads have crashed over it. */
  crashes: number
  /** When it was asked for. */
  readonly since: number
}
