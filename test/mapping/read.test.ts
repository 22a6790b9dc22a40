import { expect, test } from 'vitest'
import { uncovered } from '../../src/mapping/coverage.ts'
import { fieldsOf } from '../../src/mapping/fields.ts'
import { MappingError } from '../../src/mapping/json.ts'
import { defaultMapping, readMapping } from '../../src/mapping/read.ts'
import type { CopiedUser } from '../../src/mapping/user.ts'

function problemsOf(text: string): readonly string[] {
  try {
    readMapping(text)
  } catch (error) {
    if (error instanceof MappingError) return error.problems
    throw error
  }
  return []
}

test('a mapping says where fields go, stay behind, or are made into something', () => {
  const mapping = {
    attributes: { login: 'login', 'profile.given_name': 'firstName', 'profile.__proto__': 'odd' },
    drop: ['profile.notes', 'profile.*'],
    calculated: { displayName: '{profile.given_name} {{{login}}}', __proto__name: '{id}' },
  }
  expect(readMapping(`\ufeff${JSON.stringify(mapping)}`)).toEqual(mapping)
  expect(readMapping('{}')).toEqual({ attributes: {}, drop: [], calculated: {} })
})

test.for([
  { title: 'no JSON', text: '{"attributes":', problems: [expect.stringMatching(/^the text is not JSON/)] },
  {
    title: 'a list',
    text: '[]',
    problems: ['a mapping is an object with "attributes", "drop" and "calculated"'],
  },
  {
    title: 'a part of another name',
    text: '{"atributes":{}}',
    problems: ['"atributes" is not a part of a mapping'],
  },
  {
    title: 'a name of objects',
    text: '{"__proto__":{"attributes":{}}}',
    problems: ['"__proto__" is not a part of a mapping'],
  },
  {
    title: 'fields that nobody has',
    text: '{"attributes":{"given_name":"a","profile.":"b","profile.*":"c"},"drop":["profile",7]}',
    problems: [
      'attributes: "given_name" is not a field',
      'attributes: "profile." is not a field',
      'attributes: "profile.*" is not a field',
      'drop: "profile" is not a field',
      'drop: entry 2 is not a text',
    ],
  },
  {
    title: 'names that are none',
    text: '{"attributes":{"login":""},"calculated":{" ":"{id}"}}',
    problems: [
      'attributes: "login" has no name of an attribute',
      'calculated: " " cannot be the name of an attribute',
    ],
  },
  {
    title: 'templates that do not close, name nothing, or name something else',
    text: '{"calculated":{"a":"{login","b":"login}","c":"{name}","d":"plain","e":1}}',
    problems: [
      'calculated: "a" has a brace that is not closed',
      'calculated: "b" has a closing brace that was not opened',
      'calculated: "c" names something that is no field',
      'calculated: "d" names no field',
      'calculated: "e" is not a text',
    ],
  },
  {
    title: 'two sources of one attribute',
    text: '{"attributes":{"login":"userName","email":"userName"},"calculated":{"userName":"{id}"}}',
    problems: [
      'attributes, calculated: "userName" is given more than once',
      'attributes, calculated: "userName" is given more than once',
    ],
  },
  {
    title: 'a field that is mapped and dropped',
    text: '{"attributes":{"email":"email"},"drop":["email","email"]}',
    problems: [
      'drop: "email" is there more than once',
      'drop: "email" is mapped, too',
      'drop: "email" is mapped, too',
    ],
  },
  {
    title: 'a name that an object has twice, escaped or not',
    text: '{"attributes":{"login":"a",\n"log\\u0069n":"b"}}',
    problems: ['line 2: a name that is there already'],
  },
])('$title: every problem is told with its place', ({ text, problems }) => {
  expect(problemsOf(text)).toEqual(problems)
})

const ann: CopiedUser = {
  id: '1',
  login: 'ann',
  email: null,
  status: 'active',
  cohort: 'default',
  profile: {
    given_name: 'Ann',
    note: '',
    address: { locality: 'Köln', country: null, geo: { lat: 50 } },
    'a.b': 1,
    list: ['x'],
  },
}

test('the fields of a user are those with a value, by their innermost names', () => {
  expect(fieldsOf(ann).sort()).toEqual(
    [
      'cohort',
      'id',
      'login',
      'profile.a.b',
      'profile.address.geo.lat',
      'profile.address.locality',
      'profile.given_name',
      'profile.list',
      'status',
    ].sort(),
  )
})

test('a target has names for some fields; the others are left to people', () => {
  const standard = {
    login: 'login',
    email: 'email',
    'profile.given_name': 'firstName',
    'profile.address.locality': 'city',
    'profile.nickname': 'firstName',
  }
  const mapping = defaultMapping({ standard }, [...fieldsOf(ann), 'profile.nickname'])
  expect(mapping).toEqual({
    attributes: { login: 'login', 'profile.given_name': 'firstName', 'profile.address.locality': 'city' },
    drop: [],
    calculated: {},
  })
  expect(uncovered(fieldsOf(ann), mapping).sort()).toEqual([
    'profile.a.b',
    'profile.address.geo.lat',
    'profile.list',
  ])
})

test.for([
  { drop: ['profile.address', 'profile.list', 'profile.a.b'], left: ['profile.given_name'] },
  { drop: ['profile.*'], left: [] },
  {
    drop: ['profile.addr', 'profile.address.geo'],
    left: ['profile.a.b', 'profile.address.locality', 'profile.given_name', 'profile.list'],
  },
])('what is dropped, or lies in what is dropped, is decided: $drop', ({ drop, left }) => {
  expect(uncovered(fieldsOf(ann), { attributes: { login: 'l' }, drop, calculated: {} }).sort()).toEqual(left)
})

test('a field in a calculated attribute is decided', () => {
  const mapping = {
    attributes: { login: 'l' },
    drop: ['profile.a.b'],
    calculated: { name: '{profile.given_name} {profile.address}' },
  }
  expect(uncovered(fieldsOf(ann), mapping)).toEqual(['profile.list'])
})
