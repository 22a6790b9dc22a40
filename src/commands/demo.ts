import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import papa from 'papaparse'
import { readConfig } from '../config.ts'
import { type Counts, readCounts } from '../db/counts.ts'
import { startEmbedded } from '../db/embedded.ts'
import type { UserHistory } from '../db/history.ts'
import { migrateDatabase } from '../db/migrate.ts'
import { createLog } from '../log.ts'
import { startService } from '../main.ts'
import type { Command, ExitCode, Io } from './command.ts'
import { formatCounts, withDatabase } from './counts.ts'
import { load } from './load.ts'
import { readOptions, table } from './options.ts'

/** demo/ stands beside both src/ and dist/. */
const USERS = fileURLToPath(new URL('../../demo/legacy-users.csv', import.meta.url))

/** A row of the demo's file: besides what `load` reads, what will be typed and what Okta should then be told. */
interface DemoUser {
  readonly login: string
  readonly email: string
  readonly cohort: string
  readonly typed_password: string
  readonly expected: string
}

export const demo: Command = {
  name: 'demo',
  synopsis: '[--once]',
  summary: 'first sign-ins on Okta, played with real parts on this machine',
  help: `Starts a PostgreSQL of its own, loads demo/legacy-users.csv, starts the service, lets every user of the file sign in
once over HTTP and shows what Okta would have been told. Stays up until Ctrl-C.
--once   exit afterwards: 0 only if every sign-in got the verdict that the file says`,
  run: async (args, io) => {
    const { values } = readOptions(args, { once: { type: 'boolean' } })
    const server = await startEmbedded()
    try {
      const url = await server.database('carryover')
      await migrateDatabase(url)
      return await play(url, values.once === true, io)
    } finally {
      await server.stop()
    }
  },
}

async function play(url: string, once: boolean, io: Io): Promise<ExitCode> {
  io.out('1. The old store becomes the copy: carryover load demo/legacy-users.csv\n')
  const loaded = await load.run([USERS, '--drop', 'typed_password,expected'], {
    ...io,
    env: { DATABASE_URL: url },
  })
  if (loaded !== 0) return 1
  const before = await withDatabase(url, readCounts)

  const secret = `Bearer ${randomBytes(32).toString('base64url')}`
  const token = randomBytes(32).toString('base64url')
  const config = readConfig(
    {
      HOOKS_LISTEN: once ? '127.0.0.1:0' : '127.0.0.1:8080',
      ADMIN_LISTEN: once ? '127.0.0.1:0' : '127.0.0.1:8081',
      ...io.env,
      ADMIN_TOKENS: token,
      OKTA_HOOK_SECRETS: secret,
      LOG_LEVEL: 'error',
    },
    url,
  )
  const service = await startService({ ...config, warnings: [] }, createLog('error'))
  try {
    const okta = oktaAt(service.hooksUrl, secret)
    const users = papa.parse<DemoUser>(await readFile(USERS, 'utf8'), {
      header: true,
      skipEmptyLines: true,
    }).data
    const admin = adminAt(service.adminUrl, token)
    const right = await signIns(users, okta, admin, io)
    await confirmations(users, okta, io)
    await registrations(users, okta, io)
    const after = await admin<Counts>('/counts')
    io.out(`\n5. Who is still unmigrated\n\nbefore\n${formatCounts(before)}\nafter\n${formatCounts(after)}`)
    if (once) return right ? 0 : 1
    io.out(invitation(service.hooksUrl, service.adminUrl, secret, token))
    await new Promise<void>((done) => io.stop.addEventListener('abort', () => done(), { once: true }))
    return right ? 0 : 1
  } finally {
    await service.stop()
  }
}

type Okta = (path: string, body: object) => Promise<{ status: number; body: string }>

type Admin = <Answer>(path: string) => Promise<Answer>

