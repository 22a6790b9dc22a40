// First sign-ins at a real Keycloak with the plug-in keycloak-user-migration, against the built service. See keycloak.md.
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { DIST, fill, startCarryover } from './keycloak-carryover.mjs'
import { makeRealm } from './keycloak-realm.mjs'
import { startKeycloak } from './keycloak-server.mjs'
import { play } from './keycloak-steps.mjs'
import { people, rows } from './keycloak-users.mjs'

const { KEYCLOAK_HOME, KEYCLOAK_PLUGIN } = process.env

const TOKEN = randomBytes(32).toString('base64url')
const BASIC = { user: 'keycloak', password: randomBytes(32).toString('hex') }

let differences = 0
const say = (text) => process.stdout.write(`${text}\n`)

/** One line; with both values where `got` is not `wanted`. */
function check(text, got, wanted) {
  const [left, right] = [got, wanted].map((value) => JSON.stringify([value]))
  const same = isDeepStrictEqual(JSON.parse(left), JSON.parse(right))
  if (!same) differences++
  say(same ? `  ok       ${text}` : `  DIFFERS  ${text}\n    got    ${left}\n    wanted ${right}`)
}

// Whatever was started is ended with this process.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

if (KEYCLOAK_HOME && KEYCLOAK_PLUGIN) await main()
else say('skipped: KEYCLOAK_HOME and KEYCLOAK_PLUGIN are not set; test/live/keycloak.md says how to get both')

async function main() {
  const { startEmbedded } = await import(`${DIST}/db/embedded.js`)
  const version = await readFile(join(KEYCLOAK_HOME, 'version.txt'), 'utf8').catch(() => 'Keycloak')
  say(`${version.trim()}, ${basename(KEYCLOAK_PLUGIN)}, Node ${process.version}`)
  const database = await startEmbedded({ settings: ['log_statement=none'] })
  const started = []
  try {
    const url = await database.database('carryover')
    await fill(url, await rows())
    const carryover = await startCarryover(url, {
      KEYCLOAK_HOOK_SECRETS: `Bearer ${TOKEN}`,
      KEYCLOAK_BASIC: `${BASIC.user}:${BASIC.password}`,
      KEYCLOAK_LOOKUP: 'on',
      KEYCLOAK_ATTRIBUTES: 'duties',
      KEYCLOAK_ROLES_ATTRIBUTE: 'duties',
    })
    started.push(carryover)
    say('starting Keycloak, which takes a minute')
    const keycloak = await startKeycloak(KEYCLOAK_HOME, KEYCLOAK_PLUGIN)
    started.push(keycloak)
    const realm = await makeRealm(keycloak, {
      URI: `${carryover.hooks()}/keycloak/users`,
      API_TOKEN_ENABLED: 'true',
      API_TOKEN: TOKEN,
    })
    await play({ realm, carryover, basic: BASIC, say, check })
    say('what was written')
    const written = carryover.output() + keycloak.output()
    const secrets = [TOKEN, BASIC.password, ...Object.values(people).map(({ password }) => password)]
    check('no password and no secret in either log', secrets.filter((one) => written.includes(one)).length, 0)
  } finally {
    for (const one of started.reverse()) await one.stop()
    await database.stop()
  }
  say(differences === 0 ? 'everything as wanted' : `${differences} differences`)
  process.exitCode = differences === 0 ? 0 : 1
}
