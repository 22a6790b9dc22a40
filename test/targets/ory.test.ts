import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { CallFailure } from '../../src/outbound/call.ts'
import type { PortableHash } from '../../src/portable-hash.ts'
import { ory } from '../../src/targets/ory.ts'
import { kratosHash } from '../../src/targets/ory-notation.ts'
import {
  type Brought,
  type Candidate,
  type Context,
  type Credential,
  type Order,
  type Result,
  RunHalt,
  TargetError,
} from '../../src/targets/target.ts'
import { type OryOptions, type OrySimulator, PERSON, startOry, verifies } from '../helpers/simulators/ory.ts'
import { contextFor, createTestCall, type Said, startServer } from '../helpers/simulators/server.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const sample = (name: string) =>
  JSON.parse(readFileSync(new URL(`fixtures/ory.${name}.json`, import.meta.url), 'utf8'))

interface Scene {
  readonly ory: OrySimulator
  readonly context: Context
  bring(...orders: Order[]): Promise<Brought>
  one(order: Order): Promise<Result>
  create(user?: Partial<Candidate>, attempts?: number): Promise<Result>
}

async function scene(options: OryOptions = {}, settings: Record<string, string> = {}): Promise<Scene> {
  const simulator = await startOry(options)
  closing.push(simulator.close)
  const target = ory.open({
    URL: simulator.url,
    ...(simulator.token !== null && { TOKEN: simulator.token }),
    ...settings,
  })
  const { call, close } = createTestCall(simulator.ca)
  closing.push(close)
  const context = await contextFor(target, call)
  const bring = (...orders: Order[]) => target.bring(orders, context)
  const one = async (order: Order): Promise<Result> => {
    const brought = await bring(order)
    const result = brought.kind === 'each' ? brought.results[0] : undefined
    if (result === undefined) throw new Error('expected a result')
    return result
  }
  return { ory: simulator, context, bring, one, create: (user, attempts) => one(creation(user, attempts)) }
}

const EMAIL = 'ann@example.com'

function ann({ attributes, ...rest }: Partial<Candidate> = {}): Candidate {
  return {
    id: 'legacy-1',
    login: EMAIL,
    email: EMAIL,
    active: true,
    attributes: { external_id: 'legacy-1', email: EMAIL, ...attributes },
    credential: { kind: 'hook' },
    tag: null,
    ...rest,
  }
}

const creation = (user?: Partial<Candidate>, attempts = 0): Order => ({
  action: 'create',
  user: ann(user),
  targetId: null,
  attempts,
})

/** Users apart from each other by number. */
const numbered = (number: number, change: Partial<Candidate> = {}): Order =>
  creation({
    id: `legacy-${number}`,
    login: `user${number}@example.com`,
    email: `user${number}@example.com`,
    ...change,
    attributes: { email: `user${number}@example.com`, ...change.attributes },
  })

const hashed = (hash: PortableHash): Credential => ({ kind: 'hash', hash })
const bytes = (text: string) => Buffer.from(text, 'base64')
const hex = (text: string) => Buffer.from(text, 'hex')

/** hasher_test.go of Kratos: the hash of `test`. */
const BCRYPT: PortableHash = {
  kind: 'bcrypt',
  revision: '2a',
  cost: 12,
  salt: 'o6hx.Wog/wvFSkT/Bp/6DO',
  digest: 'xCtLRTDj7lm9on9suF/WaCGNVHbkfL6',
}

