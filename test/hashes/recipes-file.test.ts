import { expect, test } from 'vitest'
import { readHash } from '../../src/hashes/index.ts'
import { RecipesFileError, readRecipesFile } from '../../src/hashes/recipes-file.ts'
import { unsalted } from './vectors.ts'

const TEXT = `# recipes of the old shop

old-shop = md5($salt.$pass)
 shop2=bcrypt($pass.$pepper)\r
`

test('names and recipes are read, and hash_scheme may name them', async () => {
  const recipes = readRecipesFile(TEXT)
  expect([...recipes]).toEqual([
    ['old-shop', 'md5($salt.$pass)'],
    ['shop2', 'bcrypt($pass.$pepper)'],
  ])
  const context = { recipes, secrets: new Map(), plaintext: false }
  const stored = { ...unsalted('67a1e09bb1f83f5007dc119c14d663aa', 'Old-Shop'), salt: 'salt' }
  const read = readHash(stored, context)
  expect([read.scheme, read.decoy.scheme]).toEqual(['old-shop', 'old-shop'])
  expect(await read.matches(Buffer.from('password'))).toBe(true)
  expect(readHash(read.decoy, context).millis).toBe(read.millis)
})

test.for([
  { text: 'shop', message: 'line 1: expected a name, an equals sign and a recipe' },
  {
    text: '\nShop = md5($pass)',
    message: 'line 2: position 1: expected a name of lower-case letters, digits and hyphens',
  },
  { text: 'bcrypt = md5($pass)', message: 'line 1: position 1: expected a name that no built-in scheme has' },
  {
    text: 'sha-256 = md5($pass)',
    message: 'line 1: position 1: expected a name that no built-in scheme has',
  },
  {
    text: 'vbulletin=md5($pass)',
    message: 'line 1: position 1: expected a name that no built-in scheme has',
  },
  { text: 'a = md5($pass)\na = sha1($pass)', message: 'line 2: expected a name that no other line has' },
  {
    text: 'shop = md5($secret)',
    message:
      'line 1: the recipe starts at position 8; position 5 of the recipe: expected one of $pass, $salt, $salt2, $login, $id, $pepper, $secret_NAME',
  },
])('$message', ({ text, message }) => {
  expect(() => readRecipesFile(text)).toThrow(message)
})

test('the error has a class of its own', () => {
  expect(() => readRecipesFile('x')).toThrow(RecipesFileError)
})
