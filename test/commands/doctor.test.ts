import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbedded } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { testDatabase } from '../helpers/db.ts'
import { runCommand } from '../helpers/process.ts'
import { SECRET, TOKEN } from '../helpers/service.ts'
import { type CsvUser, loadUsers, md5 } from '../helpers/users.ts'

let server: EmbeddedPostgres
let db: { readonly url: string; readonly owner: pg.Client }
let directory: string
/** Roles belong to the whole server, so every run makes its own. */
const suffix = randomBytes(4).toString('hex')
const hooksAccount = `doctor_hooks_${suffix}`
const adminAccount = `doctor_admin_${suffix}`

const as = (account: string) => db.url.replace('postgres@', `${account}@`)

const users: CsvUser[] = [
  { id: '1', login: 'ann@example.com', password_hash: md5('x'), hash_scheme: 'md5' },
  { id: '2', login: 'bob@example.com', password_hash: md5('y'), hash_scheme: 'md5' },
]

/** What a careful operator sets: two accounts of their own, and the owner besides. */
const sound = () => ({
  DATABASE_URL: db.url,
  HOOKS_DATABASE_URL: as(hooksAccount),
  ADMIN_DATABASE_URL: as(adminAccount),
  HOOKS_LISTEN: '127.0.0.1:8080',
  ADMIN_TOKENS: TOKEN,
  OKTA_HOOK_SECRETS: SECRET,
})

async function examine(environment: Record<string, string> = {}) {
  const given = { ...sound(), ...environment }
  const { code, out, err } = await runCommand(['doctor', '--json'], given)
  expect(err).toBe('')
  const { problems, warnings, findings } = JSON.parse(out) as {
    problems: number
    warnings: number
    findings: Finding[]
  }
  for (const value of [...Object.entries(given)].filter(([name]) => !/_(LISTEN|FILE)$/.test(name)))
    expect(out.includes(value[1]), `${value[0]} is repeated`).toBe(false)
  expect([problems, warnings, code]).toEqual([
    findings.filter(({ level }) => level === 'problem').length,
    findings.filter(({ level }) => level === 'warning').length,
    problems > 0 ? 1 : 0,
  ])
  return { findings, says: (level: Finding['level']) => sentences(findings, level) }
}

function sentences(findings: readonly Finding[], level: Finding['level']): string[] {
  return findings.filter((finding) => finding.level === level).map(({ says }) => says)
}

beforeAll(async () => {
  // The server that tests share does not sync its files to the disk, and that is a problem.
  server = await startEmbedded({ settings: ['log_statement=none'] })
  const url = await server.database('doctor')
  await migrateDatabase(url)
  db = { url, owner: new pg.Client({ connectionString: url }) }
  await db.owner.connect()
  directory = await mkdtemp(join(tmpdir(), 'carryover-doctor-'))
  await db.owner.query(`create user ${hooksAccount} in role carryover_hooks`)
  await db.owner.query(`create user ${adminAccount} in role carryover_admin`)
  await loadUsers(db.url, users)
  await db.owner.query('analyze legacy.users')
})
afterAll(async () => {
  await db.owner.end()
  await server.stop()
  await rm(directory, { recursive: true })
})

/** Makes a fault, looks, and undoes it. */
async function withFault<Result>(
  fault: string,
  mending: string,
  look: () => Promise<Result>,
): Promise<Result> {
  await db.owner.query(fault)
  try {
    return await look()
  } finally {
    await db.owner.query(mending)
  }
}

const EMBEDDED = 'The database is the embedded server, which goes with this machine.'

