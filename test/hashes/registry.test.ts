import { expect, test } from 'vitest'
import type { Defect } from '../../src/domain.ts'
import { NO_CONTEXT } from '../../src/hashes/context.ts'
import { HashError } from '../../src/hashes/format.ts'
import { exampleStored, formats, readHash } from '../../src/hashes/index.ts'
import { listSchemes } from '../../src/hashes/listed.ts'
import { namedRecipes } from '../../src/hashes/named-recipes.ts'
import { digests } from '../../src/hashes/recipe-functions.ts'
import { ALLOWED, unsalted } from './vectors.ts'

const MD5 = '5f4dcc3b5aa765d61d8327deb882cf99'
const BCRYPT = '$2b$10$CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.'

interface Case {
  readonly title: string
  readonly encoded: string | null
  readonly scheme?: string | null
  readonly salt?: string
  /** What it is read as, or why it is not. */
  readonly result: string | Defect
}

const cases: readonly Case[] = [
  { title: 'no hash', encoded: null, result: 'missing' },
  { title: 'an empty hash', encoded: '', result: 'missing' },
  { title: 'a blank hash', encoded: '  ', result: 'missing' },
  { title: 'the word NULL', encoded: 'NULL', result: 'missing' },
  { title: 'no hash with a scheme', encoded: '', scheme: 'md5', result: 'missing' },
  ...['*', '*0', '*1', '!', '!!', '!abc', 'x', 'NP', '*NP*', 'LOCK', '*LK*', 'LOCKED', '*LOCKED*'].map(
    (encoded) => ({
      title: `the marker ${encoded}`,
      encoded,
      result: 'locked-marker',
    }),
  ),
  { title: 'a marker with a scheme', encoded: '*', scheme: 'sha1', result: 'locked-marker' },
  {
    title: 'a disabled hash in front of a scheme',
    encoded: `!${BCRYPT}`,
    scheme: 'bcrypt',
    result: 'locked-marker',
  },
  { title: '32 hexadecimal digits', encoded: MD5, result: 'ambiguous' },
  { title: '0x and hexadecimal digits', encoded: `0x${MD5}`, result: 'ambiguous' },
  { title: 'base64 of 20 bytes', encoded: 'W6ph5Mm5Pz8GgiULbPgzG37mj9g=', result: 'ambiguous' },
  { title: 'base64 of 16 bytes without padding', encoded: 'X03MO1qnZdYdgyfeuILPmQ', result: 'ambiguous' },
  { title: 'hexadecimal of an odd length', encoded: MD5.slice(1), result: 'unrecognised' },
  { title: 'a password', encoded: 'hunter2', result: 'unrecognised' },
  { title: 'MySQL 4.1', encoded: `*${'2470C0C06DEE42FD1618BBB99005ADCA2EC9D1E1'}`, result: 'mysql41' },
  { title: 'more than 1,024 characters', encoded: 'a'.repeat(1025), result: 'malformed' },
  { title: 'bcrypt', encoded: BCRYPT, result: 'bcrypt' },
  { title: 'bcrypt with a blank scheme', encoded: BCRYPT, scheme: ' ', result: 'bcrypt' },
  { title: 'bcrypt under its name', encoded: BCRYPT, scheme: ' BCrypt ', result: 'bcrypt' },
  { title: 'a digest under the name bcrypt', encoded: MD5, scheme: 'bcrypt', result: 'malformed' },
  { title: 'bcrypt under the name argon2id', encoded: BCRYPT, scheme: 'argon2id', result: 'malformed' },
  { title: 'bcrypt under the name md5', encoded: BCRYPT, scheme: 'md5', result: 'malformed' },
  { title: 'md5', encoded: MD5, scheme: 'md5', result: 'md5' },
  { title: 'MD5', encoded: MD5, scheme: 'MD5', result: 'md5' },
  { title: 'md5 as a recipe', encoded: MD5, scheme: ' md5 ( $pass ) ', result: 'md5' },
  ...['sha1', 'SHA-1', 'sha_1'].map((scheme) => ({
    title: scheme,
    encoded: 'W6ph5Mm5Pz8GgiULbPgzG37mj9g=',
    scheme,
    result: 'sha1',
  })),
  ...['sha-256', 'SHA256'].map((scheme) => ({
    title: scheme,
    encoded: 'a'.repeat(64),
    scheme,
    result: 'sha256',
  })),
  { title: 'sha384', encoded: 'a'.repeat(96), scheme: 'sha384', result: 'sha384' },
  { title: 'sha512', encoded: 'a'.repeat(128), scheme: 'SHA-512', result: 'sha512' },
  { title: 'a digest of another length', encoded: MD5, scheme: 'sha256', result: 'malformed' },
  { title: 'a recipe', encoded: MD5, scheme: 'md5( $salt . $pass )', salt: 'a', result: 'md5($salt.$pass)' },
  { title: 'a recipe without its salt', encoded: MD5, scheme: 'md5($salt.$pass)', result: 'bad-salt' },
  { title: 'an unknown recipe', encoded: MD5, scheme: 'md6($pass)', result: 'bad-recipe' },
  { title: 'an unknown scheme', encoded: MD5, scheme: 'rot13', result: 'unknown-scheme' },
  { title: 'a name every object has', encoded: MD5, scheme: 'constructor', result: 'unknown-scheme' },
  ...['plain', 'plaintext'].map((scheme) => ({
    title: `plain text under the name ${scheme}`,
    encoded: 'hunter2',
    scheme,
    result: 'unknown-scheme',
  })),
  ...['{noop}hunter2', '{PLAIN}hunter2', '{CLEARTEXT}hunter2', '{plaintext}hunter2'].map((encoded) => ({
    title: `${encoded.slice(0, -7)} and plain text`,
    encoded,
    result: 'unknown-scheme',
  })),
  {
    title: '{noop} of Spring',
    encoded: '{noop}hunter2',
    scheme: 'spring-delegating',
    result: 'unknown-scheme',
  },
]

