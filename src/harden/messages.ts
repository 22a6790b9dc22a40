import type { StoredHash } from '../domain.ts'
import type { Argon2Library } from '../hashes/argon2-library.ts'
import type { CopiedContext } from '../hashes/context.ts'
import type { HardenedRow } from '../hashes/hardened-row.ts'

/** What a thread is started with. */
export interface Setup {
  readonly context: CopiedContext
  readonly argon2: readonly Argon2Library[]
  readonly dry: boolean
}

export type Question = readonly StoredHash[]

export type Answer =
  | { readonly kind: 'hardened'; readonly rows: readonly HardenedRow[] }
  /** Nothing that a row may hold, but something of this machine. */
  | { readonly kind: 'failed'; readonly code: string }
