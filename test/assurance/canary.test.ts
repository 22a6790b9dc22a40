import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { hashSync as argon2 } from '@node-rs/argon2'
import { hashSync as bcrypt } from 'bcryptjs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbedded } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { canaryForms, canaryFormsIn, mintCanaries } from '../helpers/canaries.ts'
import { type Answered, mixedCalls } from '../helpers/canary-calls.ts'
import { everyRow } from '../helpers/db.ts'
import { admin, BIN, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { SECOND_SECRET } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const CALLS = sized(400, 10_000)
const AT_ONCE = 16
/** In every login of this file, and nowhere else. */
const LOGINS = `login${randomBytes(4).toString('hex')}`

/** The users' passwords are canaries too. */
const users = mintCanaries(30).map((password, at) => ({
  id: `id-${at}`,
  login: `${at}@${LOGINS}.example`,
  password,
  ...[
    { password_hash: md5(password), hash_scheme: 'md5' },
    { password_hash: bcrypt(password, 4) },
    { password_hash: argon2(password, { memoryCost: 1_024, timeCost: 1 }) },
  ][at % 3],
}))

let directory: string
let server: EmbeddedPostgres
let url: string
let owner: pg.Client
let service: ServiceProcess
const answers: string[] = []
const seen = new Map<string, Set<number | string>>()

// A PostgreSQL of its own, which logs every statement with its parameters.
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryover-canaries-'))
  server = await startEmbedded({
    directory,
    settings: [
      'logging_collector=on',
      'log_directory=log',
      'log_statement=all',
      'log_min_duration_statement=0',
      'log_error_verbosity=verbose',
    ],
  })
  url = await server.database('carryover')
  await migrateDatabase(url)
  await loadUsers(
    url,
    users.map(({ password: _, ...user }) => user),
  )
  owner = new pg.Client({ connectionString: url })
  owner.on('error', () => {})
  await owner.connect()
  service = await startProcess(
    url,
    { LOG_LEVEL: 'debug', GENERIC_HOOK_SECRETS: SECOND_SECRET, DIAGNOSE_MISMATCHES: 'on' },
    { command: [process.execPath, BIN, 'serve'], cwd: await mkdtemp(join(directory, 'cwd-')) },
  )
}, 60_000)
afterAll(async () => {
  service?.child.kill('SIGKILL')
  await server?.stop()
  await rm(directory, { recursive: true, force: true })
})

/** `count` calls, some of each kind, each with a password of its own; valid ones with their user's. */
async function mixed(count: number): Promise<void> {
  const passwords = mintCanaries(count)
  let next = 0
  const caller = async () => {
    for (let at = next++; at < count; at = next++) {
      const shape = mixedCalls[at % mixedCalls.length]
      if (shape === undefined) return
      const { kind, known, send } = shape
      const user = users[Math.floor(at / mixedCalls.length) % users.length]
      const stranger = `${at}-nobody@${LOGINS}.example`
      const answer =
        known && user
          ? await send(service.hooksUrl, user.login, user.password)
          : await send(service.hooksUrl, stranger, passwords[at] ?? '')
      keep(kind, answer)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, caller))
}

function keep(kind: string, { status, text }: Answered): void {
  answers.push(text)
  seen.set(kind, (seen.get(kind) ?? new Set()).add(status))
}

test('the search finds every disguise of a canary', () => {
  const [canary = ''] = mintCanaries(1)
  const bytes = Buffer.from(canary)
  const disguised: Record<string, string | Buffer> = {
    raw: canary,
    'Latin-1': Buffer.from(canary, 'latin1'),
    'UTF-16LE': Buffer.from(canary, 'utf16le'),
    'UTF-16BE': Buffer.from(canary, 'utf16le').swap16(),
    hex: bytes.toString('hex'),
    'upper-case hex': bytes.toString('hex').toUpperCase(),
    base64: bytes.toString('base64'),
    'base64, one byte on': Buffer.from(`x${canary}y`).toString('base64'),
    'base64, two bytes on': Buffer.from(`xx${canary}yy`).toString('base64'),
    base64url: Buffer.from(`xx${canary}yy`).toString('base64url'),
    'of a URL': encodeURIComponent(canary),
    JSON: JSON.stringify(canary),
    reversed: [...canary].reverse().join(''),
    'first eight': canary.slice(0, 8),
    'last eight': canary.slice(-8),
  }
  const missed = Object.entries(disguised).filter(
    ([, text]) =>
      canaryFormsIn(Buffer.concat([Buffer.from('before '), Buffer.from(text), Buffer.from(' after')])) === 0,
  )
  expect(missed.map(([name]) => name)).toEqual([])
  expect(canaryFormsIn('a text without any, of ordinary words and "quotes" + signs')).toBe(0)
})

