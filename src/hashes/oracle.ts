import { createHash } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import { compared, keepingMore } from './compared.ts'
import { desCbcLast } from './des.ts'
import { bytesOfHex, textOfUtf8 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import {
  decoyKey,
  decoySalt,
  derivedKeyHash,
  keyBytes,
  malformed,
  pbkdf2,
  saltBytes,
  storedAs,
} from './key-derivation.ts'
import { portableDigest, portably } from './portable-form.ts'

/** DES over some 8 KiB, twice. */
const DES_MILLIS = 4
const DIGEST_MILLIS = 0.03
const MAX_LOGIN_CHARACTERS = 128

/** The constant key with which Oracle makes the key. */
const ORACLE_KEY = Buffer.from('0123456789abcdef', 'hex')
const DES_BLOCK = 8

/** Oracle 6 to 10: login and password in capitals, 16 bits a character, through DES in CBC mode twice. */
export const oracle10: Family = {
  name: 'oracle10',
  note: 'the login of the row is the salt; capitals and small letters are the same',
  sources: 'Oracle Database 7 to 10',
  ceiling: ceilingWords.fixed,
  example: '5A'.repeat(DES_BLOCK),
  shape: /^[0-9a-f]{16}$/i,
  byNameOnly: true,
  read: readOracle10,
}

function readOracle10(encoded: string, { login }: StoredHash): ReadHash {
  const expected = keyBytes(bytesOfHex(encoded), DES_BLOCK)
  if (login.length > MAX_LOGIN_CHARACTERS)
    throw malformed(`the login has at most ${MAX_LOGIN_CHARACTERS} characters`)
  return {
    scheme: oracle10.name,
    millis: DES_MILLIS,
    decoy: storedAs(decoyKey(DES_BLOCK).toString('hex').toUpperCase(), oracle10.name, 'carryover'),
    ...compared(expected, (password) => {
      const text = textOfUtf8(password)
      return text === null ? null : oracle10Digest(`${login}${text}`)
    }),
  }
}

function oracle10Digest(text: string): Buffer {
  const wide = Buffer.from(text.toUpperCase(), 'utf16le').swap16()
  const blocks = Buffer.alloc(DES_BLOCK * Math.max(1, Math.ceil(wide.length / DES_BLOCK)))
  blocks.set(wide)
  const key = desCbcLast(ORACLE_KEY, blocks)
  return desCbcLast(key, blocks)
}

const SHA1_BYTES = 20
const S_SALT_BYTES = 10
/** The column spare4 may hold several verifiers; `H:` is an HTTP digest. */
const S_VERIFIER = /^S:([0-9a-f]{60})(?:;H:[0-9a-f]{32})?;?$/i

/** Oracle 11: SHA-1 of password and salt. */
export const oracle11: Family = {
  name: 'oracle11',
  note: 'S: and 60 hexadecimal digits',
  sources: 'Oracle Database 11',
  ceiling: ceilingWords.fixed,
  example: `S:${'5A'.repeat(SHA1_BYTES)}6361727279303030CA00`,
  shape: S_VERIFIER,
  read: (encoded) => {
    const bytes = bytesOfHex(S_VERIFIER.exec(encoded)?.[1] ?? '')
    if (bytes?.length !== SHA1_BYTES + S_SALT_BYTES)
      throw malformed('an S: hash of Oracle has 60 hexadecimal digits')
    const read = readSha1(oracle11.name, bytes.subarray(0, SHA1_BYTES), bytes.subarray(SHA1_BYTES), null)
    return hasSeveral(encoded) ? keepingMore(read) : read
  },
}

/** The same with the salt in the row, as hexadecimal. */
export const oracle11S: Family = {
  name: 'oracle11-s',
  note: '40 hexadecimal digits, and the salt of 20 in the row or after a colon',
  sources: 'Oracle Database 11',
  ceiling: ceilingWords.fixed,
  example: `${'5a'.repeat(SHA1_BYTES)}:63617272793030303030`,
  shape: /^[0-9a-f]{40}(?::[0-9a-f]{20})?$/i,
  byNameOnly: true,
  read: (encoded, stored) => {
    const [digest = '', inside] = encoded.split(':')
    const written = inside ?? stored.salt
    if (!written) throw new HashError('bad-salt', 'the salt is in the row or after a colon')
    const salt = saltBytes(bytesOfHex(written))
    return readSha1(oracle11S.name, keyBytes(bytesOfHex(digest), SHA1_BYTES), salt, oracle11S.name)
  },
}

function readSha1(name: string, expected: Buffer, salt: Buffer, named: string | null): ReadHash {
  const digits = (bytes: Buffer) => bytes.toString('hex').toUpperCase()
  const decoySalted = digits(decoySalt(S_SALT_BYTES))
  const key = digits(decoyKey(SHA1_BYTES))
  return {
    scheme: name,
    millis: DIGEST_MILLIS,
    decoy: storedAs(named === null ? `S:${key}${decoySalted}` : `${key}:${decoySalted}`, named),
    ...portably(
      compared(expected, (password) => createHash('sha1').update(password).update(salt).digest()),
      () => portableDigest('sha1', expected, 'suffix', salt),
    ),
  }
}

/** Each verifier is made of the password. */
function hasSeveral(encoded: string): boolean {
  return encoded.indexOf(':') !== encoded.lastIndexOf(':')
}

const T_KEY_BYTES = 64
const T_SALT_BYTES = 16
const T_ITERATIONS = 4096
const T_SUFFIX = Buffer.from('AUTH_PBKDF2_SPEEDY_KEY')
const T_VERIFIER = /^(?:S:[0-9a-f]{60};)?(?:H:[0-9a-f]{32};)?T:([0-9a-f]{160});?$/i

/** Oracle 12: SHA-512 of a PBKDF2 key and the salt. */
export const oracle12: Family = {
  name: 'oracle12',
  note: 'T: and 160 hexadecimal digits, under its name also without T:',
  sources: 'Oracle Database 12 and later',
  ceiling: ceilingWords.fixed,
  example: `T:${'5A'.repeat(T_KEY_BYTES)}${decoySalt(T_SALT_BYTES).toString('hex').toUpperCase()}`,
  shape: T_VERIFIER,
  shapeByName: /^(?:[0-9a-f]{160}$|[SHT]:)/i,
  read: (encoded) => {
    const bytes = bytesOfHex(T_VERIFIER.exec(encoded)?.[1] ?? encoded)
    if (bytes?.length !== T_KEY_BYTES + T_SALT_BYTES)
      throw malformed('a T: hash of Oracle has 160 hexadecimal digits')
    const own = bytes.subarray(T_KEY_BYTES)
    const read = derivedKeyHash({
      nulIsData: false,
      scheme: oracle12.name,
      derivation: pbkdf2('sha512', T_ITERATIONS, T_KEY_BYTES),
      salt: Buffer.concat([own, T_SUFFIX]),
      key: bytes.subarray(0, T_KEY_BYTES),
      written: (salt, key) =>
        `T:${Buffer.concat([key, salt.subarray(0, T_SALT_BYTES)])
          .toString('hex')
          .toUpperCase()}`,
      finished: (derived) => createHash('sha512').update(derived).update(own).digest(),
    })
    return hasSeveral(encoded) ? keepingMore(read) : read
  },
}
