import type pg from 'pg'
import { connectOwner } from './client.ts'
import { StepError, step } from './step.ts'

/** What is being loaded. */
export interface LoadOrigin {
  readonly source: string | null
  readonly format: string
  /** A file's name without its directories; of a query, the host and the database. */
  readonly origin: string
}

/** A file of refused rows that a load left. */
export interface RefusedFile {
  readonly path: string
  readonly sha256: string
  readonly encrypted: boolean
}

/** What is known of a load when some of it, or all, is committed. */
export interface LoadRecord {
  /** `running`: the first rows of it are committed, and more follow. */
  readonly state: 'running' | 'done'
  readonly counts: Readonly<Record<string, unknown>>
  /** SHA-256 of the file in hexadecimal. */
  readonly digest: string | null
  readonly refusedFiles: readonly RefusedFile[]
  /** After how many days those are deleted; null: never by us. */
  readonly refusedDays: number | null
  readonly watermark: string | null
}

/** One load in the history, on a connection of its own: while that is open, the load is alive. */
export interface LoadHistory {
  readonly id: number
  /** How far the source was read by loads that were committed. */
  readonly watermark: string | null
  /** Files of refused rows are to be deleted by now. */
  readonly anyDue: boolean
  end(state: 'failed' | 'stopped' | 'done'): Promise<void>
  close(): Promise<void>
}

/** A load as it is listed. */
export interface ListedLoad {
  readonly id: number
  readonly source: string | null
  readonly format: string
  readonly origin: string
  readonly digest: string | null
  readonly startedAt: string
  readonly endedAt: string | null
  /** `killed`: it never said how it ended, and its connection is gone. */
  readonly state: 'running' | 'killed' | 'done' | 'failed' | 'stopped'
  readonly counts: Readonly<Record<string, unknown>>
  readonly refusedFiles: readonly RefusedFile[]
  readonly refusedUntil: string | null
  readonly watermark: string | null
}

/** The first word of the advisory lock that every load that is alive holds; the second is its id. */
const ALIVE = `hashtext('carryover.loads')`
/** Ids of locks have 31 bits. */
const ID = (id: string) => `(${id} % 2147483648)::int`

/** Loads that left files whose days are over. */
const DUE = `refused_until <= clock_timestamp() and refused_files <> '[]'`

/** Writes down that a load begins. Throws StepError. */
export async function beginHistory(
  url: string,
  { source, format, origin }: LoadOrigin,
): Promise<LoadHistory> {
  const client = await step('connecting', () => connectOwner(url, 'carryover load history'))
  try {
    return await step('writing the history', async () => {
      await requireTable(client)
      await client.query('begin')
      const { rows } = await client.query<{ id: number }>(
        'insert into carryover.loads (source, format, origin) values ($1, $2, $3) returning id::float8',
        [source, format, origin],
      )
      const id = rows[0]?.id ?? 0
      await client.query(`select pg_advisory_lock(${ALIVE}, ${ID('$1::bigint')})`, [id])
      await client.query('commit')
      const { rows: known } = await client.query<{ watermark: string | null; due: boolean }>(
        `select (select watermark from carryover.sources where name = $1) as watermark,
          exists (select from carryover.loads where ${DUE}) as due`,
        [source],
      )
      return {
        id,
        watermark: known[0]?.watermark ?? null,
        anyDue: known[0]?.due === true,
        end: async (state) => {
          await client.query(
            `update carryover.loads set state = $2, ended_at = clock_timestamp() where id = $1 and state = 'running'`,
            [id, state],
          )
        },
        close: () => client.end().catch(() => {}),
      }
    })
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
}

/** How far the source was read by loads that were committed. */
export async function keptWatermark(url: string, source: string | null): Promise<string | null> {
  return onConnection(url, async (client) => {
    await requireTable(client)
    const { rows } = await client.query<{ watermark: string | null }>(
      'select watermark from carryover.sources where name = $1',
      [source],
    )
    return rows[0]?.watermark ?? null
  })
}

async function requireTable(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ there: boolean }>(
    `select to_regclass('carryover.loads') is not null as there`,
  )
  if (rows[0]?.there !== true)
    throw new StepError('there is no carryover.loads: run `carryover migrate` first')
}

/** In the transaction of the load itself, so that the history says neither more nor less than what holds. */
export async function recordLoad(client: pg.Client, id: number, record: LoadRecord): Promise<void> {
  await client.query(
    `update carryover.loads set state = $2, counts = $3, digest = decode($4, 'hex'), refused_files = $5,
      refused_until = case when $5::jsonb = '[]' then null else clock_timestamp() + make_interval(days => $6) end,
      watermark = $7, ended_at = case when $2 = 'done' then clock_timestamp() end
    where id = $1`,
    [
      id,
      record.state,
      JSON.stringify(record.counts),
      record.digest,
      JSON.stringify(record.refusedFiles),
      record.refusedDays,
      record.watermark,
    ],
  )
}

const LISTED = `select l.id::float8, l.source, l.format, l.origin, encode(l.digest, 'hex') as digest,
    to_jsonb(l.started_at) #>> '{}' as "startedAt", to_jsonb(l.ended_at) #>> '{}' as "endedAt",
    case when l.state = 'running' and not exists (
      select from pg_locks k where k.locktype = 'advisory' and k.objsubid = 2 and k.granted
        and k.database = (select oid from pg_database where datname = current_database())
        and k.classid = (${ALIVE}::bigint & 4294967295)::oid and k.objid = ${ID('l.id')}::oid
    ) then 'killed' else l.state end as state,
    l.counts, l.refused_files as "refusedFiles", to_jsonb(l.refused_until) #>> '{}' as "refusedUntil", l.watermark
  from carryover.loads l`

/** Every load, the newest first; or the one of an id. */
export async function listLoads(url: string, id: number | null, most: number): Promise<ListedLoad[]> {
  return onConnection(url, async (client) => {
    await requireTable(client)
    const { rows } = await client.query<ListedLoad>(
      `${LISTED} where $1::bigint is null or l.id = $1 order by l.id desc limit $2`,
      [id, most],
    )
    return rows
  })
}

/** Files of refused rows that are to be deleted by now, with the load that left them. */
export async function dueFiles(
  url: string,
): Promise<readonly { readonly id: number; readonly files: readonly RefusedFile[] }[]> {
  return onConnection(url, async (client) => {
    await requireTable(client)
    const { rows } = await client.query<{ id: number; files: RefusedFile[] }>(
      `select id::float8, refused_files as files from carryover.loads
      where ${DUE} order by id`,
    )
    return rows
  })
}

/** Of a load's files, those that are still to be deleted. None: that is done. */
export async function keepFiles(url: string, id: number, files: readonly RefusedFile[]): Promise<void> {
  await onConnection(url, async (client) => {
    await client.query('update carryover.loads set refused_files = $2 where id = $1', [
      id,
      JSON.stringify(files),
    ])
  })
}

async function onConnection<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await step('connecting', () => connectOwner(url, 'carryover loads'))
  try {
    return await step('reading the history', () => work(client))
  } finally {
    await client.end().catch(() => {})
  }
}
