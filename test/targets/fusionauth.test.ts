import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { fusionauth as dialect } from '../../src/dialects/fusionauth.ts'
import type { Verdict } from '../../src/domain.ts'
import { CallFailure } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { fusionauth } from '../../src/targets/fusionauth.ts'
import type { Brought, Candidate, Order, Result } from '../../src/targets/target.ts'
import { RunHalt, TargetError } from '../../src/targets/target.ts'
import {
  bcryptOf,
  type FusionAuthOptions,
  type FusionAuthSimulator,
  startFusionAuth,
} from '../helpers/simulators/fusionauth.ts'
import { contextFor, createTestCall, simulatorAuthority } from '../helpers/simulators/server.ts'

const PASSWORD = 'pässword'
const SALT = Buffer.from('a salt of bytes \u00ff')
const APPLICATION = '85a03867-dccf-4882-adde-1a79aeec50df'
const TENANTS = ['f24aca2b-ce4a-4dad-951a-c9d690e71415', '0f4aca2b-ce4a-4dad-951a-c9d690e71415']
/** Of `L-1`: `uuid.uuid5` of Python, in the namespace that is the default. */
const ANN = '08f32f7b-5db8-56e7-a082-b0050f90c5b6'

let connection: ReturnType<typeof createTestCall>
const started: FusionAuthSimulator[] = []

beforeAll(() => {
  connection = createTestCall(simulatorAuthority().cert)
})
afterAll(() => connection.close())
afterEach(async () => {
  for (const one of started.splice(0)) await one.close()
})

function digest(
  algorithm: 'md5' | 'sha1' | 'sha256',
  position: 'prefix' | 'suffix',
  salt: Buffer | null,
): PortableHash {
  const parts = [Buffer.from(PASSWORD, 'utf8'), salt ?? Buffer.alloc(0)]
  const hash = createHash(algorithm)
  for (const part of position === 'suffix' ? parts : parts.reverse()) hash.update(part)
  return { kind: 'digest', algorithm, position, salt, digest: hash.digest() }
}

function pbkdf2(algorithm: 'sha1' | 'sha256' | 'sha512', bytes: number): PortableHash {
  const derived = pbkdf2Sync(PASSWORD, SALT, 100, bytes, algorithm)
  return { kind: 'pbkdf2', algorithm, iterations: 100, salt: SALT, derived }
}

const hmac: PortableHash = {
  kind: 'hmac',
  algorithm: 'sha256',
  key: SALT,
  digest: createHmac('sha256', SALT).update(PASSWORD, 'utf8').digest(),
}

function candidate(changes: Partial<Candidate> = {}): Candidate {
  return {
    id: 'L-1',
    login: 'Ann',
    email: 'ann@example.com',
    active: true,
    attributes: { verified: true, firstName: 'Ann', preferredLanguages: 'pt-BR', department: 'sales' },
    credential: { kind: 'hash', hash: pbkdf2('sha256', 32) },
    tag: null,
    ...changes,
  }
}

function order(changes: Partial<Order> = {}): Order {
  return { action: 'create', user: candidate(), targetId: null, attempts: 0, ...changes }
}

function numbered(count: number): Order[] {
  return Array.from({ length: count }, (_, place) =>
    order({ user: candidate({ id: `N-${place}`, login: `user${place}`, email: null }) }),
  )
}

async function opened(options: FusionAuthOptions = {}, settings: Record<string, string> = {}) {
  const simulator = await startFusionAuth(options)
  started.push(simulator)
  const target = fusionauth.open({ URL: simulator.url, API_KEY: 'the-api-key', ...settings })
  const context = await contextFor(target, connection.call)
  const bring = (...orders: Order[]): Promise<Brought> => target.bring(orders, context)
  const one = async (given: Order): Promise<Result | undefined> => {
    const brought = await bring(given)
    if (brought.kind === 'whole') throw new Error('one user is refused by name')
    return brought.results[0]
  }
  return { simulator, target, context, bring, one }
}

