import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { MigrationState, StoredHash } from '../domain.ts'
import type { CopiedUser, FixRule } from '../mapping/user.ts'
import { connectOwner } from './client.ts'
import { type CopiedHash, type CopiedProfile, cohortIn, copiedUserIn, hashIn } from './copied.ts'
import { fetched } from './fetch.ts'
import { appliedRules } from './fixes.ts'
import type { Claimed, PlanState } from './plan-items.ts'
import { step } from './step.ts'

/** A plan as it was made. What `Content` and `Report` are is known to whoever makes plans. */
export interface NewPlan<Content = unknown, Report = unknown> {
  readonly id: string
  readonly target: string
  readonly content: Content
  readonly settingsDigest: Buffer
  readonly copyDigest: Buffer
  /** Rows of `plan_items`. */
  readonly users: number
  readonly report: Report
}

export interface StoredPlan<Content, Report> extends NewPlan<Content, Report> {
  readonly createdAt: Date
  readonly state: PlanState
  readonly pausedFor: string | null
  readonly speed: number | null
  readonly startedAt: Date | null
  readonly endedAt: Date | null
}

export interface ListedPlan {
  readonly id: string
  readonly target: string
  readonly createdAt: Date
  readonly users: number
  /** Users who have not ended yet. */
  readonly pending: number
  readonly state: PlanState
  readonly pausedFor: string | null
}

/** A user as the plan sees it: the row, what the ledger says, and what the target has. */
export interface PlanRow {
  readonly id: string
  readonly cohort: string
  readonly scheme: string
  /** null: no longer in the copy. */
  readonly row: {
    readonly user: CopiedUser
    readonly hash: StoredHash
    readonly updatedAt: Date
  } | null
  readonly ledger: {
    readonly state: MigrationState
    readonly deleted: boolean
    readonly purged: boolean
    readonly usable: boolean
  } | null
  readonly provisioned: {
    readonly content: Buffer
    readonly method: string
    readonly hash: Buffer | null
    readonly removed: boolean
  } | null
  readonly changedAfterwards: boolean
}

/** A row of `plan_items`. */
export interface PlannedItem {
  readonly userId: string
  readonly action: Claimed['action']
  readonly method: Claimed['method']
  readonly why: string
  readonly cohort: string
  readonly scheme: string
  readonly content: Buffer | null
  readonly state: 'pending' | 'left-out'
  /** Of those who are left out. */
  readonly reason: string | null
}

/** The making of one plan, in one transaction. The copy is seen as it was when it began. */
export interface Planning {
  readonly copyDigest: Buffer
  /** Of the digests of what was sent. */
  readonly key: Buffer
  /** Users in the copy. */
  readonly users: number
  /** Names of the claims that some profile has: `given_name`, `address.locality`. */
  claims(): Promise<readonly string[]>
  /** The rules in force, in the order in which they were applied. Throws MappingError for one that another version has written. */
  rules(): Promise<readonly FixRule[]>
  /** Every user of the copy in no order, then those who were deleted and whom the target still has. */
  rows(target: string): AsyncGenerator<readonly PlanRow[]>
  write(items: readonly PlannedItem[]): Promise<void>
  /** The plan is there from now on, or nothing of it. */
  commit(plan: NewPlan): Promise<void>
  close(): Promise<void>
}

/** Begins a plan. Throws StepError. */
export async function openPlanning(url: string, id: string): Promise<Planning> {
  const reader = await step('connecting', () => connectOwner(url, 'carryover plan'))
  try {
    const writer = await step('connecting', () => connectOwner(url, 'carryover plan'))
    const close = async () => {
      await Promise.all([reader, writer].map((client) => client.end().catch(() => {})))
    }
    try {
      return await step('looking at the copy', () => begin(reader, writer, id, close))
    } catch (error) {
      await close()
      throw error
    }
  } catch (error) {
    await reader.end().catch(() => {})
    throw error
  }
}

/** As in a load: a plan takes as long as it takes, and waits for the network at its end. */
const PATIENT = 'set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0'

