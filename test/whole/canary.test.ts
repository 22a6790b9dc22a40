import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import pg from 'pg'
import { expect, test } from 'vitest'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrateDatabase } from '../../src/db/migrate.ts'
import { disguises } from '../helpers/canaries.ts'
import { everyRow } from '../helpers/db.ts'
import { admin, runCommand, startProcess } from '../helpers/process.ts'
import { caller, passwordImport, SECRET, TOKEN } from '../helpers/service.ts'
import { loadUsers } from '../helpers/users.ts'

const PASSWORD = 'zQ7-Canary"pässwort\\1'
const WRONG = 'Wr0ng-canary-guess'

test('passwords, hashes and secrets stand nowhere but where they belong', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'carryover-canary-'))
  const server = await startEmbedded({
    directory,
    settings: [
      'logging_collector=on',
      'log_directory=log',
      'log_min_duration_statement=0',
      'log_statement=all',
      'log_error_verbosity=verbose',
    ],
  })
  const url = await server.database('carryover')
  await migrateDatabase(url)
  const hash = bcrypt.hashSync(PASSWORD, 4)
  await loadUsers(url, [
    { id: '1', login: 'ann@example.com', password_hash: hash },
    { id: '2', login: 'odd@example.com', password_hash: `{ODD}${hash}` },
  ])
  const service = await startProcess(url, { LOG_LEVEL: 'debug' })
  const answers: string[] = []
  const say = async (path: string, body: unknown, secret = SECRET, headers: Record<string, string> = {}) => {
    const { text } = await caller(service.hooksUrl, secret)(path, body, headers)
    answers.push(text)
    return text
  }
  const import_ = '/okta/password-import'

  expect(await say(import_, passwordImport('ann@example.com', PASSWORD))).toContain('"VERIFIED"')
  await say(import_, passwordImport('ann@example.com', WRONG))
  await say(import_, passwordImport('odd@example.com', PASSWORD))
  await say(import_, passwordImport('nobody@example.com', PASSWORD))
  await say(import_, passwordImport(PASSWORD, WRONG)) // typed into the wrong field
  await say(import_, `${PASSWORD} is no JSON`)
  await say(import_, `{"data": "${PASSWORD.slice(0, 10)}`)
  await say(import_, passwordImport({ [PASSWORD]: PASSWORD }, [PASSWORD]))
  await say(import_, { eventType: PASSWORD, [PASSWORD]: PASSWORD })
  await say(import_, {
    ...passwordImport('ann@example.com', PASSWORD),
    eventId: PASSWORD,
    padding: PASSWORD.repeat(5_000),
  })
  await say(import_, passwordImport('ann@example.com', PASSWORD), `Bearer ${PASSWORD}`)
  await say(import_, passwordImport('ann@example.com', PASSWORD), SECRET, {
    'content-encoding': PASSWORD.replace(/[^ -~]/g, ''),
  })
  await say(import_, {
    ...passwordImport('ann@example.com', PASSWORD),
    data: {
      context: {
        request: { id: `${PASSWORD}\n` },
        credential: { username: 'ann@example.com', password: WRONG },
      },
    },
  })
  await say('/okta/registration', {
    eventType: 'com.okta.user.pre-registration',
    data: { userProfile: { login: 'new@example.com', password: PASSWORD } },
  })
  await say('/okta/events', {
    data: {
      events: [
        {
          eventType: 'user.import.password',
          outcome: { result: 'SUCCESS' },
          target: [{ type: 'User', alternateId: 'nobody' }],
          password: PASSWORD,
        },
      ],
    },
  })
  await abandoned(service.hooksUrl, JSON.stringify(passwordImport('ann@example.com', PASSWORD)))
  const tried = await runCommand(['try', 'ann@example.com'], { DATABASE_URL: url }, `${PASSWORD}\n`)
  expect([tried.code, tried.out]).toEqual([0, 'match: the stored hash (bcrypt) is of this password\n'])
  const typo = await runCommand(['try', 'ann@example.com', `--password=${PASSWORD}`], { DATABASE_URL: url })
  for (const path of [
    '/counts',
    '/users/ann@example.com',
    '/users/odd@example.com',
    `/users/${encodeURIComponent(PASSWORD)}`,
    '/metrics',
    '/nothing',
  ]) {
    answers.push((await admin(service.adminUrl, path)).text)
  }

  // With the database gone in the middle of it.
  const owner = new pg.Client({ connectionString: url })
  await owner.connect()
  const tables = await everyRow(owner)
  await owner.query(
    `alter table carryover.outcomes add constraint refuses check (verdict <> 'mismatch') not valid`,
  )
  await say(import_, passwordImport('ann@example.com', WRONG))
  await owner.query('alter table carryover.outcomes drop constraint refuses')
  await owner.query('alter function carryover.find_users(text[], interval) rename to gone')
  await say(import_, passwordImport('ann@example.com', PASSWORD))
  await owner.end()
  service.child.kill('SIGTERM')
  await service.ended
  await server.stop()

  const serverLog = (
    await Promise.all(
      (
        await readdir(join(directory, 'data', 'log'))
      ).map((name) => readFile(join(directory, 'data', 'log', name), 'utf8')),
    )
  ).join('\n')
  await rm(directory, { recursive: true, force: true })
  const commands = tried.out + tried.err + typo.out + typo.err
  const places = {
    'the log of the service': service.output(),
    answers: answers.join('\n'),
    tables,
    'the log of PostgreSQL': serverLog,
    commands,
  }

  // The search can find: each place holds something that is meant to be there.
  expect(places['the log of the service']).toContain('"event":"attempt"')
  expect(places.answers).toContain('UNVERIFIED')
  expect(places.tables).toContain(hash)
  expect(places['the log of PostgreSQL']).toContain('record_outcomes')
  expect(disguises(PASSWORD).some((form) => `x${PASSWORD}y`.includes(form))).toBe(true)

  const typedAsLogin = ['the log of PostgreSQL'] // a login is looked up by name, and log_statement=all shows parameters
  for (const [place, text] of Object.entries(places)) {
    const found = [...(typedAsLogin.includes(place) ? [] : disguises(PASSWORD)), ...disguises(WRONG)].filter(
      (form) => text.includes(form),
    )
    expect(found.length, `${place} holds a password`).toBe(0)
    for (const secret of [SECRET, TOKEN]) expect(text.includes(secret), `${place} holds a secret`).toBe(false)
    if (place !== 'tables' && place !== 'the log of PostgreSQL')
      expect(text.includes(hash.slice(7)), `${place} holds a hash`).toBe(false)
  }
})

/** A caller that hangs up in the middle of the body. */
function abandoned(base: string, body: string): Promise<void> {
  const { hostname, port } = new URL(base)
  return new Promise((gone) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST /okta/password-import HTTP/1.1\r\nHost: x\r\nAuthorization: ${SECRET}\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n${body}`,
      )
      setTimeout(() => socket.destroy(), 50)
    })
    socket.on('close', () => gone())
    socket.on('error', () => gone())
  })
}