describe('hashes', () => {
  // Passwords and notations are those of hash/hasher_test.go of github.com/ory/kratos, but where a comment says something else.
  const known: { title: string; hash: PortableHash; notation: string; password: string }[] = [
    {
      title: 'bcrypt',
      hash: BCRYPT,
      notation: '$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6',
      password: 'test',
    },
    {
      title: 'Argon2id',
      hash: {
        kind: 'argon2',
        type: 'argon2id',
        memory: 32,
        passes: 5,
        lanes: 4,
        salt: bytes('cm94YnRVOW5jZzFzcVE4bQ'),
        digest: bytes('fBxypOL0nP/zdPE71JtAV71i487LbX3fJI5PoTN6Lp4'),
      },
      notation:
        '$argon2id$v=19$m=32,t=5,p=4$cm94YnRVOW5jZzFzcVE4bQ$fBxypOL0nP/zdPE71JtAV71i487LbX3fJI5PoTN6Lp4',
      password: 'test',
    },
    {
      // dovecot/core, src/lib-auth/test-password-scheme.c.
      title: 'Argon2i',
      hash: {
        kind: 'argon2',
        type: 'argon2i',
        memory: 32_768,
        passes: 4,
        lanes: 1,
        salt: bytes('f2iuP4aUeNMrgu34fhOkkg'),
        digest: bytes('1XSZZMWlIs0zmE+snlUIcLADO3GXbA2O/hsQmmc317k'),
      },
      notation:
        '$argon2i$v=19$m=32768,t=4,p=1$f2iuP4aUeNMrgu34fhOkkg$1XSZZMWlIs0zmE+snlUIcLADO3GXbA2O/hsQmmc317k',
      password: 'test',
    },
    {
      title: 'PBKDF2 with SHA-512',
      hash: {
        kind: 'pbkdf2',
        algorithm: 'sha512',
        iterations: 100_000,
        salt: bytes('bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU'),
        derived: bytes('+wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc'),
      },
      notation:
        '$pbkdf2-sha512$i=100000,l=32$bdHBpn7OWOivJMVJypy2UqR0UnaD5prQXRZevj/05YU$+wArTfv1a+bNGO1iZrmEdVjhA+lL11wF4/IxpgYfPwc',
      password: 'test',
    },
    {
      title: 'scrypt',
      hash: {
        kind: 'scrypt',
        cost: 16_384,
        blockSize: 8,
        parallelism: 1,
        salt: bytes('2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA='),
        derived: bytes('MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE='),
      },
      notation:
        '$scrypt$ln=16384,r=8,p=1$2npRo7P03Mt8keSoMbyD/tKFWyUzjiQf2svUaNDSrhA=$MiCzNcIplSMqSBrm4HckjYqYhaVPPjTARTzwB1cVNYE=',
      password: 'test',
    },
    {
      title: "Firebase's scrypt",
      hash: {
        kind: 'firebase-scrypt',
        memoryCost: 14,
        rounds: 8,
        salt: bytes('sPtDhWcd1MfdAw=='),
        saltSeparator: bytes('Bw=='),
        signerKey: bytes(
          'YE0dO4bwD4JnJafh6lZZfkp1MtKzuKAXQcDCJNJNyeCHairWHKENOkbh3dzwaCdizzOspwr/FITUVlnOAwPKyw==',
        ),
        digest: bytes(
          'xbSou7FOl6mChCyzpCPIQ7tku7nsQMTFtyOZSXXd7tjBa4NtimOx7v42Gv2SfzPQu1oxM2/k4SsbOu73wlKe1A==',
        ),
      },
      notation:
        '$firescrypt$ln=14,r=8,p=1$sPtDhWcd1MfdAw==$xbSou7FOl6mChCyzpCPIQ7tku7nsQMTFtyOZSXXd7tjBa4NtimOx7v42Gv2SfzPQu1oxM2/k4SsbOu73wlKe1A==$Bw==$YE0dO4bwD4JnJafh6lZZfkp1MtKzuKAXQcDCJNJNyeCHairWHKENOkbh3dzwaCdizzOspwr/FITUVlnOAwPKyw==',
      password: '8x4WjoDbSxJZdR',
    },
    {
      title: 'MD5 without a salt',
      hash: {
        kind: 'digest',
        algorithm: 'md5',
        digest: bytes('CY9rzUYh03PK3k6DJie09g=='),
        salt: null,
        position: 'prefix',
      },
      notation: '$md5$CY9rzUYh03PK3k6DJie09g==',
      password: 'test',
    },
    {
      title: 'SHA-1 after its salt',
      hash: {
        kind: 'digest',
        algorithm: 'sha1',
        digest: bytes('2qU2SGWP8viTM1md3FiI3+rjWXQ='),
        salt: Buffer.from('5opmkgz03r'),
        position: 'prefix',
      },
      notation: '$sha1$pf=e1NBTFR9e1BBU1NXT1JEfQ==$NW9wbWtnejAzcg==$2qU2SGWP8viTM1md3FiI3+rjWXQ=',
      password: 'test',
    },
    {
      // hashcat, module 1410 written in hexadecimal there; the template is base64 of `{PASSWORD}{SALT}`.
      title: 'SHA-256 before its salt',
      hash: {
        kind: 'digest',
        algorithm: 'sha256',
        digest: hex('c73d08de890479518ed60cf670d17faa26a4a71f995c1dcc978165399401a6c4'),
        salt: Buffer.from('53743528'),
        position: 'suffix',
      },
      notation:
        '$sha256$pf=e1BBU1NXT1JEfXtTQUxUfQ==$NTM3NDM1Mjg=$xz0I3okEeVGO1gz2cNF/qiakpx+ZXB3Ml4FlOZQBpsQ=',
      password: 'hashcat',
    },
    {
      // FIPS 180-4, example of NIST.
      title: 'SHA-512 without a salt',
      hash: {
        kind: 'digest',
        algorithm: 'sha512',
        digest: hex(
          'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
        ),
        salt: null,
        position: 'prefix',
      },
      notation:
        '$sha512$pf=e1BBU1NXT1JEfQ==$$3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==',
      password: 'abc',
    },
    {
      title: 'HMAC with SHA-256',
      hash: {
        kind: 'hmac',
        algorithm: 'sha256',
        digest: hex('e031ba1c2938b1d283f919a1df9ac66c192a7dd74432d5fd4ada299941ba109f'),
        key: Buffer.from('12345'),
      },
      notation:
        '$hmac-sha256$ZTAzMWJhMWMyOTM4YjFkMjgzZjkxOWExZGY5YWM2NmMxOTJhN2RkNzQ0MzJkNWZkNGFkYTI5OTk0MWJhMTA5Zg==$MTIzNDU=',
      password: 'test',
    },
    {
      title: 'HMAC with SHA-1',
      hash: {
        kind: 'hmac',
        algorithm: 'sha1',
        digest: hex('432671e52cf6a0fb6cd16641b0061bf008a35c90'),
        key: Buffer.from('12345'),
      },
      notation: '$hmac-sha1$NDMyNjcxZTUyY2Y2YTBmYjZjZDE2NjQxYjAwNjFiZjAwOGEzNWM5MA==$MTIzNDU=',
      password: 'test',
    },
    {
      title: 'MD5 crypt',
      hash: { kind: 'crypt', scheme: 'md5-crypt', text: '$1$xWMlm2eL$GGTOpgZu4p2k6ORprAu3b.' },
      notation: '$md5-crypt$xWMlm2eL$GGTOpgZu4p2k6ORprAu3b.',
      password: 'ory',
    },
    {
      title: 'SHA-256 crypt',
      hash: {
        kind: 'crypt',
        scheme: 'sha256-crypt',
        text: '$5$rounds=535000$05R.9KB6UC2kLI3w$Q/zslzx./JjkAVPTwp6th7nW5l7JU91Gte/UmIh.U78',
      },
      notation: '$sha256-crypt$rounds=535000$05R.9KB6UC2kLI3w$Q/zslzx./JjkAVPTwp6th7nW5l7JU91Gte/UmIh.U78',
      password: 'test',
    },
    {
      title: 'SHA-512 crypt',
      hash: {
        kind: 'crypt',
        scheme: 'sha512-crypt',
        text: '$6$rounds=656000$0baQbxBrfpKqvizk$Q9cYk1MeNAlECPgpG3jjfNI2DumLqd0yHbxzLdxiX6nsSD5i9n0awcbiCf8R5DzpIYxeBPznPcb1wtzlgUKtH0',
      },
      notation:
        '$sha512-crypt$rounds=656000$0baQbxBrfpKqvizk$Q9cYk1MeNAlECPgpG3jjfNI2DumLqd0yHbxzLdxiX6nsSD5i9n0awcbiCf8R5DzpIYxeBPznPcb1wtzlgUKtH0',
      password: 'ory',
    },
  ]

  test.for(known)('$title is written as Kratos reads it', ({ hash, notation }) => {
    expect(kratosHash(hash)).toBe(notation)
  })

  test.for(known)('$title signs in with its password alone', async ({ hash, password }) => {
    const { create, ory } = await scene()
    expect(await create({ credential: hashed(hash) })).toMatchObject({ kind: 'created' })
    expect(await ory.signIn(EMAIL, `${password}.`)).toBe('refused')
    expect(await ory.signIn(EMAIL, password)).toBe('signed-in')
    expect(ory.identity(EMAIL)?.password.kind).toBe('own')
  })

  test('the simulator reads the notations of Kratos that we do not write', async () => {
    const others = [
      ['{SSHA}JFZFs0oHzxbMwkSJmYVeI8MnTDy/276a', 'test123'],
      ['{SSHA256}czO44OTV17PcF1cRxWrLZLy9xHd7CWyVYplr1rOhuMlx/7IK', 'test123'],
      ['$md5$pf=e1NBTFR9JCR7UEFTU1dPUkR9$MTIzNA==$ud392Z8rfZ+Ou7ZFXYLKbA==', 'test'],
      [
        '$sha256$pf=e1NBTFR9JCR7UEFTU1dPUkR9$NW9wbWtnejAzcg==$HokCOi9OtiZaZRvnkgemV3B4UUHpI7kA8zq/EZWH2NY=',
        'test',
      ],
    ] as const
    for (const [hash, password] of others) {
      expect(await verifies(hash, password)).toBe(true)
      expect(await verifies(hash, `${password}1`)).toBe(false)
    }
  })

  const scrypt: PortableHash = {
    kind: 'scrypt',
    cost: 2 ** 17,
    blockSize: 8,
    parallelism: 10,
    salt: Buffer.alloc(16),
    derived: Buffer.alloc(32),
  }
  const argon2: PortableHash = {
    kind: 'argon2',
    type: 'argon2id',
    memory: 2 ** 20,
    passes: 10,
    lanes: 16,
    salt: Buffer.alloc(16),
    digest: Buffer.alloc(32),
  }
  const pbkdf2: PortableHash = {
    kind: 'pbkdf2',
    algorithm: 'sha1',
    iterations: 10_000_000,
    salt: Buffer.alloc(16),
    derived: Buffer.alloc(20),
  }
  const firebase: PortableHash = {
    kind: 'firebase-scrypt',
    memoryCost: 17,
    rounds: 8,
    salt: Buffer.alloc(8),
    saltSeparator: Buffer.alloc(1),
    signerKey: Buffer.alloc(64),
    digest: Buffer.alloc(64),
  }

  test.for<{ title: string; hash: PortableHash; reads: boolean }>([
    { title: 'bcrypt of cost 15', hash: { ...BCRYPT, cost: 15 }, reads: true },
    { title: 'bcrypt of cost 16', hash: { ...BCRYPT, cost: 16 }, reads: false },
    { title: 'scrypt at its bounds', hash: scrypt, reads: true },
    { title: 'scrypt of twice the cost', hash: { ...scrypt, cost: 2 ** 18 }, reads: false },
    { title: 'scrypt of larger blocks', hash: { ...scrypt, blockSize: 9 }, reads: false },
    { title: 'scrypt of more parallelism', hash: { ...scrypt, parallelism: 11 }, reads: false },
    { title: 'Argon2id at its bounds', hash: argon2, reads: true },
    { title: 'Argon2id of more memory', hash: { ...argon2, memory: 2 ** 20 + 1 }, reads: false },
    { title: 'Argon2id of more passes', hash: { ...argon2, passes: 11 }, reads: false },
    { title: 'Argon2id of more lanes', hash: { ...argon2, lanes: 17 }, reads: false },
    { title: 'Argon2d', hash: { ...argon2, type: 'argon2d' }, reads: false },
    { title: 'PBKDF2 at its bound', hash: pbkdf2, reads: true },
    { title: 'PBKDF2 above it', hash: { ...pbkdf2, iterations: 10_000_001 }, reads: false },
    { title: "Firebase's scrypt at its bounds", hash: firebase, reads: true },
    { title: "Firebase's scrypt above them", hash: { ...firebase, memoryCost: 18 }, reads: false },
    {
      title: 'phpass',
      hash: { kind: 'phpass', log2Rounds: 8, salt: 'saltsalt', text: '$P$B' },
      reads: false,
    },
    {
      title: 'crypt under another name',
      hash: { kind: 'crypt', scheme: 'md5-crypt', text: '$5$a$b' },
      reads: false,
    },
  ])('$title: read is $reads, and the simulator agrees', async ({ hash, reads }) => {
    expect(ory.traits.reads(hash)).toBe(reads)
    const { create, ory: simulator } = await scene()
    const result = await create({ credential: hashed(hash) })
    if (reads) expect(result).toMatchObject({ kind: 'created' })
    else {
      expect(result).toEqual({ kind: 'refused', reason: 'hash-refused', targetCode: null, targetText: null })
      expect(simulator.count()).toBe(0)
    }
  })
})

