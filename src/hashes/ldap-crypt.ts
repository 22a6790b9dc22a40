import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import { ceilingWords } from './ceilings.ts'
import { bsdiCrypt, descrypt } from './des-crypt.ts'
import type { Family, HashFormat } from './format.ts'
import { HashError } from './format.ts'
import { apr1, md5crypt } from './md5-crypt.ts'
import { nthash3 } from './nthash-3.ts'
import { sha256crypt, sha512crypt } from './sha-crypt.ts'
import { sha1crypt } from './sha1-crypt.ts'
import { sunmd5 } from './sun-md5.ts'
import { readWrapped } from './wrapped.ts'
import { gostYescrypt, scrypt7, yescrypt } from './yescrypt.ts'

/** What the crypt(3) of some system writes. */
export const CRYPT: readonly HashFormat[] = [
  sha512crypt,
  sha256crypt,
  md5crypt,
  bcrypt,
  yescrypt,
  gostYescrypt,
  scrypt7,
  descrypt,
  bsdiCrypt,
  sha1crypt,
  sunmd5,
  apr1,
  nthash3,
]

/** RFC 2307 knows {CRYPT}; the others are Dovecot's. */
const PREFIX = /^\{(?:CRYPT|(?:DES|MD5|BLF|SHA256|SHA512)-CRYPT|MD5(?=\}\$1\$))\}/i

/** passwd(5) copied into a directory. */
const LOCKED = /^(?:[*!].*|x)$/

export const ldapCrypt: Family = {
  name: 'ldap-crypt',
  note: '{CRYPT} and every hash of crypt(3); {MD5-CRYPT}, {BLF-CRYPT} and so on of Dovecot',
  sources: 'OpenLDAP, NIS, Dovecot',
  ceiling: ceilingWords.inner,
  example: `{CRYPT}${sha512crypt.example}`,
  shape: PREFIX,
  read(encoded, stored) {
    const prefix = PREFIX.exec(encoded)?.[0] ?? ''
    const inner = encoded.slice(prefix.length)
    if (LOCKED.test(inner))
      throw new HashError('locked-marker', 'in place of a hash the row says that nobody may sign in')
    const format = CRYPT.find(({ shape }) => shape.test(inner))
    if (!format) throw new HashError('malformed', 'behind {CRYPT} stands a hash of crypt(3)')
    return readWrapped({ name: 'ldap-crypt', wrap: (text) => prefix + text }, format, inner, stored)
  },
}

/** Spring Security writes `{argon2}` in small letters, and that one is its own. */
const ARGON2_PREFIX = /^\{(?:ARGON2(?:ID|I|D)?|argon2(?:id|i|d))\}/

/** Dovecot and OpenLDAP. */
export const argon2Prefixed: Family = {
  name: 'argon2-prefixed',
  note: '{ARGON2}, {ARGON2I}, {ARGON2ID} and an argon2 hash',
  sources: 'OpenLDAP (pw-argon2), Dovecot',
  ceiling: ceilingWords.argon2,
  example: `{ARGON2ID}${argon2.example}`,
  shape: ARGON2_PREFIX,
  read(encoded, stored) {
    const prefix = ARGON2_PREFIX.exec(encoded)?.[0] ?? ''
    return readWrapped(
      { name: 'argon2-prefixed', wrap: (text) => prefix + text },
      argon2,
      encoded.slice(prefix.length),
      stored,
    )
  },
}

/** Ory Kratos writes the name of the algorithm in place of its number. */
export const kratosCrypts: readonly Family[] = [
  kratosCrypt('md5', '$1$', md5crypt, ceilingWords.fixed),
  kratosCrypt('sha256', '$5$', sha256crypt, ceilingWords.shaCrypt),
  kratosCrypt('sha512', '$6$', sha512crypt, ceilingWords.shaCrypt),
]

function kratosCrypt(digest: string, magic: string, inner: HashFormat, ceiling: string): Family {
  const name = `kratos-${digest}-crypt`
  const prefix = `$${digest}-crypt$`
  const wrap = (text: string) => prefix + text.slice(magic.length)
  return {
    name,
    sources: 'Ory Kratos',
    ceiling,
    example: wrap(inner.example),
    shape: new RegExp(`^\\$${digest}-crypt\\$`),
    read: (encoded, stored) =>
      readWrapped({ name, wrap }, inner, magic + encoded.slice(prefix.length), stored),
  }
}
