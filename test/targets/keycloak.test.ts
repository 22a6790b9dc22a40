import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { hashRawSync } from '@node-rs/argon2'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { CallFailure } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { keycloak } from '../../src/targets/keycloak.ts'
import type { Candidate, Order, Result, Target, TargetUse } from '../../src/targets/target.ts'
import { ExpiredError, RunHalt, TargetError } from '../../src/targets/target.ts'
import {
  DEFAULT_PROFILE,
  type KeycloakOptions,
  type KeycloakSimulator,
  startKeycloak,
} from '../helpers/simulators/keycloak.ts'
import { contextFor, createTestCall, simulatorAuthority } from '../helpers/simulators/server.ts'

const PASSWORD = 'pässword'
const SALT = Buffer.from('0123456789abcdef')
const HASH: PortableHash = pbkdf2('sha256', 32)

let connection: ReturnType<typeof createTestCall>
const started: KeycloakSimulator[] = []

beforeAll(() => {
  connection = createTestCall(simulatorAuthority().cert)
})
afterAll(() => connection.close())
afterEach(async () => {
  for (const one of started.splice(0)) await one.close()
})

function pbkdf2(algorithm: 'sha1' | 'sha256' | 'sha512', bytes: number, salt = SALT): PortableHash {
  const derived = pbkdf2Sync(PASSWORD, salt, 100, bytes, algorithm)
  return { kind: 'pbkdf2', algorithm, iterations: 100, salt, derived }
}

function argon2(type: 'argon2i' | 'argon2d' | 'argon2id', lanes: number): PortableHash {
  const algorithm = ({ argon2d: 0, argon2i: 1, argon2id: 2 } as const)[type]
  const digest = hashRawSync(PASSWORD, {
    ...{ algorithm, salt: SALT, memoryCost: 64, timeCost: 2, parallelism: lanes, outputLen: 24 },
  })
  return { kind: 'argon2', type, memory: 64, passes: 2, lanes, salt: SALT, digest }
}

function candidate(changes: Partial<Candidate> = {}): Candidate {
  return {
    id: 'L-1',
    login: 'Ann',
    email: 'ann@example.com',
    active: true,
    attributes: {
      username: 'Ann',
      email: 'ann@example.com',
      emailVerified: true,
      firstName: 'Ann',
      lastName: 'Lee',
      legacy_id: 'L-1',
      department: 'sales',
    },
    credential: { kind: 'hash', hash: HASH },
    tag: null,
    ...changes,
  }
}

function order(changes: Partial<Order> = {}): Order {
  return { action: 'create', user: candidate(), targetId: null, attempts: 0, ...changes }
}

async function opened(options: KeycloakOptions = {}, settings: Record<string, string> = {}) {
  const simulator = await startKeycloak({ realm: 'the shop', ...options })
  started.push(simulator)
  const target = keycloak.open({
    URL: simulator.url,
    REALM: 'the shop',
    CLIENT_ID: 'carryover',
    CLIENT_SECRET: 'the-client-secret',
    ...settings,
  })
  const context = await contextFor(target, connection.call)
  const bring = async (...orders: Order[]): Promise<readonly Result[]> => {
    const brought = await target.bring(orders, context)
    if (brought.kind === 'whole') throw new Error('Keycloak names who is refused')
    return brought.results
  }
  const only = () => [...simulator.users.values()][0]
  return { simulator, target, context, bring, only }
}

