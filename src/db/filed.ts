import type pg from 'pg'
import type { Filing, Key } from './filing.ts'
import { StepError } from './step.ts'

/** What the digest of an erased user's id in a source is made of: no name and no id has this character. */
const BETWEEN = '\u001f'

/**
 * Finds for every staged row the user whom it is about: the one that its source's row was before, or the one that has its key,
 * or a new one under its own id. Then `id` is the user's, and `source_id` what the row says. What is ambiguous goes into
 * `load_late`.
 */
export async function findUsers(client: pg.Client, filing: Filing): Promise<void> {
  if (filing.source !== null) await client.query(byOrigin, [filing.source])
  if (filing.key.kind === 'id') return
  await client.query(keysOf(client, filing.key))
  await client.query('analyze pg_temp.load_keys')
  await setLate(client, keyless(nameOf(filing.key)))
  await setLate(client, repeatedKey)
  await client.query(matchesOf(client, filing.key))
  await client.query('analyze pg_temp.load_matches')
  await setLate(client, ambiguous)
  await setLate(client, idTaken)
  await client.query(nobodyToDelete)
  await client.query(byKey)
  await setLate(client, repeatedUser)
}

/** Takes what a statement put into `load_late` out of the staging table. */
export async function setLate(client: pg.Client, late: string): Promise<void> {
  const { rowCount } = await client.query(late)
  if (rowCount)
    await client.query('delete from pg_temp.load_staged s using pg_temp.load_late l where s.line = l.line')
}

/** The key's name as a rule tells it. */
function nameOf(key: Key): string {
  return key.kind === 'profile' ? 'profile' : key.kind
}

const byOrigin = `update pg_temp.load_staged s set known = true, source_id = s.id, id = o.user_id
  from carryover.origins o where o.source = $1 and o.source_id = s.id`

/** The profile's own values are compared as they are; names as people type them. */
function keyOf(client: pg.Client, key: Key, row: string): string {
  switch (key.kind) {
    case 'id':
      return `${row}.id`
    case 'login':
      return `carryover.name_key(${row}.login)`
    case 'email':
      return `carryover.name_key(${row}.email)`
    case 'profile':
      return `${row}.profile->>${client.escapeLiteral(key.name)}`
  }
}

const keysOf = (client: pg.Client, key: Key) => `create temp table load_keys on commit drop as
  select s.line, nullif(${keyOf(client, key, 's')}, '') as key from pg_temp.load_staged s`

const keyless = (field: string) => `insert into pg_temp.load_late (line, rule, id, raw, field)
  select s.line, 'required', s.id, s.raw, '${field}'
  from pg_temp.load_staged s join pg_temp.load_keys k on k.line = s.line
  where k.key is null and not s.known`

const repeatedKey = `insert into pg_temp.load_late (line, rule, id, raw, first)
  select s.line, 'repeated-key', s.id, s.raw, f.first
  from (select key, min(line) as first from pg_temp.load_keys where key is not null group by key having count(*) > 1) f
  join pg_temp.load_keys k on k.key = f.key and k.line > f.first
  join pg_temp.load_staged s on s.line = k.line`

const matchesOf = (client: pg.Client, key: Key) => `create temp table load_matches on commit drop as
  select k.line, count(*) as users, min(u.id) as user_id
  from pg_temp.load_keys k
  join pg_temp.load_staged s on s.line = k.line and not s.known
  join legacy.users u on ${keyOf(client, key, 'u')} = k.key
  group by k.line`

const ambiguous = `insert into pg_temp.load_late (line, rule, id, raw)
  select s.line, 'ambiguous-key', s.id, s.raw
  from pg_temp.load_staged s join pg_temp.load_matches m on m.line = s.line where m.users > 1`

/** Its id means somebody else there: it would overwrite that user. */
const idTaken = `insert into pg_temp.load_late (line, rule, id, raw)
  select s.line, 'id-taken', s.id, s.raw from pg_temp.load_staged s
  where not s.known and not exists (select from pg_temp.load_matches m where m.line = s.line)
    and exists (select from legacy.users u where u.id = s.id)`

/** Its id says nothing of whom the copy knows by that id. */
const nobodyToDelete = `delete from pg_temp.load_staged s
  where s.deleted and not s.known and not exists (select from pg_temp.load_matches m where m.line = s.line)`

const byKey = `update pg_temp.load_staged s set source_id = s.id, id = m.user_id
  from pg_temp.load_matches m where m.line = s.line and m.user_id <> s.id`

/** One by its origin, the other by its key. */
const repeatedUser = `insert into pg_temp.load_late (line, rule, id, raw, first)
  select s.line, 'repeated-key', s.id, s.raw, f.first
  from (select id, min(line) as first from pg_temp.load_staged group by id having count(*) > 1) f
  join pg_temp.load_staged s on s.id = f.id and s.line > f.first`

/** Rows that change what they have a value for: what they lack is filled in as it is. */
export async function completeRows(client: pg.Client): Promise<void> {
  await setLate(client, unknownUser)
  await client.query(completed)
}

const unknownUser = `insert into pg_temp.load_late (line, rule, id, raw)
  select s.line, 'unknown-user', s.id, s.raw from pg_temp.load_staged s
  where not exists (select from legacy.users u where u.id = s.id) and not s.deleted`

