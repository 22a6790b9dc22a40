import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CallFailure } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { auth0 } from '../../src/targets/auth0.ts'
import {
  type Brought,
  type Candidate,
  type Context,
  type Credential,
  ExpiredError,
  type Order,
  RunHalt,
  TargetError,
} from '../../src/targets/target.ts'
import { type Auth0Options, type Auth0Simulator, startAuth0 } from '../helpers/simulators/auth0.ts'
import {
  argon2Of,
  bcryptOf,
  digestOf,
  hmacOf,
  ownNotations,
  pbkdf2Of,
  scryptOf,
} from '../helpers/simulators/hashes.ts'
import { contextFor, createTestCall } from '../helpers/simulators/server.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function started(options: Auth0Options = {}, given: Record<string, string> = {}) {
  const simulator = await startAuth0(options)
  const { call, close } = createTestCall(simulator.server.ca)
  closing.push(close, simulator.close)
  const target = auth0.open({
    URL: simulator.server.url,
    CONNECTION_ID: 'con_abc123',
    CLIENT_ID: 'client-1',
    CLIENT_SECRET: 'a client secret',
    ...given,
  })
  const context = await contextFor(target, call)
  return { simulator, target, call, context }
}

function candidate(id: string, more: Partial<Candidate> = {}): Candidate {
  const email = `user-${id}@example.com`
  return {
    id,
    login: email,
    email,
    active: true,
    attributes: { email, email_verified: true, given_name: 'Ada' },
    credential: { kind: 'reset' },
    tag: null,
    ...more,
  }
}

function order(user: Candidate, action: Order['action'] = 'create', attempts = 0): Order {
  return { action, user, targetId: null, attempts }
}

const hashed = (hash: PortableHash): Credential => ({ kind: 'hash', hash })

function resultsOf(brought: Brought) {
  if (brought.kind === 'whole') throw new Error('the whole batch was refused')
  return brought.results
}

describe('settings', () => {
  const right = { URL: 'https://example.eu.auth0.com', CONNECTION_ID: 'con_abc', TOKEN: 'a token' }

  test.for([
    { title: 'an address without https', given: { URL: 'http://example.eu.auth0.com' }, says: /^URL/ },
    { title: 'a connection that is a name', given: { CONNECTION_ID: 'Users' }, says: /^CONNECTION_ID/ },
    { title: 'a token and an application', given: { CLIENT_ID: 'x' }, says: /^TOKEN/ },
    { title: 'neither of them', given: { TOKEN: undefined }, says: /^CLIENT_ID/ },
    {
      title: 'an application without a secret',
      given: { TOKEN: undefined, CLIENT_ID: 'x' },
      says: /^CLIENT_ID/,
    },
    { title: 'usernames that are neither on nor off', given: { USERNAME: 'yes' }, says: /^USERNAME/ },
  ])('$title is refused', ({ given, says }) => {
    const opening = () => auth0.open({ ...right, ...given })
    expect(opening).toThrow(TargetError)
    expect(opening).toThrow(says)
  })

  test('only the host of the tenant is called, one job a process and two processes', () => {
    const { hosts, inFlight, processes } = auth0.open(right)
    expect({ hosts, inFlight, processes }).toEqual({
      hosts: ['example.eu.auth0.com'],
      inFlight: 1,
      processes: 2,
    })
  })
})

describe('tokens', () => {
  test('one is asked for with the application, for the time that Auth0 says', async () => {
    const { target, call } = await started()
    const { headers, goodFor } = await target.authorize(call)
    expect(headers.authorization).toMatch(/^Bearer .{36}$/)
    expect(goodFor).toBe(86_400_000)
  })

  test('a wrong secret stops everything', async () => {
    const halting = started({}, { CLIENT_SECRET: 'another' })
    await expect(halting).rejects.toMatchObject({ reason: 'unauthorized', targetCode: 'access_denied' })
  })

  test('an outage while a token is asked for is no wrong secret', async () => {
    const { simulator, target, call } = await started()
    simulator.server.next('unavailable')
    await expect(target.authorize(call)).rejects.toThrow(CallFailure)
  })

  test('another one is wanted when it has ended, at a job as at one user', async () => {
    const { simulator, target, context } = await started()
    simulator.endTokens()
    for (const action of ['create', 'update', 'deactivate', 'delete'] as const) {
      const user = candidate('1', { credential: { kind: 'keep' } })
      await expect(target.bring([order(user, action)], context)).rejects.toThrow(ExpiredError)
    }
  })
})

