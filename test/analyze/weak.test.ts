import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createTally } from '../../src/analyze/tally.ts'
import { weaknessesOf } from '../../src/analyze/weak.ts'
import type { StoredHash } from '../../src/domain.ts'
import { classify } from '../../src/hashes/classify.ts'
import { exampleStored, formats } from '../../src/hashes/index.ts'
import { namedRecipes } from '../../src/hashes/named-recipes.ts'
import { ALLOWED } from '../hashes/vectors.ts'
import { BCRYPT_4, BCRYPT_TAIL, copyRow, stored } from './helpers.ts'

const argon2 = (cost: string) =>
  `$argon2id$v=19$${cost}$Y2FycnlvdmVyY2Fycnlvdg$WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo`
const digest = (bytes: number) => '5a'.repeat(bytes)

const cases: readonly { title: string; hash: Partial<StoredHash>; weak: readonly string[] }[] = [
  { title: 'MD5 alone', hash: {}, weak: ['unsalted', 'md5-or-sha1'] },
  { title: 'SHA-512 alone', hash: { scheme: 'sha512', encoded: digest(64) }, weak: ['unsalted'] },
  {
    title: 'SHA-1 with salt',
    hash: { scheme: 'sha1($salt.$pass)', encoded: digest(20), salt: 'abc' },
    weak: ['md5-or-sha1'],
  },
  {
    title: 'SHA-256 with salt',
    hash: { scheme: 'sha256($salt.$pass)', encoded: digest(32), salt: 'abc' },
    weak: [],
  },
  { title: 'the login for a salt', hash: { scheme: 'sha256($login.$pass)', encoded: digest(32) }, weak: [] },
  {
    title: 'a literal that looks like a salt',
    hash: { scheme: `sha256('$salt md5('.$pass)`, encoded: digest(32) },
    weak: ['unsalted'],
  },
  {
    title: 'HMAC with MD5',
    hash: { scheme: 'hmac_md5($salt, $pass)', salt: 'abc' },
    weak: ['md5-or-sha1'],
  },
  {
    title: 'a digest inside of bcrypt',
    hash: { scheme: 'bcrypt(hex(md5($pass)))', encoded: `$2y$08$${BCRYPT_TAIL}` },
    weak: [],
  },
  {
    title: 'a digest without salt under its name, around a recipe',
    hash: { scheme: 'ldap-sha512(latin1($pass))', encoded: `{SHA512}${digest(64)}` },
    weak: ['unsalted'],
  },
  { title: 'bcrypt at cost 4', hash: { scheme: null, encoded: BCRYPT_4 }, weak: ['bcrypt-cost'] },
  { title: 'bcrypt at cost 8', hash: { scheme: null, encoded: `$2y$08$${BCRYPT_TAIL}` }, weak: [] },
  {
    title: 'Argon2 with 4 MiB',
    hash: { scheme: null, encoded: argon2('m=4096,t=3,p=1') },
    weak: ['argon2-cost'],
  },
  {
    title: 'Argon2 with 46 MiB and one pass',
    hash: { scheme: null, encoded: argon2('m=47104,t=1,p=1') },
    weak: [],
  },
  {
    title: 'Argon2 with 19 MiB and one pass',
    hash: { scheme: null, encoded: argon2('m=19456,t=1,p=1') },
    weak: ['argon2-cost'],
  },
  {
    title: 'Argon2 with 19 MiB and two passes',
    hash: { scheme: null, encoded: argon2('m=19456,t=2,p=1') },
    weak: [],
  },
  { title: 'no hash', hash: { encoded: null }, weak: [] },
]

test.for(cases)('$title', ({ hash, weak }) => {
  const tally = createTally()
  const row = copyRow(hash)
  tally.add(row, classify(row.hash))
  expect(tally.cells().map((cell) => cell.weak)).toEqual([weak])
})

/** What is weak about a family's example, as people have judged it. Of a family that is not here, nothing is. */
const judged: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('./families.json', import.meta.url), 'utf8'),
)
const judgements = new Map(
  Object.entries(judged).flatMap(([weak, names]) => names.map((name) => [name, weak])),
)
/** What each digest makes: bare, with a salt, or with HMAC. */
const OF_A_DIGEST = /^(?:raw|salted|hmac)-/
const names = [...formats, ...namedRecipes].map(({ name }) => name).filter((name) => !OF_A_DIGEST.test(name))

test.for([
  { scheme: 'hardened:md5', parameters: 'm=19456, t=2, p=1', weak: [] },
  { scheme: 'hardened:hex(md5($pass))', parameters: 'm=19456, t=2, p=1', weak: [] },
  { scheme: 'hardened:md5', parameters: 'm=8, t=1, p=1', weak: ['argon2-cost'] },
])('$scheme with $parameters is as weak as its Argon2', ({ scheme, parameters, weak }) => {
  expect(weaknessesOf({ scheme, parameters, millis: 14, algorithm: '' })).toEqual(weak)
})

test('only families of the registry are judged', () => {
  expect([...judgements.keys()].filter((name) => !names.includes(name))).toEqual([])
})

test.for(names)('what is weak about %s', (name) => {
  expect(weakIn(exampleStored(name, ALLOWED))).toBe(judgements.get(name) ?? '')
})

