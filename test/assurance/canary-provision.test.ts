import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { hashSync as bcrypt } from 'bcryptjs'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EmbeddedPostgres, startEmbedded } from '../../src/db/embedded.ts'
import { allowed, measured, sized } from '../helpers/assurance.ts'
import { everyRow } from '../helpers/db.ts'
import { admin, type CommandResult, runCommand, startProcess } from '../helpers/process.ts'
import { type OktaSimulator, startOkta } from '../helpers/simulators/okta.ts'
import { createSystemLog } from '../helpers/simulators/okta-log.ts'
import { type Asked, type Said, type SimulatorServer, startServer } from '../helpers/simulators/server.ts'
import { until } from '../helpers/until.ts'
import { md5 } from '../helpers/users.ts'

// Everything from the file to the provider and back is played with what must not get out: every command as a process of its own, a
// PostgreSQL that logs all statements with their parameters, and providers that quote what they were sent in every refusal.

const USERS = sized(24, 240)

/** In every e-mail address, login, name and hash of this file, and nowhere else. */
const MARK = randomBytes(4).toString('hex')
const phoneOf = (at: number) => `+49170${String(4_711_000 + at)}`

interface Planted {
  readonly id: string
  readonly login: string
  readonly email: string
  readonly phone: string
  readonly family: string
  readonly hash: string
  readonly salt: string
}

const planted = (kind: string, count: number, hashOf: (password: string) => string): Planted[] =>
  Array.from({ length: count }, (_, at) => ({
    // The first is a formula for spreadsheets.
    id: `${at === 0 ? '=' : ''}${kind}-${at}`,
    login: `${kind}${at}@login${MARK}.example`,
    email: `${kind}${at}@mail${MARK}.example`,
    phone: phoneOf(at),
    family: `Fam${MARK}ily${at}`,
    hash: hashOf(`${kind}${at}-${MARK}`),
    salt: '',
  }))

const csvUsers = planted('csv', USERS, (password) => password).map((user, at) => ({
  ...user,
  ...(at % 3 === 0
    ? { hash: bcrypt(user.hash, 4), scheme: '' }
    : at % 3 === 1
      ? { hash: md5(user.hash), scheme: 'md5' }
      : { hash: md5(`${MARK}salt${at}${user.hash}`), scheme: 'md5($salt.$pass)', salt: `${MARK}salt${at}` }),
}))
const exported = planted('kc', 6, (password) => Buffer.from(md5(password)).toString('base64'))
const queried = planted('sql', 6, (password) => bcrypt(password, 4))
const refused = planted('bad', 6, (password) => md5(password))
const everybody = [...csvUsers, ...exported, ...queried, ...refused]

const secrets = {
  oktaToken: `00okta${randomBytes(18).toString('base64url')}x1`,
  readingToken: `00read${randomBytes(18).toString('base64url')}x1`,
  clientSecret: `client ${randomBytes(18).toString('base64')} &"1`,
  accessToken: `access${randomBytes(24).toString('base64url')}x1`,
  sourcePassword: `src${randomBytes(12).toString('hex')}`,
}

/** A secret as it could be hidden: whole and its ends, in base64 at any place, hexadecimal, JSON and addresses. */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret)
  return [
    secret,
    secret.slice(0, 16),
    secret.slice(-16),
    [...secret].reverse().join(''),
    secret.toUpperCase(),
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams({ a: secret }).toString().slice(2),
    bytes.toString('hex'),
    ...[0, 1, 2].map((shift) =>
      Buffer.concat([Buffer.alloc(shift), bytes])
        .toString('base64')
        .slice(shift === 0 ? 0 : 4, -4),
    ),
    // A digest as its bytes, in the notations of the targets.
    ...(/^[0-9a-f]{32}$/.test(secret) ? [Buffer.from(secret, 'hex').toString('base64').slice(0, 20)] : []),
  ].filter((form) => form.length >= 12)
}

const hashForms = everybody.flatMap(({ hash, salt }) => [
  // Costs and the name of a scheme are no secret: what follows them is.
  ...formsOf(hash.startsWith('$2') ? hash.slice(7) : hash),
  ...(salt === '' ? [] : formsOf(salt)),
])
const secretForms = Object.values(secrets).flatMap(formsOf)
const profileForms = everybody.flatMap(({ email, phone, family }) => [
  email,
  phone,
  phone.slice(1),
  family,
  encodeURIComponent(email),
])

