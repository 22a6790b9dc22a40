import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { load } from '../../src/commands/load.ts'
import { placeOf } from '../../src/commands/load-source.ts'
import { listLoads } from '../../src/db/loads.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { hasMariadb, startMariadb, type TestMariadb } from '../helpers/mariadb.ts'
import { startCommand } from '../helpers/process.ts'
import { disagreements, scratch, versions } from '../load/helpers.ts'

let database: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  database = await testDatabase()
  files = await scratch()
})
afterEach(async () => {
  await database.drop()
  await files.remove()
})

const rows = async (text: string) =>
  (await database.owner.query({ text, rowMode: 'array' })).rows as unknown[][]
const watermark = async () => (await rows('select watermark from carryover.sources'))[0]?.[0]

/** A database that users are read from. */
interface Source {
  readonly from: 'postgresql' | 'mysql'
  url(): string
  run(sql: string): Promise<unknown>
  /** An account that may only read, and has this password. */
  reader(password: string): Promise<string>
  /** The connection string of somebody who is not let in, and how the database says so. */
  denied(url: string): { readonly url: string; readonly code: string }
}

async function read(source: Source, query: string, args: readonly string[] = [], url = source.url()) {
  const { code, out, err } = await heard(async (io) => load.run(await argsOf(source, query, args), io), {
    env: { DATABASE_URL: database.url, SOURCE_DATABASE_URL: url },
  })
  expect(await disagreements(database.url)).toEqual([])
  return { code, err, summary: out === '' ? undefined : JSON.parse(out) }
}

async function argsOf({ from }: Source, query: string, args: readonly string[]) {
  const path = await files.file('query.sql', query)
  const refused = ['--refused', `${files.directory}/refused.jsonl`]
  return ['--from', from, '--query-file', path, '--source', 'old', '--json', ...refused, ...args]
}

const QUERY = `select id, login, password_hash, modified from people -- everybody;`
const MARKED = ['--watermark', 'modified']

