import type { MigrationState } from '../domain.ts'
import type { Database } from './client.ts'

/** One user's migration state and what happened, newest first. Neither hash nor profile. */
export interface UserHistory {
  readonly id: string
  readonly login: string
  readonly email: string | null
  readonly status: string
  /** `unlisted`: in the copy, but not in the ledger yet (run `carryover sync`). */
  readonly state: MigrationState | 'unlisted'
  readonly cohort: string | null
  readonly scheme: string | null
  readonly verifiable: boolean | null
  readonly verifiedAt: string | null
  readonly migratedAt: string | null
  /** When the stored hash was taken out of the copy. */
  readonly purgedAt: string | null
  readonly history: readonly {
    readonly at: string
    readonly dialect: string
    readonly hook: string
    readonly verdict: string
    readonly scheme: string | null
    readonly millis: number
    readonly requestId: string | null
  }[]
}

const MOST_OUTCOMES = 100

/** Everybody who answers to a name: nobody, one, or the first two of several. */
export async function readHistories(database: Database, name: string): Promise<UserHistory[]> {
  const rows = await database.query<{ history: UserHistory }>({
    name: 'user-history',
    text: `
      select jsonb_build_object(
        'id', f.id, 'login', f.login, 'email', f.email, 'status', f.status,
        'state', coalesce(u.state, 'unlisted'), 'cohort', u.cohort, 'scheme', u.scheme, 'verifiable', u.usable,
        'verifiedAt', u.verified_at, 'migratedAt', u.migrated_at,
        'purgedAt', u.purged_at,
        'history', coalesce((
          select jsonb_agg(jsonb_build_object('at', o.at, 'dialect', o.dialect, 'hook', o.hook, 'verdict', o.verdict,
            'scheme', o.scheme, 'millis', o.millis, 'requestId', o.request_id) order by o.id desc)
          from (select * from carryover.outcomes where user_id = f.id order by id desc limit ${MOST_OUTCOMES}) o), '[]')
      ) as history
      from carryover.find_user_ids($1) f left join carryover.users u on u.user_id = f.id
      order by f.id`,
    values: [name],
  })
  return rows.map(({ history }) => history)
}