describe('credentials', () => {
  const read: { title: string; hash: PortableHash }[] = [
    { title: 'bcrypt', hash: { kind: 'bcrypt', revision: '2b', ...bcryptOf(PASSWORD) } },
    { title: 'MD5 without a salt', hash: digest('md5', 'prefix', null) },
    { title: 'MD5 of password and salt', hash: digest('md5', 'suffix', SALT) },
    { title: 'SHA-256 of password and salt', hash: digest('sha256', 'suffix', SALT) },
    { title: 'HMAC SHA-256', hash: hmac },
    { title: 'PBKDF2 with SHA-256, 256 bits', hash: pbkdf2('sha256', 32) },
    { title: 'PBKDF2 with SHA-256, 512 bits', hash: pbkdf2('sha256', 64) },
    { title: 'PBKDF2 with SHA-512', hash: pbkdf2('sha512', 64) },
  ]
  test.for(read)('$title signs in with the old password alone', async ({ hash }) => {
    const { one, simulator } = await opened()
    expect(fusionauth.traits.reads(hash)).toBe(true)
    await one(order({ user: candidate({ credential: { kind: 'hash', hash } }) }))
    expect(simulator.signIn('ann', PASSWORD)).toBe(true)
    expect(simulator.signIn('ann', `${PASSWORD}.`)).toBe(false)
  })

  const unread: { title: string; hash: PortableHash }[] = [
    { title: 'SHA-256 of salt and password, the other way round', hash: digest('sha256', 'prefix', SALT) },
    { title: 'SHA-1', hash: digest('sha1', 'suffix', SALT) },
    { title: 'PBKDF2 with SHA-1', hash: pbkdf2('sha1', 20) },
    { title: 'PBKDF2 of another length', hash: pbkdf2('sha512', 32) },
    {
      title: 'phpass, whose salt and base64 its page leaves open',
      hash: { kind: 'phpass', log2Rounds: 13, salt: 'saltsalt', text: '$P$B' },
    },
    {
      title: 'HMAC with an empty key',
      hash: { kind: 'hmac', algorithm: 'sha256', key: Buffer.alloc(0), digest: SALT },
    },
  ]
  test.for(unread)('$title is not read, and refused when it is brought all the same', async ({ hash }) => {
    const { one, simulator } = await opened()
    expect(fusionauth.traits.reads(hash)).toBe(false)
    const result = await one(order({ user: candidate({ credential: { kind: 'hash', hash } }) }))
    expect(result).toEqual({ kind: 'refused', reason: 'hash-refused', targetCode: null, targetText: null })
    expect(simulator.imports).toEqual([])
  })

  test('a user for the hook must be absent: nobody is made', async () => {
    const { one, simulator } = await opened()
    expect(fusionauth.traits.hookWants).toBe('absent')
    expect(await one(order({ user: candidate({ credential: { kind: 'hook' } }) }))).toMatchObject({
      reason: 'wrong-state',
    })
    expect(simulator.users.size).toBe(0)
  })

  test('a user who is to reset the password comes without one', async () => {
    const { one, simulator } = await opened()
    expect(await one(order({ user: candidate({ credential: { kind: 'reset' } }) }))).toMatchObject({
      kind: 'created',
    })
    expect(simulator.users.get(ANN)).not.toHaveProperty('password')
  })
})

