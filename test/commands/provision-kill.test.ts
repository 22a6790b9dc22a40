import { once } from 'node:events'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { okta } from '../../src/targets/okta.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { startCommand } from '../helpers/process.ts'
import { type OktaSimulator, startOkta } from '../helpers/simulators/okta.ts'
import { plannedOffline, targetEnvironment } from '../helpers/target-environment.ts'
import { scratch } from '../load/helpers.ts'
import { statesOf, wrongCounts } from '../provision/simulated-target.ts'

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
let server: OktaSimulator
let env: Record<string, string>

const USERS = 900
const KILLS = 4

beforeEach(async () => {
  db = await testDatabase()
  files = await scratch()
  server = await startOkta({
    perMinute: { create: 1_000_000, change: 1_000_000, read: 1_000_000 },
    faults: { cutBefore: 2, cutAfter: 2, failed: 2 },
    latencyMs: 200,
  })
  env = await targetEnvironment('okta', server, db.url, files)
  await db.owner.query(
    `insert into legacy.users (id, login, email, password_hash, profile, updated_at)
    select n::text, 'user' || n || '@example.com', 'user' || n || '@example.com', 'x',
      '{"given_name": "Ann", "family_name": "Example"}', now() from generate_series(1, $1::int) n`,
    [USERS],
  )
  await db.owner.query(
    `insert into carryover.users (user_id, cohort, scheme, usable)
    select n::text, 'default', 'bcrypt', true from generate_series(1, $1::int) n`,
    [USERS],
  )
})

afterEach(async () => {
  await server.close()
  await db.drop()
  await files.remove()
})

const planned = () => plannedOffline(okta, env, '--hashes', 'never')

test('three processes, of which one is killed again and again, bring every user exactly once', async () => {
  const plan = await planned()
  let told = ''
  const start = () => {
    const child = startCommand(['provision', plan], env)
    child.stderr.on('data', (chunk: Buffer) => {
      told += chunk.toString()
    })
    const ended = once(child, 'exit').then(([code, signal]) => signal ?? code)
    return { child, ended }
  }
  const processes = [start(), start(), start()]
  let killed = 0
  for (const atLeast of Array.from({ length: KILLS }, (_, kill) => ((kill + 1) * USERS) / (KILLS + 2))) {
    await expect
      .poll(() => [...server.users()].length, { timeout: 60_000, interval: 20 })
      .toBeGreaterThan(atLeast)
    const victim = processes.shift()
    victim?.child.kill('SIGKILL')
    if ((await victim?.ended) === 'SIGKILL') killed += 1
    processes.push(start())
  }
  const ends = await Promise.all(processes.map(({ ended }) => ended))
  const states = await statesOf(db.owner, plan)
  expect(states, told).toEqual({ created: USERS })
  expect(ends).toEqual([0, 0, 0])
  expect(killed).toBe(KILLS)
  expect([...server.users()]).toHaveLength(USERS)
  expect(await wrongCounts(db.owner, plan)).toEqual([])
  const { rows } = await db.owner.query<{ there: number; keys: number }>(
    'select count(*)::int as there, count(distinct target_id)::int as keys from carryover.provisioned',
  )
  expect(rows).toEqual([{ there: USERS, keys: USERS }])
}, 240_000)