const found = (text: string | Buffer, forms: readonly string[]) => {
  const bytes = Buffer.isBuffer(text) ? text.toString('latin1') : Buffer.from(text).toString('latin1')
  return forms.filter((form) => bytes.includes(form)).length
}

let directory: string
let database: string
let server: EmbeddedPostgres
let url: string
let sourceUrl: string
let owner: pg.Client
let okta: OktaSimulator
let cidaas: SimulatorServer
let env: Record<string, string>
const log = createSystemLog(() => okta.url)

/** What the providers have heard, and where secrets stood. */
const heard: { readonly host: string; readonly asked: Asked }[] = []
const said: { readonly what: string; readonly result: CommandResult }[] = []

async function command(what: string, args: readonly string[], more: Record<string, string> = {}) {
  const result = await runCommand(args, { ...env, ...more })
  said.push({ what, result })
  return result
}

const file = async (name: string, content: string) => {
  const path = join(directory, name)
  await writeFile(path, content, { mode: 0o600 })
  return path
}

/** All that was sent, as providers quote it who want to be helpful. */
const quoted = ({ body, headers, path }: Asked) =>
  `${path} ${headers.authorization} says ${body} and ${[...body.matchAll(/"(?:\\.|[^"\\])*"/g)].map(([text]) => text).join(' ')}`

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'carryover-canary-provision-'))
  database = await mkdtemp(join(tmpdir(), 'carryover-canary-database-'))
  server = await startEmbedded({
    directory: database,
    settings: [
      'logging_collector=on',
      'log_directory=log',
      'log_statement=all',
      'log_min_duration_statement=0',
      'log_error_verbosity=verbose',
      'log_parameter_max_length=-1',
      'log_parameter_max_length_on_error=-1',
    ],
  })
  url = await server.database('carryover')
  sourceUrl = await server.database('shop')
  okta = await startOkta({
    token: secrets.oktaToken,
    faults: { tooMany: 3, failed: 3, unavailable: 2, cutBefore: 2, cutAfter: 2 },
    windowMs: 1_000,
    also: (asked) => {
      heard.push({ host: 'okta', asked })
      return log.answer(asked) ?? quoting(asked)
    },
  })
  cidaas = await startServer({
    answer: (asked) => {
      heard.push({ host: 'cidaas', asked })
      return bulk(asked)
    },
    faultAnswer: (status) => ({ status, body: { error: 'a simulated fault' } }),
    faults: { failed: 10, cutAfter: 5 },
  })
  env = {
    DATABASE_URL: url,
    SECRET_FILE_MODE: '0600',
    OKTA_PROVISION_URL: okta.url,
    OKTA_PROVISION_TOKEN_FILE: await file('okta-token', secrets.oktaToken),
    OKTA_RECONCILE_URL: okta.url,
    OKTA_RECONCILE_TOKEN_FILE: await file('okta-reading', secrets.oktaToken),
    CIDAAS_PROVISION_URL: cidaas.url,
    CIDAAS_PROVISION_CLIENT_ID: 'app-1',
    CIDAAS_PROVISION_CLIENT_SECRET_FILE: await file('cidaas-secret', secrets.clientSecret),
    OUTBOUND_CA_FILE: await file('ca.pem', okta.ca),
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.0/8',
  }
  owner = new pg.Client({ connectionString: url })
  await owner.connect()
  // What the test itself writes into the source is not what the program says.
  const source = new pg.Client({ connectionString: sourceUrl })
  await source.connect()
  await source.query(`set log_statement = none; set log_min_duration_statement = -1`)
  await source.query(
    'create table people (id text, login text, email text, password_hash text, profile jsonb)',
  )
  for (const { id, login, email, hash, family, phone } of queried)
    await source.query('insert into people values ($1, $2, $3, $4, $5)', [
      id,
      login,
      email,
      hash,
      { given_name: 'Sue', family_name: family, phone_number: phone },
    ])
  await source.end()
}, 120_000)

afterAll(async () => {
  await okta?.close()
  await cidaas?.close()
  await owner?.end().catch(() => {})
  await server?.stop()
  for (const path of [directory, database]) await rm(path, { recursive: true, force: true })
})

/** Every third user is refused, in words that quote everything; the token is quoted in a code. */
function quoting(asked: Asked): Said | undefined {
  if (
    asked.method !== 'POST' ||
    asked.path !== '/api/v1/users' ||
    !/(?:csv|sql)\d*[05]@login/.test(asked.body)
  )
    return undefined
  const { profile, credentials } = JSON.parse(asked.body)
  const hash = String(credentials?.password?.hash?.value ?? 'none')
  return {
    status: 400,
    body: {
      errorCode: /5@login/.test(asked.body) ? hash.slice(0, 60) : 'E0000001',
      errorSummary: quoted(asked),
      errorCauses: [
        {
          errorSummary: `email ${profile.email} of ${profile.lastName} (${profile.mobilePhone}), ${quoted(asked)}`,
        },
      ],
    },
  }
}

