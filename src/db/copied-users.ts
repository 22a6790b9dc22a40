import type pg from 'pg'
import { connectOwner } from './client.ts'
import { cohortIn } from './copied.ts'
import { step } from './step.ts'

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

/** Rows of one fetch: a megabyte or two. */
const FETCH = 4_000

/** Every user of the copy who is not deleted, a few thousand at a time, in no order and in one snapshot. Throws StepError. */
export async function* readCopiedUsers(url: string, stop: AbortSignal): AsyncGenerator<readonly CopiedRow[]> {
  const client = await step('connecting', () => connectOwner(url, 'carryover check'))
  // Ends even the statement in flight.
  const end = () => void client.end().catch(() => {})
  stop.addEventListener('abort', end, { once: true })
  if (stop.aborted) end()
  try {
    await step('beginning to read the copy', () => declare(client))
    const fetched = () => step('reading the copy', () => fetchRows(client))
    let next = fetched()
    for (;;) {
      const rows = await next
      if (rows.length === 0) return
      // PostgreSQL works on these while the caller does on those.
      next = fetched()
      next.catch(() => {})
      yield rows
    }
  } finally {
    stop.removeEventListener('abort', end)
    await client.end().catch(() => {})
  }
}

async function declare(client: pg.Client): Promise<void> {
  await client.query('begin isolation level repeatable read read only')
  // All rows are wanted, not the first ones soon. Without statistics, as after a load, nested loops look cheap.
  await client.query('set local cursor_tuple_fraction = 1')
  await client.query('set local enable_nestloop = off')
  await client.query(`declare copied no scroll cursor for
    select u.id::text, u.login::text, u.email::text, u.status::text, u.cohort::text, to_jsonb(u.profile) as profile,
      coalesce(u.updated_at > clock_timestamp(), false) as "fromFuture",
      case when not l.usable and l.purged_at is null then l.scheme end as unusable,
      nullif(carryover.name_key(u.login), '') as "loginKey",
      case when u.email <> u.login and carryover.name_key(u.email) is distinct from carryover.name_key(u.login)
        then nullif(carryover.name_key(u.email), '') end as "emailKey"
    from legacy.users u left join carryover.users l on l.user_id = u.id::text
    where l.deleted_at is null`)
}

async function fetchRows(client: pg.Client): Promise<readonly CopiedRow[]> {
  const { rows } = await client.query<Omit<CopiedRow, 'cohort'> & { readonly cohort: string | null }>(
    `fetch ${FETCH} from copied`,
  )
  return rows.map((row) => ({ ...row, cohort: cohortIn(row) }))
}
