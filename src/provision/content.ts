// What a target is to have of a user, and the digests by which a later plan sees that it has that already.
import { createHmac } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { isObject } from '../mapping/fields.ts'
import type { CopiedUser, Prepared } from '../mapping/user.ts'
import type { Candidate, Credential } from '../targets/target.ts'

/** A user whom no rule leaves out. */
export type Ready = Extract<Prepared, { kind: 'ready' }>

export function candidateOf(
  { user, attributes }: Ready,
  credential: Credential,
  tag: string | null,
): Candidate {
  const { id, login, email, status } = user
  return { id, login, email, active: status === 'active', attributes, credential, tag }
}

/** A user who is to be removed, by the keys that are left: the row may no longer be in the copy. */
export function candidateToRemove(
  id: string,
  left: Pick<CopiedUser, 'login' | 'email'> | null,
  tag: string | null,
): Candidate {
  const { login = '', email = null } = left ?? {}
  return { id, login, email, active: false, attributes: {}, credential: { kind: 'keep' }, tag }
}

/**
 * Of everything that is sent of a user but the password and the tag of the batch: the same for the same content, whatever
 * the order of its attributes. Keyed, because profiles can be guessed. 32 bytes.
 */
export function contentDigest(
  key: Uint8Array,
  { login, email, active, attributes }: Pick<Candidate, 'login' | 'email' | 'active' | 'attributes'>,
): Buffer {
  return keyed(key, 'content', canonicalJson({ login, email, active, attributes }))
}

/** Of the hash as it is stored. Another notation of the same hash is another one. 32 bytes. */
export function hashDigest(
  key: Uint8Array,
  { encoded, salt, scheme }: Pick<StoredHash, 'encoded' | 'salt' | 'scheme'>,
): Buffer {
  return keyed(key, 'hash', canonicalJson([encoded, salt, scheme]))
}

/** JSON with the names of every object in order. What has no value in JSON is left out, as `JSON.stringify` does. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => (isObject(part) ? inOrder(part) : part))
}

function keyed(key: Uint8Array, what: string, text: string): Buffer {
  return createHmac('sha256', key).update(`${what}\0${text}`).digest()
}

/** By code units. Names that are whole numbers come first, as JavaScript has them in every object. */
function inOrder(object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}