/** What holds whatever the database is. */
function holds(source: Source) {
  beforeEach(async () => {
    await source.run('drop table if exists people')
    await source.run(
      'create table people (id int primary key, login varchar(99), password_hash varchar(99), modified timestamp(3) null)',
    )
    await source.run(`insert into people values
      (1, 'ann', 'h1', '2025-01-01 10:00:00.123'), (2, 'bob', 'h2', '2025-01-02 10:00:00.5'), (3, 'cyd', 'h3', '2025-01-03 10:00:00')`)
  })

  test('a query is read from its watermark on, and what is equal to it is read again', async () => {
    const first = await read(source, QUERY, MARKED)
    expect(first.err).toContain('may write there')
    expect([first.code, first.summary]).toMatchObject([0, { rows: 3, added: 3 }])
    expect(await watermark()).toMatch(/^2025-01-03 10:00:00/)
    await source.run(
      `insert into people values (4, 'dan', 'h4', '2025-01-03 10:00:00'), (5, 'old', 'h5', '2024-12-31 10:00:00')`,
    )
    await source.run(`update people set login = 'bob.b', modified = '2025-02-01 00:00:00.001' where id = 2`)
    const second = await read(source, QUERY, MARKED)
    expect(second.summary).toMatchObject({ rows: 3, added: 1, changed: 1, unchanged: 1 })
    expect(await watermark()).toMatch(/^2025-02-01 00:00:00\.001/)
    expect((await read(source, QUERY, [...MARKED, '--full'])).summary).toMatchObject({
      rows: 5,
      added: 1,
      unchanged: 4,
    })
    expect((await listLoads(database.url, null, 1))[0]).toMatchObject({
      state: 'done',
      format: source.from,
      source: 'old',
      watermark: expect.stringMatching(/^2025-02-01/),
      digest: null,
    })
  })

  test('a load that fails leaves copy and watermark as they were', async () => {
    await read(source, QUERY, MARKED)
    const before = await versions(database.owner)
    await source.run(`insert into people values (6, null, 'h6', '2025-03-01 00:00:00')`)
    await database.owner.query(
      `create function legacy.no() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
      create trigger no before update or insert on legacy.users for each row execute function legacy.no()`,
    )
    await source.run(`insert into people values (7, 'gil', 'h7', '2025-03-01 00:00:00')`)
    const { code, err } = await read(source, QUERY, MARKED)
    expect([code, err]).toEqual([1, expect.stringContaining('nothing was changed')])
    expect(await watermark()).toMatch(/^2025-01-03/)
    expect(await versions(database.owner)).toEqual(before)
    expect((await listLoads(database.url, null, 1))[0]?.state).toBe('failed')
  })

  test('fields have names of their own, refused rows become JSON Lines, and a watermark needs no mapping', async () => {
    const { code, summary, err } = await read(
      source,
      `select id as nr, login as name, password_hash, modified from people union all select 9, '', 'h9', modified from people where id = 1`,
      [...MARKED, '--map', 'nr=id', '--map', 'name=login'],
    )
    expect([code, summary.refusedByRule]).toEqual([1, { required: 1 }])
    expect(err).toContain('line 2: required: login')
    expect(summary.refusedPath).toMatch(/refused\.jsonl$/)
  })

  test('a column that nobody knows is told once, and nothing is changed', async () => {
    await expect(read(source, QUERY)).rejects.toThrow(
      'unknown columns, to be given to --map or --drop: modified',
    )
    await expect(read(source, QUERY, [...MARKED, '--map', 'phone=profile.phone'])).rejects.toThrow(
      '--map names columns that the file does not have: phone',
    )
    expect(await rows('select from legacy.users')).toEqual([])
    expect((await listLoads(database.url, null, 1))[0]?.state).toBe('failed')
  })

  test('a query that takes long is stopped', async () => {
    const sleep = source.from === 'mysql' ? 'sleep(600)' : `pg_sleep(600)::text`
    const args = await argsOf(source, `select id, login, ${sleep} as password_hash from people`, [])
    const child = startCommand(['load', ...args], {
      DATABASE_URL: database.url,
      SOURCE_DATABASE_URL: source.url(),
    })
    let err = ''
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString()
    })
    await expect.poll(() => err, { timeout: 30_000 }).toContain('may write there')
    const ended = new Promise((done) => child.once('close', done))
    child.kill('SIGTERM')
    expect(await ended).toBe(1)
    expect(err).toContain('carryover load: stopped; nothing was changed')
    expect((await listLoads(database.url, null, 1))[0]?.state).toBe('stopped')
  })

  test('more rows than are fetched at a time', async () => {
    await source.run(
      `insert into people ${source.from === 'mysql' ? 'select seq, concat(seq), concat(seq), null from seq_10_to_5009' : `select n, n, n, null from generate_series(10, 5009) n`}`,
    )
    const { summary } = await read(source, QUERY, ['--chunk', '700', '--drop', 'modified'])
    expect(summary).toMatchObject({ rows: 5_003, added: 5_003 })
  })

  test('messages of the source are told by their code alone, and its password nowhere', async () => {
    const url = await source.reader('hush-a-secret')
    const good = await read(source, QUERY, MARKED, url)
    expect([good.code, good.err]).toEqual([0, ''])
    const wrong = await read(source, `select 'a-private-value' as x from nowhere_at_all`, [], url)
    expect(wrong.code).toBe(1)
    expect(wrong.err).toMatch(
      /the source failed while (starting the query|reading) \((42P01|ER_NO_SUCH_TABLE)\)/,
    )
    const { code, url: strange } = source.denied(url)
    const denied = await read(source, QUERY, [], strange)
    expect([denied.code, denied.err]).toEqual([
      1,
      `carryover load: the source failed while connecting (${code}); nothing was changed\n`,
    ])
    for (const { err } of [wrong, denied]) expect(err).not.toMatch(/a-private-value|a-secret|nowhere/)
    expect(JSON.stringify(await rows('select * from carryover.loads'))).not.toContain('a-secret')
  })

  test('a load by parts that is killed goes on after the last of them', async () => {
    const many =
      source.from === 'mysql'
        ? `select seq, concat('u', seq), 'h', timestampadd(second, seq, '2025-05-01 00:00:00') from seq_1001_to_41000`
        : `select n, 'u' || n, 'h', timestamp '2025-05-01 00:00:00' + n * interval '1 second' from generate_series(1001, 41000) n`
    await source.run(`insert into people ${many}`)
    const args = await argsOf(source, QUERY, [...MARKED, '--commit-every', '1500', '--chunk', '500'])
    const environment = { DATABASE_URL: database.url, SOURCE_DATABASE_URL: source.url() }
    const users = async () => Number((await rows('select count(*) from legacy.users'))[0]?.[0])
    const child = startCommand(['load', ...args], environment)
    await expect.poll(users, { timeout: 50_000, interval: 50 }).toBeGreaterThan(1_500)
    child.kill('SIGKILL')
    await new Promise((done) => child.once('close', done))
    const state = async () => (await listLoads(database.url, null, 1))[0]
    await expect.poll(async () => (await state())?.state, { timeout: 20_000 }).toBe('killed')
    const kept = await users()
    expect([kept % 1_500, (await state())?.counts.rows]).toEqual([0, kept])
    expect(kept).toBeLessThan(40_003)
    expect(await disagreements(database.url)).toEqual([])
    // Those of the last row are read again, and are as they were.
    const { code, summary } = await read(source, QUERY, [...MARKED, '--commit-every', '15000'])
    expect([code, summary.rows, summary.added, summary.unchanged]).toEqual([
      0,
      40_004 - kept,
      40_003 - kept,
      1,
    ])
    expect(await users()).toBe(40_003)
    expect((await state())?.state).toBe('done')
  })
}

