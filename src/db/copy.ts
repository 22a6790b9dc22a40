import type pg from 'pg'
import { dropIndexes } from './bulk-indexes.ts'
import { connectOwner } from './client.ts'
import type { EncodePlan, Lane, Piece, Tally } from './encode.ts'
import { openFeed } from './feed.ts'
import { type Missing, rememberSource, stageMissing } from './filed.ts'
import { BY_ID, type Filing, mayRefuseAny } from './filing.ts'
import { addCounts, LOAD_LOCK } from './ledger.ts'
import { type LoadRecord, recordLoad } from './loads.ts'
import { compareStaged, type LateRefusal, type Merged, mergeStaged, setAside, staging } from './merge.ts'
import { StepError, step } from './step.ts'

/** One transaction that brings a file into the copy. Until `commit` nobody sees any of it. */
export interface CopyLoad {
  readonly plan: EncodePlan
  /** Ids of users who were deleted earlier, a few thousand at a time. */
  deletedIds(): AsyncGenerator<readonly string[]>
  /** Resolves while some of it still waits its turn. */
  send(pieces: readonly Piece[]): Promise<void>
  /** After the last row: those that only the database could refuse, in the order of their lines. */
  lateRefusals(tally: Tally): AsyncGenerator<LateRefusal>
  /**
   * Of a whole source, after the late refusals: has those deleted who are not in it. Throws StepError when they are more than
   * allowed.
   * @param unreadRows how many rows were refused before their id could be looked up
   */
  findMissing(unreadRows: number): Promise<Missing>
  /**
   * @param watermark how far a query was read; null: nothing to remember
   * @param recordOf what the history says of it
   */
  commit(tally: Tally, watermark?: string | null, recordOf?: (merged: Merged) => LoadRecord): Promise<Merged>
  /** Ends the connection, and with it whatever has not been committed. */
  close(): Promise<void>
}

const COLUMNS = 'id, login, email, password_hash, hash_scheme, salt, status, cohort, profile, updated_at'

/** Table and columns of each way in, as they follow the word COPY. */
const TARGETS: Readonly<Record<Lane, string>> = {
  copy: `legacy.users (${COLUMNS})`,
  ledger: 'carryover.users (user_id, cohort, scheme, usable)',
  staged: `pg_temp.load_staged (line, ${COLUMNS}, deleted, scheme, defect, raw)`,
}

/**
 * What is done in place of writing and committing, on the connection that has the staged rows: `compare` says what the load
 * would do. Then all of it is rolled back.
 * @param watermark how far the source has been read now; null: not known of it
 */
export type Rehearsal = (
  client: pg.Client,
  compare: () => Promise<Merged>,
  watermark: string | null,
) => Promise<Merged>

