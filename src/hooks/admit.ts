import type { Admission, LegacyUser } from '../domain.ts'
import { lookupName } from '../input.ts'
import type { Found } from './judge.ts'

export interface Application {
  readonly dialect: string
  readonly hook: string
  readonly names: readonly { readonly field: string; readonly value: string }[]
  /** Login of the person who changes a profile that exists already: never in the way of themselves. */
  readonly self: string | null
  readonly requestId: string | null
  readonly deadline: number
}

export interface AdmitDeps {
  readonly find: (name: string | null, deadline: number) => Promise<Found>
  /** Durable when it resolves. */
  readonly record: (
    application: Application,
    admission: Admission,
    user: LegacyUser | null,
    millis: number,
  ) => Promise<void>
  readonly policy: 'deny' | 'allow'
  /** Claims that may be added to a new profile. */
  readonly attributes: readonly string[]
}

/**
 * Whether somebody may register under these names. A name of a legacy user who is not migrated yet is refused, so that
 * nobody who is in the old store signs up a second time. A name that several users answer to is refused as well.
 */
export async function admit(
  application: Application,
  deps: AdmitDeps,
): Promise<{ admission: Admission; userId: string | null }> {
  const started = performance.now()
  const find = (name: string) => deps.find(lookupName(name), application.deadline)
  const [self, ...answers] = await Promise.all([
    application.self === null ? undefined : find(application.self),
    ...application.names.map(({ value }) => find(value)),
  ])
  const others = answers.map((found) =>
    found.user !== null && found.user.id === self?.user?.id ? { ...found, user: null } : found,
  )
  const inTheWay = others.findIndex(
    ({ user, ambiguous }) => ambiguous || (user !== null && user.state !== 'migrated'),
  )
  const field = application.names[inTheWay]?.field
  const user = others.find((found) => found.user !== null)?.user ?? null
  const admission: Admission =
    deps.policy === 'deny' && field !== undefined
      ? { kind: 'denied', field }
      : { kind: 'allowed', attributes: chosen(user, deps.attributes) }
  await deps.record(application, admission, user, Math.round(performance.now() - started))
  return { admission, userId: user?.id ?? null }
}

function chosen(user: LegacyUser | null, attributes: readonly string[]): Record<string, unknown> {
  if (user === null) return {}
  return Object.fromEntries(
    attributes.filter((name) => Object.hasOwn(user.profile, name)).map((name) => [name, user.profile[name]]),
  )
}
