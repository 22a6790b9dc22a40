// Users to bring, an Okta that refuses some of them and fails now and then, and processes that are killed.
import { once } from 'node:events'
import type pg from 'pg'
import { openTarget } from '../../src/config-targets.ts'
import type { PlanReport } from '../../src/provision/plan.ts'
import { okta } from '../../src/targets/okta.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { runCommand, startCommand } from '../helpers/process.ts'
import { type OktaOptions, type OktaSimulator, startOkta } from '../helpers/simulators/okta.ts'
import { createTestCall, type Faults } from '../helpers/simulators/server.ts'
import { loadUsers, md5 } from '../helpers/users.ts'
import { scratch } from '../load/helpers.ts'

/** What becomes of a user by its number; everybody else is created. */
export const fateOf = (at: number): 'created' | 'taken' | 'invalid-attribute' | 'left-out' => {
  switch (at % 500) {
    case 11:
      return 'taken'
    case 17:
      return 'invalid-attribute'
    case 23:
      return 'left-out'
    default:
      return 'created'
  }
}

const loginOf = (at: number) => `u${at}@example.com`

export interface Scene {
  readonly db: TestDatabase
  readonly server: OktaSimulator
  readonly env: Record<string, string>
  /** Calls at the same time, of one process. */
  readonly inFlight: number
  end(): Promise<void>
}

export interface SceneOptions extends Pick<OktaOptions, 'windowMs'> {
  readonly users: number
  /** Calls of a window that create; others are as many. */
  readonly limit: number
}

/** Half of the users have a hash that Okta reads, half of them one for the hook. Of some the login is taken already. */
export async function scene({ users, limit, windowMs }: SceneOptions): Promise<Scene> {
  const db = await testDatabase()
  const files = await scratch()
  const server = await startOkta({
    perMinute: { create: limit, change: limit, read: limit },
    hook: { url: 'https://127.0.0.1/' },
    ...(windowMs === undefined ? {} : { windowMs }),
  })
  const env = {
    DATABASE_URL: db.url,
    OKTA_PROVISION_URL: server.url,
    OKTA_PROVISION_TOKEN_FILE: await files.file('token', server.token),
    SECRET_FILE_MODE: '0444',
    OUTBOUND_CA_FILE: await files.file('ca.pem', server.ca),
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.0/8',
  }
  await loadUsers(
    db.url,
    Array.from({ length: users }, (_, at) => ({
      id: `id-${at}`,
      login: loginOf(at),
      email: loginOf(at),
      password_hash: md5(loginOf(at)),
      hash_scheme: at % 2 === 0 ? 'md5' : 'md5(md5($pass))',
      status: fateOf(at) === 'left-out' ? 'disabled' : 'active',
      profile: JSON.stringify({
        given_name: fateOf(at) === 'invalid-attribute' ? 'n'.repeat(51) : `Given${at}`,
        family_name: `Family${at}`,
      }),
    })),
  )
  await occupy(server, users)
  return {
    db,
    server,
    env,
    inFlight: openTarget(okta, env).target.inFlight,
    end: async () => {
      await server.close()
      await db.drop()
      await files.remove()
    },
  }
}

