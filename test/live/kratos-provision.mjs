// The built program brings users to a real Ory Kratos, and they sign in there. See README.md beside this file.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, createHmac, pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hashSync } from '@node-rs/argon2'
import bcrypt from 'bcryptjs'
import { startEmbedded } from '../../dist/db/embedded.js'
import { documented, startKratos } from './kratos-server.mjs'
import { answering, freePort, report, start } from './parts.mjs'

const BIN = new URL('../../dist/bin.js', import.meta.url).pathname

/** Users of each way to store a password. */
const OF_EACH = 10

const { heading, holds, print, differences } = report()

const hex = (algorithm, ...parts) =>
  parts.reduce((hash, part) => hash.update(part), createHash(algorithm)).digest('hex')
const adapted = (bytes) => bytes.toString('base64').replace(/=+$/, '').replaceAll('+', '.')
const unpadded = (bytes) => bytes.toString('base64').replace(/=+$/, '')
const crypt = (scheme) => (password) => ({
  hash: execFileSync('openssl', ['passwd', scheme, '-stdin'], { input: password, encoding: 'utf8' }).trim(),
})
const salted = (scheme, position) => (password) => {
  const salt = randomBytes(8).toString('hex')
  const parts = position === 'prefix' ? [salt, password] : [password, salt]
  const inside = position === 'prefix' ? '$salt.$pass' : '$pass.$salt'
  return { hash: hex(scheme, ...parts), scheme: `${scheme}(${inside})`, salt }
}
const plain = (scheme) => (password) => ({ hash: hex(scheme, password), scheme })
const keyed = (algorithm) => (password) => {
  const salt = randomBytes(8).toString('hex')
  const hash = createHmac(algorithm, salt).update(password).digest('hex')
  return { hash, scheme: `hmac_${algorithm}($salt,$pass)`, salt }
}
const passlib = (name, algorithm, size) => (password) => {
  const salt = randomBytes(12)
  const derived = pbkdf2Sync(password, salt, 1_000, size, algorithm)
  return { hash: `$pbkdf2${name}$1000$${adapted(salt)}$${adapted(derived)}` }
}
const argon2 = (algorithm) => (password) => ({
  hash: hashSync(password, { algorithm, memoryCost: 4_096, timeCost: 2, parallelism: 2 }),
})
const revision = (name) => (password) => ({
  hash: bcrypt.hashSync(password, 4).replace(/^\$2[aby]\$/, `$${name}$`),
})

function firebase(password) {
  const [salt, separator, signer] = [randomBytes(10), Buffer.from([1]), randomBytes(64)]
  const key = scryptSync(password, Buffer.concat([salt, separator]), 32, { N: 2 ** 10, r: 8, p: 1 })
  const parts = [salt, encrypted(key, signer), separator, signer].map((part) => part.toString('base64'))
  return { hash: `$firescrypt$ln=10,r=8,p=1$${parts.join('$')}` }
}

function encrypted(key, signer) {
  const args = ['enc', '-aes-256-ctr', '-K', key.toString('hex'), '-iv', '0'.repeat(32)]
  return execFileSync('openssl', args, { input: signer })
}

function phc(password) {
  const salt = randomBytes(16)
  const derived = scryptSync(password, salt, 32, { N: 2 ** 10, r: 8, p: 1 })
  return { hash: `$scrypt$ln=10,r=8,p=1$${unpadded(salt)}$${unpadded(derived)}` }
}

function phpass(password) {
  const salt = randomBytes(4).toString('hex')
  let digest = createHash('md5').update(salt).update(password).digest()
  for (let round = 0; round < 2 ** 7; round++)
    digest = createHash('md5').update(digest).update(password).digest()
  return { hash: `$P$5${salt}${base64OfCrypt(digest)}` }
}

function base64OfCrypt(bytes) {
  const signs = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const value = bytes[at] | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)
    const count = Math.min(4, Math.ceil(((bytes.length - at) * 8) / 6))
    for (let sign = 0; sign < count; sign++) text += signs[(value >> (6 * sign)) & 63]
  }
  return text
}

