import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

const pages = [
  'README.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

/** Rows of the tables whose first cell fits, as cells. */
function rows(path: string, first: RegExp): string[][] {
  return read(path)
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) =>
      line
        .split('|')
        .map((cell) => cell.trim())
        .slice(1, -1),
    )
    .filter(([cell = '']) => first.test(cell))
}

describe('what a page names is there', () => {
  test.each(pages)('%s', (page) => {
    const text = read(page)
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => join(dirname(page), target))
    const named = [
      ...text.matchAll(/`((?:src|test|docs|deploy|bench|scripts|migrations|demo)\/[\w./-]*\w)`/g),
    ].map(([, path = '']) => path)
    expect([...links, ...named].filter((path) => !existsSync(join(ROOT, path)))).toEqual([])
  })
})

test('the ASVS table has every requirement of levels 1 and 2 once, at its level, with an answer', () => {
  const ids = JSON.parse(read('test/paper/asvs-5.0-ids.json')) as Record<string, number>
  const table = rows('docs/asvs-5.0.md', /^\d+\.\d+\.\d+$/)
  expect(table.map(([id, level]) => [id, Number(level)])).toEqual(Object.entries(ids))
  const answers = ['met', 'partly', 'not applicable', 'the identity provider', 'the operator']
  expect(table.filter(([, , , answer = '']) => !answers.includes(answer))).toEqual([])
  expect(
    table.filter(
      ([, , , answer, where]) => ['met', 'partly', 'not applicable'].includes(answer ?? '') && !where,
    ),
  ).toEqual([])
})

test('every requirement has its line, with a test or the reason why there is none', () => {
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, at) => `R-${String(from + at).padStart(2, '0')}`)
  const wanted = [
    ...numbers(1, 16),
    ...numbers(20, 29),
    'R-2A',
    ...numbers(30, 36),
    ...numbers(40, 49),
    ...numbers(50, 57),
    ...numbers(60, 82),
    ...numbers(90, 97),
  ]
  const table = rows('docs/requirements.md', /^R-/)
  expect(table.map(([id]) => id)).toEqual(wanted)
  expect(table.filter(([, , state]) => !['met', 'partly', 'not met'].includes(state ?? ''))).toEqual([])
  expect(table.filter((cells) => !cells[3])).toEqual([])
})

test('every threat names its requirements', () => {
  const threats = rows('docs/threat-model.md', /^T\d+$/)
  expect(threats.map(([id]) => id)).toEqual(Array.from({ length: 38 }, (_, at) => `T${at + 1}`))
  expect(threats.filter(([, , , requirements = '']) => !/R-\d\d/.test(requirements))).toEqual([])
})
