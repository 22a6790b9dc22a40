import { expect, test } from 'vitest'
import { pageOf } from '../../src/analyze/page.ts'
import { buildReport, costClasses } from '../../src/analyze/report.ts'
import { tablesOf } from '../../src/analyze/tables.ts'
import { createTally } from '../../src/analyze/tally.ts'
import type { Timed } from '../../src/analyze/timing.ts'
import { classify } from '../../src/hashes/classify.ts'
import { BCRYPT_4, BCRYPT_10, copyRow } from './helpers.ts'

const NASTY = `<script>alert("x")</script>&'\u001b[2J`

function reportOf(rows: readonly ReturnType<typeof copyRow>[], times: Readonly<Record<string, Timed>>) {
  const tally = createTally()
  for (const row of rows) tally.add(row, classify(row.hash))
  const timed = new Map(
    costClasses(tally.cells()).map((cost) => [
      cost,
      times[cost.parameters || cost.scheme] ?? { failure: 'none' },
    ]),
  )
  return buildReport(tally.cells(), timed, { asOf: new Date(0), clock: 1_200, threads: 2 })
}

const bcrypt10 = copyRow({ scheme: null, encoded: BCRYPT_10 })
const bcrypt4 = copyRow({ scheme: null, encoded: BCRYPT_4 }, { cohort: NASTY, hashShared: true })
const fast: Timed = { checks: 100, p50: 1, p99: 2, perSecond: 1_000 }
const slow: Timed = { checks: 5, p50: 1_100, p99: 1_300, perSecond: 1 }

test('a share of rows misses the clock, and the capacity is that of the mix', () => {
  const report = reportOf([bcrypt10, bcrypt4, bcrypt4, bcrypt4], { 'cost 10': slow, 'cost 4': fast })
  expect(report).toMatchObject({
    rows: 4,
    read: 4,
    unread: 0,
    late: 1,
    lateShare: 0.25,
    hashShared: 3,
    saltShared: 3,
    weak: { 'bcrypt-cost': 3 },
    // 4 rows take 1 s and three times a millisecond.
    perSecond: 3.99,
    costs: [
      { scheme: 'bcrypt', parameters: 'cost 4', rows: 3, late: false },
      { scheme: 'bcrypt', parameters: 'cost 10', rows: 1, late: true, p99: 1_300 },
    ],
  })
  expect(report.groups.map(({ cohort, lateShare, p50 }) => [cohort, lateShare, p50])).toEqual([
    [NASTY, 0, 1],
    ['retail', 1, 1_100],
  ])
})

test('rows that this machine cannot check are not taken for late or fast', () => {
  const report = reportOf([bcrypt10, copyRow({ encoded: null })], { 'cost 10': { failure: 'argon2-native' } })
  expect(report).toMatchObject({ read: 1, unread: 1, unavailable: 1, late: 0, perSecond: null })
})

test('an empty copy has no shares', () => {
  expect(reportOf([], {})).toMatchObject({ rows: 0, lateShare: null, groups: [], costs: [] })
})

test('the page needs nothing else, and shows texts of rows as texts', () => {
  const page = pageOf(
    reportOf([bcrypt10, bcrypt4, copyRow({ encoded: null })], { 'cost 10': slow, 'cost 4': fast }),
  )
  expect(page).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;?[2J')
  expect(page).not.toMatch(/<script|https?:|src=|@import|url\(/)
  expect(page).not.toContain('\u001b')
  expect(page).toContain(`default-src 'none'`)
})

test('costs of one scheme that have no word of their own are told apart', () => {
  const decoy = copyRow().hash
  const costs = [6.5, 13].map((millis) => ({ scheme: 'some', parameters: '', millis, rows: 1, decoy }))
  const report = buildReport([], new Map(costs.map((cost) => [cost, fast])), {
    asOf: new Date(0),
    clock: 1,
    threads: 1,
  })
  expect(report.costs.map(({ parameters }) => parameters)).toEqual([
    'estimated at 6.5 ms',
    'estimated at 13 ms',
  ])
})

test('what says the scheme is counted, and rows that are told only probably are pointed out', () => {
  const report = reportOf(
    [
      bcrypt10,
      copyRow(),
      copyRow({ scheme: null }),
      copyRow({ scheme: null, encoded: 'CaCarryover..' }),
      copyRow({ scheme: null, encoded: '$2b$' }),
      copyRow({ encoded: null }),
    ],
    {},
  )
  expect(report.told).toEqual({ exact: 2, 'by hash_scheme': 1, 'needs a scheme': 1, probable: 1 })
  expect(report.groups.map(({ scheme, told }) => [scheme, told])).toEqual(
    expect.arrayContaining([
      ['bcrypt', { exact: 2 }],
      ['descrypt', { probable: 1 }],
      ['unknown', { 'needs a scheme': 1 }],
    ]),
  )
  const tables = tablesOf(report)
  expect(tables.find(({ title }) => title.startsWith('Told only probably'))?.rows).toEqual([
    ['cohort', 'scheme', 'rows'],
    ['retail', 'descrypt', '1'],
  ])
  expect(pageOf(report)).toContain('Told only probably')
})
