import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand } from '../helpers/process.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'
import { scratch } from '../load/helpers.ts'

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

test('the built program plans, brings what it has planned, and then has nothing to do', async () => {
  await loadUsers(db.url, cheapUsers(3))
  const env = { DATABASE_URL: db.url, GENERIC_PROVISION_FILE: join(files.directory, 'out.jsonl') }
  const planned = async () => {
    const { code, out, err } = await runCommand(['plan', 'generic', '--hashes', 'always', '--json'], env)
    expect(code, err).toBe(0)
    return JSON.parse(out)
  }
  const first = await planned()
  expect(first).toMatchObject({ users: 3, toDo: 3, findings: [] })
  const done = await runCommand(['provision', first.plan, '--json'], env)
  expect(done.code, done.err).toBe(0)
  const lines = await readFile(join(files.directory, `out.${first.plan}.jsonl`), 'utf8')
  expect(lines.trim().split('\n')).toHaveLength(3)
  expect(await planned()).toMatchObject({ users: 3, toDo: 0 })
  // The copy changes, and the plan no longer holds.
  const second = await planned()
  await loadUsers(db.url, cheapUsers(4))
  const refused = await runCommand(['provision', second.plan], env)
  expect([refused.code, refused.err]).toEqual([expect.any(Number), expect.stringContaining('the copy')])
  expect(refused.code).not.toBe(0)
  expect(await planned()).toMatchObject({ users: 4, toDo: 1 })
})
