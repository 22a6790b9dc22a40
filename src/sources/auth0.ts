import { asObject, asText, jsonRecords, momentOf, objectIn, present, rowOf } from './json-records.ts'
import { translated } from './translated.ts'

/** Claims that stand at the top of a user. */
const CLAIMS = [
  'email_verified',
  'name',
  'nickname',
  'given_name',
  'family_name',
  'picture',
  'phone_number',
  'phone_verified',
] as const

/**
 * Both files that Auth0 gives: the user export (JSON Lines of `/api/v2/jobs/users-exports`, no hashes), and the password hashes that
 * its support exports on request, with `passwordHash` and a bare `_id`.
 * https://auth0.com/docs/manage-users/user-migration/bulk-user-exports
 */
export const auth0 = translated({
  name: 'auth0',
  note: 'Auth0: the user export as JSON Lines, and the export of password hashes. Load the hashes first: the export of users has none, and then adds the profiles',
  extensions: [],
  detect: (head) =>
    /^\s*\{/.test(head) &&
    (head.includes('"user_id":"auth0|') || head.includes('"passwordHash"')) &&
    !head.includes('"localId"'),
  records: (text) => jsonRecords(text, null),
  row: (record) => {
    const user = objectIn(record)
    const bare = asText(asObject(user._id)?.$oid) ?? asText(user._id)
    const id = asText(user.user_id) ?? asText(user.Id) ?? (bare === undefined ? undefined : `auth0|${bare}`)
    const hash = asText(user.passwordHash)
    const claims = Object.fromEntries(CLAIMS.map((name) => [name, user[name]]))
    const { phone_verified: phoneVerified, ...others } = claims
    return rowOf({
      id,
      login: asText(user.username) ?? asText(user.email) ?? asText(user.phone_number),
      email: user.email,
      // Absent, not empty: a file without hashes takes none away.
      ...(hash === undefined ? {} : { password_hash: hash }),
      status: user.blocked === true ? 'disabled' : 'active',
      updated_at: momentOf(asObject(user.password_set_date)?.$date ?? user.updated_at),
      profile: present({
        ...others,
        phone_number_verified: phoneVerified,
        user_metadata: user.user_metadata,
        app_metadata: user.app_metadata,
      }),
    })
  },
})
