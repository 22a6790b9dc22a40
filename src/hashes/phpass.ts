import { hash } from 'node:crypto'
import { affordable, type Bounds, ceilings, ceilingWords, isWithin } from './ceilings.ts'
import { comparedText } from './compared.ts'
import { CRYPT64, crypt64, selfContained } from './crypt64.ts'
import { digestChain } from './digest-chain.ts'
import { textOfUtf8 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { portably } from './portable-form.ts'

type Digest = 'md5' | 'sha512'

const LOG2: Readonly<Record<Digest, Bounds>> = { md5: ceilings.phpass.log2, sha512: ceilings.drupal.log2 }
const MILLIS_PER_ROUND: Readonly<Record<Digest, number>> = { md5: 0.0001, sha512: 0.00024 }

/** `$`, a letter, `$`, the logarithm of the rounds, 8 characters of salt, and the digest. */
const MD5_SETTING = /^(\$[PH]\$([./0-9A-Za-z]))([\x20-\x7e]{8})([./0-9A-Za-z]{21}[./01])$/
/** Drupal keeps 55 characters; the digest is cut off there. */
const SHA512_SETTING = /^(\$S\$([./0-9A-Za-z]))([\x20-\x7e]{8})([./0-9A-Za-z]{43})$/
const DECOY_SALT = 'Carryove'

/** What is stretched in place of the password; null when the origin cannot have hashed it. */
type Prepare = (password: Uint8Array) => Uint8Array | null

export const phpass: Family = {
  name: 'phpass',
  note: '$P$ and $H$',
  sources: 'WordPress before 6.8, phpBB 3, bbPress, Vanilla, Joomla 2.5.18 and later',
  ceiling: ceilingWords.phpass,
  example: decoyOf('$P$B', 'md5'),
  shape: /^\$[PH]\$/,
  read: (encoded) => readPortable(encoded, { name: 'phpass', digest: 'md5', prefix: '' }),
}

/** phpBB 3 stretched the digests of phpBB 2, which had been made of ISO 8859-1. */
export const phpassMd5Latin1: Family = {
  name: 'phpass-md5-latin1',
  note: 'phpass of the MD5 of the password in ISO 8859-1: phpBB 3 after phpBB 2',
  sources: 'phpBB 3 that was phpBB 2',
  ceiling: ceilingWords.phpass,
  example: decoyOf('$H$9', 'md5'),
  shape: /^\$[PH]\$/,
  byNameOnly: true,
  read: (encoded) =>
    readPortable(encoded, {
      name: 'phpass-md5-latin1',
      scheme: 'phpass-md5-latin1',
      digest: 'md5',
      prefix: '',
      prepare: (password) => {
        const bytes = latin1Of(password)
        return bytes && hexMd5(bytes)
      },
    }),
}

/** Drupal's update stretched the MD5 digests of Drupal 6 and set a U in front. */
export const drupal7: Family = {
  name: 'drupal7',
  note: '$S$, U$S$ and U$P$',
  sources: 'Drupal 7 to 9',
  ceiling: ceilingWords.drupal,
  example: decoyOf('$S$D', 'sha512'),
  shape: /^(?:U?\$S\$|U\$[PH]\$)/,
  read(encoded) {
    const updated = encoded.startsWith('U')
    const portable = updated ? encoded.slice(1) : encoded
    return readPortable(portable, {
      name: 'drupal7',
      digest: portable.startsWith('$S$') ? 'sha512' : 'md5',
      prefix: updated ? 'U' : '',
      ...(updated ? { prepare: hexMd5 } : {}),
    })
  },
}

interface Portable {
  readonly name: string
  /** What `hash_scheme` must say for the decoy, where the shape does not. */
  readonly scheme?: string
  readonly digest: Digest
  readonly prefix: string
  readonly prepare?: Prepare
}

function readPortable(encoded: string, { name, scheme, digest, prefix, prepare }: Portable): ReadHash {
  const whole = digest === 'md5' ? MD5_SETTING : SHA512_SETTING
  const [, start, log2, salt, digits] = whole.exec(encoded) ?? []
  if (start === undefined || log2 === undefined || salt === undefined || digits === undefined) {
    throw new HashError(
      'malformed',
      `a ${name} hash has a cost, 8 characters of salt and ${digest === 'md5' ? 22 : 43} of digest`,
    )
  }
  const rounds = 2 ** affordable(CRYPT64.indexOf(log2), LOG2[digest], `the cost of a ${name} hash`)
  return {
    scheme: name,
    millis: rounds * MILLIS_PER_ROUND[digest],
    decoy: selfContained(prefix + decoyOf(start, digest), scheme),
    nulIsData: true,
    ...portably(
      comparedText(digits, (password) => {
        // PasswordHash.php and Drupal refuse longer ones since CVE-2014-9034 and CVE-2014-9016.
        if (!isWithin(password.length, ceilings.phpass.passwordBytes)) return null
        const prepared = prepare ? prepare(password) : password
        if (prepared === null) return null
        const made = crypt64(stretched(prepared, Buffer.from(salt, 'latin1'), { digest, rounds }))
        return made.slice(0, digits.length)
      }),
      () =>
        digest === 'md5' && prepare === undefined
          ? { kind: 'phpass', log2Rounds: Math.log2(rounds), salt, text: encoded }
          : null,
    ),
  }
}

function decoyOf(start: string, digest: Digest): string {
  return `${start}${DECOY_SALT}${'.'.repeat(digest === 'md5' ? 22 : 43)}`
}

function stretched(
  password: Uint8Array,
  salt: Buffer,
  { digest, rounds }: { digest: Digest; rounds: number },
): Buffer {
  const first = hash(digest, Buffer.concat([salt, password]), 'buffer')
  const bytes = Buffer.concat([first, password])
  return digestChain(digest, { messages: [{ bytes, digestAt: 0 }], cycle: [0], first, rounds })
}

function hexMd5(bytes: Uint8Array): Buffer {
  return Buffer.from(hash('md5', bytes, 'hex'))
}

function latin1Of(password: Uint8Array): Buffer | null {
  const text = textOfUtf8(password)
  return text === null || /[^\0-\xff]/.test(text) ? null : Buffer.from(text, 'latin1')
}