test('a sound installation has no problem, whatever else is said', async () => {
  const secrets = {
    DATABASE_URL: db.url,
    HOOKS_DATABASE_URL: as(hooksAccount),
    ADMIN_DATABASE_URL: as(adminAccount),
    ADMIN_TOKENS: TOKEN,
    OKTA_HOOK_SECRETS: SECRET,
  }
  const environment: Record<string, string> = {}
  for (const [name, value] of Object.entries(secrets)) {
    environment[`${name}_FILE`] = join(directory, name)
    await writeFile(join(directory, name), value, { mode: 0o600 })
  }
  const { code, out } = await runCommand(['doctor', '--json'], {
    ...environment,
    HOOKS_LISTEN: '127.0.0.1:8080',
  })
  const { findings } = JSON.parse(out)
  expect([code, sentences(findings, 'problem'), sentences(findings, 'warning')]).toEqual([0, [], [EMBEDDED]])
  expect(
    sentences(findings, 'fine').filter(
      (text) => !/^A look-up takes [\d.]+ ms from here\.$|not configured/.test(text),
    ),
  ).toEqual([
    'Okta: can ask.',
    'No secret is short and none is used twice.',
    'The admin listener is reached from this machine alone.',
    "The database's clock and ours agree.",
    "The hooks listener's account (HOOKS_DATABASE_URL) can do what carryover_hooks can and no more.",
    "The admin listener's account (ADMIN_DATABASE_URL) can do what carryover_admin can and no more.",
    "The database is at this program's schema.",
    'Every unmigrated user has a hash that can be checked.',
    'Each look-up is served by indexes.',
    'No name is answered to by several users.',
  ])
})

test('without --json: a line a finding, what to do below, and a sum', async () => {
  const { code, out } = await runCommand(['doctor'], sound())
  expect(code).toBe(0)
  expect(out).toContain(`warning  ${EMBEDDED}\n         -> `)
  expect(out).toMatch(/\n\n0 problems, \d+ warnings\n$/)
})

describe('settings', () => {
  test.each([
    {
      title: 'a hook secret that is the admin token',
      change: { OKTA_HOOK_SECRETS: `Bearer ${TOKEN}` },
      says: 'ADMIN_TOKENS holds a secret that OKTA_HOOK_SECRETS holds too.',
    },
    {
      title: 'the same within Basic',
      change: { OKTA_HOOK_SECRETS: `Basic ${Buffer.from(`hook:${TOKEN}`).toString('base64')}` },
      says: 'ADMIN_TOKENS holds a secret that OKTA_HOOK_SECRETS holds too.',
    },
    {
      title: 'a token twice',
      change: { ADMIN_TOKENS: `${TOKEN},${TOKEN}` },
      says: 'ADMIN_TOKENS holds the same secret twice.',
    },
    {
      title: 'a short secret',
      change: { OKTA_HOOK_SECRETS: 'Bearer abcdefgh' },
      says: 'OKTA_HOOK_SECRETS holds a value shorter than 32 characters.',
    },
  ])('$title is a problem', async ({ change, says }) => {
    expect((await examine(change)).says('problem')).toEqual([says])
  })

  test('a token that is a database password is a problem', async () => {
    const account = as(hooksAccount).replace('@', `:${TOKEN}@`)
    expect((await examine({ HOOKS_DATABASE_URL: account })).says('problem')).toEqual([
      'The same secret stands in ADMIN_TOKENS and HOOKS_DATABASE_URL alike: whoever has the one has the other.',
    ])
  })

  test('what serve would not start with is told, each setting for itself', async () => {
    const { code, out } = await runCommand(['doctor', '--json'], {
      DATABASE_URL: 'nowhere',
      ADMIN_TOKENS: 'few',
    })
    expect([code, sentences(JSON.parse(out).findings, 'problem')]).toEqual([
      1,
      [
        'DATABASE_URL must be a connection string postgresql://...',
        'ADMIN_TOKENS must be a list of values of 32 characters or more each.',
        'OKTA_HOOK_SECRETS is missing, and no other identity provider is configured.',
      ],
    ])
  })

  test('listeners that other machines reach without TLS are warned about', async () => {
    const { says } = await examine({ ADMIN_LISTEN: '0.0.0.0:8081', HOOKS_LISTEN: '0.0.0.0:8080' })
    expect(says('warning').filter((text) => text.includes('listener'))).toHaveLength(2)
  })
})

