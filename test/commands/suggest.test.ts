import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { run } from '../../src/cli.ts'
import { loads } from '../../src/commands/loads.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { md5 } from '../helpers/users.ts'
import { bcryptHash, runLoad, scratch } from '../load/helpers.ts'

let files: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  files = await scratch()
})
afterEach(() => files.remove())

const suggest = (...args: string[]) => heard((io) => run(['suggest', ...args], io), { env: {} })

/** Rows of the table, without its head and the sum. */
const rowsIn = (out: string) =>
  out
    .split('\n')
    .slice(1, -2)
    .map((line) => line.split(/ {2,}/))

const CSV = `UserNr,user_name,contact,secret,First Name,colour
17,ann.smith,ann@secret-host.example,${bcryptHash},Ann,blue
18,bob.jones,bob@secret-host.example,${bcryptHash},Bob,
`

describe('what a field may be', () => {
  test.for([
    {
      title: 'CSV',
      name: 'users.csv',
      content: CSV,
      rows: [
        ['UserNr', '-', '-', 'to be looked at'],
        ['user_name', 'login', 'name', 'sure'],
        ['contact', 'email', 'content', 'to be looked at'],
        ['secret', 'password_hash', 'content', 'to be looked at'],
        ['First Name', 'profile.given_name', 'name', 'sure'],
        ['colour', '-', '-', 'to be looked at'],
      ],
    },
    {
      title: 'CSV with another delimiter',
      name: 'users.csv',
      content: 'id;"e;mail"\n1;a@secret-host.example\n',
      args: ['--delimiter', ';'],
      rows: [
        ['id', 'id', 'name', 'sure'],
        ['the 2. column', 'email', 'name and content', 'sure'],
      ],
    },
    {
      title: 'JSON Lines, whose rows need not have the same fields',
      name: 'users.jsonl',
      content: `{"id":1,"profile":{"a":"secret-host"}}\n{"id":2,"mail":"a@secret-host.example","active":true}\n`,
      rows: [
        ['id', 'id', 'name', 'sure'],
        ['profile', 'profile', 'name', 'sure'],
        ['mail', 'email', 'name and content', 'sure'],
        ['active', '-', '-', 'to be looked at'],
      ],
    },
    {
      title: 'LDIF, in the names that its reader gives',
      name: 'users.ldif',
      content: `version: 1\n\ndn: uid=ann,dc=example\nobjectClass: inetOrgPerson\nuid: ann\nmail: ann@secret-host.example\nuserPassword: {CRYPT}${bcryptHash}\n`,
      has: ['login', 'login', 'name', 'sure'],
    },
    {
      title: 'a hash that no mark tells is no reason',
      name: 'users.csv',
      content: `id,password\n1,${md5('x')}\n`,
      rows: [
        ['id', 'id', 'name', 'sure'],
        ['password', 'password_hash', 'name', 'to be looked at'],
      ],
    },
  ])('$title', async ({ name, content, args = [], rows, has }) => {
    const { code, out, err } = await suggest(await files.file(name, content), ...args)
    expect([code, err]).toEqual([0, ''])
    if (rows !== undefined) expect(rowsIn(out)).toEqual(rows)
    if (has !== undefined) expect(rowsIn(out)).toContainEqual(has)
    expect(out).not.toMatch(/secret-host|\$2b\$|ann\.smith/)
  })

  test('is told of the first thousand rows', async () => {
    const rows = Array.from({ length: 1_500 }, (_, at) => `${at},${at < 1_000 ? `a${at}@b.example` : 'none'}`)
    const { out } = await suggest(await files.file('users.csv', ['id,contact', ...rows, ''].join('\n')))
    expect(rowsIn(out)).toContainEqual(['contact', 'email', 'content', 'to be looked at'])
  })
})

test.for([
  {
    title: 'a file without a header, with an address in its first line',
    content: 'a@b.example,x\nc@d.example,y\n',
    err: 'the first line is not a header: it has an address or a hash',
  },
  {
    title: 'a file without a header, with a hash in its first line',
    content: `1,${bcryptHash}\n`,
    err: 'the first line is not a header: it has an address or a hash',
  },
  { title: 'a file of a header', content: 'id,login\n', err: 'the file has no row but its header' },
  { title: 'an empty file', content: '', err: 'the file has no row that can be read' },
  {
    title: 'two columns of one name',
    content: 'id,login,id\n1,a,2\n',
    err: 'two columns of the file have the name of id',
  },
])('$title is refused', async ({ content, err }) => {
  expect(await suggest(await files.file('users.csv', content))).toEqual({
    code: 1,
    out: '',
    err: `carryover suggest: ${err}\n`,
  })
})

test('rows that cannot be read are counted', async () => {
  const { code, err } = await suggest(await files.file('users.jsonl', '{"id":1}\n[1]\n{"id":\n'))
  expect([code, err]).toEqual([0, 'carryover suggest: 2 of the first rows could not be read\n'])
})

