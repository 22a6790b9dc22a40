import { describe, expect, test } from 'vitest'
import { SourceError } from '../../src/load/source-row.ts'
import { formatDetected, formatNamed, sourceFormats } from '../../src/sources/index.ts'
import { seeded } from '../helpers/random.ts'

type Found = Readonly<Record<string, unknown>> & { readonly line: number }

/** The rows of a file that comes in pieces of this length, with the lines where their records begin. */
async function rowsIn(name: string, text: string, pieceLength = 7): Promise<Found[]> {
  const bytes = Buffer.from(text)
  const pieces = async function* () {
    for (let at = 0; at < bytes.length; at += pieceLength) yield bytes.subarray(at, at + pieceLength)
  }
  const rows: Found[] = []
  for await (const found of formatNamed(name)?.rows(pieces()) ?? [])
    rows.push(
      'row' in found ? { line: found.line, ...found.row } : { line: found.line, broken: found.broken },
    )
  return rows
}

/** What is told of a file that cannot be read, or the rows of one that can. */
async function toldOf(name: string, text: string): Promise<unknown> {
  try {
    return await rowsIn(name, text)
  } catch (error) {
    if (!(error instanceof SourceError)) throw error
    return error.message
  }
}

test.each([60, 70, 5_000, 20_000])('a user with %s levels costs no more than that user', async (levels) => {
  const deep = `${'['.repeat(levels)}${']'.repeat(levels)}`
  const text = `{"realm":"s","users":[{"id":"1","username":"a","attributes":{"x":${deep}}},{"id":"2","username":"b"}]}`
  const rows = rowsIn('keycloak', text, 4_096)
  if (levels > 10_000) await expect(rows).rejects.toThrow(SourceError)
  else
    expect((await rows).map(({ id, broken }) => id ?? broken)).toEqual([
      levels < 64 ? '1' : 'unreadable',
      '2',
    ])
})

