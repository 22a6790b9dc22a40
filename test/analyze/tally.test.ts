import { expect, test } from 'vitest'
import { createTally } from '../../src/analyze/tally.ts'
import { classify } from '../../src/hashes/classify.ts'
import { BCRYPT_4, BCRYPT_10, copyRow } from './helpers.ts'

function tallied(rows: readonly ReturnType<typeof copyRow>[], mostCells?: number) {
  const tally = createTally(mostCells)
  for (const row of rows) tally.add(row, classify(row.hash))
  return tally.cells()
}

test('rows are told apart by cohort, scheme, cost and defect', () => {
  const cells = tallied([
    copyRow(),
    copyRow(),
    copyRow({}, { cohort: 'staff' }),
    copyRow({ scheme: null, encoded: BCRYPT_4 }),
    copyRow({ scheme: null, encoded: BCRYPT_10 }),
    copyRow({ scheme: null, encoded: '$2b$' }),
    copyRow({ encoded: null }),
  ])
  expect(
    cells.map(({ cohort, scheme, parameters, defect, rows }) => [cohort, scheme, parameters, defect, rows]),
  ).toEqual([
    ['retail', 'md5', '', null, 2],
    ['staff', 'md5', '', null, 1],
    ['retail', 'bcrypt', 'cost 4', null, 1],
    ['retail', 'bcrypt', 'cost 10', null, 1],
    ['retail', 'bcrypt', '', 'malformed', 1],
    ['retail', 'unknown', '', 'missing', 1],
  ])
})

const shared = { hashShared: true, saltShared: true }
const salted = { scheme: 'sha256($salt.$pass)', encoded: '5a'.repeat(32), salt: 'abc' }
test.for([
  { title: 'a column for the salt', hash: salted, row: { saltShared: true }, expected: [0, 1] },
  {
    title: 'the salt within the string, equal strings',
    hash: { scheme: null, encoded: BCRYPT_10 },
    row: shared,
    expected: [1, 1],
  },
  {
    title: 'the salt within the string, a column that is not used',
    hash: { scheme: null, encoded: BCRYPT_10, salt: 'abc' },
    row: { saltShared: true },
    expected: [0, 0],
  },
  { title: 'no salt', hash: {}, row: shared, expected: [1, 0] },
  { title: 'no hash', hash: { encoded: '*' }, row: { hashShared: true }, expected: [0, 0] },
  { title: 'a hash that is not read', hash: { scheme: null }, row: { hashShared: true }, expected: [1, 0] },
])('sharing: $title', ({ hash, row, expected }) => {
  const [cell] = tallied([copyRow(hash, row)])
  expect([cell?.hashShared, cell?.saltShared]).toEqual(expected)
})

test('a different cohort and recipe in each row does not fill the memory, and every row is counted', () => {
  const rows = Array.from({ length: 1_000 }, (_, at) =>
    copyRow({ scheme: `md5('${at}'.$pass)` }, { cohort: `cohort ${at}` }),
  )
  const cells = tallied([...rows, copyRow({ encoded: null })], 100)
  expect(cells.length).toBe(102)
  expect(cells.reduce((sum, cell) => sum + cell.rows, 0)).toBe(1_001)
  expect(cells.slice(100)).toMatchObject([
    { cohort: '(others)', scheme: '(others)', defect: null, weak: [], rows: 900 },
    { cohort: '(others)', scheme: '(others)', defect: 'missing', rows: 1 },
  ])
})