describe('new users', () => {
  let simulator: Auth0Simulator
  let context: Context
  let bring: (orders: readonly Order[]) => Promise<Brought>
  beforeEach(async () => {
    const all = await started({ jobMs: 30 })
    simulator = all.simulator
    context = all.context
    bring = (orders) => all.target.bring(orders, context)
  })

  test('are imported with profile and metadata, and no mail goes to the administrators', async () => {
    const user = candidate('42', {
      active: false,
      tag: 'batch-7',
      attributes: {
        email: 'Jane@Example.com',
        email_verified: true,
        name: 'Jane Doe',
        user_id: 'not this one',
        username: 'jane',
        nickname: null,
        'user_metadata.language': 'en',
        'app_metadata.plan': 'full',
        shoeSize: 41,
      },
    })
    expect(await bring([order(user)])).toEqual({
      kind: 'each',
      results: [{ kind: 'created', targetId: 'auth0|legacy-42' }],
    })
    expect(simulator.user('auth0|legacy-42')).toEqual({
      user_id: 'auth0|legacy-42',
      email: 'jane@example.com',
      email_verified: true,
      name: 'Jane Doe',
      blocked: true,
      user_metadata: { language: 'en' },
      app_metadata: { plan: 'full', shoeSize: 41 },
    })
    expect(simulator.jobs()).toMatchObject([{ users: 1, externalId: 'batch-7', upsert: false }])
  })

  test('whose old key has other characters get a key made of it, the same each time', async () => {
    const strange = candidate('a b/ü', { email: 'strange@example.com', attributes: {} })
    await bring([order(strange)])
    const [user] = simulator.users()
    expect(user?.user_id).toMatch(/^auth0\|legacy-sha256-[0-9a-f]{64}$/)
    const again = resultsOf(await bring([order(strange, 'create', 1)]))
    expect(again).toEqual([{ kind: 'created', targetId: user?.user_id }])
  })

  test('of the hook are not created: Auth0 asks for whom it does not have', async () => {
    const results = resultsOf(await bring([order(candidate('1', { credential: { kind: 'hook' } }))]))
    expect(results).toEqual([{ kind: 'unchanged', targetId: null }])
    expect(simulator.jobs()).toEqual([])
  })

  test('in files below the size that Auth0 takes, and in their order', async () => {
    const wide = { email_verified: true, 'user_metadata.text': 'ü'.repeat(2000) }
    const users = Array.from({ length: 250 }, (_, number) => candidate(String(number), { attributes: wide }))
    const results = resultsOf(await bring(users.map((user) => order(user))))
    expect(results).toEqual(users.map(({ id }) => ({ kind: 'created', targetId: `auth0|legacy-${id}` })))
    expect(simulator.jobs().length).toBeGreaterThan(2)
    for (const { bytes } of simulator.jobs()) expect(bytes).toBeLessThanOrEqual(400_000)
    expect(simulator.jobs().reduce((sum, { users: count }) => sum + count, 0)).toBe(250)
  })

  test('one who is larger than a file alone is refused, and nobody else', async () => {
    const huge = candidate('2', { attributes: { 'user_metadata.text': 'x'.repeat(400_000) } })
    const results = resultsOf(await bring([order(candidate('1')), order(huge), order(candidate('3'))]))
    expect(results).toMatchObject([
      { kind: 'created' },
      { kind: 'refused', reason: 'too-large', targetCode: null },
      { kind: 'created' },
    ])
  })

  test.for([
    {
      title: 'without an address',
      user: candidate('1', { email: null, attributes: {} }),
      refusal: { reason: 'missing-attribute', targetCode: null },
    },
    {
      title: 'with a name that app_metadata must not have',
      user: candidate('1', { attributes: { 'app_metadata.blocked': true } }),
      refusal: { reason: 'invalid-attribute', targetCode: null },
    },
    {
      title: 'with an address that is none',
      user: candidate('1', { attributes: { email: 'nobody' } }),
      refusal: { reason: 'invalid-attribute', targetCode: 'FORMAT' },
    },
    {
      title: 'with a text for a boolean',
      user: candidate('1', { attributes: { email_verified: 'yes' } }),
      refusal: { reason: 'invalid-attribute', targetCode: 'INVALID_TYPE' },
    },
    {
      title: 'with a bcrypt that is cut',
      user: candidate('1', {
        credential: hashed({ kind: 'bcrypt', revision: '2a', cost: 10, salt: 'short', digest: 'short' }),
      }),
      refusal: { reason: 'hash-refused', targetCode: 'NOT_PASSED' },
    },
    ...ownNotations.map((hash) => ({
      title: `with a hash of ${hash.kind}`,
      user: candidate('1', { credential: hashed(hash) }),
      refusal: { reason: 'hash-refused', targetCode: null },
    })),
  ])('$title are refused, and the others created', async ({ user, refusal }) => {
    const results = resultsOf(await bring([order(candidate('0')), order(user), order(candidate('2'))]))
    expect(results).toMatchObject([
      { kind: 'created', targetId: 'auth0|legacy-0' },
      { kind: 'refused', ...refusal },
      { kind: 'created', targetId: 'auth0|legacy-2' },
    ])
    expect(simulator.users().length).toBe(2)
  })

  test('whose address somebody else has are taken', async () => {
    simulator.add({ user_id: 'auth0|somebody', email: 'user-1@example.com' })
    const results = resultsOf(await bring([order(candidate('1')), order(candidate('2'))]))
    expect(results).toMatchObject([
      { kind: 'refused', reason: 'taken', targetCode: 'CONFLICT_EMAIL' },
      { kind: 'created' },
    ])
  })

  test('who are there under their key are left as they are', async () => {
    simulator.add({ user_id: 'auth0|legacy-1', email: 'changed-since@example.com', given_name: 'Grace' })
    expect(resultsOf(await bring([order(candidate('1'))]))).toEqual([
      { kind: 'unchanged', targetId: 'auth0|legacy-1' },
    ])
    expect(simulator.user('auth0|legacy-1')).toMatchObject({ given_name: 'Grace' })
  })

  test('whose import was heard although the answer was cut are created once', async () => {
    simulator.server.next('cutAfter')
    await expect(bring([order(candidate('1'))])).rejects.toThrow(CallFailure)
    const again = resultsOf(await bring([order(candidate('1'), 'create', 1), order(candidate('2'))]))
    expect(again).toEqual([
      { kind: 'created', targetId: 'auth0|legacy-1' },
      { kind: 'created', targetId: 'auth0|legacy-2' },
    ])
    expect(simulator.users().length).toBe(2)
  })

  test('looks that come to nothing do not lose the job', async () => {
    simulator.server.next(null, 'cutBefore', 'failed', 'cutAfter', 'unavailable')
    expect(resultsOf(await bring([order(candidate('1'))]))).toMatchObject([{ kind: 'created' }])
  })

  test('are postponed when the job cannot be looked at', async () => {
    simulator.server.next(null, 'failed', 'failed', 'failed', 'failed', 'failed')
    expect(resultsOf(await bring([order(candidate('1'))]))).toEqual([
      { kind: 'postponed', reason: 'no-answer' },
    ])
    expect(resultsOf(await bring([order(candidate('1'), 'create', 1)]))).toMatchObject([{ kind: 'created' }])
  })
})

