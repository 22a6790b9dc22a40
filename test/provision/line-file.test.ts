import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { fileOfPlan, LineError, openLineFile } from '../../src/provision/line-file.ts'

const BUILT = fileURLToPath(new URL('../../dist/provision/line-file.js', import.meta.url))

const directory = mkdtempSync(join(tmpdir(), 'carryover-lines-'))
afterAll(() => rmSync(directory, { recursive: true }))

let files = 0
const newPath = () => join(directory, `users${files++}.jsonl`)
const line = (id: string, more = '') => JSON.stringify({ action: 'create', id, more })
const idsOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((text) => JSON.parse(text).id)

test('lines are appended in order, for the owner alone', async () => {
  const path = newPath()
  const file = await openLineFile(path)
  await file.append([line('a'), line('b')])
  await file.append([line('c')])
  await file.close()
  expect(idsOf(path)).toEqual(['a', 'b', 'c'])
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('an id that is there is not written again: in a call, in the next, and after opening anew', async () => {
  const path = newPath()
  const first = await openLineFile(path)
  await first.append([line('a'), line('a', 'other'), line('b')])
  await first.append([line('b')])
  await first.close()
  const second = await openLineFile(path)
  await second.append([line('a'), line('c'), line('b')])
  await second.close()
  expect(idsOf(path)).toEqual(['a', 'b', 'c'])
})

test.for([
  { title: 'half a line after whole ones', there: `${line('a')}\n${line('b').slice(0, 9)}`, kept: ['a'] },
  { title: 'a whole line without its end', there: `${line('a')}\n${line('b')}`, kept: ['a'] },
  { title: 'nothing but half a line', there: line('a').slice(0, 5), kept: [] },
  {
    title: 'half a character',
    there: Buffer.concat([Buffer.from(`${line('a')}\n{"id":"`), Buffer.from([0xc3])]),
    kept: ['a'],
  },
  { title: 'half a line that is long', there: `${line('a')}\n{"id":"${'x'.repeat(200_000)}`, kept: ['a'] },
  { title: 'nothing', there: '', kept: [] },
])('$title is repaired when the file is opened', async ({ there, kept }) => {
  const path = newPath()
  writeFileSync(path, there)
  const file = await openLineFile(path)
  await file.append([line('a'), line('b'), line('c')])
  await file.close()
  expect(idsOf(path)).toEqual([...kept, ...['a', 'b', 'c'].filter((id) => !kept.includes(id))])
})

test('separators of Unicode inside of a text, and lines over many reads, are no ends of lines', async () => {
  const path = newPath()
  const ids = ['a\u2028b', 'c\u2029d', 'e\u0085f', 'ü'.repeat(50_000)]
  const first = await openLineFile(path)
  await first.append(ids.map((id) => line(id, 'é'.repeat(70_001))))
  await first.close()
  const second = await openLineFile(path)
  await second.append(ids.map((id) => line(id)))
  await second.close()
  expect(idsOf(path)).toEqual(ids)
})

test.for([
  { title: 'of something else', there: 'id;login\n1;ann\n', place: 1 },
  { title: 'with a line that has no id', there: `${line('a')}\n{"login":"ann"}\n`, place: 2 },
  { title: 'with an empty line', there: `${line('a')}\n\n`, place: 2 },
])('a file $title is left as it is', async ({ there, place }) => {
  const path = newPath()
  writeFileSync(path, there)
  await expect(openLineFile(path)).rejects.toThrow(
    new LineError(`line ${place}: expected a JSON object with an id`),
  )
  expect(readFileSync(path, 'utf8')).toBe(there)
})

test.for(['no JSON', '{"login":"ann"}', '{"id":7}', `{"id":"a"}\n{"id":"b"}`])(
  'a call with what is no line writes nothing at all: %#',
  async (wrong) => {
    const path = newPath()
    const file = await openLineFile(path)
    await expect(file.append([line('a'), wrong])).rejects.toThrow(LineError)
    expect(readFileSync(path, 'utf8')).toBe('')
    await file.append([line('a')])
    await file.close()
    expect(idsOf(path)).toEqual(['a'])
  },
)

test('calls at the same time do not mix', async () => {
  const path = newPath()
  const file = await openLineFile(path)
  const batches = Array.from({ length: 20 }, (_, batch) =>
    Array.from({ length: 50 }, (__, at) => line(`${(batch * 25 + at) % 400}`)),
  )
  await Promise.all(batches.map((lines) => file.append(lines)))
  await file.close()
  const ids = idsOf(path)
  expect(ids).toHaveLength(400)
  expect(new Set(ids).size).toBe(400)
})

test('after a failure nothing more is written until it is opened anew', async () => {
  const path = newPath()
  const file = await openLineFile(path)
  await file.append([line('a')])
  await file.close()
  await expect(file.append([line('b')])).rejects.toThrow()
  await expect(file.append([line('b')])).rejects.toThrow('open it again')
  expect(idsOf(path)).toEqual(['a'])
})

/** Writes ids in batches, says each that is written, and begins again with the first. */
const WRITER = `
  const { openLineFile } = await import(${JSON.stringify(`file://${BUILT}`)})
  const file = await openLineFile(process.argv[1])
  for (let batch = 0; ; batch = (batch + 1) % 40) {
    await file.append(Array.from({ length: 100 }, (_, at) => JSON.stringify({ id: String(batch * 100 + at), more: 'x'.repeat(2000) })))
    process.stdout.write(batch + '\\n')
  }`

test('a process that is killed again and again writes each id once, and none that it reported is lost', async () => {
  const path = newPath()
  const reported = new Set<number>()
  for (let kill = 0; kill < 8; kill++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, path])
    let said = ''
    let failed = ''
    child.stdout.on('data', (chunk) => {
      said += chunk
    })
    child.stderr.on('data', (chunk) => {
      failed += chunk
    })
    const ended = new Promise((done) => child.once('close', done))
    // Until it has written something, and then a little further.
    while (said === '' && failed === '') await sleep(2)
    await sleep(kill * 3)
    child.kill('SIGKILL')
    await ended
    expect(failed).toBe('')
    for (const batch of said.split('\n').slice(0, -1)) reported.add(Number(batch))
    // What a loss of power leaves of a write.
    if (kill % 2 === 0) appendFileSync(path, '{"id":"39')
  }
  const file = await openLineFile(path)
  await file.close()
  const ids: string[] = idsOf(path)
  expect(new Set(ids).size).toBe(ids.length)
  for (const batch of reported)
    for (let at = 0; at < 100; at++) expect(ids.includes(String(batch * 100 + at))).toBe(true)
})

test.for([
  ['/data/users.jsonl', '/data/users.P.jsonl'],
  ['users', 'users.P'],
  ['a.b/users.out.jsonl', 'a.b/users.out.P.jsonl'],
])('the file of a plan: %s is %s', ([given, made]) => {
  expect(fileOfPlan(given ?? '', 'P')).toBe(made)
})