describe('create', () => {
  test('the user is as planned, and active because it says so', async () => {
    const { one, simulator } = await opened({ applications: [APPLICATION] }, { APPLICATION_ID: APPLICATION })
    expect(await one(order())).toEqual({ kind: 'created', targetId: ANN })
    const user = simulator.users.get(ANN)
    expect(user).toEqual({
      id: ANN,
      username: 'Ann',
      email: 'ann@example.com',
      active: true,
      verified: true,
      firstName: 'Ann',
      preferredLanguages: ['pt_BR'],
      data: { department: 'sales' },
      registrations: [{ applicationId: APPLICATION }],
      encryptionScheme: 'salted-pbkdf2-hmac-sha256',
      factor: 100,
      salt: SALT.toString('base64'),
      password: expect.stringMatching(/^[\w+/]{43}=$/),
    })
  })

  test.for([
    { title: 'an id of any form', id: 'L-1' },
    { title: 'an id that is a UUID', id: 'ABCDEF01-2345-4789-8BCD-EF0123456789' },
  ])('$title becomes the id that the connector answers with', async ({ id }) => {
    const { one } = await opened()
    const [hook] = dialect.hooks({})
    if (hook?.flow !== 'attempt') throw new Error('the connector asks for passwords')
    const verdict: Verdict = {
      kind: 'match',
      user: { id, login: 'ann', email: null, status: 'active', profile: {} },
    } as Verdict
    const reply = hook.answer(verdict, { login: 'ann', password: '', requestId: null })
    const answered = String(Reflect.get(Object(Reflect.get(Object(reply.body), 'user')), 'id'))
    expect(await one(order({ user: candidate({ id }) }))).toMatchObject({ targetId: answered.toLowerCase() })
  })

  test('a login that is the e-mail address is not a second name', async () => {
    const { one, simulator } = await opened()
    await one(order({ user: candidate({ login: 'ANN@example.com' }) }))
    expect(simulator.users.get(ANN)).not.toHaveProperty('username')
  })

  test('an inactive user comes inactive', async () => {
    const { one, simulator } = await opened()
    await one(order({ user: candidate({ active: false }) }))
    expect(simulator.users.get(ANN)?.active).toBe(false)
    expect(simulator.signIn('ann', PASSWORD)).toBe(false)
  })

  test('one bad user spoils the batch, and halves find it', async () => {
    const { bring, simulator } = await opened()
    const orders = numbered(8).map((one, place) =>
      place === 5 ? { ...one, user: { ...one.user, email: 'nowhere' } } : one,
    )
    const inHalves = async (some: readonly Order[]): Promise<readonly Result[]> => {
      const brought = await bring(...some)
      if (brought.kind === 'each') return brought.results
      const middle = Math.ceil(some.length / 2)
      return [...(await inHalves(some.slice(0, middle))), ...(await inHalves(some.slice(middle)))]
    }
    expect(await bring(...orders)).toMatchObject({ kind: 'whole', refused: { reason: 'invalid-attribute' } })
    expect(simulator.users.size).toBe(0)
    const results = await inHalves(orders)
    expect(results.map(({ kind }) => kind).join(' ')).toBe(
      'created created created created created refused created created',
    )
    expect(results[5]).toMatchObject({ reason: 'invalid-attribute', targetCode: '[notEmail]user.email' })
    expect(simulator.users.size).toBe(7)
  })

  test('a hash that cannot be written keeps none of the others away', async () => {
    const { bring, simulator } = await opened()
    const [first, second] = numbered(2)
    if (first === undefined || second === undefined) throw new Error('two were asked for')
    const unreadable = {
      ...first,
      user: { ...first.user, credential: { kind: 'hash' as const, hash: pbkdf2('sha1', 20) } },
    }
    expect(await bring(unreadable, second)).toMatchObject({
      kind: 'each',
      results: [{ kind: 'refused', reason: 'hash-refused' }, { kind: 'created' }],
    })
    expect(simulator.imports).toEqual([1])
  })

  test('an import whose answer is lost is not made again: those who are there are found', async () => {
    const { bring, simulator } = await opened()
    const orders = numbered(3)
    simulator.next('cutAfter')
    await expect(bring(...orders)).rejects.toThrow(CallFailure)
    expect(simulator.users.size).toBe(3)
    const fourth = order({ user: candidate() })
    const again = await bring(...orders.map((one) => ({ ...one, attempts: 1 })), fourth)
    expect(again).toMatchObject({ kind: 'each', results: Array(4).fill({ kind: 'created' }) })
    expect(simulator.imports).toEqual([3, 1])
  })

  test('who came by the connector meanwhile is the same person: unchanged', async () => {
    const { one, simulator } = await opened()
    simulator.users.set(ANN, { id: ANN, active: true, email: 'ann@example.com' })
    expect(await one(order())).toEqual({ kind: 'unchanged', targetId: ANN })
  })

  test("somebody else's address is taken", async () => {
    const { one, simulator } = await opened()
    simulator.users.set(TENANTS[0] ?? '', { id: TENANTS[0] ?? '', active: true, email: 'ann@example.com' })
    expect(await one(order())).toMatchObject({
      kind: 'refused',
      reason: 'taken',
      targetCode: '[duplicate]user.email',
    })
  })

  test('the simulator refuses a second import while one runs, and inFlight and processes keep to one', async () => {
    const { bring, simulator, target } = await opened({ importMs: 300 })
    expect(target).toMatchObject({ inFlight: 1, processes: 1 })
    const [first, second] = await Promise.all([bring(...numbered(1)), bring(order())])
    const kinds = [first, second].map((brought) => brought.kind === 'each' && brought.results[0]?.kind)
    expect(kinds.sort()).toEqual(['created', 'postponed'])
    expect(simulator.imports).toEqual([1])
  })
})

