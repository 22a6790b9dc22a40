import { hash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { comparedText } from './compared.ts'
import { cryptRounds, repeatedTo } from './crypt-rounds.ts'
import { crypt64, selfContained } from './crypt64.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import { portably } from './portable-form.ts'

const ROUNDS = 1000
/** For a password of ordinary length. */
const MILLIS = 0.15
/** Poul-Henning Kamp's crypt.c of FreeBSD writes the bytes of the digest in this order. */
const ORDER = [12, 6, 0, 13, 7, 1, 14, 8, 2, 15, 9, 3, 5, 10, 4, 11]
const DIGEST = '[./0-9A-Za-z]{21}[./01]'

export const md5crypt = md5Crypt('md5crypt', '$1$')
/** The same of Apache's htpasswd. */
export const apr1 = md5Crypt('apr1', '$apr1$')

function md5Crypt(name: string, magic: '$1$' | '$apr1$'): Family {
  const start = `^${magic.replace(/\$/g, '\\$')}`
  const whole = new RegExp(`${start}([\\x20-\\x23\\x25-\\x7e]{0,8})\\$(${DIGEST})$`)
  const decoy = selfContained(`${magic}Carryove$${'.'.repeat(22)}`)
  return {
    name,
    sources: magic === '$1$' ? 'Linux and BSD, Cisco IOS (type 5)' : 'Apache htpasswd',
    ceiling: ceilingWords.fixed,
    example: decoy.encoded ?? '',
    shape: new RegExp(start),
    read(encoded) {
      const [, salt, digest] = whole.exec(encoded) ?? []
      if (salt === undefined || digest === undefined) {
        throw new HashError(
          'malformed',
          `hashes of ${name} have a salt of at most 8 characters and 22 characters of digest`,
        )
      }
      return {
        scheme: name,
        millis: MILLIS,
        decoy,
        ...portably(
          comparedText(digest, (password) => md5CryptDigest(password, Buffer.from(salt, 'latin1'), magic)),
          // Apache's is not of crypt(3).
          () => (magic === '$1$' ? { kind: 'crypt', scheme: 'md5-crypt', text: encoded } : null),
        ),
      }
    },
  }
}

/** The 22 characters. Without magic it is what AIX writes as `{smd5}`. */
export function md5CryptDigest(password: Uint8Array, salt: Uint8Array, magic: '$1$' | '$apr1$' | ''): string {
  const md5OfAll = (...parts: Uint8Array[]) => hash('md5', Buffer.concat(parts), 'buffer')
  const inner = md5OfAll(password, salt, password)
  const first = md5OfAll(
    password,
    Buffer.from(magic),
    salt,
    repeatedTo(password.length, inner),
    lengthBits(password),
  )
  const last = cryptRounds('md5', { first, password, salt, rounds: ROUNDS })
  return crypt64(Uint8Array.from(ORDER, (at) => last[at] ?? 0))
}

/** For each binary digit of the length, lowest first: NUL for a one, the first byte of the password for a zero. */
function lengthBits(password: Uint8Array): Buffer {
  const bits: number[] = []
  for (let length = password.length; length > 0; length >>= 1) bits.push(length & 1 ? 0 : (password[0] ?? 0))
  return Buffer.from(bits)
}
