import { afterAll, beforeAll, expect, test } from 'vitest'
import { readConfig, readPurgeSettings } from '../../src/config.ts'
import { readCopy } from '../../src/db/copy-cursor.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { SECRET, TOKEN } from '../helpers/service.ts'
import { command } from './helpers.ts'

let db: TestDatabase
let account: string
beforeAll(async () => {
  db = await testDatabase()
  account = `purge_of_${(await db.owner.query('select current_database() as name')).rows[0].name}`
  await db.owner.query(`create user ${account}`)
})
afterAll(async () => {
  await db.owner.query(`drop owned by ${account}; drop user ${account}`)
  await db.drop()
})

const complete = { DATABASE_URL: 'postgresql://owner@db/x', ADMIN_TOKENS: TOKEN, OKTA_HOOK_SECRETS: SECRET }
const narrow = {
  ADMIN_TOKENS: TOKEN,
  OKTA_HOOK_SECRETS: SECRET,
  HOOKS_DATABASE_URL: 'postgresql://hooks@db/x',
  ADMIN_DATABASE_URL: 'postgresql://admin@db/x',
}

test.each([
  {
    title: 'the owner alone',
    env: complete,
    purge: {
      keptSeconds: 82_800,
      verifiedKeptSeconds: undefined,
      database: { url: complete.DATABASE_URL, role: 'carryover_purge' },
      everyMs: 3_600_000,
    },
  },
  {
    title: 'an account of its own, and verified users',
    env: {
      ...narrow,
      PURGE_DATABASE_URL: 'postgresql://purge@db/x',
      PURGE_VERIFIED: 'on',
      PURGE_AFTER_SECONDS: '0',
    },
    purge: {
      keptSeconds: 3_600,
      verifiedKeptSeconds: 86_400,
      database: { url: 'postgresql://purge@db/x' },
      everyMs: 3_600_000,
    },
  },
  { title: 'two accounts and no owner', env: narrow, purge: undefined },
  { title: 'no interval', env: { ...complete, PURGE_EVERY_SECONDS: '0' }, purge: undefined },
])('with $title', ({ env, purge }) => {
  expect(readConfig(env).purge).toEqual(purge)
})

test('what is off without being switched off is warned about, and so is what nobody confirmed', () => {
  const warned = (env: Record<string, string>) => readConfig(env).warnings.join()
  expect(warned(narrow)).toContain('PURGE_DATABASE_URL is missing')
  expect(warned({ ...narrow, PURGE_EVERY_SECONDS: '0' })).not.toContain('PURGE')
  expect(warned(complete)).not.toContain('PURGE')
  expect(warned({ ...complete, PURGE_VERIFIED: 'on' })).toContain('whose migration nobody confirmed')
  expect(readPurgeSettings({ PURGE_VERIFIED: 'on', MIGRATED_GRACE_SECONDS: '90000' })).toEqual({
    keptSeconds: 90_000,
    verifiedKeptSeconds: 86_400,
    verifiedGraceSeconds: 86_400,
  })
})

test('analyze leaves out who was purged', async () => {
  await db.owner.query(`insert into legacy.users (id, login, password_hash) values ('1', 'a', null), ('2', 'b', null);
    insert into carryover.users (user_id, cohort, scheme, usable, state, migrated_at, purged_at) values
      ('1', 'default', 'md5', true, 'migrated', now(), now()), ('2', 'default', 'md5', true, 'migrated', now(), null)`)
  const ids: string[] = []
  for await (const rows of readCopy(db.url, new AbortController().signal))
    ids.push(...rows.map(({ hash }) => hash.id))
  expect(ids).toEqual(['2'])
})

test("doctor says what the purge's own account lacks, and what it has besides", async () => {
  const look = async () => {
    const { out } = await command(db.url, ['doctor', '--json'], {
      ADMIN_TOKENS: TOKEN,
      OKTA_HOOK_SECRETS: SECRET,
      PURGE_DATABASE_URL: db.url.replace('postgres@', `${account}@`),
    })
    const { findings } = JSON.parse(out) as { findings: { level: string; says: string }[] }
    return findings
      .filter(({ says }) => says.includes('PURGE_DATABASE_URL'))
      .filter(({ says }) => !says.includes('environment'))
  }
  const who = "The purge's account (PURGE_DATABASE_URL)"
  expect(await look()).toMatchObject([
    { level: 'problem', says: `${who} does not have the role carryover_purge, so the service cannot purge.` },
  ])
  await db.owner.query(`grant carryover_purge to ${account}`)
  expect(await look()).toMatchObject([
    { level: 'fine', says: `${who} can do what carryover_purge can and no more.` },
  ])
  await db.owner.query(`grant select on legacy.users to ${account}`)
  expect(await look()).toMatchObject([{ level: 'problem', says: `${who} may read or change legacy.users.` }])
})
