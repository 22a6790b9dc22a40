import type { StoredHash, UserStatus } from '../domain.ts'
import type { CopiedUser } from '../mapping/user.ts'

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

/** A view may bring any word; only the one that means active lets anybody in. */
export function statusIn(status: string | null): UserStatus {
  return status === 'active' || status === 'locked' ? status : 'disabled'
}

/** What a row says of a user besides the hash. */
export interface CopiedProfile extends Pick<CopiedHash, 'id' | 'login' | 'cohort'> {
  readonly email: string | null
  readonly status: string | null
  readonly profile: Readonly<Record<string, unknown>> | null
}

/** What a row says of a user who is brought to a target. */
export function copiedUserIn(row: CopiedProfile): CopiedUser {
  return {
    id: row.id,
    login: row.login ?? '',
    email: row.email,
    status: statusIn(row.status),
    cohort: cohortIn(row),
    profile: row.profile ?? {},
  }
}
