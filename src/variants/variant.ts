import type { StoredHash } from '../domain.ts'
import { HashError, type ReadHash } from '../hashes/format.ts'
import { matchesPassword } from '../hashes/password-forms.ts'
import { evaluate } from './evaluate.ts'
import { type Account, inputsOf, type PasswordForm, type RowForm } from './forms.ts'

/** `readHash`, or the same with what the installation adds to it. */
export type Read = (stored: StoredHash) => ReadHash

/** Another way to check a row against a password. */
export interface Variant {
  /** What `hash_scheme` would say; null: nothing, so that the scheme is told by the shape. */
  readonly hashScheme: string | null
  /** What `hash_scheme` cannot say. Empty: `hash_scheme` says it all. */
  readonly words: readonly string[]
  /** How far it is from what was declared. */
  readonly weight: number
  readonly rowForm: RowForm
  readonly passwordForm: PasswordForm
  /** What the password is put through where `hash_scheme` does not say it. */
  readonly before: string | null
}

/** A row and a password as a variant takes them. */
export interface Trial {
  readonly read: ReadHash
  readonly password: Uint8Array
}

/** Null where the variant cannot read this row or this password. */
export function trialOf(variant: Variant, account: Account, read: Read): Trial | null {
  const row = variant.rowForm.row(account.stored, account)
  if (row === null) return null
  const text = variant.passwordForm.text(account.password)
  const password = variant.before === null ? Buffer.from(text) : evaluate(variant.before, inputsOf(row, text))
  if (password === null || password.length === 0) return null
  const hash = readable({ ...row, scheme: variant.hashScheme }, read)
  return hash && { read: hash, password }
}

export function readable(stored: StoredHash, read: Read): ReadHash | null {
  try {
    return read(stored)
  } catch (error) {
    if (error instanceof HashError) return null
    throw error
  }
}

/** Whether the trial matches. A check that cannot be done, as without its native module, says nothing and so is no match. */
export async function matches({ read, password }: Trial): Promise<boolean> {
  try {
    return await matchesPassword(read, password)
  } catch {
    return false
  } finally {
    password.fill(0)
  }
}

/** One line: the value for `hash_scheme`, and what it cannot say. */
export function describe({ hashScheme, words }: Pick<Variant, 'hashScheme' | 'words'>): string {
  return [hashScheme === null ? 'hash_scheme empty' : `hash_scheme ${hashScheme}`, ...words].join('; ')
}
