import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ACCOUNTS, as, makeAccounts } from '../deploy/accounts.ts'
import { holders, moved } from '../forget/helpers.ts'
import { allowed, measured } from '../helpers/assurance.ts'
import { expectNoPlanted, plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, runCommand, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'
import {
  type Forbidden,
  forbiddenToAll,
  forbiddenToLoad,
  forbiddenToProvision,
  forbiddenToReaders,
} from './forbidden.ts'

/** Stands where a hash stands. */
const HASH = '$2b$10$canary-of-the-privileges-0123456789abcdefghijklm'

let db: TestDatabase
const clients = new Map<string, pg.Client>()

beforeAll(async () => {
  db = await testDatabase('template0')
  await makeAccounts(db.owner)
  await makeAccounts(db.owner) // again: nothing changes
  const done = await runCommand(['migrate'], { DATABASE_URL: as(ACCOUNTS.migrate, db.url) })
  expect(done.code, done.err).toBe(0)
  plant(HASH)
})
afterAll(async () => {
  for (const client of clients.values()) await client.end()
  await db.owner.query('delete from legacy.users')
  await db.drop()
})

async function signedIn(account: string): Promise<pg.Client> {
  const known = clients.get(account)
  if (known !== undefined) return known
  const client = new pg.Client({ connectionString: as(account, db.url) })
  client.on('error', () => {})
  await client.connect()
  clients.set(account, client)
  return client
}

test(
  'the first load as the owner, the next as the importing account, and the service with two accounts',
  allowed(180_000, 180_000),
  async () => {
    await loadUsers(as(ACCOUNTS.migrate, db.url), cheapUsers(3))
    const more = [
      ...cheapUsers(5),
      { id: 'canary', login: 'canary@example.com', password_hash: HASH, salt: HASH },
    ]
    await loadUsers(as(ACCOUNTS.load, db.url), more)
    const { rows } = await db.owner.query('select sum(unmigrated)::int as users from carryover.counts')
    expect(rows).toEqual([{ users: 6 }])

    const service = await startProcess('', {
      HOOKS_DATABASE_URL: as(ACCOUNTS.hooks, db.url),
      ADMIN_DATABASE_URL: as(ACCOUNTS.admin, db.url),
    })
    const post = caller(service.hooksUrl)
    for (const login of ['u0@example.com', 'u4@example.com'])
      expect((await post('/okta/password-import', passwordImport(login, `${login}?`, login))).text).toContain(
        '"VERIFIED"',
      )
    expect((await admin(service.adminUrl, '/counts')).status).toBe(200)
    expect((await admin(service.adminUrl, '/users/u4@example.com')).text).toContain('"state":"verified"')
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)

    // What has happened outlives the next load.
    await loadUsers(as(ACCOUNTS.load, db.url), more)
    const { rows: verified } = await db.owner.query(
      `select sum(verified)::int as users from carryover.counts`,
    )
    expect(verified).toEqual([{ users: 2 }])
  },
)

test(
  'an importing account fills an empty copy as well, beside the indexes',
  allowed(180_000, 180_000),
  async () => {
    const empty = await testDatabase('template0')
    try {
      await makeAccounts(empty.owner)
      await runCommand(['migrate'], { DATABASE_URL: as(ACCOUNTS.migrate, empty.url) })
      const twice = [...cheapUsers(3), ...cheapUsers(1)]
      await expect(loadUsers(as(ACCOUNTS.load, empty.url), twice)).rejects.toThrow() // a refused row: exit 1
      const { rows } = await empty.owner.query(`select count(*)::int as users from legacy.users`)
      expect(rows).toEqual([{ users: 3 }])
    } finally {
      await empty.drop()
    }
  },
)

const READ = ['select', 'copy']
const WRITE = [...READ, 'insert', 'update', 'lock']

