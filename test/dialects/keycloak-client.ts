// What keycloak-user-migration 6.2.2 does with a service like this one: RestUserService.java and HttpClient.java of
// https://github.com/daniel-frak/keycloak-user-migration.

/** Fields of LegacyUser.java that every version has. */
const KNOWN = [
  'id',
  'username',
  'email',
  'firstName',
  'lastName',
  'enabled',
  'emailVerified',
  'attributes',
  'roles',
  'groups',
  'requiredActions',
]

export interface RemoteUser {
  readonly id?: string
  readonly username?: string
  readonly email?: string
  readonly firstName?: string
  readonly lastName?: string
  readonly enabled: boolean
  readonly emailVerified: boolean
  readonly attributes?: Readonly<Record<string, readonly string[]>>
  readonly roles?: readonly string[]
  readonly groups?: readonly string[]
}

type Send = (url: string, init: RequestInit) => Promise<Response>

/** The plug-in with this base address, and how it proves itself. */
export function keycloakClient(base: string, authorization: string, send: Send = fetch) {
  const call = (name: string, init: RequestInit) =>
    // LaxRedirectStrategy: whatever is redirected is followed.
    send(`${base}/${urlEncoded(name)}`, { redirect: 'follow', ...init })

  const find = async (name: string): Promise<RemoteUser | undefined> => {
    const response = await call(name, { headers: { accept: 'application/json', authorization } })
    return response.status === 200 ? readUser(await response.text()) : undefined
  }
  const findByEmail = async (email: string) => {
    const user = await find(email)
    return equalIgnoringCase(user?.email, email) ? user : undefined
  }
  const findByUsername = async (username: string) => {
    const user = await find(username)
    return equalIgnoringCase(user?.username, username) ? user : undefined
  }
  const isPasswordValid = async (username: string, password: string): Promise<boolean> => {
    const response = await call(username, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=UTF-8', authorization },
      body: JSON.stringify({ password }),
    })
    return response.status === 200
  }
  return {
    findByEmail,
    findByUsername,
    isPasswordValid,
    /** The first sign-in of somebody whom Keycloak does not know, with `Login with email` on. */
    signIn: async (typed: string, password: string) => {
      const user =
        (typed.includes('@') ? await findByEmail(typed) : undefined) ?? (await findByUsername(typed))
      if (user === undefined) return { outcome: 'unknown' as const }
      // UserModelFactory: `Local and remote users differ`, because Keycloak keeps user names in lower case.
      if (user.username === undefined || user.username !== user.username.toLowerCase())
        return { outcome: 'error' as const }
      if (user.id !== undefined && user.id.length > 36) return { outcome: 'error' as const }
      if (!user.enabled) return { outcome: 'disabled' as const, user }
      const valid = await isPasswordValid(user.username, password)
      return { outcome: valid ? ('signed-in' as const) : ('wrong-password' as const), user }
    },
  }
}

/** java.net.URLEncoder with UTF-8. */
export function urlEncoded(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, '?'))
    .replace(/[!'()~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+')
}

/** `new ObjectMapper().readValue(body, LegacyUser.class)`: an unknown key or a wrong type is an exception, and no user. */
function readUser(body: string): RemoteUser | undefined {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return undefined
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  const fields = Object.entries(json)
  if (!fields.every(([name, value]) => KNOWN.includes(name) && fits(name, value))) return undefined
  // Primitive booleans: what is missing is false.
  return { enabled: false, emailVerified: false, ...json }
}

function fits(name: string, value: unknown): boolean {
  switch (name) {
    case 'enabled':
    case 'emailVerified':
      return typeof value === 'boolean'
    case 'roles':
    case 'groups':
    case 'requiredActions':
      return isTexts(value)
    case 'attributes':
      return typeof value === 'object' && value !== null && Object.values(value).every(isTexts)
    default:
      return typeof value === 'string'
  }
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}

/** java.lang.String.equalsIgnoreCase: one UTF-16 unit after the other. */
function equalIgnoringCase(one: string | undefined, other: string): boolean {
  if (one === undefined || one.length !== other.length) return false
  const same = (a: string, b: string) =>
    a === b || a.toUpperCase() === b.toUpperCase() || a.toLowerCase() === b.toLowerCase()
  return Array.from({ length: one.length }, (_, at) => at).every((at) =>
    same(one.charAt(at), other.charAt(at)),
  )
}
