import { cohortIn } from './copied.ts'
import { snapshotOf } from './fetch.ts'

/** A row of the copy who is not deleted, without the hash. Views may bring anything. */
export interface CopiedRow {
  /** Null: a row of a view that nobody can refer to. */
  readonly id: string | null
  readonly login: string | null
  readonly email: string | null
  readonly status: string | null
  readonly cohort: string
  readonly profile: unknown
  /** `updated_at` has not come yet. */
  readonly fromFuture: boolean
  /** The ledger's name for a stored hash that nothing here can check; null: it can be, or has been purged. */
  readonly unusable: string | null
  /** What sign-ins look the user up by; null: nothing. `emailKey` where it is another than `loginKey`. */
  readonly loginKey: string | null
  readonly emailKey: string | null
}

/** Every user of the copy who is not deleted, a few thousand at a time, in no order and in one snapshot. Throws StepError. */
export async function* readCopiedUsers(url: string, stop: AbortSignal): AsyncGenerator<readonly CopiedRow[]> {
  const snapshot = {
    applicationName: 'carryover check',
    beginning: 'beginning to read the copy',
    select: PRESENT,
  }
  for await (const rows of snapshotOf<Omit<CopiedRow, 'cohort'> & { readonly cohort: string | null }>(
    url,
    snapshot,
    stop,
  ))
    yield rows.map((row) => ({ ...row, cohort: cohortIn(row) }))
}

const PRESENT = `select u.id::text, u.login::text, u.email::text, u.status::text, u.cohort::text, to_jsonb(u.profile) as profile,
    coalesce(u.updated_at > clock_timestamp(), false) as "fromFuture",
    case when not l.usable and l.purged_at is null then l.scheme end as unusable,
    nullif(carryover.name_key(u.login), '') as "loginKey",
    case when u.email <> u.login and carryover.name_key(u.email) is distinct from carryover.name_key(u.login)
      then nullif(carryover.name_key(u.email), '') end as "emailKey"
  from legacy.users u left join carryover.users l on l.user_id = u.id::text
  where l.deleted_at is null`
