import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkCopy } from '../../src/check/check.ts'
import { lookedUpBy } from '../../src/check/same.ts'
import { readCopiedUsers } from '../../src/db/copied-users.ts'
import { openSharedKeys } from '../../src/db/shared-keys.ts'
import type { FixRule, Mapping } from '../../src/mapping/user.ts'
import type { Traits } from '../../src/targets/target.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { strictKind } from './kind.ts'

let db: TestDatabase
beforeEach(async () => {
  db = await testDatabase()
})
afterEach(() => db.drop())

interface Options {
  readonly traits?: Partial<Traits> | null
  readonly mapping?: Mapping | null
  readonly rules?: readonly FixRule[]
  readonly cohort?: string
}

/** Code, field, attribute, count and examples of each problem, and the sums. */
async function checked({ traits = null, mapping = null, rules = [], cohort }: Options = {}) {
  const keys = await openSharedKeys(db.url, new AbortController().signal)
  try {
    const report = await checkCopy({
      rows: readCopiedUsers(db.url, new AbortController().signal),
      keys,
      rules,
      traits: traits === null ? null : { ...strictKind.traits, ...traits },
      mapping,
      mappingGiven: true,
      region: undefined,
      cohort,
      shown: new Set(),
      progress: () => {},
    })
    const { users, leftOut, clean, onlyWarnings, withErrors } = report
    return {
      sums: [users, leftOut, clean, onlyWarnings, withErrors],
      problems: report.problems.map(
        ({ code, field, attribute, count, examples }) =>
          `${code} ${field ?? '-'} ${attribute ?? '-'} ${count}: ${examples.join(' ')}`,
      ),
    }
  } finally {
    await keys.close()
  }
}

/** Rows: id, login, e-mail address, profile. */
async function users(...rows: readonly (readonly [string, string, (string | null)?, string?])[]) {
  for (const [id, login, email = null, profile = '{}'] of rows)
    await db.owner.query('insert into legacy.users (id, login, email, profile) values ($1, $2, $3, $4)', [
      id,
      login,
      email,
      profile,
    ])
}

const plain: Mapping = { attributes: { login: 'login' }, drop: [], calculated: {} }
/** Nothing is asked but what a test says. */
const lenient = { attributes: [], others: 'taken', standard: {} } as const

test('names that sign-ins are looked up by', async () => {
  await users(
    ['1', 'Ann', 'ann@example.com'],
    ['2', ' ann ', 'two@example.com'],
    ['3', 'cyd', 'TWO@example.com'],
    ['4', 'two@example.com'],
    ['5', 'eve', 'family@example.com'],
    ['6', 'fay', 'Family@example.com'],
    ['7', 'gus@example.com', 'Gus@example.com'],
    ['8', 'ｇus', 'solo@example.com'],
  )
  expect(await checked()).toEqual({
    sums: [8, 0, 3, 2, 3],
    problems: [
      'duplicate-login login - 2: 1 2',
      'email-is-login email - 2: 2 3',
      'duplicate-email email - 2: 5 6',
      'outer-blanks login - 1: 2',
    ],
  })
})

test('rows that only a view or somebody by hand could bring', async () => {
  await db.owner.query(`alter table legacy.users rename to beneath`)
  await db.owner.query(`create view legacy.users as select nullif(id, 'none') as id, nullif(login, 'none') as login,
    email, password_hash, hash_scheme, salt, status, cohort, profile, updated_at from legacy.beneath`)
  await db.owner.query(`insert into legacy.beneath (id, login, status, profile, updated_at) values
    ('1', 'ann', 'retired', '{}', now()), ('2', 'none', 'active', '{}', now()), ('3', 'cyd', 'active', '[1]', now()),
    ('4', 'dan', 'active', '{}', now() + interval '1 day'), ('none', 'eve', 'active', '{}', now()),
    ('6', ' ', 'locked', '{}', now())`)
  expect(await checked()).toEqual({
    sums: [6, 0, 0, 1, 5],
    problems: [
      'missing-login login - 2: 2 6',
      'bad-profile profile - 1: 3',
      'missing-id - - 1: ',
      'unknown-status status - 1: 1',
      'outer-blanks login - 1: 6',
      'updated-in-future updated_at - 1: 4',
    ],
  })
})

test('hashes that cannot be checked are told by the ledger, but for those that were purged; deleted users not at all', async () => {
  await users(['1', 'ann'], ['2', 'ben'], ['3', 'cyd'], ['4', 'dan'])
  await db.owner.query(`insert into carryover.users (user_id, cohort, scheme, usable, deleted_at, purged_at, migrated_at, state) values
    ('1', 'default', 'unknown', false, null, null, null, 'unmigrated'), ('2', 'default', 'md5', true, null, null, null, 'unmigrated'),
    ('3', 'default', 'unknown', false, now(), null, null, 'unmigrated'),
    ('4', 'default', 'unknown', false, null, now(), now(), 'migrated')`)
  expect(await checked()).toEqual({
    sums: [3, 0, 2, 1, 0],
    problems: ['hash-unusable password_hash - 1: 1'],
  })
})

