import type pg from 'pg'

/** Ids in one call of the function that knows what was purged. */
const AT_ONCE = 10_000

/**
 * Before their hashes are taken out of the staging table: what the rows say of users who were purged. A hash that is
 * hardened and one that is not cannot be compared.
 */
export const purgedRows = `create temp table load_purged on commit drop as
  select s.id, s.password_hash, s.salt, row_number() over (order by s.id) / ${AT_ONCE} as part
  from pg_temp.load_staged s join carryover.users l on l.user_id = s.id
  where l.purged_at is not null and l.deleted_at is null and not s.deleted and not s.kept and s.password_hash is not null
    and (l.scheme like 'hardened:%') = (s.scheme like 'hardened:%')`

/**
 * Before the copy is changed: users whose right password the provider was told of, and whose row has another hash. Says how
 * many. Whether the provider has confirmed it does not matter, because some confirm nothing.
 */
export async function noteAnswered(client: pg.Client, load: number | null): Promise<number> {
  return (await client.query(changedOfAnswered, [load])).rowCount ?? 0
}

const changedOfAnswered = `insert into carryover.password_changes (user_id, load)
  select s.id, $1
  from pg_temp.load_fates f
  join pg_temp.load_staged s on s.id = f.id
  join legacy.users u on u.id = s.id
  join carryover.users l on l.user_id = s.id
  where f.fate = 'changed' and l.state in ('verified', 'migrated') and l.purged_at is null and l.deleted_at is null
    and u.password_hash is not null
    and (u.password_hash, u.salt) is distinct from (s.password_hash, s.salt)
    and (l.scheme like 'hardened:%') = (s.scheme like 'hardened:%')
  order by s.id
  on conflict (user_id) do update
    set noticed_at = clock_timestamp(), load = excluded.load, decision = 'open', decided_at = null`

/** Purged users whose row has another hash than was purged. Late, because their ledger rows are locked. Says how many. */
export async function notePurged(client: pg.Client, load: number | null): Promise<number> {
  const { rows } = await client.query<{ changed: number }>(
    `select coalesce(sum(carryover.changed_since_purge(p.ids, p.hashes, p.salts, $1)), 0)::float8 as changed
    from (select array_agg(id) as ids, array_agg(password_hash) as hashes, array_agg(salt) as salts
      from pg_temp.load_purged group by part order by part) p`,
    [load],
  )
  return rows[0]?.changed ?? 0
}
