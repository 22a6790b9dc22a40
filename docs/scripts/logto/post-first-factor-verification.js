// Logto, Action "inlineHook.postFirstFactorVerification". Runs whenever Logto finds a password wrong, of anybody, for ever.
// Carryover keeps the old password from coming back: VERIFIED_GRACE_SECONDS after the first match it matches no longer.
//
// Environment variables of the action:
//   CARRYOVER_URL     https://carryover.example/verify
//   CARRYOVER_SECRET  the complete value of the Authorization header, one of GENERIC_HOOK_SECRETS
const runAction = async ({ event, environmentVariables = {} }) => {
  const { identifier, password, user: existing } = event
  let told
  try {
    const response = await fetch(environmentVariables.CARRYOVER_URL, {
      method: 'POST',
      // A redirect could lead to somebody who says yes.
      redirect: 'error',
      headers: { 'content-type': 'application/json', authorization: environmentVariables.CARRYOVER_SECRET },
      body: JSON.stringify({ purpose: 'login', identifier: identifier.value, password }),
    })
    if (response.status !== 200) throw new Error('no answer')
    told = await response.json()
  } catch (_error) {
    // What the error says may hold what was typed. Any error of a script refuses the sign-in.
    throw new Error('Sign-in is temporarily unavailable.')
  }
  // Nothing at all is Logto's no.
  if (told.verdict !== 'match' || !told.user) return undefined

  const { user } = told
  const customData = { ...(existing?.customData ?? {}), legacyUserId: String(user.id) }
  // What somebody has changed in Logto stays as it is.
  if (existing) return { action: 'updateUser', passwordVerified: true, user: { customData } }

  // Logto takes an address for proved, so only a proved one goes in, or the one that was typed to sign in with.
  const created = { customData }
  if (user.email && user.email_verified === true) created.primaryEmail = user.email
  if (identifier.type === 'email') created.primaryEmail = identifier.value
  if (identifier.type === 'username') created.username = identifier.value
  if (identifier.type === 'phone') created.primaryPhone = identifier.value
  if (user.name) created.name = user.name
  if (user.picture) created.avatar = user.picture
  const profile = {}
  if (user.given_name) profile.givenName = user.given_name
  if (user.family_name) profile.familyName = user.family_name
  if (Object.keys(profile).length > 0) created.profile = profile
  return { action: 'createUser', passwordVerified: true, user: created }
}
