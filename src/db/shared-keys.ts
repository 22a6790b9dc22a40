import { hash } from 'node:crypto'
import type pg from 'pg'
import { binaryRows } from './binary.ts'
import { connectOwner } from './client.ts'
import { openFeed } from './feed.ts'
import { step } from './step.ts'

/** A value that is compared with those of all other users. */
export interface Key {
  /** Only keys of one space are compared. */
  readonly space: number
  /** A login or another first name of the user, or a name besides it. */
  readonly second: boolean
  readonly value: string
  readonly id: string
  /** What is known of the user already: 0 nothing wrong, 1 warnings, 2 errors; -1: others share with the user, who is not counted. */
  readonly worst: number
}

/** Keys of a space that several users have. */
export interface Shared {
  readonly space: number
  /** How: two first names, a second name that is another's first, or two second names. */
  readonly how: 'first' | 'second-and-first' | 'second'
  readonly users: number
  /** A few of their ids, the first in the order of bytes. */
  readonly examples: readonly string[]
}

/** Users who share something, by what was known of them and how bad it is. */
export interface Sharers {
  readonly worst: number
  readonly severity: number
  readonly users: number
}

/** A way to share that says nothing more of a user who shares in another way. */
export interface Redundant {
  readonly space: number
  readonly how: Shared['how']
  readonly besides: { readonly space: number; readonly how: Shared['how'] }
}

/** Finds equal values among all users. */
export interface SharedKeys {
  add(key: Key): void
  /** Sends what was added. Resolves while some of it still waits its turn. */
  send(): Promise<void>
  /** After the last. */
  find(
    severity: (space: number, how: Shared['how']) => number,
    redundant: readonly Redundant[],
  ): Promise<{
    readonly shared: readonly Shared[]
    readonly sharers: readonly Sharers[]
  }>
  close(): Promise<void>
}

const EXAMPLES = 5
const SEND_BYTES = 1024 * 1024
/** 96 bits of each value: among 20 million, two different ones are equal once in 10^14 copies. */
const HALF_BYTES = 6

/**
 * Opens a connection with a table of its own, which goes with it. PostgreSQL sorts digests on its own disk, about 100 bytes a
 * key, so neither side needs memory for all; what a target takes for equal is known here alone, so an index of the copy
 * could not tell it.
 */
export async function openSharedKeys(url: string, stop: AbortSignal): Promise<SharedKeys> {
  const client = await step('connecting', () => connectOwner(url, 'carryover check'))
  // Ends even the statement in flight, which may be sorting for minutes.
  const end = () => void client.end().catch(() => {})
  stop.addEventListener('abort', end, { once: true })
  try {
    await step('preparing the comparison', () => prepare(client))
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
  const feed = openFeed(client)
  const rows = binaryRows()
  const send = async (least: number) => {
    if (rows.size <= least) return
    await step('comparing users', () => feed.send(TABLE, rows.take()))
  }
  return {
    add: ({ space, second, value, id, worst }) => {
      const digest = hash('sha256', value, 'buffer')
      rows.row(6)
      rows.int8(space)
      rows.bool(second)
      rows.int8(digest.readUIntBE(0, HALF_BYTES))
      rows.int8(digest.readUIntBE(HALF_BYTES, HALF_BYTES))
      rows.int8(worst)
      rows.text(id)
    },
    send: () => send(SEND_BYTES),
    find: async (severity, redundant) => {
      await send(0)
      return step('comparing users', async () => {
        await feed.finish()
        await group(client)
        for (const one of redundant) await forget(client, one)
        const combinations = await combinationsIn(client)
        const told = combinations.map((one) => ({ ...one, severity: severity(one.space, one.how) }))
        const shared: Shared[] = []
        for (const one of told) shared.push(await sharedIn(client, one))
        return { shared, sharers: await sharersIn(client, told) }
      })
    },
    close: () => {
      stop.removeEventListener('abort', end)
      return client.end().catch(() => {})
    },
  }
}

const TABLE = 'pg_temp.check_keys (space, second, one, two, worst, user_id)'

async function prepare(client: pg.Client): Promise<void> {
  await client.query(`set work_mem = '64MB'`)
  // Sorted numbers take little harm when they do not fit.
  await client.query('set enable_hashagg = off')
  await client.query(`create temporary table check_keys (space int8 not null, second boolean not null, one int8 not null,
    two int8 not null, worst int8 not null, user_id text collate "C" not null)`)
}

/** Every key that several have, with how. A second name that is somebody's first one is that, whoever else has it. */
async function group(client: pg.Client): Promise<void> {
  await client.query(`create temporary table check_shared as
    select k.space, k.user_id, k.worst,
      case when k.second and g.firsts > 0 then 'second-and-first' when k.second then 'second' else 'first' end as how
    from (
      select space, one, two, count(*) filter (where not second) as firsts, count(*) filter (where second) as seconds
      from pg_temp.check_keys group by space, one, two having count(*) > 1
    ) g join pg_temp.check_keys k using (space, one, two)
    where k.worst >= 0 and (k.second or g.firsts > 1)`)
}

async function forget(client: pg.Client, { space, how, besides }: Redundant): Promise<void> {
  await client.query(
    `delete from pg_temp.check_shared s where s.space = $1 and s.how = $2 and s.user_id in (
      select user_id from pg_temp.check_shared where space = $3 and how = $4)`,
    [space, how, besides.space, besides.how],
  )
}

interface Combination {
  readonly space: number
  readonly how: Shared['how']
  readonly users: number
}

async function combinationsIn(client: pg.Client): Promise<Combination[]> {
  const { rows } = await client.query<Combination>(
    `select space::int4, how, count(*)::float8 as users from pg_temp.check_shared group by space, how order by space, how`,
  )
  return rows
}

async function sharedIn(client: pg.Client, { space, how, users }: Combination): Promise<Shared> {
  const { rows } = await client.query<{ user_id: string }>(
    `select user_id from pg_temp.check_shared where space = $1 and how = $2 order by user_id limit ${EXAMPLES}`,
    [space, how],
  )
  return { space, how, users, examples: rows.map(({ user_id }) => user_id) }
}

async function sharersIn(
  client: pg.Client,
  told: readonly (Combination & { readonly severity: number })[],
): Promise<Sharers[]> {
  const { rows } = await client.query<Sharers>(
    `select worst::int4, severity, count(*)::float8 as users from (
      select user_id, max(worst) as worst, max(s.severity) as severity
      from pg_temp.check_shared c
        join unnest($1::int8[], $2::text[], $3::int4[]) as s (space, how, severity) using (space, how)
      group by user_id
    ) u group by worst, severity`,
    [told.map(({ space }) => space), told.map(({ how }) => how), told.map(({ severity }) => severity)],
  )
  return rows
}
