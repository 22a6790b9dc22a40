import type { StoredHash } from '../domain.ts'
import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import { ceilingWords } from './ceilings.ts'
import type { HashContext } from './context.ts'
import { NO_CONTEXT } from './context.ts'
import { enveloped } from './dispatched.ts'
import type { Family, HashFormat, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { malformed } from './key-derivation.ts'
import { readPlaintext } from './plaintext.ts'
import { springDigest } from './spring-digest.ts'
import { springPbkdf2 } from './spring-pbkdf2.ts'
import { springScrypt } from './spring-scrypt.ts'
import { springStandard } from './spring-standard.ts'

/** The ids of PasswordEncoderFactories. */
const ENCODERS: ReadonlyMap<string, HashFormat> = new Map([
  ['bcrypt', bcrypt],
  ['argon2', argon2],
  ['argon2@SpringSecurity_v5_8', argon2],
  ['pbkdf2', springPbkdf2],
  ['pbkdf2@SpringSecurity_v5_8', springPbkdf2],
  ['scrypt', springScrypt],
  ['scrypt@SpringSecurity_v5_8', springScrypt],
  ['sha256', springStandard],
  ['MD4', springDigest],
  ['MD5', springDigest],
  ['SHA-1', springDigest],
  ['SHA-256', springDigest],
])
const WHOLE = /^\{([A-Za-z0-9@_-]{1,32})\}(.*)$/s

/**
 * DelegatingPasswordEncoder of Spring Security: the id of an encoder in braces, then its own string. `readAny`
 * reads what stands after `{ldap}`. Ids that are names of LDAP schemes too are told by what follows them.
 */
export function springDelegating(readAny: (stored: StoredHash) => ReadHash): Family {
  const format: Family = {
    name: 'spring-delegating',
    note: 'every id of PasswordEncoderFactories; {noop} is plaintext',
    sources: 'Spring Boot, DelegatingPasswordEncoder',
    ceiling: ceilingWords.inner,
    example: `{bcrypt}${bcrypt.example}`,
    shape:
      /^\{(?:bcrypt\}|ldap\}|argon2(?:@\w{1,24})?\}\$argon2|pbkdf2(?:@\w{1,24})?\}[A-Za-z0-9+/=]+$|scrypt(?:@\w{1,24})?\}\$[0-9a-f]|sha256\}[0-9a-fA-F]{80}$|(?:MD[45]|SHA-1|SHA-256)\}\{)/,
    shapeByName: /^\{[A-Za-z0-9@_-]{1,32}\}/,
    read: (encoded, stored, context) => {
      const [, id, body] = WHOLE.exec(encoded) ?? []
      if (id === undefined || body === undefined) throw malformed('a Spring hash begins with an id in braces')
      const written = (inner: string) => `{${id}}${inner}`
      return enveloped(readBody(id, { ...stored, encoded: body }, context, readAny), format.name, written)
    },
  }
  return format
}

function readBody(
  id: string,
  body: StoredHash,
  context: HashContext,
  readAny: (stored: StoredHash) => ReadHash,
): ReadHash {
  const encoded = body.encoded ?? ''
  if (id === 'noop') return readPlaintext(encoded, context)
  if (id === 'ldap') return readAny({ ...body, scheme: null })
  const encoder = ENCODERS.get(id)
  if (!encoder)
    throw new HashError('unrecognised', 'the id in braces is none of those that Spring Security has')
  if ((encoder.shapeByName ?? encoder.shape).test(encoded)) return encoder.read(encoded, body, NO_CONTEXT)
  throw malformed(`not of the shape that ${encoder.name} hashes have`)
}