describe('credentials', () => {
  test.for([
    { title: 'PBKDF2 with SHA-1', hash: pbkdf2('sha1', 20) },
    { title: 'PBKDF2 with SHA-256', hash: pbkdf2('sha256', 32) },
    { title: 'PBKDF2 with SHA-512', hash: pbkdf2('sha512', 64) },
    { title: 'Argon2id', hash: argon2('argon2id', 4) },
    { title: 'Argon2i', hash: argon2('argon2i', 1) },
    { title: 'Argon2d', hash: argon2('argon2d', 1) },
  ])('$title signs in with the old password alone', async ({ hash }) => {
    const { bring, simulator } = await opened()
    expect(keycloak.traits.reads(hash)).toBe(true)
    await bring(order({ user: candidate({ credential: { kind: 'hash', hash } }) }))
    expect(await simulator.signIn('ann', PASSWORD)).toBe(true)
    expect(await simulator.signIn('ann', `${PASSWORD}.`)).toBe(false)
  })

  const unread: { title: string; hash: PortableHash }[] = [
    { title: 'bcrypt', hash: { kind: 'bcrypt', revision: '2b', cost: 10, salt: 's', digest: 'd' } },
    {
      title: 'a salted digest',
      hash: { kind: 'digest', algorithm: 'sha256', digest: SALT, salt: SALT, position: 'prefix' },
    },
    {
      title: 'PBKDF2 without a salt, which never matches there',
      hash: pbkdf2('sha256', 32, Buffer.alloc(0)),
    },
    {
      title: 'Argon2 with a salt shorter than its own least',
      hash: {
        kind: 'argon2',
        type: 'argon2id',
        memory: 64,
        passes: 2,
        lanes: 1,
        salt: Buffer.from('short'),
        digest: SALT,
      },
    },
  ]
  test.for(unread)('$title is not read, and refused when it is brought all the same', async ({ hash }) => {
    const { bring, simulator } = await opened()
    expect(keycloak.traits.reads(hash)).toBe(false)
    const results = await bring(order({ user: candidate({ credential: { kind: 'hash', hash } }) }))
    expect(results).toEqual([{ kind: 'refused', reason: 'hash-refused', targetCode: null, targetText: null }])
    expect(simulator.users.size).toBe(0)
  })

  test('a user for the hook must be absent: nobody is made', async () => {
    const { bring, simulator } = await opened()
    expect(keycloak.traits.hookWants).toBe('absent')
    const [result] = await bring(order({ user: candidate({ credential: { kind: 'hook' } }) }))
    expect(result).toMatchObject({ kind: 'refused', reason: 'wrong-state' })
    expect(simulator.users.size).toBe(0)
  })
})

describe('create', () => {
  test('the user is as planned: username in lower case, the old id and lists of texts as attributes', async () => {
    const { bring, only } = await opened()
    const attributes = {
      ...candidate().attributes,
      langs: ['de', 7, null],
      flag: true,
      none: null,
      address: { city: 'X' },
    }
    const [result] = await bring(order({ user: candidate({ attributes, active: false }) }))
    const user = only()
    expect(result).toEqual({ kind: 'created', targetId: user?.id })
    expect(user).toMatchObject({
      username: 'ann',
      email: 'ann@example.com',
      firstName: 'Ann',
      lastName: 'Lee',
      emailVerified: true,
      enabled: false,
    })
    expect(user?.attributes).toEqual({
      legacy_id: ['L-1'],
      department: ['sales'],
      langs: ['de', '7'],
      flag: ['true'],
      none: [],
      address: ['{"city":"X"}'],
    })
  })

  test('the old id goes under ID_ATTRIBUTE alone', async () => {
    const { bring, only } = await opened({}, { ID_ATTRIBUTE: 'old_key' })
    await bring(order())
    expect(only()?.attributes).toEqual({ old_key: ['L-1'], department: ['sales'] })
  })

  test('users of a tag are in a group, which is made once', async () => {
    const { bring, simulator, only } = await opened()
    const another = candidate({ id: 'L-2', login: 'bob', email: null, attributes: {}, tag: 'run/1' })
    await bring(order({ user: candidate({ tag: 'run/1' }) }), order({ user: another }))
    expect([...simulator.groups]).toEqual(['run-1'])
    expect(only()?.groups).toEqual(['/run-1'])
    expect(simulator.count({ method: 'POST', path: /groups/ })).toBe(1)
  })

  test.for([
    { title: 'was heard, but the answer lost: created', attempts: 1, department: 'sales', kind: 'created' },
    { title: 'is there as planned: unchanged', attempts: 0, department: 'sales', kind: 'unchanged' },
    {
      title: 'is there otherwise: the profile is made as planned',
      attempts: 0,
      department: 'it',
      kind: 'updated',
    },
  ])('a user of ours who $title', async ({ attempts, department, kind }) => {
    const { bring, simulator, only } = await opened()
    await bring(order())
    const first = only()
    const attributes = { ...candidate().attributes, department }
    const again = await bring(order({ attempts, user: candidate({ attributes }) }))
    expect(again).toEqual([{ kind, targetId: first?.id }])
    expect(simulator.users.size).toBe(1)
    expect(only()?.attributes.department).toEqual([department])
  })

  test('the password of somebody who is there already is left alone: it may be a newer one', async () => {
    const { bring, only } = await opened()
    await bring(order())
    const before = only()?.credentials
    const attributes = { ...candidate().attributes, department: 'it' }
    await bring(
      order({ user: candidate({ attributes, credential: { kind: 'hash', hash: pbkdf2('sha512', 64) } }) }),
    )
    expect(only()?.credentials).toEqual(before)
  })

  test('an answer that is lost on its way is a failed call, and the next try finds the user', async () => {
    const { bring, simulator, only } = await opened()
    simulator.next('cutAfter')
    await expect(bring(order())).rejects.toThrow(CallFailure)
    expect(await bring(order({ attempts: 1 }))).toEqual([{ kind: 'created', targetId: only()?.id }])
    expect(simulator.users.size).toBe(1)
  })

  const refusals: { title: string; changes: Partial<Candidate>; result: object }[] = [
    {
      title: "somebody else's login",
      changes: { id: 'L-9' },
      result: { reason: 'taken', targetCode: '409' },
    },
    {
      title: "somebody else's e-mail address",
      changes: { id: 'L-9', login: 'eve', attributes: { email: 'ann@example.com' } },
      result: { reason: 'taken', targetCode: '409', targetText: 'User exists with same email' },
    },
    {
      title: 'a malformed address, without the address in the text',
      changes: { id: 'L-9', login: 'eve', attributes: { email: 'nowhere' } },
      result: {
        reason: 'invalid-attribute',
        targetCode: 'error-invalid-email',
        targetText: 'email: error-invalid-email',
      },
    },
    {
      title: 'a username with a blank',
      changes: { id: 'L-9', login: 'eve li', email: null, attributes: {} },
      result: { reason: 'invalid-attribute', targetCode: 'error-username-invalid-character' },
    },
  ]
  test.for(refusals)('$title is refused by name', async ({ changes, result }) => {
    const { bring, simulator } = await opened()
    await bring(order())
    const [refused] = await bring(order({ user: candidate(changes) }))
    expect(refused).toMatchObject({ kind: 'refused', ...result })
    expect(simulator.users.size).toBe(1)
  })

  test('whom the hook answers for while the plug-in is on is refused as taken', async () => {
    const { bring } = await opened({ hookKnows: ['ann'] })
    expect(await bring(order())).toMatchObject([{ kind: 'refused', reason: 'taken' }])
  })

  test('one who was refused does not keep the others away', async () => {
    const { bring } = await opened()
    const results = await bring(
      order({ user: candidate({ id: 'L-0', login: 'a', email: null, attributes: {} }) }),
      order(),
    )
    expect(results.map(({ kind }) => kind)).toEqual(['refused', 'created'])
  })
})

