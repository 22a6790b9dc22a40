/** RFC 3454 table C.1.2, mapped to a space. U+200B stands in table B.1 as well, and that comes first. */
const SPACES = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/g
/** RFC 3454 table B.1, mapped to nothing. */
const NOTHING = /[\u00ad\u1806\u200b-\u200d\u2060\ufeff]|[\u180b-\u180d]|\u034f|[\ufe00-\ufe0f]/g
/** RFC 4013 2.3: controls, private use, non-characters, surrogates, and signs unfit for plain text. */
const PROHIBITED = [
  /[\p{Cc}\p{Co}\p{Cs}]/u,
  /[\u06dd\u070f\u180e\u200e\u200f\u2028-\u202e\u206a-\u206f\u2ff0-\u2ffb\ufff9-\uffff]|\u0340|\u0341/u,
  /[\ufdd0-\ufdef\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]/u,
]

/**
 * Prepares a password as SCRAM does (RFC 4013). Of the checks of text direction none is made, and characters that
 * Unicode 3.2 did not know are allowed. What may not be prepared is used as it is, as PostgreSQL does.
 */
export function saslPrepared(password: string): string {
  const prepared = password.replace(NOTHING, '').replace(SPACES, ' ').normalize('NFKC')
  return PROHIBITED.some((signs) => signs.test(prepared)) ? password : prepared
}