async function begin(
  reader: pg.Client,
  writer: pg.Client,
  id: string,
  close: () => Promise<void>,
): Promise<Planning> {
  await reader.query(
    `begin isolation level repeatable read read only; ${PATIENT}; set local work_mem = '64MB'`,
  )
  await writer.query(`begin; ${PATIENT}; set local lock_timeout = '60s'`)
  const key = await provisionKey(reader)
  const copy = await digestCopy(reader)
  let place = 0
  return {
    copyDigest: copy.digest,
    users: copy.users,
    key,
    claims: () => step('reading the names of the claims', () => claimNames(reader)),
    rules: () => appliedRules(reader),
    rows: async function* (target) {
      for (const select of [COPY, GONE]) {
        const reading = { select, values: [target], beginning: 'reading the copy' }
        for await (const rows of fetched<FetchedRow>(reader, reading)) yield rows.map(rowIn)
      }
    },
    write: async (items) => {
      if (items.length === 0) return
      const placed = place
      place += items.length
      await step('writing the plan', () => insertItems(writer, id, placed, items))
    },
    commit: (plan) =>
      step('writing the plan', async () => {
        await insertCounts(writer, id)
        await insertPlan(writer, plan)
        await writer.query('commit')
      }),
    close,
  }
}

/** The key of the digests of what was sent. */
export async function provisionKey(client: pg.Client): Promise<Buffer> {
  const { rows } = await client.query<{ key: Buffer }>('select carryover.provision_key() as key')
  const [row] = rows
  if (row === undefined) throw new Error('no row')
  return row.key
}

/**
 * SHA-256 of what a plan is made of but the hashes, which a purge and `harden` replace all the time: the newest load, and
 * the number and the sums of digests of every user, so that no order matters. Reads the whole copy. The digest of a user has
 * 128 bits without a key: it tells of changes, and whoever may write the copy needs no trick to change it.
 */
export async function copyDigest(client: pg.Client): Promise<Buffer> {
  return (await digestCopy(client)).digest
}

async function digestCopy(client: pg.Client): Promise<{ digest: Buffer; users: number }> {
  const { rows } = await client.query<{
    load: string
    users: string
    first: string | null
    second: string | null
  }>(
    `select coalesce((select max(id) from carryover.loads where state = 'done'), 0)::text as load, count(*)::text as users,
      sum(hashtextextended(t.text, 0))::text as first, sum(hashtextextended(t.text, 1))::text as second
    from legacy.users u
    cross join lateral (select (u.id, u.login, u.email, u.status, u.cohort, u.profile)::text collate "C") t (text)
    where u.id is not null`,
  )
  const [row] = rows
  if (row === undefined) throw new Error('no row')
  const { load, users, first, second } = row
  const text = JSON.stringify(['copy', load, users, first, second])
  return { digest: createHash('sha256').update(text).digest(), users: Number(users) }
}