/** Somebody else has some of the logins. */
async function occupy(server: OktaSimulator, users: number) {
  const { call, close } = createTestCall(server.ca)
  for (let at = 0; at < users; at++) {
    if (fateOf(at) !== 'taken') continue
    const profile = { login: loginOf(at), email: loginOf(at), firstName: 'Some', lastName: 'One' }
    await call({
      method: 'POST',
      url: `${server.url}/api/v1/users?activate=false`,
      headers: { authorization: `SSWS ${server.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ profile }),
    })
  }
  close()
}

export async function planned({ env }: Scene, rate: number, share: number): Promise<PlanReport> {
  const args = ['--hashes', 'always', '--rate', `${rate}`, '--share', `${share}`, '--json']
  const { out } = await runCommand(['plan', 'okta', ...args], env)
  return JSON.parse(out)
}

export interface RunOptions {
  readonly plan: string
  readonly processes: number
  readonly kills: readonly { readonly after: number; readonly signal: 'SIGKILL' | 'SIGTERM' }[]
  readonly faults: Faults
  readonly random: () => number
  /**
   * After the last of them all processes are told to end, and what the dead have left is free at once instead of half a minute
   * later.
   */
  readonly hurried: boolean
}

/** What processes have done. */
export interface Run {
  /** From the start of the first one to the end of the last one. */
  readonly seconds: number
  /** Those who were hit at work, by signal. */
  readonly hit: Readonly<Record<'SIGKILL' | 'SIGTERM', number>>
  /** Exit codes of those who came to the end. */
  readonly codes: readonly (number | null)[]
  readonly err: string
}

interface Worker {
  signal(signal: 'SIGKILL' | 'SIGTERM'): void
  /** With the code, or null where it was killed. */
  readonly ended: Promise<number | null>
}

/** Works on a plan with several processes, one of which is ended after so many calls and begins anew at once. */
export async function workOn(scene: Scene, options: RunOptions): Promise<Run> {
  const { db, server, env } = scene
  const { plan, processes, kills, random } = options
  let err = ''
  const start = (): Worker => {
    const child = startCommand(['provision', plan, '--json'], env)
    const kill = () => child.kill('SIGKILL')
    process.once('exit', kill)
    child.stdout.resume()
    child.stderr.on('data', (chunk: Buffer) => {
      err += chunk.toString()
    })
    const ended = once(child, 'exit').then(([code]) => {
      process.off('exit', kill)
      return code as number | null
    })
    return { signal: (signal) => child.kill(signal), ended }
  }
  server.setFaults(options.faults)
  const began = performance.now()
  const workers = Array.from({ length: processes }, start)
  const hit = { SIGKILL: 0, SIGTERM: 0 }
  const before = server.count({ method: 'POST' })
  for (const { after, signal } of kills) {
    while (server.count({ method: 'POST' }) - before < after)
      await new Promise((later) => setTimeout(later, 20 * random()))
    const place = Math.floor(random() * processes)
    const victim = workers[place]
    if (victim === undefined) throw new Error('no such process')
    victim.signal(signal)
    const code = await victim.ended
    // By SIGTERM it ends by itself, with 1: not done.
    if (signal === 'SIGKILL' ? code === null : code === 1) hit[signal] += 1
    workers[place] = start()
  }
  if (options.hurried) {
    for (const { signal } of workers) signal('SIGTERM')
    for (const { ended } of workers) if ((await ended) === 1) hit.SIGTERM += 1
    // Those who end by themselves give everything back, so these are leases of the dead.
    await db.owner.query('update carryover.plan_items set lease_until = null where leased_by is not null')
    workers.splice(0, processes, ...Array.from({ length: processes }, start))
  }
  const codes = await Promise.all(workers.map(({ ended }) => ended))
  server.setFaults({})
  return { seconds: (performance.now() - began) / 1_000, hit, codes, err }
}

/** Every item by its state and reason. */
export async function fatesOf(owner: pg.Client, plan: string): Promise<Readonly<Record<string, number>>> {
  const { rows } = await owner.query<{ fate: string; users: number }>(
    `select case state when 'refused' then reason else state end as fate, count(*)::int as users
    from carryover.plan_items where plan = $1 group by 1 order by 1`,
    [plan],
  )
  return Object.fromEntries(rows.map(({ fate, users }) => [fate, users]))
}

/** Users at the target who are not there exactly once, or of whom the database says something else. */
export async function wrongUsers({ db, server }: Scene, users: number): Promise<readonly string[]> {
  const keys = new Map<unknown, string[]>()
  for (const { id, profile } of server.users())
    if (profile.legacyId !== undefined)
      keys.set(profile.legacyId, [...(keys.get(profile.legacyId) ?? []), id])
  const { rows } = await db.owner.query<{ user_id: string; target_id: string | null }>(
    'select user_id, target_id from carryover.provisioned',
  )
  const recorded = new Map<unknown, string[]>()
  for (const { user_id, target_id } of rows)
    recorded.set(user_id, [...(recorded.get(user_id) ?? []), target_id ?? ''])
  const expected = Array.from({ length: users }, (_, at) => at).filter((at) => fateOf(at) === 'created')
  const wrong = expected
    .map((at) => `id-${at}`)
    .filter((key) => {
      const [there, ...more] = keys.get(key) ?? []
      return there === undefined || more.length > 0 || recorded.get(key)?.join() !== there
    })
  const strangers = [...keys.keys(), ...recorded.keys()].filter((key) => !isExpected(key, users))
  return [...wrong, ...strangers.map(String)]
}

function isExpected(key: unknown, users: number): boolean {
  const at = typeof key === 'string' && key.startsWith('id-') ? Number(key.slice(3)) : Number.NaN
  return at < users && fateOf(at) === 'created'
}
