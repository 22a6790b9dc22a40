// Whether the copy is behind a source, and a target behind its plan. Asked before the cut-over; writes nothing that stays.
import type pg from 'pg'
import { connectOwner } from './client.ts'
import type { Rehearsal } from './copy.ts'
import type { Merged } from './merge.ts'
import { StepError, step } from './step.ts'

/** Users who are not as they should be: how many, and some of them. */
export interface Behind {
  readonly users: number
  /** Ids of the copy, in their order. */
  readonly ids: readonly string[]
}

/** A load that read all that its source has. */
export interface LastLoad {
  readonly id: number
  readonly refusedByRule: Readonly<Record<string, number>>
}

/** What the copy has of a source, compared with what the source has. */
export interface SourceStanding {
  readonly merged: Merged
  /** What a load would do now. */
  readonly added: Behind
  readonly changed: Behind
  readonly deleted: Behind
  /** Passwords that were changed after the provider had got the right one, and that no load has seen yet. */
  readonly passwords: Behind
  readonly users: { readonly source: number; readonly copy: number }
  /** In the source and in the copy, and no load with this source's name has brought them. */
  readonly unfiled: Behind
  /** Whether the digests of both sides are equal. */
  readonly sameContent: boolean
  /** Whose hashes are in no digest: there is none to compare with, or one that is hardened and one that is not. */
  readonly leftOut: { readonly purged: number; readonly hardened: number }
  /** In the copy, of this source, and not in it. */
  readonly missing: Behind
  /** The source's greatest one, and that of the loads that were committed. */
  readonly watermark: { readonly source: string | null; readonly kept: string | null }
  readonly lastLoad: LastLoad | null
}

/** Ids that are told of each kind. */
const SOME = 5

/**
 * Compares staged rows of a whole source with the copy, in place of merging them: `standing` gives what was found afterwards.
 * Throws StepError for a source of which nothing was ever loaded.
 */
export function rehearseFreeze(source: string): {
  readonly rehearsal: Rehearsal
  standing(): SourceStanding | undefined
} {
  let found: SourceStanding | undefined
  return {
    standing: () => found,
    rehearsal: async (client, compare, watermark) => {
      await step('looking at the source', () => requireSource(client, source))
      await step('comparing hashes', () => setUncomparedAside(client))
      const merged = await compare()
      found = await step('comparing users', async () => ({
        ...(await standingOf(client, source)),
        merged,
        watermark: { source: watermark, kept: await watermarkOf(client, source) },
      }))
      return merged
    },
  }
}

async function requireSource(client: pg.Client, source: string): Promise<void> {
  const { rows } = await client.query('select from carryover.sources where name = $1', [source])
  if (rows.length === 0) throw new StepError('no load with this --source has been committed')
}

/**
 * A hash that is hardened and one that is not cannot be compared: the staged row gets the copy's. Of purged users nothing is
 * staged any more.
 */
async function setUncomparedAside(client: pg.Client): Promise<void> {
  await client.query(
    `create temp table freeze_uncompared (id text primary key, why text not null) on commit drop`,
  )
  await client.query(
    `insert into pg_temp.freeze_uncompared select distinct s.id, 'purged' from pg_temp.load_staged s where s.purged`,
  )
  await client.query(
    `with hardened as (
      update pg_temp.load_staged s set password_hash = u.password_hash, scheme = l.scheme,
        defect = case when l.usable then null else s.defect end
      from legacy.users u join carryover.users l on l.user_id = u.id
      where u.id = s.id and not s.deleted and not s.purged and not s.kept
        and s.password_hash is not null and u.password_hash is not null
        and (l.scheme like 'hardened:%' or l.scheme = 'hardened') and s.scheme not like 'hardened%'
      returning s.id
    )
    insert into pg_temp.freeze_uncompared select id, 'hardened' from hardened on conflict do nothing`,
  )
  await client.query('analyze pg_temp.freeze_uncompared')
}

async function standingOf(
  client: pg.Client,
  source: string,
): Promise<Omit<SourceStanding, 'merged' | 'watermark'>> {
  await client.query(
    `create temp table freeze_copied on commit drop as
    select distinct o.user_id as id from carryover.origins o join legacy.users u on u.id = o.user_id where o.source = $1`,
    [source],
  )
  await client.query('analyze pg_temp.freeze_copied')
  const staged = await digestOf(client, STAGED)
  const copied = await digestOf(client, COPIED)
  const fate = (name: string) => behind(client, `select id from pg_temp.load_fates where fate = $1`, [name])
  return {
    added: await fate('added'),
    changed: await fate('changed'),
    deleted: await fate('deleted'),
    // Only a load notes them, and there is no other one while we have its lock.
    passwords: await behind(
      client,
      'select user_id as id from carryover.password_changes where noticed_at >= now()',
    ),
    users: { source: staged.users, copy: copied.users },
    unfiled: await behind(
      client,
      `select s.id from pg_temp.load_staged s join legacy.users u on u.id = s.id
      where not s.deleted and not exists (select from pg_temp.freeze_copied c where c.id = s.id)`,
    ),
    sameContent: staged.digest === copied.digest,
    leftOut: await leftOut(client),
    missing: await behind(
      client,
      `select o.user_id as id from carryover.origins o join pg_temp.freeze_copied c on c.id = o.user_id
      where o.source = $1 and not exists (select from pg_temp.load_staged s where s.id = o.user_id)
      group by o.user_id
      having not bool_or(exists (select from pg_temp.load_late t where t.id in (o.user_id, o.source_id)))`,
      [source],
    ),
    lastLoad: await lastLoad(client, source),
  }
}

