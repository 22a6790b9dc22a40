import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { CallFailure } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { okta } from '../../src/targets/okta.ts'
import { oktaHash } from '../../src/targets/okta-hash.ts'
import {
  type Candidate,
  type Context,
  type Credential,
  type Order,
  type Result,
  RunHalt,
  TargetError,
} from '../../src/targets/target.ts'
import { type OktaOptions, type OktaSimulator, startOkta } from '../helpers/simulators/okta.ts'
import { contextFor, createTestCall, type Said, startServer } from '../helpers/simulators/server.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const sample = (name: string) =>
  JSON.parse(readFileSync(new URL(`fixtures/okta.${name}.json`, import.meta.url), 'utf8'))

interface Scene {
  readonly okta: OktaSimulator
  readonly context: Context
  bring(order: Order): Promise<Result>
  create(user?: Partial<Candidate>, attempts?: number): Promise<Result>
}

async function scene(options: OktaOptions = {}, settings: Record<string, string> = {}): Promise<Scene> {
  const simulator = await startOkta(options)
  closing.push(simulator.close)
  const target = okta.open({ URL: simulator.url, TOKEN: simulator.token, ...settings })
  const { call, close } = createTestCall(simulator.ca)
  closing.push(close)
  const context = await contextFor(target, call)
  const bring = async (order: Order): Promise<Result> => {
    const brought = await target.bring([order], context)
    if (brought.kind !== 'each' || brought.results.length !== 1) throw new Error('expected one result')
    const [result] = brought.results
    if (result === undefined) throw new Error('expected a result')
    return result
  }
  return {
    okta: simulator,
    context,
    bring,
    create: (user, attempts = 0) => bring({ action: 'create', user: ann(user), targetId: null, attempts }),
  }
}

const LOGIN = 'isaac.brock@example.com'

const ATTRIBUTES = {
  firstName: 'Isaac',
  lastName: 'Brock',
  email: LOGIN,
  login: LOGIN,
  mobilePhone: '555-415-1337',
}

function ann({ attributes, ...rest }: Partial<Candidate> = {}): Candidate {
  return {
    id: 'legacy-1',
    login: LOGIN,
    email: LOGIN,
    active: true,
    attributes: { legacyId: 'legacy-1', ...ATTRIBUTES, ...attributes },
    credential: { kind: 'hook' },
    tag: null,
    ...rest,
  }
}

const hashed = (hash: PortableHash): Credential => ({ kind: 'hash', hash })

/** openwall/crypt_blowfish, wrapper.c: the hash of `U*U`. */
const BCRYPT: PortableHash = {
  kind: 'bcrypt',
  revision: '2a',
  cost: 5,
  salt: 'CCCCCCCCCCCCCCCCCCCCC.',
  digest: 'E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
}

const bytes = (text: string) => Buffer.from(text, 'base64')

describe('what is sent is what the documentation shows', () => {
  const answered = sample('users.create.password-hook.response')

  async function sent(user: Candidate) {
    let body = ''
    let path = ''
    const server = await startServer({
      answer: (asked) => {
        body = asked.body
        path = `${asked.method} ${asked.path}?${asked.query}`
        return { status: 200, body: answered }
      },
      faultAnswer: (status) => ({ status }),
    })
    closing.push(server.close)
    const target = okta.open({ URL: server.url, TOKEN: 'token' })
    const { call, close } = createTestCall(server.ca)
    closing.push(close)
    const order: Order = { action: 'create', user, targetId: null, attempts: 0 }
    const brought = await target.bring([order], await contextFor(target, call))
    return { body: JSON.parse(body), path, brought }
  }

  const documented: Candidate = { ...ann(), attributes: ATTRIBUTES }

  test('for a user with the mark', async () => {
    const { body, path, brought } = await sent(documented)
    const { profile, credentials } = sample('users.create.password-hook.request')
    expect(body).toEqual({ profile: { ...profile, legacyId: 'legacy-1' }, credentials })
    expect(path).toBe('POST /api/v1/users?activate=true')
    expect(brought).toEqual({ kind: 'each', results: [{ kind: 'created', targetId: answered.id }] })
  })

  test('for a user with a bcrypt hash', async () => {
    const [salt, digest] = ['rwh3vH166HCH/NT9XV5FYu', 'qaMqvAPULkbiQzkTCWo5XDcvzpk8Tna']
    const credential = hashed({ kind: 'bcrypt', revision: '2b', cost: 10, salt, digest })
    const { profile, credentials } = sample('users.create.hash-bcrypt.request')
    expect((await sent({ ...documented, credential })).body).toEqual({
      profile: { ...profile, legacyId: 'legacy-1' },
      credentials,
    })
  })

  test('the old id goes under the name of the setting, and what is known about a phone stays here', async () => {
    const { create, okta } = await scene({ attributes: ['oldKey'] }, { ID_ATTRIBUTE: 'oldKey' })
    expect(await create({ attributes: { phoneNumberVerified: true } })).toMatchObject({ kind: 'created' })
    expect(okta.user(LOGIN)?.profile).toEqual({ ...ATTRIBUTES, oldKey: 'legacy-1' })
  })
})

