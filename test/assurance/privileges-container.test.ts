import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hash as argon2 } from 'argon2'
import { hashSync as bcrypt } from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import { type Container, hindrance, startContainer } from '../deploy/confinement.ts'
import { argumentsOf, forNode } from '../deploy/dockerfile.ts'
import { allowed, measured } from '../helpers/assurance.ts'
import { expectNoPlanted, plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin } from '../helpers/process.ts'
import { caller, passwordImport, SECOND_SECRET, SECRET, TOKEN } from '../helpers/service.ts'
import { loadUsers, md5 } from '../helpers/users.ts'

const left = hindrance()
const CONTAINER_USER = 10_001
/** Of the image, without the path of node: flags, then the program. */
const [, ...entry] = argumentsOf('ENTRYPOINT')
const flags = forNode(entry.slice(0, -1))
const program = entry.at(-1) ?? ''

const people = [
  {
    login: 'argon@example.com',
    password: 'Right-argon-pa55word',
    hash: (text: string) => argon2(text, { memoryCost: 4_096 }),
  },
  {
    login: 'blow@example.com',
    password: 'Right-blow-pa55word',
    hash: async (text: string) => bcrypt(text, 6),
  },
  {
    login: 'plain@example.com',
    password: 'Right-digest-pa55word',
    hash: async (text: string) => md5(text),
    scheme: 'md5',
  },
]

let scratch: string
let image: string
let secrets: string
let db: TestDatabase
let accounts: readonly string[]
let socket: string