describe('update', () => {
  test('what others have set there stays, and the password too', async () => {
    const { bring, simulator, only } = await opened()
    await bring(order())
    const there = only()
    if (there === undefined) throw new Error('nobody was made')
    there.attributes.theirs = ['kept']
    const attributes = { firstName: 'Anna', department: null }
    const results = await bring(
      order({
        action: 'update',
        targetId: there.id,
        user: candidate({ attributes, credential: { kind: 'keep' } }),
      }),
    )
    expect(results).toEqual([{ kind: 'updated', targetId: there.id }])
    expect(there).toMatchObject({
      firstName: 'Anna',
      lastName: 'Lee',
      email: 'ann@example.com',
      emailVerified: true,
    })
    expect(there.attributes).toEqual({ legacy_id: ['L-1'], theirs: ['kept'] })
    expect(await simulator.signIn('ann', PASSWORD)).toBe(true)
  })

  test('a hash replaces the one that is there', async () => {
    const { bring, simulator, only } = await opened()
    await bring(order({ user: candidate({ credential: { kind: 'reset' } }) }))
    expect(await simulator.signIn('ann', PASSWORD)).toBe(false)
    await bring(order({ action: 'update', targetId: only()?.id ?? null }))
    expect(await simulator.signIn('ann', PASSWORD)).toBe(true)
    expect(only()?.credentials).toHaveLength(1)
  })

  test('a reset takes the password away', async () => {
    const { bring, simulator, only } = await opened()
    await bring(order())
    await bring(order({ action: 'update', user: candidate({ credential: { kind: 'reset' } }) }))
    expect(await simulator.signIn('ann', PASSWORD)).toBe(false)
    expect(only()?.credentials).toEqual([])
  })

  test('a user who is not there is refused', async () => {
    const { bring } = await opened()
    const gone = order({ action: 'update', targetId: '00000000-0000-4000-8000-000000000000' })
    expect(await bring(gone)).toEqual([
      { kind: 'refused', reason: 'not-there', targetCode: '404', targetText: 'User not found' },
    ])
    expect(await bring({ ...gone, targetId: null })).toMatchObject([{ kind: 'refused', reason: 'not-there' }])
  })

  test('another username is what the realm does not allow', async () => {
    const { bring, only } = await opened()
    await bring(order())
    const renamed = candidate({ attributes: { username: 'anna' } })
    const [result] = await bring(order({ action: 'update', targetId: only()?.id ?? null, user: renamed }))
    expect(result).toMatchObject({
      reason: 'invalid-attribute',
      targetCode: 'error-user-attribute-read-only',
    })
  })
})