function bulk(asked: Asked): Said {
  if (asked.path === '/token-srv/token')
    return { status: 200, body: { access_token: secrets.accessToken, expires_in: 3_600 } }
  if (asked.headers.authorization !== `Bearer ${secrets.accessToken}`)
    return { status: 401, body: { error: quoted(asked) } }
  const users = JSON.parse(asked.body) as {
    sub: string
    email: string
    password_hash_info?: { passwordHash: string }
  }[]
  return {
    status: 200,
    body: {
      process_states: users.map((user, at) =>
        at % 2 === 0
          ? { sub: user.sub, identifier: { email: user.email }, state: 'CREATED' }
          : {
              sub: 'ANONYMOUS',
              identifier: { email: user.email },
              state: 'FAILED',
              code: user.password_hash_info?.passwordHash ?? secrets.accessToken,
              message: `invalid value ${JSON.stringify(user)} ${quoted(asked)} ${secrets.clientSecret}`,
            },
      ),
    },
  }
}

const cell = (text: string) => `"${text.replaceAll('"', '""')}"`
const profileOf = ({ family, phone }: Planted) =>
  JSON.stringify({ given_name: 'Ann', family_name: family, phone_number: phone })

function csvOf(rows: readonly (Planted & { readonly scheme?: string; readonly status?: string })[]) {
  return [
    'id,login,email,password_hash,salt,hash_scheme,profile,status,updated_at',
    ...rows.map((user) =>
      [
        user.id,
        user.login,
        user.email,
        user.hash,
        user.salt,
        user.scheme ?? '',
        profileOf(user),
        user.status ?? 'active',
        '2020-01-01T00:00:00Z',
      ]
        .map(cell)
        .join(','),
    ),
  ].join('\n')
}

const realm = () =>
  JSON.stringify({
    realm: 'shop',
    users: exported.map(({ id, login, email, hash, family, phone }) => ({
      id,
      username: login,
      email,
      enabled: true,
      firstName: 'Kim',
      lastName: family,
      attributes: { phone_number: [phone] },
      credentials: [
        {
          type: 'password',
          secretData: JSON.stringify({ value: hash, salt: Buffer.from(`${MARK}${id}`).toString('base64') }),
          credentialData: JSON.stringify({ hashIterations: 27_500, algorithm: 'pbkdf2-sha256' }),
        },
      ],
    })),
  })

const planIn = ({ out }: CommandResult) => /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(out)?.[0] ?? ''

