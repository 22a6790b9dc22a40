import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { CallFailure } from '../../src/outbound/call.ts'
import { type ReadLogDeps, type ReadTally, readLog } from '../../src/reconcile/read-log.ts'
import type { LoggedPassword } from '../../src/targets/confirmations.ts'
import { oktaConfirmations } from '../../src/targets/okta-log.ts'
import { RunHalt } from '../../src/targets/target.ts'
import { createSystemLog, type SystemLog, type SystemLogEntry } from '../helpers/simulators/okta-log.ts'
import { createTestCall, type SimulatorServer, startServer } from '../helpers/simulators/server.ts'

let server: SimulatorServer
let log: SystemLog
let test_: ReturnType<typeof createTestCall>
let accepted: readonly string[] = []
let status: number | null = null

beforeAll(async () => {
  server = await startServer({
    answer: (asked) => {
      accepted = [...accepted, asked.headers.authorization ?? '']
      if (status !== null) return { status, body: { errorCode: 'E0000011' } }
      return log.answer(asked) ?? { status: 404, body: { errorCode: 'E0000007' } }
    },
    faultAnswer: (code) => ({ status: code, body: { errorCode: 'E0000047' } }),
  })
  test_ = createTestCall(server.ca)
})
afterAll(async () => {
  test_.close()
  await server.close()
})
beforeEach(() => {
  log = createSystemLog(() => server.url)
  status = null
})

const entry = (at: number, change: Partial<SystemLogEntry> = {}): SystemLogEntry => ({
  uuid: `entry-${at}`,
  published: '2026-11-20T10:00:00.000Z',
  eventType: 'user.import.password',
  outcome: { result: 'SUCCESS' },
  target: [
    { id: 'app', type: 'AppInstance', alternateId: 'portal' },
    { id: `00u${at}`, type: 'User', alternateId: `u${at}@example.com` },
  ],
  ...change,
})

function reading(change: Partial<ReadLogDeps> = {}) {
  const kept = { position: null as string | null, known: new Set<string>(), taken: [] as LoggedPassword[] }
  const reader = oktaConfirmations.open({ URL: server.url, TOKEN: 'a-token', TOKEN_TYPE: 'SSWS' })
  const deps: ReadLogDeps = {
    log: reader,
    call: (asked) => test_.call({ ...asked, headers: { ...reader.headers, ...asked.headers } }),
    position: async () => kept.position,
    move: async (from, to) => {
      if (kept.position !== from) return false
      kept.position = to
      return true
    },
    confirm: async (passwords): Promise<ReadTally> => {
      const fresh = passwords.filter(({ eventId }) => !kept.known.has(eventId))
      for (const one of fresh) {
        kept.known.add(one.eventId)
        kept.taken.push(one)
      }
      const stored = fresh.filter(({ result }) => result === 'stored').length
      return {
        confirmed: stored,
        repeated: passwords.length - fresh.length,
        notStored: fresh.length - stored,
        unknown: 0,
      }
    },
    since: new Date('2026-11-01T00:00:00Z'),
    stop: new AbortController().signal,
    ...change,
  }
  return { kept, deps }
}

test('2,500 entries are three pages, and the next reading goes on behind them', async () => {
  log.add(...Array.from({ length: 2_500 }, (_, at) => entry(at)))
  const { kept, deps } = reading()
  expect(await readLog(deps)).toEqual({ confirmed: 2_500, repeated: 0, notStored: 0, unknown: 0 })
  expect(await readLog(deps)).toEqual({ confirmed: 0, repeated: 0, notStored: 0, unknown: 0 })
  log.add(entry(9_000))
  expect(await readLog(deps)).toEqual({ confirmed: 1, repeated: 0, notStored: 0, unknown: 0 })
  expect(kept.taken.at(-1)).toEqual({
    login: 'u9000@example.com',
    result: 'stored',
    eventId: 'entry-9000',
  })
  expect(new Set(accepted)).toEqual(new Set(['SSWS a-token']))
})

