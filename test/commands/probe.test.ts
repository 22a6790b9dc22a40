import { createHash, createHmac } from 'node:crypto'
import bcryptjs from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UsageError } from '../../src/commands/command.ts'
import { probe } from '../../src/commands/probe.ts'
import { readHash } from '../../src/hashes/index.ts'
import { disguises, plant } from '../helpers/canaries.ts'
import { everyRow, type TestDatabase, testDatabase } from '../helpers/db.ts'
import { heard } from '../helpers/io.ts'

let db: TestDatabase
beforeAll(async () => {
  db = await testDatabase()
})
afterAll(() => db.drop())

const digest = (name: string) => (value: string | Buffer) => createHash(name).update(value).digest()
const hexOf = (name: string) => (value: string | Buffer) => digest(name)(value).toString('hex')
const [md5, sha1, sha256, sha512] = ['md5', 'sha1', 'sha256', 'sha512'].map(hexOf) as [
  (value: string | Buffer) => string,
  (value: string | Buffer) => string,
  (value: string | Buffer) => string,
  (value: string | Buffer) => string,
]
const bytes = (text: string, encoding: BufferEncoding) => Buffer.from(text, encoding)

/** One user of a store, before it is hashed. */
interface Person {
  readonly id: string
  readonly login: string
  readonly password: string
  readonly salt: string
}

/** Every store has these two, so that what suits one alone is told from what suits the store. */
const PEOPLE = [
  { name: 'Ann', password: 'Größe & Gewicht <7> ', salt: '1f2e3d4c5b6a7988' },
  { name: 'bob', password: 'Plain&Pa55word', salt: 'ABCDEF0123456789' },
]

interface Store {
  readonly title: string
  /** What `hash_scheme` says, wrongly. */
  readonly declared: string | null
  readonly hash: (person: Person) => string
  readonly salt?: (person: Person) => string | null
  /** What `probe` names first. */
  readonly scheme: string | null
  readonly words?: readonly string[]
}

/** Whether the notation has slow hashes around an expression. */
const canWrap = (() => {
  try {
    const encoded = bcryptjs.hashSync('x', 4)
    return readHash({ encoded, scheme: 'bcrypt(hex(md5($pass)))', salt: null, login: '', id: '' }).millis > 0
  } catch {
    return false
  }
})()

