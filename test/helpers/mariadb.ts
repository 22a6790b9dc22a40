import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { type Connection, createConnection } from 'mysql2/promise'

export const hasMariadb =
  spawnSync('mariadbd', ['--version']).status === 0 && spawnSync('which', ['mariadb-install-db']).status === 0

export interface TestMariadb {
  /** Of an account that may do everything in the database `old`. */
  readonly url: string
  readonly owner: Connection
  /** A connection string of an account that was given these rights. */
  account(name: string, password: string, rights: string): Promise<string>
  stop(): Promise<void>
}

/** A server of the caller's own, in a directory of its own, that listens on a socket alone. */
export async function startMariadb(): Promise<TestMariadb> {
  const directory = await mkdtemp(join(tmpdir(), 'cm-'))
  const [data, socket] = [join(directory, 'data'), join(directory, 's')]
  const user = `--user=${userInfo().username}`
  execFileSync(
    'mariadb-install-db',
    [
      '--no-defaults',
      `--datadir=${data}`,
      user,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
    ],
    { stdio: 'ignore' },
  )
  const server = spawn(
    'mariadbd',
    [
      '--no-defaults',
      `--datadir=${data}`,
      user,
      `--socket=${socket}`,
      '--skip-networking',
      `--pid-file=${directory}/pid`,
    ],
    { stdio: 'ignore' },
  )
  const kill = () => server.kill('SIGKILL')
  process.once('exit', kill)
  const owner = await connected(socket)
  await owner.query('create database old; use old')
  const urlOf = (name: string, password: string) =>
    `mysql://${name}${password === '' ? '' : `:${encodeURIComponent(password)}`}@localhost/old?socket=${encodeURIComponent(socket)}`
  return {
    url: urlOf('root', ''),
    owner,
    account: async (name, password, rights) => {
      await owner.query(
        `create user ${name}@localhost identified by '${password}'; grant ${rights} on old.* to ${name}@localhost`,
      )
      return urlOf(name, password)
    },
    stop: async () => {
      const ended = new Promise((done) => server.once('exit', done))
      await owner.end()
      server.kill('SIGTERM')
      await ended
      process.off('exit', kill)
      await rm(directory, { recursive: true })
    },
  }
}

async function connected(socketPath: string): Promise<Connection> {
  for (let waited = 0; ; waited++) {
    try {
      return await createConnection({ socketPath, user: 'root', multipleStatements: true })
    } catch (error) {
      if (waited === 300) throw error
      await new Promise((later) => setTimeout(later, 100))
    }
  }
}
