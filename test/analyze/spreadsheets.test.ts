import { expect, test } from 'vitest'
import { sheetCell as cell } from '../../src/sheet.ts'
import { sized } from '../helpers/assurance.ts'
import { seeded } from '../helpers/random.ts'

test.each([
  ['=1+1', true],
  ['+1', true],
  ['-1', true],
  ['@SUM(A1)', true],
  ['\t=1', true],
  ['\r=1', true],
  ['\n=1', true],
  ['\tx', true],
  [' =1', true],
  ['   +1', true],
  ['\u00a0=1', true],
  ['"=1', true],
  ['" =1', true],
  ["'=1", true],
  ['\ufeff=1', true],
  ['＝1', true],
  ['＋1', true],
  ['－1', true],
  ['＠x', true],
  ['=cmd|x!A1', true],
  ['=HYPERLINK("https://example.com")', true],
  ['', false],
  ['a=1', false],
  ['1-1', false],
  ['ann@example.com', false],
  ['"quoted"', false],
  ['日本', false],
] as const)('the cell %j of a report', (text, escaped) => {
  expect(cell(text)).toBe(`"${escaped ? "'" : ''}${text.replaceAll('"', '""')}"`)
})

test('whatever a cell holds, what a spreadsheet reads is no formula, and is the text or the text behind an apostrophe', () => {
  const next = seeded(44)
  const characters = [...'=+-@\t\r\n "\'a1,;|!＝＋－＠\u00a0\ufeff']
  let escaped = 0
  for (let at = 0; at < sized(20_000, 1_000_000); at++) {
    const text = Array.from(
      { length: Math.floor(next() * 6) },
      () => characters[Math.floor(next() * characters.length)],
    ).join('')
    const read = cell(text).slice(1, -1).replaceAll('""', '"')
    if (read !== text) escaped++
    if (read !== text && read !== `'${text}`) expect(read).toBe(text)
    // The first character is what counts, and the first that is left where blanks and quotes are taken away.
    if (!read.startsWith("'") || read === text) {
      const first = [...read.replace(/^[\s"'\ufeff]+/, '')][0] ?? ''
      if ('=+-@＝＋－＠\t\r\n'.includes(first) && first !== '') expect(read, 'a formula').toBe('')
      if (/^[\t\r\n]/.test(read)) expect(read, 'a control character').toBe('')
    }
  }
  expect(escaped).toBeGreaterThan(1_000)
})
