import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { type Call, CallFailure, type OutboundAnswer } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { targets } from '../../src/targets/index.ts'
import {
  type Candidate,
  type Context,
  type Credential,
  ExpiredError,
  type Order,
  type Result,
  RunHalt,
  type Target,
  type TargetKind,
  type TargetSettings,
} from '../../src/targets/target.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { HOSTILE, hostileAnswer, spoilt } from '../helpers/hostile-answers.ts'
import { seeded } from '../helpers/random.ts'
import { startAuth0 } from '../helpers/simulators/auth0.ts'
import { startCidaas } from '../helpers/simulators/cidaas.ts'
import { startFusionAuth } from '../helpers/simulators/fusionauth.ts'
import { startKeycloak } from '../helpers/simulators/keycloak.ts'
import { startLoginRadius } from '../helpers/simulators/loginradius.ts'
import { startOkta } from '../helpers/simulators/okta.ts'
import { startOry } from '../helpers/simulators/ory.ts'
import { createTestCall } from '../helpers/simulators/server.ts'

// A provider that answers what it likes, or somebody who stands in front of it: nobody may be told to be there who is not, and
// nothing of such an answer may end the run in another way than those that are known, or stand in what is told.

const ROUNDS = sized(60, 1_000)
const USERS = 5

interface World {
  readonly settings: TargetSettings
  readonly ca: string
  /** What the provider's own success looks like, where that is next to nothing. */
  readonly succeeds?: (answer: OutboundAnswer) => boolean
  /** Whether the provider has this user. */
  has(user: Candidate): boolean
  close(): Promise<void>
}

const worlds: Readonly<Record<string, () => Promise<World>>> = {
  okta: async () => {
    const server = await startOkta({ perMinute: { create: 1e9, change: 1e9, read: 1e9 } })
    return {
      settings: { URL: server.url, TOKEN: server.token, GROUP: 'batch {tag}', FACTORS: 'sms' },
      ca: server.ca,
      has: ({ login }) => server.user(login) !== undefined,
      close: server.close,
    }
  },
  ory: async () => {
    const server = await startOry()
    return {
      settings: { URL: server.url, ...(server.token !== null && { TOKEN: server.token }) },
      ca: server.ca,
      has: ({ login }) => server.identity(login) !== undefined,
      close: server.close,
    }
  },
  keycloak: async () => {
    const server = await startKeycloak({ realm: 'shop' })
    return {
      settings: {
        URL: server.url,
        REALM: 'shop',
        CLIENT_ID: 'carryover',
        CLIENT_SECRET: 'the-client-secret',
      },
      ca: server.ca,
      has: ({ login }) => [...server.users.values()].some(({ username }) => username === login),
      close: server.close,
    }
  },
  auth0: async () => {
    const { server, users, close } = await startAuth0()
    return {
      settings: {
        URL: server.url,
        CONNECTION_ID: 'con_abc123',
        CLIENT_ID: 'client-1',
        CLIENT_SECRET: 'a client secret',
      },
      ca: server.ca,
      has: ({ email }) => users().some((user) => user.email === email),
      close,
    }
  },
  fusionauth: async () => {
    const server = await startFusionAuth()
    return {
      settings: { URL: server.url, API_KEY: 'the-api-key' },
      ca: server.ca,
      // "No body in the answer", and a body that is an object is borne.
      succeeds: ({ status, text }) => status === 200 && /^(\{.*\})?$/s.test(text),
      has: ({ email }) => [...server.users.values()].some((user) => user.email === email),
      close: server.close,
    }
  },
  cidaas: async () => {
    const { server, user, close } = await startCidaas()
    return {
      settings: { URL: server.url, CLIENT_ID: 'app-1', CLIENT_SECRET: 'a secret & more' },
      ca: server.ca,
      has: ({ id }) => user(id) !== undefined,
      close,
    }
  },
  loginradius: async () => {
    const { server, key, secret, account, close } = await startLoginRadius()
    return {
      settings: { URL: `${server.url}/v2`, ACCOUNT_URL: server.url, API_KEY: key, API_SECRET: secret },
      ca: server.ca,
      has: ({ email }) => account(email ?? '') !== undefined,
      close,
    }
  },
}

/** A target that is a file hears no answers. */
const called = targets.filter(({ impossible, name }) => impossible === undefined && name !== 'generic')

const BCRYPT: PortableHash = {
  kind: 'bcrypt',
  revision: '2b',
  cost: 5,
  salt: 'CCCCCCCCCCCCCCCCCCCCC.',
  digest: 'E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
}

