import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commands } from '../../src/cli.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand } from '../helpers/process.ts'
import { SECRET, TOKEN } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const RIGHT = 'Right-pa55word'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await loadUsers(db.url, [
    { id: '1', login: 'ann@example.com', password_hash: md5(RIGHT), hash_scheme: 'md5', cohort: 'retail' },
    { id: '2', login: 'bob@example.com', password_hash: md5(RIGHT), cohort: 'staff' },
    { id: '3', login: 'off@example.com', password_hash: md5(RIGHT), hash_scheme: 'md5', status: 'disabled' },
    { id: '4', login: 'x', email: 'both@example.com' },
    { id: '5', login: 'y', email: 'both@example.com' },
  ])
})
afterAll(() => db.drop())

const withDatabase = (args: string[], input = '') => runCommand(args, { DATABASE_URL: db.url }, input)

test('no command: the usage on standard error, exit 2; asked for: on standard output, exit 0', async () => {
  const none = await runCommand([])
  const asked = await runCommand(['--help'])
  expect([none.code, none.out, asked.code, asked.err]).toEqual([2, '', 0, ''])
  for (const { name } of commands) expect(asked.out).toContain(`  ${name}`)
  expect(none.err).toBe(asked.out)
})

test.each(commands.map(({ name }) => name))('%s --help explains itself', async (name) => {
  const { code, out } = await runCommand([name, '--help'])
  expect([code, out.split('\n')[0]]).toEqual([0, expect.stringContaining(`usage: carryover ${name}`)])
})

test.each([
  { title: 'an unknown command', args: ['fly'] },
  { title: 'an unknown option', args: ['counts', '--secret=Right-pa55word'] },
  { title: 'a password as an argument', args: ['try', 'ann@example.com', RIGHT] },
  { title: 'no argument', args: ['try'] },
])('$title is not understood, and not repeated', async ({ args }) => {
  const { code, out, err } = await withDatabase(args)
  expect([code, out]).toEqual([2, ''])
  expect(err).not.toContain(RIGHT)
})

test('a missing setting is exit 2 and named', async () => {
  const { code, err } = await runCommand(['counts'])
  expect([code, err]).toEqual([2, 'carryover counts: wrong settings:\n  DATABASE_URL is missing\n'])
})

test('a database that is not there is exit 1, without its address', async () => {
  const { code, err } = await runCommand(['counts'], {
    DATABASE_URL: 'postgresql://u:hidden-secret@127.0.0.1:1/d',
  })
  expect([code, err]).toEqual([1, 'carryover counts: temporarily unavailable (ECONNREFUSED)\n'])
})

describe('try', () => {
  test.each([
    {
      title: 'the right password',
      login: ' ANN@example.com',
      typed: RIGHT,
      code: 0,
      out: 'match: the stored hash (md5) is of this password\n',
    },
    {
      title: 'a wrong password',
      login: 'ann@example.com',
      typed: 'wrong-pa55word',
      code: 1,
      out: 'mismatch: the stored hash (md5) is not of this password\n',
    },
    {
      title: 'nobody',
      login: 'nobody',
      typed: RIGHT,
      code: 1,
      out: 'unknown-login: nobody in the copy has this login or e-mail address\n',
    },
    {
      title: 'two users',
      login: 'both@example.com',
      typed: RIGHT,
      code: 1,
      out: 'unknown-login: several users answer to this login, so it is nobody\n',
    },
    {
      title: 'a disabled user',
      login: 'off@example.com',
      typed: RIGHT,
      code: 1,
      out: 'disabled: the user is disabled or locked in the copy\n',
    },
    {
      title: 'a bare digest without scheme',
      login: 'bob@example.com',
      typed: RIGHT,
      code: 1,
      out: 'unusable-hash: the stored hash cannot be used: ambiguous\n',
    },
  ])('$title', async ({ login, typed, code, out }) => {
    expect(await withDatabase(['try', login], `${typed}\n`)).toEqual({ code, out, err: '' })
  })

  test('leaves no trace', async () => {
    for (const name of ['outcomes', 'refusals'])
      expect((await db.owner.query(`select from carryover.${name}`)).rowCount).toBe(0)
  })

  test('for machines', async () => {
    const { out } = await withDatabase(['try', 'ann@example.com', '--json'], RIGHT)
    expect(JSON.parse(out)).toEqual({ verdict: 'match', scheme: 'md5', why: expect.any(String) })
  })
})

test('counts, for people and for machines, and counted again', async () => {
  const people = await withDatabase(['counts'])
  expect(people.out).toMatch(/all +5 +5 +0 +0 +3\n/)
  const machines = JSON.parse((await withDatabase(['counts', '--json'])).out)
  expect(machines).toMatchObject({ total: 5, unmigrated: 5, verified: 0, migrated: 0, unverifiable: 3 })
  expect(machines.cohorts.map(({ cohort }: { cohort: string }) => cohort)).toEqual([
    'default',
    'retail',
    'staff',
  ])
  expect(await withDatabase(['counts', '--check'])).toEqual({
    code: 0,
    out: 'the kept counts agree with a full recount\n',
    err: '',
  })
  await db.owner.query(`update carryover.counts set unmigrated = unmigrated + 1 where cohort = 'retail'`)
  const wrong = await withDatabase(['counts', '--check'])
  expect([wrong.code, wrong.out]).toEqual([1, expect.stringContaining('DISAGREE')])
  await db.owner.query(`update carryover.counts set unmigrated = unmigrated - 1 where cohort = 'retail'`)
})

