import { execFileSync, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbedded } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { caller, passwordImport } from '../helpers/service.ts'
import { cheapUsers, loadUsers } from '../helpers/users.ts'

const USERS = 2_000
/** Write-ahead log that never outgrows the little disk. */
const settings = ['max_wal_size=48MB', 'min_wal_size=32MB', 'shared_buffers=16MB', 'autovacuum=off']

// A file system of its own that is soon full. Only root may mount one; elsewhere nothing here is looked at.
const disk = mkdtempSync(join(tmpdir(), 'carryover-disk-'))
const mounted =
  process.platform === 'linux' &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=192m', 'tmpfs', disk]).status === 0

let server: EmbeddedPostgres
let service: ServiceProcess
let url: string
beforeAll(async () => {
  if (!mounted) return
  server = await startEmbedded({ directory: disk, settings })
  url = await server.database('carryover')
  await migrateDatabase(url)
  await loadUsers(url, cheapUsers(USERS))
  service = await startProcess(url)
})
afterAll(async () => {
  if (mounted) {
    service.child.kill('SIGTERM')
    await service.ended
    await server.stop()
    execFileSync('umount', [disk])
  }
  rmSync(disk, { recursive: true, force: true })
})

let calls = 0
async function signIn() {
  const id = calls++
  const login = `u${id % USERS}@example.com`
  const started = performance.now()
  const { status, text } = await caller(service.hooksUrl)(
    '/okta/password-import',
    passwordImport(login, `${login}?`, `disk-${id}`),
  )
  return { id: `request-disk-${id}`, status, text, millis: performance.now() - started }
}

const FILLER = join(disk, 'filler')
function fill(): void {
  const file = openSync(FILLER, 'w')
  const block = Buffer.alloc(64 * 1024, 1)
  try {
    for (;;) writeSync(file, block)
  } catch {
    // That was all.
  } finally {
    closeSync(file)
  }
}

async function asOwner<Row extends object>(statement: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Row>(statement)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

// Without root there is no disk that may be filled.
test.runIf(mounted)(
  'no verdict without a record when the disk is full, and verdicts again when there is room',
  allowed(60_000, 120_000),
  async () => {
    expect((await signIn()).status).toBe(200)
    fill()
    const answers: Awaited<ReturnType<typeof signIn>>[] = []
    // Until no page can be added any more; a new segment of the log takes more than is left.
    for (let round = 0; round < 200 && answers.every(({ status }) => status === 200); round++) {
      answers.push(...(await Promise.all(Array.from({ length: 20 }, signIn))))
      await asOwner('select pg_switch_wal()').catch(() => {})
    }
    const refused = await Promise.all(Array.from({ length: sized(50, 500) }, signIn))
    answers.push(...refused)
    expect((await fetch(`${service.adminUrl}/healthz`)).status).toBe(200)
    expect(refused.filter(({ status }) => status === 503).length).toBeGreaterThan(refused.length / 2)
    expect(answers.filter(({ status, text }) => status !== 200 && /VERIFIED/.test(text))).toEqual([])
    expect(answers.filter(({ millis }) => millis > sized(4_000, 2_500))).toEqual([])

    rmSync(FILLER)
    // A server that could not write its log has ended; whoever looks after it starts it again.
    if (
      !(await asOwner('select 1').then(
        () => true,
        () => false,
      ))
    ) {
      const socketDirectory = server.socketDirectory
      await server.stop()
      server = await startEmbedded({ directory: disk, socketDirectory, settings })
    }
    const roomAt = performance.now()
    while ((await signIn()).status !== 200 && performance.now() - roomAt < 15_000)
      await new Promise((later) => setTimeout(later, 50))
    const back = performance.now() - roomAt
    const recorded = new Set(
      (await asOwner<{ request_id: string }>('select request_id from carryover.outcomes')).map(
        ({ request_id }) => request_id,
      ),
    )
    const lost = answers.filter(({ id, status }) => status === 200 && !recorded.has(id))
    measured({
      part: 'faults',
      requirement: 'R-95',
      what: `the disk of the database is full: ${answers.length} sign-ins`,
      wanted: 'no verdict without a record, a verdict again within 2000 ms',
      got: `${answers.filter(({ status }) => status !== 200).length} answered 503, ${lost.length} verdicts without a record, a verdict after ${Math.round(back)} ms`,
    })
    expect(lost).toEqual([])
    expect(back).toBeLessThan(sized(15_000, 2_000))
  },
)
