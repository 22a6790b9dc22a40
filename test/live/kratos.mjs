// First sign-ins on a real Ory Kratos, set up with the blocks of docs/ory.md. See README.md beside this file.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { startEmbedded } from '../../dist/db/embedded.js'
import { documented, startKratos } from './kratos-server.mjs'
import { carryover, demoUsers, report } from './parts.mjs'

const { heading, holds, print, differences } = report()

const WRONG = 'certainly not this one'
const NEW_PASSWORD = 'xK7-qd0-Lw2-mmz'
const DENIED = 'An account already exists. Please sign in with the password that you have used before.'

/** Signs in for the first time late. */
const LATE = 'lorna.doone@example.com'
/** Active in the old store, inactive in Kratos. */
const INACTIVE = 'jude.fawley@example.com'
/** In the old store, but not imported to Kratos. */
const [NOT_IMPORTED, NOT_IMPORTED_BY_NAME] = ['kim.ohara@example.com', 'mina.harker']

const SIGNED_IN = { told: 'signed in' }
const WRONG_CREDENTIALS = { told: 'wrong credentials' }
/** What Kratos makes of an upstream that fails. */
const UPSTREAM = { told: 'an error', status: 502 }

const program = process.env.KRATOS ?? 'kratos'
const version = spawnSync(program, ['version'], { encoding: 'utf8' })
if (version.error !== undefined && process.env.KRATOS !== undefined) throw version.error
if (version.error !== undefined) {
  print('skipped: there is no kratos on PATH and none in KRATOS; test/live/README.md says how to build it')
  process.exit(0)
}
print(version.stdout.trim())

const users = await demoUsers()
const byLogin = (login) => users.find((user) => user.login === login)
const postgres = await startEmbedded()
let kratos
let service
try {
  await play()
} catch (error) {
  holds(`the test comes to its end: ${error.message}`, 'stopped', 'ended')
} finally {
  await service?.stop()
  await kratos?.stop()
  await postgres.stop()
}
if (differences() > 0) print(`\nthe end of what Kratos said:\n${kratos?.output()}`)
print(`\n${differences() === 0 ? 'everything as documented' : `${differences()} differences`}`)
process.exit(differences() === 0 ? 0 : 1)

