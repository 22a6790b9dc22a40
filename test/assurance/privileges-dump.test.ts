import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { ACCOUNTS, as, makeAccounts } from '../deploy/accounts.ts'
import { measured } from '../helpers/assurance.ts'

/** pg_dump and a server of one version, as Debian installs them: the npm package of PostgreSQL brings no pg_dump. */
function installed(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).filter((name) => Number(name) >= 14) : []
  return versions
    .map((version) => join(root, version, 'bin'))
    .find((bin) => ['pg_dump', 'initdb', 'postgres'].every((name) => existsSync(join(bin, name))))
}

const bin = installed()
/** Stands where a hash stands. */
const HASH = '$2b$10$canary-of-the-dump-0123456789abcdefghijklmnopqrs'

let directory: string
let url: string
let server: ChildProcess

describe.skipIf(bin === undefined)('pg_dump (needs root, and PostgreSQL in /usr/lib/postgresql)', () => {
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'carryover-dump-'))
    const account = { uid: idOf('nobody', 2), gid: idOf('nobody', 3) }
    chownSync(directory, account.uid, account.gid)
    const data = join(directory, 'data')
    execFileSync(
      join(bin ?? '', 'initdb'),
      ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '-N'],
      {
        ...account,
        cwd: directory,
        stdio: 'ignore',
      },
    )
    const settings = ['listen_addresses=', `unix_socket_directories=${directory}`, 'fsync=off'].flatMap(
      (one) => ['-c', one],
    )
    server = spawn(join(bin ?? '', 'postgres'), ['-D', data, ...settings], {
      ...account,
      cwd: directory,
      stdio: 'ignore',
    })
    url = `postgresql://postgres@/postgres?host=${encodeURIComponent(directory)}`
    const owner = await connected(url)
    await makeAccounts(owner)
    await migrateDatabase(as(ACCOUNTS.migrate, url))
    await owner.query('insert into legacy.users (id, login, password_hash, salt) values ($1, $1, $2, $2)', [
      '1',
      HASH,
    ])
    await owner.query(
      `insert into carryover.users (user_id, cohort, scheme, usable) values ('1', 'default', 'bcrypt', true)`,
    )
    await owner.end()
  })
  afterAll(async () => {
    const ended = new Promise((done) => server.once('exit', done))
    server.kill('SIGINT')
    await ended
    rmSync(directory, { recursive: true, force: true })
  })

  test('the owner has the hash in the dump; nobody of the service has', () => {
    expect(dump(ACCOUNTS.migrate).text.includes(HASH)).toBe(true)
    const attempts = [ACCOUNTS.admin, ACCOUNTS.hooks, ACCOUNTS.purge].flatMap((account) =>
      [
        [],
        ['--schema=carryover'],
        ['--table=carryover.users', '--table=carryover.counts'],
        ['--table=legacy.users'],
      ].map((options) => ({ account, options, ...dump(account, options) })),
    )
    const held = attempts.filter(({ text }) => text.includes(HASH))
    measured({
      part: 'privileges',
      requirement: 'R-68',
      what: `pg_dump by the accounts of the service, ${attempts.length} ways`,
      wanted: '0 hashes',
      got: `${held.length} dumps with a hash`,
    })
    expect(held).toEqual([])
    // What administrators may read, they can dump; everything else ends pg_dump, the sequence of the outcomes too.
    const dumped = attempts.filter(({ status }) => status === 0)
    expect(dumped.map(({ account, options }) => [account, ...options])).toEqual([
      [ACCOUNTS.admin, '--table=carryover.users', '--table=carryover.counts'],
    ])
    expect(dumped[0]?.text).toContain('bcrypt')
  })
})

function dump(account: string, options: readonly string[] = []): { status: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync(
    join(bin ?? '', 'pg_dump'),
    ['--host', directory, '--username', account, '--dbname', 'postgres', ...options],
    { encoding: 'utf8' },
  )
  return { status, text: stdout + stderr }
}

function idOf(name: string, field: 2 | 3): number {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`))
  return Number(line?.split(':')[field])
}

async function connected(connectionString: string): Promise<pg.Client> {
  for (;;) {
    const client = new pg.Client({ connectionString })
    try {
      await client.connect()
      return client
    } catch {
      await new Promise((later) => setTimeout(later, 50)) // the test's own limit ends this
    }
  }
}
