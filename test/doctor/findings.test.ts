import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { inspecting } from '../../src/db/inspection.ts'
import {
  checkClock,
  checkLostSchemes,
  checkNames,
  checkPace,
  checkSchemes,
  checkServer,
} from '../../src/doctor/database.ts'
import { type Finding, worstFirst } from '../../src/doctor/finding.ts'
import { checkEmbedded, checkProviders } from '../../src/doctor/settings.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.drop())

const levels = (findings: readonly Finding[]) => findings.map(({ level }) => level)
const sound = { version: 160_004, inClear: false, unsafeCommits: false, logsValues: false }

test('a provider that has settings and no secret is warned about; one that has none is only named', () => {
  const known = ['one', 'two', 'three'].map((name) => ({ name, title: name.toUpperCase() }))
  const found = checkProviders(known, new Set(['one']), new Set(['one', 'two']))
  expect(found.map(({ level, says }) => [level, says])).toEqual([
    ['warning', 'TWO has settings and no secret, so it is not answered.'],
    ['fine', 'ONE: can ask.'],
    ['fine', 'THREE: not configured, so not answered.'],
  ])
})

test.each([
  { title: 'a sound server', change: {}, expected: [] },
  { title: 'an old one', change: { version: 130_012 }, expected: ['problem'] },
  { title: 'a connection in clear', change: { inClear: true }, expected: ['problem'] },
  { title: 'commits that may be lost', change: { unsafeCommits: true }, expected: ['problem'] },
  { title: 'values in the log', change: { logsValues: true }, expected: ['warning'] },
])('$title: $expected', ({ change, expected }) => {
  expect(levels(checkServer({ ...sound, ...change }))).toEqual(expected)
})

test.each([
  { ahead: 1_900, give: 1, level: 'fine' },
  { ahead: -1_900, give: 1, level: 'fine' },
  { ahead: 2_100, give: 1, level: 'warning' },
  { ahead: -2_100, give: 1, level: 'warning' },
  // As far as a slow line can tell, it may be right.
  { ahead: 2_100, give: 200, level: 'fine' },
])('a clock $ahead ms ahead, within $give ms: $level', ({ level, ...reading }) => {
  expect(checkClock(reading).level).toBe(level)
})

test.each([
  { median: 50, level: 'fine' },
  { median: 51, level: 'warning' },
])('look-ups of $median ms: $level', ({ median, level }) => {
  expect(checkPace(median).level).toBe(level)
})

test.each([
  { names: 0, says: 'No name is answered to by several users.' },
  { names: 2, says: '2 names are answered to by several users, and nobody can sign in under them.' },
  {
    names: 11,
    says: 'More than 10 names are answered to by several users, and nobody can sign in under them.',
  },
  {
    names: undefined,
    says: 'Names that several users answer to were not counted: it took too long on this copy.',
  },
])('$names shared names', ({ names, says }) => {
  expect(checkNames(names, 10).says).toBe(says)
})

test('no user whose hash can be checked is a problem, some are a warning, none unmigrated is fine', () => {
  const scheme = (unmigrated: number, unverifiable: number) => [
    { scheme: 'unknown', unmigrated, unverifiable },
  ]
  expect([scheme(2, 2), scheme(2, 1), scheme(0, 0)].flatMap((one) => levels(checkSchemes(2, one)))).toEqual([
    'problem',
    'warning',
    'fine',
  ])
  expect(levels(checkLostSchemes(undefined))).toEqual(['warning'])
})

test('an embedded server is told by its address', () => {
  expect(levels(checkEmbedded(['postgresql://owner@/x?host=%2Ftmp%2Fcarryover-pg-abc']))).toEqual(['warning'])
  expect(checkEmbedded(['postgresql://owner@db.example.com/carryover'])).toEqual([])
})

test('the worst comes first, the rest in its order', () => {
  const finding = (level: Finding['level'], says: string): Finding => ({
    check: 'names',
    level,
    says,
    todo: null,
  })
  const given = [
    finding('fine', '1'),
    finding('warning', '2'),
    finding('problem', '3'),
    finding('warning', '4'),
  ]
  expect(worstFirst(given).map(({ says }) => says)).toEqual(['3', '2', '4', '1'])
})

test('what takes too long is given up, and changes nothing', async () => {
  const client = new pg.Client({ connectionString: db.url })
  await client.connect()
  try {
    expect(await inspecting(client, () => client.query('select pg_sleep(60)'), 50)).toBeUndefined()
    await expect(
      inspecting(client, () => client.query('create table carryover.mine ()')),
    ).rejects.toMatchObject({
      code: '25006',
    })
    expect(await inspecting(client, async () => 'done')).toBe('done')
  } finally {
    await client.end()
  }
})
