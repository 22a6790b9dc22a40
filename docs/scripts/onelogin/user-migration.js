// OneLogin, Smart Hook "user-migration" (runtime nodejs18.x or later). Runs for a sign-in of somebody whom OneLogin does
// not have yet. Never log `context`: the password is in it.
//
// Environment variables of the hook:
//   CARRYOVER_URL      https://carryover.example/verify
//   CARRYOVER_SECRET   the complete value of the Authorization header, one of GENERIC_HOOK_SECRETS
//   CUSTOM_ATTRIBUTES  optional: comma-separated attributes of the old system's that are custom attributes in OneLogin
exports.handler = async (context) => {
  // Says nothing about why, and an outage looks the same: OneLogin knows no other answer.
  const no = { success: false, user: {} }
  let told
  try {
    const response = await fetch(process.env.CARRYOVER_URL, {
      method: 'POST',
      // A redirect could lead to somebody who says yes.
      redirect: 'error',
      // Less than the hook's `timeout`, which must be set: its default is one second.
      signal: AbortSignal.timeout(4000),
      headers: { 'content-type': 'application/json', authorization: process.env.CARRYOVER_SECRET },
      body: JSON.stringify({
        purpose: 'login',
        identifier: context.user_identifier,
        password: context.password,
        requestId: context.correlation_id,
      }),
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