describe('PostgreSQL', () => {
  let old: TestDatabase
  const role = `reader_${randomBytes(4).toString('hex')}`
  beforeAll(async () => {
    old = await testDatabase()
    await old.owner.query('drop schema legacy, carryover cascade')
  })
  afterAll(async () => {
    await old.owner.query(`drop owned by ${role}; drop role ${role}`).catch(() => {})
    await old.drop()
  })
  const source: Source = {
    from: 'postgresql',
    url: () => old.url,
    run: (sql) => old.owner.query(sql),
    reader: async (password) => {
      await old.owner.query(
        `create role ${role} login password '${password}'; grant select on people to ${role}`,
      )
      return old.url.replace('postgres@', `${role}:${password}@`)
    },
    denied: (url) => ({ url: url.replace(role, 'a-secret-nobody'), code: '28000' }),
  }
  holds(source)

  test('values become what a load reads', async () => {
    await old.owner.query(`create type mood as enum ('fine')`)
    const { summary, err } = await read(
      source,
      `select 9223372036854775807 as id, 'ann' as login, '\\x00ff'::bytea as password_hash, '\\x'::bytea as salt,
        timestamptz '2025-01-01 12:00:00.123456+02' as updated_at, false as deleted,
        '{"a": [1, {"b": null}]}'::jsonb as profile, 1.10::numeric as price, true as vip, 7::smallint as small,
        date '2025-01-31' as born, 'fine'::mood as mood, 1.5::float8 as ratio, null::text as nothing`,
      ['price', 'vip', 'small', 'born', 'mood', 'ratio', 'nothing'].flatMap((name) => [
        '--map',
        `${name}=profile.${name}`,
      ]),
    )
    expect([err.replace(/^.*may write.*\n/, ''), summary.added]).toEqual(['', 1])
    expect(
      await rows(
        "select id, password_hash, salt, updated_at::timestamptz(6) at time zone 'UTC', profile from legacy.users",
      ),
    ).toEqual([
      [
        '9223372036854775807',
        '00ff',
        '',
        expect.anything(),
        {
          a: [1, { b: null }],
          price: '1.10',
          vip: true,
          small: 7,
          born: '2025-01-31',
          mood: 'fine',
          ratio: 1.5,
        },
      ],
    ])
    expect(await rows(`select (updated_at at time zone 'UTC')::text from legacy.users`)).toEqual([
      ['2025-01-01 10:00:00.123456'],
    ])
  })

  test('nothing can be written by a query', async () => {
    await old.owner.query(`create table if not exists traces (n int); create or replace function trace() returns int language sql
      as 'insert into traces values (1) returning n'`)
    const { code, err } = await read(source, `select trace() as id, 'a' as login, 'h' as password_hash`)
    expect([code, err]).toEqual([1, expect.stringContaining('(25006)')])
    expect((await old.owner.query('select from traces')).rowCount).toBe(0)
  })

  test('a query that fails in its middle', async () => {
    const { code, err } = await read(
      source,
      `select n / (n - 9000 + 0) + n as id, 'u' || n as login, 'h' as password_hash from generate_series(1, 10000) n`,
      ['--chunk', '100'],
    )
    expect([code, err]).toEqual([1, expect.stringContaining('the source failed while reading (22012)')])
    expect(await rows('select from legacy.users')).toEqual([])
  })
})

