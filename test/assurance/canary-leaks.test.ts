import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { generic } from '../../src/dialects/generic.ts'
import { errorCode, Failure } from '../../src/errors.ts'
import { measured } from '../helpers/assurance.ts'
import { canaryFormsIn, mintCanaries } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { ann } from '../helpers/flows.ts'
import { hooksOf } from '../helpers/hooks.ts'
import { runCommand } from '../helpers/process.ts'
import { SECRET } from '../helpers/service.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const [CANARY = '', HASH = '', EMAIL = ''] = mintCanaries(3)

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
  await db.owner.query('create table public.strict (id int, word text primary key)')
  await db.owner.query('create table public.picky (id int primary key, word text not null)')
})
afterAll(() => db.drop())

/** Errors of other people's code that quote what they were given, made as they come about. */
const foreign: Record<string, () => unknown> = {
  'JSON.parse': () => JSON.parse(`${CANARY} is no JSON`),
  'an error of our own making': () => {
    throw new Error(`cannot check ${CANARY}`)
  },
  'a cause that quotes': () => {
    throw new Error('outside', { cause: new TypeError(`inside: ${CANARY}`) })
  },
  'what is thrown is a text': () => {
    throw CANARY
  },
  'a name and a code that quote': () => {
    throw Object.assign(new Error('x'), { code: CANARY })
  },
  zod: () =>
    z
      .object({ word: z.literal('x') })
      .strict()
      .parse({ [CANARY]: CANARY }),
  'pg: a unique violation': () =>
    db.owner.query('insert into public.strict select 1, $1::text from generate_series(1, 2)', [CANARY]),
  'pg: a row that fails': () => db.owner.query('insert into public.picky values (null, $1)', [CANARY]),
  'pg: a value that is no number': () => db.owner.query('select $1::text::int', [CANARY]),
  Drizzle: () => drizzle(db.owner).execute(sql`insert into public.picky values (null, ${CANARY})`),
}

describe('an error of a foreign library is told as a code', () => {
  test.for(Object.entries(foreign))('%s', async ([, make]) => {
    const error = await caughtFrom(make)
    // It does quote: otherwise this would prove nothing.
    expect(canaryFormsIn(everythingOf(error))).toBeGreaterThan(0)
    expect(canaryFormsIn(errorCode(error))).toBe(0)
    const { request, events } = hooksOf(
      generic,
      [ann],
      {},
      {
        check: async () => {
          throw error
        },
      },
    )
    const answer = await request('/verify', {
      method: 'POST',
      headers: { authorization: SECRET, 'content-type': 'application/json' },
      body: JSON.stringify({ identifier: 'ann', password: CANARY }),
    })
    const told = [await answer.text(), JSON.stringify(events)].join('\n')
    expect([answer.status, canaryFormsIn(told)]).toEqual([503, 0])
    expect(told).toContain('"event":"failure"')
  })
})

test.for([true, false])(
  'the bytes of a password are cleared when it has been checked (found out: %s)',
  async (found) => {
    const given: Uint8Array[] = []
    const { request } = hooksOf(
      generic,
      [ann],
      {},
      {
        check: async (_stored, password) => {
          given.push(password)
          expect(Buffer.from(password).toString()).toBe(CANARY)
          if (!found) throw new Failure('unavailable')
          return true
        },
      },
    )
    const { status } = await request('/verify', {
      method: 'POST',
      headers: { authorization: SECRET, 'content-type': 'application/json' },
      body: JSON.stringify({ identifier: 'ann', password: CANARY }),
    })
    expect([status, given.map((bytes) => bytes.every((byte) => byte === 0))]).toEqual([
      found ? 200 : 503,
      [true],
    ])
  },
)

