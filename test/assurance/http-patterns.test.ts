import { describe, expect, test } from 'vitest'
import { formats } from '../../src/hashes/index.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { type Literal, literalsOfSrc, worstMillis } from '../helpers/regexes.ts'

// A pattern that tries again and again takes the square of a text's length, or more, and whoever sends the text stops the
// service with it. 26 characters are enough to see what doubles with each, and the long ones to see squares.

const SHORT = 26
const LONG = sized(20_000, 100_000)

/** Milliseconds. A square takes hundreds of them at the smaller length, and thousands at the larger one. */
const MOST = sized(60, 5)

const { literals, built } = literalsOfSrc()
const shapes = formats.map(
  ({ name, shape }): Literal => ({ file: name, pattern: shape.source, flags: shape.flags }),
)

test('what these tests look for is found', () => {
  for (const pattern of ['\\s+$', 'a*b', '^x+[a-z ]+y$'])
    expect(worstMillis({ file: '', pattern, flags: '' }, 5_000, 5), pattern).toBeGreaterThan(5)
  for (const pattern of ['^(a+)+$', '^(?:a|a)*$', '^x(?:[a-z]+)*y$'])
    expect(worstMillis({ file: '', pattern, flags: '' }, 23, 5), pattern).toBeGreaterThan(5)
})

test('the patterns of src are found', () => {
  expect(literals.length).toBeGreaterThan(300)
  expect(literals).toContainEqual({ file: 'input.ts', pattern: '\\p{Surrogate}', flags: 'u' })
})

test('patterns are built from text for the shapes of formats, and of settings', () => {
  const elsewhere = built.filter((file) => !file.startsWith('hashes/'))
  expect(elsewhere).toEqual(['dialects/ory.ts'])
})

describe('the worst texts for a pattern take no time to speak of', allowed(60_000, 600_000), () => {
  test.each([
    { title: 'literals', patterns: literals },
    { title: 'shapes of stored hashes', patterns: shapes },
  ])('$title', ({ title, patterns }) => {
    const slow: string[] = []
    let worst = 0
    for (const literal of patterns) {
      const short = worstMillis(literal, SHORT, MOST)
      const millis = short > MOST ? short : worstMillis(literal, LONG, MOST)
      worst = Math.max(worst, millis)
      if (millis > MOST) slow.push(`${literal.file} /${literal.pattern}/ ${millis.toFixed(1)} ms`)
    }
    measured({
      part: 'http',
      requirement: 'R-54',
      what: `${patterns.length} ${title}, each over its worst texts of ${LONG.toLocaleString('en')} characters`,
      wanted: `< ${MOST} ms each`,
      got: `${worst.toFixed(1)} ms at most`,
    })
    expect(slow).toEqual([])
  })
})