/** What each target asks of a user, under its own names. */
const attributesFor: Readonly<
  Record<string, (user: { login: string; id: string }) => Candidate['attributes']>
> = {
  okta: ({ login, id }) => ({
    legacyId: id,
    login,
    email: login,
    firstName: 'Ann',
    lastName: 'Lee',
    mobilePhone: '+491701234567',
    phoneNumberVerified: true,
  }),
  ory: ({ login, id }) => ({ email: login, external_id: id }),
  keycloak: ({ login, id }) => ({
    username: login,
    email: login,
    firstName: 'Ann',
    lastName: 'Lee',
    legacy_id: id,
  }),
  auth0: ({ login }) => ({ email: login }),
  fusionauth: () => ({ firstName: 'Ann' }),
  cidaas: ({ login }) => ({ email: login, given_name: 'Ann' }),
  loginradius: ({ login }) => ({ Email: login, FirstName: 'Ann' }),
}

/** Some of them come twice under two keys, so that the provider has something to refuse. */
function ordersOf(kind: TargetKind, round: number, random: () => number): Order[] {
  const credentials: readonly Credential[] = [
    { kind: 'reset' },
    ...(kind.traits.hook && kind.traits.hookWants !== 'absent' ? [{ kind: 'hook' } as const] : []),
    ...(kind.traits.reads(BCRYPT) ? [{ kind: 'hash', hash: BCRYPT } as const] : []),
  ]
  const attempts = random() < 0.3 ? 1 : 0
  const count = Math.min(kind.traits.batch, 1 + Math.floor(random() * USERS))
  return Array.from({ length: count }, (_, at) => {
    const id = `id-${round}-${at}`
    const login = `user-${random() < 0.3 ? round : `${round}-${at}`}@example.com`
    return {
      action: 'create',
      user: {
        id,
        login,
        email: login,
        active: true,
        attributes: attributesFor[kind.name]?.({ login, id }) ?? {},
        credential: credentials[Math.floor(random() * credentials.length)] ?? { kind: 'reset' },
        tag: 'batch',
      },
      targetId: null,
      attempts,
    }
  })
}

/** Names of members that the files of the targets speak of. */
const SRC = fileURLToPath(new URL('../../src/targets', import.meta.url))
const names = [
  ...new Set(
    readdirSync(SRC).flatMap((file) =>
      [
        ...readFileSync(join(SRC, file), 'utf8').matchAll(/\b([A-Za-z_]{2,24}): z\.|\.([A-Za-z_]{2,24})\b/g),
      ].map(([, member, read]) => member ?? read ?? ''),
    ),
  ),
]

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Calls and milliseconds that one batch may take of a provider that never ends. */
const MOST_CALLS = 2_000
const LONGEST_MS = 4 * 3_600_000

function contextOf(target: Target, call: Call, headers: Readonly<Record<string, string>>) {
  let calls = 0
  let waited = 0
  const context: Context = {
    call: async (request) => {
      if (++calls > MOST_CALLS) throw new Error('calls without an end')
      const url = new URL(request.url)
      if (!target.hosts.includes(url.host)) throw new Error('a call to another host')
      return call({ ...request, headers: { ...headers, ...request.headers } })
    },
    wait: async (ms) => {
      waited += ms
      if (!(ms >= 0) || waited > LONGEST_MS) throw new Error('waits without an end')
    },
    append: () => Promise.reject(new Error('not a file')),
  }
  return context
}

type Outcome = readonly Result[] | 'whole' | 'failed' | 'halted' | 'expired'

async function outcomeOf(bringing: Promise<Awaited<ReturnType<Target['bring']>>>): Promise<Outcome> {
  try {
    const brought = await bringing
    return brought.kind === 'whole' ? 'whole' : brought.results
  } catch (error) {
    expect(String(error instanceof Error ? error.stack : error)).not.toContain(HOSTILE)
    if (error instanceof CallFailure) return 'failed'
    if (error instanceof RunHalt) return 'halted'
    if (error instanceof ExpiredError) return 'expired'
    throw error
  }
}

/** What may be kept and stand in an address. */
function isKey(targetId: string | null): boolean {
  return (
    targetId === null || (/^[^\p{Cc}\p{Cs}]{1,256}$/u.test(targetId) && targetId !== '.' && targetId !== '..')
  )
}

const there: readonly Result['kind'][] = ['created', 'updated', 'unchanged']

test('every target of the registry that hears answers is here', () => {
  expect(called.map(({ name }) => name)).toEqual(Object.keys(worlds))
  expect(names.length).toBeGreaterThan(60)
})

