// Everything of bringing users to a provider, as an operator and the users meet it: the built program, PostgreSQL, and a
// provider on the other side of TLS that asks our hook.
import { execFileSync } from 'node:child_process'
import { createHash, pbkdf2Sync, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hashSync } from '@node-rs/argon2'
import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { canaryFormsIn, mintCanaries, plant } from '../helpers/canaries.ts'
import { type TestDatabase, testDatabase } from '../helpers/db.ts'
import { admin, runCommand, type ServiceProcess, startProcess } from '../helpers/process.ts'
import { SECOND_SECRET } from '../helpers/service.ts'
import { type OrySimulator, startOry } from '../helpers/simulators/ory.ts'
import { targetEnvironment } from '../helpers/target-environment.ts'
import { md5 } from '../helpers/users.ts'
import { scratch } from '../load/helpers.ts'

const makers = {
  bcrypt: (password: string) => [bcrypt.hashSync(password, 4)],
  argon2id: (password: string) => [
    hashSync(password, { algorithm: 2, memoryCost: 4_096, timeCost: 1, parallelism: 1 }),
  ],
  argon2d: (password: string) => [
    hashSync(password, { algorithm: 0, memoryCost: 4_096, timeCost: 1, parallelism: 1 }),
  ],
  django: (password: string) => {
    const salt = randomBytes(6).toString('hex')
    return [
      `pbkdf2_sha256$1000$${salt}$${pbkdf2Sync(password, salt, 1_000, 32, 'sha256').toString('base64')}`,
    ]
  },
  sha512Crypt: (password: string) => [
    execFileSync('openssl', ['passwd', '-6', '-stdin'], { input: password, encoding: 'utf8' }).trim(),
  ],
  md5: (password: string) => [md5(password), 'md5'],
  salted: (password: string) => {
    const salt = randomBytes(8).toString('hex')
    return [createHash('sha256').update(`${salt}${password}`).digest('hex'), 'sha256($salt.$pass)', salt]
  },
  twice: (password: string) => [md5(md5(password)), 'md5(hex(md5($pass)))'],
  locked: () => ['!'],
} satisfies Record<string, (password: string) => readonly string[]>

type Maker = keyof typeof makers

interface Person {
  readonly id: string
  readonly login: string
  readonly email: string
  readonly password: string
  readonly hash: readonly string[]
  readonly status: string
  readonly profile: Readonly<Record<string, unknown>>
  readonly deleted: boolean
}

/** Whoever is named by it signs in as that. */
const people = new Map<string, Person>()
const passwords = mintCanaries(40)
/** What no output may have in it, besides passwords: hashes, salts and what opens doors. */
const secrets: string[] = [SECOND_SECRET]

function person(login: string, maker: Maker, changes: Partial<Person> = {}): Person {
  const password = passwords.pop() ?? ''
  plant(password)
  const hash = makers[maker](password)
  secrets.push(...hash.filter((text, at) => at !== 1 && text.length > 8))
  const made = {
    id: `L-${login}`,
    login,
    email: `${login}@example.com`,
    password,
    hash,
    status: 'active',
    profile: { given_name: login.toUpperCase(), family_name: 'Example' },
    deleted: false,
    ...changes,
  }
  people.set(login, made)
  return made
}

/** The same person with something else in the old system. */
function change(login: string, changes: Partial<Person>): Person {
  const changed = { ...known(login), ...changes }
  people.set(login, changed)
  return changed
}

/** Whose password is another one from now on. */
function changePassword(login: string, maker: Maker): Person {
  const { password: _before, hash: _old, ...rest } = known(login)
  return person(login, maker, rest)
}

function known(login: string): Person {
  const found = people.get(login)
  if (found === undefined) throw new Error(`nobody is called ${login}`)
  return found
}

function csv(rows: readonly Person[]): string {
  const cell = (text = '') => `"${text.replaceAll('"', '""')}"`
  const head = 'id,login,email,password_hash,hash_scheme,salt,status,cohort,profile,updated_at,deleted'.split(
    ',',
  )
  const lines = rows.map(({ id, login, email, hash, status, profile, deleted }) =>
    [id, login, email, hash[0], hash[1], hash[2], status, 'retail', JSON.stringify(profile)]
      .concat(['2025-06-01T00:00:00Z', String(deleted)])
      .map(cell)
      .join(','),
  )
  return [head.join(','), ...lines, ''].join('\n')
}

