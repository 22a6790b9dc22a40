import { expect, test } from 'vitest'
import { CallFailure, type CallFailureCode } from '../../src/outbound/call.ts'
import { createAuthorization } from '../../src/provision/authorized.ts'
import { bringInHalves } from '../../src/provision/batch.ts'
import { createProgress, inOneLine } from '../../src/provision/progress.ts'
import { toldOf } from '../../src/provision/reasons.ts'
import { codeOf, withoutValues } from '../../src/provision/redact.ts'
import { type Brought, type Candidate, type Order, type Result, RunHalt } from '../../src/targets/target.ts'

const user = (id: string, more: Partial<Candidate> = {}): Candidate => ({
  id,
  login: `login-${id}`,
  email: null,
  active: true,
  attributes: {},
  credential: { kind: 'hook' },
  tag: null,
  ...more,
})
const ordered = (id: string) => ({
  order: { action: 'create', user: user(id), targetId: null, attempts: 0 } satisfies Order,
})
const refused = { kind: 'refused', reason: 'rejected', targetCode: '400', targetText: null } as const

/** Refuses a batch as a whole while one of these is in it. */
const spoiledBy =
  (bad: readonly string[], asked: number[] = []) =>
  async (orders: readonly Order[]): Promise<Brought> => {
    asked.push(orders.length)
    if (orders.some(({ user: { id } }) => bad.includes(id))) return { kind: 'whole', refused }
    return { kind: 'each', results: orders.map(({ user: { id } }) => ({ kind: 'created', targetId: id })) }
  }

test.each([
  { count: 1, bad: [] },
  { count: 1, bad: ['0'] },
  { count: 7, bad: ['0', '6'] },
  { count: 100, bad: ['50'] },
  { count: 5, bad: ['0', '1', '2', '3', '4'] },
])('of $count users $bad are refused alone, and the others are there', async ({ count, bad }) => {
  const told = new Map<string, Result>()
  const batch = Array.from({ length: count }, (_, at) => ordered(String(at)))
  await bringInHalves(batch, spoiledBy(bad), ({ order }, result) => {
    expect(told.has(order.user.id)).toBe(false)
    told.set(order.user.id, result)
  })
  expect(told.size).toBe(count)
  for (const [id, result] of told)
    expect(result).toEqual(bad.includes(id) ? refused : { kind: 'created', targetId: id })
})

test('one bad user of a thousand costs twenty calls and one', async () => {
  const asked: number[] = []
  const batch = Array.from({ length: 1_024 }, (_, at) => ordered(String(at)))
  await bringInHalves(batch, spoiledBy(['700'], asked), () => {})
  expect(asked).toHaveLength(21)
})

test.each<{ code: CallFailureCode; ends: 'halted' | 'postponed' }>([
  { code: 'timeout', ends: 'postponed' },
  { code: 'unreachable', ends: 'postponed' },
  { code: 'too-large', ends: 'postponed' },
  { code: 'malformed', ends: 'postponed' },
  { code: 'tls', ends: 'halted' },
  { code: 'redirect', ends: 'halted' },
  { code: 'forbidden-address', ends: 'halted' },
])('a call that fails with $code is $ends', async ({ code, ends }) => {
  const told: Result[] = []
  const brought = bringInHalves(
    [ordered('1'), ordered('2')],
    async () => {
      throw new CallFailure(code)
    },
    (_, result) => told.push(result),
  )
  if (ends === 'halted') {
    await expect(brought).rejects.toThrow(RunHalt)
    expect(told).toEqual([])
  } else {
    await brought
    expect(told).toEqual([1, 2].map(() => ({ kind: 'postponed', reason: 'no-answer' })))
  }
})

const ann = user('17', {
  login: 'Ann.Example',
  email: 'ann@mail.example',
  attributes: {
    name: { first: 'Änne', last: 'Of-*' },
    phones: ['+1 555', '+491701234567'],
    city: 'İzmir',
    age: 12345,
    no: 'ab',
  },
  credential: {
    kind: 'hash',
    hash: {
      kind: 'pbkdf2',
      algorithm: 'sha256',
      iterations: 1,
      salt: Buffer.from('salty'),
      derived: Buffer.from('derived'),
    },
  },
})