describe('removal', () => {
  test('deactivating leaves everything but the sign-in', async () => {
    const { bring, simulator, only } = await opened()
    await bring(order())
    const user = only()
    const results = await bring(order({ action: 'deactivate' }))
    expect(results).toEqual([{ kind: 'removed', targetId: user?.id }])
    expect(user).toMatchObject({ enabled: false, lastName: 'Lee', attributes: { department: ['sales'] } })
    expect(await simulator.signIn('ann', PASSWORD)).toBe(false)
  })

  test('deleting deletes, and a second try after a lost answer finds it done', async () => {
    const { bring, simulator, only } = await opened()
    await bring(order())
    const targetId = only()?.id ?? null
    simulator.next(null, 'cutAfter')
    const removal = order({ action: 'delete', targetId })
    await expect(bring(removal)).rejects.toThrow(CallFailure)
    expect(simulator.users.size).toBe(0)
    expect(await bring({ ...removal, attempts: 1 })).toEqual([{ kind: 'removed', targetId }])
    expect(await bring(removal)).toMatchObject([{ kind: 'refused', reason: 'not-there' }])
  })

  test("somebody else's user under the same name is not touched", async () => {
    const { bring, simulator } = await opened()
    await bring(order())
    const [result] = await bring(order({ action: 'delete', user: candidate({ id: 'L-9' }) }))
    expect(result).toMatchObject({ kind: 'refused', reason: 'not-there' })
    expect(simulator.users.size).toBe(1)
  })
})

describe('outages and rights', () => {
  test.for(['failed', 'unavailable'] as const)('%s is no refusal: the user is postponed', async (fault) => {
    const { bring, simulator } = await opened()
    simulator.next(fault)
    expect(await bring(order())).toEqual([{ kind: 'postponed', reason: 'busy' }])
    expect(simulator.users.size).toBe(0)
  })

  test('a token that is over is asked for anew', async () => {
    const { target, bring, simulator } = await opened({ tokenCalls: 1 })
    await bring(order())
    const bob = order({ user: candidate({ id: 'L-2', login: 'bob', email: null, attributes: {} }) })
    await expect(bring(bob)).rejects.toThrow(ExpiredError)
    const context = await contextFor(target, connection.call)
    expect(await target.bring([bob], context)).toMatchObject({ results: [{ kind: 'created' }] })
    expect(simulator.tokens()).toBe(2)
  })

  test('the token says how long it is good', async () => {
    const { target } = await opened({ expiresIn: 60 })
    expect(await target.authorize(connection.call)).toMatchObject({ goodFor: 60_000 })
  })

  test.for([
    {
      title: 'a wrong secret',
      settings: { CLIENT_SECRET: 'wrong' },
      halt: new RunHalt('unauthorized', '401'),
    },
    {
      title: 'a realm that is not there',
      settings: { REALM: 'nowhere' },
      halt: new RunHalt('not-found', '404'),
    },
  ])('$title ends the run', async ({ settings, halt }) => {
    await expect(opened({}, settings)).rejects.toThrow(halt)
  })

  test('an outage of the token endpoint is not a wrong secret', async () => {
    const { target, simulator } = await opened()
    simulator.next('unavailable')
    await expect(target.authorize(connection.call)).rejects.toThrow(CallFailure)
  })

  test('a service account without the right to manage users ends the run', async () => {
    const { bring } = await opened({ roles: [] })
    await expect(bring(order())).rejects.toThrow(new RunHalt('unauthorized', '403'))
  })

  test('what stands before Keycloak may say when to come again', async () => {
    const { target } = await opened()
    const answer = { status: 429, headers: { 'retry-after': '7' }, text: '' }
    expect(target.limitOf(answer)).toEqual({ waitMs: 7_000 })
    expect(target.limitOf({ ...answer, status: 200 })).toBeNull()
  })
})