describe('whole jobs', () => {
  test('at most two run: a third is postponed', async () => {
    const { simulator, target, context } = await started({ jobMs: 1500 })
    const brought = await Promise.all(
      ['1', '2', '3'].map((id) => target.bring([order(candidate(id))], context)),
    )
    const kinds = brought.map((one) => resultsOf(one)[0])
    expect(kinds.filter((one) => one?.kind === 'created').length).toBe(2)
    expect(kinds.filter((one) => one?.kind === 'postponed')).toEqual([{ kind: 'postponed', reason: 'busy' }])
    expect(simulator.mostActiveJobs()).toBe(2)
  })

  test('that fail are tried in halves, and one user alone is refused', async () => {
    const { target, context } = await started({ failingJobs: () => true })
    const refusal = { kind: 'refused', reason: 'rejected', targetCode: 'job-failed', targetText: null }
    expect(await target.bring([order(candidate('1')), order(candidate('2'))], context)).toEqual({
      kind: 'whole',
      refused: refusal,
    })
    expect(await target.bring([order(candidate('1'))], context)).toEqual({ kind: 'each', results: [refusal] })
  })

  test('whose errors name nobody: who is there was not it', async () => {
    const { target, context } = await started({ namelessErrors: true })
    const bad = candidate('2', { attributes: { email: 'nobody' } })
    expect(resultsOf(await target.bring([order(candidate('1')), order(bad)], context))).toEqual([
      { kind: 'created', targetId: 'auth0|legacy-1' },
      { kind: 'refused', reason: 'rejected', targetCode: 'unknown', targetText: null },
    ])
  })

  test('for a connection that is not there stop the run', async () => {
    const { target, context } = await started({}, { CONNECTION_ID: 'con_other' })
    await expect(target.bring([order(candidate('1')), order(candidate('2'))], context)).rejects.toMatchObject(
      {
        reason: 'misconfigured',
        targetCode: 'inexistent_connection',
      },
    )
  })
})

