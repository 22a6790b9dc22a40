import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'

const TYPED = 'Right-pa55word'
const digest = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex')

let db: TestDatabase
let directory: string
let settings: Record<string, string>

beforeAll(async () => {
  db = await testDatabase()
  directory = await mkdtemp(join(tmpdir(), 'carryover-candidates-'))
  await writeFile(join(directory, 'candidates'), 'north = md5, md5($salt.$pass)\n')
  await writeFile(
    join(directory, 'users.csv'),
    `id,login,password_hash,salt,cohort
1,ann@example.com,${digest('md5', `s1${TYPED}`)},s1,north
2,bob@example.com,${digest('md5', TYPED)},s2,north
3,eve@example.com,${digest('md5', TYPED)},s3,south
4,joe@example.com,{noop}${TYPED},s4,south
`,
  )
  settings = {
    DATABASE_URL: db.url,
    CANDIDATE_SCHEMES_FILE: join(directory, 'candidates'),
    ALLOW_PLAINTEXT: 'on',
  }
})
afterAll(async () => {
  await rm(directory, { recursive: true })
  // The copy holds the password that the store held; nothing else of ours may.
  await db.owner.query(`delete from legacy.users where id = '4'`)
  await db.drop()
})

test('candidates and plain text serve load, counts, sync, analyze, try and the sign-in alike', async () => {
  expect(await runCommand(['load', join(directory, 'users.csv')], settings)).toMatchObject({ code: 0 })
  const schemes = async () =>
    JSON.parse((await runCommand(['counts', '--json'], settings)).out)
      .schemes.map((one: { scheme: string; total: number; unverifiable: number }) =>
        [one.scheme, one.total, one.unverifiable].join(),
      )
      .sort()
  expect(await schemes()).toEqual(['candidates,2,0', 'plaintext,1,0', 'unknown,1,1'])
  expect(await runCommand(['sync'], settings)).toMatchObject({ code: 0 })
  expect(await schemes()).toEqual(['candidates,2,0', 'plaintext,1,0', 'unknown,1,1'])
  const analyzed = await runCommand(['analyze'], settings)
  expect(analyzed.out).toContain('candidates')
  expect(analyzed.out).not.toContain(TYPED)
  for (const name of ['ann', 'bob', 'joe'])
    expect((await runCommand(['try', `${name}@example.com`], settings, TYPED)).out).toMatch(/^match/)
  expect((await runCommand(['try', 'eve@example.com'], settings, TYPED)).out).toContain('ambiguous')

  const service = await startProcess(db.url, { ...settings, DIAGNOSE_MISMATCHES: 'on' })
  const post = caller(service.hooksUrl)
  const answer = async (name: string, password: string) =>
    (await post('/okta/password-import', passwordImport(`${name}@example.com`, password))).text
  for (const name of ['ann', 'bob', 'joe']) {
    expect(await answer(name, `${TYPED}x`)).toContain('"UNVERIFIED"')
    expect(await answer(name, TYPED)).toContain('"VERIFIED"')
  }
  for (const name of ['eve', 'nobody']) expect(await answer(name, TYPED)).toContain('"UNVERIFIED"')
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  expect(service.output()).not.toContain(TYPED)
})

test('a service that does not allow what the load allowed answers all the same', async () => {
  const service = await startProcess(db.url, {})
  const post = caller(service.hooksUrl)
  for (const name of ['ann', 'joe', 'nobody'])
    expect(
      (await post('/okta/password-import', passwordImport(`${name}@example.com`, TYPED))).text,
    ).toContain('"UNVERIFIED"')
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
})