describe('accounts', () => {
  test('a superuser is a problem, and so is an account that lacks its role', async () => {
    const { says } = await examine({ HOOKS_DATABASE_URL: db.url, ADMIN_DATABASE_URL: as(hooksAccount) })
    expect(says('problem').slice(0, 2)).toEqual([
      "The hooks listener's account (HOOKS_DATABASE_URL) is a superuser: it can read and change everything.",
      "The admin listener's account (ADMIN_DATABASE_URL) does not have the role carryover_admin, so the service cannot start.",
    ])
  })

  test('one account for both listeners has what the other one needs', async () => {
    const { says } = await withFault(
      `grant carryover_admin to ${hooksAccount}`,
      `revoke carryover_admin from ${hooksAccount}`,
      () => examine({ ADMIN_DATABASE_URL: as(hooksAccount) }),
    )
    expect(says('problem')).toEqual([
      "The hooks listener's account (HOOKS_DATABASE_URL) may read or change carryover.chains, carryover.counts, carryover.outcomes, carryover.plan_counts, carryover.plans, carryover.users.",
      "The hooks listener's account (HOOKS_DATABASE_URL) may call carryover.find_user_ids.",
      expect.stringContaining(
        "The admin listener's account (ADMIN_DATABASE_URL) may call carryover.common_scheme, carryover.confirm_users, carryover.find_users",
      ),
    ])
  })

  test.each([
    {
      title: 'an owner',
      fault: () =>
        `grant usage, create on schema carryover to ${hooksAccount}; create table carryover.mine (id int); alter table carryover.mine owner to ${hooksAccount}`,
      mend: () => `drop table carryover.mine; revoke all on schema carryover from ${hooksAccount}`,
      says: 'owns tables of ours, or may become their owner.',
    },
    {
      title: 'a reader of the copy',
      fault: () => `grant select (login) on legacy.users to ${hooksAccount}`,
      mend: () =>
        `revoke all on legacy.users from ${hooksAccount}; revoke select (login) on legacy.users from ${hooksAccount}`,
      says: 'may read or change legacy.users.',
    },
    {
      title: 'a reader by way of a role that is not inherited',
      fault: () =>
        `create role doctor_reader_${suffix}; grant select on legacy.users to doctor_reader_${suffix}; alter user ${hooksAccount} noinherit; grant doctor_reader_${suffix} to ${hooksAccount}`,
      mend: () =>
        `alter user ${hooksAccount} inherit; revoke select on legacy.users from doctor_reader_${suffix}; drop role doctor_reader_${suffix}`,
      says: 'may read or change legacy.users.',
    },
    {
      title: 'a runner of programs',
      fault: () => `grant pg_execute_server_program to ${hooksAccount}`,
      mend: () => `revoke pg_execute_server_program from ${hooksAccount}`,
      says: 'has the roles pg_execute_server_program.',
    },
    {
      title: 'a role that was given more',
      fault: () => 'grant select on legacy.users to carryover_hooks',
      mend: () => 'revoke select on legacy.users from carryover_hooks',
      says: 'may read or change legacy.users by the role carryover_hooks itself.',
    },
  ])('$title is a problem', async ({ fault, mend, says }) => {
    const found = await withFault(fault(), mend(), () => examine())
    expect(found.says('problem')).toEqual([`The hooks listener's account (HOOKS_DATABASE_URL) ${says}`])
  })

  test('a function that everybody may call is a problem of both', async () => {
    const { says } = await withFault(
      'grant execute on function carryover.name_digest to public',
      'revoke execute on function carryover.name_digest from public',
      () => examine(),
    )
    expect(says('problem')).toEqual([
      "The hooks listener's account (HOOKS_DATABASE_URL) may, as everybody, call carryover.name_digest.",
      "The admin listener's account (ADMIN_DATABASE_URL) may, as everybody, call carryover.name_digest.",
    ])
  })

  test('an owner that narrows itself is warned about', async () => {
    const owner = `doctor_owner_${suffix}`
    const found = await withFault(
      `create user ${owner} in role carryover_hooks, carryover_admin; create table carryover.mine (id int); alter table carryover.mine owner to ${owner};
       grant usage on schema carryover, legacy to ${owner}; grant select on all tables in schema legacy, carryover to ${owner}; grant execute on all functions in schema carryover to ${owner}`,
      `drop owned by ${owner}; drop role ${owner}`,
      () =>
        runCommand(['doctor', '--json'], {
          DATABASE_URL: as(owner),
          ADMIN_TOKENS: TOKEN,
          OKTA_HOOK_SECRETS: SECRET,
        }),
    )
    const { findings } = JSON.parse(found.out)
    expect([found.code, sentences(findings, 'problem')]).toEqual([0, []])
    expect(sentences(findings, 'warning').filter((text) => text.includes('account'))).toEqual([
      "The hooks listener's account (DATABASE_URL) only narrows itself to carryover_hooks; it owns tables of ours, or may become their owner.",
      "The admin listener's account (DATABASE_URL) only narrows itself to carryover_admin; it owns tables of ours, or may become their owner.",
    ])
  })
})

