import type { StoredHash } from '../domain.ts'

/** What a row of `legacy.users` says of a stored hash. A view may lack any of it but the id. */
export interface CopiedHash {
  readonly id: string
  readonly login: string | null
  readonly password_hash: string | null
  readonly hash_scheme: string | null
  readonly salt: string | null
  readonly cohort: string | null
}

const DEFAULT_COHORT = 'default'

export function cohortIn({ cohort }: Pick<CopiedHash, 'cohort'>): string {
  return cohort ?? DEFAULT_COHORT
}

export function hashIn(row: CopiedHash): StoredHash {
  return {
    encoded: row.password_hash,
    scheme: row.hash_scheme,
    salt: row.salt,
    login: row.login ?? '',
    id: row.id,
    cohort: cohortIn(row),
  }
}
