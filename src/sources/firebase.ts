import { asObject, asText, jsonRecords, momentOf, objectIn, present, rowOf } from './json-records.ts'
import { translated } from './translated.ts'

/**
 * What `firebase auth:export` writes as JSON. The parameters of the project's scrypt are not in the file: they stand in the console
 * and go into the secrets `firebase_signer_key` and `firebase_salt_separator`.
 * https://firebase.google.com/docs/cli/auth#file_format
 */
export const firebase = translated({
  name: 'firebase',
  note: 'Firebase: the JSON of `firebase auth:export`; the hash parameters of the project are secrets (docs/schemes.md, firebase-scrypt)',
  extensions: [],
  detect: (head) => head.includes('"localId"'),
  records: (text) => jsonRecords(text, 'users'),
  row: (record) => {
    const user = objectIn(record)
    const hash = asText(user.passwordHash)
    return rowOf({
      id: user.localId,
      login: asText(user.email) ?? asText(user.phoneNumber) ?? asText(user.localId),
      email: user.email,
      password_hash: hash ?? null,
      ...(hash === undefined ? {} : { hash_scheme: 'firebase-scrypt', salt: user.salt }),
      status: user.disabled === true ? 'disabled' : 'active',
      updated_at: momentOf(user.passwordUpdatedAt ?? user.createdAt),
      profile: present({
        name: user.displayName,
        picture: user.photoUrl,
        phone_number: user.phoneNumber,
        email_verified: user.emailVerified,
        custom_claims: claimsIn(user.customAttributes),
        providers: providersIn(user.providerUserInfo),
      }),
    })
  },
})

/** Custom claims are the text of a JSON object. */
function claimsIn(text: unknown): unknown {
  if (typeof text !== 'string') return undefined
  try {
    return asObject(JSON.parse(text))
  } catch {
    return text
  }
}

/** Provider and subject of linked accounts, which is all that a link is. */
function providersIn(list: unknown): unknown {
  if (!Array.isArray(list) || list.length === 0) return undefined
  return list.map((entry) => {
    const { providerId, rawId } = asObject(entry) ?? {}
    return present({ provider: providerId, subject: rawId })
  })
}
