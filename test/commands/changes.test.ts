import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { run } from '../../src/cli.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { md5 } from '../helpers/users.ts'
import { runLoad, scratch } from '../load/helpers.ts'

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  db = await testDatabase()
  files = await scratch()
})
afterEach(async () => {
  await db.drop()
  await files.remove()
})

const changes = (...args: string[]) =>
  heard((io) => run(['changes', ...args], io), { env: { DATABASE_URL: db.url } })
const decisions = async () => {
  const { rows } = await db.owner.query(
    'select user_id, decision, decided_at is not null as at from carryover.password_changes order by user_id',
  )
  return rows.map(({ user_id, decision, at }) => [user_id, decision, at])
}

/** Some of whom the load finds in another state than their passwords. */
const IDS = ['=1+1', '-2', 'cyd', 'dan']

/** Everybody is migrated when a load brings other hashes. */
async function changed() {
  const load = async (hash: (id: string) => string) => {
    const rows = IDS.map((id) => `${id},${id}@example.com,${hash(id)}`)
    const { code } = await runLoad(
      db.url,
      await files.file('users.csv', ['id,login,password_hash', ...rows, ''].join('\n')),
    )
    expect(code).toBe(0)
  }
  await load((id) => md5(id))
  await db.owner.query(`update carryover.users set state = 'migrated'`)
  await load((id) => md5(`${id} again`))
  const { rows } = await db.owner.query('select max(id)::int as id from carryover.loads')
  await db.owner.query(
    `update carryover.password_changes set noticed_at = '2025-01-01T00:00:00Z'::timestamptz
      + array_position($1::text[], user_id) * interval '1 day'`,
    [IDS],
  )
  return rows[0].id
}

test('nobody: that is all there is to say', async () => {
  expect(await changes()).toEqual({ code: 0, out: '0 open, 0 left, 0 asked-again, 0 reset\n', err: '' })
})

test('who was found by a load is listed, the newest first, with counts by decision', async () => {
  const load = await changed()
  await db.owner.query(
    `update carryover.password_changes set decision = 'reset', decided_at = '2025-02-01Z' where user_id = 'dan'`,
  )
  const { code, out } = await changes('--json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toEqual({
    counts: { open: 3, left: 0, 'asked-again': 0, reset: 1 },
    changes: [
      {
        id: 'dan',
        noticedAt: '2025-01-05T00:00:00.000Z',
        load,
        decision: 'reset',
        decidedAt: '2025-02-01T00:00:00.000Z',
      },
      { id: 'cyd', noticedAt: '2025-01-04T00:00:00.000Z', load, decision: 'open', decidedAt: null },
      { id: '-2', noticedAt: '2025-01-03T00:00:00.000Z', load, decision: 'open', decidedAt: null },
      { id: '=1+1', noticedAt: '2025-01-02T00:00:00.000Z', load, decision: 'open', decidedAt: null },
    ],
  })
  expect((await changes('--last', '1', '--decision', 'open')).out).toMatch(
    /^3 open, 0 left, 0 asked-again, 1 reset\n\nid +noticed .*\ncyd +2025-01-04\S+ +\d+ +open +-\n$/,
  )
})

test('the table of all of them is safe in a spreadsheet, and for its owner', async () => {
  const load = await changed()
  const path = join(files.directory, 'changes.csv')
  expect(await changes('--csv', path)).toEqual({ code: 0, out: '4 written\n', err: '' })
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  const lines = (await readFile(path, 'utf8')).split('\r\n')
  expect(lines[0]).toBe('"id","noticed","load","decision","decided"')
  expect(lines.slice(3)).toEqual([
    `"'-2","2025-01-03T00:00:00.000Z","${load}","open",""`,
    `"'=1+1","2025-01-02T00:00:00.000Z","${load}","open",""`,
    '',
  ])
})

test('some are left as they are, by id; who is not open is named, and stays', async () => {
  await changed()
  await db.owner.query(`update carryover.password_changes set decision = 'reset' where user_id = 'dan'`)
  expect(await changes('--decide', 'leave', '--', 'cyd', '-2', 'cyd')).toEqual({
    code: 0,
    out: '2 left as they are\n',
    err: '',
  })
  expect(await changes('--decide', 'leave', 'dan', 'cyd', 'no\u001bbody', '--json')).toEqual({
    code: 1,
    out: `${JSON.stringify({ left: 0, notOpen: ['dan', 'cyd', 'no\u001bbody'] })}\n`,
    err: 'carryover changes: not open, and unchanged: dan, cyd, no?body\n',
  })
  expect(await decisions()).toEqual([
    ['-2', 'left', true],
    ['=1+1', 'open', false],
    ['cyd', 'left', true],
    ['dan', 'reset', false],
  ])
})

test('all who are open are left as they are, by an account that provisions', async () => {
  await changed()
  const url = `${db.url}&options=-c%20role%3Dcarryover_provision`
  const { code, out } = await heard((io) => run(['changes', '--decide', 'leave', '--all'], io), {
    env: { DATABASE_URL: url },
  })
  expect([code, out]).toEqual([0, '4 left as they are\n'])
  expect((await decisions()).map(([, decision]) => decision)).toEqual(['left', 'left', 'left', 'left'])
})

test.each([
  { args: ['cyd'], says: 'ID and --all go with --decide leave' },
  { args: ['--all'], says: 'ID and --all go with --decide leave' },
  { args: ['--decide', 'leave'], says: '--decide leave takes ids, or --all' },
  { args: ['--decide', 'leave', '--all', 'cyd'], says: '--decide leave takes ids, or --all' },
  { args: ['--decide', 'reset', 'cyd'], says: 'carryover plan TARGET --changed-passwords' },
  { args: ['--decide', 'leave', 'cyd', '--csv', 'x'], says: '--decide goes with neither' },
  { args: ['--decision', 'else'], says: '--decision is one of open, left, asked-again, reset' },
  { args: ['--last', '0'], says: '--last takes a whole number from 1 to 100000' },
  { args: ['--csv', 'x', '--json'], says: '--csv goes with neither --json nor --last' },
  { args: ['--csv', '/nowhere/x'], says: '--csv names a file that cannot be written (ENOENT)' },
])('$args is not understood', async ({ args, says }) => {
  const { code, out, err } = await changes(...args)
  expect([code, out, err]).toEqual([2, '', expect.stringContaining(says)])
})

test('a database that is not there', async () => {
  const { code, err } = await heard((io) => run(['changes'], io), {
    env: { DATABASE_URL: db.url.replace(/test_[0-9a-f]+/, 'test_none') },
  })
  expect([code, err]).toEqual([1, 'carryover changes: the database failed while connecting (3D000)\n'])
})