test('the story from the file to the provider and back', allowed(180_000, 900_000), async () => {
  expect((await command('migrate', ['migrate'])).code).toBe(0)
  const wrong = refused.map((user, at) =>
    at % 2 === 0 ? { ...user, status: user.email } : { ...user, id: csvUsers[0]?.id ?? '' },
  )
  const loaded = await command('load of a file', [
    'load',
    await file('users.csv', csvOf([...csvUsers, ...wrong])),
  ])
  expect([loaded.code, loaded.err]).toEqual([1, expect.stringContaining('line')])
  const identity = await generateIdentity()
  const key = await identityToRecipient(identity)
  await command('load with encrypted refusals', [
    'load',
    await file('again.csv', csvOf([...csvUsers, ...wrong])),
    '--refused-key',
    key,
    '--json',
  ])
  const export_ = await command('load of an export', [
    'load',
    await file('realm.json', realm()),
    '--format',
    'keycloak',
    '--source',
    'kc',
  ])
  expect([export_.code, export_.err]).toEqual([0, expect.any(String)])
  const queryFile = await file('query.sql', 'select * from people')
  const query = await command(
    'load of a query',
    ['load', '--from', 'postgresql', '--query-file', queryFile, '--source', 'shop'],
    {
      SOURCE_DATABASE_URL_FILE: await file(
        'source-url',
        `${sourceUrl}${sourceUrl.includes('?') ? '&' : '?'}password=${secrets.sourcePassword}`,
      ),
    },
  )
  expect([query.code, query.err]).toEqual([0, expect.any(String)])
  // A file whose first line is somebody: names of columns would be values.
  // The first one's hash is hexadecimal, and so could be a name.
  const headless = csvOf(csvUsers.slice(1)).split('\n').slice(1).join('\n')
  const misread = await command('load without names of columns', [
    'load',
    await file('headless.csv', headless),
  ])
  expect(misread.code).toBeGreaterThan(0)
  await command('suggest', ['suggest', await file('named.csv', csvOf(csvUsers))])
  await command('suggest without names of columns', ['suggest', await file('headless2.csv', headless)])
  await command('changes', ['changes'])
  await command('freeze', ['freeze', '--verify'])
  await command('the history of loads', ['loads', '--json'])
  const page = join(directory, 'check.html')
  for (const args of [
    ['okta'],
    ['okta', '--json'],
    ['cidaas', '--json'],
    ['okta', '--html', page],
    ['--rules'],
  ])
    await command(`check ${args.join(' ')}`, ['check', ...args, '--region', 'DE'])

  const first = await command('plan okta', ['plan', 'okta', '--hashes', 'always'])
  const second = await command('plan cidaas as JSON', ['plan', 'cidaas', '--json'])
  await command('plans', ['plan', '--list'])
  const plans = [planIn(first), planIn(second)]
  expect(
    plans.map(({ length }) => length),
    first.err + second.err,
  ).toEqual([36, 36])
  for (const plan of plans) {
    const run = await command('provision', ['provision', plan])
    expect(run.out).toMatch(/refused/)
    await command('status', ['provision', plan, '--status'])
    await command('status as JSON', ['provision', plan, '--status', '--json'])
    await command('the failed', ['provision', plan, '--failed', join(directory, `${plan}.jsonl`)])
  }
  const reasons = await readFile(join(directory, `${plans[0]}.jsonl.reasons.csv`), 'utf8')
  expect(reasons).toContain(`"'=csv-0"`)
  await command('the failed again', ['provision', plans[0] ?? '', '--only-failed', '--json'])
  // Somebody else's token, quoted by whoever refuses it.
  await command('plan with a wrong secret', ['plan', 'okta'], {
    OKTA_PROVISION_TOKEN_FILE: await file('wrong-token', secrets.readingToken),
  })

  const [, confirmedUser] = csvUsers
  log.add(
    ...[confirmedUser, refused[0]].map((user, at) => ({
      uuid: `entry-${at}`,
      published: new Date().toISOString(),
      eventType: 'user.import.password',
      outcome: { result: 'SUCCESS' },
      target: [{ id: `00u${at}`, type: 'User', alternateId: user?.login ?? '' }],
    })),
  )
  // A reading that is cut off is done again by the next one, and there is none here.
  okta.setFaults({})
  const reconciled = await command('reconcile', ['reconcile', 'okta', '--all'])
  expect([reconciled.err, reconciled.out]).toEqual(['', expect.stringContaining('log: 1 confirmed')])
  expect(
    (
      await owner.query(
        `select count(*)::int as n from carryover.plan_items where state = 'refused' and target_text is not null`,
      )
    ).rows[0].n,
  ).toBeGreaterThan(4)
})

test(
  'serve tells how far it is, and reads the log, without the provisioning token',
  allowed(60_000, 60_000),
  async () => {
    const service = await startProcess(url, {
      ...env,
      // Not there: a service that wanted it would not start.
      OKTA_PROVISION_TOKEN_FILE: join(directory, 'no-such-token'),
      CIDAAS_PROVISION_CLIENT_SECRET_FILE: join(directory, 'no-such-secret'),
      LOG_LEVEL: 'debug',
      RECONCILE_EVERY_SECONDS: '10',
    })
    const before = heard.length
    await until(async () => heard.slice(before).some(({ asked }) => asked.path === '/api/v1/logs'))
    const texts: string[] = []
    for (const path of ['/provisioning', '/metrics', '/counts', '/openapi.json'])
      texts.push((await admin(service.adminUrl, path)).text)
    expect(texts[0]).toContain('refused')
    service.child.kill('SIGTERM')
    await service.ended
    said.push({
      what: 'serve and its admin listener',
      result: { code: 0, out: texts.join('\n'), err: service.output() },
    })
    // It has a token to read with, and with that it has read.
    expect(new Set(heard.slice(before).map(({ asked }) => asked.method))).toEqual(new Set(['GET']))
  },
)