function adminAt(base: string, token: string): Admin {
  return async <Answer>(path: string) => {
    const response = await fetch(`${base}${path}`, { headers: { authorization: `Bearer ${token}` } })
    return (await response.json()) as Answer
  }
}

/** What Okta does: POST with the configured Authorization header. */
function oktaAt(base: string, secret: string): Okta {
  return async (path, body) => {
    const response = await fetch(`${base}${path}`, {
      method: 'POST',
      headers: { authorization: secret, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: response.status, body: await response.text() }
  }
}

async function signIns(users: readonly DemoUser[], okta: Okta, admin: Admin, io: Io): Promise<boolean> {
  io.out('\n2. Every user signs in on Okta once; Okta asks POST /okta/password-import\n\n')
  const rows: string[][] = [['login', 'cohort', 'Okta is told', 'ms', 'on record']]
  let right = true
  for (const user of users) {
    const started = performance.now()
    const { status, body } = await okta(
      '/okta/password-import',
      passwordImport(user.login, user.typed_password),
    )
    const millis = String(Math.round(performance.now() - started))
    const told =
      status === 200 ? (/"(VERIFIED|UNVERIFIED)"/.exec(body)?.[1] ?? 'nothing') : `status ${status}`
    const { history } = await admin<UserHistory>(`/users/${encodeURIComponent(user.login)}`)
    const recorded = history[0] === undefined ? 'nothing' : `${history[0].verdict}, ${history[0].scheme}`
    rows.push([
      user.login,
      user.cohort,
      told,
      millis,
      told === user.expected ? recorded : `expected ${user.expected}`,
    ])
    right &&= told === user.expected
  }
  io.out(`${table(rows)}\n`)
  return right
}

async function confirmations(users: readonly DemoUser[], okta: Okta, io: Io): Promise<void> {
  const stored = users.filter(({ expected, cohort }) => expected === 'VERIFIED' && cohort === 'retail')
  const events = stored.map(({ login }) => ({
    uuid: `demo-${randomBytes(8).toString('hex')}`,
    eventType: 'user.import.password',
    outcome: { result: 'SUCCESS' },
    target: [{ type: 'User', alternateId: login }],
  }))
  const { status } = await okta('/okta/events', { eventType: 'com.okta.event_hook', data: { events } })
  io.out(
    `\n3. Okta confirms that it stored ${events.length} passwords of the cohort retail: POST /okta/events is answered ${status}\n`,
  )
}

async function registrations(users: readonly DemoUser[], okta: Okta, io: Io): Promise<void> {
  const unmigrated =
    users.find(({ expected, email }) => expected === 'UNVERIFIED' && email !== '')?.email ?? ''
  io.out('\n4. Two people register; Okta asks POST /okta/registration\n\n')
  for (const email of [unmigrated, 'somebody.new@example.com']) {
    const { body } = await okta('/okta/registration', {
      eventType: 'com.okta.user.pre-registration',
      requestType: 'self.service.registration',
      data: { userProfile: { login: email, email } },
    })
    io.out(`${email}: ${/"(ALLOW|DENY)"/.exec(body)?.[1] ?? 'nothing'}\n`)
  }
}

function passwordImport(username: string, password: string): object {
  return {
    eventId: randomBytes(12).toString('base64url'),
    eventType: 'com.okta.user.credential.password.import',
    data: {
      context: {
        request: { id: `demo-${randomBytes(6).toString('hex')}` },
        credential: { username, password },
      },
    },
  }
}

function invitation(hooks: string, admin: string, secret: string, token: string): string {
  const body = JSON.stringify(passwordImport('ada.lovelace@example.com', 'Analytical-Engine-1843'))
  return `
The service stays up until Ctrl-C.

hooks  ${hooks}
admin  ${admin}

curl -s ${hooks}/okta/password-import \\
  -H 'Authorization: ${secret}' -H 'Content-Type: application/json' \\
  -d '${body}'

curl -s ${admin}/counts -H 'Authorization: Bearer ${token}'
`
}
