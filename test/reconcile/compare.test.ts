import { expect, test } from 'vitest'
import type { OutboundAnswer } from '../../src/outbound/call.ts'
import { agree, type CompareDeps, compare, type LedgerUser } from '../../src/reconcile/compare.ts'
import type { Standing } from '../../src/targets/confirmations.ts'
import { oktaConfirmations } from '../../src/targets/okta-log.ts'

const user = (id: string, state: LedgerUser['state']): LedgerUser => ({
  id,
  state,
  login: id,
  targetId: null,
})

function comparing(users: readonly LedgerUser[], standings: Readonly<Record<string, Standing>>) {
  const corrected: string[] = []
  const deps: CompareDeps = {
    users: async function* () {
      for (let from = 0; from < users.length; from += 3) yield users.slice(from, from + 3)
    },
    standing: async ({ id }) => standings[id] ?? 'unclear',
    correct: async (some) => {
      corrected.push(...some.map(({ id }) => id))
      return some.length
    },
    progress: () => {},
    inFlight: 2,
    stop: new AbortController().signal,
  }
  return { corrected, deps }
}

test('says what the ledger and the provider say, and corrects those alone who have a password of their own', async () => {
  const { corrected, deps } = comparing(
    [user('a', 'unmigrated'), user('b', 'unmigrated'), user('c', 'verified'), user('d', 'migrated')].concat(
      user('e', 'migrated'),
      user('f', 'verified'),
      user('g', 'unmigrated'),
    ),
    {
      a: 'asks-us',
      b: 'own-password',
      c: 'own-password',
      d: 'own-password',
      e: 'asks-us',
      f: 'absent',
    },
  )
  expect(await compare(deps)).toEqual({
    users: 7,
    corrected: 2,
    complete: true,
    said: [
      { ledger: 'migrated', provider: 'asks-us', users: 1, examples: ['e'] },
      { ledger: 'migrated', provider: 'own-password', users: 1, examples: [] },
      { ledger: 'unmigrated', provider: 'asks-us', users: 1, examples: [] },
      { ledger: 'unmigrated', provider: 'own-password', users: 1, examples: ['b'] },
      { ledger: 'unmigrated', provider: 'unclear', users: 1, examples: ['g'] },
      { ledger: 'verified', provider: 'absent', users: 1, examples: ['f'] },
      { ledger: 'verified', provider: 'own-password', users: 1, examples: ['c'] },
    ],
  })
  expect(corrected).toEqual(['b', 'c'])
})

test('stops between users, and says that it did', async () => {
  const stop = new AbortController()
  const { deps } = comparing(
    Array.from({ length: 9 }, (_, at) => user(String(at), 'unmigrated')),
    {},
  )
  const asked: string[] = []
  const done = await compare({
    ...deps,
    standing: async ({ id }) => {
      asked.push(id)
      if (asked.length === 4) stop.abort()
      return 'asks-us'
    },
    stop: stop.signal,
  })
  expect(done).toMatchObject({ users: 5, complete: false })
  expect(asked).toHaveLength(5)
})

test.each([
  ['unmigrated', 'asks-us', true],
  ['verified', 'asks-us', true],
  ['migrated', 'own-password', true],
  ['migrated', 'asks-us', false],
  ['unmigrated', 'absent', false],
  ['verified', 'unclear', false],
] as const)('ledger %s, provider %s: agree %s', (ledger, provider, agreed) => {
  expect(agree(ledger, provider)).toBe(agreed)
})

const log = oktaConfirmations.open({ URL: 'https://example.okta.com', TOKEN: 'a-token', TOKEN_TYPE: 'ssws' })

test.each([
  { title: 'an import', status: 'ACTIVE', type: 'IMPORT', standing: 'asks-us' },
  { title: 'an import that is not active yet', status: 'STAGED', type: 'IMPORT', standing: 'asks-us' },
  { title: 'a password of its own', status: 'ACTIVE', type: 'OKTA', standing: 'own-password' },
  { title: 'a locked account', status: 'LOCKED_OUT', type: 'OKTA', standing: 'own-password' },
  { title: 'a reset that is under way', status: 'RECOVERY', type: 'OKTA', standing: 'unclear' },
  { title: 'an account without password', status: 'PROVISIONED', type: 'OKTA', standing: 'unclear' },
  { title: 'another directory', status: 'ACTIVE', type: 'ACTIVE_DIRECTORY', standing: 'unclear' },
])('$title is $standing', async ({ status, type, standing }) => {
  const asked: string[] = []
  const answer: OutboundAnswer = {
    status: 200,
    headers: {},
    text: JSON.stringify({
      id: '00u1',
      status,
      credentials: { password: {}, provider: { type, name: type } },
    }),
  }
  const say = (question: { url: string }) => {
    asked.push(question.url)
    return Promise.resolve(answer)
  }
  expect(await log.standing(say, { targetId: null, login: 'ann/../b@example.com' })).toBe(standing)
  expect(await log.standing(say, { targetId: '00u1', login: 'ann@example.com' })).toBe(standing)
  expect(asked).toEqual([
    'https://example.okta.com/api/v1/users/ann%2F..%2Fb%40example.com',
    'https://example.okta.com/api/v1/users/00u1',
  ])
})

test('somebody whom nobody knows there is absent', async () => {
  const nobody = { status: 404, headers: {}, text: '{"errorCode":"E0000007"}' }
  expect(await log.standing(async () => nobody, { targetId: null, login: 'x' })).toBe('absent')
})

test('the limits of an answer are read, with its clock', () => {
  const headers = {
    'x-rate-limit-limit': '600',
    'x-rate-limit-remaining': '0',
    'x-rate-limit-reset': '1605463723',
    date: 'Sun, 15 Nov 2020 18:08:13 GMT',
  }
  expect(log.limitOf({ status: 429, headers, text: '' })).toEqual({
    limit: 600,
    remaining: 0,
    resetAt: 1_605_463_723_000,
    now: 1_605_463_693_000,
    // A second longer, as Okta's own SDK does.
    waitMs: 31_000,
  })
  const concurrency = {
    'x-rate-limit-limit': '0',
    'x-rate-limit-remaining': '0',
    'x-rate-limit-reset': '1605463723',
  }
  expect(log.limitOf({ status: 429, headers: concurrency, text: '' })).toEqual({ waitMs: 1_000 })
  expect(log.limitOf({ status: 200, headers: {}, text: '' })).toBeNull()
})
