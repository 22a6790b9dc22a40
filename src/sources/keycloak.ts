import { asObject, asText, jsonRecords, momentOf, objectIn, present, rowOf } from './json-records.ts'
import { translated } from './translated.ts'

/**
 * A realm or its users, as `kc.sh export` writes them: the array `users` of the file.
 * https://www.keycloak.org/server/importExport
 */
export const keycloak = translated({
  name: 'keycloak',
  note: 'Keycloak: the file of a realm, or the files of its users, that `kc.sh export` writes',
  extensions: [],
  detect: (head) =>
    head.includes('"realm"') && /"(users|id|defaultRoles|defaultRole)"/.test(head) && /^\s*\{/.test(head),
  records: (text) => jsonRecords(text, 'users'),
  row: (record) => {
    const user = objectIn(record)
    // Accounts of clients are not people.
    if (asText(user.serviceAccountClientId) !== undefined) return undefined
    const username = asText(user.username)
    return rowOf({
      id: user.id,
      login: username,
      email: user.email,
      ...passwordIn(user.credentials),
      status: user.enabled === false ? 'disabled' : 'active',
      updated_at: momentOf(user.createdTimestamp),
      profile: present({
        given_name: user.firstName,
        family_name: user.lastName,
        email_verified: user.emailVerified,
        preferred_username: username,
        ...attributesIn(user.attributes),
        realm_roles: listIn(user.realmRoles),
        groups: listIn(user.groups),
      }),
    })
  },
})

/** The newest password, as the scheme `keycloak` reads it: one credential as JSON. */
function passwordIn(credentials: unknown): Readonly<Record<string, string | null>> {
  if (!Array.isArray(credentials)) return { password_hash: null }
  const passwords = credentials.flatMap((credential) => {
    const fields = asObject(credential)
    return fields?.type === 'password' ? [fields] : []
  })
  const [newest] = passwords.toSorted((a, b) => dateOf(b) - dateOf(a))
  if (newest === undefined) return { password_hash: null }
  const { secretData, credentialData } = newest
  const record = secretData === undefined ? newest : { secretData, credentialData }
  return { password_hash: JSON.stringify(record), hash_scheme: 'keycloak' }
}

function dateOf({ createdDate }: Readonly<Record<string, unknown>>): number {
  return typeof createdDate === 'number' ? createdDate : 0
}

/** Every attribute is a list there; one of a single value is that value. */
function attributesIn(attributes: unknown): Record<string, unknown> {
  const entries = Object.entries(asObject(attributes) ?? {})
  return Object.fromEntries(
    entries.map(([name, values]) => [
      name,
      Array.isArray(values) && values.length === 1 ? values[0] : values,
    ]),
  )
}

function listIn(value: unknown): unknown {
  return Array.isArray(value) && value.length > 0 ? value : undefined
}
