import { expect, test } from 'vitest'
import { MappingError } from '../../src/mapping/json.ts'
import { preparedBy } from '../../src/mapping/prepare.ts'
import { applyRules, readRules } from '../../src/mapping/rules.ts'
import type { CopiedUser, Fix, FixRule, Mapping } from '../../src/mapping/user.ts'

const ann: CopiedUser = {
  id: '1',
  login: 'ann',
  email: 'ann@example.com',
  status: 'active',
  cohort: 'default',
  profile: { given_name: 'Ann', address: { locality: 'Köln' }, 'a.b': 'dotted', n: 7 },
}
const nothing: Mapping = { attributes: {}, drop: [], calculated: {} }
const withProfile = (profile: Record<string, unknown>): CopiedUser => ({ ...ann, profile })

test('fields go under the names of the target, those without a value not at all', () => {
  const mapping: Mapping = {
    attributes: {
      login: 'userName',
      'profile.address.locality': 'city',
      'profile.a.b': 'ab',
      'profile.n': 'number',
      'profile.none': 'none',
      'profile.address.none.deeper': 'deeper',
      'profile.given_name.length': 'length',
      'profile.constructor': 'made',
      'profile.__proto__': '__proto__',
    },
    drop: [],
    calculated: {
      name: '{profile.given_name} {profile.middle_name} {profile.family_name}',
      key: '{{{id}}}-{profile.n}',
      empty: '{profile.none}!',
    },
  }
  const prepared = preparedBy({ mapping, rules: [] })(ann)
  expect(prepared).toEqual({
    kind: 'ready',
    user: ann,
    attributes: { userName: 'ann', city: 'Köln', ab: 'dotted', number: 7, name: 'Ann', key: '{1}-7' },
  })
})

test('a name that JavaScript gives a meaning is a name like any other', () => {
  const odd = withProfile(JSON.parse('{"__proto__":{"polluted":"yes"},"constructor":"c","b":" x "}'))
  const mapping: Mapping = {
    attributes: {
      'profile.__proto__.polluted': '__proto__',
      'profile.constructor': 'constructor',
      'profile.b': 'b',
    },
    drop: [],
    calculated: {},
  }
  const rules: FixRule[] = [
    { name: 'a', field: 'profile.__proto__.polluted', fix: { kind: 'replace', from: 'yes', to: 'no' } },
    { name: 'b', field: 'profile.b', fix: { kind: 'clear' } },
  ]
  const prepared = preparedBy({ mapping, rules })(odd)
  expect(prepared.kind === 'ready' && Object.entries(prepared.attributes)).toEqual([
    ['__proto__', 'no'],
    ['constructor', 'c'],
  ])
  expect(JSON.stringify(odd.profile)).toBe('{"__proto__":{"polluted":"yes"},"constructor":"c","b":" x "}')
  expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
})

