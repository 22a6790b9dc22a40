// What became of passwords that were changed in the old system after the provider had got the right one.
import type pg from 'pg'
import { connectOwner } from './client.ts'
import { StepError, step } from './step.ts'

export const DECISIONS = ['open', 'left', 'asked-again', 'reset'] as const
export type Decision = (typeof DECISIONS)[number]

export interface ChangedPassword {
  readonly id: string
  /** When a load found it: ISO 8601. */
  readonly noticedAt: string
  /** The load, by its number in the history; null: it is not known any more. */
  readonly load: number | null
  readonly decision: Decision
  readonly decidedAt: string | null
}

export interface ChangedPasswords {
  readonly counts: Readonly<Record<Decision, number>>
  /** The newest first. */
  readonly changes: readonly ChangedPassword[]
}

const moment = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

const LISTED = `select user_id as id, ${moment('noticed_at')} as "noticedAt", load::float8, decision,
    ${moment('decided_at')} as "decidedAt"
  from carryover.password_changes`

const NEWEST = 'order by noticed_at desc, user_id'

/** Throws StepError. */
export async function listChanged(
  url: string,
  { decision, most }: { readonly decision: Decision | null; readonly most: number },
): Promise<ChangedPasswords> {
  return onConnection(url, 'reading the changes', async (client) => {
    await client.query('begin isolation level repeatable read read only')
    const { rows } = await client.query<ChangedPassword>(
      `${LISTED} where $1::text is null or decision = $1 ${NEWEST} limit $2`,
      [decision, most],
    )
    const { rows: counted } = await client.query<{ decision: Decision; users: number }>(
      'select decision, count(*)::float8 as users from carryover.password_changes group by decision',
    )
    const counts = { open: 0, left: 0, 'asked-again': 0, reset: 0 }
    for (const { decision: one, users } of counted) counts[one] = users
    return { counts, changes: rows }
  })
}

/** Rows of one fetch: a megabyte at most. */
const FETCH = 4_000

/** Hands over every change, some thousand at a time and in one snapshot. Throws StepError, and whatever `take` does. */
export async function readChanged(
  url: string,
  decision: Decision | null,
  take: (changes: readonly ChangedPassword[]) => Promise<void>,
): Promise<void> {
  const client = await step('connecting', () => connectOwner(url, 'carryover changes'))
  try {
    await step('reading the changes', async () => {
      await requireTable(client)
      await client.query('begin isolation level repeatable read read only')
      await client.query(
        `declare changes no scroll cursor for ${LISTED} where $1::text is null or decision = $1 ${NEWEST}`,
        [decision],
      )
    })
    for (;;) {
      const { rows } = await step('reading the changes', () =>
        client.query<ChangedPassword>(`fetch ${FETCH} from changes`),
      )
      if (rows.length === 0) return
      await take(rows)
    }
  } finally {
    await client.end().catch(() => {})
  }
}

/**
 * Decides that these users keep the password that the provider has, or everybody who is open where `ids` is null. Says who
 * was open until now. Throws StepError.
 */
export async function leaveChanged(url: string, ids: readonly string[] | null): Promise<readonly string[]> {
  return onConnection(url, 'writing the decision', async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `update carryover.password_changes set decision = 'left', decided_at = clock_timestamp()
      where decision = 'open' and ($1::text[] is null or user_id = any ($1)) returning user_id as id`,
      [ids],
    )
    return rows.map(({ id }) => id)
  })
}

async function onConnection<Result>(
  url: string,
  name: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await step('connecting', () => connectOwner(url, 'carryover changes'))
  try {
    return await step(name, async () => {
      await requireTable(client)
      return work(client)
    })
  } finally {
    await client.end().catch(() => {})
  }
}

async function requireTable(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>(
    `select to_regclass('carryover.password_changes') is not null as there`,
  )
  if (rows[0]?.there !== true)
    throw new StepError('there is no carryover.password_changes: run `carryover migrate` first')
}
