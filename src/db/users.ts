import type { LegacyUser, MigrationState } from '../domain.ts'
import { batched } from './batch.ts'
import type { Database } from './client.ts'
import { type CopiedHash, cohortIn, hashIn, statusIn } from './copied.ts'
import type { Throttle } from './outcomes.ts'

interface FoundRow extends Omit<CopiedHash, 'id'> {
  place: string
  matches: number
  refusals: number
  /** bigint, as text. */
  refusals_overall: string
  id: string | null
  email: string | null
  status: string | null
  profile: Record<string, unknown> | null
  state: MigrationState
  verified_at: Date | null
  migrated_at: Date | null
}

export interface FoundUser {
  readonly user: LegacyUser | null
  readonly ambiguous: boolean
  /** Of this subject within the window; no number is higher where there are too many overall. */
  readonly refusals: number
}

/** For commands, which throttle nobody. */
export const UNTHROTTLED = { overall: Number.POSITIVE_INFINITY, windowSeconds: 1 }

/** Looks users up by name, many callers in one statement. `null` is the name that nobody has. */
export function userFinder(
  database: Database,
  { overall, windowSeconds }: Pick<Throttle, 'overall' | 'windowSeconds'>,
) {
  return batched<string | null, FoundUser>(
    async (names) => {
      const rows = await database.query<FoundRow>({
        name: 'find-users',
        text: 'select * from carryover.find_users($1::text[], make_interval(secs => $2))',
        values: [names, windowSeconds],
      })
      const byPlace = new Map(rows.map((row) => [Number(row.place), row]))
      return names.flatMap((_, index) => {
        const row = byPlace.get(index + 1)
        return row === undefined
          ? []
          : [
              {
                user: userIn(row),
                ambiguous: row.matches > 1,
                refusals: Number(row.refusals_overall) >= overall ? Number.POSITIVE_INFINITY : row.refusals,
              },
            ]
      })
    },
    { most: 100, lanes: 4, patience: 5 },
  )
}

function userIn(row: FoundRow): LegacyUser | null {
  if (row.id === null || row.login === null) return null
  return {
    id: row.id,
    login: row.login,
    email: row.email,
    hash: hashIn({ ...row, id: row.id }),
    status: statusIn(row.status),
    cohort: cohortIn(row),
    profile: row.profile ?? {},
    state: row.state,
    verifiedAt: row.verified_at,
    migratedAt: row.migrated_at,
  }
}
