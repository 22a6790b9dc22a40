import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import type { StoredHash } from '../../src/domain.ts'
import { readHash } from '../../src/hashes/index.ts'
import { catalogue, iterated } from '../../src/variants/catalogue.ts'
import { evaluate } from '../../src/variants/evaluate.ts'
import { neighbours, parseNotation, printNotation, replaceVariable } from '../../src/variants/notation.ts'

const stored = (encoded: string, scheme: string): StoredHash => ({
  encoded,
  scheme,
  salt: '00ff',
  login: 'ann',
  id: '1',
})
const ENCODED = [16, 32, 40, 44, 56, 64, 76, 88, 96, 128, 172].map((length) => 'a'.repeat(length))

test('the catalogue has its recipes once', () => {
  expect(catalogue.length).toBeGreaterThan(150)
  expect(new Set(catalogue).size).toBe(catalogue.length)
})

test.each(catalogue)('%s is a recipe, and is read and written as it stands', (recipe) => {
  const readable = ENCODED.filter((encoded) => {
    try {
      return readHash(stored(encoded, recipe)).millis < 1
    } catch {
      return false
    }
  })
  expect(readable.length, recipe).toBeGreaterThan(0)
  expect(printNotation(parseNotation(recipe) ?? [])).toBe(recipe)
})

test.each(iterated)('%s is a recipe that a search can afford', (recipe) => {
  const readable = ENCODED.flatMap((encoded) => {
    try {
      return [readHash(stored(encoded, recipe)).millis]
    } catch {
      return []
    }
  })
  expect(readable.length, recipe).toBeGreaterThan(0)
  expect(Math.max(...readable)).toBeLessThan(50)
})

test.each(catalogue)('%s is evaluated as it is checked', async (recipe) => {
  const inputs = {
    pass: Buffer.from('a password'),
    salt: Buffer.from('00ff'),
    login: Buffer.from('ann'),
    id: Buffer.from('1'),
  }
  const made = evaluate(recipe, inputs)
  const text = /^(substr\()?(hex|b64)\(/.test(recipe)
  const encoded = made?.toString(text ? 'latin1' : 'hex') ?? ''
  expect(await readHash(stored(encoded, recipe)).matches(Buffer.from('a password'))).toBe(true)
})

test.each([
  '',
  'md5',
  'md5(',
  'md5()',
  'md5($pass))',
  "md5('a)",
  'md5($pass',
  '.',
  'md5($pass.)',
  'md5($pass),1',
])('what is no recipe has no neighbours: %s', (text) => {
  expect(neighbours(text)).toEqual([])
})

test('neighbours differ in one place', () => {
  expect(neighbours('sha256($salt.unhex($pass))')).toEqual(
    expect.arrayContaining([
      'sha256(unhex($pass).$salt)',
      'sha256($salt.$pass)',
      'sha512($salt.unhex($pass))',
    ]),
  )
})

test('texts in quotes are left alone', () => {
  expect(replaceVariable("md5('$pass'.$pass.'\\'$pass')", '$pass', 'trim($pass)')).toBe(
    "md5('$pass'.trim($pass).'\\'$pass')",
  )
  expect(
    evaluate("md5('a\\'\\n'.$pass)", {
      pass: Buffer.from('p'),
      salt: Buffer.alloc(0),
      login: Buffer.alloc(0),
      id: Buffer.alloc(0),
    }),
  ).toEqual(createHash('md5').update("a'\np").digest())
})
