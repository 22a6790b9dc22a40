import { readFile, stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CopyLoad } from '../../src/db/copy.ts'
import type { CopyRow, RowEncoder } from '../../src/db/encode.ts'
import { encodeFile } from '../../src/load/batches.ts'
import { FieldsError } from '../../src/load/columns.ts'
import { type LoadRequest, loadFile } from '../../src/load/load.ts'
import { fakeClassify, scratch } from './helpers.ts'

let files: Awaited<ReturnType<typeof scratch>>
beforeAll(async () => {
  files = await scratch()
})
afterAll(() => files.remove())

let made = 0

/** Loads into nothing: the rows that would go into the copy, and what was said of the others. */
async function read(content: string | Buffer, options: Partial<LoadRequest> = {}) {
  const format = options.format ?? 'csv'
  const path = await files.file(`${++made}.${format}`, content)
  const rows: CopyRow[] = []
  const copy: CopyLoad = {
    plan: { fresh: true, now: 0 },
    deletedIds: async function* () {},
    send: async () => {},
    lateRefusals: async function* () {},
    findMissing: async () => ({ missing: 0, kept: false }),
    commit: async () => ({
      added: rows.length,
      changed: 0,
      deleted: 0,
      keptPurged: 0,
      changedAfterMigration: 0,
      unusable: {},
    }),
    close: async () => {},
  }
  const encoder: RowEncoder = {
    add: (row) => rows.push({ ...row }),
    take: () => [],
    tally: () => ({ direct: rows.length, suspects: 0, deltas: [], unusable: {} }),
  }
  const summary = await loadFile(
    {
      path,
      format,
      delimiter: ',',
      cohort: 'default',
      refusedPath: `${path}.refused`,
      reasonsPath: `${path}.reasons`,
      map: [],
      drop: [],
      ...options,
    },
    {
      openLoad: async () => copy,
      encode: (job) => encodeFile(job, { classify: fakeClassify, encoder: () => encoder }),
      classify: fakeClassify,
      progress: () => {},
      stop: new AbortController().signal,
    },
  )
  return {
    rows,
    refused: summary.firstRefused.map(({ line, rule, field }) =>
      [line, rule, ...(field ? [field] : [])].join(' '),
    ),
    summary,
  }
}

const HEADER = 'id,login,email,password_hash,status,profile,updated_at,deleted'
const good = (id: string) => `${id},${id}@example.com,,bcrypt:x,,,,`

