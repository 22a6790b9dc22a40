import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { reconcile } from '../../src/commands/reconcile.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { startProcess } from '../helpers/process.ts'
import { createSystemLog, type SystemLog } from '../helpers/simulators/okta-log.ts'
import { type SimulatorServer, startServer } from '../helpers/simulators/server.ts'
import { until } from '../helpers/until.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

/** Not a token of anybody. */
const TOKEN = 'simulated-reading-token-0123456789abcdef'

let db: TestDatabase
let server: SimulatorServer
let log: SystemLog
let directory: string
let env: Record<string, string>
/** Users of the provider by login. */
let users: Map<string, { status: string; provider: string }>
let status: number | null

beforeAll(async () => {
  server = await startServer({
    answer: (asked) => {
      if (status !== null) return { status, body: { errorCode: 'E0000011' } }
      if (asked.headers.authorization !== `SSWS ${TOKEN}`)
        return { status: 401, body: { errorCode: 'E0000011' } }
      const listed = log.answer(asked)
      if (listed !== null) return listed
      const login = /^\/api\/v1\/users\/([^/]+)$/.exec(asked.path)?.[1]
      const user = users.get(decodeURIComponent(login ?? ''))
      if (user === undefined) return { status: 404, body: { errorCode: 'E0000007' } }
      return {
        status: 200,
        body: {
          id: '00u1',
          status: user.status,
          credentials: { password: {}, provider: { type: user.provider, name: user.provider } },
        },
      }
    },
    faultAnswer: (code) => ({ status: code, body: { errorCode: 'E0000047' } }),
  })
  directory = mkdtempSync(join(tmpdir(), 'carryover-reconcile-'))
  writeFileSync(join(directory, 'token'), TOKEN)
  chmodSync(join(directory, 'token'), 0o600)
  writeFileSync(join(directory, 'ca.pem'), server.ca)
})
afterAll(async () => {
  await server.close()
  rmSync(directory, { recursive: true })
})
beforeEach(async () => {
  db = await testDatabase()
  await loadUsers(db.url, cheapUsers(6))
  status = null
  log = createSystemLog(() => server.url)
  users = new Map(cheapUsers(6).map(({ login }) => [login, { status: 'ACTIVE', provider: 'IMPORT' }]))
  env = {
    DATABASE_URL: db.url,
    OKTA_RECONCILE_URL: server.url,
    OKTA_RECONCILE_TOKEN_FILE: join(directory, 'token'),
    OUTBOUND_CA_FILE: join(directory, 'ca.pem'),
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.1',
  }
  return () => db.drop()
})

const run = (...args: string[]) => heard((io) => reconcile.run(args, io), { env })

const imported = (at: number, result = 'SUCCESS') => ({
  uuid: `entry-${at}-${result}`,
  published: new Date().toISOString(),
  eventType: 'user.import.password',
  outcome: { result },
  target: [{ id: `00u${at}`, type: 'User', alternateId: `U${at}@example.com` }],
})

async function states(): Promise<string> {
  const { rows } = await db.owner.query<{ states: string }>(
    `select string_agg(left(state, 1), '' order by user_id) as states from carryover.users`,
  )
  return rows[0]?.states ?? ''
}

test('what the log says of passwords is in the ledger, once, and the next reading goes on behind it', async () => {
  log.add(imported(0), imported(1, 'FAILURE'), imported(2), imported(99))
  expect(await run('okta', '--sample', '0')).toEqual({
    code: 0,
    err: '',
    out: 'log: 2 confirmed, 0 known already, 1 not stored, 1 of nobody in the copy\n',
  })
  expect(await states()).toBe('mumuuu')
  log.add(imported(3))
  const again = await run('okta', '--sample', '0', '--json')
  expect(JSON.parse(again.out)).toEqual({
    target: 'okta',
    read: { confirmed: 1, repeated: 0, notStored: 0, unknown: 0 },
    compared: null,
  })
  const { rows } = await db.owner.query(
    `select dialect, hook, verdict, count(*)::int as times from carryover.outcomes group by 1, 2, 3 order by 3`,
  )
  expect(rows).toEqual([
    { dialect: 'okta', hook: 'reconcile', verdict: 'confirmed', times: 3 },
    { dialect: 'okta', hook: 'reconcile', verdict: 'not-stored', times: 1 },
  ])
})

test('who has a password of their own is corrected, and where provider and ledger differ both are told', async () => {
  log.add(imported(0), imported(1))
  users.set('u1@example.com', { status: 'ACTIVE', provider: 'OKTA' })
  users.set('u2@example.com', { status: 'ACTIVE', provider: 'OKTA' })
  users.set('u3@example.com', { status: 'RECOVERY', provider: 'OKTA' })
  users.delete('u4@example.com')
  const done = await run('okta', '--all')
  expect(done.code).toBe(1)
  expect(done.out.split('\n')).toEqual([
    'log: 2 confirmed, 0 known already, 0 not stored, 0 of nobody in the copy',
    '6 users asked about, 1 of them corrected to migrated',
    'ledger says  provider says              users  ids',
    'migrated     will ask us                1      id-0',
    'migrated     has a password of its own  1      ',
    'unmigrated   has no such user           1      id-4',
    'unmigrated   will ask us                1      ',
    'unmigrated   has a password of its own  1      id-2',
    'unmigrated   cannot tell                1      id-3',
    '',
  ])
  expect(await states()).toBe('mmmuuu')
  const { rows } = await db.owner.query(`select sum(migrated)::int as migrated from carryover.counts`)
  expect(rows).toEqual([{ migrated: 3 }])
})

test.each([
  { title: 'a refused token', answered: 401, code: 'unauthorized' },
  { title: 'another address', answered: 404, code: 'not-found' },
  { title: 'a redirect', answered: 302, code: 'redirect' },
])('$title is told by a word, and nothing of the token', async ({ answered, code }) => {
  status = answered
  expect(await run('okta')).toEqual({
    code: 1,
    out: '',
    err: `carryover reconcile: the provider could not be asked (${code}); what was read so far holds\n`,
  })
})

test('an address that is not allowed is not called', async () => {
  env.OUTBOUND_ALLOW_ADDRESSES = ''
  const before = server.count()
  expect((await run('okta')).err).toContain('forbidden-address')
  expect(server.count()).toBe(before)
})

test.each([
  { title: 'no target', args: [], message: /expected TARGET/ },
  { title: 'a target without a log', args: ['ory'], message: /TARGET is one of okta/ },
  {
    title: 'a sample of words',
    args: ['okta', '--sample', 'many'],
    message: /--sample takes a whole number/,
  },
])('$title is not understood', async ({ args, message }) => {
  await expect(run(...args)).rejects.toThrow(message)
})

test('serve reads the log by itself, and goes on where the provider fails', async () => {
  log.add(imported(0))
  const service = await startProcess(db.url, { ...env, RECONCILE_EVERY_SECONDS: '1' })
  await until(async () => (await states()) === 'muuuuu')
  status = 500
  await until(async () => service.output().includes('"event":"reconcile-failed"'))
  status = null
  log.add(imported(1))
  await until(async () => (await states()) === 'mmuuuu')
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  expect(service.output().match(/"event":"reconciled"/g)).toHaveLength(2)
  expect(service.output()).not.toContain(TOKEN)
})
