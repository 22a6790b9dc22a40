import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbedded } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, delivery, importEvent, passwordImport, signUp } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

/** Okta's own limit is 3 s. */
const IN_TIME_MS = 2_500

let directory: string
let server: EmbeddedPostgres
let service: ServiceProcess
let url: string

// A PostgreSQL of its own, behind a socket directory that stays the same, because this one is hurt.
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryover-outage-'))
  server = await startEmbedded({ directory })
  url = await server.database('carryover')
  await migrateDatabase(url)
  await loadUsers(url, cheapUsers(20))
  service = await startProcess(url)
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  await server.stop()
  await rm(directory, { recursive: true, force: true })
})

const right = passwordImport('u1@example.com', 'u1@example.com?')
const calls: [string, object][] = [
  ['/okta/password-import', right],
  ['/okta/registration', signUp('u2@example.com')],
  ['/okta/registration', signUp('new@example.com')],
  ['/okta/events', delivery(importEvent('u3@example.com', 'e1'))],
]

async function timed(path: string, body: object) {
  const started = performance.now()
  const { status, text } = await caller(service.hooksUrl)(path, body)
  return { status, text, millis: performance.now() - started }
}

async function recovered(): Promise<void> {
  const until = performance.now() + 15_000
  let status = 0
  while (status !== 200 && performance.now() < until) {
    status = (await timed('/okta/password-import', right)).status
    if (status !== 200) await new Promise((later) => setTimeout(later, 100))
  }
  expect(status).toBe(200)
}

async function expectRefusals(): Promise<void> {
  for (const [path, body] of calls) {
    const { status, text, millis } = await timed(path, body)
    expect([path, status]).toEqual([path, 503])
    expect(text).not.toMatch(/VERIFIED|ALLOW|DENY|error/)
    expect(millis).toBeLessThan(IN_TIME_MS)
  }
  expect((await fetch(`${service.adminUrl}/healthz`)).status).toBe(200)
  expect((await fetch(`${service.adminUrl}/readyz`)).status).toBe(503)
}

describe('503 within the deadline, and back by itself, when the database', () => {
  test('is frozen', async () => {
    await recovered()
    const backends = await backendPids()
    for (const pid of backends) process.kill(pid, 'SIGSTOP')
    process.kill(server.pid, 'SIGSTOP')
    try {
      await expectRefusals()
      const burst = await Promise.all(
        Array.from({ length: 200 }, () => timed('/okta/password-import', right)),
      )
      expect(burst.filter(({ status, millis }) => status !== 503 || millis > IN_TIME_MS)).toEqual([])
    } finally {
      for (const pid of [...backends, server.pid]) process.kill(pid, 'SIGCONT')
    }
    await recovered()
  })

  test('locks the table', async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query('begin; lock table carryover.outcomes, legacy.users in access exclusive mode')
    await expectRefusalsOfAttempts()
    await client.query('rollback')
    await client.end()
    await recovered()
  })

  test('loses its connections', async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'carryover%'`,
    )
    await client.end()
    await recovered()
  })

  test('turns read-only, as after a failover', async () => {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query('alter database carryover set default_transaction_read_only = on')
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'carryover%'`,
    )
    await expectRefusalsOfAttempts()
    await client.query(
      'set default_transaction_read_only = off; alter database carryover reset default_transaction_read_only',
    )
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'carryover%'`,
    )
    await client.end()
    await recovered()
  })

  test('is gone, and comes back', async () => {
    const sockets = server.socketDirectory
    await server.stop()
    await expectRefusals()
    server = await startEmbedded({ directory, socketDirectory: sockets })
    await recovered()
  })
})

async function expectRefusalsOfAttempts(): Promise<void> {
  const { status, text, millis } = await timed('/okta/password-import', right)
  expect(status).toBe(503)
  expect(text).not.toContain('VERIFIED')
  expect(millis).toBeLessThan(IN_TIME_MS)
}

async function backendPids(): Promise<number[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ pid: number }>(
    `select pid from pg_stat_activity where application_name like 'carryover%'`,
  )
  await client.end()
  return rows.map(({ pid }) => pid)
}

test('the state of everybody is as it was answered', async () => {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(
    `select state, count(*)::int from carryover.users group by 1 order by 1`,
  )
  await client.end()
  expect(rows).toEqual([
    { state: 'unmigrated', count: 19 },
    { state: 'verified', count: 1 },
  ])
})
