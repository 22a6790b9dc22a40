import bcryptjs from 'bcryptjs'
import { describe, expect, test } from 'vitest'
import { NO_CONTEXT } from '../../src/hashes/context.ts'
import { HashError } from '../../src/hashes/format.ts'
import { exampleStored, formatAround, formats, readHash } from '../../src/hashes/index.ts'
import { matchesPassword } from '../../src/hashes/password-forms.ts'
import { recipeFunctions } from '../../src/hashes/recipe-functions.ts'
import { readRecipesFile } from '../../src/hashes/recipes-file.ts'
import { ALLOWED, readVectors, unsalted } from './vectors.ts'

/** Any format around a recipe: its own known answers, of passwords that the recipe changes into the known ones. */
describe.each(formats.filter(({ name }) => formatAround(name)))('$name(...)', ({ name }) => {
  const scheme = `${name}('pass'.$pass)`
  const vectors = readVectors(name).filter(
    (one) => one.expect && one.password.toString().startsWith('pass') && one.defect === undefined,
  )

  test('the stored string is of what the recipe makes', async () => {
    const [vector] = vectors
      .map((one) => ({ ...one, read: readHash({ ...one.stored, scheme }, one.context) }))
      .sort((one, other) => one.read.millis - other.read.millis)
    if (!vector) return
    const { read, password, stored, context } = vector
    expect(read.scheme).toBe(scheme)
    expect(await matchesPassword(read, password.subarray(4))).toBe(true)
    expect(await matchesPassword(read, password.subarray(3))).toBe(false)
    const decoy = readHash(read.decoy, context)
    expect([decoy.scheme, decoy.native]).toEqual([scheme, read.native])
    expect(decoy.millis).toBeCloseTo(readHash({ ...stored, scheme }, context).millis)
  })

  test('its example is read', () => {
    const example = exampleStored(scheme)
    expect(example.scheme).toBe(scheme)
    // What takes its salt from the row has no example that is whole without one.
    if (name !== 'mongodb-storedkey') expect(readHash(example, ALLOWED).scheme).toBe(scheme)
  })
})

test('no function has the name of a format', () => {
  const names = formats.flatMap(({ name, aliases = [] }) => [name, ...aliases])
  expect(names.filter((name) => recipeFunctions.has(name) || name === 'repeat')).toEqual([])
})

test('an alias is recorded as the name that it stands for', async () => {
  const [alias] = formats.flatMap(({ name, aliases = [] }) => (name === 'argon2' ? aliases : []))
  expect(readHash({ ...exampleStored('argon2'), scheme: ` ${alias?.toUpperCase()} ( $pass ) ` }).scheme).toBe(
    'argon2($pass)',
  )
})

test('the operator may name such a recipe, and the salt of the row goes into it', async () => {
  const recipes = readRecipesFile('old-shop = md5crypt(latin1($salt.$pass))')
  const stored = (password: string) =>
    readHash(
      {
        // openssl passwd -1 -salt saltsalt, of the bytes of "pepperGr\xfc\xdfe" in ISO 8859-1
        encoded: '$1$saltsalt$3Xu2XwFwS2233hF06rwQe0',
        scheme: 'old-shop',
        salt: password,
        login: '',
        id: '',
      },
      { ...NO_CONTEXT, recipes },
    )
  expect(stored('pepper').scheme).toBe('old-shop')
  expect(await stored('pepper').matches(Buffer.from('Grüße'))).toBe(true)
  expect(await stored('other').matches(Buffer.from('Grüße'))).toBe(false)
})

test.for([
  { scheme: 'plaintext($pass)', place: 1 },
  { scheme: 'rot13-of-ours($pass)', place: 1 },
  { scheme: '  rot13($pass)', place: 3 },
])('$scheme is told by its place', ({ scheme, place }) => {
  expect(() => readHash(unsalted('a'.repeat(32), scheme), ALLOWED)).toThrow(
    new HashError(
      'bad-recipe',
      `position ${place} of the recipe: expected a function, the name of a scheme, a variable or a text in single quotes`,
    ),
  )
})

test.for([
  { scheme: 'md5(sha512crypt($pass))', defect: 'bad-recipe' },
  { scheme: 'sha512crypt($pass).$salt', defect: 'bad-recipe' },
  { scheme: 'sha512crypt($pass,$salt)', defect: 'bad-recipe' },
  { scheme: 'sha512crypt($salt)', defect: 'bad-recipe' },
  { scheme: 'sha512crypt($pass.$pepper)', defect: 'bad-recipe' },
  { scheme: 'sha256crypt($pass)', defect: 'malformed' },
])('$scheme: $defect', ({ scheme, defect }) => {
  const { example = '' } = formats.find(({ name }) => name === 'sha512crypt') ?? {}
  expect(defectOf(() => readHash({ ...unsalted(example, scheme), salt: 's' }))).toBe(defect)
})

test('what a recipe makes too long is no password of the format', async () => {
  const { example = '' } = formats.find(({ name }) => name === 'apr1') ?? {}
  const read = readHash(unsalted(example, 'apr1(hex(hex($pass)))'))
  const encoded = '$apr1$saltsalt$ECPS6hE0yX5z//utwLcvK.'
  const right = readHash(unsalted(encoded, "apr1('a'.$pass)"))
  expect(await right.matches(Buffer.from('b'))).toBe(true)
  expect(await read.matches(Buffer.alloc(4096, 'x'))).toBe(false)
})

test('the bounds of the format stay', () => {
  expect(
    defectOf(() => readHash(unsalted(`$6$rounds=9999999$salt$${'.'.repeat(86)}`, 'sha512crypt($pass)'))),
  ).toBe('too-costly')
})

describe('NUL', () => {
  const bcrypt = (text: string, revision = '$2b$') => bcryptjs.hashSync(text, 4).replace('$2b$', revision)
  test.for([
    { title: 'bcrypt', scheme: 'bcrypt', encoded: bcrypt('a\0b'), matches: false },
    { title: 'bcrypt in a recipe', scheme: 'bcrypt($pass)', encoded: bcrypt('a\0b'), matches: false },
    { title: 'the part before it', scheme: 'bcrypt($pass)', encoded: bcrypt('a', '$2y$'), matches: false },
    { title: 'a digest', scheme: 'md5', encoded: '70350f6027bce3713f6b76473084309b', matches: true },
    {
      title: 'a digest of it in bcrypt',
      scheme: 'bcrypt(hex(md5($pass)))',
      encoded: bcrypt('70350f6027bce3713f6b76473084309b'),
      matches: true,
    },
  ])('$title', async ({ scheme, encoded, matches }) => {
    expect(await matchesPassword(readHash(unsalted(encoded, scheme)), Buffer.from('a\0b'))).toBe(matches)
  })
})

function defectOf(read: () => unknown): string | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    return error instanceof HashError ? error.defect : String(error)
  }
}
