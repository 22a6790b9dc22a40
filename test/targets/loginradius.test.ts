import { afterEach, describe, expect, test } from 'vitest'
import { type Call, CallFailure, type OutboundRequest } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { loginradius } from '../../src/targets/loginradius.ts'
import {
  type Brought,
  type Candidate,
  type Credential,
  type Order,
  RunHalt,
  TargetError,
} from '../../src/targets/target.ts'
import {
  argon2Of,
  bcryptOf,
  digestOf,
  hmacOf,
  ownNotations,
  pbkdf2Of,
  scryptOf,
} from '../helpers/simulators/hashes.ts'
import { type LoginRadiusOptions, startLoginRadius } from '../helpers/simulators/loginradius.ts'
import { contextFor, createTestCall } from '../helpers/simulators/server.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function started(options: LoginRadiusOptions = {}, given: Record<string, string> = {}) {
  const simulator = await startLoginRadius(options)
  const { call, close } = createTestCall(simulator.server.ca)
  closing.push(close, simulator.close)
  const asked: OutboundRequest[] = []
  const noting: Call = (request) => {
    asked.push(request)
    return call(request)
  }
  const target = loginradius.open({
    URL: `${simulator.server.url}/v2`,
    ACCOUNT_URL: simulator.server.url,
    API_KEY: simulator.key,
    API_SECRET: simulator.secret,
    ...given,
  })
  const context = await contextFor(target, noting)
  return { simulator, target, context, asked }
}