describe('the file of suggestions', () => {
  const out = () => join(files.directory, 'fields.json')

  test('is for its owner, is not replaced unasked, and names what is to be reviewed', async () => {
    const path = await files.file('users.csv', CSV)
    expect((await suggest(path, '--out', out())).code).toBe(0)
    expect((await stat(out())).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(out(), 'utf8'))).toEqual({
      map: {
        user_name: 'login',
        contact: 'email',
        secret: 'password_hash',
        'First Name': 'profile.given_name',
      },
      drop: [],
      review: ['UserNr', 'contact', 'secret', 'colour'],
    })
    await writeFile(out(), 'mine')
    expect(await suggest(path, '--out', out())).toMatchObject({
      code: 2,
      err: 'carryover suggest: --out is there already: --force replaces it\n',
    })
    expect(await readFile(out(), 'utf8')).toBe('mine')
    expect((await suggest(path, '--out', out(), '--force')).code).toBe(0)
    expect(await readFile(out(), 'utf8')).toContain('"review"')
  })

  describe('in a load', () => {
    let database: TestDatabase
    beforeEach(async () => {
      database = await testDatabase()
    })
    afterEach(() => database.drop())

    const reviewed = {
      map: { UserNr: 'id', user_name: 'login', contact: 'email', secret: 'password_hash' },
      drop: ['colour'],
    }
    const load = async (fields: unknown, ...args: string[]) => {
      const text = typeof fields === 'string' ? fields : JSON.stringify(fields)
      const path = await files.file('users.csv', CSV)
      return runLoad(database.url, path, '--fields', await files.file('fields.json', text), ...args)
    }

    test('takes the place of --map and --drop, which add to it', async () => {
      const { code, summary } = await load(reviewed, '--map', 'First Name=profile.given_name')
      expect([code, summary.added]).toEqual([0, 2])
      const { rows } = await database.owner.query(
        'select id, login, email, profile from legacy.users order by id limit 1',
      )
      expect(rows).toEqual([
        { id: '17', login: 'ann.smith', email: 'ann@secret-host.example', profile: { given_name: 'Ann' } },
      ])
    })

    test('loads nothing while some is to be reviewed', async () => {
      await expect(load({ ...reviewed, review: ['contact', 'a=b\u001b'] })).rejects.toThrow(
        '--fields: these are still to be reviewed, and then to be taken out of "review": contact, a name of unusual characters',
      )
      const history = await heard((io) => loads.run([], io), { env: { DATABASE_URL: database.url } })
      expect(history.out).toBe('nothing has been loaded yet\n')
    })

    test('does not say again what the command line says', async () => {
      await expect(load(reviewed, '--map', 'contact=login')).rejects.toThrow(
        'contact is mapped or dropped twice',
      )
    })

    test.for([
      { fields: '{', says: /--fields: the text is not JSON/ },
      { fields: '[]', says: 'not an object with "map", "drop" and "review"' },
      { fields: '{"map":{"a":"id",\n"a":"login"}}', says: 'line 2: a name that is there already' },
      { fields: { mapping: {} }, says: 'mapping is not a part of it' },
      { fields: { map: [] }, says: 'map: not an object of fields and columns' },
      { fields: { map: { a: 'colour' } }, says: 'map: a has neither a column of a load nor profile.NAME' },
      { fields: { map: { a: 7 } }, says: 'map: a has neither a column of a load nor profile.NAME' },
      { fields: { map: { a: 'profile.' } }, says: 'map: a has neither a column of a load nor profile.NAME' },
      { fields: { map: { a: 'profile.x=y' } }, says: 'map: a has neither' },
      { fields: { map: { a: 'id', b: 'id' } }, says: 'map: a and b are the same column' },
      { fields: { map: { '': 'id' } }, says: 'map: a field without a name' },
      { fields: { drop: 'a' }, says: 'drop: not a list of fields' },
      { fields: { drop: ['a', 7] }, says: 'drop: entry 2 is not a name' },
      { fields: { drop: ['a', 'a'] }, says: 'drop: a is there more than once' },
      { fields: { map: { a: 'id' }, drop: ['a'] }, says: 'drop: a is mapped, too' },
      { fields: { review: {} }, says: 'review: not a list of fields' },
      {
        fields: { map: 1, drop: 2 },
        says: 'map: not an object of fields and columns; drop: not a list of fields',
      },
    ])('$fields is refused', async ({ fields, says }) => {
      await expect(load(fields)).rejects.toThrow(says)
    })
  })
})

test.each([
  { args: [], says: 'expected FILE' },
  { args: ['/nowhere'], says: 'FILE is not a file that can be read' },
  { args: ['FILE', '--force'], says: '--force goes with --out' },
  { args: ['FILE', '--format', 'else'], says: '--format is csv, jsonl' },
  { args: ['FILE', '--out', '/nowhere/x'], says: '--out names a file that cannot be written (ENOENT)' },
])('$args is not understood', async ({ args, says }) => {
  const path = await files.file('users.csv', CSV)
  const { code, err } = await suggest(...args.map((arg) => (arg === 'FILE' ? path : arg)))
  expect([code, err]).toEqual([2, expect.stringContaining(says)])
})