describe('examine', () => {
  const use: TargetUse = {
    hook: false,
    hash: true,
    attributes: ['username', 'email', 'firstName', 'lastName', 'department'],
  }
  const plugIn = (enabled: string) => ({
    providerId: 'User migration using a REST client',
    config: { enabled: [enabled] },
  })

  const looks: { title: string; options: KeycloakOptions; use?: Partial<TargetUse>; codes: string[] }[] = [
    { title: 'a realm that is ready', options: {}, codes: [] },
    {
      title: 'unmanaged attributes are off',
      options: { profile: DEFAULT_PROFILE },
      codes: ['attribute-undefined', 'attribute-undefined'],
    },
    {
      title: 'the attributes are defined, one of them not for administrators',
      options: {
        profile: {
          attributes: [
            ...DEFAULT_PROFILE.attributes,
            { name: 'legacy_id', permissions: { edit: ['admin'] } },
            { name: 'department', permissions: { edit: [] } },
          ],
        },
      },
      codes: ['attribute-read-only'],
    },
    {
      title: 'names that the realm wants are not sent',
      options: {},
      use: { attributes: ['username'] },
      codes: ['asked-at-sign-in', 'asked-at-sign-in'],
    },
    {
      title: 'nobody is created or changed',
      options: {},
      use: { attributes: [] },
      codes: [],
    },
    {
      title: 'the realm verifies addresses',
      options: { realmSettings: { verifyEmail: true } },
      codes: ['verify-email'],
    },
    {
      title: 'the realm takes addresses for usernames',
      options: { realmSettings: { registrationEmailAsUsername: true } },
      codes: ['email-as-username'],
    },
    {
      title: 'a hook without a plug-in',
      options: {},
      use: { hook: true, hash: false },
      codes: ['hook-inactive'],
    },
    {
      title: 'a plug-in that is off',
      options: { components: [plugIn('false')] },
      use: { hook: true, hash: false },
      codes: ['hook-inactive'],
    },
    {
      title: 'a plug-in for the hook',
      options: { components: [plugIn('true')] },
      use: { hook: true, hash: false },
      codes: [],
    },
    {
      title: 'a plug-in that is asked about everybody who is brought',
      options: { components: [plugIn('true')] },
      codes: ['hook-in-the-way'],
    },
    {
      title: 'no right to see the realm',
      options: { roles: ['manage-users'] },
      codes: ['verify-email-not-seen', 'hook-not-seen'],
    },
    { title: 'no right to manage users', options: { roles: ['view-realm'] }, codes: ['role-missing'] },
  ]
  test.for(looks)('$title', async ({ options, use: changes, codes }) => {
    const { target, context } = await opened(options)
    const findings = await target.examine(context, { ...use, ...changes })
    expect(findings.map(({ code }) => code)).toEqual(codes)
  })

  test('an attribute that is not defined really is dropped', async () => {
    const { bring, only } = await opened({ profile: DEFAULT_PROFILE })
    await bring(order())
    expect(only()?.attributes).toEqual({})
  })
})

test.for([
  { title: 'http', settings: { URL: 'http://kc.example' }, name: 'URL' },
  { title: 'no realm', settings: { REALM: '' }, name: 'REALM' },
  { title: 'no secret', settings: { CLIENT_SECRET: undefined }, name: 'CLIENT_SECRET' },
  { title: 'a field for the old id', settings: { ID_ATTRIBUTE: 'email' }, name: 'ID_ATTRIBUTE' },
  { title: 'too many at a time', settings: { IN_FLIGHT: '65' }, name: 'IN_FLIGHT' },
])('$title makes no sense', ({ settings, name }) => {
  const given = { URL: 'https://kc.example/auth/', REALM: 'r', CLIENT_ID: 'c', CLIENT_SECRET: 'secret-text' }
  const target: Target = keycloak.open(given)
  expect(target.hosts).toEqual(['kc.example'])
  expect(() => keycloak.open({ ...given, ...settings })).toThrow(TargetError)
  expect(() => keycloak.open({ ...given, ...settings })).toThrow(new RegExp(`^${name}: expected`))
})

test('the rules for names are those of a new realm', () => {
  const rule = (name: string) => keycloak.traits.attributes.find((one) => one.name === name)?.pattern
  for (const good of ['ann', 'ann+b@x.io', 'jürgen_öz', 'a.b-c'])
    expect(rule('username')?.test(good)).toBe(true)
  for (const bad of ['a b', 'a,b', "o'neil", 'a%b', 'a\tb']) expect(rule('username')?.test(bad)).toBe(false)
  for (const good of ["O'Neil", 'Ann Lee', 'Jr.', 'a,b']) expect(rule('firstName')?.test(good)).toBe(true)
  for (const bad of ['<b>', 'a(b)', 'a"b']) expect(rule('firstName')?.test(bad)).toBe(false)
  expect(rule('username')?.test(randomBytes(4).toString('hex'))).toBe(true)
})
