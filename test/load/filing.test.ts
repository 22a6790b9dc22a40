import { readFile, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { bcryptHash, disagreements, runLoad, scratch, versions } from './helpers.ts'

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

let made = 0
const write = (rows: readonly string[], header = 'id,login,email,password_hash,profile') =>
  files.file(`${++made}.csv`, [header, ...rows, ''].join('\n'))

/** Loads rows of a CSV file. */
async function load(rows: readonly string[], args: readonly string[] = [], header?: string) {
  const result = await runLoad(database.url, await write(rows, header), ...args)
  expect(await disagreements(database.url)).toEqual([])
  return result
}

const query = async (text: string) =>
  (await database.owner.query({ text, rowMode: 'array' })).rows as unknown[][]
const copy = () => query('select id, login, email, password_hash from legacy.users order by id')
const origins = () =>
  query('select source, source_id, user_id from carryover.origins order by source, source_id')

/** Line, rule, and the line that was first. */
const told = (err: string) =>
  err.split('\n').flatMap((line) => {
    const [, text] = /^(line \d+: [a-z-]+)/.exec(line) ?? []
    return text === undefined ? [] : [`${text}${/: line \d+$/.exec(line)?.[0] ?? ''}`]
  })

describe('a key', () => {
  beforeEach(async () => {
    await load([
      '1,Ann@Example.com,ann@mail.example,h1,"{""number"":""n1""}"',
      '2,bob,shared@mail.example,h2,"{""number"":""n2""}"',
      '3,cyd,Shared@mail.example,h3,"{""number"":""n3""}"',
    ])
  })

  test.for([
    {
      title: 'a login finds its user, written in another way',
      key: 'login',
      rows: ['x1,ANN@example.com,new@mail.example,h9,'],
      tells: [],
      becomes: ['1', 'ANN@example.com', 'new@mail.example', 'h9'],
    },
    {
      title: 'an e-mail address finds its user',
      key: 'email',
      rows: ['x1,other,ANN@mail.example,h9,'],
      tells: [],
      becomes: ['1', 'other', 'ANN@mail.example', 'h9'],
    },
    {
      title: 'a value of the profile finds its user',
      key: 'profile.number',
      rows: ['x1,other,,h9,"{""number"":""n1""}"'],
      tells: [],
      becomes: ['1', 'other', null, 'h9'],
    },
    {
      title: 'a key that nobody has adds a user under its own id',
      key: 'login',
      rows: ['x1,dan,,h9,'],
      tells: [],
      becomes: ['x1', 'dan', null, 'h9'],
    },
    {
      title: 'a key that several have is refused',
      key: 'email',
      rows: ['x1,other,shared@mail.example,h9,'],
      tells: ['line 2: ambiguous-key'],
    },
    {
      title: 'an id that is somebody else there is refused',
      key: 'login',
      rows: ['1,dan,,h9,'],
      tells: ['line 2: id-taken'],
    },
    {
      title: 'a row without its key is refused',
      key: 'email',
      rows: ['x1,dan,,h9,'],
      tells: ['line 2: required'],
    },
    {
      title: 'a key that is repeated is refused with both lines',
      key: 'login',
      rows: ['x1,dan,,h9,', 'x2,eve,,h9,', 'x3,DAN,,h9,', 'x4,dan ,,h9,'],
      tells: ['line 4: repeated-key: line 2', 'line 5: repeated-key: line 2'],
      becomes: ['x1', 'dan', null, 'h9'],
    },
    {
      title: 'an id that is repeated is refused with both lines',
      key: 'login',
      rows: ['x1,dan,,h9,', 'x1,eve,,h9,'],
      tells: ['line 3: repeated-id: line 2'],
      becomes: ['x1', 'dan', null, 'h9'],
    },
  ])('$title', async ({ key, rows, tells, becomes }) => {
    const before = await copy()
    const { code, err, summary } = await load(rows, ['--key', key])
    expect(told(err)).toEqual(tells)
    expect([code, summary.refused]).toEqual([tells.length > 0 ? 1 : 0, tells.length])
    if (becomes) expect(await copy()).toContainEqual(becomes)
    else expect(await copy()).toEqual(before)
  })

  test('every refused row is written down as it was', async () => {
    const { summary } = await load(['1,dan,,h9,', 'x1,eve,,h9,'], ['--key', 'login'])
    expect(await readFile(summary.refusedPath, 'utf8')).toBe(
      'id,login,email,password_hash,profile\n1,dan,,h9,\n',
    )
  })
})

describe('a source', () => {
  test('its users are found again by its own ids, whatever else has changed', async () => {
    await load(['1,ann,,h1,', '2,bob,,h2,'], ['--source', 'old'])
    await load(['7,ann,,h7,', '1,cyd,,h8,'], ['--source', 'shop', '--key', 'login'])
    expect(await origins()).toEqual([
      ['old', '1', '1'],
      ['old', '2', '2'],
      ['shop', '7', '1'],
    ])
    // Another login under the id that the source has always had: the same user.
    const { code, summary } = await load(['7,ann.b,,h7,'], ['--source', 'shop', '--key', 'login'])
    expect([code, summary.changed]).toEqual([0, 1])
    expect(await copy()).toEqual([
      ['1', 'ann.b', null, 'h7'],
      ['2', 'bob', null, 'h2'],
    ])
  })

  test('the same file again writes no row at all', async () => {
    await load(['7,ann,,h1,'])
    const again = ['1,ann,,h1,', '2,bob,,h2,']
    await load(again, ['--source', 'shop', '--key', 'login'])
    const before = await versions(database.owner)
    const { summary } = await load(again, ['--source', 'shop', '--key', 'login'])
    expect(summary).toMatchObject({ unchanged: 2, changed: 0, added: 0 })
    expect(await versions(database.owner)).toEqual(before)
  })

  test('who was erased stays away under the id of the source, too', async () => {
    await load(['1,ann,,h1,'])
    await load(['7,ann,,h1,'], ['--source', 'shop', '--key', 'login'])
    await database.owner.query(`select * from carryover.erase_user('1')`)
    const { err } = await load(['7,ann,,h1,', '8,bob,,h1,'], ['--source', 'shop', '--key', 'login'])
    expect(told(err)).toEqual(['line 2: erased-earlier'])
    expect(await copy()).toEqual([['8', 'bob', null, 'h1']])
  })

  test('who was deleted does not come back under the id of the source', async () => {
    await load(['1,ann,,h1,'])
    await load(['7,ann,,h1,'], ['--source', 'shop', '--key', 'login'])
    await load(['1,true'], [], 'id,deleted')
    const { err } = await load(['7,ann,,h1,'], ['--source', 'shop', '--key', 'login'])
    expect(told(err)).toEqual(['line 2: deleted-earlier'])
    expect(await copy()).toEqual([])
  })
})

test('who was deleted by a key stays away, and a deleted row of nobody says nothing of its id', async () => {
  const args = ['--source', 'shop', '--key', 'login']
  const header = 'id,login,password_hash,deleted'
  await load(['1,ann,,h1,'])
  const first = await load(['7,ann,,yes', '8,nobody,,yes'], args, header)
  expect(first.summary).toMatchObject({ rows: 2, deleted: 1, unchanged: 1 })
  const second = await load(['7,ann,h,', '8,bob,h,'], args, header)
  expect(told(second.err)).toEqual(['line 2: deleted-earlier'])
  expect(await copy()).toEqual([['8', 'bob', null, 'h']])
})

describe('a file without hashes', () => {
  const header = 'id,login,phone,email'
  const args = ['--source', 'crm', '--key', 'login', '--map', 'phone=profile.phone']
  beforeEach(async () => {
    await load([`1,ann,a@mail.example,${bcryptHash},"{""name"":""Ann""}"`, '2,bob,,!,'])
  })

  test('changes what it has, keeps the rest, and adds nobody', async () => {
    const { code, err, summary } = await load(
      ['c1,ann,+1,', 'c2,bob,,b@mail.example', 'c3,eve,+3,'],
      args,
      header,
    )
    expect(told(err)).toEqual(['line 4: unknown-user'])
    expect([code, summary.changed, summary.unusable]).toEqual([1, 2, {}])
    expect(
      await query('select id, email, password_hash, status, cohort, profile from legacy.users order by id'),
    ).toEqual([
      ['1', 'a@mail.example', bcryptHash, 'active', 'default', { name: 'Ann', phone: '+1' }],
      ['2', 'b@mail.example', '!', 'active', 'default', {}],
    ])
    expect(await query('select user_id, scheme, usable from carryover.users order by 1')).toEqual([
      ['1', 'bcrypt', true],
      ['2', 'unknown', false],
    ])
  })

  test('needs to say whose users it is about', async () => {
    await expect(load(['c1,ann,+1,'], ['--map', 'phone=profile.phone'], header)).rejects.toThrow(
      'the file has no column password_hash',
    )
  })

  test('JSON Lines update where that is said', async () => {
    const path = await files.file('crm.jsonl', '{"id":"1","status":"locked"}\n{"id":"9","status":"locked"}\n')
    const { summary } = await runLoad(database.url, path, '--update-only')
    expect(summary).toMatchObject({ changed: 1, refusedByRule: { 'unknown-user': 1 } })
    expect(await query(`select status, password_hash from legacy.users where id = '1'`)).toEqual([
      ['locked', bcryptHash],
    ])
  })
})

describe('the whole of a source', () => {
  const users = Array.from({ length: 20 }, (_, at) => `${at + 10},u${at + 10},,h,`)
  const whole = ['--source', 'old', '--whole']
  beforeEach(async () => {
    await load(users, ['--source', 'old'])
  })

  test('who is not in it any more is deleted, and stays known', async () => {
    const { code, summary } = await load(users.slice(2), whole)
    expect(code).toBe(0)
    expect(summary).toMatchObject({ rows: 18, unchanged: 18, deleted: 2, missing: 2 })
    expect(await query('select count(*)::int from legacy.users')).toEqual([[18]])
    expect(
      await query('select user_id from carryover.users where deleted_at is not null order by 1'),
    ).toEqual([['10'], ['11']])
    const again = await load(users.slice(2), whole)
    expect(again.summary).toMatchObject({ deleted: 0, missing: 0, unchanged: 18 })
    expect(told((await load(users, whole)).err)).toEqual([
      'line 2: deleted-earlier',
      'line 3: deleted-earlier',
    ])
  })

  test('more than a tenth is refused unless that is allowed, and nothing is changed', async () => {
    const before = await versions(database.owner)
    const refused = await load(users.slice(3), whole)
    expect(refused.code).toBe(1)
    expect(refused.err).toContain('3 of the 20 users of this source are not in it any more')
    expect(await versions(database.owner)).toEqual(before)
    expect((await load(users.slice(3), [...whole, '--allow-deletions', '15'])).summary).toMatchObject({
      missing: 3,
    })
  })

  test('who has another origin stays, and loses this one', async () => {
    await load(['c1,u10,,h,'], ['--source', 'crm', '--key', 'login'])
    expect((await load(users.slice(1), whole)).summary).toMatchObject({ deleted: 0, missing: 0 })
    expect(await query(`select source, source_id from carryover.origins where user_id = '10'`)).toEqual([
      ['crm', 'c1'],
    ])
  })

  test('while rows cannot be read, nobody is deleted for being missing', async () => {
    const { code, summary } = await load([...users.slice(2), '11,,,,'], whole)
    expect([code, summary.missing, summary.missingKept]).toEqual([1, 0, true])
    expect(await query('select count(*)::int from legacy.users')).toEqual([[20]])
  })

  test('a user whom the source knows by another id now is not missing', async () => {
    const { summary } = await load(['99,u10,,h,', ...users.slice(1)], [...whole, '--key', 'login'])
    expect(summary).toMatchObject({ rows: 20, unchanged: 20, missing: 0 })
  })
})

describe('a password that was changed in the old system', () => {
  const confirm = (id: string) =>
    database.owner.query(
      `update carryover.users set state = 'migrated', verified_at = now() - interval '9 days', migrated_at = now() - interval '9 days'
      where user_id = '${id}'`,
    )
  const recountNow = () =>
    database.owner.query(`update carryover.counts c set unmigrated = s.unmigrated, migrated = s.migrated from (
      select cohort, scheme, count(*) filter (where state = 'unmigrated') as unmigrated,
        count(*) filter (where state = 'migrated') as migrated
      from carryover.users group by 1, 2) s where (c.cohort, c.scheme) = (s.cohort, s.scheme)`)
  const changes = () =>
    query(
      'select user_id, decision, load is not null, decided_at is null from carryover.password_changes order by 1',
    )
  const other = bcryptHash.replace('$10$', '$11$')

  beforeEach(async () => {
    await load([`1,ann,,${bcryptHash},`, `2,bob,,${bcryptHash},`, `3,cyd,,${bcryptHash},`])
    await confirm('1')
    await confirm('3')
    await recountNow()
  })

  test('replaces the hash of who has not migrated, and is told of who has', async () => {
    const { summary } = await load([`1,ann,,${other},`, `2,bob,,${other},`, `3,cyd2,,${bcryptHash},`])
    expect(summary).toMatchObject({ changed: 3, changedAfterMigration: 1 })
    expect(await changes()).toEqual([['1', 'open', true, true]])
    expect((await copy()).map((row) => row[3])).toEqual([other, other, bcryptHash])
  })

  test('is told of who was signed in and never confirmed, too', async () => {
    await database.owner.query(
      `update carryover.users set state = 'verified', verified_at = now() where user_id = '2'`,
    )
    await database.owner.query(
      `update carryover.counts set unmigrated = unmigrated - 1, verified = verified + 1 where scheme = 'bcrypt'`,
    )
    const { summary } = await load([`2,bob,,${other},`])
    expect(summary).toMatchObject({ changed: 1, changedAfterMigration: 1 })
    expect(await changes()).toEqual([['2', 'open', true, true]])
    expect((await copy()).map((row) => row[3])).toEqual([bcryptHash, other, bcryptHash])
  })

  test('once, until it is changed again', async () => {
    await load([`1,ann,,${other},`])
    await database.owner.query(`update carryover.password_changes set decision = 'left', decided_at = now()`)
    expect((await load([`1,ann,,${other},`])).summary).toMatchObject({ changedAfterMigration: 0 })
    expect(await changes()).toEqual([['1', 'left', true, false]])
    expect((await load([`1,ann,,${bcryptHash},`])).summary).toMatchObject({ changedAfterMigration: 1 })
    expect(await changes()).toEqual([['1', 'open', true, true]])
  })

  test('is told of a user whose hash was purged, and no hash comes back', async () => {
    await database.owner.query(`select carryover.purge_hashes('1 day', 10)`)
    expect((await load([`1,ann,,${bcryptHash},`, `3,cyd,,${bcryptHash},`])).summary).toMatchObject({
      changedAfterMigration: 0,
      keptPurged: 2,
    })
    for (const expected of [1, 0])
      expect((await load([`1,ann,,${other},`, `3,cyd,,,`])).summary).toMatchObject({
        changedAfterMigration: expected,
      })
    expect(await changes()).toEqual([['1', 'open', true, true]])
    expect((await copy()).map((row) => row[3])).toEqual([null, bcryptHash, null])
    expect(await query(`select count(*)::int from carryover.users where purged_hash is not null`)).toEqual([
      [2],
    ])
  })

  test('and of one that was purged without a confirmation', async () => {
    await database.owner.query(
      `update carryover.users set state = 'verified', verified_at = now() - interval '9 days' where user_id = '2'`,
    )
    await database.owner.query(
      `update carryover.counts set unmigrated = unmigrated - 1, verified = verified + 1 where scheme = 'bcrypt'`,
    )
    await database.owner.query('select * from carryover.purge_verified(now(), null, 10)')
    expect((await load([`2,bob,,${other},`])).summary).toMatchObject({
      changedAfterMigration: 1,
      keptPurged: 1,
    })
  })

  test('a row without a hash is no change', async () => {
    await load(['1,ann.b'], ['--source', 'crm'], 'id,login')
    expect(await changes()).toEqual([])
  })

  test('the account that loads can say so, and cannot read the digests of hashes', async () => {
    await database.owner.query(`select carryover.purge_hashes('1 day', 10)`)
    await database.owner.query('set role carryover_load')
    const { rows } = await database.owner.query(
      `select carryover.changed_since_purge(array['1'], array['${other}'], array[null::text], null)::int as changed`,
    )
    expect(rows).toEqual([{ changed: 1 }])
    await expect(database.owner.query(`select carryover.hash_digest('a', 'b', 'c')`)).rejects.toThrow(
      'permission denied',
    )
    await database.owner.query('reset role')
  })
})

test.for([
  { title: 'a key of no kind', args: ['--key', 'phone'], says: /--key is id, login, email or profile/ },
  { title: 'the whole of nothing', args: ['--whole'], says: /--whole needs --source/ },
  { title: 'deletions without the whole', args: ['--allow-deletions', '5'], says: /needs --whole/ },
  { title: 'a query option without a query', args: ['--watermark', 'x'], says: /--watermark needs --from/ },
  { title: 'no key of age', args: ['--refused-key', 'age1nothing'], says: /public key/ },
  { title: 'no whole number', args: ['--refused-days', '1.5'], says: /whole number/ },
  { title: 'an unknown format', args: ['--format', 'xls'], says: /--format is csv/ },
])('$title is not understood', async ({ args, says }) => {
  const path = await files.file('users.csv', 'id,login,password_hash\n')
  await writeFile(path, 'id,login,password_hash\n')
  await expect(runLoad(database.url, path, ...args)).rejects.toThrow(says)
})
