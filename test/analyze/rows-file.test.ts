import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openRowsFile } from '../../src/analyze/rows-file.ts'

let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryover-rows-'))
})
afterAll(() => rm(directory, { recursive: true }))

async function written(path: string, ids: readonly string[]): Promise<string> {
  const file = await openRowsFile(path)
  await file.keep(ids.map((id) => ({ id, cohort: 'retail', defect: 'missing' })))
  await file.close()
  return readFile(path, 'utf8')
}

test.for(['=1+1', '+1', '-1', '@SUM(1)', '\t=1', '\r=1', '\n=1'])('%j is no formula', async (id) => {
  expect(await written(join(directory, 'formula.csv'), [id])).toBe(
    `id,cohort,defect\r\n"'${id}","retail","missing"\r\n`,
  )
})

test('quotes and other separators stay within their cell', async () => {
  expect(await written(join(directory, 'quotes.csv'), ['a";=1', "b'"])).toBe(
    `id,cohort,defect\r\n"a"";=1","retail","missing"\r\n"b'","retail","missing"\r\n`,
  )
})

test('only its owner can read it, also where a file was before', async () => {
  const path = join(directory, 'open.csv')
  await writeFile(path, 'older and longer than what comes')
  await chmod(path, 0o644)
  expect(await written(path, [])).toBe('id,cohort,defect\r\n')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})
