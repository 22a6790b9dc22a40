import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { readHash } from '../../src/hashes/index.ts'
import { matchesInForms, type PasswordForm } from '../../src/hashes/password-forms.ts'
import { readVectors, unsalted } from './vectors.ts'

const ALL: readonly PasswordForm[] = ['as-sent', 'nfc', 'nfkc']
/** e and a combining accent, and the ligature of f and i. */
const SENT = 'e\u0301\ufb01'

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** A hash that says how often it was asked. */
function counted(encoded: string) {
  const asked: string[] = []
  const read = readHash(unsalted(encoded, 'md5'))
  return {
    asked,
    read: {
      ...read,
      matches: (password: Uint8Array) => {
        asked.push(Buffer.from(password).toString())
        return read.matches(password)
      },
    },
  }
}

test.for([
  { title: 'as sent', stored: SENT, forms: undefined, matches: true, checks: 1 },
  {
    title: 'composed, and no setting',
    stored: SENT.normalize('NFC'),
    forms: undefined,
    matches: false,
    checks: 1,
  },
  { title: 'composed', stored: SENT.normalize('NFC'), forms: ALL, matches: true, checks: 2 },
  { title: 'compatible', stored: SENT.normalize('NFKC'), forms: ALL, matches: true, checks: 3 },
  { title: 'another password', stored: 'x', forms: ALL, matches: false, checks: 3 },
  { title: 'composed alone', stored: SENT, forms: ['nfc'] as const, matches: false, checks: 1 },
])('a password that was hashed $title', async ({ stored, forms, matches, checks }) => {
  const { read, asked } = counted(md5(stored))
  expect(await matchesInForms(read, Buffer.from(SENT), forms)).toBe(matches)
  expect(asked).toHaveLength(checks)
})

test.for([
  { title: 'ASCII', typed: 'Pa55word', checks: 1 },
  { title: 'what is composed already', typed: 'Gr\u00fc\u00dfe', checks: 1 },
  { title: 'what differs in one form', typed: 'u\u0308', checks: 2 },
  { title: 'forms that would be longer than any password', typed: '\ufdfa'.repeat(1_300), checks: 1 },
])('$title is checked $checks times', async ({ typed, checks }) => {
  const { read, asked } = counted(md5('another'))
  expect(await matchesInForms(read, Buffer.from(typed), ALL)).toBe(false)
  expect(asked).toHaveLength(checks)
})

test('what normalises by itself answers as before', async () => {
  const vectors = readVectors('postgres-scram').filter(({ defect }) => defect === undefined)
  for (const { stored, context, password, expect: expected } of vectors)
    expect(await matchesInForms(readHash(stored, context), password, ALL)).toBe(expected)
})
