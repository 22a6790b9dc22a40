// Users are brought to a real Keycloak by the built target, with their hashes, and sign in there. See keycloak.md.
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { isDeepStrictEqual } from 'node:util'
import { hashRawSync } from '@node-rs/argon2'
import { DIST } from './keycloak-carryover.mjs'
import { makeRealm } from './keycloak-realm.mjs'
import { startKeycloak } from './keycloak-server.mjs'

const { KEYCLOAK_HOME, KEYCLOAK_PLUGIN } = process.env

const SECRET = randomBytes(24).toString('base64url')
const PASSWORD = `${randomBytes(9).toString('base64url')} é+%&"`
const OTHER = `${randomBytes(9).toString('base64url')} ß`

let differences = 0
const say = (text) => process.stdout.write(`${text}\n`)

function check(text, got, wanted) {
  const same = isDeepStrictEqual(got, wanted)
  if (!same) differences++
  say(
    same
      ? `  ok       ${text}`
      : `  DIFFERS  ${text}\n    got    ${JSON.stringify(got)}\n    wanted ${JSON.stringify(wanted)}`,
  )
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

if (KEYCLOAK_HOME && KEYCLOAK_PLUGIN) await main()
else say('skipped: KEYCLOAK_HOME and KEYCLOAK_PLUGIN are not set; test/live/keycloak.md says how to get both')

/** An old system of which the plug-in is told that it knows `known`. */
async function oldSystem(known) {
  const server = createServer((request, response) => {
    const knows = request.method === 'GET' && request.url.endsWith(`/${known}`)
    response.writeHead(knows ? 200 : 404, { 'content-type': 'application/json' })
    response.end(
      knows ? JSON.stringify({ username: known, email: `${known}@example.com`, enabled: true }) : '',
    )
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() }
}

/** The target wants https; the server of the test speaks http at the same address. */
async function call({ method, url, headers, body }) {
  const response = await fetch(url.replace(/^https:/, 'http:'), { method, headers, body, redirect: 'manual' })
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text: await response.text(),
  }
}

function hashes(password) {
  return {
    pbkdf2_sha1: derived('sha1', 20, password),
    pbkdf2_sha256: derived('sha256', 32, password),
    pbkdf2_sha512: derived('sha512', 64, password),
    argon2d: argon2('argon2d', 0, 1, password),
    argon2i: argon2('argon2i', 1, 1, password),
    argon2id: argon2('argon2id', 2, 4, password),
  }
}

function derived(algorithm, bytes, password) {
  const salt = randomBytes(16)
  const iterations = 1_000
  return {
    kind: 'pbkdf2',
    algorithm,
    iterations,
    salt,
    derived: pbkdf2Sync(password, salt, iterations, bytes, algorithm),
  }
}

function argon2(type, algorithm, lanes, password) {
  const salt = randomBytes(16)
  const options = { algorithm, salt, memoryCost: 4_096, timeCost: 2, parallelism: lanes, outputLen: 24 }
  return {
    kind: 'argon2',
    type,
    memory: 4_096,
    passes: 2,
    lanes,
    salt,
    digest: hashRawSync(password, options),
  }
}

async function main() {
  const { keycloak: kind } = await import(`${DIST}/targets/keycloak.js`)
  const old = await oldSystem('known')
  say('starting Keycloak, which takes a minute')
  const keycloak = await startKeycloak(KEYCLOAK_HOME, KEYCLOAK_PLUGIN)
  try {
    const realm = await makeRealm(keycloak, { enabled: 'false', URI: old.url })
    const giveRoles = await serviceAccount(keycloak.admin)
    await giveRoles(['manage-users', 'view-users', 'view-realm'])
    const target = kind.open({
      URL: keycloak.url.replace('http:', 'https:'),
      REALM: 'live',
      CLIENT_ID: 'carryover',
      CLIENT_SECRET: SECRET,
    })
    await play({ keycloak, realm, target, reads: kind.traits.reads })
  } finally {
    await keycloak.stop()
    old.close()
  }
  say(differences === 0 ? 'everything as wanted' : `${differences} differences`)
  process.exitCode = differences === 0 ? 0 : 1
}

/** The client whose service account brings the users. */
async function serviceAccount(admin) {
  const client = await admin('POST', '/live/clients', {
    clientId: 'carryover',
    secret: SECRET,
    serviceAccountsEnabled: true,
    standardFlowEnabled: false,
  })
  const { id: account } = await admin('GET', `/live/clients/${client}/service-account-user`)
  const [{ id: manager }] = await admin('GET', '/live/clients?clientId=realm-management')
  return async (names) => {
    const roles = await admin('GET', `/live/clients/${manager}/roles`)
    const chosen = roles.filter(({ name }) => names.includes(name))
    await admin('POST', `/live/users/${account}/role-mappings/clients/${manager}`, chosen)
  }
}

async function play({ keycloak: { admin }, realm, target, reads }) {
  const { headers, goodFor } = await target.authorize(call)
  check('the token is good for minutes', goodFor > 240_000 && goodFor <= 300_000, true)
  const context = {
    call: (asked) => call({ ...asked, headers: { ...headers, ...asked.headers } }),
    wait: async () => {},
    append: async () => {},
  }
  const one = async (action, user, more = {}) => {
    const { results } = await target.bring([{ action, user, targetId: null, attempts: 0, ...more }], context)
    return results[0]
  }
  const signsIn = async (login, password) => (await realm.signIn(login, password)).outcome === 'tokens'
  const codes = async (use) =>
    (
      await target.examine(context, {
        hook: false,
        hash: true,
        attributes: ['username', 'email', 'firstName', 'lastName', 'department'],
        ...use,
      })
    ).map(({ code }) => code)

  say('the looks beforehand')
  check('attributes that would be dropped', await codes({}), ['attribute-undefined', 'attribute-undefined'])
  check(
    'the hook without a plug-in',
    await codes({ hook: true, hash: false, attributes: ['firstName', 'lastName'] }),
    ['attribute-undefined', 'hook-inactive'],
  )
  const profile = await admin('GET', '/live/users/profile')
  await admin('PUT', '/live/users/profile', { ...profile, unmanagedAttributePolicy: 'ADMIN_EDIT' })
  check('with unmanaged attributes the realm is ready', await codes({}), [])

  say('hashes')
  for (const [name, hash] of Object.entries(hashes(PASSWORD))) {
    check(`${name} is read`, reads(hash), true)
    const result = await one('create', user(name, { kind: 'hash', hash }))
    check(`${name} is created`, result.kind, 'created')
    check(
      `${name} is found again after a lost answer`,
      await one('create', user(name, { kind: 'hash', hash }), { attempts: 1 }),
      result,
    )
    check(`${name} is unchanged in another run`, await one('create', user(name, { kind: 'hash', hash })), {
      ...result,
      kind: 'unchanged',
    })
    check(`${name} is refused with a wrong password`, await signsIn(name, OTHER), false)
    check(`${name} signs in`, await signsIn(name, PASSWORD), true)
  }

  say('changes')
  const ann = user('ann', { kind: 'hash', hash: hashes(PASSWORD).argon2id }, { tag: 'batch/1' })
  const { targetId } = await one('create', ann)
  check(
    'the group of the batch',
    (await admin('GET', `/live/users/${targetId}/groups`)).map(({ path }) => path),
    ['/batch-1'],
  )
  const before = await admin('GET', `/live/users/${targetId}`)
  await admin('PUT', `/live/users/${targetId}`, {
    ...before,
    attributes: { ...before.attributes, theirs: ['kept'] },
  })
  const changed = {
    ...ann,
    attributes: { ...ann.attributes, firstName: 'Anna', department: null },
    credential: { kind: 'keep' },
  }
  check('an update', await one('update', changed, { targetId }), { kind: 'updated', targetId })
  const { firstName, lastName, email, emailVerified, attributes } = await admin(
    'GET',
    `/live/users/${targetId}`,
  )
  check(
    'leaves what it does not name',
    { firstName, lastName, email, emailVerified, attributes },
    {
      firstName: 'Anna',
      lastName: 'Lee',
      email: 'ann@example.com',
      emailVerified: true,
      attributes: { legacy_id: ['L-ann'], theirs: ['kept'] },
    },
  )
  check('and the password', await signsIn('ann', PASSWORD), true)
  await one(
    'update',
    { ...ann, credential: { kind: 'hash', hash: hashes(OTHER).pbkdf2_sha512 } },
    { targetId },
  )
  check(
    'a new hash replaces the password',
    [await signsIn('ann', PASSWORD), await signsIn('ann', OTHER)],
    [false, true],
  )
  await one('update', { ...ann, credential: { kind: 'reset' } }, { targetId })
  check('a reset takes it away', await signsIn('ann', OTHER), false)

  say('refusals')
  const reasonOf = async (given) => {
    const { reason, targetCode } = await one('create', given)
    return [reason, targetCode]
  }
  check("somebody else's login", await reasonOf(user('ann', { kind: 'reset' }, { id: 'L-9' })), [
    'taken',
    '409',
  ])
  check(
    'a malformed address',
    await reasonOf(user('eve', { kind: 'reset' }, { email: 'nowhere', attributes: {} })),
    ['invalid-attribute', 'error-invalid-email'],
  )
  check(
    'a blank in a username',
    await reasonOf(user('e ve', { kind: 'reset' }, { email: null, attributes: {} })),
    ['invalid-attribute', 'error-username-invalid-character'],
  )

  say('removal')
  check('deactivated', await one('deactivate', ann), { kind: 'removed', targetId })
  check('by no more than the flag', (await admin('GET', `/live/users/${targetId}`)).enabled, false)
  check('deleted', await one('delete', ann, { targetId }), { kind: 'removed', targetId })
  check('deleted already', await one('delete', ann, { targetId, attempts: 1 }), { kind: 'removed', targetId })
  check('nobody to delete', (await one('delete', ann, { targetId })).reason, 'not-there')

  say('the plug-in')
  await realm.configure({ enabled: 'true' })
  check('is in the way of hashes', await codes({}), ['hook-in-the-way'])
  check('is ready for the hook', await codes({ hook: true, hash: false }), [])
  check('whom the hook knows cannot be created', await reasonOf(user('known', { kind: 'reset' })), [
    'taken',
    '409',
  ])
  check(
    'whom it does not know can',
    (await one('create', user('unknown', { kind: 'reset' }))).kind,
    'created',
  )
}

function user(login, credential, changes = {}) {
  const attributes = { emailVerified: true, firstName: 'Ann', lastName: 'Lee', department: 'sales' }
  return {
    id: `L-${login}`,
    login,
    email: `${login}@example.com`,
    active: true,
    attributes,
    credential,
    tag: null,
    ...changes,
  }
}
