import { asObject, asText, jsonRecords, momentOf, objectIn, present, rowOf } from './json-records.ts'
import { translated } from './translated.ts'

/**
 * What `aws cognito-idp list-users` prints, one answer or several one after the other. Cognito gives no hashes away, so the users are
 * loaded without: each needs a reset, or a provider that asks Cognito itself.
 * https://docs.aws.amazon.com/cli/latest/reference/cognito-idp/list-users.html
 */
export const cognito = translated({
  name: 'cognito',
  note: 'Amazon Cognito: the JSON of `aws cognito-idp list-users`; it has no hashes',
  extensions: [],
  detect: (head) => head.includes('"Users"') && head.includes('"Attributes"'),
  records: (text) => jsonRecords(text, 'Users'),
  row: (record) => {
    const user = objectIn(record)
    const { sub, email, ...attributes } = attributesIn(user.Attributes)
    const username = asText(user.Username)
    return rowOf({
      id: sub ?? username,
      login: username,
      email,
      password_hash: null,
      status: user.Enabled === false ? 'disabled' : 'active',
      updated_at: momentOf(user.UserLastModifiedDate),
      profile: present({ ...attributes, cognito_status: user.UserStatus }),
    })
  },
})

/** Its flags are texts. */
const FLAGS: Readonly<Record<string, boolean>> = { true: true, false: false }

function attributesIn(list: unknown): Record<string, unknown> {
  if (!Array.isArray(list)) return {}
  return Object.fromEntries(
    list.flatMap((entry) => {
      const { Name: name, Value: value } = asObject(entry) ?? {}
      if (typeof name !== 'string') return []
      const flag = name.endsWith('_verified') && typeof value === 'string' ? FLAGS[value] : undefined
      return [[name, flag ?? value]]
    }),
  )
}