test('auth0: the export of users has no hashes, and takes none away', async () => {
  const lines = [
    {
      user_id: 'auth0|5f1',
      email: 'ann@example.com',
      email_verified: true,
      given_name: 'Ann',
      family_name: '',
      updated_at: '2026-01-02T03:04:05.678Z',
      user_metadata: { plan: 'full', nested: { a: [1, '}'] } },
    },
    { user_id: 'auth0|5f2', username: 'bob', email: 'bob@example.com', blocked: true },
  ]
  const rows = await rowsIn('auth0', lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  expect(rows).toEqual([
    {
      line: 1,
      id: 'auth0|5f1',
      login: 'ann@example.com',
      email: 'ann@example.com',
      status: 'active',
      updated_at: '2026-01-02T03:04:05.678Z',
      profile: {
        email_verified: true,
        given_name: 'Ann',
        user_metadata: { plan: 'full', nested: { a: [1, '}'] } },
      },
    },
    { line: 2, id: 'auth0|5f2', login: 'bob', email: 'bob@example.com', status: 'disabled', profile: {} },
  ])
})

test('auth0: the export of hashes names the same users', async () => {
  const text = JSON.stringify({
    _id: { $oid: '5f1' },
    email: 'ann@example.com',
    email_verified: false,
    passwordHash: '$2b$10$CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.',
    password_set_date: { $date: '2021-02-03T04:05:06.789Z' },
    tenant: 'example',
    connection: 'Username-Password-Authentication',
  })
  expect(await rowsIn('auth0', text)).toEqual([
    {
      line: 1,
      id: 'auth0|5f1',
      login: 'ann@example.com',
      email: 'ann@example.com',
      password_hash: '$2b$10$CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.',
      status: 'active',
      updated_at: '2021-02-03T04:05:06.789Z',
      profile: { email_verified: false },
    },
  ])
})

test('keycloak: the users of a realm, with the newest password and without the accounts of clients', async () => {
  const credential = (value: string, createdDate: number) => ({
    type: 'password',
    createdDate,
    secretData: JSON.stringify({ value, salt: 'c2FsdHNhbHRzYWx0c2FsdA==' }),
    credentialData: JSON.stringify({ hashIterations: 27_500, algorithm: 'pbkdf2-sha256' }),
  })
  const realm = {
    realm: 'shop',
    // A list of the same name that is not the one.
    defaultRole: { users: [{ id: 'wrong' }] },
    users: [
      {
        id: 'k1',
        username: 'ann',
        email: 'ann@example.com',
        emailVerified: true,
        enabled: true,
        firstName: 'Ann',
        attributes: { locale: ['de'], phones: ['1', '2'] },
        createdTimestamp: 1_600_000_000_000,
        credentials: [credential('b2xk', 1), { type: 'otp' }, credential('bmV3', 2)],
        realmRoles: ['default-roles-shop'],
      },
      { id: 'k2', username: 'service-account-x', serviceAccountClientId: 'x' },
      { id: 'k3', username: 'bob', enabled: false, credentials: [] },
    ],
    clients: [{ id: 'wrong too', name: 'a "quoted" ] } text' }],
  }
  const text = JSON.stringify(realm, null, 2)
  const lineOf = (id: string) => text.slice(0, text.indexOf(`"${id}"`)).split('\n').length - 1
  expect(await rowsIn('keycloak', text)).toEqual([
    {
      line: lineOf('k1'),
      id: 'k1',
      login: 'ann',
      email: 'ann@example.com',
      password_hash: JSON.stringify({
        secretData: credential('bmV3', 2).secretData,
        credentialData: credential('bmV3', 2).credentialData,
      }),
      hash_scheme: 'keycloak',
      status: 'active',
      updated_at: '2020-09-13T12:26:40.000Z',
      profile: {
        given_name: 'Ann',
        email_verified: true,
        preferred_username: 'ann',
        locale: 'de',
        phones: ['1', '2'],
        realm_roles: ['default-roles-shop'],
      },
    },
    {
      line: lineOf('k3'),
      id: 'k3',
      login: 'bob',
      password_hash: null,
      status: 'disabled',
      profile: { preferred_username: 'bob' },
    },
  ])
})

test('firebase: hash and salt, linked accounts and custom claims', async () => {
  const users = [
    {
      localId: 'f1',
      email: 'ann@example.com',
      emailVerified: true,
      passwordHash:
        'lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==',
      salt: '42xEC+ixf3L2lw==',
      createdAt: '1600000000000',
      disabled: false,
      customAttributes: '{"role":"admin"}',
      providerUserInfo: [{ providerId: 'google.com', rawId: '123', email: 'ann@gmail.example' }],
    },
    { localId: 'f2', phoneNumber: '+4930123456', disabled: true },
  ]
  expect(await rowsIn('firebase', JSON.stringify({ users }))).toEqual([
    {
      line: 1,
      id: 'f1',
      login: 'ann@example.com',
      email: 'ann@example.com',
      password_hash: users[0]?.passwordHash,
      hash_scheme: 'firebase-scrypt',
      salt: '42xEC+ixf3L2lw==',
      status: 'active',
      updated_at: '2020-09-13T12:26:40.000Z',
      profile: {
        email_verified: true,
        custom_claims: { role: 'admin' },
        providers: [{ provider: 'google.com', subject: '123' }],
      },
    },
    {
      // In the same line: rows are told apart by their numbers.
      line: 2,
      id: 'f2',
      login: '+4930123456',
      password_hash: null,
      status: 'disabled',
      profile: { phone_number: '+4930123456' },
    },
  ])
})

test('cognito: answers one after the other, flags that are texts', async () => {
  const answer = (name: string) => ({
    Users: [
      {
        Username: name,
        Attributes: [
          { Name: 'sub', Value: `sub-${name}` },
          { Name: 'email', Value: `${name}@example.com` },
          { Name: 'email_verified', Value: 'true' },
          { Name: 'custom:plan', Value: 'true' },
        ],
        UserLastModifiedDate: '2026-01-02T03:04:05.678000+00:00',
        Enabled: name !== 'bob',
        UserStatus: 'CONFIRMED',
      },
    ],
    PaginationToken: 'next [ {',
  })
  const rows = await rowsIn('cognito', `${JSON.stringify(answer('ann'))}\n${JSON.stringify(answer('bob'))}`)
  expect(rows).toEqual(
    ['ann', 'bob'].map((name, at) => ({
      line: at + 1,
      id: `sub-${name}`,
      login: name,
      email: `${name}@example.com`,
      password_hash: null,
      status: name === 'bob' ? 'disabled' : 'active',
      updated_at: '2026-01-02T03:04:05.678000+00:00',
      profile: { email_verified: true, 'custom:plan': 'true', cognito_status: 'CONFIRMED' },
    })),
  )
})

test('okta: claims by their names, and who may sign in', async () => {
  const user = (id: string, status: string) => ({
    id,
    status,
    lastUpdated: '2026-01-02T03:04:05.000Z',
    profile: { login: `${id}@example.com`, email: `${id}@example.com`, firstName: 'Ann', shoeSize: 38 },
    credentials: { provider: { type: 'OKTA' } },
  })
  const text = JSON.stringify([user('a', 'ACTIVE'), user('b', 'LOCKED_OUT'), user('c', 'DEPROVISIONED')])
  expect((await rowsIn('okta', text)).map(({ id, status, profile }) => ({ id, status, profile }))).toEqual(
    [
      ['a', 'active'],
      ['b', 'locked'],
      ['c', 'disabled'],
    ].map(([id, status]) => ({ id, status, profile: { given_name: 'Ann', shoeSize: 38 } })),
  )
})

const LDIF = `version: 1
# people

dn: uid=ann,ou=People,dc=example,dc=com
objectClass: inetOrgPerson
entryUUID: 11111111-2222
uid: ann
cn: Ann Example
sn;lang-de: Exämple
givenName:: w4RubmE=
mail: ann@example.com
description: a long
  description that goes
  on
# a comment
 that goes on too
userPassword:: e1NTSEF9RXhhbXBsZQ==
telephoneNumber: +49 30 123456
memberOf: cn=a
memberOf: cn=b

dn: ou=People,dc=example,dc=com
objectClass: organizationalUnit
ou: People

dn: uid=bob,ou=People,dc=example,dc=com
changetype: delete
uid: bob

dn: cn=Carl,dc=example,dc=com
objectClass: user
objectGUID:: AAECA/8=
sAMAccountName: carl
userAccountControl: 514
`

test.each([1, 7, 64, 10_000])(
  'ldif in pieces of %i: people, folded lines, base64 and changes',
  async (length) => {
    expect(await rowsIn('ldif', LDIF.replaceAll('\n', length === 7 ? '\r\n' : '\n'), length)).toEqual([
      {
        line: 4,
        id: '11111111-2222',
        login: 'ann',
        email: 'ann@example.com',
        password_hash: '{SSHA}Example',
        status: 'active',
        profile: {
          cn: 'Ann Example',
          family_name: 'Exämple',
          given_name: 'Änna',
          description: 'a long description that goes on',
          phone_number: '+49 30 123456',
          memberof: ['cn=a', 'cn=b'],
        },
      },
      {
        line: 26,
        id: 'uid=bob,ou=People,dc=example,dc=com',
        login: 'bob',
        password_hash: null,
        deleted: true,
      },
      {
        line: 30,
        id: '00010203ff',
        login: 'carl',
        password_hash: null,
        status: 'disabled',
        profile: {},
      },
    ])
  },
)

describe('what is not of the format is told by its line, and quoted nowhere', () => {
  const broken = (line: number) => [{ line, broken: 'unreadable' }]
  test.each([
    ['keycloak', '{"realm":"x","clients":[]}', 'line 1: the file has no list named users'],
    ['keycloak', '{"users":[{"id":"a"}', 'line 1: the file ends in the middle of its JSON'],
    ['auth0', 'id,login\n1,2\n', 'line 3: the file has no JSON object'],
    ['okta', '[{"id":"a"]}', 'line 1: the file is not JSON'],
    ['ldif', '\n continued secret\n', 'line 2: the line goes on with a line that is not there'],
    ['auth0', '\n\n{"user_id":secret}', broken(3)],
    ['ldif', 'uid: ann\nmail: secret@example.com\n', broken(1)],
    ['ldif', 'dn: a\nsecret\n', broken(1)],
    ['ldif', 'dn: a\njpegPhoto:< file:///etc/passwd\n', broken(1)],
    ['ldif', 'dn: a\nchangetype: modify\n', broken(1)],
    ['ldif', 'dn: a\nuserPassword: x\nuserPassword: y\n', broken(1)],
  ])('%s %#', async (name, text, told) => {
    expect(await toldOf(name, text)).toEqual(told)
  })

  test('an object without an end is not held in memory', async () => {
    const told = await toldOf('keycloak', `{"users":[{"a":"${'x'.repeat(1_100_000)}`)
    expect(told).toBe('line 1: an object of the file is longer than 1 MiB')
  })

  test('one broken record costs no other', async () => {
    const rows = await rowsIn('ldif', 'dn: a\nuid: ann\n\nsecret\n\ndn: b\nuid: bob\n')
    expect(rows.map(({ line, login, broken: rule }) => [line, login, rule])).toEqual([
      [1, 'ann', undefined],
      [4, undefined, 'unreadable'],
      [6, 'bob', undefined],
    ])
  })
})

test.each([
  ['ldif', LDIF],
  ['auth0', '{"user_id":"auth0|5f1","email":"ann@example.com"}\n'],
  ['auth0', '{"_id":{"$oid":"5f1"},"passwordHash":"$2b$10$x"}\n'],
  ['keycloak', '{"id":"shop","realm":"shop","users":[]}'],
  ['firebase', '{"users":[{"localId":"f1"}]}'],
  ['cognito', '{"Users":[{"Username":"a","Attributes":[]}]}'],
  ['okta', '[{"id":"00u1","status":"ACTIVE"}]'],
  [undefined, 'id,login\n1,2\n'],
  [undefined, '{"id":"1","login":"ann"}\n'],
])('a file of %s is told by its beginning %#', (name, head) => {
  expect(formatDetected(head)?.name).toBe(name)
})

test('rubbish is an error of ours or rows, and never anything else', async () => {
  const random = seeded(20_261_121)
  const letters = '{}[]",:\\ \n\tdn: aé<=+users0'
  for (let at = 0; at < 2_000; at++) {
    const text = Array.from(
      { length: Math.floor(random() * 80) },
      () => letters[Math.floor(random() * letters.length)],
    ).join('')
    for (const { name } of sourceFormats) await toldOf(name, text)
  }
})