test('formats lists every scheme with an example', async () => {
  const schemes = JSON.parse((await runCommand(['formats', '--json'])).out)
  expect(schemes.map(({ name }: { name: string }) => name)).toEqual(
    expect.arrayContaining(['bcrypt', 'argon2', 'md5', 'sha512']),
  )
  expect((await runCommand(['formats'])).out.split('\n').length).toBe(schemes.length + 2)
})

describe('serve refuses to start', () => {
  const settings = {
    ADMIN_TOKENS: TOKEN,
    OKTA_HOOK_SECRETS: SECRET,
    HOOKS_LISTEN: '127.0.0.1:0',
    ADMIN_LISTEN: '127.0.0.1:0',
  }

  test('without a database, with a sentence that names both ways', async () => {
    const { code, err } = await runCommand(['serve'], settings)
    expect([code, err]).toEqual([2, expect.stringMatching(/DATABASE_URL.*--embedded DIR/)])
  })

  test('on an address that is taken, whichever of the two, and ends', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`
    for (const name of ['HOOKS_LISTEN', 'ADMIN_LISTEN']) {
      const { code, err } = await runCommand(['serve'], {
        ...settings,
        DATABASE_URL: db.url,
        [name]: address,
      })
      expect([code, err]).toEqual([1, expect.stringContaining('EADDRINUSE')])
    }
    taken.close()
  })

  test('on an older schema', async () => {
    const old = await testDatabase('template0')
    expect(await runCommand(['serve'], { ...settings, DATABASE_URL: old.url })).toMatchObject({
      code: 1,
      err: expect.stringContaining('run `carryover migrate`'),
    })
    expect(await runCommand(['migrate'], { DATABASE_URL: old.url })).toMatchObject({ code: 0 })
    await old.owner.query('update carryover.migrations set created_at = created_at + 1')
    expect(await runCommand(['serve'], { ...settings, DATABASE_URL: old.url })).toMatchObject({
      code: 1,
      err: expect.stringContaining('newer schema'),
    })
    await old.drop()
  })
})

test('migrate leaves a view of the operator alone, and looks users up through it', async () => {
  const other = await testDatabase('template0')
  await other.owner.query(`
    create table public.people (nr int primary key, mail text, hash text);
    insert into public.people values (1, 'Ann@Example.com', '${md5(RIGHT)}');
    create schema legacy;
    create view legacy.users as select nr::text as id, mail as login, mail as email, hash as password_hash, 'md5' as hash_scheme,
      null::text as salt, 'active' as status, 'default' as cohort, '{}'::jsonb as profile, now() as updated_at from public.people`)
  const environment = { DATABASE_URL: other.url }
  expect(await runCommand(['migrate'], environment)).toMatchObject({ code: 0 })
  expect(await runCommand(['try', 'ann@example.com'], environment, RIGHT)).toMatchObject({ code: 0 })
  expect(await runCommand(['counts', '--check'], environment)).toMatchObject({ code: 1 })
  expect(await runCommand(['sync'], environment)).toMatchObject({ code: 0 })
  expect(await runCommand(['counts', '--check'], environment)).toMatchObject({ code: 0 })
  expect(JSON.parse((await runCommand(['counts', '--json'], environment)).out)).toMatchObject({
    total: 1,
    unverifiable: 0,
  })
  await other.drop()
})

test('migrate says which columns a view lacks', async () => {
  const other = await testDatabase('template0')
  await other.owner.query(
    `create schema legacy; create view legacy.users as select '1'::text as id, 'a'::text as login, null::text as email`,
  )
  const { code, err } = await runCommand(['migrate'], { DATABASE_URL: other.url })
  expect([code, err]).toEqual([
    1,
    expect.stringContaining('legacy.users lacks the columns password_hash, hash_scheme'),
  ])
  await other.drop()
})

test('serve --embedded keeps its data', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'carryover-embedded-'))
  const { spawn } = await import('node:child_process')
  const start = async () => {
    const child = spawn(process.execPath, ['dist/bin.js', 'serve', '--embedded', directory], {
      env: {
        PATH: process.env.PATH,
        ADMIN_TOKENS: TOKEN,
        OKTA_HOOK_SECRETS: SECRET,
        HOOKS_LISTEN: '127.0.0.1:0',
        ADMIN_LISTEN: '127.0.0.1:0',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    process.once('exit', () => child.kill('SIGKILL'))
    let said = ''
    const url = await new Promise<string>((up) =>
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        if (said.includes('"event":"started"')) up(/DATABASE_URL='([^']+)'/.exec(said)?.[1] ?? '')
      }),
    )
    const stop = async () => {
      child.kill('SIGTERM')
      return new Promise((ended) => child.once('exit', ended))
    }
    return { url, stop }
  }
  const first = await start()
  await loadUsers(first.url, [{ id: '1', login: 'ann' }])
  expect(await first.stop()).toBe(0)
  const second = await start()
  expect(JSON.parse((await runCommand(['counts', '--json'], { DATABASE_URL: second.url })).out).total).toBe(1)
  expect(await second.stop()).toBe(0)
  await rm(directory, { recursive: true, force: true })
})
