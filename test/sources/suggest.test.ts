import { expect, test } from 'vitest'
import { type FieldSample, suggest } from '../../src/sources/suggest.ts'

const isHash = (value: string) => value.startsWith('$2b$')
const hashes = ['$2b$10$a', '$2b$10$b']
const addresses = ['ann@example.com', 'bob@example.org']

const field = (name: string, ...values: string[]): FieldSample => ({ name, values })

test.each([
  {
    title: 'usual names with the content that they promise',
    samples: [
      field('UserID', '1', '2'),
      field('user_name', 'ann', 'bob'),
      field('E-Mail', ...addresses),
      field('encrypted_password', ...hashes),
      field('First Name', 'Ann', 'Bob'),
    ],
    suggestions: [
      ['UserID', 'id', 'name', true],
      ['user_name', 'login', 'name', true],
      ['E-Mail', 'email', 'name and content', true],
      ['encrypted_password', 'password_hash', 'name and content', true],
      ['First Name', 'profile.given_name', 'name', true],
    ],
    unknown: [],
  },
  {
    title: 'names of no language, with unmistakable content',
    samples: [field('f1', ...addresses), field('f2', ...hashes), field('f3', 'x', 'y')],
    suggestions: [
      ['f1', 'email', 'content', false],
      ['f2', 'password_hash', 'content', false],
    ],
    unknown: ['f3'],
  },
  {
    title: 'a field that is called a hash and holds something else',
    samples: [field('password', 'open sesame', 'letmein'), field('digest', ...hashes)],
    suggestions: [['digest', 'password_hash', 'content', false]],
    unknown: ['password'],
  },
  {
    title: 'two fields for one column: the one whose content fits',
    samples: [field('mail', 'see below', 'n/a'), field('email_address', ...addresses)],
    suggestions: [['email_address', 'email', 'name and content', true]],
    unknown: ['mail'],
  },
  {
    title: 'two fields of addresses',
    samples: [field('email', ...addresses), field('contact', ...addresses)],
    suggestions: [
      ['email', 'email', 'name and content', true],
      ['contact', 'login', 'content', false],
    ],
    unknown: [],
  },
  {
    title: 'an empty file',
    samples: [field('id'), field('whatever')],
    suggestions: [['id', 'id', 'name', true]],
    unknown: ['whatever'],
  },
])('$title', ({ samples, suggestions, unknown }) => {
  const made = suggest(samples, isHash)
  expect(
    made.suggestions.map(({ field: name, column, because, sure }) => [name, column, because, sure]),
  ).toEqual(suggestions)
  expect(made.unknown).toEqual(unknown)
})

test('no column is suggested twice, whatever the fields', () => {
  const samples = ['id', 'ID', 'uid', 'userid', 'login', 'username', 'mail', 'email'].map((name) =>
    field(name, 'x'),
  )
  const columns = suggest(samples, isHash).suggestions.map(({ column }) => column)
  expect(new Set(columns).size).toBe(columns.length)
})