describe('what is sent is what the documentation shows', () => {
  test('for an identity with the mark, and its answer is read by patch_id', async () => {
    const bodies: { identities: { patch_id: string; create: Record<string, unknown> }[] }[] = []
    const documented = sample('batch-patch.response.partial.200')
    const server = await startServer({
      answer: ({ body, method, path }) => {
        if (method === 'GET')
          return path.includes('/by/external/') ? { status: 404 } : { status: 200, body: [] }
        const sent = JSON.parse(body)
        bodies.push(sent)
        const [first, second] = documented.identities
        const patchIds = sent.identities.map(({ patch_id }: { patch_id: string }) => patch_id)
        // In the other order.
        const identities = [
          { ...second, patch_id: patchIds[1] },
          { ...first, patch_id: patchIds[0] },
        ]
        return { status: 200, body: { identities } }
      },
      faultAnswer: (status) => ({ status }),
    })
    closing.push(server.close)
    const { call, close } = createTestCall(server.ca)
    closing.push(close)
    const target = ory.open({ URL: server.url, SCHEMA_ID: 'preset://email', EXTERNAL_ID: 'off' })
    const foo = creation({ attributes: { email: 'foo@example.com' } })
    const brought = await target.bring([foo, numbered(2)], await contextFor(target, call))
    const [{ create }] = sample('batch-patch.request').identities
    expect(bodies[0]?.identities[0]?.create).toEqual({ ...create, metadata_admin: { legacy_id: 'legacy-1' } })
    expect(bodies[0]?.identities[0]?.patch_id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
    expect(brought).toEqual({
      kind: 'each',
      results: [
        { kind: 'created', targetId: documented.identities[0].identity },
        {
          kind: 'refused',
          reason: 'taken',
          targetCode: '409',
          targetText: 'This identity conflicts with another identity that already exists.',
        },
      ],
    })
  })

  test('for a bcrypt hash', () => {
    const { hashed_password } = sample('import-single.hashed').credentials.password.config
    const [salt, digest] = ['ZsCsoVQ3xfBG/K2z2XpBf.', 'tm90GZmtOqtqWcB5.pYd5Eq8y7RlDyq']
    expect(kratosHash({ kind: 'bcrypt', revision: '2a', cost: 10, salt, digest })).toBe(hashed_password)
  })
})

describe('creating', () => {
  test('traits, state, old id and verified addresses', async () => {
    const { create, ory } = await scene()
    const result = await create({
      active: false,
      attributes: {
        email: 'Ann@Example.com',
        email_verified: true,
        phone_number: '+15554151337',
        phone_number_verified: 'false',
        'name.first': 'Ann',
        'name.last': 'Example',
        username: null,
      },
    })
    const identity = ory.identity(EMAIL)
    expect(result).toEqual({ kind: 'created', targetId: identity?.id })
    expect(identity).toMatchObject({
      schema_id: 'default',
      state: 'inactive',
      external_id: 'legacy-1',
      metadata_admin: null,
      traits: {
        email: 'Ann@Example.com',
        phone_number: '+15554151337',
        name: { first: 'Ann', last: 'Example' },
      },
      verifiable_addresses: [
        { value: EMAIL, verified: true, via: 'email', status: 'completed' },
        { value: '+15554151337', verified: false, via: 'sms', status: 'pending' },
      ],
      password: { kind: 'hook' },
    })
    expect(Object.keys(identity?.traits ?? {})).not.toContain('username')
  })

  test('nothing to sign in with for who resets the password', async () => {
    const { create, ory } = await scene()
    expect(await create({ credential: { kind: 'reset' } })).toMatchObject({ kind: 'created' })
    expect(ory.identity(EMAIL)?.password).toEqual({ kind: 'none' })
  })

  test('the old id in metadata_admin of a Kratos without external_id', async () => {
    const { create, ory } = await scene({ newer: false }, { EXTERNAL_ID: 'off' })
    expect(await create()).toMatchObject({ kind: 'created' })
    expect(ory.identity(EMAIL)).toMatchObject({
      external_id: null,
      metadata_admin: { legacy_id: 'legacy-1' },
    })
    expect(await create()).toMatchObject({ kind: 'unchanged' })
  })

  test('no token for a Kratos of one’s own', async () => {
    const { create } = await scene({ token: null })
    expect(await create()).toMatchObject({ kind: 'created' })
  })

  test('a batch of users, each with an answer of its own', async () => {
    const { bring, ory } = await scene()
    await bring(numbered(1), numbered(2, { id: 'other' }))
    const brought = await bring(
      numbered(1),
      numbered(2),
      numbered(3, { attributes: { email: 'nobody' } }),
      numbered(4, { attributes: { shoe_size: '44' } }),
      numbered(5, { attributes: { email: null } }),
      numbered(6, { attributes: { 'name.last': 'x'.repeat(51) } }),
      numbered(7, { credential: hashed({ ...BCRYPT, cost: 16 }) }),
      numbered(8),
      numbered(9, { attributes: { email: 'USER8@example.com' } }),
    )
    const results = brought.kind === 'each' ? brought.results : []
    expect(
      results.map((result) => (result.kind === 'refused' ? `refused ${result.reason}` : result.kind)),
    ).toEqual([
      'unchanged',
      'refused taken',
      'refused invalid-attribute',
      'refused unknown-attribute',
      'refused missing-attribute',
      'refused invalid-attribute',
      'refused hash-refused',
      'created',
      'refused taken',
    ])
    expect(results[3]).toEqual({
      kind: 'refused',
      reason: 'unknown-attribute',
      targetCode: '400',
      targetText: 'I[#/traits] S[#/properties/traits] additionalProperties "shoe_size" not allowed',
    })
    expect([...ory.identities()].map(({ external_id }) => external_id)).toEqual([
      'legacy-1',
      'other',
      'legacy-8',
    ])
  })

  test('with BATCH 1000, a thousand in one request', async () => {
    const { bring, ory } = await scene({}, { BATCH: '1000' })
    const brought = await bring(...Array.from({ length: 1_000 }, (_, number) => numbered(number)))
    expect(brought.kind === 'each' && brought.results.every(({ kind }) => kind === 'created')).toBe(true)
    expect(ory.count()).toBe(1)
  })

  test('an answer that was cut off is a call that came to nothing, and the next try finds them all', async () => {
    const { bring, ory } = await scene()
    ory.next('cutAfter')
    const orders = [numbered(1), numbered(2)]
    await expect(bring(...orders)).rejects.toEqual(new CallFailure('unreachable'))
    const again = await bring(...orders.map((order) => ({ ...order, attempts: 1 })))
    expect(again).toEqual({
      kind: 'each',
      results: [...ory.identities()].map(({ id }) => ({ kind: 'created', targetId: id })),
    })
    expect([...ory.identities()]).toHaveLength(2)
  })

  test('who is there with other traits gets the planned ones and keeps the rest', async () => {
    const { create, ory } = await scene()
    await create({ attributes: { username: 'ann', 'name.first': 'Anna', 'name.last': 'Example' } })
    const before = ory.identity(EMAIL)
    expect(await create({ attributes: { 'name.first': 'Ann' } })).toEqual({
      kind: 'updated',
      targetId: before?.id,
    })
    expect(ory.identity(EMAIL)).toMatchObject({
      traits: { email: EMAIL, username: 'ann', name: { first: 'Ann', last: 'Example' } },
      password: { kind: 'hook' },
    })
  })

  test('who was brought without external_id before is known again, and gets one', async () => {
    const { create, ory, context } = await scene()
    const before = { URL: ory.url, TOKEN: ory.token ?? '', EXTERNAL_ID: 'off' }
    await openOry(before).bring([creation()], context)
    expect(await create()).toMatchObject({ kind: 'updated' })
    expect(ory.identity(EMAIL)).toMatchObject({
      external_id: 'legacy-1',
      metadata_admin: { legacy_id: 'legacy-1' },
    })
  })

  test.for(['ok', 'items', 'generic'] as const)(
    'nothing of a single user went in, answered as %s: taken, unchanged or created',
    async (allFailed) => {
      const { create, ory } = await scene({ allFailed })
      await create()
      const targetId = ory.identity(EMAIL)?.id
      expect(await create()).toEqual({ kind: 'unchanged', targetId })
      expect(await create({}, 1)).toEqual({ kind: 'created', targetId })
      expect(await create({ id: 'legacy-2' })).toMatchObject({
        kind: 'refused',
        reason: 'taken',
        targetCode: '409',
      })
    },
  )

  test('nothing of two went in and Kratos does not say why: they are to be tried in halves', async () => {
    const { bring } = await scene({ allFailed: 'generic' })
    await bring(numbered(1), numbered(2))
    expect(await bring(numbered(1), numbered(2))).toMatchObject({
      kind: 'whole',
      refused: { reason: 'taken', targetCode: '409' },
    })
  })
})

test('with faults of every kind each identity is there exactly once', async () => {
  const faults = { tooMany: 5, failed: 5, unavailable: 5, cutBefore: 8, cutAfter: 12 }
  const { bring, ory } = await scene({ faults, seed: 11 }, { BATCH: '5' })
  const numbers = Array.from({ length: 100 }, (_, number) => number)
  const ends: Result['kind'][] = []
  for (let at = 0; at < numbers.length; at += 5) {
    let left = numbers.slice(at, at + 5).map((number) => numbered(number))
    for (let tries = 0; tries < 50 && left.length > 0; tries++) {
      const orders = left.map((order) => ({ ...order, attempts: tries }))
      const brought = await bring(...orders).catch((thrown) => {
        if (thrown instanceof CallFailure) return null
        throw thrown
      })
      if (brought?.kind !== 'each') continue
      ends.push(...brought.results.map(({ kind }) => kind).filter((kind) => kind !== 'postponed'))
      left = left.filter((_, place) => brought.results[place]?.kind === 'postponed')
    }
  }
  expect(ory.count({ fault: 'cutAfter' })).toBeGreaterThan(3)
  expect(ends).toEqual(numbers.map(() => 'created'))
  expect([...ory.identities()].map(({ external_id }) => external_id)).toEqual(
    numbers.map((number) => `legacy-${number}`),
  )
})

/** Under another name than the simulator in the scene. */
const openOry = ory.open

describe('a batch that is refused as a whole', () => {
  /** What a newer Kratos refuses and our bounds do not know of, as a test can make it: a text that is no hash. */
  const spoilt = hashed({ kind: 'bcrypt', revision: '2a', cost: 10, salt: 'short', digest: 'short' })

  test('is given back to be tried in halves', async () => {
    const { bring, ory } = await scene()
    expect(await bring(numbered(1), numbered(2, { credential: spoilt }))).toEqual({
      kind: 'whole',
      refused: {
        kind: 'refused',
        reason: 'hash-refused',
        targetCode: '400',
        targetText: 'The imported password hash could not be parsed.',
      },
    })
    expect([...ory.identities()]).toEqual([])
  })

  test('is the refusal of one when there is only one', async () => {
    const { bring } = await scene()
    expect(await bring(numbered(2, { credential: spoilt }))).toMatchObject({
      kind: 'each',
      results: [{ kind: 'refused', reason: 'hash-refused' }],
    })
  })

  test('of more than 1000 is too large', async () => {
    const { bring } = await scene()
    const brought = await bring(...Array.from({ length: 1_001 }, (_, number) => numbered(number)))
    expect(brought).toMatchObject({ kind: 'whole', refused: { reason: 'too-large' } })
  })

  test.for<{ title: string; options: OryOptions; settings: Record<string, string> }>([
    { title: 'Kratos does not know external_id', options: { newer: false }, settings: {} },
    { title: 'there is no such schema', options: {}, settings: { SCHEMA_ID: 'customers' } },
  ])('stops everything when $title, which halves would not help', async ({ options, settings }) => {
    const { bring } = await scene(options, settings)
    const halt = await bring(numbered(1), numbered(2)).catch((thrown: unknown) => thrown)
    expect(halt).toBeInstanceOf(RunHalt)
    expect(halt).toMatchObject({ reason: 'misconfigured' })
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

  test('changes what differs, takes away what is null and leaves the rest', async () => {
    const { create, one, ory } = await scene()
    await create({ attributes: { username: 'ann', 'name.first': 'Anna', phone_number: '+15554151337' } })
    const targetId = ory.identity(EMAIL)?.id ?? ''
    const user = ann({ credential: keep, attributes: { 'name.first': 'Ann', phone_number: null } })
    expect(await one(update(user, targetId))).toEqual({ kind: 'updated', targetId })
    expect(ory.identity(EMAIL)).toMatchObject({ password: { kind: 'hook' }, external_id: 'legacy-1' })
    expect(ory.identity(EMAIL)?.traits).toEqual({ email: EMAIL, username: 'ann', name: { first: 'Ann' } })
    expect(await one(update(user, targetId))).toEqual({ kind: 'unchanged', targetId })
  })

  test('replaces the credential and keeps traits, metadata, addresses and external_id', async () => {
    const { create, one, ory } = await scene()
    await create({ attributes: { username: 'ann', email_verified: true } })
    const identity = ory.identity(EMAIL)
    if (identity === undefined) throw new Error('expected an identity')
    identity.metadata_public = { plan: 'gold' }
    identity.metadata_admin = { note: 'vip' }
    const user = ann({ credential: hashed(BCRYPT) })
    expect(await one(update(user, identity.id))).toEqual({ kind: 'updated', targetId: identity.id })
    expect(ory.identity('ann')).toMatchObject({
      traits: { email: EMAIL, username: 'ann' },
      metadata_public: { plan: 'gold' },
      metadata_admin: { note: 'vip' },
      external_id: 'legacy-1',
      verifiable_addresses: [{ verified: true }],
      password: { kind: 'hashed' },
    })
    expect(await ory.signIn(EMAIL, 'test')).toBe('signed-in')
  })

  test('replaces the credential at a Kratos without external_id', async () => {
    const { create, one, ory } = await scene({ newer: false }, { EXTERNAL_ID: 'off' })
    await create({ credential: hashed(BCRYPT) })
    expect(await one(update(ann()))).toMatchObject({ kind: 'updated' })
    expect(ory.identity(EMAIL)).toMatchObject({
      metadata_admin: { legacy_id: 'legacy-1' },
      password: { kind: 'hook' },
    })
  })

  test('makes inactive and active', async () => {
    const { create, one, ory } = await scene()
    await create({ credential: hashed(BCRYPT) })
    expect(await one(update(ann({ credential: keep, active: false })))).toMatchObject({ kind: 'updated' })
    expect(await ory.signIn(EMAIL, 'test')).toBe('inactive')
    expect(await one(update(ann({ credential: keep })))).toMatchObject({ kind: 'updated' })
    expect(await ory.signIn(EMAIL, 'test')).toBe('signed-in')
  })

  test.for<{ title: string; user: Partial<Candidate>; there: Partial<Candidate> | null; result: object }>([
    {
      title: 'who is not there',
      user: {},
      there: null,
      result: { kind: 'refused', reason: 'not-there', targetCode: '404' },
    },
    {
      title: 'whose name somebody else has',
      user: {},
      there: { id: 'legacy-2' },
      result: { kind: 'refused', reason: 'taken' },
    },
    {
      title: 'with a hash that Kratos does not read',
      user: { credential: hashed({ ...BCRYPT, cost: 16 }) },
      there: {},
      result: { kind: 'refused', reason: 'hash-refused' },
    },
    {
      title: 'with a trait that is not valid',
      user: { attributes: { username: 'x' } },
      there: {},
      result: { kind: 'refused', reason: 'invalid-attribute', targetCode: '400' },
    },
  ])('$title is refused', async ({ user, there, result }) => {
    const { create, one } = await scene()
    if (there !== null) await create(there)
    expect(await one(update(ann({ credential: keep, ...user })))).toMatchObject(result)
  })

  test('to a name that somebody else has is taken', async () => {
    const { create, one, bring } = await scene()
    await create()
    await bring(numbered(2))
    const user = ann({ credential: keep, attributes: { email: 'user2@example.com' } })
    expect(await one(update(user))).toMatchObject({ kind: 'refused', reason: 'taken', targetCode: '409' })
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

  test('deactivates, once', async () => {
    const { create, one, ory } = await scene()
    await create()
    const targetId = ory.identity(EMAIL)?.id
    expect(await one(order('deactivate'))).toEqual({ kind: 'removed', targetId })
    expect(ory.identity(EMAIL)?.state).toBe('inactive')
    expect(await one(order('deactivate'))).toEqual({ kind: 'removed', targetId })
  })

  test('deletes, also when the answer was cut off', async () => {
    const { create, one, ory } = await scene()
    await create()
    const targetId = ory.identity(EMAIL)?.id ?? ''
    ory.next(null, 'cutAfter')
    await expect(one(order('delete', { targetId }))).rejects.toEqual(new CallFailure('unreachable'))
    expect([...ory.identities()]).toEqual([])
    expect(await one(order('delete', { targetId, attempts: 1 }))).toEqual({ kind: 'removed', targetId })
  })

  test('who is not there is refused at the first try', async () => {
    const { one } = await scene()
    expect(await one(order('delete'))).toMatchObject({ kind: 'refused', reason: 'not-there' })
  })

  test('never touches somebody else who has the name', async () => {
    const { create, one, ory } = await scene()
    await create({ id: 'legacy-2' })
    expect(await one(order('delete'))).toMatchObject({ kind: 'refused', reason: 'taken' })
    expect([...ory.identities()]).toHaveLength(1)
  })
})

describe('what Ory may say', () => {
  async function answered(said: Said, orders: readonly Order[] = [numbered(1), numbered(2)]) {
    const server = await startServer({ answer: () => said, faultAnswer: (status) => ({ status }) })
    closing.push(server.close)
    const target = ory.open({ URL: server.url })
    const { call, close } = createTestCall(server.ca)
    closing.push(close)
    return target.bring(orders, await contextFor(target, call, { tries: 1 }))
  }
  const error = (code: number, reason: string) => ({ error: { code, status: 'x', reason, message: 'x' } })
  const postponed = { kind: 'postponed', reason: 'busy' }

  test.for<{ title: string; said: Said; brought: object }>([
    {
      title: '429, still after waiting',
      said: { status: 429 },
      brought: { kind: 'each', results: [postponed, postponed] },
    },
    { title: '500', said: { status: 500 }, brought: { kind: 'each', results: [postponed, postponed] } },
    {
      title: '503 with JSON',
      said: { status: 503, body: error(503, 'x') },
      brought: { kind: 'each', results: [postponed, postponed] },
    },
    { title: '504', said: { status: 504 }, brought: { kind: 'each', results: [postponed, postponed] } },
    {
      title: '413',
      said: { status: 413 },
      brought: {
        kind: 'whole',
        refused: { kind: 'refused', reason: 'too-large', targetCode: '413', targetText: null },
      },
    },
    {
      title: '400 of a state',
      said: { status: 400, body: error(400, 'identity state is not valid') },
      brought: { kind: 'whole', refused: { reason: 'rejected', targetText: 'identity state is not valid' } },
    },
    {
      title: '400 of a hash that costs too much',
      said: {
        status: 400,
        body: error(
          400,
          'The imported password hash declares cost parameters that exceed the bounds enforced by Ory.',
        ),
      },
      brought: { kind: 'whole', refused: { reason: 'hash-refused' } },
    },
    {
      title: 'nothing about a user of the batch',
      said: { status: 200, body: { identities: [] } },
      brought: { kind: 'each', results: [postponed, postponed] },
    },
  ])('$title', async ({ said, brought }) => {
    expect(await answered(said)).toMatchObject(brought)
  })

  test.for<{ title: string; said: Said; reason: string }>([
    { title: '401', said: { status: 401 }, reason: 'unauthorized' },
    { title: '403', said: { status: 403 }, reason: 'unauthorized' },
    { title: '404', said: { status: 404 }, reason: 'not-found' },
    { title: '405', said: { status: 405 }, reason: 'not-found' },
  ])('everything stops at $title', async ({ said, reason }) => {
    const halt = await answered(said).catch((thrown: unknown) => thrown)
    expect(halt).toBeInstanceOf(RunHalt)
    expect(halt).toMatchObject({ reason, targetCode: String(said.status) })
  })

  test('a success that cannot be read is a call that came to nothing', async () => {
    await expect(answered({ status: 200, body: { no: 'identities' } })).rejects.toEqual(
      new CallFailure('malformed'),
    )
  })

  test('a wrong token halts at the simulator as well', async () => {
    const { create } = await scene({}, { TOKEN: 'another' })
    await expect(create()).rejects.toMatchObject({ reason: 'unauthorized', targetCode: '401' })
  })
})

describe('limits', () => {
  const target = ory.open({ URL: 'https://slug.projects.oryapis.com' })
  const date = 'Sat, 21 Nov 2026 20:00:30 GMT'
  const now = Date.parse(date)
  const documented = {
    date,
    'x-ratelimit-limit': '10, 10;w=1, 300;w=60',
    'x-ratelimit-remaining': '8',
    'x-ratelimit-reset': '1',
  }

  test.for([
    {
      title: 'the documented headers',
      status: 200,
      headers: documented,
      notice: { now, limit: 10, remaining: 8, resetAt: now + 1_000 },
    },
    {
      title: 'too many',
      status: 429,
      headers: { ...documented, 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '42' },
      notice: { now, limit: 10, remaining: 0, resetAt: now + 42_000, waitMs: 42_000 },
    },
    {
      title: 'a time to wait that comes before the reset',
      status: 429,
      headers: { ...documented, 'retry-after': '7' },
      notice: { now, limit: 10, remaining: 8, resetAt: now + 1_000, waitMs: 7_000 },
    },
    {
      title: 'a second request at the same time',
      status: 429,
      headers: { date },
      notice: { now, waitMs: 1_000 },
    },
    { title: 'a Kratos of one’s own', status: 200, headers: { date }, notice: null },
  ])('$title', ({ status, headers, notice }) => {
    expect(target.limitOf({ status, headers: headers as Record<string, string>, text: '' })).toEqual(notice)
  })

  test('of a real answer', async () => {
    const { context, ory: simulator } = await scene({ limits: { burst: 10, sustained: 300 } })
    const answer = await context.call({ method: 'GET', url: `${simulator.url}/admin/identities` })
    expect(target.limitOf(answer)).toMatchObject({ limit: 10, remaining: 9 })
  })

  test.for([
    { title: 'Ory Network: one batch of one process', settings: {}, inFlight: 1, processes: 1 },
    { title: 'a Kratos of one’s own', settings: { IN_FLIGHT: '4' }, inFlight: 4, processes: undefined },
  ])('$title', ({ settings, inFlight, processes }) => {
    const opened = ory.open({ URL: 'https://kratos.internal', ...(settings as Record<string, string>) })
    expect(opened.inFlight).toBe(inFlight)
    expect(opened.processes).toBe(processes)
  })

  test('a second batch at the same time is refused by Ory Network', async () => {
    const { ory: simulator } = await scene({ oneAtATime: true, latencyMs: 50 })
    const { call, close } = createTestCall(simulator.ca)
    closing.push(close)
    const patch = () =>
      call({
        method: 'PATCH',
        url: `${simulator.url}/admin/identities`,
        headers: { authorization: `Bearer ${simulator.token}` },
        body: '{"identities":[]}',
      })
    const answers = await Promise.all([patch(), patch(), patch()])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 429, 429])
  })
})

describe('examining', () => {
  const use = {
    hook: false,
    hash: true,
    attributes: ['external_id', 'email', 'email_verified', 'name.first'],
  }

  async function codes(options: OryOptions, change: Partial<typeof use> = {}, settings = {}) {
    const { ory: simulator, context } = await scene(options, settings)
    const target = openOry({ URL: simulator.url, ...settings })
    const findings = await target.examine(context, { ...use, ...change })
    return findings.map(({ severity, code }) => `${severity} ${code}`)
  }
  const traits = { type: 'object', properties: { email: { type: 'string' } } }
  const open = { default: { type: 'object', properties: { traits } } }

  test.for<{
    title: string
    options?: OryOptions
    change?: Partial<typeof use>
    settings?: Record<string, string>
    found: string[]
  }>([
    { title: 'all is ready', found: [] },
    { title: 'the hook cannot be seen', change: { hook: true }, found: ['warning hook-not-visible'] },
    {
      title: 'a trait of the plan is missing',
      change: { attributes: [...use.attributes, 'name.middle'] },
      found: ['error attribute-missing'],
    },
    {
      title: 'a required trait is not sent',
      change: { attributes: ['username'] },
      found: ['error attribute-required'],
    },
    { title: 'nobody is created or changed', change: { attributes: [] }, found: [] },
    {
      title: 'no identifier is sent, to a schema that takes anything',
      options: { schemas: open },
      change: { attributes: ['email', 'shoe_size'] },
      found: ['warning attribute-missing', 'error no-identifier'],
    },
    {
      title: 'there is no such schema',
      settings: { SCHEMA_ID: 'customers' },
      found: ['error schema-missing'],
    },
    {
      title: 'the schema is at the public API',
      options: { servesSchemas: false },
      found: ['warning schema-not-visible'],
    },
  ])('$title', async ({ options = {}, change, settings, found }) => {
    expect(await codes(options, change, settings)).toEqual(found)
  })

  test('a redirect that the caller does not follow is the same', async () => {
    const { ory: simulator, context } = await scene()
    const target = openOry({ URL: simulator.url })
    const call: Context['call'] = (asked) =>
      asked.url.includes('/schemas/') ? Promise.reject(new CallFailure('redirect')) : context.call(asked)
    const findings = await target.examine({ ...context, call }, use)
    expect(findings.map(({ code }) => code)).toEqual(['schema-not-visible'])
  })

  test('a wrong token halts', async () => {
    await expect(codes({}, {}, { TOKEN: 'another' })).rejects.toMatchObject({ reason: 'unauthorized' })
  })

  test('while Kratos fails nothing is said about its state', async () => {
    const { ory: simulator, context } = await scene()
    simulator.next('failed', 'failed')
    const findings = await openOry({ URL: simulator.url }).examine(context, use)
    expect(findings.map(({ code }) => code)).toEqual(['identities-unreadable', 'schema-unreadable'])
  })
})

describe('settings', () => {
  const URL = 'https://kratos.internal'
  test.for<{ title: string; settings: Record<string, string | undefined> }>([
    { title: 'no address', settings: {} },
    { title: 'http', settings: { URL: 'http://kratos.internal' } },
    { title: 'no batch at all', settings: { URL, BATCH: '0' } },
    { title: 'a batch of more than Ory takes', settings: { URL, BATCH: '1001' } },
    { title: 'a batch that is no number', settings: { URL, BATCH: 'all' } },
    { title: 'a switch between on and off', settings: { URL, EXTERNAL_ID: 'maybe' } },
    { title: 'too many at a time', settings: { URL, IN_FLIGHT: '17' } },
  ])('$title makes no sense', ({ settings }) => {
    expect(() => ory.open(settings)).toThrow(TargetError)
  })

  test('the size of a batch is that of the setting', () => {
    expect(ory.open({ URL }).batch).toBe(200)
    expect(ory.open({ URL, BATCH: '25' }).batch).toBe(25)
  })

  test('an address with a path is kept', async () => {
    expect(ory.open({ URL: 'https://gateway.internal:8443/kratos/' }).hosts).toEqual([
      'gateway.internal:8443',
    ])
  })
})

describe('the simulator', () => {
  async function patched(identities: unknown, options: OryOptions = {}) {
    const { ory: simulator } = await scene(options)
    const { call, close } = createTestCall(simulator.ca)
    closing.push(close)
    const answer = await call({
      method: 'PATCH',
      url: `${simulator.url}/admin/identities`,
      headers: { authorization: `Bearer ${simulator.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ identities }),
    })
    return { status: answer.status, ...JSON.parse(answer.text) }
  }
  const [{ patch_id, create }] = sample('batch-patch.request').identities
  const emails = { 'preset://email': PERSON }

  test('takes the documented request', async () => {
    const body = await patched([{ patch_id, create }], { schemas: emails })
    expect(body).toMatchObject({ status: 200, identities: [{ action: 'create', patch_id }] })
  })

  test.for<{ title: string; item: object; text: string }>([
    {
      title: 'an unknown field',
      item: { patch_id, create: { ...create, name: 'x' } },
      text: 'json: unknown field "name"',
    },
    {
      title: 'a patch_id that is no UUID',
      item: { patch_id: '1', create },
      text: 'uuid: incorrect UUID length',
    },
    {
      title: 'another state',
      item: { patch_id, create: { ...create, state: 'locked' } },
      text: 'identity state is not valid',
    },
    {
      title: 'a hash that is none',
      item: {
        patch_id,
        create: { ...create, credentials: { password: { config: { hashed_password: 'plain' } } } },
      },
      text: 'The imported password does not match any known hash format.',
    },
  ])('refuses the whole batch for $title', async ({ item, text }) => {
    const good = { patch_id: '00000000-0000-4000-8000-000000000001', create: { traits: { email: EMAIL } } }
    const { status, error } = await patched([good, item], { schemas: { ...emails, default: PERSON } })
    expect(status).toBe(400)
    expect([error.reason, error.message]).toContain(text)
  })

  test('refuses more than 200 with a plaintext password', async () => {
    const item = (number: number) => ({
      patch_id: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
      create: {
        traits: { email: `user${number}@example.com` },
        credentials: { password: { config: { password: 'x' } } },
      },
    })
    const identities = Array.from({ length: 201 }, (_, number) => item(number))
    expect(await patched(identities)).toMatchObject({ status: 400 })
    expect(await patched(identities.slice(1))).toMatchObject({ status: 200 })
  })

  test.for([
    { title: 'match', said: [[200, { status: 'password_match' }]], ends: 'signed-in', calls: 1 },
    { title: 'no match', said: [[200, { status: 'no_match' }]], ends: 'refused', calls: 1 },
    { title: '403', said: [[403, {}]], ends: 'refused', calls: 1 },
    {
      title: '201 with match',
      said: [[201, { status: 'password_match' }]],
      ends: 'upstream-error',
      calls: 1,
    },
    { title: '401', said: [[401, {}]], ends: 'upstream-error', calls: 1 },
    {
      title: '503 twice and match',
      said: [
        [503, {}],
        [429, {}],
        [200, { status: 'password_match' }],
      ],
      ends: 'signed-in',
      calls: 3,
    },
    {
      title: '503 always',
      said: [
        [503, {}],
        [503, {}],
        [503, {}],
        [503, {}],
      ],
      ends: 'upstream-error',
      calls: 3,
    },
  ] as const)('asks the hook, which says $title', async ({ said, ends, calls }) => {
    const { create, ory: simulator } = await scene()
    await create()
    const asked: unknown[] = []
    const triggers = new Set<unknown>()
    const hook = createServer((incoming, outgoing) => {
      let text = ''
      incoming.on('data', (chunk) => {
        text += chunk
      })
      incoming.on('end', () => {
        asked.push(JSON.parse(text))
        triggers.add(incoming.headers['ory-webhook-trigger-id'])
        const [status, body] = said[asked.length - 1] ?? [500, {}]
        outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
      })
    })
    await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve))
    closing.push(() => hook.close())
    const { port } = hook.address() as AddressInfo
    simulator.setHook({ url: `http://127.0.0.1:${port}/ory/password-migration` })
    expect(await simulator.signIn('ANN@example.com', 'typed')).toBe(ends)
    expect(simulator.identity(EMAIL)?.password.kind).toBe(ends === 'signed-in' ? 'own' : 'hook')
    expect(asked).toEqual(
      Array.from({ length: calls }, () => ({ identifier: 'ANN@example.com', password: 'typed' })),
    )
    expect(triggers.size).toBe(1)
  })
})