function candidate(id: string, more: Partial<Candidate> = {}): Candidate {
  const email = `user-${id}@example.com`
  return {
    id,
    login: email,
    email,
    active: true,
    attributes: { Email: email, FirstName: 'Ada' },
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

const created = { kind: 'created' }

describe('settings', () => {
  const right = { API_KEY: 'x', API_SECRET: 'y' }

  test.for([
    { title: 'no key', given: { API_KEY: undefined }, says: /^API_KEY/ },
    { title: 'no secret', given: { API_SECRET: undefined }, says: /^API_SECRET/ },
    { title: 'an address without https', given: { URL: 'http://migration.loginradius.com' }, says: /^URL/ },
  ])('$title is refused', ({ given, says }) => {
    const opening = () => loginradius.open({ ...right, ...given })
    expect(opening).toThrow(TargetError)
    expect(opening).toThrow(says)
  })

  test('only the hosts of LoginRadius are called', () => {
    expect(loginradius.open(right).hosts).toEqual(['migration.loginradius.com', 'api.loginradius.com'])
  })
})

describe('the way in', () => {
  const use = { hook: false, hash: true, attributes: [] }

  test('the secret is in the address of the bulk call alone, as it is documented', async () => {
    const { simulator, target, context, asked } = await started()
    simulator.add('user-1@example.com', {})
    await target.bring([order(candidate('1'))], context)
    await target.bring([order(candidate('1'), 'delete')], context)
    const withSecret = asked.filter(({ url }) => url.includes(encodeURIComponent('secret')))
    expect(withSecret.map(({ url }) => new URL(url).pathname)).toEqual(['/v2/bulk/upsert'])
  })

  test('a wrong secret stops everything, at the look beforehand and in the run', async () => {
    const { target, context } = await started({}, { API_SECRET: 'another' })
    await expect(target.examine(context, use)).rejects.toThrow(RunHalt)
    await expect(target.bring(many(2), context)).rejects.toMatchObject({
      reason: 'unauthorized',
      targetCode: '6002',
    })
  })

  test('the look beforehand changes nothing', async () => {
    const { simulator, target, context } = await started()
    expect(await target.examine(context, use)).toEqual([])
    expect(simulator.requests()).toEqual([])
  })

  test('an outage at the look beforehand is no wrong secret', async () => {
    const { simulator, target, context } = await started()
    simulator.server.next('failed')
    await expect(target.examine(context, use)).rejects.toThrow(CallFailure)
  })

  test('a busy answer has a wait', () => {
    const { limitOf } = loginradius.open({ API_KEY: 'x', API_SECRET: 'y' })
    expect(limitOf({ status: 429, headers: { 'retry-after': '7' }, text: '' })).toEqual({ waitMs: 7000 })
    expect(limitOf({ status: 429, headers: {}, text: '' })).toEqual({ waitMs: 10_000 })
    expect(limitOf({ status: 200, headers: {}, text: '' })).toBeNull()
  })
})

describe('users', () => {
  test('are sent with members where they belong', async () => {
    const { simulator, target, context } = await started()
    const user = candidate('42', {
      active: false,
      attributes: {
        Email: 'jane@example.com',
        UserName: 'jane@example.com',
        ExternalIds: 'not this one',
        FirstName: 'Jane',
        LastName: null,
        'CustomFields.plan': 'full',
        shoeSize: 41,
      },
    })
    expect(resultsOf(await target.bring([order(user)], context))).toEqual([
      { kind: 'created', targetId: null },
    ])
    expect(simulator.account('jane@example.com')).toEqual({
      Uid: expect.any(String),
      Email: [{ Type: 'Primary', Value: 'jane@example.com' }],
      ExternalIds: [{ Source: 'carryover', SourceId: '42' }],
      FirstName: 'Jane',
      CustomFields: { plan: 'full', shoeSize: '41' },
      DisableLogin: true,
    })
  })

  test('of one kind of hash go in one request, and the results in their order', async () => {
    const { simulator, target, context } = await started()
    const kinds = [bcryptOf('x'), digestOf('x', 'sha1'), bcryptOf('x'), digestOf('x', 'md5'), bcryptOf('x')]
    const orders = kinds.map((hash, number) => {
      const user = candidate(String(number), {
        credential: number === 4 ? { kind: 'reset' } : hashed(hash),
      })
      return order(number === 3 ? { ...user, attributes: { Email: 'none' } } : user)
    })
    expect(resultsOf(await target.bring(orders, context))).toMatchObject([
      created,
      created,
      created,
      { kind: 'refused', reason: 'invalid-attribute', targetCode: 'Failed' },
      created,
    ])
    expect(simulator.requests()).toMatchObject([
      { type: 'BCRYPT', users: 2 },
      { type: 'SHA1', users: 1 },
      { type: 'MD5', users: 1 },
      { type: undefined, users: 1 },
    ])
  })

  test('stay below the size of a request', async () => {
    const { simulator, target, context } = await started()
    const wide = (number: number) =>
      candidate(String(number), { attributes: { 'CustomFields.text': 'ü'.repeat(500_000) } })
    const orders = Array.from({ length: 12 }, (_, number) => order(wide(number)))
    const huge = candidate('huge', { attributes: { 'CustomFields.text': 'x'.repeat(10_000_000) } })
    const results = resultsOf(await target.bring([...orders, order(huge)], context))
    expect(results.slice(0, 12).every(({ kind }) => kind === 'created')).toBe(true)
    expect(results[12]).toMatchObject({ kind: 'refused', reason: 'too-large', targetCode: null })
    expect(simulator.requests().map(({ users }) => users)).toEqual([9, 3])
    for (const { bytes } of simulator.requests()) expect(bytes).toBeLessThanOrEqual(10_000_000)
  })

  test.for([
    { rowsFrom: 0, bad: 0 },
    { rowsFrom: 0, bad: 2 },
    { rowsFrom: 0, bad: 4 },
    { rowsFrom: 1, bad: 0 },
    { rowsFrom: 1, bad: 2 },
    { rowsFrom: 1, bad: 4 },
  ] as const)(
    'who fail are told from the others: row $bad, counted from $rowsFrom',
    async ({ rowsFrom, bad }) => {
      const { simulator, target, context } = await started({ rowsFrom })
      for (const run of [0, 1]) {
        const orders = Array.from({ length: 5 }, (_, row) => {
          const user = candidate(`${run}-${row}`)
          return order(row === bad ? { ...user, attributes: { Email: 'none' } } : user)
        })
        const results = resultsOf(await target.bring(orders, context))
        expect(results.map(({ kind }) => kind)).toEqual(
          orders.map((_, row) => (row === bad ? 'refused' : 'created')),
        )
        expect(results[bad]).toMatchObject({
          reason: 'invalid-attribute',
          targetCode: 'Failed',
          targetText: 'The email is not valid',
        })
      }
      expect(simulator.accounts().length).toBe(8)
      // The first answers tell where counting starts; from then on only who failed is looked for.
      expect(simulator.lookUps()).toBeLessThanOrEqual(8)
    },
  )

  test.for(['empty', 404, 403] as const)('that there is no account can be said as %s', async (absent) => {
    const { target, context } = await started({ absent })
    const nobody = candidate('1', { attributes: { Email: 'none' } })
    expect(resultsOf(await target.bring([order(nobody)], context))).toMatchObject([
      { kind: 'refused', reason: 'invalid-attribute' },
    ])
  })

  test('one who spoils a request is found by halves', async () => {
    const { simulator, target, context } = await started()
    const odd = candidate('x', { attributes: { FirstName: 7 } })
    const results = resultsOf(await target.bring([...many(6), order(odd), ...many(9).slice(6)], context))
    expect(results.filter(({ kind }) => kind === 'created').length).toBe(9)
    expect(results[6]).toMatchObject({ kind: 'refused', reason: 'invalid-attribute', targetCode: '7914' })
    expect(simulator.accounts().length).toBe(9)
  })

  test('whose address somebody else has are taken, and are not overwritten', async () => {
    const { simulator, target, context } = await started()
    simulator.add('user-1@example.com', { FirstName: 'Grace', ExternalIds: [{ Source: 'x', SourceId: '1' }] })
    const results = resultsOf(await target.bring([order(candidate('1')), order(candidate('2'))], context))
    expect(results).toMatchObject([{ kind: 'refused', reason: 'taken' }, created])
    expect(simulator.account('user-1@example.com')).toMatchObject({ FirstName: 'Grace' })
  })

  test('who were there before, under our key, are left as they are', async () => {
    const { simulator, target, context } = await started()
    const ours = { FirstName: 'Grace', ExternalIds: [{ Source: 'carryover', SourceId: '1' }] }
    simulator.add('user-1@example.com', ours)
    expect(resultsOf(await target.bring([order(candidate('1'))], context))).toEqual([
      { kind: 'unchanged', targetId: expect.any(String) },
    ])
    expect(simulator.account('user-1@example.com')).toMatchObject(ours)
  })

  test('who were heard although the answer was cut are created once', async () => {
    const { simulator, target, context } = await started()
    simulator.server.next('cutAfter')
    await expect(target.bring(many(3), context)).rejects.toThrow(CallFailure)
    const again = many(4).map((one) => ({ ...one, attempts: 1 }))
    expect(resultsOf(await target.bring(again, context))).toMatchObject([created, created, created, created])
    expect(simulator.accounts().length).toBe(4)
  })

  test.for([
    { fault: 'unavailable' as const, reason: 'busy' },
    { fault: 'failed' as const, reason: 'no-answer' },
  ])('are postponed when the answer is $fault', async ({ fault, reason }) => {
    const { simulator, target, context } = await started()
    simulator.server.next(fault)
    expect(resultsOf(await target.bring(many(1), context))).toEqual([{ kind: 'postponed', reason }])
  })

  test.for([
    { title: 'without an address', more: { email: null, attributes: {} }, reason: 'missing-attribute' },
    { title: 'who ask for a hook', more: { credential: { kind: 'hook' } as const }, reason: 'wrong-state' },
  ])('$title are refused', async ({ more, reason }) => {
    const { simulator, target, context } = await started()
    expect(resultsOf(await target.bring([order(candidate('1', more))], context))).toMatchObject([
      { kind: 'refused', reason },
    ])
    expect(simulator.requests()).toEqual([])
  })
})

describe('changes', () => {
  test('overwrite what is there, with a new hash as well', async () => {
    const { simulator, target, context } = await started()
    await target.bring([order(candidate('1', { credential: hashed(bcryptOf('old')) }))], context)
    const changed = candidate('1', {
      credential: hashed(digestOf('new', 'sha512')),
      attributes: { FirstName: 'Grace' },
    })
    expect(resultsOf(await target.bring([order(changed, 'update')], context))).toMatchObject([
      { kind: 'updated' },
    ])
    expect(simulator.account('user-1@example.com')).toMatchObject({ FirstName: 'Grace' })
    expect(await simulator.signIn('user-1@example.com', 'old')).toBe(false)
    expect(await simulator.signIn('user-1@example.com', 'new')).toBe(true)
  })

  test.for([0, 1] as const)('that fail are told from the others, rows counted from %s', async (rowsFrom) => {
    const { target, context } = await started({ rowsFrom })
    await target.bring(many(3), context)
    const orders = many(3).map(({ user }, row) =>
      order(row === 1 ? { ...user, attributes: { Email: 'none' } } : user, 'update'),
    )
    expect(resultsOf(await target.bring(orders, context))).toMatchObject([
      { kind: 'updated' },
      { kind: 'refused', reason: 'invalid-attribute' },
      { kind: 'updated' },
    ])
  })

  test('who is removed cannot sign in, or is gone; somebody else is left alone', async () => {
    const { simulator, target, context } = await started()
    const user = candidate('1', { credential: hashed(bcryptOf('right')) })
    await target.bring([order(user)], context)
    simulator.add('user-2@example.com', {})
    expect(await simulator.signIn('user-1@example.com', 'right')).toBe(true)
    for (const action of ['deactivate', 'delete'] as const) {
      const orders = ['1', '2', '9'].map((id) =>
        order(candidate(id, { credential: { kind: 'keep' } }), action),
      )
      expect(resultsOf(await target.bring(orders, context))).toEqual([
        { kind: 'removed', targetId: expect.any(String) },
        { kind: 'refused', reason: 'not-there', targetCode: null, targetText: null },
        { kind: 'removed', targetId: null },
      ])
      expect(await simulator.signIn('user-1@example.com', 'right')).toBe(false)
      expect(simulator.accounts().length).toBe(action === 'delete' ? 1 : 2)
    }
  })
})

describe('hashes', () => {
  const password = 'pässword 🔑 1'

  test.for([
    { title: 'bcrypt', make: () => bcryptOf(password) },
    { title: 'md5', make: () => digestOf(password, 'md5') },
    { title: 'sha1', make: () => digestOf(password, 'sha1') },
    { title: 'sha256', make: () => digestOf(password, 'sha256') },
    { title: 'sha512', make: () => digestOf(password, 'sha512') },
  ])('$title lets the right password in and no other', async ({ make }) => {
    const { simulator, target, context } = await started()
    const user = candidate('1', { credential: hashed(make()) })
    expect(resultsOf(await target.bring([order(user)], context))).toMatchObject([created])
    expect(await simulator.signIn('user-1@example.com', password)).toBe(true)
    expect(await simulator.signIn('user-1@example.com', `${password}.`)).toBe(false)
  })

  test('whose notation LoginRadius does not say are not read, and refused', async () => {
    const { simulator, target, context } = await started()
    const unread = [
      ...ownNotations,
      digestOf(password, 'sha256', Buffer.from('salt')),
      hmacOf(password, 'sha256'),
      pbkdf2Of(password, 'sha256'),
      scryptOf(password),
      await argon2Of(password),
    ]
    for (const hash of unread) expect(loginradius.traits.reads(hash)).toBe(false)
    const orders = unread.map((hash, number) =>
      order(candidate(String(number), { credential: hashed(hash) })),
    )
    expect(resultsOf(await target.bring(orders, context))).toEqual(
      unread.map(() => ({ kind: 'refused', reason: 'hash-refused', targetCode: null, targetText: null })),
    )
    expect(simulator.requests()).toEqual([])
  })
})