/** What `migrate` gives each group role, by what it may do with which table. Everything else is refused. */
const given: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  hooks: {},
  admin: {
    'carryover.users': ['select', 'copy'],
    'carryover.counts': ['select', 'copy'],
    'carryover.outcomes': ['select', 'copy'],
    'carryover.chains': ['select', 'copy'],
    'carryover.plans': READ,
    'carryover.plan_counts': READ,
  },
  load: {
    'legacy.users': ['select', 'copy', 'insert', 'update', 'delete', 'lock'],
    // Some columns alone: the list of what is forbidden has the others.
    'carryover.users': ['select', 'copy', 'insert'],
    'carryover.counts': ['select', 'copy', 'insert', 'update', 'lock'],
    'carryover.erased': ['select', 'copy'],
    'carryover.loads': WRITE,
    'carryover.sources': WRITE,
    'carryover.origins': [...READ, 'insert', 'delete', 'lock'],
    'carryover.password_changes': WRITE,
  },
  purge: {},
  provision: {
    'legacy.users': READ,
    'carryover.users': READ,
    'carryover.loads': READ,
    'carryover.fixes': READ,
    // The decision alone: the list of what is forbidden has the rest.
    'carryover.password_changes': READ,
    'carryover.plans': [...WRITE, 'delete'],
    'carryover.plan_items': [...WRITE, 'delete'],
    'carryover.plan_counts': [...WRITE, 'delete'],
    'carryover.provisioned': [...WRITE, 'delete'],
  },
}

const forbiddenTo: Readonly<Record<string, readonly Forbidden[]>> = {
  load: forbiddenToLoad,
  provision: forbiddenToProvision,
}

const callable: Readonly<Record<string, readonly string[]>> = {
  hooks: [
    'find_users',
    'record_outcomes',
    'confirm_users',
    'common_scheme',
    'read_cursor',
    'move_cursor',
    'schema_version',
  ],
  admin: ['find_user_ids', 'schema_version'],
  load: ['name_key', 'add_counts', 'erased_among', 'changed_since_purge', 'schema_version'],
  purge: ['purge_hashes', 'schema_version'],
  provision: ['provision_key', 'finish_plan', 'retry_failed', 'schema_version'],
}

const others = (account: string) =>
  ['carryover_hooks', 'carryover_admin', 'carryover_load', 'carryover_purge', 'carryover_provision']
    .filter((role) => role !== `carryover_${account}`)
    .map((role) => ({ statement: `set role ${role}` }))

describe.each(['hooks', 'admin', 'load', 'purge', 'provision'] as const)('the account for %s', (account) => {
  test('may do nothing that it was not given: every refusal is 42501', async () => {
    const client = await signedIn(ACCOUNTS[account])
    const statements: Forbidden[] = [
      ...forbiddenToAll,
      ...(forbiddenTo[account] ?? forbiddenToReaders),
      ...others(account),
      ...(await tableStatements(given[account] ?? {})),
      ...(await callStatements(callable[account] ?? [])),
    ]
    const { rows: version } = await db.owner.query(
      `select current_setting('server_version_num')::int as number`,
    )
    // MERGE came with PostgreSQL 15.
    const known = statements.filter(
      ({ statement }) => version[0].number >= 150_000 || !statement.startsWith('merge'),
    )
    const letThrough: string[] = []
    for (const { statement } of known) {
      const answer = await codeOf(client, statement)
      if (answer !== '42501') letThrough.push(`${statement}: ${answer}`)
    }
    measured({
      part: 'privileges',
      requirement: 'R-67',
      what: `forbidden statements of the account for ${account}`,
      wanted: 'at least 40, all refused',
      got: `${known.length}, ${known.length - letThrough.length} refused`,
    })
    expect(letThrough).toEqual([])
    expect(known.length).toBeGreaterThanOrEqual(40)
  })

  test('has no power of its own and one role, and is bounded', async () => {
    const client = await signedIn(ACCOUNTS[account])
    const { rows } = await client.query(`
      select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls as powers, rolconnlimit > 0 as bounded,
        array(select r.rolname::text from pg_roles r where pg_has_role(current_user, r.oid, 'member') and r.rolname <> current_user) as roles,
        current_setting('search_path') as path
      from pg_roles where rolname = current_user`)
    expect(rows).toEqual([
      { powers: false, bounded: true, roles: [`carryover_${account}`], path: 'pg_catalog, pg_temp' },
    ])
    // What the planner knows of columns is values of them.
    await db.owner.query('analyze legacy.users')
    const { rows: stats } = await client.query(
      `select tablename, attname from pg_stats where schemaname in ('legacy', 'carryover') and tablename <> 'counts'
        and attname in ('password_hash', 'salt', 'profile', 'login_key', 'login')`,
    )
    if (account !== 'load' && account !== 'provision') expect(stats).toEqual([])
  })
})

