import { afterEach, describe, expect, test } from 'vitest'
import { CallFailure } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { cidaas } from '../../src/targets/cidaas.ts'
import {
  type Brought,
  type Candidate,
  type Credential,
  ExpiredError,
  type Order,
  RunHalt,
  TargetError,
} from '../../src/targets/target.ts'
import { type CidaasOptions, startCidaas } from '../helpers/simulators/cidaas.ts'
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

async function started(options: CidaasOptions = {}, given: Record<string, string> = {}) {
  const simulator = await startCidaas(options)
  const { call, close } = createTestCall(simulator.server.ca)
  closing.push(close, simulator.close)
  const target = cidaas.open({
    URL: simulator.server.url,
    CLIENT_ID: 'app-1',
    CLIENT_SECRET: 'a secret & more',
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
    attributes: { email, given_name: 'Ada' },
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

const many = (count: number) => Array.from({ length: count }, (_, number) => order(candidate(String(number))))

describe('settings', () => {
  const right = { URL: 'https://example.cidaas.de', CLIENT_ID: 'x', CLIENT_SECRET: 'y' }

  test.for([
    { title: 'an address without https', given: { URL: 'http://example.cidaas.de' }, says: /^URL/ },
    { title: 'no app', given: { CLIENT_ID: undefined }, says: /^CLIENT_ID/ },
    { title: 'no secret', given: { CLIENT_SECRET: undefined }, says: /^CLIENT_SECRET/ },
    { title: 'a batch of 24', given: { BATCH: '24' }, says: /^BATCH/ },
    { title: 'a batch of 1001', given: { BATCH: '1001' }, says: /^BATCH/ },
    { title: 'a batch in words', given: { BATCH: 'all' }, says: /^BATCH/ },
    { title: 'a mode that is neither on nor off', given: { MIGRATION_MODE: 'yes' }, says: /^MIGRATION_MODE/ },
  ])('$title is refused', ({ given, says }) => {
    const opening = () => cidaas.open({ ...right, ...given })
    expect(opening).toThrow(TargetError)
    expect(opening).toThrow(says)
  })

  test('only its own host is called', () => {
    expect(cidaas.open(right).hosts).toEqual(['example.cidaas.de'])
  })
})

describe('the way in', () => {
  test('a token is good for the time that cidaas says', async () => {
    const { target, call } = await started()
    expect(await target.authorize(call)).toMatchObject({ goodFor: 3_600_000 })
  })

  test('a wrong secret stops everything', async () => {
    await expect(started({}, { CLIENT_SECRET: 'another' })).rejects.toMatchObject({
      reason: 'unauthorized',
      targetCode: '6007',
    })
  })

  test('an outage while a token is asked for is no wrong secret', async () => {
    const { simulator, target, call } = await started()
    simulator.server.next('failed')
    await expect(target.authorize(call)).rejects.toThrow(CallFailure)
  })

  test('an ended token wants another one, and a missing scope stops the run', async () => {
    const ended = await started()
    ended.simulator.endTokens()
    await expect(ended.target.bring(many(1), ended.context)).rejects.toThrow(ExpiredError)
    const use = { hook: false, hash: true, attributes: [] }
    await expect(ended.target.examine(ended.context, use)).rejects.toThrow(RunHalt)
    const without = await started({ scopes: [] })
    await expect(without.target.bring(many(1), without.context)).rejects.toMatchObject({
      reason: 'unauthorized',
      targetCode: '00403',
    })
  })

  test.for([
    { title: 'all is right', options: {}, codes: [] },
    { title: 'the scope is missing', options: { scopes: [] }, codes: ['scope-missing'] },
  ])('examined before: $title', async ({ options, codes }) => {
    const { simulator, target, context } = await started(options)
    const use = { hook: false, hash: true, attributes: [] }
    expect((await target.examine(context, use)).map(({ code }) => code)).toEqual(codes)
    expect(simulator.users()).toEqual([])
  })

  test('a busy answer has a wait', () => {
    const { limitOf } = cidaas.open({ URL: 'https://x.cidaas.de', CLIENT_ID: 'x', CLIENT_SECRET: 'y' })
    expect(limitOf({ status: 429, headers: { 'retry-after': '7' }, text: '' })).toEqual({ waitMs: 7000 })
    expect(limitOf({ status: 429, headers: {}, text: '' })).toEqual({ waitMs: 10_000 })
    expect(limitOf({ status: 200, headers: {}, text: '' })).toBeNull()
  })
})

describe('users', () => {
  test('are sent with fields where they belong', async () => {
    const { simulator, target, context } = await started({ customFields: ['shoe_size', 'plan'] })
    const user = candidate('42', {
      active: false,
      attributes: {
        email: 'jane@example.com',
        username: 'jane@example.com',
        sub: 'not this one',
        given_name: 'Jane',
        nickname: null,
        'address.country': 'DE',
        'customFields.plan': 'full',
        shoe_size: '41',
      },
    })
    expect(resultsOf(await target.bring([order(user)], context))).toEqual([
      { kind: 'created', targetId: '42' },
    ])
    expect(simulator.user('42')).toEqual({
      sub: '42',
      provider: 'self',
      userStatus: 'DECLINED',
      email: 'jane@example.com',
      given_name: 'Jane',
      address: { country: 'DE' },
      customFields: { plan: 'full', shoe_size: '41' },
    })
  })

  test.for([
    { batch: '50', sent: [50, 50, 20] },
    { batch: '25', sent: [25, 25, 25, 25, 20] },
    { batch: '1000', sent: [120] },
  ])('go in requests of $batch', async ({ batch, sent }) => {
    const { simulator, target, context } = await started({}, { BATCH: batch })
    expect(target.batch).toBe(Number(batch))
    const results = resultsOf(await target.bring(many(120), context))
    expect(results).toEqual(many(120).map(({ user }) => ({ kind: 'created', targetId: user.id })))
    expect(simulator.batches()).toEqual(sent)
  })

  test.for(['bare', 'wrapped', 'shuffled', 'nameless'] as const)(
    'who fail are told from the others when the answer is %s',
    async (answers) => {
      const { simulator, target, context } = await started({ answers })
      const thrownAway = candidate('1', { attributes: { email: 'x@mailinator.com' } })
      const orders = [order(candidate('0')), order(thrownAway), order(candidate('2'))]
      expect(resultsOf(await target.bring(orders, context))).toEqual([
        { kind: 'created', targetId: '0' },
        {
          kind: 'refused',
          reason: 'invalid-attribute',
          targetCode: '507',
          targetText: 'invalid email passed',
        },
        { kind: 'created', targetId: '2' },
      ])
      expect(simulator.users().length).toBe(2)
    },
  )

  test('an answer that says nothing about anybody is no success', async () => {
    const { target, context } = await started({ answers: 'empty' })
    await expect(target.bring(many(2), context)).rejects.toThrow(CallFailure)
  })

  test('one who spoils a request is found by halves', async () => {
    const { simulator, target, context } = await started()
    const nameless = candidate('x', { email: null, attributes: { given_name: 'Nobody' } })
    const odd = candidate('y', { attributes: { given_name: 7 } })
    const orders = [...many(20), order(nameless), ...many(30).slice(20), order(odd)]
    const results = resultsOf(await target.bring(orders, context))
    expect(results.filter(({ kind }) => kind === 'created').length).toBe(30)
    expect(results[20]).toEqual({
      kind: 'refused',
      reason: 'missing-attribute',
      targetCode: '01230',
      targetText: 'missing required fields to create entity user',
    })
    expect(results[31]).toMatchObject({ reason: 'invalid-attribute', targetCode: '01231' })
    expect(simulator.users().length).toBe(30)
  })

  test('too many for a request go in halves as well', async () => {
    const { simulator, target, context } = await started({ most: 30 })
    expect(resultsOf(await target.bring(many(50), context)).every(({ kind }) => kind === 'created')).toBe(
      true,
    )
    expect(simulator.batches()).toEqual([25, 25])
  })

  test.for(['bare', 'shuffled'] as const)('of two with one address one is there, %s', async (answers) => {
    const { simulator, target, context } = await started({ answers })
    const same = { email: 'same@example.com', attributes: { email: 'same@example.com' } }
    const results = resultsOf(
      await target.bring([order(candidate('1', same)), order(candidate('2', same))], context),
    )
    expect(results[0]).toEqual({ kind: 'created', targetId: '1' })
    expect(results[1]?.kind).not.toBe('created')
    expect(simulator.users()).toHaveLength(1)
  })

  test('whose address somebody else has are taken', async () => {
    const { simulator, target, context } = await started()
    simulator.add({ sub: 'other', email: 'user-1@example.com' })
    expect(resultsOf(await target.bring([order(candidate('1'))], context))).toMatchObject([
      { kind: 'refused', reason: 'taken', targetCode: 'FAILED' },
    ])
  })

  test.for(['on', 'off'])(
    'who were heard although the answer was cut are created once, with MIGRATION_MODE=%s',
    async (mode) => {
      const { simulator, target, context } = await started(
        { migrationMode: mode === 'on' },
        { MIGRATION_MODE: mode },
      )
      const user = candidate('1', { credential: hashed(digestOf('right', 'sha256')) })
      simulator.server.next('cutAfter')
      await expect(target.bring([order(user)], context)).rejects.toThrow(CallFailure)
      expect(resultsOf(await target.bring([order(user, 'create', 1)], context))).toEqual([
        { kind: 'created', targetId: '1' },
      ])
      expect(simulator.users().length).toBe(1)
      expect(await simulator.signIn('user-1@example.com', 'right')).toBe(true)
    },
  )

  test('a cut after the first request keeps what is known, and the rest is tried again', async () => {
    const { simulator, target, context } = await started()
    simulator.server.next(null, 'cutBefore')
    const results = resultsOf(await target.bring(many(120), context))
    expect(results.slice(0, 50).every(({ kind }) => kind === 'created')).toBe(true)
    expect(results.slice(50)).toEqual(many(70).map(() => ({ kind: 'postponed', reason: 'no-answer' })))
  })

  test.for([
    { fault: 'unavailable' as const, reason: 'busy' },
    { fault: 'failed' as const, reason: 'no-answer' },
  ])('are postponed when the answer is $fault', async ({ fault, reason }) => {
    const { simulator, target, context } = await started()
    simulator.server.next(fault)
    expect(resultsOf(await target.bring(many(2), context))).toEqual([
      { kind: 'postponed', reason },
      { kind: 'postponed', reason },
    ])
  })

  test('who ask for a hook are refused: there is none', async () => {
    const { target, context } = await started()
    const user = candidate('1', { credential: { kind: 'hook' } })
    expect(resultsOf(await target.bring([order(user)], context))).toMatchObject([
      { kind: 'refused', reason: 'wrong-state', targetCode: 'no-hook' },
    ])
  })
})

describe('changes', () => {
  test('of the profile leave the password alone', async () => {
    const { simulator, target, context } = await started()
    const user = candidate('1', { credential: hashed(bcryptOf('right')) })
    await target.bring([order(user)], context)
    const changed = candidate('1', { credential: { kind: 'keep' }, attributes: { given_name: 'Grace' } })
    expect(resultsOf(await target.bring([order(changed, 'update')], context))).toEqual([
      { kind: 'updated', targetId: '1' },
    ])
    expect(simulator.user('1')).toMatchObject({ given_name: 'Grace' })
    expect(await simulator.signIn('user-1@example.com', 'right')).toBe(true)
  })

  test('of a hash need the mode', async () => {
    const first = candidate('1', { credential: hashed(bcryptOf('old')) })
    const second = order(candidate('1', { credential: hashed(bcryptOf('new')) }), 'update')
    const without = await started()
    await without.target.bring([order(first)], without.context)
    expect(resultsOf(await without.target.bring([second], without.context))).toEqual([
      { kind: 'refused', reason: 'forbidden', targetCode: 'migration-mode', targetText: null },
    ])
    expect(await without.simulator.signIn('user-1@example.com', 'old')).toBe(true)
    const within = await started({ migrationMode: true }, { MIGRATION_MODE: 'on' })
    await within.target.bring([order(first)], within.context)
    expect(resultsOf(await within.target.bring([second], within.context))).toEqual([
      { kind: 'updated', targetId: '1' },
    ])
    expect(await within.simulator.signIn('user-1@example.com', 'new')).toBe(true)
  })

  test('who is removed cannot sign in any more', async () => {
    const { simulator, target, context } = await started()
    const user = candidate('1', { credential: hashed(bcryptOf('right')) })
    await target.bring([order(user)], context)
    const gone = order(candidate('1', { credential: { kind: 'keep' } }), 'deactivate')
    expect(resultsOf(await target.bring([gone], context))).toEqual([{ kind: 'removed', targetId: '1' }])
    expect(await simulator.signIn('user-1@example.com', 'right')).toBe(false)
  })
})

describe('hashes', () => {
  const password = 'pässword 🔑 1'

  test.for([
    { title: 'bcrypt', make: () => bcryptOf(password) },
    { title: 'bcrypt of cost 10', make: () => bcryptOf(password, 10) },
    { title: 'sha1', make: () => digestOf(password, 'sha1') },
    { title: 'sha256', make: () => digestOf(password, 'sha256') },
    { title: 'argon2id', make: () => argon2Of(password) },
    { title: 'argon2i', make: () => argon2Of(password, 'argon2i') },
    { title: 'argon2d', make: () => argon2Of(password, 'argon2d') },
  ])('$title lets the right password in and no other', async ({ make }) => {
    const { simulator, target, context } = await started()
    const user = candidate('1', { credential: hashed(await make()) })
    expect(resultsOf(await target.bring([order(user)], context))).toEqual([
      { kind: 'created', targetId: '1' },
    ])
    expect(await simulator.signIn('user-1@example.com', password)).toBe(true)
    expect(await simulator.signIn('user-1@example.com', `${password}.`)).toBe(false)
  })

  test('whose notation cidaas does not say are not read, and refused', async () => {
    const { simulator, target, context } = await started()
    const unread = [
      ...ownNotations,
      digestOf(password, 'md5'),
      digestOf(password, 'sha512'),
      digestOf(password, 'sha256', Buffer.from('salt')),
      hmacOf(password, 'sha256'),
      pbkdf2Of(password, 'sha256'),
      scryptOf(password),
      { kind: 'bcrypt', revision: '2b', cost: 21, salt: 'x'.repeat(22), digest: 'x'.repeat(31) } as const,
    ]
    for (const hash of unread) expect(cidaas.traits.reads(hash)).toBe(false)
    const orders = unread.map((hash, number) =>
      order(candidate(String(number), { credential: hashed(hash) })),
    )
    expect(resultsOf(await target.bring(orders, context))).toEqual(
      unread.map(() => ({ kind: 'refused', reason: 'hash-refused', targetCode: null, targetText: null })),
    )
    expect(simulator.batches()).toEqual([])
  })
})
