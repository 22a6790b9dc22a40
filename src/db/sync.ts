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
  /** Purged users to whom others had brought a hash back: in a table it was removed again, in a view it is still there. */
  readonly purgedAgain: number
  /** Users who were erased and are in the copy again: deleted from a table, and left out of the ledger of a view. */
  readonly erasedAgain: number
  /** What was found of those two lies beneath a view, where only its owner can remove it. */
  readonly beneathView: boolean
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
  const kept = await keptAway(client)
  const total = { users: 0, added: 0, reclassified: 0, forgotten: 0, purgedAgain: 0, erasedAgain: 0 }
  const summary = (complete: boolean): SyncSummary => ({
    ...total,
    beneathView: !kept.table && total.purgedAgain + total.erasedAgain > 0,
    complete,
  })
  for (let after: string | null = null; ; ) {
    if (deps.stop.aborted) return summary(false)
    const users: CopiedHash[] = await inTransaction(client, async () => {
      const chunk = await nextUsers(client, after)
      if (chunk.length > 0) {
        const changed = await classifyChunk(client, chunk, deps, kept)
        total.added += changed.added
        total.reclassified += changed.reclassified
        total.purgedAgain += changed.purgedAgain
        total.erasedAgain += changed.erasedAgain
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
    if (deps.stop.aborted) return summary(false)
    const looked = await inTransaction(client, () => forgetChunk(client, after))
    total.forgotten += looked.forgotten
    if (looked.last === null) return summary(true)
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

async function classifyChunk(
  client: pg.Client,
  chunk: readonly CopiedHash[],
  deps: SyncDeps,
  kept: KeptAway,
) {
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
  const away = await keepAway(client, chunk, kept)
  const added = await addToLedger(client, 'pg_temp.sync_chunk')
  const moved = await reclassifyLedger(client, 'pg_temp.sync_chunk')
  await addCounts(client, [...added, ...moved])
  return { ...away, added: usersIn(added), reclassified: usersIn(moved) }
}

interface KeptAway {
  /** Whether the rows are ours to change. */
  readonly table: boolean
  /** Whether anybody was erased: only then are digests made. */
  readonly erased: boolean
}

async function keptAway(client: pg.Client): Promise<KeptAway> {
  const { rows } = await client.query<KeptAway>(
    `select (select relkind from pg_class where oid = 'legacy.users'::regclass) in ('r', 'p') as "table",
      exists (select from carryover.erased) as erased`,
  )
  return rows[0] ?? { table: false, erased: true }
}

/** What was purged or erased stays so, whoever has written the copy since. */
async function keepAway(client: pg.Client, chunk: readonly CopiedHash[], { table, erased }: KeptAway) {
  const gone = erased ? await idsOf(client, dropErased) : []
  if (table && gone.length > 0) await client.query('delete from legacy.users u where u.id = any ($1)', [gone])
  const purged = new Set(await idsOf(client, purgedOfChunk))
  const back = chunk
    .filter(({ id, password_hash, salt }) => purged.has(id) && (password_hash !== null || salt !== null))
    .map(({ id }) => id)
  if (table && back.length > 0) {
    await client.query('update legacy.users u set password_hash = null, salt = null where u.id = any ($1)', [
      back,
    ])
  }
  return { purgedAgain: back.length, erasedAgain: gone.length }
}

const dropErased = `delete from pg_temp.sync_chunk c using carryover.erased e
  where e.id_digest = carryover.id_digest(c.id, (select login_key from carryover.installation where one))
  returning c.id`

const purgedOfChunk = `select c.id from pg_temp.sync_chunk c join carryover.users l on l.user_id = c.id
  where l.purged_at is not null`

async function idsOf(client: pg.Client, text: string): Promise<string[]> {
  return (await client.query<{ id: string }>(text)).rows.map(({ id }) => id)
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
