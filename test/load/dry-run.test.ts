import { readdir } from 'node:fs/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { everyRow, type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runLoad, scratch } from './helpers.ts'

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

const HEADER = 'id,login,email,password_hash,deleted'
const users = (name: string, ...rows: string[]) => files.file(name, [HEADER, ...rows, ''].join('\n'))

/** Rows and files: what a dry run leaves as it is. */
const everything = async () => [await everyRow(database.owner), (await readdir(files.directory)).sort()]

test('a dry run says what the load then does, and leaves no trace', async () => {
  await runLoad(
    database.url,
    await users('old.csv', '1,ann,,h1,', '2,bob,,h2,', '3,cyd,,h3,', '4,dan,,h4,'),
    '--source',
    'old',
  )
  // Ann's provider has a password of its own by now; the copy has no hash of Dan's any more.
  await database.owner.query(`update carryover.users set state = 'migrated' where user_id in ('1', '4')`)
  await database.owner.query(`update carryover.users set purged_at = now(),
    purged_hash = carryover.hash_digest('h4', null, (select login_key from carryover.installation)) where user_id = '4'`)
  await database.owner.query(`update legacy.users set password_hash = null, salt = null where id = '4'`)
  const rows = [
    '1,ann,,h9,',
    '2,bob,,h2,',
    '3,cyd,,h3,true',
    '4,dan,,h8,',
    '5,eve,,h5,',
    '6,,,h6,',
    '5,eve,,h5,',
  ]
  const path = await users('new.csv', ...rows)
  const before = await everything()
  const dry = await runLoad(database.url, path, '--source', 'old', '--dry-run')
  expect(await everything()).toEqual(before)
  expect(dry.summary).toMatchObject({
    dryRun: true,
    rows: 7,
    added: 1,
    changed: 1,
    unchanged: 2,
    deleted: 1,
    refused: 2,
    refusedByRule: { 'repeated-id': 1, required: 1 },
    keptPurged: 1,
    changedAfterMigration: 2,
    refusedPath: null,
    reasonsPath: null,
  })
  const done = await runLoad(database.url, path, '--source', 'old')
  const { dryRun: _, seconds: __, ...told } = dry.summary
  expect(done.summary).toMatchObject({
    ...told,
    refusedPath: expect.stringMatching(/refused/),
    reasonsPath: expect.stringMatching(/refused/),
  })
  expect([dry.code, dry.err]).toEqual([done.code, done.err])
})

test('a dry run into an empty copy', async () => {
  const path = await users('new.csv', '1,ann,,h1,', '1,ann,,h1,', '2,bob,,h2,')
  const before = await everything()
  const { summary } = await runLoad(database.url, path, '--dry-run')
  expect(summary).toMatchObject({ rows: 3, added: 2, refused: 1 })
  expect(await everything()).toEqual(before)
})

test('a dry run of a whole source refuses as the load does', async () => {
  await runLoad(database.url, await users('old.csv', '1,ann,,h1,', '2,bob,,h2,'), '--source', 'old')
  const path = await users('new.csv', '1,ann,,h1,')
  const before = await everything()
  const tooMany = await runLoad(database.url, path, '--source', 'old', '--whole', '--dry-run')
  expect([tooMany.code, tooMany.err]).toEqual([1, expect.stringContaining('more than 10 %')])
  const allowed = await runLoad(
    database.url,
    path,
    ...['--source', 'old', '--whole', '--allow-deletions', '50', '--dry-run'],
  )
  expect(allowed.summary).toMatchObject({ rows: 1, unchanged: 1, deleted: 1, missing: 1 })
  expect(await everything()).toEqual(before)
})

test('an account that only loads may rehearse it', async () => {
  const path = await users('new.csv', '1,ann,,h1,')
  const url = `${database.url}&options=-c%20role%3Dcarryover_load`
  const { code, summary } = await runLoad(url, path, '--source', 'old', '--dry-run')
  expect([code, summary]).toMatchObject([0, { added: 1 }])
})
