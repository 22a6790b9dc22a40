import { asObject, asText, jsonRecords, momentOf, objectIn, present, rowOf } from './json-records.ts'
import { translated } from './translated.ts'

/** Names of Okta's base attributes by the claims that they are. */
const CLAIMS: Readonly<Record<string, string>> = {
  firstName: 'given_name',
  lastName: 'family_name',
  middleName: 'middle_name',
  displayName: 'name',
  nickName: 'nickname',
  profileUrl: 'profile',
  mobilePhone: 'phone_number',
  timezone: 'zoneinfo',
}

/** Accounts that may sign in, or will once they have set a password. */
const ACTIVE: ReadonlySet<unknown> = new Set([
  'ACTIVE',
  'STAGED',
  'PROVISIONED',
  'RECOVERY',
  'PASSWORD_EXPIRED',
])

/**
 * Users as `GET /api/v1/users` lists them, in one array or several. Okta gives no hashes away.
 * https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/#operation/listUsers
 */
export const okta = translated({
  name: 'okta',
  note: 'Okta: the JSON of `GET /api/v1/users`; it has no hashes',
  extensions: [],
  detect: (head) => /^\s*\[\s*\{\s*"id"\s*:\s*"00u/.test(head),
  records: (text) => jsonRecords(text, null),
  row: (record) => {
    const user = objectIn(record)
    const { login, email, ...others } = asObject(user.profile) ?? {}
    return rowOf({
      id: user.id,
      login: asText(login) ?? asText(email),
      email,
      password_hash: null,
      status: ACTIVE.has(user.status) ? 'active' : user.status === 'LOCKED_OUT' ? 'locked' : 'disabled',
      updated_at: momentOf(user.passwordChanged ?? user.lastUpdated),
      profile: present(
        Object.fromEntries(
          Object.entries(others).map(([name, value]) => [
            Object.hasOwn(CLAIMS, name) ? (CLAIMS[name] ?? name) : name,
            value,
          ]),
        ),
      ),
    })
  },
})
