import bcrypt from 'bcryptjs'
import type { VerdictKind } from '../../src/domain.ts'
import { exampleStored } from '../../src/hashes/index.ts'
import { plant } from '../helpers/canaries.ts'
import type { TestDatabase } from '../helpers/db.ts'
import { runCommand } from '../helpers/process.ts'
import { caller, delivery, importEvent } from '../helpers/service.ts'
import { md5 } from '../helpers/users.ts'

/** What the rows of one class have in common. */
interface Row {
  readonly hash?: string | null
  readonly scheme?: string
  readonly status?: 'disabled' | 'locked'
  /** Everybody of the class has this e-mail address, and it is what is asked for. */
  readonly email?: string
}

/** One way to a no. */
export interface RefusedClass {
  readonly name: string
  readonly verdict: Exclude<VerdictKind, 'match'>
  /** Absent: nobody has such a login. */
  readonly row?: Row
  readonly password: string
  /** What was done to its users before they are asked for. */
  readonly before?: 'migrated' | 'throttled'
}

/** The limit that the service under test has to have. */
export const REFUSALS = 10
/** How often one user is asked for: below the limit. */
const ASKED_EACH = 8

const RIGHT = 'Right-pa55word-of-the-refused'
const WRONG = 'Wrong-pa55word-of-the-refused'
for (const password of [RIGHT, WRONG]) plant(password)

/** Of most rows, so that the most common scheme is bcrypt; dear enough to be seen, and cheap enough to be asked often. */
const BCRYPT = bcrypt.hashSync(RIGHT, 6)
const BCRYPT_10 = bcrypt.hashSync(RIGHT, 10)
const ARGON2 = exampleStored('argon2').encoded
const MD5 = { hash: md5(RIGHT), scheme: 'md5' }
const TOO_COSTLY = `$2b$31$${'a'.repeat(21)}u${'a'.repeat(31)}`

/** Every way to a no: a new one needs a line here, see the first test of timing.test.ts. */
export const refusedClasses: readonly RefusedClass[] = [
  { name: 'unknown', verdict: 'unknown-login', password: WRONG },
  { name: 'two users', verdict: 'unknown-login', row: { hash: BCRYPT, email: 'two' }, password: RIGHT },
  { name: 'wrong md5', verdict: 'mismatch', row: MD5, password: WRONG },
  { name: 'wrong bcrypt 6', verdict: 'mismatch', row: { hash: BCRYPT }, password: WRONG },
  { name: 'wrong bcrypt 10', verdict: 'mismatch', row: { hash: BCRYPT_10 }, password: WRONG },
  { name: 'wrong argon2', verdict: 'mismatch', row: { hash: ARGON2 }, password: WRONG },
  {
    name: 'disabled, right',
    verdict: 'disabled',
    row: { hash: BCRYPT, status: 'disabled' },
    password: RIGHT,
  },
  {
    name: 'disabled, wrong',
    verdict: 'disabled',
    row: { hash: BCRYPT, status: 'disabled' },
    password: WRONG,
  },
  { name: 'disabled, md5', verdict: 'disabled', row: { ...MD5, status: 'disabled' }, password: RIGHT },
  { name: 'locked', verdict: 'disabled', row: { hash: BCRYPT, status: 'locked' }, password: RIGHT },
  { name: 'migrated', verdict: 'migrated', row: { hash: BCRYPT }, password: RIGHT, before: 'migrated' },
  { name: 'migrated, md5', verdict: 'migrated', row: MD5, password: RIGHT, before: 'migrated' },
  { name: 'no hash', verdict: 'unusable-hash', row: { hash: null }, password: RIGHT },
  { name: 'a marker for a hash', verdict: 'unusable-hash', row: { hash: '*0' }, password: RIGHT },
  { name: 'malformed', verdict: 'unusable-hash', row: { hash: BCRYPT.slice(0, -5) }, password: RIGHT },
  { name: 'unsupported', verdict: 'unusable-hash', row: { hash: '{ODD}x', scheme: 'odd' }, password: RIGHT },
  { name: 'over-cost', verdict: 'unusable-hash', row: { hash: TOO_COSTLY }, password: RIGHT },
  { name: 'empty password', verdict: 'mismatch', row: { hash: BCRYPT }, password: '' },
  { name: '73 bytes', verdict: 'mismatch', row: { hash: BCRYPT }, password: 'w'.repeat(73) },
  { name: 'NUL', verdict: 'mismatch', row: { hash: BCRYPT }, password: `${RIGHT}\0` },
  { name: 'NUL, md5', verdict: 'mismatch', row: MD5, password: `${RIGHT}\0` },
  { name: 'over-long', verdict: 'mismatch', row: { hash: BCRYPT }, password: 'w'.repeat(4_097) },
  { name: 'over-long, unknown', verdict: 'unknown-login', password: 'w'.repeat(4_097) },
  { name: 'no Unicode', verdict: 'mismatch', row: { hash: BCRYPT }, password: '\ud800' },
  { name: 'throttled', verdict: 'throttled', row: { hash: BCRYPT }, password: RIGHT, before: 'throttled' },
  { name: 'throttled, unknown', verdict: 'throttled', password: WRONG, before: 'throttled' },
]