/** How old systems stored passwords, and how each is to get to Kratos. */
const ways = {
  'bcrypt 2a': { method: 'hash', make: revision('2a') },
  'bcrypt 2b': { method: 'hash', make: revision('2b') },
  'bcrypt 2y': { method: 'hash', make: revision('2y') },
  Argon2id: { method: 'hash', make: argon2(2) },
  Argon2i: { method: 'hash', make: argon2(1) },
  'PBKDF2 with SHA-1': { method: 'hash', make: passlib('', 'sha1', 20) },
  'PBKDF2 with SHA-256': { method: 'hash', make: passlib('-sha256', 'sha256', 32) },
  'PBKDF2 with SHA-512': { method: 'hash', make: passlib('-sha512', 'sha512', 64) },
  scrypt: { method: 'hash', make: phc },
  "Firebase's scrypt": { method: 'hash', make: firebase },
  MD5: { method: 'hash', make: plain('md5') },
  'SHA-1': { method: 'hash', make: plain('sha1') },
  'SHA-256': { method: 'hash', make: plain('sha256') },
  'SHA-512': { method: 'hash', make: plain('sha512') },
  'MD5, salt first': { method: 'hash', make: salted('md5', 'prefix') },
  'SHA-1, salt last': { method: 'hash', make: salted('sha1', 'suffix') },
  'SHA-256, salt first': { method: 'hash', make: salted('sha256', 'prefix') },
  'SHA-512, salt last': { method: 'hash', make: salted('sha512', 'suffix') },
  'SHA-256, salt of bytes': {
    method: 'hash',
    make: (password) => {
      const salt = randomBytes(12)
      return {
        hash: hex('sha256', salt, password),
        scheme: 'sha256(unhex($salt).$pass)',
        salt: salt.toString('hex'),
      }
    },
  },
  '{SSHA}': {
    method: 'hash',
    make: (password) => {
      const salt = randomBytes(8)
      const digest = createHash('sha1').update(password).update(salt).digest()
      return { hash: `{SSHA}${Buffer.concat([digest, salt]).toString('base64')}` }
    },
  },
  'HMAC with MD5': { method: 'hash', make: keyed('md5') },
  'HMAC with SHA-1': { method: 'hash', make: keyed('sha1') },
  'HMAC with SHA-256': { method: 'hash', make: keyed('sha256') },
  'HMAC with SHA-512': { method: 'hash', make: keyed('sha512') },
  'crypt with MD5': { method: 'hash', make: crypt('-1') },
  'crypt with SHA-256': { method: 'hash', make: crypt('-5') },
  'crypt with SHA-512': { method: 'hash', make: crypt('-6') },
  Argon2d: { method: 'hook', make: argon2(0) },
  phpass: { method: 'hook', make: phpass },
  'MD5 of MD5': {
    method: 'hook',
    make: (password) => ({ hash: hex('md5', hex('md5', password)), scheme: 'md5(hex(md5($pass)))' }),
  },
}

let made = 0
function user(way, changes = {}) {
  const number = ++made
  const password = `${randomBytes(9).toString('base64url')} é+%&"${number}`
  return {
    id: `L-${number}`,
    login: `user${number}`,
    email: `user${number}@example.com`,
    status: number % 10 === 0 ? 'disabled' : 'active',
    profile: {
      given_name: `Ann ${number}`,
      family_name: 'Löwe',
      ...(number % 3 === 0 && { email_verified: true }),
    },
    way,
    password,
    stored: ways[way].make(password),
    ...changes,
  }
}

const lines = (users) =>
  users
    .map(({ id, login, email, status, profile, stored, deleted = false }) =>
      JSON.stringify({
        id,
        login,
        email,
        status,
        profile,
        deleted,
        password_hash: stored.hash,
        hash_scheme: stored.scheme ?? null,
        salt: stored.salt ?? null,
        updated_at: '2026-01-01T00:00:00Z',
      }),
    )
    .join('\n')

const program = process.env.KRATOS ?? 'kratos'
const version = spawnSync(program, ['version'], { encoding: 'utf8' })
if (version.error !== undefined && process.env.KRATOS !== undefined) throw version.error
if (version.error !== undefined) {
  print('skipped: there is no kratos on PATH and none in KRATOS; test/live/README.md says how to build it')
  process.exit(0)
}
print(version.stdout.trim())

const directory = await mkdtemp(join(tmpdir(), 'carryover-kratos-provision-'))
const file = async (name, text) => {
  const path = join(directory, name)
  await writeFile(path, text, { mode: 0o600 })
  return path
}
const postgres = await startEmbedded()
let kratos
let service
let proxy
try {
  await play()
} catch (error) {
  holds(`the test comes to its end: ${error.stack}`, 'stopped', 'ended')
} finally {
  await service?.stop()
  await proxy?.close()
  await kratos?.stop()
  await postgres.stop()
  await rm(directory, { recursive: true })
}
if (differences() > 0) print(`\nthe end of what Kratos said:\n${kratos?.output()}`)
print(`\n${differences() === 0 ? 'everything as documented' : `${differences()} differences`}`)
process.exit(differences() === 0 ? 0 : 1)

