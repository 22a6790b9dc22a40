import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { proofKinds } from '../../src/callers/index.ts'
import { createSeenIds } from '../../src/callers/seen.ts'
import { Failure } from '../../src/errors.ts'
import { callWith, checkOf, readSetting, signedHeaders } from '../helpers/proofs.ts'

const vectors = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8'))

const STATIC = 'Bearer static-value-of-the-tests-0123456789'
const USER = 'hook:pass:wörd-of-the-tests'
const KEY = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const OTHER_KEY = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
const basicOf = (user: string) => ({ authorization: `Basic ${Buffer.from(user).toString('base64')}` })

describe('HTTP Basic', () => {
  test.for(vectors.basic as { source: string; header: string; user: string }[])(
    'as in $source',
    async ({ header, user }) => {
      const { knows } = checkOf({ BASIC: user })
      expect(await knows(callWith({ authorization: header }))).toBe(true)
      expect(await knows(callWith({ authorization: header.replace('Basic', 'bAsIc ') }))).toBe(true)
    },
  )

  test.for([
    { title: 'no header', headers: {} },
    { title: 'no user at all', headers: { authorization: 'Basic ' } },
    { title: 'another password', headers: basicOf(`${USER}x`) },
    { title: 'another user', headers: basicOf(`x${USER}`) },
    { title: 'both users in one', headers: basicOf(`${USER},second:one`) },
    { title: 'the text that is encoded', headers: { authorization: `Basic ${USER}` } },
    {
      title: 'another scheme',
      headers: { authorization: basicOf(USER).authorization.replace('Basic', 'Bearer') },
    },
    { title: 'a byte order mark', headers: basicOf(`\ufeff${USER}`) },
    {
      title: 'Latin-1',
      headers: { authorization: `Basic ${Buffer.from(USER, 'latin1').toString('base64')}` },
    },
  ])('$title is refused', async ({ headers }) => {
    expect(await checkOf({ BASIC: `${USER},second:one` }).knows(callWith(headers))).toBe(false)
  })

  test('two users at once, in any normal form', async () => {
    const { knows } = checkOf({ BASIC: `${USER}, second:one` })
    for (const user of [USER, USER.normalize('NFD'), 'second:one'])
      expect(await knows(callWith(basicOf(user)))).toBe(true)
  })

  test.for(['alone', ':secret', 'user:'])('%s is no user and password', (text) => {
    expect(() => readSetting('BASIC', text)).toThrow('a comma-separated list of user:password')
  })
})