let db: TestDatabase
let files: Awaited<ReturnType<typeof scratch>>
let kratos: OrySimulator
let service: ServiceProcess
let env: Record<string, string>

beforeAll(async () => {
  db = await testDatabase()
  files = await scratch()
  kratos = await startOry()
  secrets.push(kratos.token ?? '')
  env = await targetEnvironment('ory', kratos, db.url, files)
  service = await startProcess(db.url, { ORY_HOOK_SECRETS: SECOND_SECRET })
  kratos.setHook({ url: `${service.hooksUrl}/ory/password-migration`, authorization: SECOND_SECRET })
})
afterAll(async () => {
  service.child.kill('SIGTERM')
  expect(await service.ended).toBe(0)
  expectNoSecret('the service', service.output())
  await kratos.close()
  await db.drop()
  await files.remove()
})

function expectNoSecret(where: string, text: string) {
  expect(canaryFormsIn(text), `${where} tells of passwords`).toBe(0)
  expect(secrets.filter((secret) => text.includes(secret)).length, `${where} tells of secrets`).toBe(0)
}

async function carryover(...args: string[]) {
  const result = await runCommand(args, env)
  expectNoSecret(`carryover ${args[0]}`, result.out + result.err)
  return result
}

async function load(rows: readonly Person[]) {
  const path = await files.file('users.csv', csv(rows))
  const { code, out, err } = await carryover('load', path, '--json')
  return { code, err, summary: JSON.parse(out) }
}

interface Report {
  readonly problems: readonly {
    readonly code: string
    readonly severity: string
    readonly field: string | null
    readonly examples: readonly string[]
  }[]
}

async function check(...args: string[]) {
  const { code, out, err } = await carryover('check', 'ory', '--region', 'DE', '--json', ...args)
  expect(err).toBe('')
  const { problems }: Report = JSON.parse(out)
  const told = problems.flatMap(({ code, severity, field, examples }) =>
    // What has to be defined at the target is a matter of the schema, not of users.
    code === 'attribute-to-define' ? [] : examples.map((id) => `${severity} ${code} ${field} ${id}`),
  )
  return { code, told: told.sort() }
}

async function plan(...args: string[]) {
  const { code, out, err } = await carryover('plan', 'ory', '--json', '--inactive', 'bring', ...args)
  expect([code, err]).toEqual([0, ''])
  const { plan: id, users, toDo, leftOut, byAction, byMethod, byWhy, needs } = JSON.parse(out)
  return { id, users, toDo, leftOut, byAction, byMethod, byWhy, needs }
}

/** What a plan's items have come to, by what the admin listener and the command say, and by counting. */
async function ended(id: string): Promise<Record<string, number>> {
  const status = await carryover('provision', id, '--status', '--json')
  expect(status.code).toBe(0)
  const { plans } = (await admin(service.adminUrl, '/provisioning')).json() as {
    plans: { plan: string; counts: { state: string; users: number }[] }[]
  }
  const { asOf: _asOf, ...told } = JSON.parse(status.out)
  const listed = plans.find(({ plan }) => plan === id)
  expect(told).toEqual(listed)
  const { rows } = await db.owner.query<{ state: string; users: number }>(
    `with counted as (
      select action, method, state, coalesce(reason, '') as reason, count(*) as users from carryover.plan_items
      where plan = $1 group by 1, 2, 3, 4),
    kept as (select action, method, state, reason, users from carryover.plan_counts where plan = $1 and users <> 0)
    select 'disagree' as state, count(*)::int as users
    from ((table counted except table kept) union all (table kept except table counted)) wrong
    union all select state, sum(users)::int from kept group by state order by state`,
    [id],
  )
  const states = Object.fromEntries(rows.map(({ state, users }) => [state, users]))
  expect(states).toMatchObject({ disagree: 0 })
  const { disagree: _none, ...counts } = states
  return counts
}

async function counts() {
  const checked = await carryover('counts', '--check')
  expect([checked.code, checked.out]).toEqual([0, 'the kept counts agree with a full recount\n'])
  const { total, unmigrated, verified, migrated } = (
    await admin(service.adminUrl, '/counts')
  ).json() as Record<string, number>
  return { total, unmigrated, verified, migrated }
}

const signIn = (login: string, password = known(login).password) => kratos.signIn(login, password)

async function signIns(...logins: string[]) {
  const told: Record<string, string> = {}
  for (const login of logins) told[login] = await signIn(login)
  return told
}