/** @param select one column `id`, each once */
async function behind(client: pg.Client, select: string, values: readonly string[] = []): Promise<Behind> {
  const { rows } = await client.query<{ users: number; ids: readonly string[] | null }>(
    `with found as materialized (${select})
    select (select count(*)::float8 from found) as users,
      (select array_agg(f.id order by f.id) from (select id from found order by id limit ${SOME}) f) as ids`,
    [...values],
  )
  const [row] = rows
  return { users: row?.users ?? 0, ids: row?.ids ?? [] }
}

/** Without the moment of the last change, which the copy makes up where a source does not say it. */
const columnsOf = (row: string) => `${row}.id::text, ${row}.login::text, ${row}.email::text,
  case when x.id is null then ${row}.password_hash::text end, case when x.id is null then ${row}.salt::text end,
  case when x.id is null then ${row}.hash_scheme::text end, ${row}.status::text, ${row}.cohort::text, ${row}.profile::jsonb`

const STAGED = `select (${columnsOf('s')})::text as text from pg_temp.load_staged s
  left join pg_temp.freeze_uncompared x on x.id = s.id where not s.deleted`

const COPIED = `select (${columnsOf('u')})::text as text from pg_temp.freeze_copied c join legacy.users u on u.id = c.id
  left join pg_temp.freeze_uncompared x on x.id = u.id`

/**
 * The number and the sums of two digests of every row, so that no order matters: 128 bits without a key. They are compared
 * here and shown to nobody, who could try guesses with those of a source of few users.
 */
async function digestOf(
  client: pg.Client,
  select: string,
): Promise<{ readonly users: number; readonly digest: string }> {
  const { rows } = await client.query<{ users: number; digest: string }>(
    `select count(*)::float8 as users, concat_ws(' ', count(*), sum(hashtextextended(t.text collate "C", 0)),
      sum(hashtextextended(t.text collate "C", 1))) as digest
    from (${select}) t`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('no row')
  return row
}

async function leftOut(client: pg.Client): Promise<SourceStanding['leftOut']> {
  const { rows } = await client.query<SourceStanding['leftOut']>(
    `select (count(*) filter (where why = 'purged'))::float8 as purged,
      (count(*) filter (where why = 'hardened'))::float8 as hardened from pg_temp.freeze_uncompared`,
  )
  return rows[0] ?? { purged: 0, hardened: 0 }
}

async function watermarkOf(client: pg.Client, source: string): Promise<string | null> {
  const { rows } = await client.query<{ watermark: string | null }>(
    'select watermark from carryover.sources where name = $1',
    [source],
  )
  return rows[0]?.watermark ?? null
}

async function lastLoad(client: pg.Client, source: string): Promise<LastLoad | null> {
  const { rows } = await client.query<LastLoad>(
    `select id::float8, coalesce(counts -> 'refusedByRule', '{}') as "refusedByRule" from carryover.loads
    where source = $1 and state = 'done' and coalesce((counts ->> 'complete')::boolean, true)
    order by loads.id desc limit 1`,
    [source],
  )
  return rows[0] ?? null
}

/** The newest plan of a target, and those of its users who are not done. */
export interface NewestPlan {
  readonly id: string
  readonly pending: Behind
  readonly postponed: Behind
  readonly refused: Behind
}

/** What is open whatever the source: passwords, and the newest plan. Throws StepError. */
export async function readOpen(
  url: string,
  target: string | null,
): Promise<{ readonly passwords: Behind; readonly plan: NewestPlan | null }> {
  return withFreeze(url, 'looking at what is open', async (client) => ({
    passwords: await behind(
      client,
      `select user_id as id from carryover.password_changes where decision = 'open'`,
    ),
    plan: target === null ? null : await newestPlan(client, target),
  }))
}

async function newestPlan(client: pg.Client, target: string): Promise<NewestPlan | null> {
  const { rows } = await client.query<{ id: string }>(
    'select id::text from carryover.plans where target = $1 order by created_at desc, id limit 1',
    [target],
  )
  const [plan] = rows
  if (plan === undefined) return null
  const inState = (state: string) =>
    behind(client, 'select user_id as id from carryover.plan_items where plan = $1::uuid and state = $2', [
      plan.id,
      state,
    ])
  return {
    id: plan.id,
    pending: await inState('pending'),
    postponed: await inState('postponed'),
    refused: await inState('refused'),
  }
}

/** A connection for reading. Throws StepError. */
export async function withFreeze<Result>(
  url: string,
  name: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = await step('connecting', () => connectOwner(url, 'carryover freeze'))
  try {
    return await step(name, () => work(client))
  } finally {
    await client.end().catch(() => {})
  }
}