test('the two roles of the service ask for at most 100 names at once', async () => {
  const client = await signedIn(ACCOUNTS.hooks)
  await expect(
    client.query(`select * from carryover.find_users(array_fill('ann'::text, array[101]), '1 s')`),
  ).rejects.toMatchObject({ code: '54000' })
})

test('names of their own do not mislead functions that run with more rights', async () => {
  // Worse than it is: the account may make things in public and pg_temp.
  const client = await signedIn(ACCOUNTS.hooks)
  const name = (await db.owner.query('select current_database() as name')).rows[0].name
  await db.owner.query(
    `grant create, usage on schema public to ${ACCOUNTS.hooks}; grant temporary on database ${name} to ${ACCOUNTS.hooks}`,
  )
  await client.query(`
    create function public.boom() returns boolean language plpgsql as $$ begin raise exception 'called'; end $$;
    create function public.lower(text) returns text language sql as $$ select public.boom()::text $$;
    create function public.btrim(text, text) returns text language sql as $$ select public.boom()::text $$;
    create function public.sha256(bytea) returns bytea language sql as $$ select public.boom()::text::bytea $$;
    create function public.clock_timestamp() returns timestamptz language sql as $$ select public.boom()::text::timestamptz $$;
    create function public.same(text, text) returns boolean language sql as $$ select public.boom() $$;
    create operator public.= (leftarg = text, rightarg = text, function = public.same);
    create temp table users (id text, user_id text, login text, email text, state text);
    create temp table refusals (subject text, refusals int, window_start timestamptz);
    create temp table counts (cohort text);
    create temp table unnest (name text);
    set search_path = public, pg_temp, pg_catalog;
  `)
  // The traps work where they should.
  await expect(client.query(`select 'a'::text = 'a'::text`)).rejects.toMatchObject({ code: 'P0001' })
  const { rows: found } = await client.query(
    `select id, matches from carryover.find_users(array['U0@example.com', 'nobody'], '1 s')`,
  )
  expect(found).toEqual([
    { id: 'id-0', matches: 1 },
    { id: null, matches: 0 },
  ])
  const outcome = {
    dialect: 'a',
    hook: 'b',
    name: 'U0@example.com',
    user_id: 'id-0',
    verdict: 'mismatch',
    millis: 1,
  }
  const { rows: said } = await client.query(
    `select carryover.record_outcomes($1, 10, '1 s', 1000, gen_random_uuid(), 0) -> 'given' as given`,
    [JSON.stringify([outcome, { ...outcome, user_id: null, verdict: 'unknown-login' }])],
  )
  expect(said).toEqual([{ given: ['mismatch', 'unknown-login'] }])
  const notice = { dialect: 'a', hook: 'b', name: 'u1@example.com', result: 'stored', event_id: 'e1' }
  const { rows: confirmed } = await client.query(
    `select carryover.confirm_users($1, gen_random_uuid(), 0) -> 'results' as results`,
    [JSON.stringify([notice])],
  )
  expect(confirmed).toEqual([{ results: ['confirmed'] }])
  await client.query('select carryover.common_scheme(), carryover.schema_version()')
  await client.query(
    'reset search_path; drop function public.boom cascade; drop function public.same cascade',
  )
  await client.query('drop function public.lower, public.btrim, public.sha256, public.clock_timestamp')
  await client.query('discard temp')
  await db.owner.query(
    `revoke all on schema public from ${ACCOUNTS.hooks}; revoke temporary on database ${name} from ${ACCOUNTS.hooks}`,
  )
})

test('the purging account takes the hash of whoever is confirmed long enough', async () => {
  await moved(db.owner, 'migrated', 7_200, ['id-2'])
  const client = await signedIn(ACCOUNTS.purge)
  const { rows } = await client.query(
    `select carryover.purge_hashes('1 hour', 100)::int as users, carryover.schema_version() is not null as versioned`,
  )
  expect(rows).toEqual([{ users: 1, versioned: true }])
  expect(await holders(db.owner)).not.toContain('id-2')
})