const stores: readonly Store[] = [
  {
    title: 'salt after, declared before',
    declared: 'sha256($salt.$pass)',
    hash: ({ password, salt }) => sha256(password + salt),
    scheme: 'sha256($pass.$salt)',
  },
  {
    title: 'salt before, declared after',
    declared: 'md5($pass.$salt)',
    hash: ({ password, salt }) => md5(salt + password),
    scheme: 'md5($salt.$pass)',
  },
  {
    title: 'salt on both sides',
    declared: 'sha1($salt.$pass)',
    hash: ({ password, salt }) => sha1(salt + password + salt),
    scheme: 'sha1($salt.$pass.$salt)',
  },
  {
    title: 'the salt is hexadecimal',
    declared: 'sha256($salt.$pass)',
    hash: ({ password, salt }) => sha256(Buffer.concat([bytes(salt, 'hex'), bytes(password, 'utf8')])),
    scheme: 'sha256(unhex($salt).$pass)',
  },
  {
    title: 'the salt is base64',
    declared: 'sha512($pass.$salt)',
    hash: ({ password, salt }) => sha512(Buffer.concat([bytes(password, 'utf8'), bytes(salt, 'utf8')])),
    salt: ({ salt }) => bytes(salt, 'utf8').toString('base64'),
    scheme: 'sha512($pass.unb64($salt))',
  },
  {
    title: 'the salt is text, declared as hexadecimal',
    declared: 'sha256(unhex($salt).$pass)',
    hash: ({ password, salt }) => sha256(salt + password),
    scheme: 'sha256($salt.$pass)',
  },
  {
    title: 'md5 twice, declared once',
    declared: 'md5',
    hash: ({ password }) => md5(md5(password)),
    scheme: 'md5(hex(md5($pass)))',
  },
  {
    title: 'vBulletin',
    declared: 'md5($pass.$salt)',
    hash: ({ password, salt }) => md5(md5(password) + salt),
    scheme: 'md5(hex(md5($pass)).$salt)',
  },
  {
    title: 'md5 of salt and md5',
    declared: 'md5',
    hash: ({ password, salt }) => md5(salt + md5(password)),
    scheme: 'md5($salt.hex(md5($pass)))',
  },
  {
    title: 'sha1 of md5',
    declared: 'sha1',
    hash: ({ password }) => sha1(md5(password)),
    scheme: 'sha1(hex(md5($pass)))',
  },
  {
    title: 'sha1 of the bytes of sha1',
    declared: 'sha1(hex(sha1($pass)))',
    hash: ({ password }) => sha1(digest('sha1')(password)),
    scheme: 'sha1(sha1($pass))',
  },
  {
    title: 'MyBB',
    declared: 'md5($salt.hex(md5($pass)))',
    hash: ({ password, salt }) => md5(md5(salt) + md5(password)),
    scheme: 'md5(hex(md5($salt)).hex(md5($pass)))',
  },
  {
    title: 'SMF with the login in lower case',
    declared: 'sha1($login.$pass)',
    hash: ({ password, login }) => sha1(login.toLowerCase() + password),
    scheme: 'sha1(lower($login).$pass)',
  },
  {
    title: 'the login as the salt',
    declared: 'sha256',
    hash: ({ password, login }) => sha256(login + password),
    salt: () => null,
    scheme: 'sha256($login.$pass)',
  },
  {
    title: 'the id as the salt',
    declared: 'md5',
    hash: ({ password, id }) => md5(password + id),
    salt: () => null,
    scheme: 'md5($pass.$id)',
  },
  {
    title: 'latin1',
    declared: 'md5',
    hash: ({ password }) => md5(bytes(password, 'latin1')),
    scheme: 'md5(latin1($pass))',
  },
  {
    title: 'UTF-16LE',
    declared: 'sha1',
    hash: ({ password }) => sha1(bytes(password, 'utf16le')),
    scheme: 'sha1(utf16le($pass))',
  },
  {
    title: 'ASP.NET Membership, without its encodings',
    declared: 'sha1($salt.$pass)',
    hash: ({ password, salt }) =>
      digest('sha1')(Buffer.concat([bytes(salt, 'hex'), bytes(password, 'utf16le')])).toString('base64'),
    salt: ({ salt }) => bytes(salt, 'hex').toString('base64'),
    scheme: 'sha1(unb64($salt).utf16le($pass))',
  },
  {
    title: 'trimmed passwords',
    declared: 'sha256($salt.$pass)',
    hash: ({ password, salt }) => sha256(salt + password.trim()),
    scheme: 'sha256($salt.trim($pass))',
  },
  {
    title: 'not trimmed, declared as trimmed',
    declared: 'md5(trim($pass))',
    hash: ({ password }) => md5(password),
    scheme: 'md5',
  },
  {
    title: 'passwords in lower case',
    declared: 'md5',
    hash: ({ password }) => md5(password.toLowerCase()),
    scheme: 'md5(lower($pass))',
  },
  {
    title: 'passwords in NFD',
    declared: 'sha256',
    hash: ({ password }) => sha256(password.normalize('NFD')),
    scheme: 'sha256',
    words: ['the password in Unicode NFD'],
  },
  {
    title: 'an HMAC with the salt as its key',
    declared: 'sha256($salt.$pass)',
    hash: ({ password, salt }) => createHmac('sha256', salt).update(password).digest('hex'),
    scheme: 'hmac_sha256($salt,$pass)',
  },
  {
    title: 'an HMAC with key and text the other way round',
    declared: 'hmac_sha512($salt,$pass)',
    hash: ({ password, salt }) => createHmac('sha512', password).update(salt).digest('hex'),
    scheme: 'hmac_sha512($pass,$salt)',
  },
  {
    title: 'a pepper that stands at the other end',
    declared: "sha1('pepper'.$salt.$pass)",
    hash: ({ password, salt }) => sha1(`${salt}${password}pepper`),
    scheme: "sha1($salt.$pass.'pepper')",
  },
  {
    title: 'Symfony, without its braces',
    declared: 'sha512($pass.$salt)',
    hash: ({ password, salt }) => sha512(`${password}{${salt}}`),
    scheme: "sha512($pass.'{'.$salt.'}')",
  },
  {
    title: 'a bare digest without scheme',
    declared: null,
    hash: ({ password }) => sha256(password),
    scheme: 'sha256',
  },
  {
    title: 'half of an MD5',
    declared: 'md5',
    hash: ({ password }) => md5(password).slice(8, 24),
    scheme: 'substr(hex(md5($pass)),8,16)',
  },
  {
    title: 'ColdFusion',
    declared: 'sha256($salt.$pass)',
    hash: ({ password, salt }) => sha256(salt + sha1(password).toUpperCase()),
    scheme: 'sha256($salt.HEX(sha1($pass)))',
  },
  {
    title: 'a line feed behind the password',
    declared: 'md5',
    hash: ({ password }) => md5(`${password}\n`),
    scheme: "md5($pass.'\\n')",
  },
  {
    title: 'digest and salt in one column',
    declared: 'sha1($salt.$pass)',
    hash: ({ password, salt }) => `${sha1(salt + password)}:${salt}`,
    salt: () => null,
    scheme: 'sha1($salt.$pass)',
    words: ['password_hash is only what stands before the first ":"; the rest belongs into salt'],
  },
  {
    title: 'MD5 before bcrypt',
    declared: 'bcrypt',
    hash: ({ password }) => bcryptjs.hashSync(md5(password), 4),
    salt: () => null,
    ...(canWrap
      ? { scheme: 'bcrypt(hex(md5($pass)))' }
      : { scheme: 'bcrypt', words: ['the password as hex(md5($pass))'] }),
  },
  {
    title: 'bcrypt, declared as a digest',
    declared: 'sha256',
    hash: ({ password }) => bcryptjs.hashSync(password, 4),
    salt: () => null,
    scheme: null,
  },
  {
    title: 'escaped for HTML',
    declared: 'md5',
    hash: ({ password }) =>
      md5(password.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')),
    scheme: 'md5',
    words: ['the password with & < > " escaped for HTML'],
  },
]

const peopleOf = (at: number): Person[] =>
  PEOPLE.map(({ name, password, salt }, which) => ({
    id: `${at}-${which}`,
    login: `${name}.${at}@Example.com`,
    password,
    salt,
  }))

interface Told {
  accounts: { login: string; result: string; tried: number }[]
  stores: {
    cohort: string
    matched: number
    chancePossible: boolean
    found: { hashScheme: string | null; words: string[]; matched: number; of: number }[]
  }[]
}

function runProbe(input: string, args: string[] = []) {
  return heard((io) => probe.run(['-', ...args], io), { env: { DATABASE_URL: db.url }, typed: input })
}

const pairLines = (people: readonly Person[]) =>
  people.map(({ login, password }) => JSON.stringify({ login, password })).join('\n')

describe('deliberately mis-declared stores', () => {
  let told: Told
  let output = ''
  beforeAll(async () => {
    for (const [at, store] of stores.entries()) {
      for (const person of peopleOf(at)) {
        await db.owner.query(
          'insert into legacy.users (id, login, password_hash, hash_scheme, salt, cohort) values ($1, $2, $3, $4, $5, $6)',
          [
            person.id,
            person.login,
            store.hash(person),
            store.declared,
            store.salt ? store.salt(person) : person.salt,
            `store-${at}`,
          ],
        )
      }
    }
    const result = await runProbe(pairLines(stores.flatMap((_, at) => peopleOf(at))), ['--json'])
    output = result.out + result.err
    told = JSON.parse(result.out)
  })

  test.each(stores.map((store, at) => ({ ...store, at })))('$title', ({ at, scheme, words = [] }) => {
    const store = told.stores.find(({ cohort }) => cohort === `store-${at}`)
    // Another name of the same, as a family that is known by its own, may stand beside it.
    expect(store?.found, JSON.stringify(store)).toContainEqual({
      hashScheme: scheme,
      words,
      matched: 2,
      of: 2,
    })
    expect(store?.found[0]?.matched).toBe(2)
  })

  test('no password is in the output or in the database', async () => {
    const kept = `${output}${await everyRow(db.owner)}`
    for (const { password } of PEOPLE) {
      for (const form of disguises(password)) expect(kept.includes(form), 'a password was kept').toBe(false)
    }
  })

  test('what was found is on record', async () => {
    const { rows } = await db.owner.query(
      `select user_id, cohort, scheme, matched, found from carryover.probes where cohort = 'store-0' order by user_id`,
    )
    const found = 'hash_scheme sha256($pass.$salt)'
    const common = { cohort: 'store-0', scheme: 'sha256($salt.$pass)', matched: false, found }
    expect(rows).toEqual([
      { user_id: '0-0', ...common },
      { user_id: '0-1', ...common },
    ])
    await expect(db.owner.query('delete from carryover.probes')).rejects.toThrow('append-only')
  })
})

describe('a few accounts', () => {
  const RIGHT = 'Right-pa55word-of-ann'
  beforeAll(async () => {
    plant(RIGHT)
    for (const [login, hash, scheme, status] of [
      ['right@example.com', md5(RIGHT), 'md5', 'active'],
      ['other@example.com', md5('something else'), 'md5', 'active'],
      ['off@example.com', md5(RIGHT), 'md5', 'disabled'],
      ['short@example.com', md5(RIGHT).slice(0, 16), 'sha1', 'active'],
    ])
      await db.owner.query(
        'insert into legacy.users (id, login, password_hash, hash_scheme, status) values ($1, $1, $2, $3, $4)',
        [login, hash, scheme, status],
      )
  })

  test('all match: exit 0', async () => {
    const { code, out, err } = await runProbe(`login,password\nRIGHT@example.com,${RIGHT}\n`)
    expect([code, err]).toEqual([0, ''])
    expect(out).toContain('1 of 1 match as declared')
  })

  test('each is told by its login, and why', async () => {
    const logins = ['right', 'other', 'off', 'short', 'nobody'].map((name) => `${name}@example.com`)
    const input = `password,login\n${logins.map((login) => `"${RIGHT}",${login}`).join('\n')}\n`
    const { code, out } = await runProbe(input, ['--json', '--most', '3000'])
    const told: Told = JSON.parse(out)
    expect(code).toBe(1)
    expect(told.accounts.map(({ login, result }) => [login, result])).toEqual([
      ['right@example.com', 'match'],
      ['other@example.com', 'mismatch'],
      ['off@example.com', 'disabled'],
      ['short@example.com', 'unusable-hash'],
      ['nobody@example.com', 'unknown-login'],
    ])
    expect(Math.max(...told.accounts.map(({ tried }) => tried))).toBeLessThanOrEqual(3_000)
    expect(told.stores.map(({ chancePossible }) => chancePossible)).toEqual([false, true])
    const people = await runProbe(input, ['--most', '300'])
    expect(people.out).toContain('it may match by chance')
    expect(people.out + people.err).not.toContain(RIGHT)
  })
})

test.each([
  { title: 'no header', input: 'ann,Secret-pa55word\n', says: 'FILE has neither the CSV header' },
  { title: 'no pairs', input: 'login,password\n', says: 'FILE holds no pairs' },
  {
    title: 'an empty password',
    input: 'login,password\nann,\n',
    says: 'row 2 of FILE has no usable password',
  },
  {
    title: 'a stray cell',
    input: 'login,password\nann,Secret-pa55word,x\n',
    says: 'row 2 of FILE has another',
  },
  {
    title: 'broken JSON',
    input: '{"login":"ann"}\n{"Secret-pa55word',
    says: 'line 1 of FILE has no usable password',
  },
  {
    title: 'a line of no JSON',
    input: '{"login":"a","password":"b"}\n["Secret-pa55word"',
    says: 'line 2 of FILE is not',
  },
])('$title is not understood, and not repeated', async ({ input, says }) => {
  const failure = await runProbe(input).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(UsageError)
  const { message } = failure as UsageError
  expect(message).toContain(says)
  expect(message).not.toContain('Secret')
})