describe('Standard Webhooks', () => {
  const body = '{"a":"ä"}'
  const sent = (headers: Record<string, string>, text = body) => callWith(headers, text)

  beforeEach(() => void vi.useFakeTimers({ now: 1_700_000_000_000, toFake: ['Date'] }))
  afterEach(() => void vi.useRealTimers())

  test.for(
    vectors.standardWebhooks as {
      source: string
      secret: string
      id: string
      timestamp: number
      body: string
      signature: string
    }[],
  )('as in $source', async ({ secret, id, timestamp, body, signature }) => {
    vi.setSystemTime(timestamp * 1_000)
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': `v1a,bm9wZQ== v1,bm9wZQ== ${signature}`,
    }
    expect(await checkOf({ HMAC_SECRETS: secret }).knows(sent(headers, body))).toBe(true)
    expect(await checkOf({ HMAC_SECRETS: `${KEY},${secret}` }).knows(sent(headers, body))).toBe(true)
    expect(await checkOf({ HMAC_SECRETS: KEY }).knows(sent(headers, body))).toBe(false)
    expect(await checkOf({ HMAC_SECRETS: secret }).knows(sent(headers, `${body} `))).toBe(false)
  })

  const right = () => signedHeaders(body, [KEY])
  test.for([
    { title: 'no headers', change: () => ({}) },
    { title: 'no id', change: () => ({ ...right(), 'webhook-id': '' }) },
    { title: 'another id', change: () => ({ ...right(), 'webhook-id': 'msg_2' }) },
    { title: 'another timestamp', change: () => ({ ...right(), 'webhook-timestamp': '1700000001' }) },
    { title: 'no timestamp', change: () => ({ ...right(), 'webhook-timestamp': '' }) },
    { title: 'no signature', change: () => ({ ...right(), 'webhook-signature': '' }) },
    { title: 'an empty signature', change: () => ({ ...right(), 'webhook-signature': 'v1,' }) },
    {
      title: 'another version of signature',
      change: () => ({
        ...right(),
        'webhook-signature': (right()['webhook-signature'] ?? '').replace('v1', 'v2'),
      }),
    },
    { title: 'another key', change: () => signedHeaders(body, [OTHER_KEY]) },
    { title: 'another body', change: () => signedHeaders('{}', [KEY]) },
    { title: 'a full stop in the id', change: () => signedHeaders(body, [KEY], { id: 'a.b' }) },
    { title: 'an old call', change: () => signedHeaders(body, [KEY], { at: 1_700_000_000 - 301 }) },
    { title: 'a call of the future', change: () => signedHeaders(body, [KEY], { at: 1_700_000_000 + 301 }) },
  ])('$title is refused', async ({ change }) => {
    const { knows } = checkOf({ HMAC_SECRETS: KEY })
    expect(await knows(sent(change()))).toBe(false)
    expect(await knows(sent(right()))).toBe(true)
  })

  test.for([-300, 300])('%i seconds off is in time', async (off) => {
    const { knows } = checkOf({ HMAC_SECRETS: KEY })
    expect(await knows(sent(signedHeaders(body, [KEY], { at: 1_700_000_000 + off })))).toBe(true)
  })

  test('either key, while one replaces the other', async () => {
    const { knows } = checkOf({ HMAC_SECRETS: `${KEY},${OTHER_KEY}` })
    for (const [place, keys] of [[KEY], [OTHER_KEY], [OTHER_KEY, KEY]].entries())
      expect(await knows(sent(signedHeaders(body, keys, { id: `msg_${place}` })))).toBe(true)
  })

  test('an id is taken once, however long its timestamp stays in time', async () => {
    const { knows } = checkOf({ HMAC_SECRETS: KEY })
    const early = signedHeaders(body, [KEY], { at: 1_700_000_000 + 300 })
    expect(await knows(sent(early))).toBe(true)
    expect(await knows(sent(early))).toBe(false)
    vi.setSystemTime((1_700_000_000 + 599) * 1_000)
    expect(await knows(sent(early))).toBe(false)
    expect(await knows(sent(signedHeaders(body, [KEY])))).toBe(false)
    vi.setSystemTime((1_700_000_000 + 601) * 1_000)
    expect(await knows(sent(early))).toBe(false)
    expect(await knows(sent(signedHeaders(body, [KEY])))).toBe(true)
  })

  test('of a call that is sent twice at once, one is taken', async () => {
    const { knows } = checkOf({ HMAC_SECRETS: KEY })
    const answers = await Promise.all([knows(sent(right())), knows(sent(right()))])
    expect(answers.sort()).toEqual([false, true])
  })

  test('other keys are taken, and what was seen stays seen', async () => {
    const { knows, unanswered, renew } = checkOf({ HMAC_SECRETS: KEY })
    const [seen, failed] = [sent(right()), sent(signedHeaders(body, [KEY], { id: 'msg_failed' }))]
    expect([await knows(seen), await knows(failed)]).toEqual([true, true])
    renew({ HMAC_SECRETS: readSetting('HMAC_SECRETS', `${KEY},${OTHER_KEY}`) })
    expect(await knows(sent(right()))).toBe(false)
    expect(await knows(sent(signedHeaders(body, [OTHER_KEY])))).toBe(false)
    unanswered(failed)
    expect(await knows(sent(signedHeaders(body, [OTHER_KEY], { id: 'msg_failed' })))).toBe(true)
    renew({ HMAC_SECRETS: readSetting('HMAC_SECRETS', OTHER_KEY) })
    expect(await knows(sent(signedHeaders(body, [KEY], { id: 'msg_old' })))).toBe(false)
    expect(await knows(sent(signedHeaders(body, [OTHER_KEY], { id: 'msg_new' })))).toBe(true)
  })

  test('a call whose body arrives while keys change is known by the new ones', async () => {
    const { knows, renew } = checkOf({ HMAC_SECRETS: `${KEY},${OTHER_KEY}` })
    const call = callWith(signedHeaders(body, [OTHER_KEY]), body, {
      body: async () => {
        renew({ HMAC_SECRETS: readSetting('HMAC_SECRETS', OTHER_KEY) })
        return Buffer.from(body)
      },
    })
    expect(await knows(call)).toBe(true)
  })

  test('a call that ended in a failure may be repeated; one that was refused frees nothing', async () => {
    const { knows, unanswered } = checkOf({ HMAC_SECRETS: KEY })
    const [first, second] = [sent(right()), sent(right())]
    expect(await knows(first)).toBe(true)
    expect(await knows(second)).toBe(false)
    unanswered(second)
    expect(await knows(sent(right()))).toBe(false)
    unanswered(first)
    expect(await knows(sent(right()))).toBe(true)
  })

  test('a forged call does not use up the id', async () => {
    const { knows } = checkOf({ HMAC_SECRETS: KEY })
    expect(await knows(sent(signedHeaders(body, [OTHER_KEY])))).toBe(false)
    expect(await knows(sent(right()))).toBe(true)
  })

  test('the body of a known call stays readable, that of a stranger is cleared', async () => {
    const { knows } = checkOf({ HMAC_SECRETS: KEY })
    const [known, stranger] = [sent(right()), sent(signedHeaders(body, [OTHER_KEY]))]
    expect(await Promise.all([knows(known), knows(stranger)])).toEqual([true, false])
    expect((await known.body(100)).toString()).toBe(body)
    expect((await stranger.body(100)).every((byte) => byte === 0)).toBe(true)
  })

  test('a body that cannot be read proves nothing', async () => {
    const broken = { body: () => Promise.reject(new Failure('too-large')) }
    expect(await checkOf({ HMAC_SECRETS: KEY }).knows(callWith(right(), body, broken))).toBe(false)
  })

  test.for(['', KEY.slice(6), 'whsec_', 'whsec_not base64', 'whsec_a-_b'])('%j is no key', (text) => {
    expect(() => readSetting('HMAC_SECRETS', text || ',')).toThrow('comma-separated list')
  })
})