// Said in the name, because a test that is left out says nothing else.
describe.skipIf(left !== undefined)(
  `in the container's limits${left === undefined ? '' : ` (${left})`}`,
  () => {
    beforeAll(async () => {
      scratch = mkdtempSync(join(tmpdir(), 'carryover-confined-'))
      image = join(scratch, 'image')
      secrets = join(scratch, 'secrets')
      chmodSync(scratch, 0o755)
      execFileSync(process.execPath, ['scripts/production-tree.mjs', image])
      db = await testDatabase()
      await loadUsers(
        db.url,
        await Promise.all(
          people.map(async ({ login, password, hash, scheme }) => {
            plant(password)
            const stored = { id: login, login, password_hash: await hash(password) }
            return scheme === undefined ? stored : { ...stored, hash_scheme: scheme }
          }),
        ),
      )
      const name = new URL(db.url.replace('@/', '@socket/')).pathname.slice(1)
      const roles = ['hooks', 'admin', 'purge']
      accounts = roles.map((role) => `confined_${role}_${name}`)
      for (const [at, role] of roles.entries())
        await db.owner.query(`create user ${accounts[at]} in role carryover_${role}`)
      // It lies in a directory that only the server's own account may enter; in the container it lies in another one.
      socket = join(inject('socketDirectory'), '.s.PGSQL.5432')
      chmodSync(socket, 0o777)
      mkdirSync(secrets)
      for (const [at, role] of roles.entries())
        writeSecret(`${role}-database-url`, `postgresql://${accounts[at]}@/${name}?host=/run/postgresql\n`)
      writeSecret('admin-tokens', `${TOKEN}\n`)
      writeSecret('okta-hook-secrets', `${SECRET}\n`)
      writeSecret('generic-hook-secrets', `${SECOND_SECRET}\n`)
      writeSecret('probe.mjs', PROBE)
      writeSecret('thread.mjs', THREAD)
      chownSync(secrets, CONTAINER_USER, CONTAINER_USER)
      chmodSync(secrets, 0o500)
    }, 180_000)

    afterAll(async () => {
      await db.owner.query(`drop user ${accounts.join(', ')}`)
      await db.drop()
      rmSync(scratch, { recursive: true, force: true })
    })

    test(
      'people sign in by two dialects, administrators look, SIGTERM ends it, and nothing is written',
      allowed(180_000, 180_000),
      async () => {
        const before = listing(image)
        const container = startContainer({
          scratch,
          image,
          secrets,
          socket,
          args: [...flags, program, 'serve'],
          environment: {
            HOOKS_DATABASE_URL_FILE: '/run/secrets/hooks-database-url',
            ADMIN_DATABASE_URL_FILE: '/run/secrets/admin-database-url',
            PURGE_DATABASE_URL_FILE: '/run/secrets/purge-database-url',
            ADMIN_TOKENS_FILE: '/run/secrets/admin-tokens',
            OKTA_HOOK_SECRETS_FILE: '/run/secrets/okta-hook-secrets',
            GENERIC_HOOK_SECRETS_FILE: '/run/secrets/generic-hook-secrets',
            HOOKS_LISTEN: '127.0.0.1:0',
            ADMIN_LISTEN: '127.0.0.1:0',
            CHECK_MEMORY_MIB: '128',
            NODE_ENV: 'production',
            NODE_OPTIONS: '',
          },
        })
        const { output, started, ended } = watch(container)
        const { hooks, admin: looking } = await started
        const pid = container.pid()
        const status = readFileSync(`/proc/${pid}/status`, 'utf8')
        const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1]
        expect(field('Uid')?.split('\t')).toEqual(Array(4).fill(String(CONTAINER_USER)))
        expect(['CapPrm', 'CapEff', 'CapInh', 'CapBnd', 'CapAmb'].map(field)).toEqual(
          Array(5).fill('0'.repeat(16)),
        )
        expect([field('NoNewPrivs'), field('NSpid')?.split('\t').at(-1)]).toEqual(['1', '1'])
        expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m)

        const post = caller(hooks)
        const postGeneric = caller(hooks, SECOND_SECRET)
        for (const { login, password } of people) {
          for (const [typed, verdict] of [
            [password, 'VERIFIED'],
            [`${password}!`, 'UNVERIFIED'],
          ] as const) {
            plant(typed)
            const { status, text } = await post(
              '/okta/password-import',
              passwordImport(login, typed, `${login} ${verdict}`),
            )
            expect([status, text.includes(`"${verdict}"`)], login).toEqual([200, true])
          }
          const { status, json } = await postGeneric('/verify', {
            identifier: login,
            password,
            purpose: 'login',
          })
          expect([status, json.verdict], login).toEqual([200, 'match'])
        }
        for (const path of ['/counts', '/metrics', '/openapi.json', '/users/argon@example.com', '/readyz'])
          expect((await admin(looking, path)).status, path).toBe(200)
        expect(output()).not.toContain('"event":"argon2-library"')
        expect(output()).not.toContain('"event":"lanes-off"')

        const written = readdirSync(`/proc/${pid}/root/tmp`)
        const peak = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
        const threads = readdirSync(`/proc/${pid}/task`).length
        measured({
          part: 'privileges',
          requirement: 'R-65',
          what: 'in the limits of the container: files written, threads (at most 128), MiB at most (of 512)',
          wanted: '0 files, 128 threads, 512 MiB',
          got: `${written.length} files, ${threads} threads, ${Math.ceil(peak / 1024)} MiB`,
        })
        process.kill(pid, 'SIGTERM')
        expect(await ended).toBe(0)
        expect(output()).toContain('"event":"stopped"')
        expect(written).toEqual([])
        expect(listing(image)).toEqual(before)
        expect(threads).toBeLessThanOrEqual(128)
        expectNoPlanted('the output', output())
      },
    )

    test("whoever runs code in the service finds Node's doors shut", async () => {
      const container = startContainer({
        scratch,
        image,
        secrets,
        socket,
        args: [...flags, '/run/secrets/probe.mjs'],
      })
      const { output, ended } = watch(container)
      expect(await ended, output()).toBe(0)
      const found = JSON.parse(output().slice(output().indexOf('{')))
      const denied = 'ERR_ACCESS_DENIED'
      const expected = {
        'write /tmp': denied,
        'write /app': denied,
        'write /run/secrets': denied,
        'read /etc/passwd': denied,
        'read /proc/self/environ': denied,
        'read the library directory': denied,
        'start a process': denied,
        'start node': denied,
        'open the debugger': denied,
        'write a report': denied,
        'write a heap snapshot': denied,
        'make code of text': 'EvalError',
        'reach the prototype': 'undefined',
        'write the mask of core dumps': 'done',
        'a thread of the service writes /tmp': denied,
      }
      measured({
        part: 'privileges',
        requirement: 'R-66',
        what: `what the permission model refuses, Node ${process.version}`,
        wanted: '12 refused',
        got: `${Object.values(found).filter((answer) => answer === denied).length} refused`,
      })
      expect(found).toEqual(expected)
    })

    test('without the permission model the file system is shut all the same', async () => {
      const container = startContainer({ scratch, image, secrets, socket, args: ['/run/secrets/probe.mjs'] })
      const { output, ended } = watch(container)
      expect(await ended, output()).toBe(0)
      expect(JSON.parse(output().slice(output().indexOf('{')))).toMatchObject({
        'write /app': 'EROFS',
        'write /run/secrets': 'EROFS',
        'read /etc/passwd': 'ENOENT',
        'start a process': 'ENOENT',
      })
    })
  },
)