test('everything that the account for administrators can read holds no hash', async () => {
  const client = await signedIn(ACCOUNTS.admin)
  const { rows: columns } = await client.query<{ table: string; columns: string }>(`
    select format('%I.%I', n.nspname, c.relname) as table, string_agg(quote_ident(a.attname), ', ') as columns
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
      and has_schema_privilege(n.oid, 'usage') and has_column_privilege(c.oid, a.attnum, 'select')
      and c.relname <> 'pg_statistic'
    group by 1`)
  const tables = columns.map(({ table }) => table).filter((table) => /^(carryover|legacy)\./.test(table))
  expect(tables.sort()).toEqual([
    'carryover.chains',
    'carryover.counts',
    'carryover.outcomes',
    'carryover.plan_counts',
    'carryover.plans',
    'carryover.users',
  ])
  let rows = 0
  for (const { table, columns: readable } of columns) {
    const { rows: lines } = await client
      .query<{ line: string }>(`select row(${readable})::text as line from ${table}`)
      .catch(() => ({ rows: [] as { line: string }[] })) // some views of PostgreSQL's own refuse
    rows += lines.length
    expectNoPlanted(table, lines.map(({ line }) => line).join('\n'))
  }
  // The canary is there, for whoever owns it.
  const { rows: kept } = await db.owner.query(
    'select count(*)::int as hashes from legacy.users where password_hash = $1',
    [HASH],
  )
  expect(kept).toEqual([{ hashes: 1 }])
  measured({
    part: 'privileges',
    requirement: 'R-68',
    what: "every row that the account for administrators can read, PostgreSQL's own tables too",
    wanted: '0 hashes',
    got: `0 hashes in ${rows} rows of ${columns.length} tables and views`,
  })
})

async function codeOf(client: pg.Client, statement: string): Promise<string> {
  await client.query('begin')
  try {
    await client.query(statement)
    return 'done'
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'unknown'
    // These refuse a transaction before they look at rights.
    if (code !== '25001') return code
    await client.query('rollback')
    return await client.query(statement).then(
      () => 'done',
      (again: { code?: string }) => again.code ?? 'unknown',
    )
  } finally {
    await client.query('rollback')
  }
}

/** Every way to touch every table of ours that was not given. */
async function tableStatements(allowed: Readonly<Record<string, readonly string[]>>): Promise<Forbidden[]> {
  const { rows } = await db.owner.query<{ table: string; column: string }>(`
    select n.nspname || '.' || c.relname as table, quote_ident((select attname from pg_attribute a where a.attrelid = c.oid
      and attnum > 0 and attidentity = '' order by attnum limit 1)) as column
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('legacy', 'carryover') and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1`)
  expect(rows.length).toBeGreaterThanOrEqual(9)
  return rows.flatMap(({ table, column }) => {
    const ways = {
      select: `select 1 from ${table} where ${column} is null`,
      copy: `copy ${table} to stdout`,
      insert: `insert into ${table} default values`,
      update: `update ${table} set ${column} = ${column}`,
      delete: `delete from ${table}`,
      truncate: `truncate ${table}`,
      lock: `lock table ${table} in exclusive mode`,
      references: `alter table ${table} add column mine text`,
    }
    return Object.entries(ways)
      .filter(([way]) => !allowed[table]?.includes(way))
      .map(([, statement]) => ({ statement }))
  })
}

/** Every function of ours that was not given, with nulls for arguments. */
async function callStatements(allowed: readonly string[]): Promise<Forbidden[]> {
  const { rows } = await db.owner.query<{ name: string; call: string }>(`
    select p.proname as name, format('select carryover.%I(%s)', p.proname,
      array_to_string(array(select 'null::' || format_type(t, null) from unnest(p.proargtypes) t), ', ')) as call
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'carryover' and p.prorettype <> 'trigger'::regtype order by 1`)
  expect(rows.map(({ name }) => name)).toEqual(expect.arrayContaining([...allowed]))
  return rows.filter(({ name }) => !allowed.includes(name)).map(({ call }) => ({ statement: call }))
}
