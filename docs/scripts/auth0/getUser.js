// Auth0, custom database, script "Get User". Runs at a sign-up, a change of password and in the Management API, and
// without a password: GENERIC_LOOKUP must be on.
//
// The connection's "Database Settings" are those of the script "Login".
async function getByEmail(email, callback) {
  let told
  try {
    const body = JSON.stringify({ purpose: 'lookup', identifier: email })
    const response = await fetch(configuration.CARRYOVER_URL, {
      method: 'POST',
      redirect: 'error',
      signal: AbortSignal.timeout(8000),
      headers: { 'content-type': 'application/json', ...proofOf(body) },
      body,
    })
    if (response.status !== 200) throw new Error('no answer')
    told = await response.json()
  } catch (_error) {
    // Not "nobody": then somebody else could sign up under the address of a legacy user.
    return callback(new Error('Sign-in is temporarily unavailable.'))
  }

  if (told.verdict === 'unknown_user') return callback(null)
  // Neither "nobody", which would let them sign up anew, nor a profile, with which they could set a new password.
  if (told.verdict !== 'found' || !told.user || told.user.status !== 'active')
    return callback(new Error('This account cannot be used.'))

  return callback(null, profileOf(told.user))

  // The same function stands in "Login": both must make the same profile of the same user.
  function profileOf(user) {
    const standard = ['name', 'given_name', 'family_name', 'nickname', 'picture']
    const profile = {
      // Auth0 puts auth0| before it. The prefix keeps it apart from the ids of other connections.
      user_id: `legacy-${user.id}`,
      email_verified: user.email_verified === true,
      // The old system's own attributes, as far as GENERIC_ATTRIBUTES lets them out. They become app_metadata, which
      // a user cannot change; under that name Auth0 would not take them from here.
      metadata: {},
    }
    if (user.email) profile.email = user.email
    if (configuration.WITH_USERNAME === 'yes') profile.username = user.login
    const known = ['id', 'login', 'status', 'email', 'email_verified', ...standard]
    for (const [name, value] of Object.entries(user)) {
      if (value === null || value === '') continue
      if (standard.includes(name)) profile[name] = value
      else if (!known.includes(name)) profile.metadata[name] = value
    }
    return profile
  }

  // CARRYOVER_SIGNING_SECRET signs each call as Standard Webhooks say; without it the call has the fixed header.
  function proofOf(body) {
    const { CARRYOVER_SECRET, CARRYOVER_SIGNING_SECRET } = configuration
    if (!CARRYOVER_SIGNING_SECRET) return { authorization: CARRYOVER_SECRET }
    const { createHmac, randomUUID } = require('node:crypto')
    const key = Buffer.from(CARRYOVER_SIGNING_SECRET.replace('whsec_', ''), 'base64')
    // An id is taken once, so every call has its own. The timestamp is in seconds.
    const id = `msg_${randomUUID()}`
    const timestamp = String(Math.floor(Date.now() / 1000))
    const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
    return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
  }
}