const completed = `update pg_temp.load_staged s set
    login = coalesce(nullif(s.login, ''), u.login), email = coalesce(s.email, u.email),
    password_hash = coalesce(s.password_hash, u.password_hash),
    hash_scheme = case when s.password_hash is null then u.hash_scheme else s.hash_scheme end,
    salt = case when s.password_hash is null then u.salt else s.salt end,
    scheme = case when s.password_hash is null then coalesce(l.scheme, '') else s.scheme end,
    defect = case when s.password_hash is null then case when l.usable then null else 'kept' end else s.defect end,
    kept = s.password_hash is null, unlisted = l.user_id is null,
    status = coalesce(nullif(s.status, ''), u.status), cohort = coalesce(nullif(s.cohort, ''), u.cohort),
    profile = u.profile || s.profile
  from legacy.users u left join carryover.users l on l.user_id = u.id
  where u.id = s.id and not s.deleted`

/** Before anything is set aside: a row that is refused is there all the same. */
export const present = `create temp table load_present on commit drop as select distinct id as source_id from pg_temp.load_staged`

/** Of a whole source, users who are not in it. */
export interface Missing {
  /** How many are deleted. */
  readonly missing: number
  /** They stayed, because rows could not be read that may have been theirs. */
  readonly kept: boolean
}

/**
 * Stages the deletion of every user whose only origin is this source and who is not in it. Throws StepError when it would be
 * more than allowed.
 */
export async function stageMissing(
  client: pg.Client,
  source: string,
  within: number,
  unreadRows: number,
): Promise<Missing> {
  if (unreadRows > 0) return { missing: 0, kept: true }
  await client.query('analyze pg_temp.load_present')
  await client.query(missingUsers, [source])
  const { rows } = await client.query<{ users: number; missing: number }>(
    `select (select count(distinct o.user_id)::float8 from carryover.origins o join legacy.users u on u.id = o.user_id
        where o.source = $1) as users,
      (select count(*)::float8 from pg_temp.load_missing where only_here) as missing`,
    [source],
  )
  const { users, missing } = rows[0] ?? { users: 0, missing: 0 }
  if (missing * 100 > users * within) {
    throw new StepError(
      `${missing} of the ${users} users of this source are not in it any more and would be deleted, which is more than ${within} %: where that is right, say --allow-deletions PERCENT`,
    )
  }
  await client.query(deleteMissing)
  await client.query(forgetOrigins, [source])
  return { missing, kept: false }
}

const missingUsers = `create temp table load_missing on commit drop as
  select o.user_id, not exists (
      select from carryover.origins other where other.user_id = o.user_id and other.source <> $1) as only_here
  from carryover.origins o
  join legacy.users u on u.id = o.user_id
  where o.source = $1 and not exists (select from pg_temp.load_staged s where s.id = o.user_id)
  group by o.user_id
  having not bool_or(exists (select from pg_temp.load_present p where p.source_id = o.source_id))`

const deleteMissing = `insert into pg_temp.load_staged (line, id, login, status, cohort, profile, deleted, scheme)
  select 0, m.user_id, '', 'active', 'default', '{}', true, '' from pg_temp.load_missing m where m.only_here`

/** The origin of a deleted user stays: by it the user is known, and does not come back under another id. */
const forgetOrigins = `delete from carryover.origins o using pg_temp.load_missing m
  where o.source = $1 and o.user_id = m.user_id and not m.only_here`

/** Remembers whose rows these were, of who is deleted as well, and how far a query was read. Before the commit. */
export async function rememberSource(
  client: pg.Client,
  source: string,
  watermark: string | null,
): Promise<void> {
  await client.query(
    `insert into carryover.sources (name, watermark) values ($1, $2)
    on conflict (name) do update set watermark = coalesce(excluded.watermark, carryover.sources.watermark), updated_at = now()`,
    [source, watermark],
  )
  await client.query(
    `insert into carryover.origins (source, source_id, user_id)
    select $1, coalesce(s.source_id, s.id), s.id from pg_temp.load_staged s
    where not s.known and s.line > 0
    on conflict do nothing`,
    [source],
  )
}

/** First of all, so that no second row of an erased user is told, and written down, as a repeated one. */
export async function dropErased(client: pg.Client, source: string | null): Promise<number> {
  const { rows } = await client.query<{ some: boolean }>(
    'select exists (select from carryover.erased) as some',
  )
  if (rows[0]?.some !== true) return 0
  const gone = (await client.query(erasedEarlier)).rowCount ?? 0
  if (source === null) return gone
  return gone + ((await client.query(erasedInSource, [`${source}${BETWEEN}`])).rowCount ?? 0)
}

/**
 * Whom the file calls deleted is gone already, which is no mistake of the file's. The function is asked for thousands at once;
 * whoever loads need not have the key of its digests.
 */
const erasedEarlier = `with erased as materialized (
    select e.id from (select array_agg(s.id) as ids from pg_temp.load_staged s group by s.line / 10000) part
    cross join lateral carryover.erased_among(part.ids) e (id)
  ),
  gone as (
    delete from pg_temp.load_staged s using erased e where e.id = s.id
    returning s.line, s.id, s.deleted
  )
  insert into pg_temp.load_late select line, 'erased-earlier', id, null from gone where not deleted`

/** Who was filed under another id is known by the source's. */
const erasedInSource = `with erased as materialized (
    select e.id from (select array_agg($1 || s.id) as ids from pg_temp.load_staged s group by s.line / 10000) part
    cross join lateral carryover.erased_among(part.ids) e (id)
  ),
  gone as (
    delete from pg_temp.load_staged s using erased e where e.id = $1 || s.id
    returning s.line, s.id, s.deleted
  )
  insert into pg_temp.load_late select line, 'erased-earlier', id, null from gone where not deleted`
