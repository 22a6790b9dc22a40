import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkFor } from '../../src/commands/check.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { runLoad } from '../load/helpers.ts'
import { strictKind } from './kind.ts'

const file = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const known: Readonly<Record<string, string>> = JSON.parse(readFileSync(file('forty-defects.json'), 'utf8'))

/** Of these codes every user is put right by the rule that is suggested. */
const FIXABLE = [
  'email-blank',
  'missing-attribute',
  'phone-invalid',
  'phone-too-short',
  'phone-not-e164',
  'outer-blanks',
  'control-characters',
  'bidi-controls',
  'zero-width',
  'mojibake',
  'not-a-boolean',
  'not-a-date',
  'not-a-locale',
  'locale-underscore',
  'not-a-zone',
  'not-a-uri',
  'too-long',
]

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  const { code, summary } = await runLoad(db.url, file('forty-defects.jsonl'))
  expect([code, summary.rows, summary.added]).toEqual([0, 104, 104])
})
afterAll(() => db.drop())

const check = (...args: string[]) =>
  heard(
    (io) =>
      checkFor([strictKind]).run(
        ['strict', '--region', 'DE', '--mapping', file('forty-defects.mapping.json'), ...args],
        io,
      ),
    { env: { DATABASE_URL: db.url } },
  )

interface Problem {
  readonly code: string
  readonly severity: string
  readonly field: string | null
  readonly attribute: string | null
  readonly count: number
  readonly examples: readonly string[]
  readonly suggestion: { readonly name: string } | null
}

async function checked() {
  const { code, out, err } = await check('--json')
  expect(err).toBe('')
  const { problems, users, clean, onlyWarnings, withErrors, leftOut } = JSON.parse(out) as {
    problems: readonly Problem[]
  } & Record<string, number>
  // Every user of every problem, as no problem has more of them than examples.
  const found = problems.flatMap(({ code, count, examples }) => {
    expect(examples.length).toBe(count)
    return examples.map((id) => [id, code] as const)
  })
  return { code, problems, found: found.sort(), sums: { users, clean, onlyWarnings, withErrors, leftOut } }
}

test('forty defects are told, each once, and nothing of anybody else', async () => {
  const { code, found, sums, problems } = await checked()
  expect(Object.keys(known).length).toBe(40)
  expect(found).toEqual(Object.entries(known).sort())
  expect(sums).toEqual({ users: 104, clean: 64, onlyWarnings: 6, withErrors: 34, leftOut: 0 })
  expect(code).toBe(1)
  const warnings = problems.filter(({ severity }) => severity === 'warning').map((one) => one.code)
  expect(warnings.sort()).toEqual([
    'duplicate-email',
    'hash-unusable',
    'mojibake',
    'name-upper-case',
    'outer-blanks',
  ])
  const suggested = new Set(problems.filter(({ suggestion }) => suggestion !== null).map((one) => one.code))
  expect([...suggested].sort()).toEqual([...FIXABLE].sort())
})

test('rules that are in force put right what they can; undone, they bring back exactly that', async () => {
  const before = await checked()
  const copy = async () => (await db.owner.query('select u::text from legacy.users u order by id')).rows
  const rows = await copy()
  const applied = await check('--apply-suggested', FIXABLE.join(','))
  expect([applied.code, applied.err]).toEqual([0, ''])
  const names = applied.out
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^applied /, ''))
  const after = await checked()
  const left = Object.entries(known).filter(([, code]) => !FIXABLE.includes(code))
  // The hook looks this one up in the copy, where the blank still stands.
  expect(after.found).toEqual([...left, ['d03', 'email-not-looked-up']].sort())
  expect(after.sums).toEqual({ users: 104, clean: 81, onlyWarnings: 5, withErrors: 18, leftOut: 0 })
  expect(after.problems.some(({ suggestion }) => suggestion !== null)).toBe(false)
  expect(await copy()).toEqual(rows)
  for (const name of names) expect((await check('--undo', name)).code, name).toBe(0)
  expect(await checked()).toEqual(before)
})

test('a rule of one problem puts right the users of that problem alone', async () => {
  const { problems } = await checked()
  for (const { code, examples, suggestion } of problems) {
    if (suggestion === null) continue
    const { out } = await check('--preview', suggestion.name, '--json')
    const preview = JSON.parse(out)
    const [effect, ...others] = preview.effects
    expect(others).toEqual([])
    expect(
      preview.problems.some((one: Problem) => one.suggestion?.name === suggestion.name),
      code,
    ).toBe(false)
    expect(effect).toEqual({
      rule: suggestion.name,
      changed: examples.length,
      leftOut: 0,
      examples,
    })
  }
  expect((await db.owner.query('select from carryover.fixes where undone_at is null')).rowCount).toBe(0)
})