const slug = (name: string) => name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()

/** The login of the n-th question to a class, so that nobody is asked for too often. */
export function loginOf({ name, row, before }: RefusedClass, place: number): string {
  const user = before === 'throttled' ? place % 2 : Math.floor(place / ASKED_EACH)
  return row?.email === undefined ? `${slug(name)}-${user}@example.com` : `${row.email}-${user}@example.com`
}

/** Rows for so many questions to each class. */
export async function addRefused({ owner, url }: TestDatabase, questions: number): Promise<void> {
  const rows = refusedClasses.flatMap(({ name, row }) => {
    if (row === undefined) return []
    const users = Array.from({ length: Math.ceil((questions + 1) / ASKED_EACH) + 1 }, (_, user) => user)
    return users.flatMap((user) =>
      ['a', 'b'].slice(0, row.email === undefined ? 1 : 2).map((twin) => ({
        id: `${slug(name)}-${user}-${twin}`,
        login:
          row.email === undefined
            ? `${slug(name)}-${user}@example.com`
            : `${slug(name)}-${user}-${twin}@x.example`,
        email: row.email === undefined ? null : `${row.email}-${user}@example.com`,
        hash: row.hash ?? null,
        scheme: row.scheme ?? null,
        status: row.status ?? 'active',
      })),
    )
  })
  await owner.query(
    `insert into legacy.users (id, login, email, password_hash, hash_scheme, status, cohort, profile)
     select id, login, email, hash, scheme, status, 'default', '{}'::jsonb
     from jsonb_to_recordset($1::jsonb) as rows(id text, login text, email text, hash text, scheme text, status text)`,
    [JSON.stringify(rows)],
  )
  await countIn(url)
}

/** Makes most users ones whose hash is an MD5, so that the work for unknown logins costs next to nothing. */
export async function addCheapMajority({ owner, url }: TestDatabase, questions: number): Promise<void> {
  await owner.query(
    `insert into legacy.users (id, login, password_hash, hash_scheme, status, cohort, profile)
     select 'cheap-' || n, 'cheap-' || n || '@example.com', md5(n::text), 'md5', 'active', 'default', '{}'::jsonb
     from generate_series(1, $1) n`,
    [refusedClasses.length * (questions + ASKED_EACH)],
  )
  await countIn(url)
}

async function countIn(url: string): Promise<void> {
  const { code, err } = await runCommand(['sync'], { DATABASE_URL: url })
  if (code !== 0) throw new Error(err)
}

/** Confirms and refuses what the classes need, by way of the service. Needs MIGRATED_GRACE_SECONDS=0. */
export async function prepareRefused(
  hooksUrl: string,
  questions: number,
  ask: (one: RefusedClass, login: string) => Promise<unknown>,
) {
  const post = caller(hooksUrl)
  for (const one of refusedClasses.filter(({ before }) => before === 'migrated')) {
    const logins = [...new Set(Array.from({ length: questions + 1 }, (_, place) => loginOf(one, place)))]
    for (let from = 0; from < logins.length; from += 50) {
      const events = logins.slice(from, from + 50).map((login) => importEvent(login, `event-${login}`))
      const { status } = await post('/okta/events', delivery(...events))
      if (status !== 204) throw new Error(`the events were answered ${status}`)
    }
  }
  const throttled = refusedClasses.filter(({ before }) => before === 'throttled')
  await Promise.all(
    throttled.flatMap((one) =>
      [0, 1].map(async (place) => {
        const asWrong = { ...one, password: WRONG }
        for (let at = 0; at < REFUSALS; at++) await ask(asWrong, loginOf(one, place))
      }),
    ),
  )
}