test('of digests the bare ones are unsalted, and MD4, MD5 and SHA-1 are old', () => {
  for (const { name } of namedRecipes.filter((recipe) => OF_A_DIGEST.test(recipe.name))) {
    const unsalted = name.startsWith('raw-') ? ['unsalted'] : []
    const old = /-(?:md4|md5|sha1)$/.test(name) ? ['md5-or-sha1'] : []
    expect([name, weakIn(exampleStored(name))]).toEqual([name, [...unsalted, ...old].join(' ')])
  }
})

/** Families that hold strong and weak hashes alike. */
test.for([
  ['django-salted', `md5$carryover$${digest(16)}`, 'md5-or-sha1'],
  ['django-salted', `sha1$$${digest(20)}`, 'unsalted md5-or-sha1'],
  ['werkzeug', `md5$carryover$${digest(16)}`, 'md5-or-sha1'],
  ['werkzeug', `sha256$carryover$${digest(32)}`, ''],
  ['werkzeug', `pbkdf2:sha1:1000$carryover$${digest(20)}`, 'pbkdf2-cost'],
  ['spring-digest', `{salt}${digest(16)}`, 'md5-or-sha1'],
  ['spring-digest', digest(20), 'unsalted md5-or-sha1'],
  ['spring-digest', `{salt}${Buffer.alloc(20, 'Z').toString('base64')}`, 'md5-or-sha1'],
  ['spring-delegating', `{MD5}{salt}${digest(16)}`, 'md5-or-sha1'],
  ['spring-delegating', `{MD4}${digest(16)}`, 'unsalted md5-or-sha1'],
  ['spring-delegating', `{SHA-256}{salt}${digest(32)}`, ''],
  ['magento', `${digest(16)}:carryover:0`, 'md5-or-sha1'],
  ['mssql', `0x0100${digest(24)}`, 'md5-or-sha1'],
  ['kratos-pf', `$md5$${Buffer.alloc(16, 'Z').toString('base64')}`, 'unsalted md5-or-sha1'],
  ['kratos-hmac', `$hmac-sha1$${Buffer.from(digest(20)).toString('base64')}$c2FsdA==`, 'md5-or-sha1'],
  ['ldap-crypt', '{CRYPT}CaCarryover..', 'des'],
  ['keycloak', keycloak('pbkdf2', 27_500), 'pbkdf2-cost'],
  ['keycloak', keycloak('pbkdf2-sha256', 27_500), 'pbkdf2-cost'],
  ['keycloak', keycloak('pbkdf2-sha512', 210_000), ''],
  ['hashcat-pbkdf2', `md5:1000:Y2Fycnk=:${Buffer.alloc(16, 'Z').toString('base64')}`, 'pbkdf2-cost'],
  ['pbkdf2-django', `pbkdf2_sha256$150000$carry$${Buffer.alloc(32, 'Z').toString('base64')}`, ''],
  ['jenkins', `$PBKDF2$HMACSHA512:10000:63617272$${digest(64)}`, 'pbkdf2-cost'],
  ['netiq-sspr', `$sspr$1$1$NONE$${digest(20)}`, 'unsalted md5-or-sha1'],
  ['netiq-sspr', `$pbkdf2-hmac-sha1$1000.63617272.${digest(20)}`, 'pbkdf2-cost'],
  ['fshp', `{FSHP0|8|1}${Buffer.alloc(28, 'Z').toString('base64')}`, 'md5-or-sha1'],
  ['shiro1', `$shiro1$MD5$1$Y2Fycnk=$${Buffer.alloc(16, 'Z').toString('base64')}`, 'md5-or-sha1'],
] as const)('%s, %s', ([scheme, encoded, weak]) => {
  expect(weakIn(stored({ scheme, encoded }))).toBe(weak)
})

function keycloak(algorithm: string, hashIterations: number): string {
  return JSON.stringify({
    algorithm,
    hashIterations,
    salt: 'Y2Fycnk=',
    value: Buffer.alloc(64).toString('base64'),
  })
}

function weakIn(hash: StoredHash): string {
  const classified = classify(hash, ALLOWED)
  expect(classified.usable).toBe(true)
  const tally = createTally()
  tally.add(copyRow(hash), classified)
  return tally
    .cells()
    .flatMap(({ weak }) => weak)
    .join(' ')
}

test('some families say by their name alone what is weak about them', () => {
  const weak = (scheme: string, millis: number) =>
    weaknessesOf({ scheme, millis, parameters: '', algorithm: '' })
  expect(weak('nthash', 0.01)).toEqual(['unsalted', 'md5-or-sha1'])
  expect(weak('cisco-type7', 0.01)).toEqual(['reversible'])
  expect(weak('vbulletin', 0.01)).toEqual(['md5-or-sha1'])
  expect(weak('postgres-md5', 0.01)).toEqual(['md5-or-sha1'])
  expect(weak('sha512crypt', 6)).toEqual([])
  expect(weak('pbkdf2_sha1($pass, $salt, 9000, 20)', 3)).toEqual(['pbkdf2-cost'])
  expect(weak('pbkdf2_sha512(hex(md5($pass)), $salt, 52500, 64)', 30)).toEqual([])
})

test.each([
  { encoded: 'whatever they typed', scheme: 'plaintext' },
  { encoded: '{noop}whatever they typed', scheme: null },
])('a store of plaintext is weak, read or not', (hash) => {
  const tally = createTally()
  const row = copyRow(hash)
  tally.add(row, classify(row.hash))
  expect(tally.cells().map(({ weak }) => weak)).toEqual([['plaintext']])
})
