import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Why a container's limits cannot be made here; undefined: they can. */
export function hindrance(): string | undefined {
  if (process.platform !== 'linux') return 'namespaces are a matter of Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  try {
    execFileSync('unshare', ['--mount', '--pid', '--fork', 'mount', '--make-rprivate', '/'], {
      stdio: 'ignore',
    })
    execFileSync('setpriv', ['--version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'needs unshare, mount and setpriv'
  }
}

/**
 * The root of the file system as the image has it: the program under /app, node, the libraries that node needs, and neither a
 * shell nor a password file. Read-only but for /tmp. node is process 1, of an account without rights.
 * $1 an empty directory, $2 what the image holds, $3 the directory that becomes /run/secrets, $4 node, $5 the socket of a
 * PostgreSQL; then node's arguments.
 */
const CONTAINER = `set -eu
root=$1 image=$2 secrets=$3 node=$4 socket=$5
shift 5
mount --make-rprivate /
mount -t tmpfs -o size=1m,mode=755 tmpfs "$root"
cd "$root"
mkdir -p app nodejs/bin usr/lib proc tmp run/secrets run/postgresql etc/carryover dev
mount --bind "$image" app
mount --bind "$secrets" run/secrets
touch run/postgresql/.s.PGSQL.5432
mount --bind "$socket" run/postgresql/.s.PGSQL.5432
touch nodejs/bin/node usr/setpriv dev/null dev/urandom
mount --bind "$node" nodejs/bin/node
mount --bind "$(command -v setpriv)" usr/setpriv
mount --bind /dev/null dev/null
mount --bind /dev/urandom dev/urandom
mount --bind /usr/lib usr/lib
for name in lib lib64; do
  if [ -L "/$name" ]; then cp -a "/$name" "$name"; elif [ -d "/$name" ]; then mkdir "$name"; mount --bind "/$name" "$name"; fi
done
if [ -d /usr/lib64 ]; then mkdir usr/lib64; mount --bind /usr/lib64 usr/lib64; fi
for place in app run/secrets nodejs/bin/node usr/lib; do mount -o remount,bind,ro "$root/$place"; done
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t tmpfs -o size=16m,mode=1777,noexec,nosuid,nodev tmpfs tmp
mount -o remount,ro "$root"
ulimit -c 0
exec prlimit --core=0 --nproc=128 chroot "$root" /usr/setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \\
  --bounding-set=-all --inh-caps=-all /nodejs/bin/node "$@"
`

export interface ContainerOptions {
  /** An existing directory of the test's own. */
  readonly scratch: string
  /** What lies at /app. */
  readonly image: string
  /** What lies at /run/secrets: readable by account 10001 alone. */
  readonly secrets: string
  /** Of PostgreSQL: /run/postgresql/.s.PGSQL.5432. */
  readonly socket: string
  /** A node, of this machine. */
  readonly node?: string
  /** After the name of the program. */
  readonly args: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export interface Container {
  /** Of unshare, which waits for node and ends as it ends. */
  readonly child: ChildProcess
  /** node's, as this machine sees it. */
  pid(): number
}

/** Starts node as the image would. `memory.max` is set where this machine has a controller that lets us. */
export function startContainer(options: ContainerOptions): Container {
  const root = join(options.scratch, 'root')
  mkdirSync(root, { recursive: true })
  const group = memoryGroup()
  const child = spawn(
    'unshare',
    [
      '--mount',
      '--pid',
      '--ipc',
      '--uts',
      '--fork',
      '--kill-child',
      'sh',
      '-c',
      `${group === undefined ? '' : `echo $$ > ${group}/cgroup.procs\n`}${CONTAINER}`,
      'container',
      root,
      options.image,
      options.secrets,
      options.node ?? process.execPath,
      options.socket,
      ...options.args,
    ],
    { env: { PATH: process.env.PATH, ...options.environment }, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  process.once('exit', () => child.kill('SIGKILL'))
  child.once('exit', () => {
    // The kernel lets go of a group a moment after its last process.
    if (group !== undefined) setTimeout(() => rmGroup(group), 200).unref()
  })
  return {
    child,
    pid: () => Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim()),
  }
}

/** 512 MiB, as compose.yaml and the manifests have it. */
export const MEMORY_BYTES = 512 * 2 ** 20

function memoryGroup(): string | undefined {
  const parent = '/sys/fs/cgroup/memory'
  if (!existsSync(join(parent, 'memory.limit_in_bytes'))) return undefined
  const group = join(parent, `carryover-test-${process.pid}-${Math.random().toString(36).slice(2)}`)
  try {
    mkdirSync(group)
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(MEMORY_BYTES))
    return group
  } catch {
    rmSync(group, { recursive: true, force: true })
    return undefined
  }
}

function rmGroup(group: string): void {
  try {
    execFileSync('rmdir', [group], { stdio: 'ignore' })
  } catch {
    // it goes with the machine
  }
}