describe('rows that cannot be loaded', () => {
  let directory: string
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'carryover-refused-'))
  })
  afterAll(() => rm(directory, { recursive: true }))

  test('stand in the file of refused rows, for its owner alone, and nowhere else', async () => {
    const file = join(directory, 'users.csv')
    const cell = (text: string) => `"${text.replaceAll('"', '""')}"`
    const row = (...cells: string[]) => cells.map(cell).join(',')
    await writeFile(
      file,
      [
        'id,login,email,password_hash,profile,status',
        row('1', 'ann', EMAIL, HASH, '{}', 'active'),
        row('2', '', EMAIL, HASH, '{}', 'active'),
        row('3', 'cut', EMAIL, HASH, `{"a": "${CANARY}`, 'active'),
        row('4', 'odd', EMAIL, HASH, '{}', CANARY),
        row('1', 'twice', EMAIL, HASH, '{}', 'active'),
        `5,too,many,${cell(HASH)},cells,active,${cell(EMAIL)}`,
        row('6', 'nul', `${EMAIL}\0`, HASH, '{}', 'active'),
      ].join('\n'),
    )
    const { code, out, err } = await runCommand(['load', file], { DATABASE_URL: db.url })
    expect(code).toBe(1)
    expect(err).toContain('line 3')
    expect(canaryFormsIn(out + err)).toBe(0)
    const refused = join(directory, 'users.refused.csv')
    expect(canaryFormsIn(await readFile(refused))).toBeGreaterThan(0)
    expect((await stat(refused)).mode & 0o777).toBe(0o600)
    expect(canaryFormsIn(await readFile(join(directory, 'users.refused.txt')))).toBe(0)
  })

  test('which only the database refuses: its message names no value', async () => {
    const file = join(directory, 'late.jsonl')
    const rows = ['7', '8'].map((id) => ({ id, login: `late${id}`, email: EMAIL, password_hash: HASH }))
    await writeFile(file, rows.map((row) => JSON.stringify(row)).join('\n'))
    await db.owner.query(`alter table legacy.users add constraint refuses check (id <> '8') not valid`)
    const { code, out, err } = await runCommand(['load', file], { DATABASE_URL: db.url })
    await db.owner.query('alter table legacy.users drop constraint refuses')
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain('nothing was changed')
    expect(canaryFormsIn(err)).toBe(0)
  })
})

const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(ROOT, 'src', name), 'utf8') }))

describe('the source', () => {
  test('logs events that are written out, and nothing else', () => {
    const wrong = sources.flatMap(({ name, text }) => [
      ...(/\bconsole\./.test(text) ? [`${name}: console`] : []),
      // `log(event)` of a type with fixed fields: no spread of something, no error, no bare variable.
      ...[...text.matchAll(/\blog\((?!\{ event: |\{\s*event: |event: LogEvent)[^)]*\)/g)].map(
        ([call]) => `${name}: ${call}`,
      ),
      ...[...text.matchAll(/\blog\(\{[^}]*\.\.\.[^}]*\}\)/g)].map(([call]) => `${name}: ${call}`),
    ])
    expect(wrong).toEqual([])
    expect(sources.flatMap(({ text }) => [...text.matchAll(/\blog\(\{\s*event: /g)]).length).toBeGreaterThan(
      15,
    )
  })

  test('passes on the messages of its own errors alone', () => {
    /** Where `.message` is read, and why nothing of the outside is in it. */
    const known: Record<string, string> = {
      'errors.ts': 'the code of a Failure',
      'app.ts': 'the sentence of a Failure',
      'cli.ts': 'of UsageError, ConfigError, SchemaError and Failure',
      'openapi/hooks.ts': 'the sentence of a Failure',
      'lanes/chain.ts': 'no error: a message to be digested',
      'hashes/recipes-file.ts': 'of RecipeError, which quotes no value',
      'settings-reader.ts': 'of Misfit',
      'hashes/hardening.ts': 'of HashError about our own settings',
      'hash-context.ts': 'of the readers of our own files',
      'db/step.ts': 'compared with sentences of pg, and not told',
      'db/client.ts': 'compared with sentences of pg, and not told',
      'db/migrate.ts': 'of a migration, which carries no row',
      'commands/doctor.ts': 'of ConfigError',
      'commands/sync.ts': 'of StepError',
      'commands/erase.ts': 'of StepError',
      'commands/harden.ts': 'of StepError',
      'commands/purge.ts': 'of StepError',
      'commands/audit.ts': 'of LineError, which names the number of a line',
      'commands/analyze.ts': 'of StepError',
      'commands/prove.ts': 'of StepError',
      'commands/load-told.ts': 'of FieldsError, StepError, NotLinesError and SourceError',
      'commands/loads.ts': 'of StepError',
      'commands/changes.ts': 'of StepError',
      'commands/freeze.ts': 'of FieldsError, StepError, NotLinesError and SourceError',
      'commands/load-fields.ts': 'of MappingError, which names the place',
      'commands/mapping-file.ts': 'of MappingError, which names the place',
      'commands/suggest.ts': 'of FieldsError, NotLinesError and SourceError',
      'commands/load-thread.ts': 'of NotLinesError',
      'commands/load-worker.ts': 'of NotLinesError',
      'config-targets.ts': 'of TargetError, which names a setting',
      'commands/check.ts': 'of StepError and of our own readers',
      'commands/plan.ts': 'of StepError',
      'commands/reconcile.ts': 'of StepError',
      'mapping/json.ts': 'a position is taken out of it',
      'mapping/values.ts': 'compared with words of libphonenumber-js, and not told',
      'sources/translated.ts': 'of RecordError, which quotes nothing',
      // A member of what targets answer: the values of users are taken out before anybody reads it (provision/redact.ts).
      'targets/auth0-jobs.ts': 'no error: a member of an answer',
      'targets/auth0.ts': 'no error: a member of an answer',
      'targets/cidaas.ts': 'no error: a member of an answer',
      'targets/fusionauth.ts': 'no error: a member of an answer',
      'targets/ory.ts': 'no error: a member of an answer',
      'commands/options.ts': 'the name of an option is taken out of it',
    }
    const reading = sources
      .filter(({ text }) =>
        /\.message\b|\.stack\b|\.detail\b.*\berror\b/.test(text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, '')),
      )
      .map(({ name }) => name)
    expect(reading.filter((name) => known[name] === undefined)).toEqual([])
  })
})