describe('hashes', () => {
  const md5: PortableHash = {
    kind: 'digest',
    algorithm: 'md5',
    digest: bytes('jqACjUUFXM1XE6NiLALAbA=='),
    salt: Buffer.from('MySalt'),
    position: 'prefix',
  }
  const sha1: PortableHash = {
    kind: 'digest',
    algorithm: 'sha1',
    digest: bytes('xjrauE6J6kbjcvMjWSSc+PsBBls='),
    salt: bytes('UEO3wsAsgzQ='),
    position: 'suffix',
  }
  const sha512: PortableHash = {
    kind: 'digest',
    algorithm: 'sha512',
    digest: bytes('QrozP8a+KfoHu6mPFysxLoO5LMQsd2Fw6IclZUf8xQjetJOCGS93vm68h+VaFX0LHSiF/GxQkykq1vofmx6NGA=='),
    salt: Buffer.from('MySalt'),
    position: 'prefix',
  }
  const pbkdf2: PortableHash = {
    kind: 'pbkdf2',
    algorithm: 'sha512',
    iterations: 4096,
    salt: bytes('RBDXRWs9'),
    derived: bytes('eKe8/dcL5gvRsMmp7WwxZq0Y7WAodielIcLaelLlgNs='),
  }
  /** django/django, tests/auth_tests/test_hashers.py. */
  const django: PortableHash = {
    kind: 'pbkdf2',
    algorithm: 'sha256',
    iterations: 390_000,
    salt: Buffer.from('seasalt'),
    derived: bytes('8xBlGd3jVgvJ+92hWPxi5ww0uuAuAnKgC45eudxro7c='),
  }

  test.for([
    { title: 'MD5 after its salt', hash: md5, name: 'md5' },
    { title: 'SHA-1 before its salt', hash: sha1, name: 'sha1' },
    { title: 'SHA-512 after its salt', hash: sha512, name: 'sha512' },
    { title: 'PBKDF2 with SHA-512', hash: pbkdf2, name: 'pbkdf2' },
    {
      title: 'bcrypt',
      hash: {
        kind: 'bcrypt',
        revision: '2y',
        cost: 10,
        salt: 'rwh3vH166HCH/NT9XV5FYu',
        digest: 'qaMqvAPULkbiQzkTCWo5XDcvzpk8Tna',
      } satisfies PortableHash,
      name: 'bcrypt',
    },
  ])('$title is written as documented', ({ hash, name }) => {
    expect(oktaHash(hash)).toEqual(sample(`users.password.hash.${name}`).password.hash)
  })

  test.for<{ title: string; hash: PortableHash; password: string }>([
    { title: 'bcrypt', hash: BCRYPT, password: 'U*U' },
    { title: 'MD5 after its salt', hash: md5, password: 'Abcd1234' },
    { title: 'SHA-1 before its salt', hash: sha1, password: 'P@ssw0rd' },
    { title: 'SHA-512 after its salt', hash: sha512, password: 'Abcd1234' },
    {
      title: 'SHA-256 without a salt',
      // FIPS 180-4, example of NIST: the digest of `abc`.
      hash: {
        kind: 'digest',
        algorithm: 'sha256',
        digest: Buffer.from('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'hex'),
        salt: null,
        position: 'prefix',
      },
      password: 'abc',
    },
    { title: 'PBKDF2 with SHA-256', hash: django, password: 'lètmein' },
  ])(
    '$title signs in with its password alone, and then no more with the import',
    async ({ hash, password }) => {
      const { create, okta } = await scene()
      expect(await create({ credential: hashed(hash) })).toMatchObject({ kind: 'created' })
      expect(okta.user(LOGIN)).toMatchObject({ status: 'ACTIVE', provider: 'IMPORT' })
      expect(await okta.signIn(LOGIN, `${password}.`)).toBe('refused')
      expect(okta.user(LOGIN)?.provider).toBe('IMPORT')
      expect(await okta.signIn(LOGIN.toUpperCase(), password)).toBe('signed-in')
      expect(okta.user(LOGIN)?.provider).toBe('OKTA')
      expect(await okta.signIn(LOGIN, password)).toBe('signed-in')
    },
  )

  test.for<{ title: string; hash: PortableHash; reads: boolean }>([
    { title: 'bcrypt of cost 20', hash: { ...BCRYPT, cost: 20 }, reads: true },
    { title: 'bcrypt of cost 21', hash: { ...BCRYPT, cost: 21 }, reads: false },
    { title: 'PBKDF2 of 4096 rounds', hash: { ...django, iterations: 4096 }, reads: true },
    { title: 'PBKDF2 of 4095 rounds', hash: { ...django, iterations: 4095 }, reads: false },
    { title: 'PBKDF2 with SHA-1', hash: { ...django, algorithm: 'sha1' }, reads: false },
    { title: 'PBKDF2 without a salt', hash: { ...django, salt: Buffer.alloc(0) }, reads: false },
    { title: 'a digest with an empty salt', hash: { ...md5, salt: Buffer.alloc(0) }, reads: true },
    {
      title: 'HMAC',
      hash: { kind: 'hmac', algorithm: 'sha256', digest: Buffer.alloc(32), key: Buffer.from('key') },
      reads: false,
    },
    {
      title: 'scrypt',
      hash: {
        kind: 'scrypt',
        cost: 16384,
        blockSize: 8,
        parallelism: 1,
        salt: Buffer.alloc(16),
        derived: Buffer.alloc(32),
      },
      reads: false,
    },
    {
      title: 'Argon2',
      hash: {
        kind: 'argon2',
        type: 'argon2id',
        memory: 65536,
        passes: 3,
        lanes: 4,
        salt: Buffer.alloc(16),
        digest: Buffer.alloc(32),
      },
      reads: false,
    },
    { title: 'SHA-512 crypt', hash: { kind: 'crypt', scheme: 'sha512-crypt', text: '$6$s$x' }, reads: false },
    {
      title: 'phpass',
      hash: { kind: 'phpass', log2Rounds: 8, salt: 'saltsalt', text: '$P$B' },
      reads: false,
    },
    {
      title: "Firebase's scrypt",
      hash: {
        kind: 'firebase-scrypt',
        memoryCost: 14,
        rounds: 8,
        salt: Buffer.alloc(8),
        saltSeparator: Buffer.alloc(1),
        signerKey: Buffer.alloc(64),
        digest: Buffer.alloc(64),
      },
      reads: false,
    },
  ])('$title: read is $reads', async ({ hash, reads }) => {
    expect(okta.traits.reads(hash)).toBe(reads)
    const { create } = await scene()
    const result = await create({ credential: hashed(hash) })
    if (reads) expect(result).toMatchObject({ kind: 'created' })
    else
      expect(result).toEqual({ kind: 'refused', reason: 'hash-refused', targetCode: null, targetText: null })
  })
})

describe('creating', () => {
  test.for<{
    title: string
    user: Partial<Candidate>
    status: string
    provider: string
  }>([
    { title: 'with the mark', user: {}, status: 'ACTIVE', provider: 'IMPORT' },
    { title: 'with a hash', user: { credential: hashed(BCRYPT) }, status: 'ACTIVE', provider: 'IMPORT' },
    {
      title: 'with a reset to come',
      user: { credential: { kind: 'reset' } },
      status: 'STAGED',
      provider: 'OKTA',
    },
    { title: 'who is not active', user: { active: false }, status: 'STAGED', provider: 'IMPORT' },
  ])('a user $title ends as $status without any mail', async ({ user, status, provider }) => {
    const { create, okta } = await scene()
    const result = await create(user)
    expect(result).toEqual({ kind: 'created', targetId: okta.user(LOGIN)?.id })
    expect(okta.user(LOGIN)).toMatchObject({ status, provider, profile: { legacyId: 'legacy-1' } })
    expect(okta.mails()).toBe(0)
    expect(okta.count({ method: 'POST' })).toBe(1)
  })

  test.for<{ title: string; attributes: Record<string, unknown>; reason: string; text: string }>([
    {
      title: 'an attribute that is not defined',
      attributes: { notValid: 'x' },
      reason: 'unknown-attribute',
      text: "Property name ''notValid'' is not defined in profile",
    },
    {
      title: 'no last name',
      attributes: { lastName: null },
      reason: 'missing-attribute',
      text: 'lastName: The field cannot be left blank',
    },
    {
      title: 'a login that is no address',
      attributes: { login: 'isaac-brock' },
      reason: 'invalid-attribute',
      text: 'login: Username must be in the form of an email address',
    },
    {
      title: 'a first name of 51 characters',
      attributes: { firstName: 'x'.repeat(51) },
      reason: 'invalid-attribute',
      text: 'firstName: String is too long',
    },
  ])('$title is refused as $reason', async ({ attributes, reason, text }) => {
    const { create, okta } = await scene()
    expect(await create({ attributes })).toEqual({
      kind: 'refused',
      reason,
      targetCode: 'E0000001',
      targetText: text,
    })
    expect([...okta.users()]).toEqual([])
  })

  test('a login that somebody else has, in other case and with other accents, is taken', async () => {
    const { create, okta } = await scene()
    await create({ id: 'legacy-2', attributes: { login: 'ISÁÀC.BRÖCK@example.com' } })
    expect(await create()).toEqual({
      kind: 'refused',
      reason: 'taken',
      targetCode: 'E0000001',
      targetText: 'login: An object with this field already exists in the current organization',
    })
    expect([...okta.users()].map(({ profile }) => profile.legacyId)).toEqual(['legacy-2'])
  })

  test('what is wrong stays wrong when a short name finds somebody else', async () => {
    const { create } = await scene()
    await create({ id: 'legacy-2' })
    expect(await create({ attributes: { login: 'isaac.brock' } })).toMatchObject({
      kind: 'refused',
      reason: 'invalid-attribute',
    })
  })

  test('a user of an earlier run is unchanged, and one of an earlier try is created', async () => {
    const { create, okta } = await scene()
    await create()
    const targetId = okta.user(LOGIN)?.id
    expect(await create()).toEqual({ kind: 'unchanged', targetId })
    expect(await create({}, 1)).toEqual({ kind: 'created', targetId })
    expect([...okta.users()]).toHaveLength(1)
  })

  test('who is there with another profile gets the planned one, and keeps the rest', async () => {
    const { create, okta } = await scene()
    await create({ attributes: { lastName: 'Broch', department: 'Sales' } })
    const user = okta.user(LOGIN)
    expect(await create()).toEqual({ kind: 'updated', targetId: user?.id })
    expect(okta.user(LOGIN)?.profile).toMatchObject({ lastName: 'Brock', department: 'Sales' })
    expect(okta.user(LOGIN)?.provider).toBe('IMPORT')
  })

  test('who is there and STAGED is activated without a mail', async () => {
    const { create, okta } = await scene()
    await create({ active: false })
    expect(await create()).toMatchObject({ kind: 'updated' })
    expect(okta.user(LOGIN)?.status).toBe('ACTIVE')
    expect(okta.mails()).toBe(0)
  })

  test('who was deactivated does not come back', async () => {
    const { create, bring, okta } = await scene()
    await create()
    await bring({ action: 'deactivate', user: ann(), targetId: null, attempts: 0 })
    expect(await create()).toEqual({
      kind: 'refused',
      reason: 'wrong-state',
      targetCode: 'DEPROVISIONED',
      targetText: null,
    })
    expect(okta.user(LOGIN)?.status).toBe('DEPROVISIONED')
  })

  test('an answer that was cut off is a call that came to nothing, and the next try finds the user', async () => {
    const { create, okta } = await scene()
    okta.next('cutAfter')
    await expect(create()).rejects.toEqual(new CallFailure('unreachable'))
    expect(await create({}, 1)).toEqual({ kind: 'created', targetId: okta.user(LOGIN)?.id })
    expect([...okta.users()]).toHaveLength(1)
  })

  test('a request that was cut off before any work is made again', async () => {
    const { create, okta } = await scene()
    okta.next('cutBefore')
    await expect(create()).rejects.toEqual(new CallFailure('unreachable'))
    expect([...okta.users()]).toEqual([])
    expect(await create({}, 1)).toEqual({ kind: 'created', targetId: okta.user(LOGIN)?.id })
  })

  test('at a second try a login of somebody else is taken without another creation', async () => {
    const { create, okta } = await scene()
    await create({ id: 'legacy-2' })
    expect(await create({}, 1)).toMatchObject({ kind: 'refused', reason: 'taken' })
    expect(okta.count({ method: 'POST' })).toBe(1)
  })
})

test('with faults of every kind each user is there exactly once, and every try ends in a named state', async () => {
  const faults = { tooMany: 5, failed: 5, unavailable: 5, cutBefore: 8, cutAfter: 12 }
  const { bring, okta } = await scene({ faults, seed: 7 }, { GROUP: 'Migrated', FACTORS: 'sms' })
  const ends: string[] = []
  const bringUntilDone = async (number: number) => {
    const login = `user${number}@example.com`
    const attributes = { login, mobilePhone: '+15554151337', phoneNumberVerified: true }
    const user = ann({ id: `legacy-${number}`, login, attributes })
    for (let attempts = 0; attempts < 50; attempts++) {
      const result = await bring({ action: 'create', user, targetId: null, attempts }).catch((thrown) => {
        if (thrown instanceof CallFailure) return null
        throw thrown
      })
      if (result !== null && result.kind !== 'postponed') return ends.push(result.kind)
    }
    throw new Error('expected an end')
  }
  for (let number = 0; number < 80; number++) await bringUntilDone(number)
  expect(okta.count({ fault: 'cutAfter' })).toBeGreaterThan(10)
  expect(ends).toEqual(Array.from({ length: 80 }, () => 'created'))
  expect([...okta.users()].map(({ profile }) => profile.legacyId)).toEqual(
    Array.from({ length: 80 }, (_, number) => `legacy-${number}`),
  )
  expect(new Set([...okta.users()].map(({ groups }) => groups.length))).toEqual(new Set([1]))
  expect(okta.groupNames()).toEqual(['Migrated'])
  expect(okta.mails()).toBe(0)
})

describe('groups', () => {
  const tagged = { tag: '2026-11-21' }

  test('users of a batch are in the group of its tag, which is looked for and made once', async () => {
    const { create, okta } = await scene({}, { GROUP: 'Migrated {tag}' })
    await create(tagged)
    await create({ ...tagged, id: 'legacy-2', attributes: { login: 'second@example.com' } })
    expect(okta.groupNames()).toEqual(['Migrated 2026-11-21'])
    expect([...okta.users()].map(({ groups }) => groups.length)).toEqual([1, 1])
    expect(okta.count({ path: /groups/ })).toBe(2)
  })

  test('a group that is there already is used', async () => {
    const first = await scene({}, { GROUP: 'Migrated' })
    await first.create()
    const again = okta.open({ URL: first.okta.url, TOKEN: first.okta.token, GROUP: 'Migrated' })
    const order: Order = {
      action: 'create',
      user: ann({ id: 'legacy-2', attributes: { login: 'second@example.com' } }),
      targetId: null,
      attempts: 0,
    }
    expect(await again.bring([order], first.context)).toMatchObject({ results: [{ kind: 'created' }] })
    expect(first.okta.groupNames()).toEqual(['Migrated'])
  })

  test.for([
    { title: 'no GROUP', settings: {}, user: tagged },
    { title: 'no tag for a GROUP with a place for it', settings: { GROUP: 'Migrated {tag}' }, user: {} },
  ])('with $title there is none', async ({ settings, user }) => {
    const { create, okta } = await scene({}, settings as Record<string, string>)
    expect(await create(user)).toMatchObject({ kind: 'created' })
    expect(okta.groupNames()).toEqual([])
  })

  test('while groups cannot be asked for the user is postponed, and then created', async () => {
    const { create, okta } = await scene({}, { GROUP: 'Migrated' })
    okta.next('unavailable')
    expect(await create()).toEqual({ kind: 'postponed', reason: 'busy' })
    expect(await create({}, 1)).toMatchObject({ kind: 'created' })
    expect(okta.groupNames()).toEqual(['Migrated'])
  })
})

describe('phone factors', () => {
  const phone = { mobilePhone: '+15554151337', phoneNumberVerified: true }

  test.for([
    { title: 'sms', FACTORS: 'sms', attributes: phone, factors: ['sms'] },
    { title: 'sms and call', FACTORS: 'sms,call', attributes: phone, factors: ['sms', 'call'] },
    { title: 'off', FACTORS: 'off', attributes: phone, factors: [] },
    {
      title: 'a number that nobody has verified',
      FACTORS: 'sms',
      attributes: { ...phone, phoneNumberVerified: false },
      factors: [],
    },
    {
      title: 'a number that is not E.164',
      FACTORS: 'sms',
      attributes: { ...phone, mobilePhone: '555-415-1337' },
      factors: [],
    },
  ])('$title: $factors', async ({ FACTORS, attributes, factors }) => {
    const { create, okta } = await scene({}, { FACTORS })
    expect(await create({ attributes })).toEqual({ kind: 'created', targetId: okta.user(LOGIN)?.id })
    expect(okta.user(LOGIN)?.factors.map(({ factorType }) => factorType)).toEqual(factors)
    expect(okta.mails()).toBe(0)
  })

  test('one that fails is a warning beside the created user', async () => {
    const { create, okta } = await scene({}, { FACTORS: 'sms' })
    okta.next(null, 'failed')
    expect(await create({ attributes: phone })).toEqual({
      kind: 'created',
      targetId: okta.user(LOGIN)?.id,
      warnings: ['factor-not-enrolled'],
    })
  })

  test('a user of an earlier try gets those that are missing', async () => {
    const { create, okta } = await scene({}, { FACTORS: 'sms,call' })
    okta.next(null, null, 'cutBefore')
    await expect(create({ attributes: phone })).rejects.toEqual(new CallFailure('unreachable'))
    expect(await create({ attributes: phone }, 1)).toEqual({
      kind: 'created',
      targetId: okta.user(LOGIN)?.id,
    })
    expect(okta.user(LOGIN)?.factors.map(({ factorType }) => factorType)).toEqual(['sms', 'call'])
  })
})

describe('updating', () => {
  const update = (user: Candidate, targetId: string | null = null): Order => ({
    action: 'update',
    user,
    targetId,
    attempts: 0,
  })
  const keep: Credential = { kind: 'keep' }

  test('sends the profile alone and leaves what it does not name', async () => {
    const { create, bring, okta } = await scene()
    await create({ attributes: { department: 'Sales' } })
    const targetId = okta.user(LOGIN)?.id ?? ''
    const user = ann({ credential: keep, attributes: { lastName: 'Changed' } })
    expect(await bring(update(user, targetId))).toEqual({ kind: 'updated', targetId })
    expect(okta.user(LOGIN)).toMatchObject({
      profile: { lastName: 'Changed', department: 'Sales' },
      provider: 'IMPORT',
    })
    expect(okta.count({ method: 'GET' })).toBe(0)
  })

  test('sets the mark again for a user who has a password', async () => {
    const { create, bring, okta } = await scene()
    await create({ credential: hashed(BCRYPT) })
    await okta.signIn(LOGIN, 'U*U')
    expect(await bring(update(ann(), okta.user(LOGIN)?.id))).toMatchObject({ kind: 'updated' })
    expect(okta.user(LOGIN)).toMatchObject({ provider: 'IMPORT', secret: { kind: 'hook' } })
  })

  test('replaces a hash of a user who is STAGED, and of nobody else', async () => {
    const { create, bring, okta } = await scene()
    await create({ active: false, credential: hashed({ ...BCRYPT, cost: 6 }) })
    const user = ann({ active: false, credential: hashed(BCRYPT) })
    expect(await bring(update(user))).toMatchObject({ kind: 'updated' })
    expect(await bring(update(ann({ credential: keep })))).toMatchObject({ kind: 'updated' })
    expect(await okta.signIn(LOGIN, 'U*U')).toBe('signed-in')
    expect(await bring(update(ann({ credential: hashed(BCRYPT) })))).toMatchObject({
      kind: 'refused',
      reason: 'wrong-state',
      targetCode: 'E0000038',
    })
  })

  test('suspends who is not active any more, keeping the password, and takes that back', async () => {
    const { create, bring, okta } = await scene()
    await create({ credential: hashed(BCRYPT) })
    expect(await bring(update(ann({ active: false, credential: keep })))).toMatchObject({ kind: 'updated' })
    expect(okta.user(LOGIN)?.status).toBe('SUSPENDED')
    expect(await okta.signIn(LOGIN, 'U*U')).toBe('refused')
    expect(await bring(update(ann({ credential: keep })))).toMatchObject({ kind: 'updated' })
    expect(await okta.signIn(LOGIN, 'U*U')).toBe('signed-in')
    expect(okta.mails()).toBe(0)
  })

  test('leaves who waits for a reset where they are', async () => {
    const { create, bring, okta } = await scene()
    await create({ credential: { kind: 'reset' } })
    expect(await bring(update(ann({ credential: keep })))).toMatchObject({ kind: 'updated' })
    expect(okta.user(LOGIN)?.status).toBe('STAGED')
  })

  test('of a user who is still being activated is postponed', async () => {
    const { create, bring } = await scene({ activatingMs: 60_000 })
    await create()
    expect(await bring(update(ann()))).toEqual({ kind: 'postponed', reason: 'wrong-state' })
  })

  test.for<{ title: string; targetId: string | null; there: Partial<Candidate> | null; result: object }>([
    {
      title: 'a key that Okta does not know',
      targetId: '00u404',
      there: null,
      result: { kind: 'refused', reason: 'not-there', targetCode: 'E0000007' },
    },
    {
      title: 'a login that Okta does not know',
      targetId: null,
      there: null,
      result: { kind: 'refused', reason: 'not-there', targetCode: '404' },
    },
    {
      title: 'a login of somebody else',
      targetId: null,
      there: { id: 'legacy-2' },
      result: { kind: 'refused', reason: 'taken' },
    },
  ])('$title is refused', async ({ targetId, there, result }) => {
    const { create, bring } = await scene()
    if (there !== null) await create(there)
    expect(await bring(update(ann(), targetId))).toMatchObject(result)
  })

  test('of a deactivated user is refused for the state', async () => {
    const { create, bring } = await scene()
    await create()
    await bring({ action: 'deactivate', user: ann(), targetId: null, attempts: 0 })
    expect(await bring(update(ann({ credential: keep })))).toMatchObject({
      kind: 'refused',
      reason: 'wrong-state',
      targetCode: 'E0000038',
    })
  })
})

describe('removing', () => {
  const order = (action: 'deactivate' | 'delete', more: Partial<Order> = {}): Order => ({
    action,
    user: ann(),
    targetId: null,
    attempts: 0,
    ...more,
  })

  test('deactivates without a mail', async () => {
    const { create, bring, okta } = await scene()
    await create()
    const targetId = okta.user(LOGIN)?.id
    expect(await bring(order('deactivate'))).toEqual({ kind: 'removed', targetId })
    expect(okta.user(LOGIN)?.status).toBe('DEPROVISIONED')
    expect(okta.mails()).toBe(0)
  })

  test('deletes for good', async () => {
    const { create, bring, okta } = await scene()
    await create()
    expect(await bring(order('delete'))).toMatchObject({ kind: 'removed' })
    expect([...okta.users()]).toEqual([])
  })

  test.for([
    { title: 'after the deactivation', faults: ['cutAfter'] as const },
    { title: 'after the deletion', faults: [null, 'cutAfter'] as const },
  ])('ends as removed when an answer was cut off $title', async ({ faults }) => {
    const { create, bring, okta } = await scene()
    await create()
    const targetId = okta.user(LOGIN)?.id ?? ''
    okta.next(...faults)
    await expect(bring(order('delete', { targetId }))).rejects.toEqual(new CallFailure('unreachable'))
    expect(await bring(order('delete', { targetId, attempts: 1 }))).toEqual({ kind: 'removed', targetId })
    expect([...okta.users()]).toEqual([])
  })

  test('who is not there is refused, and at a later try was removed by an earlier one', async () => {
    const { bring } = await scene()
    expect(await bring(order('delete'))).toMatchObject({ kind: 'refused', reason: 'not-there' })
    expect(await bring(order('delete', { attempts: 1 }))).toEqual({ kind: 'removed', targetId: null })
  })

  test('never touches somebody else who has the login', async () => {
    const { create, bring, okta } = await scene()
    await create({ id: 'legacy-2' })
    expect(await bring(order('delete'))).toMatchObject({ kind: 'refused', reason: 'taken' })
    expect(okta.user(LOGIN)?.status).toBe('ACTIVE')
  })
})

describe('what Okta may say', () => {
  async function answered(said: Said, action: Order['action'] = 'create') {
    const server = await startServer({ answer: () => said, faultAnswer: (status) => ({ status }) })
    closing.push(server.close)
    const target = okta.open({ URL: server.url, TOKEN: 'token' })
    const { call, close } = createTestCall(server.ca)
    closing.push(close)
    const order: Order = { action, user: ann(), targetId: '00u1', attempts: 0 }
    const brought = await target.bring([order], await contextFor(target, call, { tries: 1 }))
    return brought.kind === 'each' ? brought.results[0] : brought
  }
  const error = (errorCode: string, ...causes: string[]) => ({
    errorCode,
    errorSummary: 'Summary',
    errorLink: errorCode,
    errorId: 'oae1',
    errorCauses: causes.map((errorSummary) => ({ errorSummary })),
  })

  test.for<{ title: string; said: Said; action?: Order['action']; result: object }>([
    {
      title: 'a recorded refusal of an attribute, where no user is found',
      said: { status: 400, body: sample('RECORDED.errors.400.unknown-profile-property.E0000001') },
      action: 'update',
      result: {
        kind: 'refused',
        reason: 'unknown-attribute',
        targetCode: 'E0000001',
        targetText: "Property name ''notValid'' is not defined in profile",
      },
    },
    {
      title: 'the documented refusal of a login, of an update',
      said: { status: 400, body: sample('errors.400.duplicate-login.E0000001') },
      action: 'update',
      result: {
        kind: 'refused',
        reason: 'taken',
        targetCode: 'E0000001',
        targetText: 'login: An object with this field already exists in the current organization',
      },
    },
    {
      title: 'the refusal of a mistake in a query',
      said: { status: 400, body: sample('errors.400.E0000125') },
      result: { kind: 'refused', reason: 'rejected', targetCode: 'E0000125' },
    },
    {
      title: 'too many requests, still after waiting',
      said: { status: 429, body: sample('errors.429.E0000047') },
      result: { kind: 'postponed', reason: 'busy' },
    },
    {
      title: 'read-only mode',
      said: { status: 503, body: error('E0000010') },
      result: { kind: 'postponed', reason: 'busy' },
    },
    {
      title: 'a failure without JSON',
      said: { status: 502 },
      result: { kind: 'postponed', reason: 'busy' },
    },
    {
      title: 'that the user is being activated',
      said: { status: 409, body: error('E0000112') },
      action: 'update',
      result: { kind: 'postponed', reason: 'wrong-state' },
    },
    {
      title: 'that the state does not allow it',
      said: { status: 403, body: error('E0000038') },
      action: 'update',
      result: { kind: 'refused', reason: 'wrong-state', targetCode: 'E0000038' },
    },
    {
      title: 'that the password policy does not allow it',
      said: { status: 403, body: error('E0000080', 'Password requirements were not met') },
      action: 'update',
      result: { kind: 'refused', reason: 'forbidden', targetCode: 'E0000080' },
    },
    {
      title: 'that it cannot use the hash',
      said: { status: 400, body: error('E0000001', 'password: Invalid hash') },
      action: 'update',
      result: { kind: 'refused', reason: 'hash-refused', targetCode: 'E0000001' },
    },
    {
      title: 'that the body is too large',
      said: { status: 413 },
      result: { kind: 'refused', reason: 'too-large', targetCode: '413', targetText: null },
    },
    {
      title: 'a code that nobody has told us about',
      said: { status: 400, body: error('E0009999') },
      result: { kind: 'refused', reason: 'rejected', targetCode: 'E0009999' },
    },
  ])('$title', async ({ said, action, result }) => {
    expect(await answered(said, action)).toMatchObject(result)
  })

  test.for<{ title: string; said: Said; reason: string; targetCode: string }>([
    {
      title: 'the token is not valid',
      said: { status: 401, body: error('E0000011') },
      reason: 'unauthorized',
      targetCode: 'E0000011',
    },
    {
      title: 'the token may not do that',
      said: { status: 403, body: error('E0000006') },
      reason: 'unauthorized',
      targetCode: 'E0000006',
    },
    { title: 'there is no such API', said: { status: 404 }, reason: 'not-found', targetCode: '404' },
  ])('everything stops when $title', async ({ said, reason, targetCode }) => {
    const halt = await answered(said).catch((thrown: unknown) => thrown)
    expect(halt).toBeInstanceOf(RunHalt)
    expect(halt).toMatchObject({ reason, targetCode })
  })

  test('a success that cannot be read is a call that came to nothing', async () => {
    await expect(answered({ status: 200, body: { no: 'user' } })).rejects.toEqual(
      new CallFailure('malformed'),
    )
  })

  test('a wrong token halts at the simulator as well', async () => {
    const { create } = await scene({}, { TOKEN: 'another' })
    await expect(create()).rejects.toMatchObject({ reason: 'unauthorized', targetCode: 'E0000011' })
  })

  test('an access token is sent as a bearer', async () => {
    const { create } = await scene({ scheme: 'Bearer' }, { TOKEN_TYPE: 'bearer' })
    expect(await create()).toMatchObject({ kind: 'created' })
  })
})

describe('limits', () => {
  const target = okta.open({ URL: 'https://example.okta.com', TOKEN: 'token' })
  const date = 'Sat, 21 Nov 2026 20:00:30 GMT'
  const now = Date.parse(date)
  const reset = String(now / 1_000 + 30)
  const headers = (limit: string, remaining: string) => ({
    date,
    'x-rate-limit-limit': limit,
    'x-rate-limit-remaining': remaining,
    'x-rate-limit-reset': reset,
  })

  test.for([
    {
      title: 'a window',
      status: 200,
      headers: headers('600', '598'),
      notice: { now, limit: 600, remaining: 598, resetAt: now + 30_000 },
    },
    {
      title: 'its end: until the reset of its own clock, and a second',
      status: 429,
      headers: headers('600', '0'),
      notice: { now, limit: 600, remaining: 0, resetAt: now + 30_000, waitMs: 31_000 },
    },
    {
      title: 'too many at the same time, whatever the reset says',
      status: 429,
      headers: headers('0', '0'),
      notice: { now, waitMs: 1_000 },
    },
    { title: 'nothing', status: 200, headers: {}, notice: null },
    { title: 'too many without a header', status: 429, headers: {}, notice: { waitMs: 1_000 } },
    { title: 'what is no number', status: 200, headers: headers('many', '1'), notice: null },
  ])('$title', ({ status, headers, notice }) => {
    expect(target.limitOf({ status, headers, text: '' })).toEqual(notice)
  })

  test('of a real answer', async () => {
    const { context, okta } = await scene({ perMinute: { read: 7 } })
    const answer = await context.call({ method: 'GET', url: `${okta.url}/api/v1/inlineHooks` })
    const notice = target.limitOf(answer)
    expect(notice).toMatchObject({ limit: 7, remaining: 6 })
    expect((notice?.resetAt ?? 0) - (notice?.now ?? 0)).toBeLessThanOrEqual(60_000)
    expect((notice?.resetAt ?? 0) - (notice?.now ?? 0)).toBeGreaterThanOrEqual(0)
  })
})

describe('examining', () => {
  const hook = { url: 'https://hooks.example.com/okta/password-import' }
  const use = { hook: true, hash: false, attributes: ['legacyId', 'login', 'email', 'firstName', 'lastName'] }

  async function codes(options: OktaOptions, change: Partial<typeof use> = {}, settings = {}) {
    const { okta: simulator, context } = await scene(options, settings)
    const target = okta.open({ URL: simulator.url, TOKEN: simulator.token, ...settings })
    const findings = await target.examine(context, { ...use, ...change })
    return findings.map(({ severity, code }) => `${severity} ${code}`)
  }

  test.for<{ title: string; options: OktaOptions; change?: Partial<typeof use>; found: string[] }>([
    { title: 'all is ready', options: { hook }, found: [] },
    {
      title: 'the attribute of the old id is missing',
      options: { hook, attributes: [] },
      found: ['error attribute-missing'],
    },
    {
      title: 'an attribute of the plan is missing',
      options: { hook },
      change: { attributes: [...use.attributes, 'loyalty', 'phoneNumberVerified'] },
      found: ['error attribute-missing'],
    },
    {
      title: 'a required attribute is not sent',
      options: { hook, attributes: ['legacyId', 'loyalty'], required: ['loyalty'] },
      found: ['error attribute-required'],
    },
    {
      title: 'nobody is created or changed',
      options: { attributes: ['loyalty'], required: ['loyalty'] },
      change: { hook: false, attributes: [] },
      found: [],
    },
    { title: 'there is no hook', options: {}, found: ['error hook-inactive'] },
    {
      title: 'the hook is off',
      options: { hook: { ...hook, status: 'INACTIVE' } },
      found: ['error hook-inactive'],
    },
    { title: 'no hook is needed', options: {}, change: { hook: false }, found: [] },
    {
      title: 'hashes are sent',
      options: { hook },
      change: { hash: true },
      found: ['warning hash-is-final'],
    },
  ])('$title', async ({ options, change, found }) => {
    const seen = await codes(options, change)
    expect(seen).toContain('warning side-effects-not-visible')
    expect(seen.filter((code) => code !== 'warning side-effects-not-visible')).toEqual(found)
  })

  test('a name of its own for the old id', async () => {
    expect(await codes({ hook, attributes: ['oldKey'] }, {}, { ID_ATTRIBUTE: 'oldKey' })).toEqual([
      'warning side-effects-not-visible',
    ])
  })

  test('while Okta fails nothing is said about its state', async () => {
    const { okta: simulator, context } = await scene({ hook })
    const target = okta.open({ URL: simulator.url, TOKEN: simulator.token })
    simulator.next('failed', 'failed')
    const findings = await target.examine(context, use)
    expect(findings.map(({ code }) => code)).toEqual([
      'schema-unreadable',
      'hooks-unreadable',
      'side-effects-not-visible',
    ])
  })
})

describe('settings', () => {
  test.for<{ title: string; settings: Record<string, string | undefined> }>([
    { title: 'no address', settings: { TOKEN: 't' } },
    { title: 'http', settings: { URL: 'http://example.okta.com', TOKEN: 't' } },
    { title: 'credentials in the address', settings: { URL: 'https://a:b@example.okta.com', TOKEN: 't' } },
    { title: 'no token', settings: { URL: 'https://example.okta.com' } },
    {
      title: 'an unknown kind of token',
      settings: { URL: 'https://example.okta.com', TOKEN: 't', TOKEN_TYPE: 'x' },
    },
    {
      title: 'an unknown factor',
      settings: { URL: 'https://example.okta.com', TOKEN: 't', FACTORS: 'sms,mail' },
    },
    {
      title: 'a base attribute',
      settings: { URL: 'https://example.okta.com', TOKEN: 't', ID_ATTRIBUTE: 'email' },
    },
  ])('$title makes no sense', ({ settings }) => {
    expect(() => okta.open(settings)).toThrow(TargetError)
  })

  test('the only host is that of the address', () => {
    expect(okta.open({ URL: 'https://example.okta.com/', TOKEN: 't' }).hosts).toEqual(['example.okta.com'])
  })
})

describe('the simulator', () => {
  const user = JSON.stringify(sample('users.create.password-hook.request'))

  async function asked(path: string, method: 'POST' | 'PUT', body: string, options: OktaOptions = {}) {
    const { okta: simulator } = await scene(options)
    const { call, close } = createTestCall(simulator.ca)
    closing.push(close)
    const answer = await call({
      method,
      url: `${simulator.url}/api/v1/${path}`,
      headers: { authorization: `SSWS ${simulator.token}`, 'content-type': 'application/json' },
      body,
    })
    return { status: answer.status, ...JSON.parse(answer.text) }
  }
  const withHash = (hash: object) =>
    JSON.stringify({
      profile: sample('users.create.password-hook.request').profile,
      credentials: { password: { hash } },
    })

  test('answers as documented', async () => {
    const body = await asked('users?activate=true', 'POST', user)
    const { status, profile, credentials } = sample('users.create.password-hook.response')
    expect(body).toMatchObject({ status, profile, credentials })
  })

  test('takes the recorded request', async () => {
    const recorded = sample('RECORDED.users.create.hash-sha512.request')
    const body = await asked('users?activate=false', 'POST', JSON.stringify(recorded))
    const { status, credentials } = sample('RECORDED.users.create.hash-sha512.response')
    expect(body).toMatchObject({ status, credentials })
  })

  test.for([
    { title: 'a body that is not JSON', path: 'users', body: '{', code: 'E0000003' },
    {
      title: 'a query that is neither true nor false',
      path: 'users?activate=yes',
      body: user,
      code: 'E0000003',
    },
    {
      title: 'nextLogin without activate',
      path: 'users?activate=false&nextLogin=changePassword',
      body: user,
      code: 'E0000125',
    },
    {
      title: 'another kind of hook',
      path: 'users',
      body: user.replace('"default"', '"other"'),
      code: 'E0000001',
    },
    {
      title: 'a bcrypt hash that is not split',
      path: 'users',
      body: withHash({ algorithm: 'BCRYPT', workFactor: 10, salt: '', value: 'x'.repeat(53) }),
      code: 'E0000001',
    },
    {
      title: 'the documented SHA-256 hash, which is not base64 with padding',
      path: 'users',
      body: withHash(sample('users.password.hash.sha256').password.hash),
      code: 'E0000001',
    },
    {
      title: 'a digest in hexadecimal',
      path: 'users',
      body: withHash({ algorithm: 'MD5', value: createHash('md5').update('x').digest('hex') }),
      code: 'E0000001',
    },
    {
      title: 'groups that are not there',
      path: 'users',
      body: user.replace('{', '{"groupIds":["00g404"],'),
      code: 'E0000001',
    },
  ])('refuses $title', async ({ path, body, code }) => {
    expect(await asked(path, 'POST', body)).toMatchObject({ status: 400, errorCode: code })
  })

  test('counts a window, and says so', async () => {
    const { context, okta } = await scene({ perMinute: { read: 1 } })
    const get = () => context.call({ method: 'GET', url: `${okta.url}/api/v1/users/nobody` })
    expect((await get()).status).toBe(404)
    const refused = await get()
    expect(refused.status).toBe(429)
    expect(JSON.parse(refused.text).errorCode).toBe(sample('errors.429.E0000047').errorCode)
    expect(refused.headers).toMatchObject({ 'x-rate-limit-limit': '1', 'x-rate-limit-remaining': '0' })
    expect(okta.refusedByLimit().inAll).toBeGreaterThan(0)
  })

  test('counts what it does at the same time', async () => {
    const { okta } = await scene({ concurrency: 1, latencyMs: 50 })
    const { call, close } = createTestCall(okta.ca)
    closing.push(close)
    const headers = { authorization: `SSWS ${okta.token}` }
    const get = () => call({ method: 'GET', url: `${okta.url}/api/v1/users/nobody`, headers })
    const answers = await Promise.all([get(), get(), get()])
    const refused = answers.filter(({ status }) => status === 429)
    expect(refused.length).toBeGreaterThan(0)
    for (const { headers } of refused)
      expect(headers).toMatchObject({ 'x-rate-limit-limit': '0', 'x-rate-limit-remaining': '0' })
  })

  test('writes nothing in read-only mode', async () => {
    const { create, okta } = await scene()
    okta.setReadOnly(true)
    expect(await create()).toEqual({ kind: 'postponed', reason: 'busy' })
    okta.setReadOnly(false)
    expect(await create({}, 1)).toMatchObject({ kind: 'created' })
  })

  test.for([
    { title: 'yes', said: [verified('VERIFIED')], ends: 'signed-in', provider: 'OKTA', calls: 1 },
    { title: 'no', said: [verified('UNVERIFIED')], ends: 'refused', provider: 'IMPORT', calls: 1 },
    { title: 'nothing', said: [{ status: 204, text: '' }], ends: 'refused', provider: 'IMPORT', calls: 1 },
    { title: '401', said: [{ status: 401, text: '' }], ends: 'hook-failed', provider: 'IMPORT', calls: 1 },
    {
      title: '503 and then yes',
      said: [{ status: 503, text: '' }, verified('VERIFIED')],
      ends: 'signed-in',
      provider: 'OKTA',
      calls: 2,
    },
    {
      title: '503 twice',
      said: [
        { status: 503, text: '' },
        { status: 503, text: '' },
      ],
      ends: 'hook-failed',
      provider: 'IMPORT',
      calls: 2,
    },
  ])('asks the hook, which says $title', async ({ said, ends, provider, calls }) => {
    const { create, okta } = await scene()
    await create()
    const asked: unknown[] = []
    const hook = createServer((incoming, outgoing) => {
      let text = ''
      incoming.on('data', (chunk) => {
        text += chunk
      })
      incoming.on('end', () => {
        asked.push({
          authorization: incoming.headers.authorization,
          ...JSON.parse(text).data.context.credential,
        })
        const { status, text: answer } = said[asked.length - 1] ?? { status: 500, text: '' }
        outgoing.writeHead(status, { 'content-type': 'application/json' }).end(answer)
      })
    })
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
    closing.push(() => hook.close())
    const { port } = hook.address() as AddressInfo
    okta.setHook({ url: `http://127.0.0.1:${port}/okta/password-import`, authorization: 'Bearer secret' })
    expect(await okta.signIn('Isaac.Brock@example.com', 'typed')).toBe(ends)
    expect(okta.user(LOGIN)?.provider).toBe(provider)
    expect(asked).toEqual(
      Array.from({ length: calls }, () => ({
        authorization: 'Bearer secret',
        username: 'Isaac.Brock@example.com',
        password: 'typed',
      })),
    )
  })
})

function verified(credential: string) {
  const commands = [{ type: 'com.okta.action.update', value: { credential } }]
  return { status: 200, text: JSON.stringify({ commands }) }
}
