import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFormat } from '../../src/commands/load-source.ts'
import { leftOf } from '../../src/commands/load-told.ts'
import { openLoad } from '../../src/db/copy.ts'
import { rowEncoder } from '../../src/db/encode.ts'
import { BY_ID } from '../../src/db/filing.ts'
import { encodeFile } from '../../src/load/batches.ts'
import { inChunks, loadAll } from '../../src/load/load.ts'
import { type BrokenRow, SourceError, type SourceRow, type SourceRows } from '../../src/load/source-row.ts'
import type { SourceFormat } from '../../src/sources/format.ts'
import { sourceFormats } from '../../src/sources/index.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { fakeClassify, scratch, versions } from './helpers.ts'

let database: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  database = await testDatabase()
  files = await scratch()
})
afterEach(async () => {
  await database.drop()
  await files.remove()
})

/** Lines of `name:hash`; a line of dots cannot be read, and a line of stars ends everything. */
const format: SourceFormat = {
  name: 'colons',
  note: 'lines of colons',
  extensions: ['.colons'],
  rows: async function* (bytes) {
    let text = ''
    for await (const chunk of bytes) text += Buffer.from(chunk).toString()
    for (const [at, one] of text.split('\n').entries()) {
      if (one.startsWith('*')) throw new SourceError(`line ${at + 1} is no line of colons`)
      if (one.startsWith('.')) yield { line: at + 1, broken: 'unreadable' } as const
      else if (one !== '') {
        const [login, hash] = one.split(':')
        yield {
          line: at + 1,
          row: { id: login, login, password_hash: hash ?? null, profile: { from: 'colons' } },
        }
      }
    }
  },
}

async function bring(content: string) {
  const path = await files.file('users.colons', content)
  const source = await openFormat(format, path)
  return loadAll(
    {
      path,
      source: source.rows,
      format: 'jsonl',
      delimiter: ',',
      cohort: 'default',
      refusedPath: `${path}.refused.jsonl`,
      reasonsPath: `${path}.refused.txt`,
      map: [],
      drop: [],
      filing: { ...BY_ID, staged: true },
    },
    {
      openLoad: (filing) => openLoad(database.url, filing),
      encode: (job) => encodeFile(job, { classify: fakeClassify, encoder: rowEncoder }),
      classify: fakeClassify,
      progress: () => {},
      stop: new AbortController().signal,
    },
  )
}

test('rows of another format keep their lines, their rules and their refusals', async () => {
  const content = 'ann:bcrypt:\n\nbob:!\n...\nann:again\n  :h\n'
  const { summary, refusedFiles, digest } = await bring(content)
  expect(summary).toMatchObject({ rows: 5, added: 2, refused: 3, unusable: { 'locked-marker': 1 } })
  expect(summary.firstRefused).toEqual([
    { line: 4, rule: 'unreadable' },
    { line: 5, rule: 'repeated-id', first: 1 },
    { line: 6, rule: 'required', field: 'id' },
  ])
  expect(digest).toBe(createHash('sha256').update(content).digest('hex'))
  expect(
    (await readFile(refusedFiles[0]?.path ?? '', 'utf8')).split('\n').map((line) => line && JSON.parse(line)),
  ).toEqual([
    { id: '  ', login: '  ', password_hash: 'h', profile: { from: 'colons' } },
    { id: 'ann', login: 'ann', password_hash: 'again', profile: { from: 'colons' } },
    '',
  ])
})

test('a file that turns out to be something else changes nothing', async () => {
  const before = await versions(database.owner)
  await expect(bring('ann:h\n***\n')).rejects.toThrow('line 2 is no line of colons')
  expect(await versions(database.owner)).toEqual(before)
})

test('a source is taken in parts, each row once', async () => {
  const given = Array.from({ length: 7 }, (_, at) => ({ line: at + 1, row: { id: at } }))
  const source: SourceRows = { rows: Readable.from(given), bytes: () => 0, ofBytes: 0, digest: () => null }
  const next = inChunks(source, 3)
  const parts: (SourceRow | BrokenRow)[][] = []
  for (let part = await next(); part !== null; part = await next()) {
    const taken: (SourceRow | BrokenRow)[] = []
    for await (const row of part.rows) taken.push(row)
    parts.push(taken)
  }
  expect(parts).toEqual([given.slice(0, 3), given.slice(3, 6), given.slice(6)])
})

test('every format has a name and extensions of its own', () => {
  const names = ['csv', 'jsonl', ...sourceFormats.map(({ name }) => name)]
  const extensions = ['.csv', '.jsonl', '.ndjson', ...sourceFormats.flatMap((one) => one.extensions)]
  expect(new Set(names).size).toBe(names.length)
  expect(new Set(extensions).size).toBe(extensions.length)
})

test.each([
  [10, 0, 0, ''],
  [10, 0, 100, ', 0 %'],
  [10, 50, 100, ', 50 %, 10 s left'],
  [600, 100, 400, ', 25 %, 30 min left'],
  [3_600, 100, 400, ', 25 %, 3 h 0 min left'],
  [10, 100, 100, ', 100 %, 0 s left'],
])('after %d s and %d of %d bytes the progress line ends with %j', (seconds, bytes, of, text) => {
  expect(leftOf(seconds, bytes, of)).toBe(text)
})
