/**
 * Characters. A login of the copy has 320 bytes at most, as an e-mail address would by its parts (RFC 5321: 64 and 255), and
 * no spelling of such a login that means the same is longer: normalisation makes one character of three at most.
 */
const LONGEST_NAME = 1_000

/** Bytes. OWASP ASVS 6.2.9 asks for 64 characters at least; no legacy system took more than this. */
const LONGEST_PASSWORD = 4_096

/**
 * The name to look up, trimmed, or null for one that nobody can have: PostgreSQL has no NUL in text, and a lone surrogate
 * would arrive there as another character.
 */
export function lookupName(login: string): string | null {
  const name = login.trim()
  return name === '' || name.length > LONGEST_NAME || name.includes('\0') || !isWellFormed(name) ? null : name
}

/**
 * The password's UTF-8 bytes as they were typed, or undefined for one that no legacy system can have accepted: empty, not
 * valid Unicode, or over 4 KiB. Whether a NUL is one of its bytes is a question of the scheme.
 */
export function usablePassword(password: string): Uint8Array | undefined {
  if (password === '' || !isWellFormed(password)) return undefined
  const bytes = Buffer.from(password, 'utf8')
  return bytes.length > LONGEST_PASSWORD ? undefined : bytes
}

/** A caller's id for the log and the record: printable ASCII, bounded. Anything else is left out. */
export function loggableId(id: string | null): string | null {
  return id !== null && /^[\x21-\x7e]{1,128}$/.test(id) ? id : null
}

function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text)
}
