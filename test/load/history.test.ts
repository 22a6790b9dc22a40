import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Decrypter, generateIdentity, identityToRecipient } from 'age-encryption'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loads } from '../../src/commands/loads.ts'
import { listLoads } from '../../src/db/loads.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { startCommand } from '../helpers/process.ts'
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

const HEADER = 'id,login,password_hash\n'
const sha256 = (content: string | Buffer) => createHash('sha256').update(content).digest('hex')
const list = (...args: string[]) =>
  heard((io) => loads.run(args, io), { env: { DATABASE_URL: database.url } })
const listed = () => listLoads(database.url, null, 10)

describe('the history', () => {
  test('says of a load what its summary says, and of its file the digest', async () => {
    const content = `${HEADER}1,ann,h\n,bob,h\n`
    const path = await files.file('users.csv', content)
    const { summary } = await runLoad(database.url, path)
    const [load] = await listed()
    expect(load).toMatchObject({
      state: 'done',
      format: 'csv',
      origin: 'users.csv',
      source: null,
      digest: sha256(content),
      counts: { rows: 2, added: 1, refused: 1, refusedByRule: { required: 1 } },
      refusedFiles: [
        { path: summary.refusedPath, sha256: sha256(`${HEADER},bob,h\n`), encrypted: false },
        { path: summary.reasonsPath, encrypted: false },
      ],
      refusedUntil: null,
    })
    expect(load?.endedAt).not.toBeNull()
    expect((await list()).out).toContain('users.csv')
    expect(JSON.parse((await list('--json', '--id', String(load?.id))).out)).toEqual(load)
    expect((await list('--id', '999')).code).toBe(1)
  })

  test('has a load that failed', async () => {
    await database.owner.query(
      `create function legacy.no() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
      create trigger no before insert on legacy.users for each row execute function legacy.no()`,
    )
    const { code } = await runLoad(database.url, await files.file('users.csv', `${HEADER}1,ann,h\n`))
    expect(code).toBe(1)
    expect(await listed()).toMatchObject([{ state: 'failed', counts: {}, digest: null }])
  })

  test('has a load that was killed, and knows one that is alive', async () => {
    const rows = Array.from({ length: 300_000 }, (_, at) => `${at},u${at},h\n`).join('')
    const path = await files.file('users.csv', `${HEADER}${rows}`)
    await database.owner.query("insert into legacy.users (id, login) values ('x', 'x')")
    // It waits for us before it has copied anything.
    await database.owner.query('begin; lock table legacy.users in access exclusive mode')
    const child = startCommand(['load', path], { DATABASE_URL: database.url })
    const state = async () => (await listed())[0]?.state
    await expect.poll(state, { timeout: 30_000 }).toBe('running')
    child.kill('SIGKILL')
    await expect.poll(state, { timeout: 30_000 }).toBe('killed')
    await database.owner.query('commit')
  })

  test('is safe to open in a spreadsheet', async () => {
    await runLoad(database.url, await files.file('=cmd|x.csv', `${HEADER}1,ann,h\n`))
    const { out } = await list('--csv')
    expect(out.split('\r\n')[1]).toContain(`,"'=cmd|x.csv",`)
  })

  test('is there for an account that only loads', async () => {
    const url = `${database.url}&options=-c%20role%3Dcarryover_load`
    const { code } = await runLoad(url, await files.file('users.csv', `${HEADER}1,ann,h\n`), '--source', 'a')
    expect(code).toBe(0)
    const again = await runLoad(
      url,
      await files.file('users.csv', `${HEADER}7,ann,h2\n`),
      '--source',
      'b',
      '--key',
      'login',
    )
    expect(again.summary).toMatchObject({ changed: 1 })
    expect((await listed()).map(({ state, source }) => [state, source])).toEqual([
      ['done', 'b'],
      ['done', 'a'],
    ])
  })
})