describe.skipIf(!hasMariadb)('MariaDB', () => {
  let server: TestMariadb
  beforeAll(async () => {
    server = await startMariadb()
  })
  afterAll(() => server?.stop())
  const source: Source = {
    from: 'mysql',
    url: () => server.url,
    run: (sql) => server.owner.query(sql),
    reader: (password) => server.account('reader', password, 'select'),
    denied: (url) => ({ url: url.replace('hush', 'no'), code: 'ER_ACCESS_DENIED_ERROR' }),
  }
  holds(source)

  test('values become what a load reads', async () => {
    await server.owner.query(`create table kinds (id bigint unsigned, login varchar(9) character set latin1, password_hash varbinary(9),
      salt binary(2), updated_at datetime(6), deleted tinyint(1), profile json, price decimal(9, 2), born date, at0 datetime, ratio double,
      flags bit(4), pick enum('a', 'b'), note text, doc blob)`)
    await server.owner.query(`set sql_mode = ''`)
    await server.owner.query(`insert into kinds values (18446744073709551615, 'Zoë', x'00ff', x'6162', '2025-01-01 12:00:00.123456', 0,
      '{"a": [1, {"b": null}]}', 1.10, '2025-01-31', '0000-00-00 00:00:00', 1.5, b'1010', 'b', 'naïve', 'x')`)
    const names = ['price', 'born', 'at0', 'ratio', 'flags', 'pick', 'note', 'doc']
    const { summary, err } = await read(
      source,
      'select * from kinds',
      names.flatMap((name) => ['--map', `${name}=profile.${name}`]),
    )
    expect([err.replace(/^.*may write.*\n/, ''), summary.added]).toEqual(['', 1])
    expect(await rows('select id, login, password_hash, salt, profile from legacy.users')).toEqual([
      [
        '18446744073709551615',
        'Zoë',
        '00ff',
        '6162',
        {
          a: [1, { b: null }],
          price: '1.10',
          born: '2025-01-31',
          ratio: 1.5,
          flags: 10,
          pick: 'b',
          note: 'naïve',
          doc: '78',
        },
      ],
    ])
    expect(await rows(`select (updated_at at time zone 'UTC')::text from legacy.users`)).toEqual([
      ['2025-01-01 12:00:00.123456'],
    ])
  })

  test('bytes that are text are read as it', async () => {
    const { summary } = await read(
      source,
      `select 1 as id, 'a' as login, cast('$2y$10$x' as binary) as password_hash`,
      ['--bytes', 'utf8'],
    )
    expect(summary.added).toBe(1)
    expect(await rows('select password_hash from legacy.users')).toEqual([['$2y$10$x']])
  })

  test('nothing can be written by a query', async () => {
    await server.owner.query('create table traces (n int)')
    await server.owner.query(
      'create function trace() returns int modifies sql data begin insert into traces values (1); return 1; end',
    )
    const { code, err } = await read(source, `select trace() as id, 'a' as login, 'h' as password_hash`)
    expect([code, err]).toEqual([1, expect.stringContaining('(ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION)')])
    const [found] = await server.owner.query('select * from traces')
    expect(found).toEqual([])
  })

  test('a number is a watermark, too', async () => {
    const query = 'select id, login, password_hash, id * 1000000000000000 as mark from people'
    await read(source, query, ['--watermark', 'mark'])
    expect(await watermark()).toBe('3000000000000000')
    await source.run(`insert into people values (4, 'dan', 'h', null)`)
    expect((await read(source, query, ['--watermark', 'mark'])).summary).toMatchObject({ rows: 2, added: 1 })
  })
})

test.each([
  ['postgresql://ann:hush@db.example:5432/old?sslmode=verify-full', 'db.example:5432/old'],
  ['mysql://ann@[::1]/old', '[::1]/old'],
  ['postgresql://ann@/old?host=%2Frun', '/old'],
  ['mysql://db.example/old', 'db.example/old'],
  ['mysql://ann:hu/sh@db.example/old', 'db.example/old'],
  ['mysql://ann:hu/sh?x@db.example/old', ''],
  ['mysql://ann:hush@db.example/old?password=hu/sh@x', 'db.example/old'],
  ['mysql://hush', ''],
])('the history says of %j no more than its place', (url, place) => {
  expect(placeOf(url)).toBe(place)
})