/** Tries what a thief would, and prints what came of it. */
const PROBE = `
import { spawnSync, execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import inspector from 'node:inspector'
import v8 from 'node:v8'
const outcome = (work) => {
  try {
    const made = work()
    if (made?.error) throw made.error
    return made === undefined ? 'done' : String(made)
  } catch (error) { return error.code ?? error.name }
}
const { threadStarter } = await import('/app/dist/checker/thread.js')
const ofThread = await new Promise((done) => {
  const thread = threadStarter({}, new URL('file:///run/secrets/thread.mjs'))({
    ready: (answer) => done(answer), answered: () => {}, ended: () => done('gone') })
})
const report = {
  'write /tmp': outcome(() => writeFileSync('/tmp/x', 'x')),
  'write /app': outcome(() => writeFileSync('/app/x', 'x')),
  'write /run/secrets': outcome(() => writeFileSync('/run/secrets/x', 'x')),
  'read /etc/passwd': outcome(() => void readFileSync('/etc/passwd')),
  'read /proc/self/environ': outcome(() => void readFileSync('/proc/self/environ')),
  'read the library directory': outcome(() => void readdirSync('/usr/lib')),
  'start a process': outcome(() => spawnSync('/bin/sh', ['-c', 'true'])),
  'start node': outcome(() => void execFileSync(process.execPath, ['--version'])),
  'open the debugger': outcome(() => { inspector.open(0, '127.0.0.1'); inspector.close() }),
  'write a report': outcome(() => void process.report.writeReport('/tmp/report.json')),
  'write a heap snapshot': outcome(() => void v8.writeHeapSnapshot('/tmp/x.heapsnapshot')),
  'make code of text': outcome(() => void new Function('return 1')()),
  'reach the prototype': typeof Object.getOwnPropertyDescriptor(Object.prototype, '__proto__'),
  'write the mask of core dumps': outcome(() => writeFileSync('/proc/self/coredump_filter', '0')),
  'a thread of the service writes /tmp': ofThread,
}
process.stdout.write(JSON.stringify(report), () => process.exit(0))
`

const THREAD = `
import { writeFileSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'
let answer = 'done'
try { writeFileSync('/tmp/thread', 'x') } catch (error) { answer = error.code }
parentPort.postMessage({ kind: 'ready', slowness: answer })
`

function writeSecret(name: string, text: string): void {
  const path = join(secrets, name)
  writeFileSync(path, text, { mode: 0o400 })
  chownSync(path, CONTAINER_USER, CONTAINER_USER)
}

function watch({ child }: Container) {
  let text = ''
  let told: (addresses: { hooks: string; admin: string }) => void
  const ended = new Promise<number | string>((done) =>
    child.once('close', (code, signal) => done(code ?? signal ?? 'gone')),
  )
  const started = new Promise<{ hooks: string; admin: string }>((done, failed) => {
    told = done
    ended.then((end) => failed(new Error(`it ended (${end}): ${text}`)))
  })
  started.catch(() => {}) // a probe never starts anything
  const read = (chunk: Buffer) => {
    text += chunk.toString()
    const line = text.split('\n').find((line) => line.includes('"event":"started"') && line.endsWith('}'))
    if (line !== undefined) told(JSON.parse(line))
  }
  child.stdout?.on('data', read)
  child.stderr?.on('data', read)
  return { output: () => text, started, ended }
}

/** Every file of a directory with its size and the moment of its last change. */
function listing(directory: string): string[] {
  return execFileSync('find', [directory, '-printf', '%P %s %T@\n'], { encoding: 'utf8', maxBuffer: 2 ** 26 })
    .split('\n')
    .sort()
}
