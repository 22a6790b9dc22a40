import type { StoredHash } from '../domain.ts'
import type { Recipe } from './recipe-compile.ts'
import type { Form } from './recipe-functions.ts'

/** Hexadecimal and base64 at once, so that it suits every recipe that decodes its salt. */
const DECOY_SALT = '6361727279'.repeat(4)

/** A stored hash of this recipe that nobody knows a password of. */
export function decoyOf({ label, around, form, length, uses }: Recipe): StoredHash {
  return {
    encoded: around ? around.example : constantResult(form, length),
    scheme: label,
    salt: uses.has('salt2') ? `${DECOY_SALT}:${DECOY_SALT}` : uses.has('salt') ? DECOY_SALT : null,
    login: '',
    id: '',
  }
}

function constantResult(form: Form, length: number): string {
  if (form === 'base64') return 'Z'.repeat(length)
  return '5a'.repeat(length).slice(0, form === 'raw' ? 2 * length : length)
}