describe('hashes', () => {
  const password = 'pässword 🔑 1'

  test.for([
    { title: 'bcrypt', make: () => bcryptOf(password) },
    { title: 'md5', make: () => digestOf(password, 'md5') },
    { title: 'sha1 after a salt', make: () => digestOf(password, 'sha1', Buffer.from([0, 200, 7])) },
    { title: 'sha256 before a salt', make: () => digestOf(password, 'sha256', Buffer.from('abc'), 'suffix') },
    { title: 'sha512 after a salt', make: () => digestOf(password, 'sha512', Buffer.from('abc')) },
    { title: 'HMAC with MD5', make: () => hmacOf(password, 'md5') },
    { title: 'HMAC with SHA-512', make: () => hmacOf(password, 'sha512') },
    { title: 'PBKDF2 with SHA-1', make: () => pbkdf2Of(password, 'sha1') },
    { title: 'PBKDF2 with SHA-512', make: () => pbkdf2Of(password, 'sha512') },
    { title: 'scrypt', make: () => scryptOf(password) },
    { title: 'argon2id', make: () => argon2Of(password) },
    { title: 'argon2i', make: () => argon2Of(password, 'argon2i') },
  ])('$title lets the right password in and no other', async ({ make }) => {
    const { simulator, target, context } = await started()
    const hash = await make()
    expect(auth0.traits.reads(hash)).toBe(true)
    const results = resultsOf(
      await target.bring([order(candidate('1', { credential: hashed(hash) }))], context),
    )
    expect(results).toEqual([{ kind: 'created', targetId: 'auth0|legacy-1' }])
    expect(await simulator.signIn('user-1@example.com', password)).toBe(true)
    expect(await simulator.signIn('user-1@example.com', `${password}.`)).toBe(false)
  })

  test('that Auth0 has no word for are not read', async () => {
    for (const hash of [...ownNotations, await argon2Of(password, 'argon2d')])
      expect(auth0.traits.reads(hash)).toBe(false)
  })

  test('are replaced as long as nobody has signed in, and the profile with them', async () => {
    const { simulator, target, context } = await started()
    const old = candidate('1', { credential: hashed(bcryptOf('old')), attributes: { 'app_metadata.a': 1 } })
    await target.bring([order(old)], context)
    const changed = candidate('1', {
      credential: hashed(bcryptOf('new')),
      attributes: { 'app_metadata.b': 2, given_name: 'Grace' },
    })
    const results = resultsOf(await target.bring([order(changed, 'update')], context))
    expect(results).toEqual([{ kind: 'updated', targetId: 'auth0|legacy-1' }])
    expect(simulator.user('auth0|legacy-1')).toMatchObject({
      given_name: 'Grace',
      app_metadata: { a: 1, b: 2 },
    })
    expect(await simulator.signIn('user-1@example.com', 'old')).toBe(false)
    expect(await simulator.signIn('user-1@example.com', 'new')).toBe(true)
  })
})