test.for(cases)('$title: $result', ({ encoded, scheme = null, salt = null, result }) => {
  expect(readAs({ ...unsalted(encoded, scheme), salt })).toBe(result)
})

test('messages never contain any part of the row', () => {
  for (const { encoded, scheme = null } of cases) {
    if (encoded === null || encoded.trim().length < 6) continue
    expect(messageOf(encoded, scheme)).not.toContain(encoded.slice(0, 6))
  }
})

test('the list names every scheme, and every example is one', () => {
  const listed = listSchemes()
  expect(listed.map(({ name }) => name)).toEqual([
    ...formats.map(({ name }) => name),
    ...namedRecipes.map(({ name }) => name),
    ...digests.keys(),
    'sha256($salt.$pass)',
  ])
  for (const { name, example, told } of listed) {
    const scheme = told === 'by hash_scheme' ? name : null
    expect(readAs({ ...exampleStored(name), encoded: example, scheme }, ALLOWED)).toBe(name)
  }
})

test('with permission plain text is compared where the row says that it is that, and nowhere else', async () => {
  const allowed = { ...NO_CONTEXT, plaintext: true }
  const password = Buffer.from('hunter2')
  const matches = (encoded: string, scheme: string | null = null) =>
    readHash(unsalted(encoded, scheme), allowed).matches(password)
  expect(await matches('hunter2', 'plaintext')).toBe(true)
  expect(await matches('{noop}hunter2')).toBe(true)
  expect(await matches('{plain}hunter2')).toBe(true)
  expect(await matches('{noop}hunter2', 'spring-delegating')).toBe(true)
  expect(await matches('{noop}hunter2', 'plaintext')).toBe(false)
  expect(await matches('{noop}Hunter2')).toBe(false)
  expect(readAs(unsalted('hunter2'), allowed)).toBe('unrecognised')
  expect(readAs(unsalted(MD5), allowed)).toBe('ambiguous')
  expect(readAs(unsalted('{rot13}hunter2'), allowed)).toBe('unrecognised')
  for (const scheme of ['md5', 'bcrypt'])
    expect(readAs(unsalted('hunter2', scheme), allowed)).toBe('malformed')
  expect(readAs(unsalted('{noop}', null), allowed)).toBe('malformed')
})

test.for([
  { scheme: 'sha-1', label: 'sha1' },
  { scheme: 'md5(unhex($salt).$pass)', label: 'md5(unhex($salt).$pass)' },
  { scheme: 'md5(unb64($salt).$pass)', label: 'md5(unb64($salt).$pass)' },
  { scheme: 'b64(sha1($pass))', label: 'b64(sha1($pass))' },
  { scheme: 'unknown', label: 'bcrypt' },
  { scheme: 'md5(', label: 'bcrypt' },
  { scheme: '', label: 'bcrypt' },
])('the first decoy of "$scheme" is read as $label', ({ scheme, label }) => {
  expect(readAs(exampleStored(scheme))).toBe(label)
})

function readAs(stored: Parameters<typeof readHash>[0], context = NO_CONTEXT): string {
  try {
    return readHash(stored, context).scheme
  } catch (error) {
    if (error instanceof HashError) return error.defect
    throw error
  }
}

function messageOf(encoded: string, scheme: string | null): string {
  try {
    readHash(unsalted(encoded, scheme))
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
}
