import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { CandidatesFileError, readCandidatesFile } from '../../src/hashes/candidates-file.ts'
import { classify } from '../../src/hashes/classify.ts'
import { NO_CONTEXT } from '../../src/hashes/context.ts'
import { readHash } from '../../src/hashes/index.ts'
import { unsalted } from './vectors.ts'

const RECIPES = new Map([['shop', 'md5($salt.$pass)']])
const TEXT = `# the shops
north = md5, Shop, hex(md5(substr($pass, 0, 4).',('))\r
* = sha1
`
const context = { ...NO_CONTEXT, recipes: RECIPES, candidates: readCandidatesFile(TEXT, RECIPES) }
const md5 = (text: string) => createHash('md5').update(text).digest('hex')
const PASSWORD = Buffer.from('Right-pa55word')

test('lines are read, and commas of recipes do not part them', () => {
  expect([...context.candidates]).toEqual([
    ['north', ['md5', 'Shop', "hex(md5(substr($pass, 0, 4).',('))"]],
    ['*', ['sha1']],
  ])
})

test.for(['Right-pa55word', 's1Right-pa55word', 'Righ,('])(
  'a bare digest matches by any scheme of its cohort: %#',
  async (text) => {
    const stored = { ...unsalted(md5(text)), salt: 's1', cohort: 'north' }
    const read = readHash(stored, context)
    expect(read.scheme).toBe('candidates')
    expect(await read.matches(PASSWORD)).toBe(true)
    expect(await read.matches(Buffer.from('wrong'))).toBe(false)
    const decoy = readHash(read.decoy, context)
    expect([decoy.scheme, decoy.millis]).toEqual([read.scheme, read.millis])
    expect(await decoy.matches(PASSWORD)).toBe(false)
  },
)

test('without its salt the schemes that need none are left', async () => {
  const one = readHash({ ...unsalted(md5('s1Right-pa55word')), cohort: 'north' }, context)
  expect(await one.matches(PASSWORD)).toBe(false)
  expect(
    await readHash({ ...unsalted(md5('Right-pa55word')), cohort: 'north' }, context).matches(PASSWORD),
  ).toBe(true)
})

test('base64 has a decoy too, and other cohorts have the schemes of *', async () => {
  const stored = unsalted(createHash('sha1').update(PASSWORD).digest('base64'))
  const read = readHash(stored, context)
  expect(await read.matches(PASSWORD)).toBe(true)
  expect(readHash(read.decoy, context).scheme).toBe('candidates')
})

test('they are for bare digests without a scheme alone', () => {
  const kind = (encoded: string, scheme: string | null, cohort: string) => {
    const classified = classify({ ...unsalted(encoded, scheme), cohort }, context)
    return classified.usable ? classified.scheme : classified.defect
  }
  expect(kind(md5('a'), 'md5', 'north')).toBe('md5')
  expect(kind(`{MD5}${Buffer.alloc(16).toString('base64')}`, null, 'north')).toBe('ldap-md5')
  expect(kind('hunter2', null, 'north')).toBe('unrecognised')
  expect(kind(md5('a'), null, 'south')).toBe('ambiguous')
  expect(kind(md5('a'), 'candidates', 'north')).toBe('unknown-scheme')
})

test('together they may take no more than one', () => {
  const slow = Array.from({ length: 3 }, (_, at) => `pbkdf2_sha256($pass, '${at}', 3000000, 32)`)
  const candidates = new Map([['*', slow]])
  const alone = classify(unsalted('5a'.repeat(32)), {
    ...NO_CONTEXT,
    candidates: new Map([['*', slow.slice(0, 1)]]),
  })
  expect(alone.usable).toBe(true)
  expect(classify(unsalted('5a'.repeat(32)), { ...NO_CONTEXT, candidates })).toMatchObject({
    defect: 'too-costly',
  })
})

test.for([
  { text: 'md5, sha1', message: 'line 1: expected a cohort or *, an equals sign and schemes' },
  { text: 'a = md5\na = sha1', message: 'line 2: expected a cohort that no other line has' },
  { text: '\na = md5,md4,sha1,sha224,sha256,sha384', message: 'line 2: expected 5 schemes at most' },
  { text: 'a = md5, rot13', message: 'line 1: expected a scheme or a recipe, and no plaintext, in place 2' },
  { text: 'a = md5,', message: 'line 1: expected a scheme or a recipe, and no plaintext, in place 2' },
  { text: 'a = md6($pass)', message: 'line 1: expected a scheme or a recipe, and no plaintext, in place 1' },
  { text: 'a = Plain', message: 'line 1: expected a scheme or a recipe, and no plaintext, in place 1' },
  { text: 'a = candidates', message: 'line 1: expected a scheme or a recipe, and no plaintext, in place 1' },
])('$text is refused: $message', ({ text, message }) => {
  expect(() => readCandidatesFile(text, RECIPES)).toThrow(CandidatesFileError)
  expect(() => readCandidatesFile(text, RECIPES)).toThrow(message)
})
