import type { LegacyUser } from '../domain.ts'
import { Failure } from '../errors.ts'
import { lookupName } from '../input.ts'
import type { Found } from './judge.ts'

export interface Lookup {
  readonly dialect: string
  readonly hook: string
  readonly login: string
  readonly requestId: string | null
  readonly deadline: number
}

export interface LookupDeps {
  readonly find: (name: string | null, deadline: number) => Promise<Found>
  /** Durable when it resolves. */
  readonly record: (
    lookup: Lookup,
    outcome: 'found' | 'not-found',
    user: LegacyUser | null,
    millis: number,
  ) => Promise<void>
}

/**
 * Who has this login, for providers that ask before there is a password. A name that several users answer to is
 * nobody's. On record like every other answer: this is where somebody who has stolen the secret would list people.
 */
export async function lookUp(lookup: Lookup, deps: LookupDeps): Promise<LegacyUser | null> {
  const started = performance.now()
  const { user } = await deps.find(lookupName(lookup.login), lookup.deadline)
  const millis = Math.round(performance.now() - started)
  await deps.record(lookup, user === null ? 'not-found' : 'found', user, millis)
  return user
}

const MINUTE_MS = 60_000

/** Lets so many through in a minute, a minute's worth at once, and throws Failure `overloaded` for the others. */
export function createLimit(perMinute: number): () => void {
  let left = perMinute
  let seen = performance.now()
  return () => {
    const now = performance.now()
    left = Math.min(perMinute, left + ((now - seen) * perMinute) / MINUTE_MS)
    seen = now
    if (left < 1) throw new Failure('overloaded', { detail: 'lookup-limit' })
    left -= 1
  }
}