/**
 * TLS in front of the admin API, because only https is called. `dropNext`: the next answer to such a request is lost on its way.
 */
async function startProxy(adminUrl) {
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ])
  const seen = []
  let drop = null
  const server = createServer(
    { key: await readFile(key), cert: await readFile(cert) },
    (incoming, outgoing) => {
      const { method, url, headers } = incoming
      const sent = request(`${adminUrl}${url}`, { method, headers }, (answer) => {
        seen.push({ method, path: url.split('?')[0], status: answer.statusCode })
        if (drop === method) {
          drop = null
          answer.resume().on('end', () => incoming.socket.destroy())
          return
        }
        outgoing.writeHead(answer.statusCode, answer.headers)
        answer.pipe(outgoing)
      })
      sent.on('error', () => outgoing.destroy())
      incoming.pipe(sent)
    },
  )
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `https://127.0.0.1:${server.address().port}`,
    ca: cert,
    /** Statuses of such calls since the last time, with how often each was answered. */
    calls: (method) => {
      const found = seen.filter((call) => call.method === method)
      const counts = {}
      for (const { status } of found) counts[status] = (counts[status] ?? 0) + 1
      for (let at = seen.length - 1; at >= 0; at--) if (seen[at].method === method) seen.splice(at, 1)
      return counts
    },
    dropNext: (method) => {
      drop = method
    },
    close: () => {
      server.closeAllConnections()
      return new Promise((done) => server.close(done))
    },
  }
}

/** The program with these settings: code, standard output as JSON, and standard error. */
async function carryover(env, ...args) {
  const json = args[0] === 'migrate' ? [] : ['--json']
  const running = start(process.execPath, [BIN, ...args, ...json], env)
  const code = await running.ended
  const text = running.output()
  const line = text.split('\n').find((one) => one.startsWith('{'))
  return { code, json: line === undefined ? undefined : JSON.parse(line), text }
}