test('tokens stand in one header of the calls to their own host', () => {
  const bodies = heard.map(({ asked }) => `${asked.path}?${asked.query}\n${asked.body}`)
  const headers = heard.map(
    ({
      host,
      asked: {
        headers: { authorization, ...others },
      },
    }) => ({ host, authorization, others }),
  )
  expect(found(JSON.stringify(headers.map(({ others }) => others)), secretForms)).toBe(0)
  // The client's own secret goes to the token endpoint, in the body (RFC 6749, 2.3.1), and nowhere else.
  const inBodies = heard.filter((_, at) => found(bodies[at] ?? '', secretForms) > 0)
  expect(new Set(inBodies.map(({ host, asked }) => `${host} ${asked.path}`))).toEqual(
    new Set(['cidaas /token-srv/token']),
  )
  const tokens = (host: string) =>
    new Set(
      headers.flatMap((one) =>
        one.host === host && one.authorization !== undefined ? [one.authorization] : [],
      ),
    )
  expect(tokens('cidaas')).toEqual(new Set([`Bearer ${secrets.accessToken}`]))
  expect(tokens('okta')).toEqual(new Set([`SSWS ${secrets.oktaToken}`]))
})

test(
  'hashes and tokens stand nowhere else, profiles where the inventory says',
  allowed(60_000, 120_000),
  async () => {
    const outputs = said.map(({ what, result: { out, err } }) => ({
      what,
      secrets: found(out + err, secretForms),
      hashes: found(out + err, hashForms),
      profiles: found(out + err, profileForms),
    }))
    expect(outputs.filter(({ secrets, hashes, profiles }) => secrets + hashes + profiles > 0)).toEqual([])

    const page = await readFile(join(directory, 'check.html'))
    expect([found(page, secretForms), found(page, hashForms), found(page, profileForms)]).toEqual([0, 0, 0])

    const { rows: named } = await owner.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('legacy', 'carryover')`,
    )
    const tables: Record<string, number[]> = {}
    for (const { name } of named) {
      const { rows } = await owner.query<{ text: string | null }>(
        `select string_agg(t::text, e'\n') as text from ${name} t`,
      )
      tables[name] = [secretForms, hashForms, profileForms].map((forms) => found(rows[0]?.text ?? '', forms))
    }
    expect(
      Object.entries(tables).filter(([name, hits]) => name !== 'legacy.users' && hits.some((hit) => hit > 0)),
    ).toEqual([])
    expect(tables['legacy.users']).toEqual([0, expect.any(Number), expect.any(Number)])
    // They are there: otherwise nothing was looked for.
    for (const hits of (tables['legacy.users'] ?? []).slice(1)) expect(hits).toBeGreaterThan(USERS)
    expect(found(await everyRow(owner), hashForms)).toBeGreaterThan(USERS)

    await owner.end()
    await server.stop()
    const logs = join(database, 'data', 'log')
    let bytes = 0
    let text = ''
    for (const name of await readdir(logs)) {
      const content = await readFile(join(logs, name), 'utf8')
      bytes += content.length
      text += content
    }
    // The source's own statement is there; the copy is filled by COPY, whose rows are not logged.
    expect(text).toContain('select * from people')
    const inLog = [secretForms, hashForms, profileForms].map((forms) => found(text, forms))

    const files = await readdir(directory)
    const holding: Record<string, string[]> = {}
    for (const name of files) {
      const content = await readFile(join(directory, name))
      const kinds = [
        ...(found(content, secretForms) > 0 ? ['secrets'] : []),
        ...(found(content, hashForms) > 0 ? ['hashes'] : []),
        ...(found(content, profileForms) > 0 ? ['profiles'] : []),
      ]
      const kind = name.replace(/^[0-9a-f-]{36}/, 'PLAN')
      if (
        kinds.length > 0 &&
        !/^(users|again|named|headless2?)\.csv$|^realm\.json$|token$|secret$|reading$|url$/.test(name)
      )
        holding[kind] = [...new Set([...(holding[kind] ?? []), ...kinds])]
    }
    measured({
      part: 'canary',
      requirement: 'R-30',
      what: `hashes, salts, tokens and profiles of ${everybody.length} users on their way to two providers, in ${said.length} outputs, ${named.length} tables, a page and the log of PostgreSQL (${Math.round(bytes / 2 ** 20)} MiB)`,
      wanted: '0 hits outside of the copy and the files of refused rows',
      got: `${inLog.reduce((sum, hits) => sum + hits, 0)} hits in the log, 0 elsewhere`,
    })
    expect(inLog).toEqual([0, 0, 0])
    // Inputs that are to be corrected, for their owner alone; the encrypted one and the reasons hold nothing.
    expect(holding).toEqual({
      'users.refused.csv': ['hashes', 'profiles'],
      'PLAN.jsonl': ['hashes', 'profiles'],
    })
  },
)