test.each([
  { title: 'the login in other letters', text: 'ANN.EXAMPLE is taken', kept: '… is taken' },
  { title: 'the e-mail address', text: 'no mail to <ann@mail.example>', kept: 'no mail to <…>' },
  { title: 'a part of the address', text: 'name ann: taken', kept: 'name …: taken' },
  { title: 'another Unicode form', text: 'first: A\u0308nne', kept: 'first: …' },
  { title: 'signs of expressions', text: 'last: Of-*?', kept: 'last: …?' },
  { title: 'numbers and lists', text: '12345 and +1 555', kept: '… and …' },
  { title: 'the address in an address', text: 'GET /users/ann%40Mail.example', kept: 'GET /users/…' },
  { title: 'a letter whose small form is longer', text: 'city: İZMIR!', kept: 'city: …!' },
  { title: 'a number with blanks', text: 'phone +49 170 / (0170) 123-4567.', kept: 'phone +49 170 / ….' },
  { title: 'another number', text: 'at most 100 000 000 users', kept: 'at most 100 000 000 users' },
  {
    title: 'salt and digest in one',
    text: `bad hash {SSHA}${Buffer.from('0123456789abcdefghijsalty').toString('base64')}`,
    kept: 'bad hash {SSHA}…',
  },
  {
    title: 'a word of many letters',
    text: 'credentials_password_hash_algorithm',
    kept: 'credentials_password_hash_algorithm',
  },
  { title: 'the hash', text: `salt ${Buffer.from('salty').toString('base64')}`, kept: 'salt …' },
  { title: 'what is too short to be told apart', text: 'ab is short', kept: 'ab is short' },
  { title: 'control characters', text: 'a\r\n\x1b[31mb', kept: 'a [31mb' },
  { title: 'nothing', text: null, kept: null },
])('of the words of a target is kept: $title', ({ text, kept }) => {
  expect(withoutValues(text, [user('1'), ann])).toBe(kept)
})

test('values are taken out before the words are cut', () => {
  expect(withoutValues(`${'x'.repeat(295)}ann@mail.example`, [ann])).toBe(`${'x'.repeat(295)}…`)
  expect(withoutValues('y'.repeat(10_000), [ann])).toHaveLength(300)
})

test.each([
  { code: 'E0000001', kept: 'E0000001' },
  { code: '409', kept: '409' },
  { code: 'ann@mail.example', kept: null },
  { code: 'two words', kept: null },
  { code: null, kept: null },
])('a code is a short word', ({ code, kept }) => {
  expect(codeOf(code)).toBe(kept)
})

test.each([
  { title: 'a value', code: 'of.Of-', user: { ...ann, attributes: { town: 'OF.OF' } }, kept: null },
  { title: 'a part of the hash', code: 'SALTY', user: ann, kept: null },
  {
    title: 'a status that is the number of a house',
    code: '409',
    user: { ...ann, attributes: { house: '409' } },
    kept: '409',
  },
  { title: 'nothing of the user', code: 'E0000001', user: ann, kept: 'E0000001' },
])('a code that has $title', ({ code, user: somebody, kept }) => {
  expect(codeOf(code, [somebody])).toBe(kept)
})

test('a token is fetched once for many calls, before it ends, and once more when it is not taken', async () => {
  let now = 0
  let fetched = 0
  const taken = new Set(['1', '2', '4'])
  const authorized = createAuthorization(
    {
      authorize: async () => {
        fetched += 1
        return { headers: { authorization: `${fetched}` }, goodFor: 1_000 }
      },
    },
    () => now,
  )
  const call = authorized(async ({ headers }) => ({
    status: taken.has(headers?.authorization ?? '') ? 200 : 401,
    headers: {},
    text: headers?.authorization ?? '',
  }))
  const ask = async () => (await call({ method: 'GET', url: 'https://target.test/' })).text
  expect(await Promise.all([ask(), ask(), ask()])).toEqual(['1', '1', '1'])
  now = 950
  expect(await ask()).toBe('2')
  now = 1_900
  expect(await ask()).toBe('4')
  expect(fetched).toBe(4)
})

test('progress is the rate of the last minute, whatever came before', () => {
  let now = 0
  const progress = createProgress(() => now)
  expect(progress({ pending: 1_000 })).toEqual({ done: 0, of: 1_000, aMinute: null, left: null, failed: 0 })
  for (let minute = 1; minute <= 5; minute++) {
    now = minute * 60_000
    progress({ pending: 1_000 - 10 * minute, created: 10 * minute })
  }
  now = 360_000
  const seen = progress({ pending: 850, created: 145, refused: 4, postponed: 1 })
  expect(seen).toEqual({ done: 150, of: 1_000, aMinute: 100, left: 510, failed: 5 })
  expect(inOneLine(seen, 0)).toBe('150 of 1000 users, 100 a minute, 9 min left, 5 refused or postponed')
})

test('a word of another version of this program has no sentence here', () => {
  expect(toldOf('of-the-future')).toBeUndefined()
  expect(toldOf('taken')?.hint).toContain('same person')
})

test('who is left out by the plan is told in its words', () => {
  expect(toldOf('disabled')).toEqual({ sentence: 'disabled or locked in the old system', hint: null })
})