async function play() {
  const databaseUrl = await postgres.database('carryover')
  const [hooksPort, adminPort] = [await freePort(), await freePort()]
  const secret = `Bearer ${randomBytes(32).toString('base64url')}`
  const token = randomBytes(32).toString('base64url')
  const { settings } = await documented(`http://127.0.0.1:${hooksPort}`, secret)
  const kratosDatabase = await postgres.database('kratos')
  kratos = await startKratos(program, settings, kratosDatabase)
  proxy = await startProxy(kratos.adminUrl)
  const env = {
    DATABASE_URL: databaseUrl,
    ORY_PROVISION_URL: proxy.url,
    ORY_PROVISION_EXTERNAL_ID: 'off',
    ORY_PROVISION_BATCH: '100',
    OUTBOUND_CA_FILE: proxy.ca,
    OUTBOUND_ALLOW_ADDRESSES: '127.0.0.1',
  }
  const migrated = await carryover(env, 'migrate')
  holds('the database is migrated', migrated.code, 0)
  service = start(process.execPath, [BIN, 'serve'], {
    ...env,
    HOOKS_LISTEN: `127.0.0.1:${hooksPort}`,
    ADMIN_LISTEN: `127.0.0.1:${adminPort}`,
    ADMIN_TOKENS: token,
    ORY_HOOK_SECRETS: secret,
    ORY_REGISTRATION: 'allow',
  })
  await answering(`http://127.0.0.1:${adminPort}/readyz`, service)
  const counts = async () => {
    const response = await fetch(`http://127.0.0.1:${adminPort}/counts`, {
      headers: { authorization: `Bearer ${token}` },
    })
    const { total, unmigrated, verified } = await response.json()
    return { total, unmigrated, verified }
  }
  const mapping = await file(
    'mapping.json',
    JSON.stringify({
      attributes: {
        login: 'username',
        email: 'email',
        'profile.given_name': 'name.first',
        'profile.family_name': 'name.last',
        'profile.email_verified': 'email_verified',
      },
    }),
  )
  const load = async (users, settings = env) =>
    carryover(settings, 'load', await file('users.jsonl', lines(users)))
  const plan = async (settings, ...more) => {
    const { code, json, text } = await carryover(
      settings,
      ...['plan', 'ory', '--mapping', mapping, '--inactive', 'bring', '--removals', 'delete', ...more],
    )
    if (json === undefined) throw new Error(`no plan: ${text}`)
    return { code, ...json }
  }
  const provision = async (settings, id) => {
    const { code, text } = await carryover(settings, 'provision', id)
    const { json } = await carryover(settings, 'provision', id, '--status')
    const states = {}
    for (const { state, reason, users } of json.counts) {
      const name = reason === null ? state : `${state} ${reason}`
      states[name] = (states[name] ?? 0) + users
    }
    return { code, states, ...(code !== 0 && { text }) }
  }

  heading('The plan')
  const users = Object.keys(ways).flatMap((way) => Array.from({ length: OF_EACH }, () => user(way)))
  const active = users.filter(({ status }) => status === 'active')
  const by = (method) => users.filter(({ way }) => ways[way].method === method)
  holds(`${users.length} users are loaded`, (await load(users)).json?.added, users.length)
  const first = await plan(env)
  holds(
    'is made',
    [first.code, first.byMethod],
    [0, { hash: by('hash').length, hook: by('hook').length, reset: 0, none: 0 }],
  )

  heading('The run')
  proxy.dropNext('PATCH')
  const started = performance.now()
  holds(
    'creates everybody, although the answer to the first batch is lost',
    await provision(env, first.plan),
    {
      code: 0,
      states: { created: users.length },
    },
  )
  print(
    `        in ${((performance.now() - started) / 1_000).toFixed(1)} s; PATCH ${JSON.stringify(proxy.calls('PATCH'))}, GET ${JSON.stringify(proxy.calls('GET'))}`,
  )
  const identities = await kratos.identities()
  holds('all of them are there', identities.length, users.length)
  const byName = new Map(identities.map((identity) => [identity.traits.username, identity]))
  holds(
    'as they were planned',
    users.map(({ login }) => shown(byName.get(login))),
    users.map(({ id, login, email, status, profile }) => ({
      id,
      state: status === 'active' ? 'active' : 'inactive',
      traits: { username: login, email, name: { first: profile.given_name, last: profile.family_name } },
      verified: profile.email_verified === true,
    })),
  )

  heading('First sign-ins: a wrong password, then the one of the old system')
  for (const way of Object.keys(ways)) {
    const group = users.filter((one) => one.way === way)
    const told = []
    for (const one of group)
      told.push([
        (await kratos.signIn(one.login, `${one.password}!`)).told,
        (await kratos.signIn(one.email, one.password)).told,
      ])
    holds(
      `${way} (by ${ways[way].method})`,
      told,
      group.map(({ status }) => {
        if (status === 'active') return ['wrong credentials', 'signed in']
        // Kratos checks a hash by itself and then looks at the state; the hook refuses who is disabled.
        return ['wrong credentials', ways[way].method === 'hash' ? 'an error' : 'wrong credentials']
      }),
    )
  }
  const verified = by('hook').filter(({ status }) => status === 'active').length
  const before = { total: users.length, unmigrated: users.length - verified, verified }
  holds('the hook was asked for nobody else', await counts(), before)

  heading('Again')
  const again = await plan(env)
  holds('there is nothing to do', [again.code, again.toDo], [0, 0])
  const other = { ...env, DATABASE_URL: await postgres.database('other') }
  await carryover(other, 'migrate')
  await load(users, other)
  const elsewhere = await plan(other)
  holds('a database that knows of no run creates everybody', elsewhere.byAction.create, users.length)
  proxy.calls('PATCH')
  holds('and finds them as they are', await provision(other, elsewhere.plan), {
    code: 0,
    states: { unchanged: users.length },
  })
  holds(
    'their own passwords are left alone',
    (await kratos.signIn(active[0].login, active[0].password)).told,
    'signed in',
  )

  heading('Users who spoil a batch')
  const spoiler = user('MD5', { login: 'u'.repeat(300), status: 'active' })
  const noAddress = user('MD5', { email: 'nowhere', status: 'active' })
  const namesake = user('MD5', { email: users[0].email, status: 'active' })
  const neighbours = Array.from({ length: 20 }, () => user('SHA-256', { status: 'active' }))
  const mixed = [...neighbours.slice(0, 9), spoiler, noAddress, ...neighbours.slice(9, 15), namesake]
  holds('are loaded', (await load([...mixed, ...neighbours.slice(15)])).json?.added, 23)
  const spoiled = await plan(env)
  proxy.calls('PATCH')
  const { code, states } = await provision(env, spoiled.plan)
  holds(
    'are refused, and nobody else is',
    { code, states },
    {
      code: 1,
      states: { created: 20, 'refused invalid-attribute': 2, 'refused taken': 1 },
    },
  )
  print(`        PATCH ${JSON.stringify(proxy.calls('PATCH'))}`)
  holds(
    'the others sign in',
    await tellEach(neighbours, ({ login, password }) => kratos.signIn(login, password)),
    neighbours.map(() => 'signed in'),
  )

  heading('A delta')
  const pick = (method, status, from, to) =>
    by(method)
      .filter((one) => one.status === status)
      .slice(from, to)
  const renamed = pick('hash', 'active', 0, 3).map((one) => ({
    ...one,
    profile: { ...one.profile, given_name: 'Renamed' },
  }))
  const newHash = pick('hash', 'active', 3, 6).map((one) => changed(one, 'SHA-256'))
  const askedAgain = pick('hook', 'active', 0, 3).map((one) => changed(one, 'phpass'))
  const disabled = pick('hash', 'active', 6, 8).map((one) => ({ ...one, status: 'disabled' }))
  const enabled = pick('hash', 'disabled', 0, 2).map((one) => ({ ...one, status: 'active' }))
  const deleted = pick('hash', 'active', 8, 11).map((one) => ({ ...one, deleted: true }))
  const added = [user('MD5', { status: 'active' }), user('phpass', { status: 'active' })]
  // Who was refused is refused again, so out with them.
  const gone = [spoiler, noAddress, namesake].map((one) => ({ ...one, deleted: true }))
  const delta = [renamed, newHash, askedAgain, disabled, enabled, deleted, added, gone].flat()
  holds('is loaded', (await load(delta)).json?.refused, 0)
  const changes = await plan(env, '--changed-passwords', 'ask-again')
  holds('has what changed and nothing else', changes.byAction, {
    create: 2,
    update: 13,
    deactivate: 0,
    delete: 3,
  })
  holds('is brought', await provision(env, changes.plan), {
    code: 0,
    states: { created: 2, updated: 13, removed: 3 },
  })
  const signIns = (group) => tellEach(group, ({ login, password }) => kratos.signIn(login, password))
  const all = (group, told) => group.map(() => told)
  const old = [...newHash, ...askedAgain].map(({ id }) => users.find((one) => one.id === id))
  holds('the passwords from before are refused', await signIns(old), all(old, 'wrong credentials'))
  for (const [what, group, told] of [
    ['with another name, and the password that Kratos has', renamed, 'signed in'],
    ['with another password, by its hash', newHash, 'signed in'],
    ['with another password, by the hook', askedAgain, 'signed in'],
    ['not active any more', disabled, 'an error'],
    ['active again', enabled, 'signed in'],
    ['deleted', deleted, 'wrong credentials'],
    ['new', added, 'signed in'],
  ])
    holds(what, await signIns(group), all(group, told))
  const now = new Map((await kratos.identities()).map((identity) => [identity.traits.username, identity]))
  holds(
    'addresses that were verified still are, also of who got another hash',
    newHash.map(({ login }) => shown(now.get(login)).verified),
    newHash.map(({ profile }) => profile.email_verified === true),
  )
  holds(
    'the names are the new ones',
    renamed.map(({ login }) => now.get(login).traits.name.first),
    all(renamed, 'Renamed'),
  )
  const total = users.length + 20 + 2 - 3
  // Three begin anew and are verified again, and one of the new ones is asked for.
  holds('counts', await counts(), { total, unmigrated: total - verified - 1, verified: verified + 1 })
  const checked = await carryover(env, 'counts', '--check')
  holds('counted again from scratch', checked.json?.agree, true)
  holds('and then there is nothing to do', (await plan(env)).toDo, 0)
}

async function tellEach(group, ask) {
  const told = []
  for (const one of group) told.push((await ask(one)).told)
  return told
}

/** With another password, stored in this way. */
function changed(one, way) {
  const { id, login, email, status, profile } = one
  return user(way, { id, login, email, status, profile })
}

function shown(identity) {
  if (identity === undefined) return undefined
  const { state, traits, metadata_admin, verifiable_addresses } = identity
  return { id: metadata_admin.legacy_id, state, traits, verified: verifiable_addresses[0].verified }
}