describe('the database', () => {
  test('one that cannot be reached is told once', async () => {
    const nowhere = 'postgresql://nobody@127.0.0.1:1/none'
    const { says } = await examine({
      DATABASE_URL: nowhere,
      HOOKS_DATABASE_URL: nowhere,
      ADMIN_DATABASE_URL: nowhere,
    })
    expect(says('problem')).toEqual([
      'The database of HOOKS_DATABASE_URL cannot be used (ECONNREFUSED).',
      'The database of ADMIN_DATABASE_URL cannot be used (ECONNREFUSED).',
    ])
    const { out } = await runCommand(['doctor', '--json'], {
      DATABASE_URL: nowhere,
      ADMIN_TOKENS: TOKEN,
      OKTA_HOOK_SECRETS: SECRET,
    })
    expect(sentences(JSON.parse(out).findings, 'problem')).toEqual([
      'The database of DATABASE_URL cannot be used (ECONNREFUSED).',
    ])
  })

  test.each([
    {
      title: 'an older schema',
      by: -1,
      says: 'The database has an older schema than this program, which does not start on it.',
    },
    {
      title: 'a newer schema',
      by: 1,
      says: 'The database has a newer schema than this program, which does not start on it.',
    },
  ])('$title is a problem', async ({ by, says }) => {
    const step = by < 0 ? -(10 ** 12) : 10 ** 12
    const move = (much: number) => `update carryover.migrations set created_at = created_at + ${much}`
    expect((await withFault(move(step), move(-step), () => examine())).says('problem')).toEqual([says])
  })

  test('no schema at all is an older one', async () => {
    const empty = await testDatabase('template0')
    const { out, code } = await runCommand(['doctor', '--json'], {
      DATABASE_URL: empty.url,
      ADMIN_TOKENS: TOKEN,
      OKTA_HOOK_SECRETS: SECRET,
    })
    await empty.drop()
    expect([code, sentences(JSON.parse(out).findings, 'problem').at(-1)]).toEqual([
      1,
      'The database has an older schema than this program, which does not start on it.',
    ])
  })

  test('a server that logs the values of statements is warned about', async () => {
    const { says } = await withFault(
      `alter role ${hooksAccount} set log_min_duration_statement = 1000`,
      `alter role ${hooksAccount} reset all`,
      () => examine(),
    )
    expect(says('warning')).toContain(
      "Values of statements come into PostgreSQL's own log: logins, and passwords typed into the wrong field.",
    )
  })

  test('a clock that is off is warned about', async () => {
    const name = new URL(db.url.replace('@/', '@localhost/')).pathname.slice(1)
    const { says } = await withFault(
      `create schema skewed; grant usage on schema skewed to public;
       create function skewed.clock_timestamp() returns timestamptz language sql as $$ select pg_catalog.clock_timestamp() - interval '1 minute' $$;
       alter database ${name} set search_path = skewed, pg_catalog`,
      `alter database ${name} reset search_path; drop schema skewed cascade`,
      () => examine(),
    )
    expect(says('warning').filter((text) => text.includes('clock'))).toEqual([
      expect.stringMatching(
        /^The database's clock is (59\.9|60\.[0-5]) s behind ours; grace periods are wrong by that\.$/,
      ),
    ])
  })

  test('slow look-ups are warned about', async () => {
    const { says } = await withFault(
      `alter function carryover.find_users rename to find_users_quick;
       create function carryover.find_users(names text[], refusal_window interval) returns table (place bigint) language plpgsql security definer
       as $$ begin perform pg_sleep(0.06); place := 1; return next; end $$;
       grant execute on function carryover.find_users to carryover_hooks`,
      'drop function carryover.find_users; alter function carryover.find_users_quick rename to find_users',
      () => examine(),
    )
    expect(says('warning').filter((text) => text.includes('look-up'))).toEqual([
      expect.stringMatching(/^A look-up takes \d+ ms from here; over 50 ms is slow\.$/),
    ])
  })

  test('a look-up that no index serves is a problem, in a table and beneath a view', async () => {
    const definition = await db.owner.query(
      `select pg_get_indexdef('legacy.users_login_key'::regclass) as text`,
    )
    const table = await withFault('drop index legacy.users_login_key', definition.rows[0].text, () =>
      examine(),
    )
    expect(table.says('problem')).toEqual([
      'Each look-up reads all of legacy.users, because no index serves it.',
    ])
    const view = await withFault(
      `alter table legacy.users rename to store;
       create view legacy.users as select id, login || '' as login, email, password_hash, hash_scheme, salt, status, cohort, profile, updated_at from legacy.store`,
      'drop view legacy.users; alter table legacy.store rename to users',
      () => examine(),
    )
    expect(view.findings.filter(({ check }) => check === 'look-ups')).toEqual([
      {
        check: 'look-ups',
        level: 'problem',
        says: 'Each look-up reads all of legacy.store, because no index serves it.',
        todo: 'Make indexes on what lies beneath the view: the id, (carryover.name_key(login)) and (carryover.name_key(email)).',
      },
    ])
  })

  test('rows without statistics are warned about', async () => {
    const copy = await testDatabase()
    await copy.owner.query(`insert into legacy.users (id, login) values ('1', 'ann')`)
    const { out } = await runCommand(['doctor', '--json'], { ...sound(), DATABASE_URL: copy.url })
    await copy.drop()
    expect(sentences(JSON.parse(out).findings, 'warning')).toContain(
      'PostgreSQL has no statistics of legacy.users and may plan badly.',
    )
  })
})