test.for<{ fix: Fix; from: unknown; to: unknown }>([
  { fix: { kind: 'trim' }, from: '\u00a0 Ann ', to: 'Ann' },
  { fix: { kind: 'trim' }, from: 7, to: 7 },
  { fix: { kind: 'collapse-blanks' }, from: 'Ann \t Lee', to: 'Ann Lee' },
  { fix: { kind: 'nfkc' }, from: 'Ａnn', to: 'Ann' },
  { fix: { kind: 'lower-case' }, from: 'ANN', to: 'ann' },
  { fix: { kind: 'strip-control-characters' }, from: 'A\u0007n\u200bn\n\u202eLee\u200d', to: 'Ann Lee' },
  { fix: { kind: 'strip-control-characters' }, from: ' می‌خواهم ', to: ' می‌خواهم ' },
  { fix: { kind: 'utf-8-again' }, from: 'RenÃ©e', to: 'Renée' },
  { fix: { kind: 'utf-8-again' }, from: 'MÃœLLER â€“ â‚¬', to: 'MÜLLER – €' },
  { fix: { kind: 'utf-8-again' }, from: 'Renée', to: 'Renée' },
  { fix: { kind: 'clear' }, from: 'x', to: undefined },
  { fix: { kind: 'phone', region: 'DE' }, from: ' 030 901820 ', to: '+4930901820' },
  { fix: { kind: 'phone', region: 'DE' }, from: 4930901820, to: '+4930901820' },
  { fix: { kind: 'phone' }, from: '+49 (30) 901820', to: '+4930901820' },
  { fix: { kind: 'phone' }, from: '030 901820', to: '030 901820' },
  { fix: { kind: 'phone', region: 'DE' }, from: '030 901820 ext. 5', to: '030 901820 ext. 5' },
  { fix: { kind: 'cut', length: 3 }, from: 'ab😀', to: 'ab' },
  { fix: { kind: 'cut', length: 4 }, from: 'ab😀c', to: 'ab😀' },
  { fix: { kind: 'replace', from: '.', to: '$&' }, from: 'a.b.c', to: 'a$&b$&c' },
  { fix: { kind: 'default', value: 'x' }, from: '', to: 'x' },
  { fix: { kind: 'default', value: 'x' }, from: 'y', to: 'y' },
  { fix: { kind: 'from', template: '{login}@example.com' }, from: null, to: 'ann@example.com' },
  { fix: { kind: 'from', template: '{profile.none}' }, from: null, to: null },
])('$fix.kind makes $to of $from', ({ fix, from, to }) => {
  const applied = applyRules(withProfile({ value: from, other: 1 }), [
    { name: 'r', field: 'profile.value', fix },
  ])
  const profile = to === undefined ? { other: 1 } : { value: to, other: 1 }
  expect(applied).toEqual({
    kind: 'kept',
    user: withProfile(profile),
    changed: from === to ? [] : ['r'],
  })
})

test('rules follow each other, and one with a condition passes over those without the problem', () => {
  const rules: FixRule[] = [
    { name: 'blanks', field: 'email', fix: { kind: 'replace', from: ' ', to: '' }, where: 'email-blank' },
    { name: 'lower', field: 'email', fix: { kind: 'lower-case' } },
    { name: 'gone', field: 'email', fix: { kind: 'clear' }, where: 'email-no-at' },
    { name: 'made', field: 'email', fix: { kind: 'from', template: '{login}@example.org' } },
  ]
  const emails = ['A nn@Example.com', 'ann@example.com', 'nobody', null].map((email) => {
    const applied = applyRules({ ...ann, email }, rules)
    return applied.kind === 'kept' && [applied.user.email, ...applied.changed]
  })
  expect(emails).toEqual([
    ['ann@example.com', 'blanks', 'lower'],
    ['ann@example.com'],
    ['ann@example.org', 'gone', 'made'],
    ['ann@example.org', 'made'],
  ])
})

test('a rule leaves out those who have the problem', () => {
  const rules: FixRule[] = [{ name: 'mute', field: 'email', fix: { kind: 'leave-out' }, where: 'missing' }]
  expect(preparedBy({ mapping: nothing, rules })({ ...ann, email: null })).toEqual({
    kind: 'left-out',
    rule: 'mute',
  })
  expect(preparedBy({ mapping: nothing, rules })(ann)).toEqual({ kind: 'ready', user: ann, attributes: {} })
})

test.for<{ title: string; rule: FixRule; profile: Record<string, unknown>; after: Record<string, unknown> }>([
  {
    title: 'a member is made with the object that it is in',
    rule: { name: 'r', field: 'profile.address.country', fix: { kind: 'default', value: 'DE' } },
    profile: {},
    after: { address: { country: 'DE' } },
  },
  {
    title: 'a member is changed among others',
    rule: { name: 'r', field: 'profile.address.country', fix: { kind: 'lower-case' } },
    profile: { address: { country: 'DE', locality: 'Köln' } },
    after: { address: { country: 'de', locality: 'Köln' } },
  },
  {
    title: 'a text is not thrown away for an object',
    rule: { name: 'r', field: 'profile.address.country', fix: { kind: 'default', value: 'DE' } },
    profile: { address: 'Köln' },
    after: { address: 'Köln' },
  },
  {
    title: 'clearing what is not there makes nothing',
    rule: { name: 'r', field: 'profile.address.country', fix: { kind: 'clear' }, where: 'missing' },
    profile: {},
    after: {},
  },
])('$title', ({ rule, profile, after }) => {
  const applied = applyRules(withProfile(profile), [rule])
  expect(applied.kind === 'kept' && applied.user.profile).toEqual(after)
})

