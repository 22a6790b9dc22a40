import { afterAll, beforeAll, expect, test } from 'vitest'
import { command } from '../forget/helpers.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { disagreements, runLoad, scratch } from '../load/helpers.ts'

let db: TestDatabase
const LOGIN = 'ann.lee@example.com'

beforeAll(async () => {
  db = await testDatabase()
  const files = await scratch()
  const path = await files.file(
    'users.csv',
    `id,login,email,password_hash
id-of-ann,${LOGIN},ann.lee@mail.example,
id-of-bob,bob@example.com,both@mail.example,
id-of-cyd,cyd@example.com,both@mail.example,
`,
  )
  await runLoad(db.url, path)
  await files.remove()
})
afterAll(() => db.drop())

const left = async () =>
  (await db.owner.query('select id from legacy.users order by id')).rows.map(({ id }) => id)

test.each([
  { args: [], code: 2, says: 'expected LOGIN, or --id ID' },
  { args: [LOGIN, '--id', 'id-of-ann'], code: 2, says: 'no argument was expected' },
  { args: ['--id', ''], code: 2, says: '--id takes an id' },
  { args: [' '], code: 2, says: 'LOGIN is nothing that a user can have' },
  { args: ['nobody@example.com'], code: 1, says: 'nothing is known of such a user' },
  { args: ['--id', 'nobody'], code: 1, says: 'nothing is known of such a user' },
  { args: ['both@mail.example'], code: 1, says: 'Say which one with --id:\n  id-of-bob\n  id-of-cyd\n' },
])('erase $args changes nothing', async ({ args, code, says }) => {
  const told = await command(db.url, ['erase', ...args])
  expect([told.code, told.out]).toEqual([code, ''])
  expect(told.err).toContain(says)
  expect(await left()).toEqual(['id-of-ann', 'id-of-bob', 'id-of-cyd'])
})

test('a dry run says what would be removed', async () => {
  const { code, out } = await command(db.url, ['erase', LOGIN, '--dry-run'])
  expect(code).toBe(0)
  expect(out).toContain('DRY RUN: nothing was changed')
  expect(out).toMatch(/legacy\.users +1\n/)
  expect(await left()).toContain('id-of-ann')
  expect((await db.owner.query('select from carryover.erased')).rowCount).toBe(0)
})

test('the certificate says what was removed, and nothing of whom', async () => {
  const { code, out, err } = await command(db.url, ['erase', 'Ann.Lee@MAIL.example', '--json'])
  expect([code, err]).toEqual([0, ''])
  expect(JSON.parse(out)).toEqual({
    certificate: 'erasure of one user',
    reference: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/),
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    dryRun: false,
    removed: {
      'legacy.users': 1,
      'carryover.users': 1,
      'carryover.refusals': 0,
      'carryover.outcomes': 0,
      'carryover.probes': 0,
      'carryover.origins': 0,
      'carryover.password_changes': 0,
      'carryover.plan_items': 0,
      'carryover.provisioned': 0,
    },
    remains: expect.arrayContaining([
      expect.stringContaining('keyed digest of the id'),
      expect.stringContaining('what identity providers have of the user'),
    ]),
  })
  expect(out).not.toMatch(/ann|lee|mail/i)
  expect(await left()).toEqual(['id-of-bob', 'id-of-cyd'])
  expect(await disagreements(db.url)).toEqual([])
})

test('of several the one whose id is said', async () => {
  const { code, out } = await command(db.url, ['erase', '--id', 'id-of-cyd'])
  expect([code, out]).toEqual([
    0,
    expect.stringMatching(/^CERTIFICATE OF ERASURE of one user\nreference {2}/),
  ])
  expect(await left()).toEqual(['id-of-bob'])
})