describe('CSV', () => {
  const long = (length: number) => 'x'.repeat(length)
  test.for([
    { title: 'no id', row: ',a@example.com,,h,,,,', says: '3 required id' },
    { title: 'a blank login', row: 'a,  ,,h,,,,', says: '3 required login' },
    { title: 'a long id', row: `${long(257)},a,,h,,,,`, says: '3 too-long id' },
    { title: 'a login long in bytes', row: `a,${'ü'.repeat(161)},,h,,,,`, says: '3 too-long login' },
    { title: 'a login long in NFKC', row: `a,${'ﷺ'.repeat(100)},,h,,,,`, says: '3 too-long login' },
    { title: 'a long hash', row: `a,a,,${long(4097)},,,,`, says: '3 too-long password_hash' },
    { title: 'a wrong status', row: 'a,a,,h,Aktiv,,,', says: '3 status status' },
    {
      title: 'a row of formulas, which stay as they are to be loaded again',
      row: '=1,+a@example.com,-1,@h,Aktiv,,,',
      says: '3 status status',
    },
    { title: 'a profile that is a list', row: 'a,a,,h,,[1],,', says: '3 profile profile' },
    { title: 'a profile that is no JSON', row: 'a,a,,h,,{x},,', says: '3 profile profile' },
    { title: 'a profile with NUL', row: 'a,a,,h,,"{""a"":""\\u0000""}",,', says: '3 profile profile' },
    {
      title: 'a profile with half a pair',
      row: 'a,a,,h,,"{""a"":""\\ud800""}",,',
      says: '3 profile profile',
    },
    {
      title: 'a deep profile',
      row: `a,a,,h,,"{""a"":${'['.repeat(40)}${']'.repeat(40)}}",,`,
      says: '3 profile profile',
    },
    { title: 'a huge number', row: 'a,a,,h,,"{""a"":1e999}",,', says: '3 profile profile' },
    { title: 'a moment without zone', row: 'a,a,,h,,,2025-01-01T00:00:00,', says: '3 updated-at updated_at' },
    {
      title: 'a day that does not exist',
      row: 'a,a,,h,,,2025-02-29T00:00:00Z,',
      says: '3 updated-at updated_at',
    },
    { title: 'an unclear mark', row: 'a,a,,h,,,,maybe', says: '3 deleted deleted' },
    { title: 'a zero date as mark', row: 'a,a,,h,,,,0000-00-00 00:00:00', says: '3 deleted deleted' },
    { title: 'too few cells', row: 'a,a,,h', says: '3 cell-count' },
    { title: 'too many cells', row: 'a,a,,h,,,,,', says: '3 cell-count' },
    { title: 'text after a closing quote', row: 'a,"a"b,,h,,,,', says: '3 quotes' },
    { title: 'an open quote', row: 'a,"a,,h,,,,', says: '3 quotes' },
    { title: 'NUL', row: 'a,a\0,,h,,,,', says: '3 unstorable' },
    { title: 'NUL in a row with quotes', row: 'a,"a\0",,h,,,,', says: '3 unstorable' },
    { title: 'bytes that are no UTF-8', row: Buffer.from('a,f\xfcr,,h,,,,', 'latin1'), says: '3 not-utf8' },
  ])('$title is refused by line and rule', async ({ row, says }) => {
    const content = Buffer.concat([
      Buffer.from(`${HEADER}\n${good('before')}\n`),
      Buffer.from(row),
      Buffer.from(`\n${good('after')}\n`),
    ])
    const { rows, refused, summary } = await read(content)
    expect(refused).toEqual([says])
    expect(rows.map(({ id, line }) => [id, line])).toEqual([
      ['before', 2],
      ['after', 4],
    ])
    // The refused row as it was, to be corrected. Quotes that are not needed may come and go.
    const unquoted = (bytes: Buffer) => bytes.toString('latin1').replaceAll('"', '')
    expect(unquoted(await readFile(summary.refusedPath ?? ''))).toBe(
      `${HEADER}\n${unquoted(Buffer.from(row))}\n`,
    )
    expect((await stat(summary.refusedPath ?? '')).mode & 0o777).toBe(0o600)
    expect(await readFile(summary.reasonsPath ?? '', 'utf8')).toMatch(/^line 3: [a-z0-9-]+: /)
  })

  test('quoted line breaks do not disturb the line numbers', async () => {
    const { rows, refused } = await read(
      `${HEADER}\r\n"a\r\nb","login\n\n",,h,,,,\r\n${good('c')}\r\n\r\n,x,,h,,,,\r\n${good('d')}`,
    )
    expect(rows.map(({ id, login, line }) => [id, login, line])).toEqual([
      ['a\r\nb', 'login', 2],
      ['c', 'c@example.com', 6],
      ['d', 'd@example.com', 9],
    ])
    expect(refused).toEqual(['8 required id'])
  })

  test('a row is the same wherever the pieces of the file end', async () => {
    const rowsOf = (count: number) =>
      Array.from(
        { length: count },
        (_, at) => `id${at},"log""in${at}","ü\n€",bcrypt:${'x'.repeat(at % 400)},,"{""n"":""𝄞${at}""}",,`,
      )
    const { rows, refused } = await read(`\ufeff${HEADER}\n${rowsOf(3_000).join('\n')}`)
    expect(refused).toEqual([])
    expect(rows).toHaveLength(3_000)
    expect(
      rows.every(
        ({ id, login, email, profile, line }, at) =>
          id === `id${at}` &&
          login === `log"in${at}` &&
          email === 'ü\n€' &&
          profile === `{"n":"𝄞${at}"}` &&
          line === 2 + 2 * at,
      ),
    ).toBe(true)
  })

  test('an unclosed quote costs its own row and not the rest of the file', async () => {
    const many = Array.from({ length: 30_000 }, (_, at) => good(`id${at}`)).join('\n')
    const { rows, refused } = await read(`${HEADER}\n${good('a')}\nb,"b,,h,,,,\n${many}\n`)
    expect(refused).toEqual(['3 quotes'])
    expect(rows).toHaveLength(30_001)
    expect(rows.at(-1)?.line).toBe(30_003)
  })

  test('every column arrives', async () => {
    const { rows } = await read(
      'id,login,email,password_hash,hash_scheme,salt,status,cohort,profile,updated_at,deleted\n' +
        ' 1 , Ann ,ann@example.com, h ,md5($pass),s,locked,retail,"{""given_name"":""Ann""}",2000-01-01T01:00:00.5+01:00,no\n',
    )
    expect(rows).toEqual([
      {
        line: 2,
        id: ' 1 ',
        login: 'Ann',
        email: 'ann@example.com',
        passwordHash: ' h ',
        hashScheme: 'md5($pass)',
        salt: 's',
        status: 'locked',
        cohort: 'retail',
        profile: '{"given_name":"Ann"}',
        updatedAt: 500_000,
        deleted: false,
        scheme: ' h ',
        defect: null,
        raw: null,
      },
    ])
  })

  test.for([
    { title: 'an empty cell', format: 'csv', content: 'id,login,password_hash,salt\n1,ann,h,\n', salt: '' },
    { title: 'quotes alone', format: 'csv', content: 'id,login,password_hash,salt\n1,ann,h,""\n', salt: '' },
    { title: 'a blank', format: 'csv', content: 'id,login,password_hash,salt\n1,ann,h, \n', salt: ' ' },
    { title: '\\N', format: 'csv', content: 'id,login,password_hash,salt\n1,ann,h,\\N\n', salt: null },
    { title: 'NULL', format: 'csv', content: 'id,login,password_hash,salt\n1,ann,h,NULL\n', salt: null },
    { title: 'no column', format: 'csv', content: 'id,login,password_hash\n1,ann,h\n', salt: null },
    {
      title: 'an empty text of JSON',
      format: 'jsonl',
      content: '{"id":1,"login":"ann","password_hash":"h","salt":""}\n',
      salt: '',
    },
    {
      title: 'null of JSON',
      format: 'jsonl',
      content: '{"id":1,"login":"ann","password_hash":"h","salt":null}\n',
      salt: null,
    },
    {
      title: 'no field of JSON',
      format: 'jsonl',
      content: '{"id":1,"login":"ann","password_hash":"h"}\n',
      salt: null,
    },
  ] as const)('a salt that is $title', async ({ format, content, salt }) => {
    const { rows } = await read(content, { format })
    expect(rows.map((row) => row.salt)).toEqual([salt])
  })

  test('columns are mapped, dropped and collected into the profile', async () => {
    const { rows } = await read(
      'uid;user;pw;first;Last Name;junk;profile\n1;ann;h;Ann;;x;{"a":1}\n2;bob;h;;B"ob;x;\n',
      {
        delimiter: ';',
        map: [
          'uid=id',
          'user=login',
          'pw=password_hash',
          'first=profile.given_name',
          'Last Name=profile.family_name',
        ],
        drop: ['junk', 'absent'],
        cohort: 'staff',
      },
    )
    expect(rows.map(({ id, login, cohort, profile }) => [id, login, cohort, profile])).toEqual([
      ['1', 'ann', 'staff', '{"a":1,"given_name":"Ann"}'],
      ['2', 'bob', 'staff', '{"family_name":"B\\"ob"}'],
    ])
  })

  test.for([
    {
      title: 'unknown columns',
      header: 'id,login,password_hash,shoe size,zip',
      says: 'unknown columns, to be given to --map or --drop: shoe size, zip',
    },
    { title: 'no header at all', header: '1,ann,$2b$10$secret', says: 'the first line is not a header' },
    {
      title: 'a value among the names',
      header: 'id,login,password_hash,$2b$10$secret',
      says: 'the 4. column',
    },
    { title: 'no hashes', header: 'id,login', says: 'no column password_hash' },
    {
      title: 'one column twice',
      header: 'id,id,login,password_hash',
      says: 'two columns of the file are id',
    },
    {
      title: 'a mapping of nothing',
      header: 'id,login,password_hash',
      map: ['user=email'],
      says: 'does not have: user',
    },
    {
      title: 'a mapping to nothing',
      header: 'id,login,password_hash',
      map: ['id=key'],
      says: '--map takes one of',
    },
    { title: 'an empty file', header: '', says: 'the first line is not a header' },
  ])('$title: nothing is loaded', async ({ header, map = [], says }) => {
    const failure = await read(`${header}\n1,2,3\n`, { map }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(FieldsError)
    expect(String(failure)).toContain(says)
    expect(String(failure)).not.toContain('secret')
  })
})

describe('JSON Lines', () => {
  test.for([
    { title: 'no JSON', row: '{"id":', says: '2 json' },
    { title: 'a list', row: '[1]', says: '2 not-an-object' },
    { title: 'an unknown field', row: '{"id":"a","login":"a","shoe":1}', says: '2 unknown-field shoe' },
    { title: 'an object for a text', row: '{"id":"a","login":{}}', says: '2 type login' },
    { title: 'a fraction for a text', row: '{"id":1.5,"login":"a"}', says: '2 type id' },
    { title: 'no login', row: '{"id":"a"}', says: '2 required login' },
    { title: 'an escaped NUL', row: '{"id":"a\\u0000","login":"a"}', says: '2 unstorable id' },
    { title: 'half a surrogate pair', row: '{"id":"a","login":"\\udc00"}', says: '2 unstorable login' },
    {
      title: 'a profile that is a text',
      row: '{"id":"a","login":"a","profile":"{}"}',
      says: '2 profile profile',
    },
    {
      title: 'a profile with NUL',
      row: '{"id":"a","login":"a","profile":{"a":["\\u0000"]}}',
      says: '2 profile profile',
    },
    { title: 'no UTF-8', row: Buffer.from('{"id":"\xfc","login":"a"}', 'latin1'), says: '2 not-utf8' },
  ])('$title is refused by line and rule', async ({ row, says }) => {
    const user = (id: string) => Buffer.from(`{"id":"${id}","login":"${id}"}\n`)
    const { rows, refused, summary } = await read(
      Buffer.concat([user('before'), Buffer.from(row), Buffer.from('\n'), user('after')]),
      { format: 'jsonl' },
    )
    expect(refused).toEqual([says])
    expect(rows.map(({ id, line }) => [id, line])).toEqual([
      ['before', 1],
      ['after', 3],
    ])
    expect(await readFile(summary.refusedPath ?? '')).toEqual(
      Buffer.concat([Buffer.from(row), Buffer.from('\n')]),
    )
  })

  test('fields are mapped, dropped and collected', async () => {
    const { rows } = await read(
      '{"uid":7,"user":"ann","password_hash":null,"first":"Ann","tags":["a",{"b":1}],"x":1,"deleted":false,"profile":{"__proto__":{"a":1}}}\n',
      {
        format: 'jsonl',
        map: ['uid=id', 'user=login', 'first=profile.given_name', 'tags=profile.tags'],
        drop: ['x'],
      },
    )
    expect(
      rows.map(({ id, login, passwordHash, profile, defect }) => ({
        id,
        login,
        passwordHash,
        profile,
        defect,
      })),
    ).toEqual([
      {
        id: '7',
        login: 'ann',
        passwordHash: null,
        profile: '{"__proto__":{"a":1},"given_name":"Ann","tags":["a",{"b":1}]}',
        defect: 'missing',
      },
    ])
  })
})