/** Begins a load. Throws StepError if another one is under way, or if the copy is not ours to fill. */
export async function openLoad(
  url: string,
  filing: Filing = BY_ID,
  rehearsal?: Rehearsal,
): Promise<CopyLoad> {
  const client = await step('connecting', () => connectOwner(url, 'carryover load'))
  try {
    return await step('preparing the load', () => begin(client, filing, rehearsal))
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}

async function begin(client: pg.Client, filing: Filing, rehearsal: Rehearsal | undefined): Promise<CopyLoad> {
  await client.query(`begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;
    set local lock_timeout = '60s'; set local work_mem = '64MB'; set local maintenance_work_mem = '256MB'`)
  await claimCopy(client)
  // Nothing of a rehearsal goes straight into the copy, which sign-ins go on reading.
  const straight = rehearsal === undefined && !filing.staged && !mayRefuseAny(filing)
  const fresh = straight && (await isFresh(client))
  await client.query(staging)
  const rebuild = fresh ? await dropAllIndexes(client) : undefined
  const now = await startOf(client)
  const feed = openFeed(client)

  return {
    plan: {
      fresh,
      now,
      ...(mayRefuseAny(filing) && { keepRaw: true }),
      ...(filing.updateOnly && { updateOnly: true }),
    },
    deletedIds: () => deletedIds(client),
    send: (pieces) =>
      step('copying rows', async () => {
        for (const { lane, chunks } of pieces) await feed.send(TARGETS[lane], chunks)
      }),
    lateRefusals: async function* ({ suspects }) {
      await step('copying rows', feed.finish)
      if (rebuild) await step('building the indexes', rebuild)
      yield* setAside(client, { fresh, suspects, filing })
    },
    findMissing: async (unreadRows) => {
      const { source, wholeWithin } = filing
      if (source === null || wholeWithin === null) return { missing: 0, kept: false }
      return step('looking for missing users', () => stageMissing(client, source, wholeWithin, unreadRows))
    },
    commit: async ({ direct, deltas, unusable }, watermark = null, recordOf) => {
      if (rehearsal !== undefined) {
        const compared = await rehearsal(client, () => compareStaged(client), watermark)
        await step('rolling back', () => client.query('rollback'))
        return compared
      }
      const merged = await mergeStaged(client, direct, { fresh, load: filing.load })
      const { source } = filing
      if (source !== null)
        await step('remembering the source', () => rememberSource(client, source, watermark))
      return step('committing', async () => {
        const { deltas: moved, ...numbers } = merged
        const done = { ...numbers, added: merged.added + direct, unusable: sumOf(unusable, merged.unusable) }
        if (filing.load !== null && recordOf) await recordLoad(client, filing.load, recordOf(done))
        await addCounts(client, [...deltas, ...moved])
        await client.query('commit')
        return done
      })
    },
    close: () => client.end().catch(() => {}),
  }
}

/** One load at a time, and nobody else writes the copy meanwhile. Reading goes on. */
async function claimCopy(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ mine: boolean; kind: string | null }>(
    `select pg_try_advisory_xact_lock(${LOAD_LOCK}) as mine,
      (select relkind::text from pg_class where oid = to_regclass('legacy.users')) as kind`,
  )
  const kind = rows[0]?.kind
  if (kind === null || kind === undefined)
    throw new StepError('there is no legacy.users: run `carryover migrate` first')
  if (kind !== 'r' && kind !== 'p') {
    throw new StepError(
      'legacy.users is not a table of our own but a view, which cannot be loaded: after its rows have changed, run `carryover sync`',
    )
  }
  if (rows[0]?.mine !== true)
    throw new StepError('another load or sync is running on this database: try again when it is done')
  await client.query('lock table legacy.users in share row exclusive mode')
}

/**
 * Whether neither the copy nor the ledger has a row, and nobody was erased. If so, both are ours alone until the end, and
 * nothing needs to be looked up. Only their owner may lock them so and build their indexes anew: for the role
 * carryover_load an empty copy is like any other.
 */
async function isFresh(client: pg.Client): Promise<boolean> {
  const looksFresh = async () =>
    (
      await client.query<{ fresh: boolean }>(
        `select not exists (select from legacy.users) and not exists (select from carryover.users)
          and not exists (select from carryover.erased)
          and (select relkind = 'r' from pg_class where oid = 'legacy.users'::regclass)
          and (select bool_and(pg_has_role(relowner, 'usage')) from pg_class
            where oid in ('legacy.users'::regclass, 'carryover.users'::regclass)) as fresh`,
      )
    ).rows[0]?.fresh === true
  if (!(await looksFresh())) return false
  await client.query('lock table legacy.users, carryover.users in access exclusive mode')
  return looksFresh()
}

async function dropAllIndexes(client: pg.Client): Promise<() => Promise<void>> {
  const copy = await dropIndexes(client, 'legacy.users')
  const ledger = await dropIndexes(client, 'carryover.users')
  return async () => {
    await copy()
    await ledger()
  }
}

/** The transaction's now(), for rows that name no moment. */
async function startOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ micros: string }>(
    `select (extract(epoch from now() - timestamptz '2000-01-01 00:00:00Z') * 1000000)::bigint as micros`,
  )
  return Number(rows[0]?.micros)
}

async function* deletedIds(client: pg.Client): AsyncGenerator<readonly string[]> {
  await client.query(
    'declare deleted_ids no scroll cursor for select user_id from carryover.users where deleted_at is not null',
  )
  for (;;) {
    const { rows } = await client.query<{ user_id: string }>('fetch 5000 from deleted_ids')
    if (rows.length === 0) break
    yield rows.map(({ user_id }) => user_id)
  }
  await client.query('close deleted_ids')
}

function sumOf(some: Readonly<Record<string, number>>, more: Readonly<Record<string, number>>) {
  const sum = new Map(Object.entries(some))
  for (const [name, count] of Object.entries(more)) sum.set(name, (sum.get(name) ?? 0) + count)
  return Object.fromEntries([...sum].sort(([a], [b]) => (a < b ? -1 : 1)))
}
