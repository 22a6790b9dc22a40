import type pg from 'pg'
import { connectOwner } from './client.ts'
import { LOAD_LOCK } from './ledger.ts'
import { StepError, step } from './step.ts'

/** Whom to erase: everything that answers to a login, or the one user of an id. */
export type Erasee = { readonly login: string } | { readonly id: string }

/** Rows by table: removed, or, of the outcomes, rid of what tied them to the user. */
export type Erased = Readonly<Record<string, number>>

export type Erasure =
  | { readonly kind: 'erased'; readonly at: Date; readonly removed: Erased; readonly beneathView: boolean }
  | { readonly kind: 'nobody' }
  | { readonly kind: 'several'; readonly ids: readonly string[] }

/** More are not listed. */
const MOST_IDS = 20

/**
 * Erases one user, in one transaction. A sign-in that was under way may have found the user before and write of them
 * afterwards: so once it must be over, everything is looked through a second time.
 *
 * @param settled resolves when every call that began before is over
 */
export async function eraseUser(
  url: string,
  erasee: Erasee,
  { dryRun, settled }: { dryRun: boolean; settled: () => Promise<void> },
): Promise<Erasure> {
  const client = await step('connecting', () => connectOwner(url, 'carryover erase'))
  try {
    return await step('erasing', async () => {
      const claimed = await client.query<{ mine: boolean }>(
        `select pg_try_advisory_lock(${LOAD_LOCK}) as mine`,
      )
      if (claimed.rows[0]?.mine !== true)
        throw new StepError('a load or sync is running on this database: try again when it is done')
      const ids = 'id' in erasee ? await idsOf(client, erasee.id) : await idsNamed(client, erasee.login)
      const [id, ...others] = ids
      if (id === undefined) return { kind: 'nobody' }
      if (others.length > 0) return { kind: 'several', ids }
      const { at, table } = await startOf(client)
      const removed = await erase(client, id, dryRun)
      if (!dryRun) {
        await settled()
        add(removed, await erase(client, id, false))
      }
      return { kind: 'erased', at, removed: Object.fromEntries(removed), beneathView: !table }
    })
  } finally {
    await client.end().catch(() => {})
  }
}

/** The id itself, if anything is known of it. */
async function idsOf(client: pg.Client, id: string): Promise<string[]> {
  const { rows } = await client.query<{ known: boolean }>(
    `select exists (select from legacy.users where id = $1) or exists (select from carryover.users where user_id = $1)
      or exists (select from carryover.outcomes where user_id = $1)
      or exists (select from carryover.probes where user_id = $1) as known`,
    [id],
  )
  return rows[0]?.known === true ? [id] : []
}

/** As the service finds them, by login or else by address, but all of them, and those as well who are marked deleted. */
async function idsNamed(client: pg.Client, name: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `with by_login as materialized (
      select l.id from legacy.users l
      where carryover.name_key(l.login) = carryover.name_key($1) and carryover.name_key($1) <> ''
      limit ${MOST_IDS}
    )
    select id from by_login
    union
    (
      select l.id from legacy.users l
      where not exists (select from by_login)
        and carryover.name_key(l.email) = carryover.name_key($1) and carryover.name_key($1) <> ''
        and l.email <> l.login and carryover.name_key(l.email) <> carryover.name_key(l.login)
      limit ${MOST_IDS}
    )
    order by id`,
    [name],
  )
  return rows.map(({ id }) => id)
}

async function startOf(client: pg.Client): Promise<{ at: Date; table: boolean }> {
  const { rows } = await client.query<{ at: Date; table: boolean }>(
    `select clock_timestamp() as at,
      (select relkind from pg_class where oid = 'legacy.users'::regclass) in ('r', 'p') as "table"`,
  )
  if (rows[0] === undefined) throw new Error('no row')
  return rows[0]
}

async function erase(client: pg.Client, id: string, dryRun: boolean): Promise<Map<string, number>> {
  await client.query('begin')
  try {
    const { rows } = await client.query<{ place: string; erased: number }>(
      'select place, erased::float8 as erased from carryover.erase_user($1)',
      [id],
    )
    await client.query(dryRun ? 'rollback' : 'commit')
    return new Map(rows.map(({ place, erased }) => [place, erased]))
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

function add(sum: Map<string, number>, more: ReadonlyMap<string, number>): void {
  for (const [place, rows] of more) sum.set(place, (sum.get(place) ?? 0) + rows)
}