const each = <Told>(logins: readonly string[], told: Told) =>
  Object.fromEntries(logins.map((login) => [login, told]))

const HASHED = ['ada', 'ben', 'cyd', 'dan', 'eve', 'fay']
const ASKED = ['gus', 'hal', 'ida']

let mapping: string

test('a file is loaded but for three rows, and they are loaded once they are corrected', async () => {
  const rows = [
    person('ada', 'bcrypt', {
      profile: { given_name: 'Ada', family_name: 'Lovelace', email_verified: true },
    }),
    person('ben', 'argon2id'),
    person('cyd', 'django'),
    person('dan', 'sha512Crypt'),
    person('eve', 'md5'),
    person('fay', 'salted'),
    person('gus', 'twice', { email: 'gus@ example.com' }),
    person('hal', 'argon2d', { profile: { given_name: 'Hal', family_name: 'MÃ¼ller' } }),
    person('ida', 'twice', { profile: { given_name: 'Ida', phone_number: '0151 23456789' } }),
    person('jan', 'md5', { profile: { given_name: 'Jan', family_name: 'n'.repeat(60) } }),
    person('kim', 'twice', { profile: { given_name: 'Kim\u200b', family_name: 'Example' } }),
    person('lou', 'locked'),
    person('max', 'bcrypt', { status: 'disabled' }),
    person('nan', 'twice', { status: 'disabled' }),
    person('pia', 'twice', { email: 'pia.example.com' }),
    person('ora', 'md5', { status: 'actve', profile: { given_name: 'Ora', shoe_size: 40 } }),
    person('', 'twice', { id: 'L-quin', email: 'quin@example.com' }),
    { ...known('ada'), email: 'another@example.com' },
  ]
  const first = await load(rows)
  expect(first).toMatchObject({ code: 1, summary: { rows: 18, added: 15, refused: 3 } })
  // Lines are told, and nothing of what stands there.
  expect(first.err).toMatch(/^(line \d+: [^\n]+\n){3}/)
  expect(first.err).not.toMatch(/actve|another|quin/)

  const { refusedPath } = first.summary
  const refused = await readFile(refusedPath, 'utf8')
  const corrected = refused
    .split('\n')
    .filter((line) => !line.includes('another@example.com'))
    .join('\n')
    .replace('actve', 'active')
    .replace('"L-quin",""', '"L-quin","quin"')
    .replace('L-quin,,', 'L-quin,quin,')
  people.set('ora', { ...known('ora'), status: 'active' })
  people.set('quin', { ...known(''), login: 'quin' })
  people.delete('')
  const again = await carryover('load', await files.file('again.csv', corrected), '--json')
  expect([again.code, JSON.parse(again.out)]).toMatchObject([0, { rows: 2, added: 2, refused: 0 }])
  expect(await counts()).toEqual({ total: 17, unmigrated: 17, verified: 0, migrated: 0 })
})

test('the check finds what is wrong, and rules and a mapping put it right', async () => {
  const attributes = {
    login: 'username',
    email: 'email',
    'profile.given_name': 'name.first',
    'profile.family_name': 'name.last',
    'profile.phone_number': 'phone_number',
    'profile.email_verified': 'email_verified',
  }
  const draft = await files.file('draft.json', JSON.stringify({ attributes }))
  const wrong = [
    'error email-blank email L-gus',
    'error email-no-at email L-pia',
    'error phone-not-e164 profile.phone_number L-ida',
    'error zero-width profile.given_name L-kim',
    'warning hash-unusable password_hash L-lou',
    'warning mojibake profile.family_name L-hal',
  ]
  expect(await check('--mapping', draft)).toEqual({
    code: 1,
    told: [...wrong, 'error unmapped-field profile.shoe_size L-ora'].sort(),
  })
  mapping = await files.file('mapping.json', JSON.stringify({ attributes, drop: ['profile.shoe_size'] }))
  expect(await check('--mapping', mapping)).toEqual({ code: 1, told: wrong })

  const rules = await files.file(
    'rules.json',
    JSON.stringify([
      { name: 'no-address', field: 'email', fix: { kind: 'leave-out' }, where: 'email-no-at' },
    ]),
  )
  const preview = await carryover(
    'check',
    ...['ory', '--region', 'DE', '--mapping', mapping, '--preview', rules],
  )
  expect(preview.out).toContain('rule no-address: 0 changed, 1 left out, as L-pia\n')
  expect((await check('--mapping', mapping)).told, 'a preview changes nothing').toEqual(wrong)
  const apply = await carryover('check', 'ory', '--mapping', mapping, '--region', 'DE', '--apply', rules)
  expect(apply).toMatchObject({ err: '' })
  const suggested = 'email-blank,mojibake,phone-not-e164,zero-width'
  await carryover('check', 'ory', '--mapping', mapping, '--region', 'DE', '--apply-suggested', suggested)
  expect(await check('--mapping', mapping)).toEqual({
    code: 0,
    told: ['warning email-not-looked-up email L-gus', 'warning hash-unusable password_hash L-lou'],
  })
})