describe('passwords of thousands of mixed calls', () => {
  test(
    'are sent in calls of every kind, in outages and while the service stops',
    allowed(60_000, 300_000),
    async () => {
      await mixed(Math.round(CALLS * 0.5))
      // Calm until here: each kind has got its own answer, or a refusal where the machine is busy.
      expect(
        Object.fromEntries(
          [...seen].map(([kind, statuses]) => [
            kind,
            [...statuses].filter((status) => status !== 429 && status !== 503),
          ]),
        ),
      ).toEqual({
        valid: [200],
        wrong: [200],
        'another dialect': [200],
        'HTTP Basic in place of the secret': [401],
        'no JSON': [400],
        'cut JSON': [400],
        'wrong types': [400],
        'a field of that name': [400],
        'too large': [413],
        'too large, in chunks': [413],
        'another content type': [415],
        'in the path': [404],
        'in the query': [200],
        'not HTTP': [400],
        'aborted in the body': ['gone'],
        // Sometimes the answer was faster.
        'aborted before the answer': expect.arrayContaining(['gone']),
      })
      expect(answers.filter((text) => text.includes('"VERIFIED"')).length).toBeGreaterThan(0)
      // Statements fail, and say which row.
      await owner.query(
        `alter table carryover.outcomes add constraint refuses check (verdict = 'none') not valid`,
      )
      await mixed(Math.round(CALLS * 0.1))
      await owner.query('alter table carryover.outcomes drop constraint refuses')
      // Connections are lost under way.
      const losing = mixed(Math.round(CALLS * 0.2))
      for (let times = 0; times < 5; times++) {
        await owner.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'carryover%'`,
        )
        await pause(20)
      }
      await losing
      expect(seen.get('valid')).toContain(503)
      for (const path of ['/metrics', '/counts', `/users/0@${LOGINS}.example`, '/readyz'])
        answers.push((await admin(service.adminUrl, path)).text)
    },
  )

  test('stand nowhere', allowed(60_000, 300_000), async () => {
    const stopping = mixed(Math.round(CALLS * 0.2))
    await pause(sized(50, 500))
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    await stopping
    const tables = await everyRow(owner)
    await owner.end()
    await server.stop()

    const log = service.output()
    const places = new Map<string, number>()
    places.set('output', canaryFormsIn(log))
    places.set('answers and metrics', canaryFormsIn(answers.join('\n')))
    places.set('tables', canaryFormsIn(tables))
    // Heap, WAL and the log of PostgreSQL, and whatever the service has left in its own directory.
    let bytes = 0
    for (const file of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue
      const content = await readFile(join(file.parentPath ?? file.path, file.name))
      bytes += content.length
      const found = canaryFormsIn(content)
      const kind = /cwd-/.test(file.parentPath)
        ? 'files of the service'
        : /\/(log|pg_wal|base)(\/|$)/.exec(file.parentPath)?.[1]
      places.set(kind ?? 'other', (places.get(kind ?? 'other') ?? 0) + found)
    }
    measured({
      part: 'canary',
      requirement: 'R-30',
      what: `passwords of ${CALLS} mixed calls, in ${canaryForms.length} forms, in output, answers, metrics, tables, heap and WAL files, the log of PostgreSQL (${Math.round(bytes / 2 ** 20)} MiB)`,
      wanted: '0 hits',
      got: `${[...places.values()].reduce((sum, found) => sum + found, 0)} hits`,
    })
    expect(Object.fromEntries(places)).toEqual({
      output: 0,
      'answers and metrics': 0,
      tables: 0,
      base: 0,
      log: 0,
      pg_wal: 0,
      other: 0,
    })
    // Logins stand in the copy and in its log, and not in ours.
    expect([log.includes(LOGINS), tables.includes(LOGINS)]).toEqual([false, true])
    expect(log).toContain('"userId":"id-1"')
  })
})