test('ids that there is no room for are a failure, and none is forgotten for them', () => {
  const seen = createSeenIds(60_000, 2)
  expect([seen.claim('a'), seen.claim('b'), seen.claim('a')]).toEqual([true, true, false])
  expect(() => seen.claim('c')).toThrow(expect.objectContaining({ code: 'overloaded' }))
  seen.release('b')
  expect([seen.claim('c'), seen.claim('a')]).toEqual([true, false])
})

describe('several kinds', () => {
  const all = { HOOK_SECRETS: STATIC, BASIC: USER, HMAC_SECRETS: KEY }

  test('old, both and new, for values and for users', async () => {
    const { knows, renew } = checkOf(all)
    const known = async () =>
      Promise.all(
        [{ authorization: STATIC }, { authorization: `${STATIC}2` }, basicOf(USER), basicOf(`${USER}2`)].map(
          (headers) => knows(callWith(headers)),
        ),
      )
    expect(await known()).toEqual([true, false, true, false])
    renew({ HOOK_SECRETS: [STATIC, `${STATIC}2`], BASIC: [USER, `${USER}2`] })
    expect(await known()).toEqual([true, true, true, true])
    renew({ HOOK_SECRETS: [`${STATIC}2`], BASIC: [`${USER}2`] })
    expect(await known()).toEqual([false, true, false, true])
  })

  test.for([
    { title: 'the fixed value', headers: { authorization: STATIC } },
    { title: 'user and password', headers: basicOf(USER) },
    { title: 'a signature', headers: signedHeaders('{}', [KEY]) },
    {
      title: 'a wrong value with a right signature',
      headers: { authorization: 'x', ...signedHeaders('{}', [KEY]) },
    },
  ])('$title is enough', async ({ headers }) => {
    expect(await checkOf(all).knows(callWith(headers, '{}'))).toBe(true)
  })

  test('the body is read for a signature that is possible, and only then', async () => {
    let reads = 0
    const counted = { body: async () => Buffer.alloc(++reads) }
    for (const headers of [{}, { authorization: 'x' }, { authorization: STATIC }, { 'webhook-id': 'a' }])
      await checkOf(all).knows(callWith(headers as Record<string, string>, '', counted))
    expect(reads).toBe(0)
    await checkOf(all).knows(callWith(signedHeaders('{}', [KEY]), '', counted))
    expect(reads).toBe(1)
  })

  test('nobody is known where nothing is configured', async () => {
    expect(await checkOf({}).knows(callWith({ authorization: '' }))).toBe(false)
    for (const kind of proofKinds) expect(kind.create({})).toBe(null)
  })

  test('an address that is not allowed outweighs every proof', async () => {
    const { knows } = checkOf(all, [], ({ remote }) => remote === '192.0.2.1')
    const headers = { authorization: STATIC }
    expect(await knows(callWith(headers))).toBe(false)
    expect(await knows(callWith(headers, '', { remote: '192.0.2.1' }))).toBe(true)
  })
})