describe('the copy', () => {
  const added = (rows: string) => `insert into legacy.users (id, login, email) values ${rows}`
  const removed = `delete from legacy.users where id like 'x%'`

  test.each([
    { title: 'two logins that are one name', rows: `('x1', 'ANN@example.com', null)` },
    {
      title: 'one e-mail address of two',
      rows: `('x1', 'x1', 'both@example.com'), ('x2', 'x2', 'Both@example.com')`,
    },
  ])('$title: nobody, which is warned about', async ({ rows }) => {
    const { says } = await withFault(added(rows), removed, () => examine())
    expect(says('warning').filter((text) => text.includes('several'))).toEqual([
      '1 name is answered to by several users, and nobody can sign in under them.',
    ])
  })

  test.each([
    {
      title: 'two who share an address that is a login',
      rows: `('x1', 'x1', 'ann@example.com'), ('x2', 'x2', 'ann@example.com')`,
    },
    { title: 'who has been deleted', rows: `('x1', 'ANN@example.com', null)`, deleted: true },
  ])('$title: no shared name', async ({ rows, deleted }) => {
    const hide = `insert into carryover.users (user_id, cohort, scheme, usable, deleted_at) values ('x1', 'default', 'unknown', false, now())`
    const { says } = await withFault(
      `${added(rows)}; ${deleted ? hide : 'select'}`,
      `${removed}; delete from carryover.users where user_id = 'x1'`,
      () => examine(),
    )
    expect(says('fine')).toContain('No name is answered to by several users.')
  })

  test('users whose hash nothing can check are counted by scheme', async () => {
    await loadUsers(db.url, [...users, { id: '3', login: 'eve', password_hash: 'nothing known' }])
    const { findings } = await examine()
    await loadUsers(db.url, [
      ...users,
      { id: '3', login: 'eve', password_hash: md5('z'), hash_scheme: 'md5' },
    ])
    expect(
      findings.filter(({ check }) => check === 'schemes').map(({ level, says }) => [level, says]),
    ).toEqual([['warning', '1 unmigrated user of 3 cannot be checked and will be refused (unknown: 1).']])
  })

  test('a recipe that the settings no longer know is a problem', async () => {
    const recipes = join(directory, 'recipes')
    await writeFile(recipes, 'own = md5($pass.$salt)\n')
    const copy = await testDatabase()
    const csv = join(directory, 'own.csv')
    await writeFile(csv, `id,login,password_hash,hash_scheme,salt\n1,ann,${md5('xs')},own,s\n`)
    const loaded = await runCommand(['load', csv], { DATABASE_URL: copy.url, RECIPES_FILE: recipes })
    expect(loaded.code).toBe(0)
    const given = {
      ...sound(),
      HOOKS_DATABASE_URL: copy.url,
      ADMIN_DATABASE_URL: copy.url,
      DATABASE_URL: copy.url,
    }
    const look = async (environment: Record<string, string>) =>
      (JSON.parse((await runCommand(['doctor', '--json'], environment)).out).findings as Finding[]).filter(
        ({ check }) => check === 'schemes',
      )
    const [without, within] = [await look(given), await look({ ...given, RECIPES_FILE: recipes })]
    await copy.drop()
    expect(without.map(({ level, says }) => [level, says])[0]).toEqual([
      'problem',
      'Users of the scheme own could be checked when loaded and cannot be with these settings (unknown-scheme): 1 unmigrated user.',
    ])
    expect(within.map(({ level }) => level)).toEqual(['fine'])
  })

  test('an empty copy is warned about; without the owner, that something was not looked at', async () => {
    const copy = await testDatabase()
    const { out } = await runCommand(['doctor', '--json'], {
      HOOKS_DATABASE_URL: copy.url,
      ADMIN_DATABASE_URL: copy.url,
      ADMIN_TOKENS: TOKEN,
      OKTA_HOOK_SECRETS: SECRET,
    })
    await copy.drop()
    const warnings = sentences(JSON.parse(out).findings, 'warning')
    expect(warnings).toContain('The copy is empty: every login is unknown.')
    expect(warnings).toContain(
      'Names that several users have, indexes and the schemes of single users were not looked at.',
    )
  })
})

test('the certificate of the hooks listener is looked at', async () => {
  const [cert, key] = [join(directory, 'own.pem'), join(directory, 'own.key')]
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=hooks']
  const made = ['req', '-x509', ...ec, '-keyout', key, '-out', cert, '-days', '10']
  execFileSync('openssl', made, { stdio: 'ignore' })
  const { says } = await examine({ TLS_CERT_FILE: cert, TLS_KEY_FILE: key })
  expect(says('warning')).toContain(
    'The TLS certificate, or one of its chain, expires in fewer than 30 days (9).',
  )
})