describe.each(called)('$name', (kind) => {
  test('garbage makes nobody be there, and ends in words of ours', allowed(60_000, 600_000), async () => {
    const random = seeded(20_261_121)
    const world = await worlds[kind.name]?.()
    if (world === undefined) throw new Error('no world')
    closing.push(world.close)
    const seen = new Map<string, number>()
    for (let round = 0; round < ROUNDS * 5; round++) {
      const target = kind.open(world.settings)
      const statuses =
        random() < 0.7 ? [200] : [200, 201, 204, 302, 400, 403, 404, 409, 413, 422, 429, 500, 503]
      const garbage: Call = async () => {
        for (;;) {
          const answer = hostileAnswer(random, names, statuses)
          if (!world.succeeds?.(answer)) return answer
        }
      }
      const orders = ordersOf(kind, round, random)
      const outcome = await outcomeOf(target.bring(orders, contextOf(target, garbage, {})))
      seen.set(
        String(typeof outcome === 'string' ? outcome : 'each'),
        (seen.get(String(typeof outcome === 'string' ? outcome : 'each')) ?? 0) + 1,
      )
      if (typeof outcome === 'string') continue
      expect(outcome).toHaveLength(orders.length)
      expect(
        outcome.filter((result) => there.includes(result.kind)),
        `round ${round}`,
      ).toEqual([])
    }
    measured({
      part: 'fuzz',
      requirement: 'R-49',
      what: `${ROUNDS * 5} answers of garbage to ${kind.name}`,
      wanted: 'nobody is there, no foreign error',
      got: [...seen].map(([name, times]) => `${times} ${name}`).join(', '),
    })
  })

  test(
    'garbage for a look at the target, for its log and for a token ends in words of ours',
    allowed(60_000, 600_000),
    async () => {
      const random = seeded(7)
      const world = await worlds[kind.name]?.()
      if (world === undefined) throw new Error('no world')
      closing.push(world.close)
      for (let round = 0; round < ROUNDS * 3; round++) {
        const target = kind.open(world.settings)
        const garbage: Call = async () =>
          hostileAnswer(random, names, [200, 200, 200, 400, 403, 404, 429, 500])
        const use = { hook: true, hash: true, attributes: ['email', 'firstName'] }
        const findings = await told(target.examine(contextOf(target, garbage, {}), use))
        expect(JSON.stringify(findings ?? '')).not.toContain(HOSTILE.repeat(50))
        await told(target.authorize(garbage))
        const answer = await garbage({ method: 'GET', url: 'https://x.example/' })
        const notice = target.limitOf(answer)
        expect(Object.values(notice ?? {}).every(Number.isFinite), 'numbers of limits').toBe(true)
        const log = kind.confirmations?.open({ ...world.settings })
        if (log !== undefined) {
          await told(log.read(garbage, null, new Date(0)))
          await told(log.standing(garbage, { targetId: null, login: 'ann' }))
        }
      }
    },
  )

  test(
    'true answers with spoilt members: whoever is told to be there is there',
    allowed(120_000, 1_200_000),
    async () => {
      const random = seeded(42)
      const world = await worlds[kind.name]?.()
      if (world === undefined) throw new Error('no world')
      const { call, close } = createTestCall(world.ca)
      closing.push(world.close, close)
      let told = 0
      for (let round = 0; round < ROUNDS; round++) {
        const target = kind.open(world.settings)
        const { headers } = await target.authorize(call)
        const spoiling: Call = async (request) => {
          const answer: OutboundAnswer = await call(request)
          return random() < 0.5 ? spoilt(answer, random) : answer
        }
        const orders = ordersOf(kind, round, random)
        const outcome = await outcomeOf(target.bring(orders, contextOf(target, spoiling, headers)))
        if (typeof outcome === 'string') continue
        expect(outcome).toHaveLength(orders.length)
        for (const [at, result] of outcome.entries()) {
          if (!('targetId' in result)) continue
          told += 1
          expect(isKey(result.targetId), `round ${round}: a key that cannot be kept`).toBe(true)
          const user = orders[at]?.user
          if (result.kind === 'created')
            expect(user && world.has(user), `round ${round}, user ${at}`).toBe(true)
        }
      }
      // Otherwise nothing was looked at.
      expect(told).toBeGreaterThan(ROUNDS / 10)
    },
  )
})

/** undefined: it ended in a word of ours. */
async function told<Answer>(asking: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asking
  } catch (error) {
    expect(String(error instanceof Error ? error.stack : error)).not.toContain(HOSTILE)
    if (error instanceof CallFailure || error instanceof RunHalt || error instanceof ExpiredError)
      return undefined
    if (error instanceof Error && error.constructor.name === 'LogPositionError') return undefined
    throw error
  }
}
