import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import { md4 } from './digests/md4.ts'
import { bytesOfHex, textOfUtf8 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import type { Derivation } from './key-derivation.ts'
import { decoyKey, keyBytes, malformed, pbkdf2, wholeNumber } from './key-derivation.ts'

const DIGEST_BYTES = 16
/** Two MD4, of 8 KiB and of a few bytes. */
const MILLIS = 0.5
const MAX_LOGIN_CHARACTERS = 256
const DEFAULT_ITERATIONS = 10_240
const PREFIXED = /^\$DCC2\$(\d{1,20})#([^#]{1,256})#([0-9a-f]{32})$/i

/** Cached credentials of Windows up to 2003: MD4 over the NT hash and the login in small letters. */
export const msdcc: Family = {
  name: 'msdcc',
  note: 'hexadecimal; the salt is the login of the row',
  sources: 'Windows up to 2003, cached domain logons',
  ceiling: ceilingWords.fixed,
  example: '5a'.repeat(DIGEST_BYTES),
  shape: /^[0-9a-f]{32}$/i,
  byNameOnly: true,
  read: (encoded, { login }) => {
    const expected = keyBytes(bytesOfHex(encoded), DIGEST_BYTES)
    return readCached(msdcc.name, expected, login, undefined)
  },
}

/** Since Vista: PBKDF2 over that, told by `$DCC2$`, which carries iterations and login. */
export const msdcc2: Family = {
  name: 'msdcc2',
  note: '$DCC2$iterations#login#digest, or under its name the digest alone',
  sources: 'Windows Vista and later, cached domain logons',
  ceiling: ceilingWords.pbkdf2,
  example: `$DCC2$10240#carryover#${'5a'.repeat(DIGEST_BYTES)}`,
  shape: /^\$DCC2\$/i,
  shapeByName: /^(?:\$DCC2\$|[0-9a-f]{32}$)/i,
  read: readSecond,
}

function readSecond(encoded: string, stored: StoredHash): ReadHash {
  if (!encoded.startsWith('$')) {
    const digest = keyBytes(bytesOfHex(encoded), DIGEST_BYTES)
    return readCached(msdcc2.name, digest, stored.login, pbkdf2('sha1', DEFAULT_ITERATIONS, DIGEST_BYTES))
  }
  const [, iterations, login, digits = ''] = PREFIXED.exec(encoded) ?? []
  const digest = bytesOfHex(digits)
  if (login === undefined || !digest) throw malformed('a $DCC2$ hash has iterations, a login and 32 digits')
  const count = wholeNumber(iterations, 'the number of iterations')
  const hash = readCached(msdcc2.name, digest, login, pbkdf2('sha1', count, DIGEST_BYTES))
  return {
    ...hash,
    decoy: { ...hash.decoy, encoded: `$DCC2$${iterations}#carryover#${'5a'.repeat(DIGEST_BYTES)}` },
  }
}

function readCached(
  name: string,
  expected: Buffer,
  login: string,
  stretched: Derivation | undefined,
): ReadHash {
  if (login.length > MAX_LOGIN_CHARACTERS) {
    throw new HashError('malformed', `the login has at most ${MAX_LOGIN_CHARACTERS} characters`)
  }
  const salt = Buffer.from(login.toLowerCase(), 'utf16le')
  return {
    scheme: name,
    ...(stretched?.pbkdf2 && { pbkdf2: stretched.pbkdf2 }),
    millis: MILLIS + (stretched?.millis ?? 0),
    decoy: {
      encoded: decoyKey(DIGEST_BYTES).toString('hex'),
      scheme: name,
      salt: null,
      login: 'carryover',
      id: '',
    },
    ...compared(expected, (password) => {
      const text = textOfUtf8(password)
      if (text === null) return null
      const first = md4(Buffer.concat([md4(Buffer.from(text, 'utf16le')), salt]))
      return stretched ? stretched.derive(first, salt) : first
    }),
  }
}
