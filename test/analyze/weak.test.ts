import { expect, test } from 'vitest'
import { createTally } from '../../src/analyze/tally.ts'
import { weaknessesOf } from '../../src/analyze/weak.ts'
import type { StoredHash } from '../../src/domain.ts'
import { classify } from '../../src/hashes/classify.ts'
import { BCRYPT_4, BCRYPT_TAIL, copyRow } from './helpers.ts'

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

test('some families say by their name alone what is weak about them', () => {
  const weak = (scheme: string, millis: number) =>
    weaknessesOf({ scheme, millis, parameters: '', algorithm: '' })
  expect(weak('nthash', 0.01)).toEqual(['unsalted', 'md5-or-sha1'])
  expect(weak('cisco-type7', 0.01)).toEqual(['reversible'])
  expect(weak('vbulletin', 0.01)).toEqual(['md5-or-sha1'])
  expect(weak('postgres-md5', 0.01)).toEqual(['md5-or-sha1'])
  expect(weak('sha512crypt', 6)).toEqual([])
  // A thousand rounds of PBKDF2 with SHA-1 are slow enough not to be told here.
  expect(weak('pbkdf2_sha1($pass, $salt, 9000, 20)', 3)).toEqual([])
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
