import type { StoredHash } from '../domain.ts'
import type { PortableHash } from '../portable-hash.ts'
import { classify } from './classify.ts'
import type { HashContext } from './context.ts'
import { portableIn } from './portable-form.ts'

/**
 * What a stored hash is made of, for targets with a notation of their own; null where no portable kind means exactly what
 * our check means: the same answer for every password in UTF-8. Passwords with a NUL, or longer than their origin takes, are
 * left out of that: nobody has one. Never throws. What cannot be read, or costs more than its ceiling, is not portable either.
 */
export function portableOf(stored: StoredHash, context: HashContext): PortableHash | null {
  // A target tries a password as it was typed; whoever needs the other form could no longer sign in.
  if (context.forms?.some((form) => form !== 'as-sent')) return null
  const classified = classify(stored, context)
  return classified.usable ? portableIn(classified.read) : null
}