test('nobody loses a login by a rule', () => {
  const applied = applyRules(ann, [
    { name: 'r', field: 'login', fix: { kind: 'replace', from: 'ann', to: '' } },
  ])
  expect(applied).toEqual({ kind: 'kept', user: ann, changed: [] })
})

test('rules are read as they are written', () => {
  const rules: FixRule[] = [
    { name: 'a', field: 'email', fix: { kind: 'trim' } },
    {
      name: 'b.1',
      field: 'profile.phone_number',
      fix: { kind: 'phone', region: 'DE' },
      where: 'phone-national',
    },
    { name: 'c', field: 'profile.x', fix: { kind: 'cut', length: 5 } },
    { name: 'd', field: 'profile.x', fix: { kind: 'replace', from: 'a', to: '' } },
    { name: 'e', field: 'profile.x', fix: { kind: 'default', value: 'a' } },
    { name: 'f', field: 'profile.x', fix: { kind: 'from', template: '{login}' } },
    { name: 'g', field: 'status', fix: { kind: 'leave-out' }, where: 'missing' },
  ]
  expect(readRules(JSON.stringify(rules))).toEqual(rules)
})

test.for([
  { rule: 7, wrong: 'is not an object' },
  {
    rule: { name: 'a', field: 'email', fix: { kind: 'trim' }, when: 1 },
    wrong: '"when" is not a part of a rule',
  },
  {
    rule: { name: 'a b', field: 'email', fix: { kind: 'trim' } },
    wrong: 'name: not 1 to 64 letters of ASCII, digits, dots, hyphens and underscores',
  },
  { rule: { name: 'a', field: 'mail', fix: { kind: 'trim' } }, wrong: 'field: not a field' },
  { rule: { name: 'a', field: 'email', fix: { kind: 'toString' } }, wrong: 'fix: kind: not a kind of fix' },
  {
    rule: { name: 'a', field: 'email', fix: { kind: 'trim', region: 'DE' } },
    wrong: 'fix: "region" is not a part of trim',
  },
  {
    rule: { name: 'a', field: 'email', fix: { kind: 'phone', region: 'XX' } },
    wrong: 'fix: region: not two capital letters of a country that is known',
  },
  {
    rule: { name: 'a', field: 'email', fix: { kind: 'cut', length: 1.5 } },
    wrong: 'fix: length: not a whole number above 0',
  },
  {
    rule: { name: 'a', field: 'email', fix: { kind: 'replace', from: '', to: 'x' } },
    wrong: 'fix: from, to: not two texts, the first of which has characters',
  },
  {
    rule: { name: 'a', field: 'email', fix: { kind: 'default', value: '' } },
    wrong: 'fix: value: not a text with characters',
  },
  {
    rule: { name: 'a', field: 'email', fix: { kind: 'from', template: '{x}' } },
    wrong: 'fix: template: names something that is no field',
  },
  { rule: { name: 'a', field: 'email', fix: { kind: 'leave-out' } }, wrong: 'where: leave-out needs one' },
  {
    rule: { name: 'a', field: 'email', fix: { kind: 'trim' }, where: 'duplicate' },
    wrong: 'where: not the code of a problem of one value',
  },
  { rule: { name: 'a', field: 'id', fix: { kind: 'trim' } }, wrong: 'field: id is not corrected by rules' },
  { rule: { name: 'a', field: 'login', fix: { kind: 'clear' } }, wrong: 'field: nobody is without login' },
])('a rule that is wrong is told by its place: $wrong', ({ rule, wrong }) => {
  const good = { name: 'good', field: 'email', fix: { kind: 'trim' } }
  expect(() => readRules(JSON.stringify([good, rule, good]))).toThrow(
    new MappingError([`rule 2: ${wrong}`, 'rule 3: "good" is the name of an earlier rule']),
  )
})