/** `given_name`, and of a claim that is an object its members, as `address.locality`. */
async function claimNames(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct k.name || coalesce('.' || m.name, '') as name from legacy.users u
    cross join lateral jsonb_each(case when jsonb_typeof(u.profile::jsonb) = 'object' then u.profile::jsonb end) k (name, value)
    left join lateral jsonb_object_keys(case when jsonb_typeof(k.value) = 'object' then k.value end) m (name) on true
    order by 1`,
  )
  return rows.map(({ name }) => name)
}

interface FetchedRow extends CopiedHash, CopiedProfile {
  readonly here: boolean
  readonly updated_at: Date | null
  readonly state: MigrationState | null
  readonly ledger_cohort: string | null
  readonly scheme: string | null
  readonly usable: boolean | null
  readonly deleted: boolean
  readonly purged: boolean
  readonly content: Buffer | null
  readonly method: string | null
  readonly sent_hash: Buffer | null
  readonly removed: boolean
  readonly changed_afterwards: boolean
}

const KNOWN = `u.state, u.cohort as ledger_cohort, u.scheme, u.usable, u.deleted_at is not null as deleted,
  u.purged_at is not null as purged, p.content, p.method, p.hash as sent_hash, p.removed_at is not null as removed,
  c.user_id is not null as changed_afterwards`

const COPY = `select true as here, l.id::text, l.login::text, l.email::text, l.password_hash::text, l.hash_scheme::text,
    l.salt::text, l.status::text, l.cohort::text, l.profile::jsonb, l.updated_at, ${KNOWN}
  from legacy.users l
  left join carryover.users u on u.user_id = l.id::text
  left join carryover.provisioned p on p.target = $1 and p.user_id = l.id::text
  left join carryover.password_changes c on c.user_id = l.id::text and c.decision = 'open'
  where l.id is not null and l.login is not null`

const GONE = `select false as here, u.user_id as id, null::text as login, null::text as email, null::text as password_hash,
    null::text as hash_scheme, null::text as salt, null::text as status, null::text as cohort, null::jsonb as profile,
    null::timestamptz as updated_at, ${KNOWN}
  from carryover.provisioned p
  join carryover.users u on u.user_id = p.user_id and u.deleted_at is not null
  left join carryover.password_changes c on false
  where p.target = $1 and p.removed_at is null
    and not exists (select from legacy.users l where l.id::text = p.user_id)`

function rowIn(row: FetchedRow): PlanRow {
  const { id } = row
  return {
    id,
    cohort: row.here ? cohortIn(row) : (row.ledger_cohort ?? cohortIn(row)),
    scheme: row.scheme ?? 'unknown',
    row: row.here
      ? {
          user: copiedUserIn(row),
          hash: hashIn(row),
          // Of a view that does not say: as if it had changed now.
          updatedAt: row.updated_at ?? new Date(),
        }
      : null,
    ledger:
      row.state === null
        ? null
        : { state: row.state, deleted: row.deleted, purged: row.purged, usable: row.usable === true },
    provisioned:
      row.content === null || row.method === null
        ? null
        : { content: row.content, method: row.method, hash: row.sent_hash, removed: row.removed },
    changedAfterwards: row.changed_afterwards,
  }
}

async function insertItems(
  client: pg.Client,
  plan: string,
  placed: number,
  items: readonly PlannedItem[],
): Promise<void> {
  await client.query({
    name: 'plan-items',
    text: `insert into carryover.plan_items (plan, place, user_id, action, method, why, cohort, scheme, content, state, reason, ended_at)
    select $1, $2 + i.place, i.user_id, i.action, i.method, i.why, i.cohort, i.scheme, i.content, i.state, i.reason,
      case when i.state <> 'pending' then clock_timestamp() end
    from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::text[], $11::text[])
      with ordinality as i (user_id, action, method, why, cohort, scheme, content, state, reason, place)`,
    values: [
      plan,
      placed,
      items.map(({ userId }) => userId),
      items.map(({ action }) => action),
      items.map(({ method }) => method),
      items.map(({ why }) => why),
      items.map(({ cohort }) => cohort),
      items.map(({ scheme }) => scheme),
      items.map(({ content }) => content),
      items.map(({ state }) => state),
      items.map(({ reason }) => reason),
    ],
  })
}

async function insertCounts(client: pg.Client, plan: string): Promise<void> {
  await client.query(
    `insert into carryover.plan_counts (plan, action, method, state, reason, users)
    select plan, action, method, state, coalesce(reason, ''), count(*) from carryover.plan_items where plan = $1
    group by 1, 2, 3, 4, 5`,
    [plan],
  )
}

async function insertPlan(client: pg.Client, plan: NewPlan): Promise<void> {
  await client.query(
    `insert into carryover.plans (id, target, content, settings_digest, copy_digest, users, report)
    values ($1, $2, $3, $4, $5, $6, $7)`,
    [
      plan.id,
      plan.target,
      JSON.stringify(plan.content),
      plan.settingsDigest,
      plan.copyDigest,
      plan.users,
      JSON.stringify(plan.report),
    ],
  )
}

/** null: there is no such plan. */
export async function readPlan<Content, Report>(
  client: pg.Client,
  id: string,
): Promise<StoredPlan<Content, Report> | null> {
  const { rows } = await client.query<StoredPlan<Content, Report>>(
    `select id, target, created_at as "createdAt", content, settings_digest as "settingsDigest",
      copy_digest as "copyDigest", users::float8 as users, report, state, paused_for as "pausedFor", speed,
      started_at as "startedAt", ended_at as "endedAt"
    from carryover.plans where id = $1`,
    [id],
  )
  return rows[0] ?? null
}

/** The newest first. */
export async function listPlans(client: pg.Client): Promise<readonly ListedPlan[]> {
  const { rows } = await client.query<ListedPlan>(
    `select p.id, p.target, p.created_at as "createdAt", p.users::float8 as users,
      coalesce((select sum(c.users) from carryover.plan_counts c where c.plan = p.id and c.state = 'pending'), 0)::float8 as pending,
      p.state, p.paused_for as "pausedFor"
    from carryover.plans p order by p.created_at desc, p.id`,
  )
  return rows
}
