// OneLogin, Smart Hook "user-migration" (runtime nodejs18.x or later). Runs for a sign-in of somebody whom OneLogin does
// not have yet. Never log `context`: the password is in it.
//
// Environment variables of the hook:
//   CARRYOVER_URL             https://carryover.example/verify
//   CARRYOVER_SECRET          the complete value of the Authorization header, one of GENERIC_HOOK_SECRETS
//   CARRYOVER_SIGNING_SECRET  in its place: one of GENERIC_HMAC_SECRETS, with which each call is signed
//   CUSTOM_ATTRIBUTES         optional: comma-separated attributes of the old system's that are custom attributes in OneLogin
exports.handler = async (context) => {
  // Says nothing about why, and an outage looks the same: OneLogin knows no other answer.
  const no = { success: false, user: {} }
  let told
  try {
    const body = JSON.stringify({
      purpose: 'login',
      identifier: context.user_identifier,
      password: context.password,
      requestId: context.correlation_id,
    })
    const response = await fetch(process.env.CARRYOVER_URL, {
      method: 'POST',
      // A redirect could lead to somebody who says yes.
      redirect: 'error',
      // Less than the hook's `timeout`, which must be set: its default is one second.
      signal: AbortSignal.timeout(4000),
      headers: { 'content-type': 'application/json', ...proofOf(body) },
      body,
    })
    if (response.status !== 200) return no
    told = await response.json()
  } catch (_error) {
    return no
  }
  if (told.verdict !== 'match' || !told.user) return no

  const user = told.user
  const custom = {}
  for (const name of (process.env.CUSTOM_ATTRIBUTES || '').split(',').map((text) => text.trim()))
    if (name !== '' && user[name] !== undefined && user[name] !== null) custom[name] = user[name]
  return {
    success: true,
    user: {
      username: user.login,
      password: context.password,
      email: user.email,
      firstname: user.given_name || null,
      lastname: user.family_name || null,
      phone: user.phone_number || null,
      external_id: String(user.id),
      custom_attributes: custom,
    },
  }
}

// CARRYOVER_SIGNING_SECRET signs each call as Standard Webhooks say; without it the call has the fixed header.
function proofOf(body) {
  const { CARRYOVER_SECRET, CARRYOVER_SIGNING_SECRET } = process.env
  if (!CARRYOVER_SIGNING_SECRET) return { authorization: CARRYOVER_SECRET }
  const { createHmac, randomUUID } = require('node:crypto')
  const key = Buffer.from(CARRYOVER_SIGNING_SECRET.replace('whsec_', ''), 'base64')
  // An id is taken once, so every call has its own. The timestamp is in seconds.
  const id = `msg_${randomUUID()}`
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` }
}
