import type { LegacyUser } from '../domain.ts'

/**
 * Names that providers give to the OpenID Connect standard claims (OpenID Connect Core 1.0, section 5.1).
 * A claim that is not in a provider's table, and every attribute of the old system's own, keeps its name.
 */
export type ClaimNames = Readonly<Record<string, string>>

/** The given claims under a provider's names, without those that are empty or that the person has filled in. */
export function translateClaims(
  claims: Readonly<Record<string, unknown>>,
  names: ClaimNames,
  given: readonly string[],
): Record<string, unknown> {
  const entries = Object.entries(claims)
    // The one standard claim that is an object: its members are attributes of their own everywhere else.
    .flatMap(([claim, value]) =>
      claim === 'address' && isObject(value) ? Object.entries(value) : [[claim, value] as const],
    )
    .map(([claim, value]) => [Object.hasOwn(names, claim) ? names[claim] : claim, value] as const)
    .filter(([name, value]) => name !== undefined && value !== null && value !== '' && !given.includes(name))
  return Object.fromEntries(entries)
}

/** The user's e-mail address. Where the old system has no column for it, a login may be one. */
export function emailOf({ login, email }: LegacyUser): string | null {
  return email ?? (login.includes('@') ? login : null)
}

/** Whether the old system had proved that address: the claim may be about another one. */
export function emailVerified(user: LegacyUser): boolean {
  const email = emailOf(user)
  const { email: claimed = email, email_verified: verified } = user.profile
  return verified === true && email !== null && typeof claimed === 'string' && same(claimed, email)
}

function same(one: string, other: string): boolean {
  return one.trim().toLowerCase() === other.trim().toLowerCase()
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
