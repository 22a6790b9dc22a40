import type { LegacyUser } from '../domain.ts'

/** The standard claims of OpenID Connect Core 1.0, section 5.1, without those that are about the token or the provider. */
const STANDARD_CLAIMS: ReadonlySet<string> = new Set([
  'name',
  'given_name',
  'family_name',
  'middle_name',
  'nickname',
  'preferred_username',
  'profile',
  'picture',
  'website',
  'email',
  'email_verified',
  'gender',
  'birthdate',
  'zoneinfo',
  'locale',
  'phone_number',
  'phone_number_verified',
  'address',
])

/** The user with those attributes alone that may go out: the standard claims, and what a setting lists besides. */
export function released(user: LegacyUser, attributes: readonly string[]): LegacyUser {
  const entries = Object.entries(user.profile).filter(
    ([name]) => STANDARD_CLAIMS.has(name) || attributes.includes(name),
  )
  return { ...user, profile: Object.fromEntries(entries) }
}