test('fields of which the mapping says nothing, and fields that nobody has', async () => {
  await users(
    ['1', 'ann', 'ann@example.com', '{"a": 1, "address": {"locality": "Köln", "country": ""}}'],
    ['2', 'ben', null, '{"a": "", "b": null, "address": {"locality": "Bonn"}, "__proto__": {"x": 1}}'],
  )
  const mapping = {
    attributes: { login: 'login', 'profile.address.country': 'country', 'profile.b': 'b' },
    drop: ['email'],
    calculated: { c: '{profile.a}' },
  }
  expect(await checked({ mapping })).toEqual({
    sums: [2, 0, 0, 0, 2],
    problems: [
      'unmapped-field profile.address.locality - 2: 1 2',
      'unmapped-field profile.__proto__.x - 1: 2',
      'mapped-field-absent profile.address.country country 0: ',
      'mapped-field-absent profile.b b 0: ',
    ],
  })
})

test('what is dropped is not looked at; what is mapped is, as what the target takes it for', async () => {
  await users(['1', 'ann', 'nowhere', '{"mobile": "call me", "note": " x"}'])
  const traits = { ...lenient, attributes: [{ name: 'phone', format: 'e164' }] } as const
  const attributes = { login: 'login', 'profile.mobile': 'phone' }
  const dropping = { attributes, drop: ['email', 'profile.note'], calculated: {} }
  expect((await checked({ traits, mapping: dropping })).problems).toEqual([
    'phone-invalid profile.mobile - 1: 1',
  ])
  const keeping = {
    attributes: { ...attributes, email: 'email', 'profile.note': 'note' },
    drop: [],
    calculated: {},
  }
  expect((await checked({ traits: null, mapping: keeping })).problems).toEqual([
    'email-no-at email - 1: 1',
    'outer-blanks profile.note - 1: 1',
  ])
})

test.for<{ title: string; attribute: Traits['attributes'][number]; problems: readonly string[] }>([
  {
    title: 'required',
    attribute: { name: 'n', required: true },
    problems: ['missing-attribute profile.n n 1: 2'],
  },
  { title: 'least', attribute: { name: 'n', least: 3 }, problems: ['too-short profile.n n 1: 1'] },
  { title: 'most', attribute: { name: 'n', most: 3 }, problems: ['too-long profile.n n 1: 3'] },
  { title: 'pattern', attribute: { name: 'n', pattern: /^[a-z]+$/ }, problems: ['pattern profile.n n 1: 1'] },
  {
    title: 'format',
    attribute: { name: 'n', format: 'boolean' },
    problems: ['not-a-boolean profile.n - 2: 1 3'],
  },
  {
    title: 'a calculated one',
    attribute: { name: 'made', most: 5, required: true },
    problems: ['missing-attribute - made 1: 2', 'too-long - made 1: 3'],
  },
  {
    title: 'a calculated one that is unique',
    attribute: { name: 'same', unique: true },
    problems: ['not-unique - same 3: 1 2 3'],
  },
])('what a target asks of an attribute: $title', async ({ attribute, problems }) => {
  await users(['1', 'ann', null, '{"n": 12}'], ['2', 'ben'], ['3', 'cyd', null, '{"n": "abcdef"}'])
  const mapping = {
    attributes: { login: 'login', 'profile.n': 'n' },
    drop: [],
    calculated: { made: '{profile.n}', same: 'x{status}' },
  }
  const found = await checked({ traits: { ...lenient, attributes: [attribute] }, mapping })
  expect(found.problems).toEqual(problems)
})

test.for([
  { others: 'taken', problems: [] },
  { others: 'defined-beforehand', problems: ['attribute-to-define profile.n n 1: 1'] },
  { others: 'refused', problems: ['unknown-attribute profile.n n 1: 1'] },
] as const)(
  'an attribute that the target does not know, where such are $others',
  async ({ others, problems }) => {
    await users(['1', 'ann', null, '{"n": 1}'], ['2', 'ben'])
    const mapping = { attributes: { login: 'login', 'profile.n': 'n' }, drop: [], calculated: {} }
    const traits = { ...lenient, standard: { login: 'login' }, others }
    expect((await checked({ traits, mapping })).problems).toEqual(problems)
  },
)

