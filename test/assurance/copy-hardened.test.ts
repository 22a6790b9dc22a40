import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { everyRow, type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand } from '../helpers/process.ts'

const USERS = sized(400, 20_000)

let db: TestDatabase
let directory: string
beforeAll(async () => {
  db = await testDatabase()
  directory = await mkdtemp(join(tmpdir(), 'carryover-dump-'))
})
afterAll(async () => {
  await db.drop()
  await rm(directory, { recursive: true })
})

/** A digest that stands alone, or beside its salt, in hexadecimal or base64. */
function userOf(at: number): { readonly digest: Buffer; readonly encoded: string; readonly scheme: string } {
  if (at % 2 === 0) {
    const digest = createHash('md5').update(`password ${at}`).digest()
    return { digest, encoded: digest.toString('hex'), scheme: 'md5' }
  }
  const digest = createHash('sha1').update(`password ${at}saltsalt`).digest()
  const body = Buffer.concat([digest, Buffer.from('saltsalt')])
  return { digest, encoded: `{SSHA}${body.toString('base64')}`, scheme: '' }
}

test('a dump of a hardened copy holds no legacy digest', allowed(60_000, 300_000), async () => {
  const users = Array.from({ length: USERS }, (_, at) => userOf(at))
  const lines = users.map(({ encoded, scheme }, at) => `${at},u${at}@example.com,${encoded},${scheme}`)
  const file = join(directory, 'users.csv')
  await writeFile(file, ['id,login,password_hash,hash_scheme', ...lines, ''].join('\n'))
  const keys = join(directory, 'keys')
  await mkdir(keys)
  await writeFile(join(keys, 'hardening_key'), 'the key of a test, which has 32 bytes and more', {
    mode: 0o600,
  })
  const settings = {
    DATABASE_URL: db.url,
    HASH_SECRETS_DIR: keys,
    HARDEN_MEMORY_KIB: '64',
    HARDEN_PASSES: '1',
  }
  expect((await runCommand(['load', file], settings)).code).toBe(0)
  const found = async () => {
    const dump = await everyRow(db.owner)
    const writings = (digest: Buffer) => [
      digest.toString('hex'),
      // Of the digest alone and of what begins with it: without the last letters, which depend on what follows.
      digest.toString('base64').slice(0, 20),
    ]
    return users.filter(({ digest }) => writings(digest).some((text) => dump.includes(text))).length
  }
  // What is searched for is what was there before.
  expect(await found()).toBe(USERS)
  const { code, out } = await runCommand(['harden', '--json'], settings)
  expect(code).toBe(0)
  const left = await found()
  measured({
    part: 'copy',
    requirement: 'R-68',
    what: `legacy digests in a dump of a hardened copy of ${USERS} users`,
    wanted: '0',
    got: String(left),
  })
  expect([JSON.parse(out).total.wrapped, left]).toEqual([USERS, 0])
})
