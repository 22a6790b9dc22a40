import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import bcryptjs from 'bcryptjs'
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
  await mkdir(join(directory, 'secrets'))
  await writeFile(join(directory, 'secrets', 'pepper'), `${PEPPER}\n`, { mode: 0o600 })
  const digest = createHash('sha256').update(`s1${TYPED}${PEPPER}`).digest('hex')
  await writeFile(
    join(directory, 'users.csv'),
    `id,login,password_hash,hash_scheme,salt\n1,ann@example.com,${digest},shop,s1\n`,
  )
  settings = {
    DATABASE_URL: db.url,
    RECIPES_FILE: join(directory, 'recipes'),
    HASH_SECRETS_DIR: join(directory, 'secrets'),
  }
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

test('an old encoding inside of an old scheme, Unicode forms, an empty salt and a NUL', async () => {
  const digest = (text: string) => createHash('sha256').update(text).digest('hex')
  const rows = [
    // openssl passwd -1 -salt saltsalt, of the bytes of the password in ISO 8859-1
    `2,crypt@example.com,$1$saltsalt$FNLddtfYYupuIdk1NxrMG1,md5crypt(latin1($pass)),`,
    `3,composed@example.com,${digest('\u00e9clair')},sha256($salt.$pass),`,
    `4,nul@example.com,${digest('pass\0word')},sha256,`,
    `5,bcrypt@example.com,${bcryptjs.hashSync('pass\0word', 4)},,`,
  ]
  await writeFile(
    join(directory, 'encoded.csv'),
    `id,login,password_hash,hash_scheme,salt\n${rows.join('\n')}\n`,
  )
  expect(await runCommand(['load', join(directory, 'encoded.csv')], settings)).toMatchObject({ code: 0 })
  const service = await startProcess(db.url, { ...settings, PASSWORD_FORMS: 'as-sent,nfc' })
  const post = caller(service.hooksUrl)
  for (const [login, typed, answer] of [
    ['crypt', 'Gr\u00fc\u00dfe', 'VERIFIED'],
    ['crypt', 'Gru\u0308\u00dfe', 'VERIFIED'],
    ['crypt', 'Gr\u00fc\u00df', 'UNVERIFIED'],
    ['composed', '\u00e9clair', 'VERIFIED'],
    ['composed', 'e\u0301clair', 'VERIFIED'],
    ['composed', 'eclair', 'UNVERIFIED'],
    ['nul', 'pass\0word', 'VERIFIED'],
    ['nul', 'pass', 'UNVERIFIED'],
    ['bcrypt', 'pass\0word', 'UNVERIFIED'],
  ] as const) {
    const body = passwordImport(`${login}@example.com`, '')
    body.data.context.credential.password = typed
    const { json } = await post('/okta/password-import', body)
    expect([login, json.commands[0].value.credential]).toEqual([login, answer])
  }
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
})
