import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../src/cli.ts'
import { check as command } from '../../src/commands/check.ts'
import { appliedRules } from '../../src/db/fixes.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'
import { runLoad } from '../load/helpers.ts'

const forty = (name: string) => fileURLToPath(new URL(`../check/${name}`, import.meta.url))

let db: TestDatabase
let directory = ''
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryover-check-'))
  db = await testDatabase()
  const loaded = await runLoad(db.url, forty('forty-defects.jsonl'))
  expect(loaded.code, loaded.err).toBe(0)
})
afterAll(async () => {
  await db.drop()
  await rm(directory, { recursive: true })
})

const checkOf = (url: string, ...args: string[]) =>
  heard((io) => run(['check', ...args], io), { env: { DATABASE_URL: url } })
const check = (...args: string[]) => checkOf(db.url, ...args)
const written = async (name: string, value: unknown) => {
  const path = join(directory, name)
  await writeFile(path, typeof value === 'string' ? value : JSON.stringify(value))
  return path
}

interface Problem {
  readonly code: string
  readonly examples: readonly string[]
}

test('Okta asks for what it asks for, and of what stays behind nothing is told', async () => {
  const mapping = await written('okta.json', {
    attributes: {
      id: 'legacyId',
      login: 'login',
      email: 'email',
      'profile.given_name': 'firstName',
      'profile.middle_name': 'middleName',
      'profile.family_name': 'lastName',
      'profile.phone_number': 'mobilePhone',
      'profile.locale': 'locale',
      'profile.zoneinfo': 'timezone',
      'profile.website': 'profileUrl',
    },
    drop: ['profile.*'],
    calculated: {},
  })
  const { code, out, err } = await check('okta', '--region', 'DE', '--mapping', mapping, '--json')
  expect([code, err]).toEqual([1, ''])
  const { problems }: { problems: readonly Problem[] } = JSON.parse(out)
  const found = problems.flatMap((one) => one.examples.map((id) => [id, one.code] as const))
  const known = Object.entries(JSON.parse(await readFile(forty('forty-defects.json'), 'utf8')))
  const behind = ['not-a-boolean', 'not-a-date', 'too-long', 'too-short', 'not-unique', 'unmapped-field']
  expect(found.sort()).toEqual(known.filter(([, one]) => !behind.includes(String(one))).sort())
})

test('logins that are one to Okta alone', async () => {
  await db.owner.query(`insert into legacy.users (id, login, email, profile)
    select id, login, email, '{"given_name": "Isaac", "family_name": "Brock"}' from (values
    ('o1', 'isaac.brock@example.com', 'o1@example.com'), ('o2', 'isáàc.bröck@example.com', 'o2@example.com')) v (id, login, email)`)
  const { out } = await check('okta', '--json')
  const { problems }: { problems: readonly Problem[] } = JSON.parse(out)
  expect(problems.find((one) => one.code === 'not-unique')).toMatchObject({
    field: 'login',
    attribute: 'login',
    severity: 'error',
    count: 2,
    examples: ['o1', 'o2'],
  })
  await db.owner.query(`delete from legacy.users where id in ('o1', 'o2')`)
})

