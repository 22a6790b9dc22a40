import { textOfUtf8 } from './encodings.ts'
import type { ReadHash } from './format.ts'

/** How a password may have been written when its hash was made. */
export type PasswordForm = 'as-sent' | 'nfc' | 'nfkc'

export const PASSWORD_FORMS: readonly PasswordForm[] = ['as-sent', 'nfc', 'nfkc']
export const AS_SENT: readonly PasswordForm[] = ['as-sent']

/** Bytes; what a password has at most. NFKC makes eleven times as many of some. */
const LONGEST_PASSWORD = 4096

/**
 * Whether a hash is of this password in any of these forms. They are tried in their order until one matches; a form whose
 * bytes were tried already is left out, so that a password in ASCII costs one check.
 */
export async function matchesInForms(
  read: ReadHash,
  password: Uint8Array,
  forms: readonly PasswordForm[] = AS_SENT,
): Promise<boolean> {
  const made = formsOf(password, forms)
  try {
    for (const bytes of made) if (await matchesPassword(read, bytes)) return true
    return false
  } finally {
    for (const bytes of made) if (bytes !== password) bytes.fill(0)
  }
}

/** Whether a hash is of these bytes. Where the origin takes no NUL, the work is done and nothing matches. */
export async function matchesPassword(read: ReadHash, password: Uint8Array): Promise<boolean> {
  const matches = await read.matches(password)
  return matches && takesNul(read, password)
}

/** Whether these forms of a password are one, and that as it was sent. */
export function isAsSent(password: Uint8Array, forms: readonly PasswordForm[] = AS_SENT): boolean {
  return forms.every((form) => form === 'as-sent') || isAscii(password)
}

/** What it means for a password that its bytes match: where the origin takes no NUL, none with one does. */
export function takesNul({ nulIsData }: ReadHash, password: Uint8Array): boolean {
  return nulIsData === true || !password.includes(0)
}

/** The forms that differ from each other; the password itself where none is left. */
function formsOf(password: Uint8Array, forms: readonly PasswordForm[]): readonly Uint8Array[] {
  const text = isAscii(password) ? null : textOfUtf8(password)
  if (text === null) return [password]
  const made: Uint8Array[] = []
  for (const form of forms) {
    const bytes = form === 'as-sent' ? password : Buffer.from(text.normalize(form === 'nfc' ? 'NFC' : 'NFKC'))
    const known = bytes.length > LONGEST_PASSWORD || made.some((other) => Buffer.compare(other, bytes) === 0)
    if (!known) made.push(bytes)
    else if (bytes !== password) bytes.fill(0)
  }
  return made.length === 0 ? [password] : made
}

/** Text that is the same in every form. */
function isAscii(password: Uint8Array): boolean {
  return password.every((byte) => byte < 0x80)
}