let first: Awaited<ReturnType<typeof plan>>

test('a plan says who is brought how', async () => {
  first = await plan('--mapping', mapping)
  expect(first).toMatchObject({
    users: 17,
    toDo: 16,
    leftOut: 1,
    byAction: { create: 16, update: 0, deactivate: 0, delete: 0 },
    // Ada to Fay, Jan, Max and Ora; Gus, Hal, Ida, Kim, Nan and Quin; Lou.
    byMethod: { hash: 9, hook: 6, reset: 1, none: 0 },
  })
  expect(await ended(first.id)).toEqual({ pending: 16, 'left-out': 1 })
  expect(kratos.count({ method: 'PATCH' })).toBe(0)
})

test('a run brings all but one, whom the provider refuses for a name of sixty characters', async () => {
  const { code, out, err } = await carryover('provision', first.id)
  expect(code).toBe(1)
  expect(out).toContain('15 created, 1 refused')
  expect(out + err).not.toContain('nnnn')
  expect(await ended(first.id)).toEqual({ created: 15, refused: 1, 'left-out': 1 })
  expect([...kratos.identities()]).toHaveLength(15)
  // As the rules have it, and as it is in the old system otherwise.
  expect(kratos.identity('gus')?.traits).toMatchObject({ email: 'gus@example.com' })
  expect(kratos.identity('hal')?.traits).toMatchObject({ name: { last: 'Müller' } })
  expect(kratos.identity('ida')?.traits).toMatchObject({ phone_number: '+4915123456789' })
  expect(kratos.identity('max')?.state).toBe('inactive')
  expect(kratos.identity('ada')?.verifiable_addresses).toMatchObject([{ verified: true }])
  expect(kratos.identity('ben')?.verifiable_addresses).toMatchObject([{ verified: false }])
  const again = await carryover('provision', first.id)
  expect([again.code, again.out]).toEqual([1, out])
})

test('who was brought with a hash signs in without us', async () => {
  expect(await signIn('ben', known('cyd').password)).toBe('refused')
  expect(await signIns(...HASHED)).toEqual(each(HASHED, 'signed-in'))
  expect(await counts()).toEqual({ total: 17, unmigrated: 17, verified: 0, migrated: 0 })
  const { rows } = await db.owner.query('select count(*)::int as outcomes from carryover.outcomes')
  expect(rows).toEqual([{ outcomes: 0 }])
})

test('who was not signs in by the hook, and all others are refused', async () => {
  expect(await signIns(...ASKED)).toEqual(each(ASKED, 'signed-in'))
  // With the password that Kratos has made its own.
  expect(await signIns(...ASKED)).toEqual(each(ASKED, 'signed-in'))
  expect(await signIn('kim', known('ida').password)).toBe('refused')
  expect(await signIns('jan', 'lou', 'max', 'nan', 'pia')).toEqual({
    jan: 'refused',
    lou: 'refused',
    // Kratos has the hash, and says that the identity is not active.
    max: 'inactive',
    nan: 'refused',
    pia: 'refused',
  })
  expect(await counts()).toEqual({ total: 17, unmigrated: 14, verified: 3, migrated: 0 })
  const { rows } = await db.owner.query(
    `select user_id, verdict from carryover.outcomes order by user_id, verdict`,
  )
  expect(rows).toEqual([
    { user_id: 'L-gus', verdict: 'match' },
    { user_id: 'L-hal', verdict: 'match' },
    { user_id: 'L-ida', verdict: 'match' },
    { user_id: 'L-kim', verdict: 'mismatch' },
    { user_id: 'L-nan', verdict: 'disabled' },
  ])
})

const before = new Map<string, Person>()
let second: Awaited<ReturnType<typeof plan>>

