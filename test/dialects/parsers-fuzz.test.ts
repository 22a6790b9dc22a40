import { expect, test } from 'vitest'
import { keycloak } from '../../src/dialects/keycloak.ts'
import { ory } from '../../src/dialects/ory.ts'
import { legacyUser } from '../helpers/flows.ts'
import { hooksOf } from '../helpers/hooks.ts'
import { SECRET } from '../helpers/service.ts'
import { strictJson } from '../helpers/strict-json.ts'

// Whatever is sent: an answer of the dialect's, and a yes for nothing but the right password of the one user.

const CASES = 1_000
const users = [legacyUser({ login: 'ann', email: 'a n+n@x.io' })]
const NAMES = ['ann', 'a n+n@x.io']

/** Repeatable: the same seed, the same numbers. */
function dice(seed: number) {
  let state = seed
  return (sides: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * sides)
  }
}

type Roll = ReturnType<typeof dice>

const pick = <Item>(roll: Roll, items: readonly Item[]): Item => items[roll(items.length)] as Item

const KEYS = [
  'password',
  'identifier',
  'traits',
  'email',
  'username',
  'status',
  'Password',
  '__proto__',
  'constructor',
  '',
]
const TEXTS = [
  'ann',
  'right',
  'wrong',
  '',
  ' ',
  'password_match',
  '\u0000',
  '\ud800',
  'é',
  'ＡＮＮ',
  'a n+n@x.io',
  'x'.repeat(2_000),
]

function value(roll: Roll, depth: number): unknown {
  switch (roll(depth > 3 ? 6 : 8)) {
    case 0:
      return null
    case 1:
      return roll(2) === 0
    case 2:
      return pick(roll, [0, -1, 1e308, 0.1])
    case 6:
      return Array.from({ length: roll(4) }, () => value(roll, depth + 1))
    case 7:
      return objectOf(roll, KEYS, depth + 1)
    default:
      return pick(roll, TEXTS)
  }
}

function objectOf(roll: Roll, keys: readonly string[], depth: number): unknown {
  return Object.fromEntries(Array.from({ length: roll(5) }, () => [pick(roll, keys), value(roll, depth)]))
}

/** JSON of about the right shape, and of any other, sometimes damaged. */
function body(roll: Roll): string {
  const text = JSON.stringify(
    roll(3) === 0
      ? {
          identifier: pick(roll, TEXTS),
          password: pick(roll, TEXTS),
          traits: objectOf(roll, KEYS, 0),
          more: value(roll, 2),
        }
      : value(roll, 0),
  )
  const at = roll(text.length + 1)
  switch (roll(8)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return (
        text.slice(0, at) +
        pick(roll, ['"', '}', ',', '\\', '\u0000', '{"password":"right"}']) +
        text.slice(at)
      )
    default:
      return text
  }
}

const PIECES = [
  'ann',
  'a',
  'n',
  '+',
  '%20',
  '%2B',
  '%40',
  '%',
  '%C3',
  '%C3%A9',
  '%00',
  '%2F',
  '/',
  '..',
  '%2e',
  ';',
  '*',
  'x.io',
  '%ff',
  '\u00e9',
  ' ',
  '%EF%BC%A1',
]

function path(roll: Roll): string {
  const start = pick(roll, [
    '/keycloak/users/',
    '/keycloak/users/',
    '/keycloak/users//',
    '/keycloak/users',
    '/keycloak/',
  ])
  const whole = ['ann', 'ANN', 'a+n%2Bn%40x.io', 'a%20n%2bn@x.io', 'a+n+n@x.io']
  if (roll(3) === 0) return start + pick(roll, whole)
  return start + Array.from({ length: roll(5) }, () => pick(roll, PIECES)).join('')
}

function parsed(text: string): Record<string, unknown> {
  const json = strictJson(text)?.value
  return typeof json === 'object' && json !== null && !Array.isArray(json)
    ? (json as Record<string, unknown>)
    : {}
}

const isHers = (name: unknown) =>
  typeof name === 'string' && NAMES.includes(name.trim().normalize('NFKC').toLowerCase())

/** What java.net.URLDecoder makes of the segment after the prefix, where that is one segment. */
function loginOf(sent: string): string | undefined {
  const segment = /^\/keycloak\/users\/{1,2}([^/]+)$/.exec(sent)?.[1]
  return segment === undefined
    ? undefined
    : (new URLSearchParams(`x=${segment.replace(/[&;]/g, '%26')}`).get('x') ?? undefined)
}

const post = (text: string): RequestInit => ({
  method: 'POST',
  headers: { authorization: SECRET, 'content-type': 'application/json' },
  body: text,
})

test.each([1, 2])('the password migration of Ory (seed %d)', async (seed) => {
  const roll = dice(seed)
  const { request, events } = hooksOf(ory, users)
  const seen = new Map<number, number>()
  for (let at = 0; at < CASES; at++) {
    const text = body(roll)
    const response = await request('/ory/password-migration', post(text))
    const { identifier, password } = parsed(text)
    const right = isHers(identifier) && password === 'right'
    expect([response.status === 200, text]).toEqual([right, text])
    expect(await response.text()).toMatch(
      right ? /^\{"status":"password_match"\}$/ : /^(?:\{\}|\{"title":.*)$/,
    )
    seen.set(response.status, (seen.get(response.status) ?? 0) + 1)
  }
  expect([...seen.keys()].sort()).toEqual([200, 400, 403])
  expect(events.some((event) => event.event === 'crash')).toBe(false)
})

test.each([1, 2])('the registration of Ory (seed %d)', async (seed) => {
  const roll = dice(seed)
  const { request, events } = hooksOf(ory, users)
  const seen = new Set<number>()
  for (let at = 0; at < CASES; at++) {
    const text = body(roll)
    const { status } = await request('/ory/registration', post(text))
    const { traits } = parsed(text)
    const { email, username } = parsed(JSON.stringify(traits) ?? '')
    if (isHers(email) || isHers(username)) expect([status, text]).toEqual([409, text])
    else expect([204, 400]).toContain(status)
    seen.add(status)
  }
  expect([...seen].sort()).toEqual([204, 400, 409])
  expect(events.some((event) => event.event === 'crash')).toBe(false)
})

test.each([1, 2])('both questions of Keycloak (seed %d)', async (seed) => {
  const roll = dice(seed)
  const { request, events } = hooksOf(keycloak, users, { lookup: true, lookupsPerMinute: 1_000_000 })
  const seen = new Set<string>()
  for (let at = 0; at < CASES; at++) {
    const where = path(roll)
    const text = roll(2) === 0 ? '{"password":"right"}' : body(roll)
    const hers = isHers(loginOf(where))
    const checked = await request(where, post(text))
    if (checked.status === 200) expect([hers, parsed(text).password, where]).toEqual([true, 'right', where])
    else expect([400, 403, 404]).toContain(checked.status)
    const found = await request(where, { headers: { authorization: SECRET } })
    if (found.status === 200) expect([hers, where]).toEqual([true, where])
    else expect([400, 404]).toContain(found.status)
    seen.add(`POST ${checked.status}`).add(`GET ${found.status}`)
  }
  expect([...seen].sort()).toEqual([
    'GET 200',
    'GET 400',
    'GET 404',
    'POST 200',
    'POST 400',
    'POST 403',
    'POST 404',
  ])
  expect(events.some((event) => event.event === 'crash')).toBe(false)
})
