// What a person meets at the token endpoint, step by step, and what is to be seen at both ends after it.
import { createServer } from 'node:http'
import { people } from './keycloak-users.mjs'

const { ada, grace, edsger, juergen, off, nameless, known, late, short, prey } = people
const TOTAL = Object.keys(people).length

const refusal = (status, description, error = 'invalid_grant') => ({
  outcome: 'refused',
  status,
  error,
  description,
})
const REFUSED = refusal(401, 'Invalid user credentials')
const DISABLED = refusal(400, 'Account disabled')
const UNFINISHED = refusal(400, 'Account is not fully set up')
const ERROR = refusal(500, 'For more on this error consult the server log.', 'unknown_error')

const STORED = { enabled: true, credentials: ['password'] }

/** The steps, in the order in which a migration takes them; each leaves Keycloak and Carryover as the next one needs them. */
const steps = {
  'before anybody signs in': async ({ check, realm, counts }) => {
    check('counts', await counts(), { total: TOTAL, unmigrated: TOTAL, verified: 0, migrated: 0 })
    check('Keycloak has nobody', await realm.userNamed('ada'), 'nobody')
  },
  'a wrong password': async ({ check, realm, history }) => {
    check('is refused', await realm.signIn(ada.email, 'no such password'), REFUSED)
    const notStored = { enabled: true, federationLink: realm.componentId, credentials: [] }
    check('the user is in Keycloak, without a password', await realm.userNamed('ada'), notStored)
    check('on record', await history('ada'), { state: 'unmigrated', verdicts: ['mismatch', 'found'] })
  },
  'the right password': async ({ check, realm, history }) => {
    check(
      'an e-mail address with a plus: tokens with the profile',
      await realm.signIn(ada.email, ada.password),
      {
        outcome: 'tokens',
        sub: ada.id,
        preferred_username: 'ada',
        email: ada.email,
        email_verified: true,
        given_name: 'Ada',
        family_name: 'Lovelace',
        phone_number: '+15550100000',
        roles: ['shop-editor'],
      },
    )
    check('Keycloak owns the password', await realm.userNamed('ada'), STORED)
    check('on record', await history('ada'), { state: 'verified', verdicts: ['match', 'mismatch', 'found'] })
  },
  names: async ({ check, realm }) => {
    const upper = claims(await realm.signIn('GRACE.hopper', grace.password))
    check('in other case', upper, tokensOf('grace.hopper', 'grace@example.com'))
    check('Keycloak owns the password', await realm.userNamed('grace.hopper'), STORED)
    const plus = claims(await realm.signIn(edsger.login.toUpperCase(), edsger.password))
    check('a login with a plus, typed in upper case', plus, tokensOf(edsger.login, edsger.email))
    const blank = claims(await realm.signIn(juergen.login, juergen.password))
    check('a blank and umlauts in the login', blank, tokensOf('jürgen öz', juergen.email))
    check('full-width letters find nobody', await realm.signIn('ｌａｔｅ', late.password), REFUSED)
  },
  refusals: async ({ check, realm, history }) => {
    check('an unknown user', await realm.signIn('nobody', 'whatever'), REFUSED)
    check('is not made', await realm.userNamed('nobody'), 'nobody')
    check('an unknown e-mail address', await realm.signIn('nobody+x@example.com', 'whatever'), REFUSED)
    check('a disabled user', await realm.signIn(off.login, off.password), DISABLED)
    check('is disabled in Keycloak too', (await realm.userNamed('off')).enabled, false)
    check('and was never asked for a password', (await history('off')).verdicts, ['found'])
    check('no first name and no last name', await realm.signIn(nameless.login, nameless.password), UNFINISHED)
    check('but the password is stored', await realm.userNamed('nameless'), STORED)
    await realm.makeNamesOptional()
    check(
      'where the realm does not want them',
      (await realm.signIn(nameless.login, nameless.password)).outcome,
      'tokens',
    )
    check(
      'a wrong password, of one who is known from now on',
      await realm.signIn(known.login, 'wrong'),
      REFUSED,
    )
  },
  'a password that the policy of Keycloak refuses': async ({ check, realm, history }) => {
    await realm.update({ passwordPolicy: 'length(60)' })
    check('is asked to be changed', await realm.signIn(short.login, short.password), UNFINISHED)
    check('and is not stored', (await realm.userNamed('short')).credentials, [])
    check('though it was right', (await history('short')).verdicts, ['match', 'found'])
    await realm.update({ passwordPolicy: '' })
  },
  'a password that was changed in Keycloak': async ({ check, realm }) => {
    await realm.setPassword('grace.hopper', 'another password')
    check('the old one is refused', await realm.signIn('grace.hopper', grace.password), REFUSED)
    check('the new one is right', (await realm.signIn('grace.hopper', 'another password')).outcome, 'tokens')
  },
  'Carryover has been stopped': async ({ check, realm, carryover, counts }) => {
    const before = await counts()
    await carryover.stop()
    check(
      'whose password is in Keycloak signs in',
      (await realm.signIn(ada.email, ada.password)).outcome,
      'tokens',
    )
    check('and with a wrong password does not', await realm.signIn(ada.email, 'wrong'), REFUSED)
    check('whom Keycloak does not know is refused', await realm.signIn(late.login, late.password), REFUSED)
    check('and not made', await realm.userNamed('late'), 'nobody')
    check('whose password it lacks gets an error', await realm.signIn(known.login, known.password), ERROR)
    await carryover.start()
    check('started again, counts are what they were', await counts(), before)
    check(
      'whom Keycloak did not know signs in',
      (await realm.signIn(late.login, late.password)).outcome,
      'tokens',
    )
  },
  'the plug-in with a wrong secret': async ({ check, realm }) => {
    await realm.configure({ API_TOKEN: 'wrong' })
    check('the right password is refused', await realm.signIn(known.login, known.password), REFUSED)
  },
  'the plug-in with Basic, and a slash at the end of its address': async ({
    check,
    realm,
    carryover,
    basic,
  }) => {
    await realm.configure({
      URI: `${carryover.hooks()}/keycloak/users/`,
      API_TOKEN_ENABLED: 'false',
      API_HTTP_BASIC_ENABLED: 'true',
      API_HTTP_BASIC_USERNAME: basic.user,
      API_HTTP_BASIC_PASSWORD: basic.password,
    })
    check('the right password', (await realm.signIn(known.login, known.password)).outcome, 'tokens')
    check('Keycloak owns the password', await realm.userNamed('known'), STORED)
  },
  'what docs/keycloak.md warns of: something in between that redirects': async ({
    check,
    realm,
    carryover,
    history,
  }) => {
    const proxy = await startRedirects(carryover.hooks())
    await realm.configure({ URI: `${proxy.url}/keycloak/users` })
    check('any password is right', (await realm.signIn(prey.login, 'no such password')).outcome, 'tokens')
    check('and Carryover was never asked for it', (await history('prey')).verdicts, ['found', 'found'])
    proxy.stop()
  },
  'at the end': async ({ check, counts }) => {
    // Not those who are disabled, and whose password nobody checked.
    check('counts', await counts(), { total: TOTAL, unmigrated: 2, verified: TOTAL - 2, migrated: 0 })
  },
}

/** Takes every step and checks at both ends: what Keycloak answers and has, and what Carryover has on record. */
export async function play(world) {
  const { carryover } = world
  const history = async (login) => {
    const user = await carryover.admin(`/users/${encodeURIComponent(login)}`)
    return { state: user.state, verdicts: user.history.map(({ verdict }) => verdict) }
  }
  const counts = async () => {
    const { total, unmigrated, verified, migrated } = await carryover.admin('/counts')
    return { total, unmigrated, verified, migrated }
  }
  for (const [title, step] of Object.entries(steps)) {
    world.say(title)
    await step({ ...world, history, counts })
  }
}

function tokensOf(preferred_username, email) {
  return { outcome: 'tokens', preferred_username, email }
}

/** Of tokens only what names the user; a refusal as it is. */
function claims({ outcome, preferred_username, email, ...rest }) {
  return outcome === 'tokens' ? { outcome, preferred_username, email } : { outcome, ...rest }
}

/** Sends everybody to the same path at `target` with status 302. */
async function startRedirects(target) {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(302, { location: target + request.url }).end()
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() }
}
