import type { DialectPolicy } from '../../src/dialects/dialect.ts'

/** Each dialect with its secrets, and everything else as it is when nothing is set. */
export function policiesFor(
  secrets: ReadonlyMap<string, readonly string[]>,
  change: Partial<DialectPolicy> = {},
): ReadonlyMap<string, DialectPolicy> {
  return new Map(
    Array.from(secrets, ([name, accepted]) => [
      name,
      {
        trust: null,
        callers: { proofs: { HOOK_SECRETS: accepted }, subjects: [] },
        registration: 'deny',
        registrationAttributes: [],
        lookup: false,
        lookupsPerMinute: 600,
        attributes: [],
        own: {},
        ...change,
      },
    ]),
  )
}
