import type pg from 'pg'
import type { StoredHash } from '../domain.ts'
import { connectOwner } from './client.ts'
import { type CopiedHash, cohortIn, hashIn } from './copied.ts'
import {
  addCounts,
  addToLedger,
  type CountDelta,
  forgetVanished,
  LOAD_LOCK,
  reclassifyLedger,
} from './ledger.ts'
import { StepError, step } from './step.ts'

export interface SyncDeps {
  /** What a stored hash counts as. Never throws. */
  classify(stored: StoredHash): { readonly usable: boolean; readonly scheme: string }
  /** Told after every chunk how many users have been looked at. */
  progress(users: number): void
  readonly stop: AbortSignal
}

export interface SyncSummary {
  /** Users in the copy. */
  readonly users: number
  readonly added: number
  readonly reclassified: number
  /** Unmigrated and no longer in the copy: taken out of the ledger. */
  readonly forgotten: number
  /** False: asked to stop. What was done so far holds. */
  readonly complete: boolean
}

/** Rows of a transaction: a fifth of a second, during which sign-ins wait for the rows that change at most. */
const CHUNK = 10_000

/**
 * Brings ledger and counts in step with a copy that others write: a view, or a table behind our back. Chunk by chunk,
 * each in a transaction of its own, so that it can be stopped and started again at any time.
 *
 * A user who has vanished from the copy is forgotten if unmigrated: should it come back, it begins anew. One that was
 * verified or migrated stays in the ledger and in the counts: it may already sign in at the identity provider, that
 * is no less true because the old row is gone, and it must not begin anew. Neither is marked as deleted, because a
 * deleted user is never found again, and a view's rows may come back.
 */
export async function syncLedger(url: string, deps: SyncDeps): Promise<SyncSummary> {
  const client = await step('connecting', () => connectOwner(url, 'carryover sync'))
  try {
    return await step('bringing the ledger in step', () => sync(client, deps))
  } finally {
    await client.end().catch(() => {})
  }
}

async function sync(client: pg.Client, deps: SyncDeps): Promise<SyncSummary> {
  // For as long as the connection lives.
  const { rows } = await client.query<{ mine: boolean }>(`select pg_try_advisory_lock(${LOAD_LOCK}) as mine`)
  if (rows[0]?.mine !== true)
    throw new StepError('another load or sync is running on this database: try again when it is done')
  await client.query(`create temp table sync_chunk
    (id text not null, cohort text not null, scheme text not null, usable boolean not null, deleted boolean not null)`)
  const total = { users: 0, added: 0, reclassified: 0, forgotten: 0 }
  for (let after: string | null = null; ; ) {
    if (deps.stop.aborted) return { ...total, complete: false }
    const users: CopiedHash[] = await inTransaction(client, async () => {
      const chunk = await nextUsers(client, after)
      if (chunk.length > 0) {
        const changed = await classifyChunk(client, chunk, deps)
        total.added += changed.added
        total.reclassified += changed.reclassified
      }
      return chunk
    })
    total.users += users.length
    deps.progress(total.users)
    const last = users.at(-1)
    if (last === undefined) break
    after = last.id
  }
  for (let after: string | null = null; ; ) {
    if (deps.stop.aborted) return { ...total, complete: false }
    const looked = await inTransaction(client, () => forgetChunk(client, after))
    total.forgotten += looked.forgotten
    if (looked.last === null) return { ...total, complete: true }
    after = looked.last
  }
}

async function inTransaction<Result>(client: pg.Client, work: () => Promise<Result>): Promise<Result> {
  await client.query('begin')
  try {
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

async function nextUsers(client: pg.Client, after: string | null): Promise<CopiedHash[]> {
  const { rows } = await client.query<CopiedHash>(
    `select id, login, password_hash, hash_scheme, salt, cohort from legacy.users
    where id is not null and ($1::text is null or id > $1) order by id limit ${CHUNK}`,
    [after],
  )
  return rows
}

async function classifyChunk(client: pg.Client, chunk: readonly CopiedHash[], deps: SyncDeps) {
  const kinds = chunk.map((user) => deps.classify(hashIn(user)))
  await client.query('truncate pg_temp.sync_chunk')
  await client.query(
    `insert into pg_temp.sync_chunk
    select distinct on (id) id, cohort, scheme, usable, false
    from unnest($1::text[], $2::text[], $3::text[], $4::boolean[]) as c (id, cohort, scheme, usable)`,
    [
      chunk.map(({ id }) => id),
      chunk.map(cohortIn),
      kinds.map(({ scheme }) => scheme),
      kinds.map(({ usable }) => usable),
    ],
  )
  await client.query('analyze pg_temp.sync_chunk')
  const added = await addToLedger(client, 'pg_temp.sync_chunk')
  const moved = await reclassifyLedger(client, 'pg_temp.sync_chunk')
  await addCounts(client, [...added, ...moved])
  return { added: usersIn(added), reclassified: usersIn(moved) }
}

/** How many users came to a row of the counts; whoever moved from one to another came once. */
function usersIn(deltas: readonly CountDelta[]): number {
  return deltas.reduce((sum, { arrived }) => sum + arrived, 0)
}

async function forgetChunk(
  client: pg.Client,
  after: string | null,
): Promise<{ last: string | null; forgotten: number }> {
  const { rows } = await client.query<{ id: string; vanished: boolean }>(
    `with chunk as (
      select user_id as id, state = 'unmigrated' and deleted_at is null as counted from carryover.users
      where $1::text is null or user_id > $1 order by user_id limit ${CHUNK}
    )
    select id, counted and not exists (select from legacy.users u where u.id = chunk.id) as vanished
    from chunk order by id`,
    [after],
  )
  const vanished = rows.filter((row) => row.vanished).map(({ id }) => id)
  const deltas = vanished.length > 0 ? await forgetVanished(client, vanished) : []
  await addCounts(client, deltas)
  return {
    last: rows.at(-1)?.id ?? null,
    forgotten: deltas.reduce((sum, { unmigrated }) => sum - unmigrated, 0),
  }
}