test.for<{ sameness: Traits['sameness']; same: readonly string[] }>([
  { sameness: [], same: ['a b'] },
  { sameness: ['trim'], same: ['a b c'] },
  { sameness: ['case'], same: ['a b d'] },
  { sameness: ['diacritics'], same: ['a b e'] },
  { sameness: ['nfkc'], same: ['a b f'] },
  { sameness: ['trim', 'nfkc', 'case', 'diacritics'], same: ['a b c d e'] },
])('values are the same as the target sees it: $sameness', async ({ sameness, same }) => {
  const values = { a: 'rene', b: 'rene', c: ' rene', d: 'RENE', e: 'rené', f: 'ｒene' }
  for (const [id, n] of Object.entries(values)) await users([id, `login-${id}`, null, JSON.stringify({ n })])
  const mapping = { attributes: { login: 'login', 'profile.n': 'n' }, drop: [], calculated: {} }
  const traits = { ...lenient, attributes: [{ name: 'n', unique: true }], sameness } as const
  const { problems } = await checked({ traits, mapping })
  const expected = sameness.length === 4 ? 6 : (same[0]?.split(' ').length ?? 0)
  expect(problems.filter((one) => one.startsWith('not-unique'))).toEqual([
    `not-unique profile.n n ${expected}: ${same[0]}`,
  ])
})

test('users of one cohort are told of, and compared with all', async () => {
  await users(['1', 'ann', 'bad'], ['2', 'Ann', 'bad'], ['3', 'cyd', 'bad'])
  await db.owner.query(`update legacy.users set cohort = 'staff' where id = '2'`)
  expect(await checked({ cohort: 'staff' })).toEqual({
    sums: [1, 0, 0, 0, 1],
    problems: ['duplicate-login login - 1: 2', 'email-no-at email - 1: 2', 'duplicate-email email - 1: 2'],
  })
})

test('a name is looked up by the same text here as in the database', async () => {
  const names = [
    'Ann',
    ' ann\t',
    'ＡＮＮ',
    'ΟΔΟΣ',
    'οδος',
    'Straße',
    'İstanbul',
    'ﬁne',
    'e\u0301',
    '\u00a0x',
    'ǅ',
    '℡ 1',
  ]
  const { rows } = await db.owner.query<{ key: string }>(
    'select carryover.name_key(name) as key from unnest($1::text[]) with ordinality as n (name, place) order by place',
    [names],
  )
  expect(names.map(lookedUpBy)).toEqual(rows.map(({ key }) => key))
})

test('a rule must not change a login into one that no sign-in finds', async () => {
  await users(['1', 'Ann '], ['2', 'be\u200bn'])
  const rules: FixRule[] = [
    { name: 'lower', field: 'login', fix: { kind: 'lower-case' } },
    { name: 'strip', field: 'login', fix: { kind: 'strip-control-characters' } },
  ]
  expect(await checked({ mapping: plain, rules })).toEqual({
    sums: [2, 0, 0, 1, 1],
    problems: ['login-not-looked-up login - 1: 2', 'outer-blanks login - 1: 1'],
  })
})

test('an e-mail address that a rule made is not one that a sign-in finds, unless it is the login', async () => {
  await users(
    ['1', 'ann', 'ann@ example.com'],
    ['2', 'ben@example.com', null],
    ['3', 'cyd', ' CYD@example.com'],
    ['4', 'dee', null],
  )
  const rules: FixRule[] = [
    { name: 'blank', field: 'email', fix: { kind: 'replace', from: ' ', to: '' } },
    { name: 'lower', field: 'email', fix: { kind: 'lower-case' } },
    { name: 'login', field: 'email', fix: { kind: 'from', template: '{login}' } },
    { name: 'none', field: 'email', fix: { kind: 'clear' }, where: 'email-no-at' },
  ]
  const mapped = { ...plain, attributes: { ...plain.attributes, email: 'email' } }
  expect(await checked({ mapping: mapped, rules })).toEqual({
    sums: [4, 0, 3, 1, 0],
    problems: ['email-not-looked-up email - 1: 1'],
  })
  const dropped = { ...plain, drop: ['email'] }
  expect(await checked({ mapping: dropped, rules })).toEqual({ sums: [4, 0, 4, 0, 0], problems: [] })
})

test('who is left out has no problems, but still answers to the name', async () => {
  await users(['1', 'ann', 'bad'], ['2', 'Ann', 'ann@example.com'])
  const rules: FixRule[] = [{ name: 'out', field: 'email', fix: { kind: 'leave-out' }, where: 'email-no-at' }]
  expect(await checked({ rules })).toEqual({
    sums: [2, 1, 0, 0, 1],
    problems: ['duplicate-login login - 1: 2'],
  })
})

test('profiles that are keyed by something else do not fill the memory', async () => {
  const profile = (from: number) =>
    JSON.stringify(Object.fromEntries(Array.from({ length: 600 }, (_, at) => [`k${from + at}`, at + 1])))
  await users(['1', 'ann', null, profile(0)], ['2', 'ben', null, profile(600)])
  const { problems } = await checked({ mapping: plain })
  expect(problems.length).toBeLessThanOrEqual(1_001)
  expect(problems.find((one) => one.startsWith('unmapped-field profile.* '))).toMatch(/ - 1: [12]$/)
})