describe('changes', () => {
  const known = {
    user_id: 'auth0|legacy-1',
    email: 'user-1@example.com',
    email_verified: true,
    given_name: 'Ada',
    user_metadata: { theme: 'dark', language: 'en' },
  }
  const kept: Credential = { kind: 'keep' }

  test('say only what differs, and metadata that is not named stays', async () => {
    const { simulator, target, context } = await started()
    simulator.add(known)
    const user = candidate('1', {
      active: false,
      credential: kept,
      attributes: { given_name: 'Grace', 'user_metadata.language': 'de' },
    })
    expect(resultsOf(await target.bring([order(user, 'update')], context))).toEqual([
      { kind: 'updated', targetId: 'auth0|legacy-1' },
    ])
    expect(simulator.user('auth0|legacy-1')).toEqual({
      ...known,
      given_name: 'Grace',
      blocked: true,
      user_metadata: { theme: 'dark', language: 'de' },
    })
  })

  test('a new address names the connection, counts as unproved and sends no mail', async () => {
    const { simulator, target, context } = await started()
    simulator.add(known)
    const user = candidate('1', { credential: kept, email: 'new@example.com', attributes: {} })
    expect(resultsOf(await target.bring([order(user, 'update')], context))).toMatchObject([
      { kind: 'updated' },
    ])
    expect(simulator.user('auth0|legacy-1')).toMatchObject({
      email: 'new@example.com',
      email_verified: false,
    })
  })

  test('nothing to say is unchanged', async () => {
    const { simulator, target, context } = await started()
    simulator.add(known)
    const user = candidate('1', { credential: kept })
    expect(resultsOf(await target.bring([order(user, 'update')], context))).toEqual([
      { kind: 'unchanged', targetId: 'auth0|legacy-1' },
    ])
    expect(simulator.server.count({ method: 'PATCH' })).toBe(0)
  })

  test.for([
    {
      title: 'of somebody who is not there',
      user: candidate('9', { credential: kept }),
      result: { kind: 'refused', reason: 'not-there', targetCode: 'inexistent_user' },
    },
    {
      title: 'of somebody whom the hook will bring',
      user: candidate('9', { credential: { kind: 'hook' } }),
      result: { kind: 'unchanged', targetId: null },
    },
    {
      title: 'to an address that is taken',
      user: candidate('1', { credential: kept, email: 'user-2@example.com', attributes: {} }),
      result: { kind: 'refused', reason: 'taken', targetCode: 'auth0_idp_error' },
    },
  ])('$title end as they should', async ({ user, result }) => {
    const { simulator, target, context } = await started()
    simulator.add(known)
    simulator.add({ user_id: 'auth0|legacy-2', email: 'user-2@example.com' })
    expect(resultsOf(await target.bring([order(user, 'update')], context))).toMatchObject([result])
  })

  test.for([
    { fault: 'unavailable' as const, reason: 'busy' },
    { fault: 'failed' as const, reason: 'no-answer' },
  ])('are postponed when the answer is $fault', async ({ fault, reason }) => {
    const { simulator, target, context } = await started()
    simulator.add(known)
    simulator.server.next(fault)
    const brought = await target.bring([order(candidate('1', { credential: kept }), 'update')], context)
    expect(resultsOf(brought)).toEqual([{ kind: 'postponed', reason }])
  })

  test('who is removed is blocked or deleted, and an absent one is removed already', async () => {
    const { simulator, target, context } = await started()
    simulator.add(known)
    const users = [candidate('1'), candidate('9')]
    for (const action of ['deactivate', 'delete'] as const) {
      const brought = await target.bring(
        users.map((user) => order(user, action)),
        context,
      )
      expect(resultsOf(brought)[0]).toEqual({ kind: 'removed', targetId: 'auth0|legacy-1' })
      expect(resultsOf(brought)[1]).toMatchObject({ kind: 'removed' })
      if (action === 'deactivate') expect(simulator.user('auth0|legacy-1')).toMatchObject({ blocked: true })
    }
    expect(simulator.users()).toEqual([])
  })
})

