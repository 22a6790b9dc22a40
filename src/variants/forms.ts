import type { StoredHash } from '../domain.ts'
import { evaluate, type Inputs } from './evaluate.ts'

/** A row and its known password. The names are other values that a login may have been when the hash was made. */
export interface Account {
  readonly stored: StoredHash
  readonly password: string
  /** The login as it was given at the sign-in. */
  readonly typed: string
  readonly email: string | null
}

/** A way to take one part of the question. `weight`: how far it is from what was declared. */
interface Form {
  readonly weight: number
  /** What `hash_scheme` cannot say; null where nothing is to be said. */
  readonly words: string | null
}

/** The password: first changed as text, which no recipe can do, then written by `expression`. */
export interface PasswordForm extends Form {
  readonly text: (typed: string) => string
  readonly expression: string
}

/** What stands in a recipe in place of `$salt` or `$login`. */
export interface ValueForm {
  readonly weight: number
  readonly expression: string
}

/** The row, read in another way: the digest and its salt may stand in one column. */
export interface RowForm extends Form {
  /** The login alone is another one, which only matters where it is used. */
  readonly loginOnly?: true
  readonly row: (stored: StoredHash, account: Account) => StoredHash | null
}

const TEXTS: readonly { words: string | null; change: (typed: string) => string }[] = [
  { words: null, change: (typed) => typed },
  { words: 'the password in Unicode NFC', change: (typed) => typed.normalize('NFC') },
  { words: 'the password in Unicode NFKC', change: (typed) => typed.normalize('NFKC') },
  { words: 'the password in Unicode NFD', change: (typed) => typed.normalize('NFD') },
  { words: 'the password in lower case', change: (typed) => typed.toLowerCase() },
  { words: 'the password in upper case', change: (typed) => typed.toUpperCase() },
  { words: 'the password without white space around it', change: (typed) => typed.trim() },
  {
    words: 'the password with & < > " escaped for HTML',
    change: (typed) =>
      typed
        .replaceAll('&', '&amp;')
        .replaceAll('<', '&lt;')
        .replaceAll('>', '&gt;')
        .replaceAll('"', '&quot;'),
  },
  {
    words: 'the password with & < > " \' escaped for HTML',
    change: (typed) =>
      typed
        .replaceAll('&', '&amp;')
        .replaceAll('<', '&lt;')
        .replaceAll('>', '&gt;')
        .replaceAll('"', '&quot;')
        .replaceAll("'", '&#039;'),
  },
  {
    words: 'the password with a backslash before quotes and backslashes',
    change: (typed) => typed.replace(/['"\\]/g, (sign) => `\\${sign}`),
  },
]

const WRITTEN_PASSWORDS = [
  '$pass',
  'trim($pass)',
  'latin1($pass)',
  'utf16le($pass)',
  'lower($pass)',
  'upper($pass)',
  'utf16be($pass)',
  'latin1(trim($pass))',
  'utf16le(upper($pass))',
  'latin1(lower($pass))',
  'latin1(upper($pass))',
  "$pass.'\\n'",
  "$pass.'\\r\\n'",
  "$pass.'\\0'",
  'substr($pass,0,8)',
  'substr($pass,0,16)',
  'substr($pass,0,20)',
  'substr($pass,0,32)',
]
/** Ways of writing that meet a password which was changed as text. */
const WRITTEN_AFTER_TEXT = ['$pass', 'latin1($pass)', 'utf16le($pass)']

/** Every form of the password, as typed first. */
export const passwordForms: readonly PasswordForm[] = TEXTS.flatMap(({ words, change }) =>
  (words === null ? WRITTEN_PASSWORDS : WRITTEN_AFTER_TEXT).map((expression) => ({
    weight: (words === null ? 0 : 1) + (expression === '$pass' ? 0 : 1),
    words,
    text: change,
    expression,
  })),
)

const SALTS = [
  '$salt',
  'unhex($salt)',
  'unb64($salt)',
  'hex($salt)',
  'HEX($salt)',
  'b64($salt)',
  'lower($salt)',
  'upper($salt)',
  'trim($salt)',
  'hex(unb64($salt))',
  'HEX(unb64($salt))',
  'b64(unhex($salt))',
  'utf16le($salt)',
  '$login',
  'lower($login)',
  'upper($login)',
  '$id',
]
const LOGINS = ['$login', 'lower($login)', 'upper($login)', 'utf16le($login)', '$id']

export const saltForms: readonly ValueForm[] = weighed(SALTS)
export const loginForms: readonly ValueForm[] = weighed(LOGINS)

function weighed(expressions: readonly string[]): ValueForm[] {
  return expressions.map((expression, at) => ({ expression, weight: at === 0 ? 0 : 1 }))
}

/** The forms that make something of their own of this row and this password: an equal one has come before. */
export function distinct<One extends { readonly expression: string }>(
  forms: readonly One[],
  inputsOf: (form: One) => Inputs,
): One[] {
  const seen = new Set<string>()
  return forms.filter((form) => {
    const value = evaluate(form.expression, inputsOf(form))?.toString('latin1')
    if (value === undefined || seen.has(value)) return false
    seen.add(value)
    return true
  })
}

export function inputsOf(stored: StoredHash, password: string): Inputs {
  return {
    pass: Buffer.from(password),
    salt: Buffer.from(stored.salt ?? ''),
    login: Buffer.from(stored.login),
    id: Buffer.from(stored.id),
  }
}

const SEPARATORS = [':', '$', '|', ';', ',', '*', '#', '@', '.', ' ']

function split(separator: string, hashFirst: boolean): RowForm {
  const place = hashFirst ? 'before' : 'after'
  return {
    weight: 1,
    words: `password_hash is only what stands ${place} the first "${separator}"; the rest belongs into salt`,
    row: (stored) => {
      const encoded = stored.encoded ?? ''
      const at = encoded.indexOf(separator)
      if (at < 1 || at === encoded.length - 1) return null
      const [first, second] = [encoded.slice(0, at), encoded.slice(at + 1)]
      return hashFirst
        ? { ...stored, encoded: first, salt: second }
        : { ...stored, encoded: second, salt: first }
    },
  }
}

/** The salt behind the digest's bytes, or before them, as in LDAP's salted schemes. */
function packed(digestBytes: number, hashFirst: boolean): RowForm {
  const place = hashFirst ? 'first' : 'last'
  return {
    weight: 1,
    words: `password_hash is only its ${place} ${digestBytes} bytes; the rest, as hexadecimal, belongs into salt`,
    row: (stored) => {
      const bytes = bytesOf(stored.encoded ?? '')
      const salt = (bytes?.length ?? 0) - digestBytes
      if (bytes === null || salt < 2 || salt > 64) return null
      const [digest, rest] = hashFirst
        ? [bytes.subarray(0, digestBytes), bytes.subarray(digestBytes)]
        : [bytes.subarray(salt), bytes.subarray(0, salt)]
      return { ...stored, encoded: digest.toString('hex'), salt: rest.toString('hex') }
    },
  }
}

function bytesOf(encoded: string): Buffer | null {
  if (/^(?:[0-9a-f]{2})+$/i.test(encoded)) return Buffer.from(encoded, 'hex')
  return /^[a-z0-9+/]{20,}={0,2}$/i.test(encoded) ? Buffer.from(encoded, 'base64') : null
}

/** A column of type bytea comes out of an export as `\x` and hexadecimal. */
const byteaText: RowForm = {
  weight: 1,
  words: 'password_hash is the text that its \\x and hexadecimal stand for',
  row: (stored) => {
    const [, digits] = /^\\x((?:[0-9a-f]{2})+)$/i.exec(stored.encoded ?? '') ?? []
    return digits === undefined ? null : { ...stored, encoded: Buffer.from(digits, 'hex').toString('latin1') }
  },
}

const byteaDigest: RowForm = {
  weight: 1,
  words: 'password_hash without its \\x',
  row: (stored) =>
    stored.encoded?.startsWith('\\x') ? { ...stored, encoded: stored.encoded.slice(2) } : null,
}

const trimmedRow: RowForm = {
  weight: 1,
  words: 'password_hash and salt without blanks around them',
  row: (stored) => {
    const encoded = stored.encoded?.trim() ?? null
    const salt = stored.salt?.trim() ?? null
    return encoded === stored.encoded && salt === stored.salt ? null : { ...stored, encoded, salt }
  },
}

function otherLogin(words: string, login: (account: Account) => string | null): RowForm {
  return {
    weight: 1,
    words,
    loginOnly: true,
    row: (stored, account) => {
      const other = login(account)
      return other === null || other === stored.login ? null : { ...stored, login: other }
    },
  }
}

/** Every way to read a row, as it stands first. */
export const rowForms: readonly RowForm[] = [
  { weight: 0, words: null, row: (stored) => stored },
  trimmedRow,
  otherLogin('the login as it is typed', ({ typed }) => typed),
  otherLogin('the e-mail address as the login', ({ email }) => email),
  otherLogin('the login in lower case', ({ stored }) => stored.login.toLowerCase()),
  otherLogin('the login up to its @', ({ stored }) => /^([^@]+)@/.exec(stored.login)?.[1] ?? null),
  byteaDigest,
  byteaText,
  ...SEPARATORS.flatMap((separator) => [split(separator, true), split(separator, false)]),
  ...[20, 16, 32, 64].flatMap((bytes) => [packed(bytes, true), packed(bytes, false)]),
]
