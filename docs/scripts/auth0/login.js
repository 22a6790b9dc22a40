// Auth0, custom database, script "Login". Runs for everybody whom Auth0 does not have yet.
//
// In the connection's "Database Settings":
//   CARRYOVER_URL             https://carryover.example/verify
//   CARRYOVER_SECRET          the complete value of the Authorization header, one of GENERIC_HOOK_SECRETS
//   CARRYOVER_SIGNING_SECRET  in its place: one of GENERIC_HMAC_SECRETS, with which each call is signed
//   WITH_USERNAME             yes, if the connection has "Requires Username"; otherwise leave it out
async function login(identifier, password, callback) {
  let told
  try {
    const body = JSON.stringify({ purpose: 'login', identifier: identifier, password: password })
    const response = await fetch(configuration.CARRYOVER_URL, {
      method: 'POST',
      // A redirect could lead to somebody who says yes.
      redirect: 'error',
      // Auth0 ends a script after 20 s or so.
      signal: AbortSignal.timeout(8000),
      headers: { 'content-type': 'application/json', ...proofOf(body) },
      body,
    })
    if (response.status !== 200) throw new Error('no answer')
    told = await response.json()
  } catch (_error) {
    // An outage is an error of ours and no wrong password. What the error says may hold what was typed.
    return callback(new Error('Sign-in is temporarily unavailable.'))
  }

  // The same words for every no: whoever guesses must not learn who exists. Only the log of the tenant, which an
  // administrator reads, tells a wrong password (type fp, with the first argument) from an unknown user (type fu).
  const refusal = 'Wrong username or password.'
  if (told.verdict === 'wrong_password' || told.verdict === 'disabled')
    return callback(new WrongUsernameOrPasswordError(identifier, refusal))
  if (told.verdict !== 'match' || !told.user)
    return callback(new WrongUsernameOrPasswordError(undefined, refusal))

  return callback(null, profileOf(told.user))

  // The same function stands in "Get User": both must make the same profile of the same user.
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
