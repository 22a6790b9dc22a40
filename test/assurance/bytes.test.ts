import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createHooksApp } from '../../src/app.ts'
import type { Dialect } from '../../src/dialects/dialect.ts'
import { dialects } from '../../src/dialects/index.ts'
import type { Verdict } from '../../src/domain.ts'
import { LARGEST_BODY } from '../../src/hooks/body.ts'
import { hookRoutes } from '../../src/hooks/routes.ts'
import { type Call, listen } from '../../src/http.ts'
import { measured } from '../helpers/assurance.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { policiesFor } from '../helpers/dialects.ts'
import { defaultsOf, fakeFlows, verdicts } from '../helpers/flows.ts'
import { type ServiceProcess, startProcess } from '../helpers/process.ts'
import { passwordImport, SECRET } from '../helpers/service.ts'
import { isFailure, rawPost, timedConnection, withoutDate } from '../helpers/timed.ts'
import {
  addRefused,
  loginOf,
  prepareRefused,
  REFUSALS,
  type RefusedClass,
  refusedClasses,
} from './refused.ts'

const question = { login: 'ann', password: 'Right-pa55word', requestId: null, echo: { nonce: 'n-1' } }

/** What the real listener sends for each verdict, by the verdict's kind. */
async function sentFor(dialect: Dialect, own: Record<string, string>): Promise<Map<Verdict['kind'], string>> {
  let verdict: Verdict = verdicts.mismatch
  const { flows, log, metrics } = fakeFlows()
  const settings = { ...defaultsOf(dialect), ...own }
  const policies = policiesFor(new Map([[dialect.name, [SECRET]]]), { own: settings })
  const routes = hookRoutes([dialect], policies, flows).map((route) => {
    const { hook } = route
    if (hook.flow !== 'attempt') return route
    return {
      ...route,
      knows: async () => true,
      answer: async (call: Call) => {
        // A connection is not kept when a body was left unread.
        await call.body(LARGEST_BODY)
        return hook.answer(verdict, question)
      },
    }
  })
  const listener = await listen(createHooksApp(routes, { log, metrics }), {
    address: { host: '127.0.0.1', port: 0 },
    headersWithin: 2_000,
    requestWithin: 4_000,
    maxConnections: 8,
  })
  const [path = ''] = routes.flatMap(({ hook }) => (hook.flow === 'attempt' ? [hook.path] : []))
  const connection = timedConnection(listener.url)
  const sent = new Map<Verdict['kind'], string>()
  for (verdict of Object.values(verdicts)) {
    const { text } = await connection.ask(rawPost(path.replace('*', 'ann'), {}, {}))
    sent.set(verdict.kind, withoutDate(text))
  }
  connection.end()
  await listener.close(0)
  return sent
}

/** Settings that make a dialect say more than no, and how many different answers that are. */
const moreThanNo: readonly { dialect: string; own: Record<string, string>; answers: number }[] = [
  { dialect: 'generic', own: { REFUSAL_REASONS: 'on' }, answers: 3 },
  { dialect: 'entra', own: { BLOCK_DISABLED: 'on' }, answers: 2 },
]

describe('whatever the verdict, a no is one string of bytes', () => {
  test.each(dialects)('$name', async (dialect) => {
    const sent = await sentFor(dialect, {})
    const yes = sent.get('match') ?? ''
    sent.delete('match')
    const different = new Set(sent.values())
    measured({
      part: 'timing',
      requirement: 'R-14',
      what: `${dialect.name}: answers to ${sent.size} verdicts that are a no`,
      wanted: '1 byte string',
      got: String(different.size),
    })
    expect(sent.size).toBe(Object.keys(verdicts).length - 1)
    expect([...different]).toHaveLength(1)
    expect([...different][0]).toMatch(/^HTTP\/1\.1 \d{3} /)
    expect(different.has(yes)).toBe(false)
  })

  test.each(moreThanNo)(
    'but $dialect where a setting asks for more: $own',
    async ({ dialect: name, own, answers }) => {
      const dialect = dialects.find((one) => one.name === name)
      if (dialect === undefined) throw new Error('no such dialect')
      const sent = await sentFor(dialect, own)
      sent.delete('match')
      expect(new Set(sent.values()).size).toBe(answers)
    },
  )
})

describe('whatever led to it, a no of the service is one string of bytes', () => {
  let db: TestDatabase
  let service: ServiceProcess

  /** How each dialect with a fixed header is asked. */
  const asking: Record<string, (login: string, password: string) => string> = {
    okta: (login, password) => posted('/okta/password-import', passwordImport(login, password)),
    ory: (identifier, password) => posted('/ory/password-migration', { identifier, password }),
    keycloak: (login, password) => posted(`/keycloak/users/${encodeURIComponent(login)}`, { password }),
    fusionauth: (loginId, password) => posted('/fusionauth/login', { loginId, password }),
    generic: (identifier, password) => posted('/verify', { identifier, password }),
  }
  const posted = (path: string, body: unknown) =>
    rawPost(path, { authorization: secretOf(path.split('/')[1] ?? '') }, body)
  /** No two dialects may have the same one. */
  const secretOf = (place: string) => (place === 'okta' ? SECRET : `${SECRET}-of-${place}`)

  const ask = async (dialect: string, one: RefusedClass, login: string): Promise<string> => {
    const connection = timedConnection(service.hooksUrl)
    const { text } = await connection.ask(asking[dialect]?.(login, one.password) ?? '')
    connection.end()
    return isFailure(text) ? ask(dialect, one, login) : withoutDate(text)
  }

  beforeAll(async () => {
    db = await testDatabase()
    await addRefused(db, 1)
    const secrets = Object.keys(asking).map((name) => [
      `${name.toUpperCase()}_HOOK_SECRETS`,
      secretOf(name === 'generic' ? 'verify' : name),
    ])
    service = await startProcess(db.url, {
      ...Object.fromEntries(secrets),
      FUSIONAUTH_ANSWER_WITHIN_MS: '10000',
      THROTTLE_REFUSALS: String(REFUSALS),
      MIGRATED_GRACE_SECONDS: '0',
    })
    await prepareRefused(service.hooksUrl, 1, (one, login) => ask('okta', one, login))
  })
  afterAll(async () => {
    service.child.kill('SIGTERM')
    expect(await service.ended).toBe(0)
    await db.drop()
  })

  test('every dialect with a fixed header is asked', () => {
    const fixed = dialects.filter(({ caller }) => caller === undefined).map(({ name }) => name)
    expect(Object.keys(asking).sort()).toEqual([...fixed].sort())
  })

  test.each(Object.keys(asking))('%s', async (dialect) => {
    const sent = new Map<string, string[]>()
    for (const one of refusedClasses) {
      const text = await ask(dialect, one, loginOf(one, 0))
      sent.set(text, [...(sent.get(text) ?? []), one.name])
    }
    measured({
      part: 'timing',
      requirement: 'R-14',
      what: `${dialect}: answers of the service to ${refusedClasses.length} classes, but for the date`,
      wanted: '1 byte string',
      got: String(sent.size),
    })
    expect([...sent.values()]).toEqual([refusedClasses.map(({ name }) => name)])
  })
})
