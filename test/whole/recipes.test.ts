import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'

const TYPED = 'Right-pa55word'
const PEPPER = 'pepper-of-the-tests'

let db: TestDatabase
let directory: string
let settings: Record<string, string>

beforeAll(async () => {
  db = await testDatabase()
  directory = await mkdtemp(join(tmpdir(), 'carryover-recipes-'))
  await writeFile(join(directory, 'recipes'), '# of the shop\nshop = sha256($salt.$pass.$pepper)\n')
  await writeFile(join(directory, 'pepper'), `${PEPPER}\n`)
  const digest = createHash('sha256').update(`s1${TYPED}${PEPPER}`).digest('hex')
  await writeFile(
    join(directory, 'users.csv'),
    `id,login,password_hash,hash_scheme,salt\n1,ann@example.com,${digest},shop,s1\n`,
  )
  settings = { DATABASE_URL: db.url, RECIPES_FILE: join(directory, 'recipes'), HASH_SECRETS_DIR: directory }
})
afterAll(async () => {
  await rm(directory, { recursive: true })
  await db.drop()
})

test('a recipe with a name and a pepper from files serves load, counts, try and the sign-in', async () => {
  expect(await runCommand(['load', join(directory, 'users.csv')], settings)).toMatchObject({ code: 0 })
  const counts = JSON.parse((await runCommand(['counts', '--json'], settings)).out)
  expect(counts.schemes).toMatchObject([{ scheme: 'shop', total: 1, unverifiable: 0 }])
  expect((await runCommand(['try', 'ann@example.com'], settings, TYPED)).out).toMatch(/^match/)
  const service = await startProcess(db.url, settings)
  const post = caller(service.hooksUrl)
  expect((await post('/okta/password-import', passwordImport('ann@example.com', TYPED))).text).toContain(
    '"VERIFIED"',
  )
  expect(
    (await post('/okta/password-import', passwordImport('ann@example.com', `${TYPED}x`))).text,
  ).toContain('"UNVERIFIED"')
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  expect(service.output()).not.toContain(PEPPER)
})

test('without its files the scheme is unknown, and a wrong file stops the start by its line', async () => {
  expect((await runCommand(['try', 'ann@example.com'], { DATABASE_URL: db.url }, TYPED)).out).toContain(
    'unknown-scheme',
  )
  await writeFile(join(directory, 'broken'), `shop = md6(${PEPPER})\n`)
  const { code, err } = await runCommand(
    ['try', 'ann@example.com'],
    { ...settings, RECIPES_FILE: join(directory, 'broken') },
    TYPED,
  )
  expect([code, err]).toEqual([2, expect.stringContaining('RECIPES_FILE, line 1')])
  expect(err).not.toContain(PEPPER)
})
