import type pg from 'pg'
import type { StoredHash } from '../domain.ts'
import { connectOwner } from './client.ts'
import { type CopiedHash, hashIn } from './copied.ts'
import { addCounts, addToLedger, LOAD_LOCK, reclassifyLedger } from './ledger.ts'
import { StepError, step } from './step.ts'

/** Another stored hash for a row that is still as it was read. */
export interface HardenedChange {
  readonly id: string
  readonly before: StoredHash
  readonly encoded: string
  /** What the row counts as from now on. */
  readonly scheme: string
}

/** The copy, while its hashes are being replaced. */
export interface HardeningOfCopy {
  /** About how many rows `rows` will bring. */
  count(): Promise<number>
  /** Every row in the order of the ids, `most` at a time; no transaction is open in between. */
  rows(most: number): AsyncGenerator<readonly StoredHash[]>
  /** In one transaction with ledger and counts. The ids of the rows that were still as they had been read. */
  write(changes: readonly HardenedChange[]): Promise<ReadonlySet<string>>
  close(): Promise<void>
}

/** Throws StepError if the copy is not a table of ours. */
export async function openHardening(url: string): Promise<HardeningOfCopy> {
  const client = await step('connecting', () => connectOwner(url, 'carryover harden'))
  try {
    await step('looking at the copy', () => begin(client))
  } catch (error) {
    await client.end().catch(() => {})
    throw error
  }
  return {
    count: () => step('counting the copy', () => countRows(client)),
    rows: (most) => rowsOf(client, most),
    write: (changes) => step('writing hardened hashes', () => write(client, changes)),
    close: () => client.end().catch(() => {}),
  }
}

/** Whether some user is counted under a hardened scheme. */
export async function hasHardened(url: string): Promise<boolean> {
  return step('looking for hardened hashes', async () => {
    const client = await connectOwner(url, 'carryover load')
    try {
      const { rows } = await client.query<{ found: boolean }>(
        `select exists (select from carryover.counts
          where (scheme like 'hardened:%' or scheme = 'hardened') and unmigrated + verified + migrated > 0) as found`,
      )
      return rows[0]?.found === true
    } finally {
      await client.end().catch(() => {})
    }
  })
}

async function begin(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ kind: string | null }>(
    `select (select relkind::text from pg_class where oid = to_regclass('legacy.users')) as kind`,
  )
  const kind = rows[0]?.kind
  if (kind === null || kind === undefined)
    throw new StepError('there is no legacy.users: run `carryover migrate` first')
  if (kind !== 'r' && kind !== 'p')
    throw new StepError(
      'legacy.users is not a table of our own but a view: its hashes cannot be replaced here',
    )
  await client.query('set statement_timeout = 0')
  await client.query(`create temp table harden_chunk
    (id text not null, cohort text not null, scheme text not null, usable boolean not null, deleted boolean not null)`)
}

async function countRows(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ users: number }>(
    'select count(*)::float8 as users from legacy.users where password_hash is not null',
  )
  return rows[0]?.users ?? 0
}

async function* rowsOf(client: pg.Client, most: number): AsyncGenerator<readonly StoredHash[]> {
  for (let after: string | null = null; ; ) {
    const rows: CopiedHash[] = await step('reading the copy', () => nextRows(client, after, most))
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.map(hashIn)
    after = last.id
  }
}

async function nextRows(client: pg.Client, after: string | null, most: number): Promise<CopiedHash[]> {
  const { rows } = await client.query<CopiedHash>(
    `select id, login, password_hash, hash_scheme, salt, cohort from legacy.users
    where password_hash is not null and ($1::text is null or id > $1) order by id limit $2`,
    [after, most],
  )
  return rows
}

async function write(client: pg.Client, changes: readonly HardenedChange[]): Promise<ReadonlySet<string>> {
  if (changes.length === 0) return new Set()
  await client.query('begin')
  try {
    // A sync that has read the old row would count it under its old scheme, so it comes before or after.
    await client.query(`select pg_advisory_xact_lock(${LOAD_LOCK})`)
    const written = await replace(client, changes)
    await client.query('truncate pg_temp.harden_chunk')
    await client.query(
      `insert into pg_temp.harden_chunk
      select id, cohort, scheme, true, false from unnest($1::text[], $2::text[], $3::text[]) as c (id, cohort, scheme)`,
      [written.map(({ id }) => id), written.map(({ cohort }) => cohort), written.map(({ scheme }) => scheme)],
    )
    await client.query('analyze pg_temp.harden_chunk')
    const added = await addToLedger(client, 'pg_temp.harden_chunk')
    const moved = await reclassifyLedger(client, 'pg_temp.harden_chunk')
    await addCounts(client, [...added, ...moved])
    await client.query('commit')
    return new Set(written.map(({ id }) => id))
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

/** A row that somebody has changed since it was read is left to the next run. */
async function replace(
  client: pg.Client,
  changes: readonly HardenedChange[],
): Promise<readonly { readonly id: string; readonly cohort: string; readonly scheme: string }[]> {
  const { rows } = await client.query<{ id: string; cohort: string; scheme: string }>(
    `with changes as (
      select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        as c (id, password_hash, hash_scheme, salt, login, encoded, scheme)
    ),
    locked as (
      select u.id, c.encoded, c.scheme from legacy.users u join changes c on c.id = u.id
      where (u.password_hash, u.hash_scheme, u.salt, u.login)
        is not distinct from (c.password_hash, c.hash_scheme, c.salt, c.login)
      order by u.id
      for update of u
    )
    update legacy.users u set password_hash = l.encoded from locked l where u.id = l.id
    returning u.id, u.cohort, l.scheme`,
    [
      changes.map(({ id }) => id),
      changes.map(({ before }) => before.encoded),
      changes.map(({ before }) => before.scheme),
      changes.map(({ before }) => before.salt),
      changes.map(({ before }) => before.login),
      changes.map(({ encoded }) => encoded),
      changes.map(({ scheme }) => scheme),
    ],
  )
  return rows
}