describe('changes', () => {
  test('an update merges into what is there', async () => {
    const { one, simulator } = await opened()
    await one(order())
    Object.assign(simulator.users.get(ANN) ?? {}, { lastName: 'Lee' })
    const attributes = { firstName: 'Anna', preferredLanguages: ['de'], team: 'x', department: null }
    const user = candidate({ attributes, credential: { kind: 'keep' } })
    expect(await one(order({ action: 'update', user }))).toEqual({ kind: 'updated', targetId: ANN })
    expect(simulator.users.get(ANN)).toMatchObject({
      ...{
        firstName: 'Anna',
        lastName: 'Lee',
        preferredLanguages: ['de'],
        verified: true,
        data: { team: 'x' },
      },
    })
    expect(simulator.users.get(ANN)?.data).toEqual({ team: 'x' })
    expect(simulator.signIn('ann', PASSWORD)).toBe(true)
    expect(simulator.count({ method: 'PUT' })).toBe(0)
  })

  test('an update switches activity both ways', async () => {
    const { one, simulator } = await opened()
    await one(order())
    const user = candidate({ credential: { kind: 'keep' } })
    await one(order({ action: 'update', user: { ...user, active: false } }))
    expect(simulator.users.get(ANN)?.active).toBe(false)
    await one(order({ action: 'update', user }))
    expect(simulator.users.get(ANN)?.active).toBe(true)
  })

  test('a hash is never sent with an update: older versions would take its text for a password', async () => {
    const { one, simulator } = await opened()
    await one(order())
    expect(fusionauth.traits.replacesHash).toBe(false)
    expect(await one(order({ action: 'update' }))).toMatchObject({ kind: 'refused', reason: 'hash-refused' })
    expect(simulator.count({ method: 'PATCH' })).toBe(0)
  })

  test('deactivating keeps the user, deleting does not, and a lost answer is found done', async () => {
    const { one, simulator } = await opened()
    await one(order())
    expect(await one(order({ action: 'deactivate' }))).toEqual({ kind: 'removed', targetId: ANN })
    expect(simulator.users.get(ANN)).toMatchObject({ active: false, firstName: 'Ann' })
    simulator.next('cutAfter')
    await expect(one(order({ action: 'delete' }))).rejects.toThrow(CallFailure)
    expect(simulator.users.size).toBe(0)
    expect(await one(order({ action: 'delete', attempts: 1 }))).toEqual({ kind: 'removed', targetId: ANN })
    expect(await one(order({ action: 'delete' }))).toMatchObject({ kind: 'refused', reason: 'not-there' })
    expect(
      await one(order({ action: 'update', user: candidate({ credential: { kind: 'keep' } }) })),
    ).toMatchObject({
      reason: 'not-there',
    })
  })
})