test('no runtime dependency prints more when DEBUG is set', () => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  const reading = Object.keys(dependencies).filter((name) => {
    const folder = join(ROOT, 'node_modules', name)
    const scripts = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
      /\.[cm]?js$/.test(file),
    )
    return scripts.some((file) =>
      /env\.DEBUG\b|env\[['"]DEBUG/.test(readFileSync(join(folder, file), 'utf8')),
    )
  })
  expect(reading).toEqual([])
})

test('the build context of the image holds what is listed, and no settings or secrets', () => {
  const [deny, ...allow] = readFileSync(join(ROOT, '.dockerignore'), 'utf8').trim().split('\n')
  expect(deny).toBe('*')
  expect(allow.every((line) => /^![a-z.-]+$/i.test(line))).toBe(true)
  const folders = ['src', 'scripts', 'migrations']
  const files = [
    'package.json',
    'package-lock.json',
    '.npmrc',
    'tsconfig.json',
    'tsconfig.build.json',
    'LICENSE',
  ]
  expect(allow.map((line) => line.slice(1)).sort()).toEqual([...folders, ...files].sort())
  const inside = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => relative(ROOT, join(file.parentPath, file.name))),
  )
  expect(
    inside.filter(
      (name) =>
        !/\.(ts|mts|mjs|sql)$|^migrations\/meta\/[\w]+\.json$|^scripts\/minimum-versions\.json$/.test(name),
    ),
  ).toEqual([])
  // Tokens of registries, private keys, connection strings with a password.
  const secret =
    /:_(auth|authToken|password)\b|BEGIN [A-Z ]*PRIVATE KEY|postgres(ql)?:\/\/[^\s'"`:/]+:[^\s'"`@]+@/
  const revealing = [...inside, ...files].filter((name) =>
    secret.test(readFileSync(join(ROOT, name), 'utf8')),
  )
  measured({
    part: 'canary',
    requirement: 'R-36',
    what: 'files of the build context of the image, and secrets in them',
    wanted: 'what is listed, 0',
    got: `${inside.length + files.length} files, ${revealing.length}`,
  })
  expect(revealing).toEqual([])
})

async function caughtFrom(make: () => unknown): Promise<unknown> {
  try {
    await make()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** What a careless logger would print of an error. */
function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return [String(error), error.stack, JSON.stringify(error), everythingOf(error.cause ?? '')].join('\n')
}