describe('what is looked at beforehand', () => {
  const plain = { hook: false, hash: true, attributes: [] }
  const lazy = { import_mode: true, enabledDatabaseCustomization: true }

  test.for([
    { title: 'a database connection', options: {}, use: plain, codes: [] },
    { title: 'a connection that asks', options: lazy, use: { ...plain, hook: true, hash: false }, codes: [] },
    {
      title: 'a connection that does not ask',
      options: {},
      use: { ...plain, hook: true, hash: false },
      codes: ['hook-inactive'],
    },
    {
      title: 'a database of their own that is not imported',
      options: { enabledDatabaseCustomization: true },
      use: plain,
      codes: ['connection-not-imported'],
    },
    {
      title: 'hashes and hook in one connection',
      options: lazy,
      use: { ...plain, hook: true },
      codes: ['mixed-migration'],
    },
    {
      title: 'a connection with usernames',
      options: { requires_username: true },
      use: plain,
      codes: ['username-required'],
    },
  ])('$title: $codes', async ({ options, use, codes }) => {
    const { target, context } = await started({ connection: { id: 'con_abc123', name: 'Users', options } })
    expect((await target.examine(context, use)).map(({ code }) => code)).toEqual(codes)
  })

  test.for([
    {
      title: 'another kind of connection',
      options: { connection: { id: 'con_abc123', name: 'Users', strategy: 'samlp' } },
      codes: ['connection-kind'],
    },
    {
      title: 'no such connection',
      options: { connection: { id: 'con_x', name: 'x' } },
      codes: ['connection-missing'],
    },
    { title: 'no right to look', options: { mayReadConnections: false }, codes: ['scope-missing'] },
  ])('$title: $codes', async ({ options, codes }) => {
    const { target, context } = await started(options)
    expect((await target.examine(context, plain)).map(({ code }) => code)).toEqual(codes)
  })

  test('an ended token stops everything', async () => {
    const { simulator, target, context } = await started()
    simulator.endTokens()
    await expect(target.examine(context, plain)).rejects.toThrow(RunHalt)
  })
})

describe('limits', () => {
  test('an answer says calls, what is left and when the window ends', async () => {
    const { simulator, target, call } = await started({ limit: 2, windowMs: 3_600_000 })
    const { headers } = await target.authorize(call)
    const ask = () => call({ method: 'GET', url: `${simulator.server.url}/api/v2/jobs/job_x`, headers })
    const first = target.limitOf(await ask())
    expect(first).toMatchObject({ limit: 2, remaining: 1 })
    expect((first?.resetAt ?? 0) % 1000).toBe(0)
    expect(first?.resetAt).toBeGreaterThan(first?.now ?? Number.POSITIVE_INFINITY)
    expect(first).not.toHaveProperty('waitMs')
    await ask()
    const refusal = await ask()
    expect(refusal.status).toBe(429)
    expect(target.limitOf(refusal)).toMatchObject({ limit: 2, remaining: 0 })
    expect(target.limitOf(refusal)).not.toHaveProperty('waitMs')
  })

  test('a refused third job has no window to wait for, but a while', () => {
    const { limitOf } = auth0.open({ URL: 'https://x.auth0.com', CONNECTION_ID: 'con_a', TOKEN: 't' })
    const headers = {
      'x-ratelimit-limit': '10',
      'x-ratelimit-remaining': '8',
      'x-ratelimit-reset': '2000000000',
    }
    expect(limitOf({ status: 429, headers, text: '' })).toEqual({
      limit: 10,
      remaining: 8,
      resetAt: 2_000_000_000_000,
      waitMs: 5000,
    })
    expect(limitOf({ status: 200, headers: {}, text: '' })).toBeNull()
  })
})
