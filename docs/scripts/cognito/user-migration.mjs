// Amazon Cognito, Lambda for the trigger "Migrate user" (Node.js 20 or later). Runs for a sign-in with a password, and
// for a forgotten one, of somebody whom the user pool does not have yet. Never log `event`: the password is in it.
//
// Environment variables:
//   CARRYOVER_URL             https://carryover.example/verify
//   CARRYOVER_SECRET          the complete value of the Authorization header, one of GENERIC_HOOK_SECRETS
//   CARRYOVER_SIGNING_SECRET  in its place: one of GENERIC_HMAC_SECRETS, with which each call is signed
//   LEGACY_ID_ATTRIBUTE       optional: an attribute of the pool for the old system's key, such as custom:legacy_id
//
// A forgotten password is asked without one: for that, GENERIC_LOOKUP must be on.
import { createHmac, randomUUID } from 'node:crypto'

export async function handler(event) {
  switch (event.triggerSource) {
    case 'UserMigration_Authentication': {
      const { verdict, mustReset, user } = await ask({
        purpose: 'login',
        identifier: event.userName,
        password: event.request.password,
      })
      if (verdict !== 'match' || !user) throw new Error(REFUSAL)
      event.response = {
        ...event.response,
        userAttributes: attributesOf(user),
        finalUserStatus: mustReset ? 'RESET_REQUIRED' : 'CONFIRMED',
        // Otherwise a message goes out that welcomes a new user.
        messageAction: 'SUPPRESS',
        // True would take an address away from the user of the pool who has it.
        forceAliasCreation: false,
      }
      return event
    }
    case 'UserMigration_ForgotPassword': {
      const { verdict, user } = await ask({ purpose: 'lookup', identifier: event.userName })
      if (verdict !== 'found' || user?.status !== 'active') throw new Error(REFUSAL)
      const userAttributes = attributesOf(user)
      // The code goes to a proved address or number. Without one the user would be stuck in the pool.
      if (userAttributes.email_verified !== 'true' && userAttributes.phone_number_verified !== 'true')
        throw new Error(REFUSAL)
      event.response = {
        ...event.response,
        userAttributes,
        messageAction: 'SUPPRESS',
        forceAliasCreation: false,
      }
      return event
    }
    default:
      throw new Error(REFUSAL)
  }
}

// The user may get to see it, so it is the same for every no.
const REFUSAL = 'Incorrect username or password.'

async function ask(question) {
  const { CARRYOVER_URL } = process.env
  try {
    const body = JSON.stringify(question)
    const response = await fetch(CARRYOVER_URL, {
      method: 'POST',
      // A redirect could lead to somebody who says yes.
      redirect: 'error',
      // Cognito waits 5 s, no longer, and may call again.
      signal: AbortSignal.timeout(4000),
      headers: { 'content-type': 'application/json', ...proofOf(body) },
      body,
    })
    if (response.status === 200) return await response.json()
  } catch {
    // What the error says may hold what was typed.
  }
  throw new Error('Sign-in is temporarily unavailable.')
}

// CARRYOVER_SIGNING_SECRET signs each call as Standard Webhooks say; without it the call has the fixed header.
function proofOf(body) {
  const { CARRYOVER_SECRET, CARRYOVER_SIGNING_SECRET } = process.env
  if (!CARRYOVER_SIGNING_SECRET) return { authorization: CARRYOVER_SECRET }
  const key = Buffer.from(CARRYOVER_SIGNING_SECRET.replace('whsec_', ''), 'base64')
  // An id is taken once, so every call has its own. The timestamp is in seconds.
  const id = `msg_${randomUUID()}`
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}

// A pool takes texts alone, and refuses the whole user for one attribute of the wrong form.
function attributesOf(user) {
  const attributes = {}
  const add = (name, value, form = /./) => {
    if (typeof value === 'string' && form.test(value)) attributes[name] = value
  }
  const plain =
    'name given_name middle_name family_name nickname preferred_username profile picture website gender zoneinfo locale'
  for (const name of plain.split(' ')) add(name, user[name])
  add('birthdate', user.birthdate, /^\d{4}-\d{2}-\d{2}$/)
  add('email', user.email)
  add('phone_number', user.phone_number, /^\+\d{5,15}$/)
  if (attributes.email) attributes.email_verified = String(user.email_verified === true)
  if (attributes.phone_number) attributes.phone_number_verified = String(user.phone_number_verified === true)
  const { LEGACY_ID_ATTRIBUTE } = process.env
  if (LEGACY_ID_ATTRIBUTE) attributes[LEGACY_ID_ATTRIBUTE] = String(user.id)
  return attributes
}