describe('outages and rights', () => {
  test.for(['failed', 'unavailable'] as const)('%s is no refusal: everybody is postponed', async (fault) => {
    const { bring, simulator } = await opened()
    simulator.next(fault)
    expect(await bring(...numbered(2))).toEqual({
      kind: 'each',
      results: Array(2).fill({ kind: 'postponed', reason: 'busy' }),
    })
    expect(simulator.users.size).toBe(0)
  })

  test('an outage of the search is not an absence', async () => {
    const { one, simulator } = await opened()
    simulator.next('unavailable')
    await expect(one(order({ attempts: 1 }))).rejects.toThrow(CallFailure)
  })

  test('a wrong key ends the run', async () => {
    const { one } = await opened({}, { API_KEY: 'wrong' })
    await expect(one(order())).rejects.toThrow(new RunHalt('unauthorized', '401'))
  })

  test('several tenants without TENANT_ID end the run, and with it the user comes', async () => {
    const { bring } = await opened({ tenants: TENANTS })
    await expect(bring(...numbered(2))).rejects.toThrow(new RunHalt('misconfigured', '[TenantIdRequired]'))
    const clear = await opened({ tenants: TENANTS }, { TENANT_ID: TENANTS[1] ?? '' })
    expect(await clear.one(order())).toMatchObject({ kind: 'created' })
  })
})

describe('examine', () => {
  const [TENANT = ''] = TENANTS
  const looks: {
    title: string
    options: FusionAuthOptions
    settings?: Record<string, string>
    hook?: boolean
    codes: string[]
  }[] = [
    { title: 'a FusionAuth that is ready', options: {}, codes: [] },
    { title: 'several tenants', options: { tenants: TENANTS }, codes: ['tenant-unclear'] },
    {
      title: 'a tenant that verifies addresses',
      options: { tenants: TENANTS, verifyEmail: true },
      settings: { TENANT_ID: TENANT },
      codes: ['verify-email'],
    },
    {
      title: 'no such application',
      options: {},
      settings: { APPLICATION_ID: APPLICATION },
      codes: ['application-missing'],
    },
    {
      title: 'an application',
      options: { applications: [APPLICATION] },
      settings: { APPLICATION_ID: APPLICATION },
      codes: [],
    },
    {
      title: 'a hook without a connector',
      options: { connectors: ['LDAP'] },
      hook: true,
      codes: ['hook-inactive'],
    },
    { title: 'a connector', options: { connectors: ['FusionAuth', 'Generic'] }, hook: true, codes: [] },
    {
      title: 'a key that may not look',
      options: { tenants: TENANTS, forbidden: /^\/api\/(tenant|application|connector)/ },
      settings: { TENANT_ID: TENANT, APPLICATION_ID: APPLICATION },
      hook: true,
      codes: ['tenant-not-seen', 'application-not-seen', 'hook-not-seen'],
    },
  ]
  test.for(looks)('$title', async ({ options, settings, hook = false, codes }) => {
    const { target, context } = await opened(options, settings)
    const findings = await target.examine(context, { hook, hash: true, attributes: [] })
    expect(findings.map(({ code }) => code)).toEqual(codes)
  })

  test('a wrong key ends it', async () => {
    const { target, context } = await opened({}, { API_KEY: 'wrong' })
    await expect(target.examine(context, { hook: false, hash: true, attributes: [] })).rejects.toThrow(
      RunHalt,
    )
  })
})

test.for([
  { title: 'http', settings: { URL: 'http://fa.example' }, name: 'URL' },
  { title: 'no key', settings: { API_KEY: undefined }, name: 'API_KEY' },
  { title: 'a tenant that is no UUID', settings: { TENANT_ID: 'default' }, name: 'TENANT_ID' },
  { title: 'a namespace that is no UUID', settings: { ID_NAMESPACE: 'mine' }, name: 'ID_NAMESPACE' },
  { title: 'more than FusionAuth should be given', settings: { BATCH: '10001' }, name: 'BATCH' },
  { title: 'nobody at a time', settings: { BATCH: '0' }, name: 'BATCH' },
])('$title makes no sense', ({ settings, name }) => {
  const given = { URL: 'https://fa.example', API_KEY: 'k' }
  expect(fusionauth.open({ ...given, BATCH: '10000' })).toMatchObject({
    hosts: ['fa.example'],
    batch: 10_000,
  })
  expect(() => fusionauth.open({ ...given, ...settings })).toThrow(TargetError)
  expect(() => fusionauth.open({ ...given, ...settings })).toThrow(new RegExp(`^${name}: expected`))
})