test.each([
  { title: 'an import that failed', change: { outcome: { result: 'FAILURE' } }, result: 'not-stored' },
  { title: 'a changed password', change: { eventType: 'user.account.update_password' }, result: 'stored' },
  { title: 'a reset password', change: { eventType: 'user.account.reset_password' }, result: 'stored' },
  {
    title: 'a change that failed',
    change: { eventType: 'user.account.update_password', outcome: { result: 'FAILURE' } },
    result: null,
  },
  { title: 'a sign-in', change: { eventType: 'user.session.start' }, result: null },
  { title: 'an entry without a user', change: { target: [] }, result: null },
  { title: 'an entry without an outcome', change: { outcome: undefined }, result: null },
  { title: 'an entry before the first day', change: { published: '2026-10-31T23:59:59Z' }, result: null },
])('$title is read as $result', async ({ change, result }) => {
  log.add(entry(1, change as Partial<SystemLogEntry>))
  const { kept, deps } = reading()
  await readLog(deps)
  expect(kept.taken).toEqual(result === null ? [] : [{ login: 'u1@example.com', result, eventId: 'entry-1' }])
})

test('an end between the ledger and the position loses nothing and counts nothing twice', async () => {
  log.add(...Array.from({ length: 1_200 }, (_, at) => entry(at)))
  const { kept, deps } = reading()
  const dying = { ...deps, move: () => Promise.reject(new Error('killed')) }
  await expect(readLog(dying)).rejects.toThrow('killed')
  expect(kept.taken).toHaveLength(1_000)
  expect(await readLog(deps)).toEqual({ confirmed: 200, repeated: 1_000, notStored: 0, unknown: 0 })
  expect(kept.taken).toHaveLength(1_200)
})

test('where somebody else has read on, the reading ends', async () => {
  log.add(...Array.from({ length: 3_000 }, (_, at) => entry(at)))
  const { deps } = reading({ move: async () => false })
  expect((await readLog(deps)).confirmed).toBe(1_000)
})

test('a position that is not known any more is begun anew from the first day', async () => {
  log.add(entry(1))
  const { kept, deps } = reading()
  await readLog(deps)
  log.forgetPositions()
  log.add(entry(2))
  expect(await readLog(deps)).toEqual({ confirmed: 1, repeated: 1, notStored: 0, unknown: 0 })
  expect(kept.taken.map(({ eventId }) => eventId)).toEqual(['entry-1', 'entry-2'])
})

test.each([
  { title: 'a refused token', answered: 401, error: new RunHalt('unauthorized', '401') },
  { title: 'a token without the right', answered: 403, error: new RunHalt('unauthorized', '403') },
  { title: 'an address of something else', answered: 404, error: new RunHalt('not-found', '404') },
  { title: 'a failure', answered: 500, error: new CallFailure('malformed') },
  { title: 'an answer of another shape', answered: 200, error: new CallFailure('malformed') },
])('$title ends the reading, and the position stays', async ({ answered, error }) => {
  const { kept, deps } = reading()
  status = answered
  await expect(readLog(deps)).rejects.toEqual(error)
  expect(kept.position).toBeNull()
})

test('a next page that leads elsewhere is not followed', async () => {
  const { deps } = reading()
  const astray: ReadLogDeps['call'] = async () => ({
    status: 200,
    headers: { link: '<https://elsewhere.example/api/v1/logs?after=1>; rel="next"' },
    text: '[]',
  })
  await expect(readLog({ ...deps, call: astray })).rejects.toEqual(new CallFailure('malformed'))
})

test.each([
  { title: 'plain http', settings: { URL: 'http://example.okta.com' } },
  { title: 'a path', settings: { URL: 'https://example.okta.com/api/v1' } },
  { title: 'a user in the address', settings: { URL: 'https://ann@example.okta.com' } },
  { title: 'no address', settings: { URL: 'example.okta.com' } },
  { title: 'another type of token', settings: { URL: 'https://example.okta.com', TOKEN_TYPE: 'Basic' } },
])('$title is refused', ({ settings }) => {
  expect(() => oktaConfirmations.open({ TOKEN: 'a-token', ...settings })).toThrow(
    /^(URL is not|TOKEN_TYPE: expected)/,
  )
})