describe('refused rows that are encrypted', () => {
  const content = `${HEADER}1,ann,h\n${Array.from({ length: 5_000 }, (_, at) => `,login-${at},secret-hash-${at}\n`).join('')}`
  const refused = content.replace('1,ann,h\n', '')

  test('open with the key, and stand nowhere in the clear', async () => {
    const identity = await generateIdentity()
    const path = await files.file('users.csv', content)
    const { summary } = await runLoad(
      database.url,
      path,
      '--refused-key',
      await identityToRecipient(identity),
    )
    expect(summary.refusedPath).toBe(path.replace('.csv', '.refused.csv.age'))
    const bytes = await readFile(summary.refusedPath)
    expect(((await stat(summary.refusedPath)).mode & 0o777).toString(8)).toBe('600')
    const decrypter = new Decrypter()
    decrypter.addIdentity(identity)
    expect(await decrypter.decrypt(bytes, 'text')).toBe(refused)
    const names = await readdir(files.directory)
    expect(names.sort()).toEqual(['users.csv', 'users.refused.csv.age', 'users.refused.txt'])
    expect(await readFile(join(files.directory, 'users.refused.txt'), 'utf8')).not.toContain('secret-hash')
    const [load] = await listed()
    expect(load?.refusedFiles[0]).toEqual({
      path: summary.refusedPath,
      sha256: sha256(bytes),
      encrypted: true,
    })
  })

  const hasAge = spawnSync('age', ['--version']).status === 0
  test.skipIf(!hasAge)('open with age itself, for each of several keys in a file', async () => {
    const identities = ['a', 'b'].map((name) => join(files.directory, `${name}.key`))
    for (const name of identities) execFileSync('age-keygen', ['-o', name], { stdio: 'ignore' })
    const recipients = identities.map((name) => execFileSync('age-keygen', ['-y', name]).toString())
    const to = await files.file('keys.txt', `# who reads them\n${recipients.join('\n')}`)
    const path = await files.file('users.csv', content)
    const { summary } = await runLoad(database.url, path, '--refused-to', to)
    for (const name of identities) {
      const { stdout } = await promisify(execFile)('age', ['-d', '-i', name, summary.refusedPath])
      expect(stdout).toBe(refused)
    }
  })

  test('leave nothing behind when the load fails', async () => {
    const recipient = await identityToRecipient(await generateIdentity())
    const path = await files.file('users.csv', content)
    await database.owner.query(
      `create function legacy.no() returns trigger language plpgsql as $$ begin raise 'no'; end $$;
      create trigger no before insert on legacy.users for each row execute function legacy.no()`,
    )
    expect((await runLoad(database.url, path, '--refused-key', recipient)).code).toBe(1)
    expect(await readdir(files.directory)).toEqual(['users.csv'])
  })
})

describe('refused rows that are due', () => {
  const overdue = () =>
    database.owner.query(`update carryover.loads set refused_until = now() - interval '1 second'`)
  const loadOne = async () =>
    (await runLoad(database.url, await files.file('users.csv', `${HEADER},ann,h\n`), '--refused-days', '30'))
      .summary

  test('are kept until then', async () => {
    const { refusedPath } = await loadOne()
    const [load] = await listed()
    const days = (Date.parse(load?.refusedUntil ?? '') - Date.parse(load?.startedAt ?? '')) / 86_400_000
    expect(Math.round(days)).toBe(30)
    expect(JSON.parse((await list('--expire', '--json')).out)).toEqual({ deleted: 0, changed: 0, absent: 0 })
    expect(existsSync(refusedPath)).toBe(true)
  })

  test('are deleted, and then nobody looks for them any more', async () => {
    const { refusedPath, reasonsPath } = await loadOne()
    await overdue()
    expect(JSON.parse((await list('--expire', '--json')).out)).toEqual({ deleted: 2, changed: 0, absent: 0 })
    expect([existsSync(refusedPath), existsSync(reasonsPath)]).toEqual([false, false])
    expect(JSON.parse((await list('--expire', '--json')).out)).toEqual({ deleted: 0, changed: 0, absent: 0 })
  })

  test('stay when somebody has changed them', async () => {
    const { refusedPath, reasonsPath } = await loadOne()
    await writeFile(refusedPath, `${HEADER}1,ann,h\n`)
    await overdue()
    expect((await list('--expire')).out).toBe(
      '1 files deleted; 1 were changed since and stay; 0 are not here\n',
    )
    expect([existsSync(refusedPath), existsSync(reasonsPath)]).toEqual([true, false])
  })

  test('are deleted by the next load', async () => {
    const { refusedPath } = await loadOne()
    await overdue()
    await runLoad(database.url, await files.file('other.csv', `${HEADER}1,ann,h\n`))
    expect(existsSync(refusedPath)).toBe(false)
  })
})
