// The realm of the live test, as docs/keycloak.md says, and what a person and an administrator see of it.

const REALM = 'live'
const CLIENT = 'shop'

/** Makes the realm, a public client with direct access grants and the plug-in with `settings`. */
export async function makeRealm({ url, admin }, settings) {
  await admin('POST', '', { realm: REALM, enabled: true })
  await admin('POST', `/${REALM}/clients`, {
    clientId: CLIENT,
    publicClient: true,
    directAccessGrantsEnabled: true,
    redirectUris: ['http://127.0.0.1/*'],
  })
  await admin('POST', `/${REALM}/roles`, { name: 'shop-editor' })
  const component = {
    name: 'carryover',
    providerType: 'org.keycloak.storage.UserStorageProvider',
    providerId: 'User migration using a REST client',
    config: lists({
      enabled: 'true',
      priority: '0',
      USE_USER_ID_FOR_CREDENTIAL_VERIFICATION: 'false',
      MIGRATE_UNMAPPED_ROLES: 'false',
      MIGRATE_UNMAPPED_GROUPS: 'false',
      SEVER_FEDERATION_LINK: 'true',
      ROLE_MAP: 'editor:shop-editor',
      ...settings,
    }),
  }
  const id = await admin('POST', `/${REALM}/components`, component)
  return {
    componentId: id,
    signIn: (login, password) => signIn(url, login, password),
    /** What Keycloak has of its own; asking so never asks the plug-in. */
    userNamed: (username) => userNamed(admin, username),
    setPassword: async (username, value) => {
      const [{ id: user }] = await found(admin, username)
      await admin('PUT', `/${REALM}/users/${user}/reset-password`, { type: 'password', value })
    },
    /** In the user profile, as `Realm settings`, `User profile` does. */
    makeNamesOptional: async () => {
      const profile = await admin('GET', `/${REALM}/users/profile`)
      const attributes = profile.attributes.map(({ required, ...attribute }) =>
        ['firstName', 'lastName'].includes(attribute.name) || required === undefined
          ? attribute
          : { ...attribute, required },
      )
      await admin('PUT', `/${REALM}/users/profile`, { ...profile, attributes })
    },
    update: (changed) => admin('PUT', `/${REALM}`, changed),
    /** Other settings for the plug-in, from the next sign-in on. */
    configure: async (changed) => {
      const { config, ...rest } = await admin('GET', `/${REALM}/components/${id}`)
      await admin('PUT', `/${REALM}/components/${id}`, { ...rest, config: { ...config, ...lists(changed) } })
    },
  }
}

const lists = (settings) =>
  Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, [value]]))

/** `{ outcome: 'tokens', ...claims }`, or `{ outcome: 'refused', status, error, description }`. */
async function signIn(url, username, password) {
  const response = await fetch(`${url}/realms/${REALM}/protocol/openid-connect/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password',
      client_id: CLIENT,
      scope: 'openid profile email phone',
      username,
      password,
    }),
  })
  const answer = await response.json()
  if (response.status !== 200) {
    const { error, error_description: description } = answer
    return { outcome: 'refused', status: response.status, error, description }
  }
  const claims = claimsOf(answer.id_token)
  const { sub, preferred_username, email, email_verified, given_name, family_name, phone_number } = claims
  return {
    outcome: 'tokens',
    sub,
    preferred_username,
    email,
    email_verified,
    given_name,
    family_name,
    phone_number,
    roles: (claimsOf(answer.access_token).realm_access?.roles ?? []).filter((name) => !isBuiltIn(name)),
  }
}

const isBuiltIn = (role) =>
  role === 'offline_access' || role === 'uma_authorization' || role.startsWith('default-roles-')

const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString())

const found = (admin, username) =>
  admin('GET', `/${REALM}/users?exact=true&username=${encodeURIComponent(username)}`)

async function userNamed(admin, username) {
  const [user] = await found(admin, username)
  if (user === undefined) return 'nobody'
  const whole = await admin('GET', `/${REALM}/users/${user.id}`)
  const credentials = await admin('GET', `/${REALM}/users/${user.id}/credentials`)
  return {
    enabled: whole.enabled,
    federationLink: whole.federationLink,
    credentials: credentials.map(({ type, federationLink }) =>
      federationLink ? `${type}, asked for` : type,
    ),
  }
}