test('report and page name users by id alone, and the page needs nothing else', async () => {
  const page = await written('page.html', 'what was there before')
  const { code, out, err } = await check('--region', 'DE', '--html', page)
  expect([code, err]).toEqual([1, ''])
  expect(out).toContain('\nerror email-no-at, email: 1 user, as d01\n  has no @\n')
  expect(out).toContain('  suggested: phone-not-e164.profile.phone_number\n')
  const html = await readFile(page, 'utf8')
  expect((await stat(page)).mode & 0o777).toBe(0o600)
  expect(html).toContain(
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
  )
  expect(html).not.toMatch(/<script|<link|<img|https?:|url\(|@import/)
  expect(html).toContain('<code>d01</code>')
  const { rows } = await db.owner.query<{ value: string }>(
    `select unnest(array[login, email, profile ->> 'family_name', profile ->> 'phone_number']) as value from legacy.users`,
  )
  for (const { value } of rows)
    if (value !== null && value.length > 5) for (const text of [out, html]) expect(text).not.toContain(value)
})

test('ids are shown as text, whatever they are', async () => {
  await db.owner.query(
    `insert into legacy.users (id, login, email) values (e'<b>\\u001b[31m&', 'odd', 'nowhere')`,
  )
  const page = join(directory, 'odd.html')
  const { out } = await check('--html', page)
  expect(out).toContain('<b>?[31m&')
  expect(await readFile(page, 'utf8')).toContain('<code>&lt;b&gt;?[31m&amp;</code>')
  await db.owner.query(`delete from legacy.users where login = 'odd'`)
})

test('rules of a file are previewed, put into force all together, listed, and taken out of force by name', async () => {
  const lower = { name: 'lower', field: 'email', fix: { kind: 'lower-case' } }
  const gone = { name: 'gone', field: 'email', fix: { kind: 'clear' }, where: 'email-no-at' }
  const rules = await written('rules.json', [lower, gone])

  const quiet = await check('--preview', rules)
  expect(quiet.out).toContain(
    'rule lower: 2 changed, 0 left out, as d10, d12\nrule gone: 1 changed, 0 left out, as d01\n',
  )
  expect(quiet.out).not.toContain('error email-no-at')
  expect(quiet.out).not.toContain('anna.example.org')
  const shown = await check('--preview', rules, '--show-values')
  expect(shown.out).toContain('    d01: "anna.example.org" becomes null\n')

  expect(await check('--apply', rules)).toEqual({ code: 0, out: 'applied lower\napplied gone\n', err: '' })
  expect(await appliedRules(db.owner)).toEqual([lower, gone])
  const again = await check('--apply', await written('more.json', [{ ...lower, name: 'new' }, gone]))
  expect(again).toEqual({
    code: 1,
    out: '',
    err: 'carryover check: nothing was applied; in force already: gone\n',
  })
  const listed = JSON.parse((await check('--rules', '--json')).out)
  expect(listed.applied).toEqual([lower, gone])
  expect(listed.effects).toEqual([
    { rule: 'lower', changed: 2, leftOut: 0, examples: ['d10', 'd12'] },
    { rule: 'gone', changed: 1, leftOut: 0, examples: ['d01'] },
  ])
  expect(listed.suggested.map(({ name }: { name: string }) => name)).toContain('mojibake.profile.family_name')
  expect((await check('--rules')).out).toMatch(
    /^ {2}gone +email +clear +where email-no-at +1 changed, 0 left out$/m,
  )

  expect(await check('--undo', 'lower')).toEqual({ code: 0, out: 'undone lower\n', err: '' })
  expect(await check('--undo', 'lower')).toEqual({
    code: 1,
    out: '',
    err: 'carryover check: no rule of this name is in force; nothing was changed\n',
  })
  expect(await appliedRules(db.owner)).toEqual([gone])
  await check('--undo', 'gone')
  const history = await db.owner.query(
    'select name, undone_at is not null as undone from carryover.fixes order by id',
  )
  expect(history.rows).toEqual([
    { name: 'lower', undone: true },
    { name: 'gone', undone: true },
  ])
})

test('a suggested rule is put into force by its name, or with all others by the code of the problem', async () => {
  const name = 'mojibake.profile.family_name'
  expect(await check('--apply-suggested', name)).toEqual({ code: 0, out: `applied ${name}\n`, err: '' })
  await check('--undo', name)
  expect((await check('--apply-suggested', 'mojibake')).out).toContain(`applied ${name}\n`)
  for (const { name: applied } of await appliedRules(db.owner)) await check('--undo', applied)
})

test('a rule survives the next load, and the copy stays as it was loaded', async () => {
  const rules = await written('trim.json', [
    { name: 'trim', field: 'profile.given_name', fix: { kind: 'trim' } },
  ])
  await check('--apply', rules)
  const before = (await db.owner.query('select u::text from legacy.users u order by id')).rows
  await runLoad(db.url, forty('forty-defects.jsonl'))
  const { out } = await check('--json')
  expect(JSON.parse(out).effects).toEqual([{ rule: 'trim', changed: 1, leftOut: 0, examples: ['d22'] }])
  expect((await db.owner.query('select u::text from legacy.users u order by id')).rows).toEqual(before)
  await check('--undo', 'trim')
})

test('nobody has anything to put right: exit 0', async () => {
  const clean = await testDatabase()
  await clean.owner.query(`insert into legacy.users (id, login) values ('1', 'ann')`)
  const result = await checkOf(clean.url)
  await clean.drop()
  expect(result).toEqual({ code: 0, out: '1 user: 1 clean, 0 with warnings only, 0 with errors\n', err: '' })
})

test('a check that is stopped says so, and tells nothing', async () => {
  let out = ''
  let err = ''
  const code = await command.run([], {
    env: { DATABASE_URL: db.url },
    stdin: Readable.from([]),
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    terminal: false,
    stop: AbortSignal.abort(),
  })
  expect({ code, out, err }).toEqual({ code: 1, out: '', err: 'carryover check: stopped before the end\n' })
})

test.for([
  { args: ['nowhere'], says: /TARGET is one of okta, / },
  { args: ['okta', 'ory'], says: /no argument was expected/ },
  { args: ['--region', 'de'], says: /--region takes two capital letters/ },
  { args: ['--apply', 'a', '--undo', 'b'], says: /do not go together/ },
  { args: ['--show-values'], says: /--show-values goes with --preview/ },
  { args: ['--rules', '--html', 'a'], says: /--html goes with a check or a preview/ },
  {
    args: ['--mapping', '/nowhere/mapping.json'],
    says: /--mapping names a file that cannot be read \(ENOENT\)/,
  },
  { args: ['--html', '/nowhere/page.html'], says: /--html names a file that cannot be written \(ENOENT\)/ },
  {
    args: ['--preview', 'no-such-rule'],
    says: /--preview names neither a file nor a rule that is suggested/,
  },
  { args: ['--apply-suggested', 'mojibake,email-no-at'], says: /no rule is suggested for email-no-at/ },
])('not understood: $args', async ({ args, says }) => {
  const { code, out, err } = await check(...args)
  expect([code, out]).toEqual([2, ''])
  expect(err).toMatch(says)
})

test('every problem of a mapping or of rules is told, with its place', async () => {
  const mapping = await written('bad.json', { attributes: { name: 'a' }, drop: 1 })
  expect(await check('--mapping', mapping)).toEqual({
    code: 2,
    out: '',
    err: 'carryover check: this was not understood:\n  attributes: "name" is not a field\n  drop: not a list of fields\n',
  })
  const rules = await written('bad-rules.json', [{ name: 'a', field: 'email', fix: { kind: 'mend' } }])
  expect(await check('--apply', rules)).toEqual({
    code: 2,
    out: '',
    err: 'carryover check: this was not understood:\n  rule 1: fix: kind: not a kind of fix\n',
  })
})