async function play() {
  const secret = `Bearer ${randomBytes(32).toString('base64url')}`
  const copy = await carryover(await postgres.database('carryover'), randomBytes(32).toString('base64url'))
  const serve = (settings = {}) => copy.serve({ ORY_HOOK_SECRETS: secret, ...settings })
  service = await serve()
  const { settings, importBody } = await documented(copy.hooksUrl, secret)
  kratos = await startKratos(program, settings, await postgres.database('kratos'))
  const state = async (login) => {
    const { state, history } = await copy.user(login)
    return { state, verdicts: history.map(({ verdict }) => verdict) }
  }

  heading('Import')
  const imported = users.filter(
    ({ login, email }) => ![login, email].includes(NOT_IMPORTED) && login !== NOT_IMPORTED_BY_NAME,
  )
  const batch = { identities: imported.map((user) => identity(importBody.identities[0], user)) }
  holds(`${imported.length} identities with the mark are taken`, await kratos.importBatch(batch), {
    status: 200,
    actions: imported.map(() => 'create'),
    error: undefined,
  })
  holds('nobody has been verified', (await copy.counts()).verified, 0)

  heading('First sign-ins: a wrong password, then the one that was typed in the old system')
  const first = imported.filter(({ login }) => ![LATE, INACTIVE].includes(login))
  for (const [at, user] of first.entries()) await firstSignIn(user, at)
  async function firstSignIn({ login, hash_scheme, password_hash, status, typed_password, expected }, at) {
    const right = expected === 'VERIFIED'
    // Identifiers are compared without case at both ends.
    const typed = at % 5 === 1 ? login.toUpperCase() : login
    const what = `${typed} (${hash_scheme || password_hash.slice(0, 9)}, ${status})`
    const wrong = await kratos.signIn(typed, WRONG)
    const told = await kratos.signIn(typed, typed_password)
    const { state, history } = await copy.user(login)
    holds(
      `${what}: refused, then ${right ? 'signed in' : 'refused'}`,
      {
        wrong,
        told,
        state,
        ids: history.map(({ requestId }) => requestId !== null),
        newest: history[0]?.verdict === 'match',
      },
      {
        wrong: WRONG_CREDENTIALS,
        told: right ? SIGNED_IN : WRONG_CREDENTIALS,
        state: right ? 'verified' : 'unmigrated',
        ids: [true, true],
        newest: right,
      },
    )
  }
  const verified = first.filter(({ expected }) => expected === 'VERIFIED').length
  holds(`/counts has ${verified} verified`, (await copy.counts()).verified, verified)
  const inactive = await kratos.signIn(INACTIVE, byLogin(INACTIVE).typed_password)
  holds('who is inactive in Kratos is not signed in', inactive.told, 'an error')
  holds('yet was asked for', await state(INACTIVE), { state: 'verified', verdicts: ['match'] })
  holds(
    'who was not imported is unknown to Kratos',
    await kratos.signIn(NOT_IMPORTED, byLogin(NOT_IMPORTED).typed_password),
    WRONG_CREDENTIALS,
  )
  holds('and never reaches Carryover', await state(NOT_IMPORTED), { state: 'unmigrated', verdicts: [] })

  heading('Registrations')
  const denied = (field) => ({ told: 'refused', messages: [{ field, id: 409, text: DENIED }] })
  holds(
    'an e-mail address of a legacy user is denied beside the field',
    await kratos.register({ email: NOT_IMPORTED.toUpperCase() }, NEW_PASSWORD),
    denied('traits.email'),
  )
  holds(
    'also of one who is imported',
    await kratos.register({ email: LATE }, NEW_PASSWORD),
    denied('traits.email'),
  )
  holds(
    'a login of a legacy user is denied beside the field',
    await kratos.register({ email: 'one@new.example', username: NOT_IMPORTED_BY_NAME }, NEW_PASSWORD),
    denied('traits.username'),
  )
  const traits = { email: 'two@new.example', username: 'two', name: { first: 'Two' } }
  holds('new names are allowed', await kratos.register(traits, NEW_PASSWORD), { told: 'registered', traits })
  holds('and sign in', await kratos.signIn('two@new.example', NEW_PASSWORD), SIGNED_IN)
  holds('who was denied has no identity', await kratos.traitsOf('one@new.example'), [])

  heading('Carryover is stopped')
  await service.stop()
  const [migrated] = first
  holds('who is migrated signs in', await kratos.signIn(migrated.login, migrated.typed_password), SIGNED_IN)
  holds('and with a wrong password does not', await kratos.signIn(migrated.login, WRONG), WRONG_CREDENTIALS)
  const late = byLogin(LATE).typed_password
  holds('who is not gets an error of the upstream', await kratos.signIn(LATE, late), UPSTREAM)
  const three = { email: 'three@new.example' }
  holds('a registration gets an error', (await kratos.register(three, NEW_PASSWORD)).told, 'an error')
  holds('and makes no identity', await kratos.traitsOf(three.email), [])

  heading('Carryover has another secret')
  service = await serve({ ORY_HOOK_SECRETS: `Bearer ${randomBytes(32).toString('base64url')}` })
  holds('an error of the upstream', await kratos.signIn(LATE, late), UPSTREAM)
  holds('a registration gets an error as well', (await kratos.register(three, NEW_PASSWORD)).told, 'an error')
  await service.stop()

  heading('The database of Carryover takes no connections')
  service = await serve()
  await closeDatabase()
  holds('an error of the upstream', await kratos.signIn(LATE, late), UPSTREAM)
  holds('a registration gets an error as well', (await kratos.register(three, NEW_PASSWORD)).told, 'an error')
  await openDatabase()
  await service.stop()
  holds('each after three tries', service.output().match(/"event":"failure"/g)?.length, 6)

  heading('Carryover is back, and allows registrations under legacy names')
  service = await serve({
    ORY_REGISTRATION: 'allow',
    ORY_REGISTRATION_ATTRIBUTES: 'given_name,family_name',
    ORY_TRAIT_NAMES: 'given_name=name.first,family_name=name.last',
  })
  holds('of these tries only the denied registration is on record', await state(LATE), {
    state: 'unmigrated',
    verdicts: ['denied'],
  })
  holds('who was not migrated signs in', await kratos.signIn(LATE, late), SIGNED_IN)
  holds('the one who is migrated was not asked for again', await state(migrated.login), {
    state: 'verified',
    verdicts: ['match', 'mismatch'],
  })
  const typed = { email: NOT_IMPORTED, name: { first: 'Kimball' } }
  const filled = { ...typed, name: { first: 'Kimball', last: "O'Hara" } }
  holds('what was not filled in comes from the old store', await kratos.register(typed, NEW_PASSWORD), {
    told: 'registered',
    traits: filled,
  })
  holds('and is kept', await kratos.traitsOf(NOT_IMPORTED), [filled])
  const { verified: inAll } = await copy.counts()
  holds(`/counts has ${verified + 2} verified`, inAll, verified + 2)
}

async function closeDatabase() {
  await administer('alter database carryover allow_connections false')
  await administer("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'carryover'")
}

function openDatabase() {
  return administer('alter database carryover allow_connections true')
}

async function administer(statement) {
  const client = new pg.Client(await postgres.database('postgres'))
  await client.connect()
  await client.query(statement)
  await client.end()
}

/** The identity of the page, with this user's names, and no other field than the page has. */
function identity({ create, ...patch }, { id, login, email }) {
  const names = login === email ? { email } : { email, username: login }
  const [address] = create.verifiable_addresses
  return {
    ...patch,
    patch_id: `00000000-0000-4000-8000-00000000${id.slice(2)}`,
    create: {
      ...create,
      state: email === INACTIVE ? 'inactive' : create.state,
      traits: names,
      verifiable_addresses: [{ ...address, value: email }],
    },
  }
}