test('a later load and plan have what has changed, and nothing else', async () => {
  for (const login of ['ada', 'gus', 'kim']) before.set(login, known(login))
  const rows = [
    changePassword('ada', 'bcrypt'),
    change('ben', { profile: { given_name: 'Benjamin', family_name: 'Example' } }),
    known('cyd'),
    change('dan', { deleted: true }),
    change('eve', { status: 'locked' }),
    changePassword('gus', 'twice'),
    change('hal', { deleted: true }),
    change('jan', { profile: { given_name: 'Jan', family_name: 'N' } }),
    changePassword('kim', 'argon2d'),
    change('max', { status: 'active' }),
    change('pia', { email: 'pia@example.com' }),
    person('rob', 'salted'),
    person('sue', 'twice'),
  ]
  expect(await load(rows)).toMatchObject({
    code: 0,
    summary: { rows: 13, added: 2, changed: 8, unchanged: 1, deleted: 2, refused: 0 },
  })
  expect(await counts()).toEqual({ total: 17, unmigrated: 15, verified: 2, migrated: 0 })
  expect((await carryover('provision', first.id)).code).toBe(1)

  second = await plan('--mapping', mapping, '--removals', 'delete', '--changed-passwords', 'ask-again')
  expect(second).toMatchObject({ users: 17, toDo: 11, leftOut: 0 })
  expect(await itemsOf(second.id)).toEqual([
    'L-ada update hash password-changed',
    'L-ben update none profile-changed',
    'L-dan delete none deleted',
    'L-eve update none profile-changed',
    'L-gus update hook password-changed',
    'L-hal delete none deleted',
    'L-jan create hash hash-readable',
    'L-max update none profile-changed',
    'L-pia create hook hook',
    'L-rob create hash hash-readable',
    'L-sue create hook hook',
  ])
  // Kim is asked for by the hook, which has the new hash.
  expect(second.byWhy).toContainEqual({ action: 'none', method: 'none', why: 'password-changed', users: 1 })
})

async function itemsOf(id: string): Promise<string[]> {
  const { rows } = await db.owner.query<{ item: string }>(
    `select concat_ws(' ', user_id, action, method, why) as item from carryover.plan_items where plan = $1 order by user_id`,
    [id],
  )
  return rows.map(({ item }) => item)
}

test('a run brings it, and nobody signs in with what was before', async () => {
  const { code, out } = await carryover('provision', second.id)
  expect([code, out]).toEqual([0, expect.stringContaining('11 users: 4 created, 5 updated, 2 removed\n')])
  expect(await ended(second.id)).toEqual({ created: 4, updated: 5, removed: 2 })
  expect(kratos.identity('ben')?.traits).toMatchObject({ name: { first: 'Benjamin' } })
  expect([...kratos.identities()]).toHaveLength(17)

  for (const login of ['ada', 'gus', 'kim'])
    expect([login, await signIn(login, before.get(login)?.password)]).toEqual([login, 'refused'])
  const all = ['ada', 'ben', 'gus', 'ida', 'jan', 'kim', 'max', 'pia', 'rob', 'sue']
  expect(await signIns(...all)).toEqual(each(all, 'signed-in'))
  expect(await signIns('dan', 'eve', 'hal')).toEqual({ dan: 'refused', eve: 'inactive', hal: 'refused' })
  // Gus again, Ida still, Kim, Pia and Sue.
  expect(await counts()).toEqual({ total: 17, unmigrated: 12, verified: 5, migrated: 0 })
})

test('who was deleted does not come back, and there is nothing left to do', async () => {
  const rows = [change('dan', { deleted: false }), change('hal', { deleted: false }), known('sue')]
  const { code, summary } = await load(rows)
  expect([code, summary]).toMatchObject([
    1,
    { added: 0, unchanged: 1, refusedByRule: { 'deleted-earlier': 2 } },
  ])
  expect(await counts()).toEqual({ total: 17, unmigrated: 12, verified: 5, migrated: 0 })
  const third = await plan('--mapping', mapping, '--removals', 'delete', '--changed-passwords', 'ask-again')
  expect([third.toDo, third.leftOut, third.needs, await itemsOf(third.id)]).toEqual([0, 0, [], []])
  const calls = kratos.count({})
  expect(await carryover('provision', third.id)).toMatchObject({ code: 0 })
  expect(await ended(third.id)).toEqual({})
  expect(kratos.count({})).toBe(calls)
  expect(await signIns('dan', 'hal')).toEqual({ dan: 'refused', hal: 'refused' })
})
