import { createHash } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { ceilings, ceilingWords } from './ceilings.ts'
import { desEncrypt } from './des.ts'
import { bytesOfBase64, bytesOfHex, textOfUtf8 } from './encodings.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import { equalBytes, malformed } from './key-derivation.ts'

/** A digest or two of a password of 4 KiB. */
const MILLIS = 0.1
const MAX_LOGIN_CHARACTERS = 256

interface Digest extends Omit<Family, 'read'> {
  readonly millis?: number
  /** Null for passwords that the origin could not have taken. */
  parts(
    encoded: string,
    stored: StoredHash,
  ): {
    readonly expected: Buffer
    digestOf(password: Uint8Array): Buffer | null
  }
}

/** A family of one cheap digest. Its example is its decoy: there is no cost that could differ. */
function digestFormat({ parts, millis = MILLIS, ...format }: Digest): Family {
  return {
    ...format,
    read: (encoded, stored) => {
      if (stored.login.length > MAX_LOGIN_CHARACTERS) {
        throw malformed(`the login has at most ${MAX_LOGIN_CHARACTERS} characters`)
      }
      const { expected, digestOf } = parts(encoded, stored)
      return {
        scheme: format.name,
        millis,
        decoy: { encoded: format.example, scheme: format.name, salt: null, login: 'carryover', id: '' },
        matches: (password) => {
          const made = digestOf(password)
          return made !== null && equalBytes(made, expected)
        },
      }
    },
  }
}

function digest(name: string, ...messages: readonly Uint8Array[]): Buffer {
  return createHash(name).update(Buffer.concat(messages)).digest()
}

/** The shape has made sure that it is hexadecimal. */
function hex(text: string): Buffer {
  const bytes = bytesOfHex(text)
  if (bytes) return bytes
  throw malformed('hexadecimal digits come in pairs')
}

function base64(text: string): Buffer {
  const bytes = bytesOfBase64(text)
  if (bytes) return bytes
  throw malformed('the spare bits of base64 are zero')
}

function zeroFilled(bytes: Uint8Array, length: number): Buffer {
  const filled = Buffer.alloc(length)
  filled.set(bytes.subarray(0, length))
  return filled
}

const CRYPT64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const PIX_BYTES = 16
const ASA_BYTES = 32
/** A password that leaves less room than the login takes is hashed without it, since ASA 7. */
const ASA_LOGIN_LIMIT = 28
const LOGIN_BYTES = 4
const CISCO_EXAMPLE = 'nobody.knows.it.'

/** PIX: 16 bytes of password and login; three of every four bytes of MD5. */
const ciscoPix = digestFormat({
  name: 'cisco-pix',
  note: 'with the login of the row, or without when it is empty',
  sources: 'Cisco PIX',
  ceiling: ceilingWords.fixed,
  example: CISCO_EXAMPLE,
  shape: /^[./0-9A-Za-z]{16}$/,
  byNameOnly: true,
  parts: (encoded, { login }) => ({
    expected: Buffer.from(encoded),
    digestOf: (password) => (password.length > PIX_BYTES ? null : ciscoDigest(password, login, PIX_BYTES)),
  }),
})

/** ASA 7: 32 bytes. */
const ciscoAsa = digestFormat({
  name: 'cisco-asa',
  note: 'with the login of the row or after a colon',
  sources: 'Cisco ASA',
  ceiling: ceilingWords.fixed,
  example: CISCO_EXAMPLE,
  shape: /^[./0-9A-Za-z]{16}(?::[^:]{1,64})?$/,
  byNameOnly: true,
  parts: (encoded, stored) => {
    const [text = '', inside] = encoded.split(':')
    const login = inside ?? stored.login
    return {
      expected: Buffer.from(text),
      digestOf: (password) => {
        if (password.length > ASA_BYTES) return null
        const salt = password.length < ASA_LOGIN_LIMIT ? login : ''
        const salted = password.length + (salt === '' ? 0 : LOGIN_BYTES)
        return ciscoDigest(password, salt, salted > PIX_BYTES ? ASA_BYTES : PIX_BYTES)
      },
    }
  },
})

function ciscoDigest(password: Uint8Array, login: string, length: number): Buffer {
  const salt = login === '' ? Buffer.alloc(0) : Buffer.alloc(LOGIN_BYTES, login)
  const md5 = digest('md5', zeroFilled(Buffer.concat([password, salt]), length))
  let text = ''
  for (let at = 0; at < md5.length; at += 4) {
    const value = md5.readUIntLE(at, 3)
    for (let shift = 0; shift < 24; shift += 6) text += CRYPT64.charAt((value >> shift) & 63)
  }
  return Buffer.from(text)
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Type 4 of Cisco IOS: SHA-256 alone. */
const ciscoType4 = digestFormat({
  name: 'cisco-type4',
  sources: 'Cisco IOS 15',
  ceiling: ceilingWords.fixed,
  example: `${'L'.repeat(42)}.`,
  shape: /^(?:\$4\$)?[./0-9A-Za-z]{43}$/,
  byNameOnly: true,
  parts: (encoded) => ({
    expected: base64(encoded.slice(-43).replace(/./g, (sign) => BASE64.charAt(CRYPT64.indexOf(sign)))),
    digestOf: (password) => digest('sha256', password),
  }),
})

const TYPE7_KEY = Buffer.from('dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87')

/** Type 7 of Cisco IOS can be read back by anybody: two digits say where in a known key it begins. */
const ciscoType7 = digestFormat({
  name: 'cisco-type7',
  note: 'no hash: anybody can read the password from it',
  sources: 'Cisco IOS',
  ceiling: ceilingWords.fixed,
  example: '00081F4B08',
  shape: /^(?:[0-4]\d|5[0-2])(?:[0-9a-f]{2}){1,128}$/i,
  byNameOnly: true,
  parts: (encoded) => {
    const start = Number(encoded.slice(0, 2))
    const written = hex(encoded.slice(2))
    const key = Buffer.from(written.map((_, index) => TYPE7_KEY[(start + index) % TYPE7_KEY.length] ?? 0))
    return {
      // Compared as digests, so that the time does not tell the length.
      expected: digest('sha256', Buffer.from(written.map((byte, index) => byte ^ (key[index] ?? 0)))),
      digestOf: (password) => digest('sha256', password),
    }
  },
})

const SYBASE_BYTES = 510

const sybaseAse = digestFormat({
  name: 'sybase-ase',
  sources: 'Sybase ASE, SAP ASE',
  ceiling: ceilingWords.fixed,
  example: `0xc0076361727279303030${'5a'.repeat(32)}`,
  shape: /^0xc007[0-9a-f]{80}$/i,
  parts: (encoded) => {
    const bytes = hex(encoded.slice(6))
    return {
      expected: bytes.subarray(8),
      digestOf: (password) => {
        const wide = Buffer.from(textOfUtf8(password) ?? '', 'utf16le').swap16()
        if (wide.length > SYBASE_BYTES) return null
        return digest('sha256', zeroFilled(wide, SYBASE_BYTES), bytes.subarray(0, 8))
      },
    }
  },
})

/** Six letters at fixed places say that it is one. */
const NETSCREEN =
  /^n([A-Za-z0-9+/]{5})r([A-Za-z0-9+/]{5})c([A-Za-z0-9+/]{4})s([A-Za-z0-9+/]{5})t([A-Za-z0-9+/]{5})n(?::([^:]{1,64}))?$/

const juniperNetscreen = digestFormat({
  name: 'juniper-netscreen',
  note: 'with the login after a colon or in the row',
  sources: 'Juniper NetScreen, SSG',
  ceiling: ceilingWords.fixed,
  example: 'nZZZZZrZZZZZcZZZZsZZZZZtZZZZZn:carryover',
  shape: NETSCREEN,
  parts: (encoded, stored) => {
    const [, ...groups] = NETSCREEN.exec(encoded) ?? []
    const login = groups[5] ?? stored.login
    return {
      expected: Buffer.from(groups.slice(0, 5).join('')),
      digestOf: (password) => {
        const md5 = digest('md5', Buffer.from(`${login}:Administration Tools:`), password)
        return Buffer.from(netscreenText(md5))
      },
    }
  },
})

/** Sixteen bits in three signs. */
function netscreenText(md5: Buffer): string {
  let text = ''
  for (let at = 0; at < md5.length; at += 2) {
    const value = md5.readUInt16BE(at)
    for (const shift of [12, 6, 0]) text += BASE64.charAt((value >> shift) & 63)
  }
  return text
}

const FORTINET = Buffer.from('a388ba2e424cb04a537930c13107cc3fa1329029a9815b70', 'hex')

const fortigate = fortinet('fortigate', 'AK1', 'sha1', 20)
const fortigate256 = fortinet('fortigate256', 'SH2', 'sha256', 32)

function fortinet(name: string, prefix: 'AK1' | 'SH2', algorithm: string, length: number): Family {
  return digestFormat({
    name,
    sources: 'FortiGate (FortiOS)',
    ceiling: ceilingWords.fixed,
    example: `${prefix}${Buffer.concat([Buffer.alloc(12, 'carryover'), Buffer.alloc(length, 'Z')]).toString('base64')}`,
    shape: prefix === 'AK1' ? /^AK1[A-Za-z0-9+/]{43}=$/ : /^SH2[A-Za-z0-9+/]{59}=$/,
    parts: (encoded) => {
      const bytes = base64(encoded.slice(prefix.length))
      if (bytes.length !== 12 + length) throw malformed('a hash of FortiOS has 12 bytes of salt and a digest')
      return {
        expected: bytes.subarray(12),
        digestOf: (password) => digest(algorithm, bytes.subarray(0, 12), password, FORTINET),
      }
    },
  })
}

/** The salt is used as the hexadecimal text that stands there, and the final NUL of the password counts. */
const citrixNetscaler = digestFormat({
  name: 'citrix-netscaler',
  note: 'SHA-1 (1…) and SHA-512 (2…)',
  sources: 'Citrix NetScaler, ADC',
  ceiling: ceilingWords.fixed,
  example: `1cafe0000${'5a'.repeat(20)}`,
  shape: /^(?:1[0-9a-f]{48}|2[0-9a-f]{136})$/i,
  probable: true,
  parts: (encoded) => ({
    expected: hex(encoded.slice(9)),
    digestOf: (password) =>
      digest(
        encoded.startsWith('1') ? 'sha1' : 'sha512',
        Buffer.from(encoded.slice(1, 9)),
        password,
        Buffer.alloc(1),
      ),
  }),
})

const arubaos = digestFormat({
  name: 'arubaos',
  sources: 'ArubaOS',
  ceiling: ceilingWords.fixed,
  example: `6361727201${'5a'.repeat(20)}`,
  shape: /^[0-9a-f]{8}01[0-9a-f]{40}$/i,
  probable: true,
  parts: (encoded) => ({
    expected: hex(encoded.slice(10)),
    digestOf: (password) => digest('sha1', hex(encoded.slice(0, 10)), password),
  }),
})

const QNX = /^@([msS])(?:,(\d{1,9}))?@([0-9a-f]+)@([^@]{1,64})$/
const QNX_DIGESTS: Readonly<Record<string, string>> = { m: 'md5', s: 'sha256', S: 'sha512' }
const QNX_ROUNDS = 1000
/** All rounds are one message, which holds the password as often. */
const QNX_MAX_ROUNDS = ceilings.qnx.rounds.most
const QNX_MAX_PASSWORD_BYTES = ceilings.qnx.passwordBytes.most

const qnx = digestFormat({
  name: 'qnx',
  note: 'MD5, SHA-256 and SHA-512 of QNX 6',
  sources: 'QNX 6',
  ceiling: ceilingWords.qnx,
  example: `@s@${'5a'.repeat(32)}@carryovercarryov`,
  shape: /^@[msS](?:,\d{1,9})?@[0-9a-f]{32,128}@[^@]{1,64}$/,
  millis: 20,
  parts: (encoded) => {
    const [, kind = '', rounds, digits = '', salt = ''] = QNX.exec(encoded) ?? []
    const algorithm = QNX_DIGESTS[kind] ?? 'sha256'
    const count = rounds === undefined ? QNX_ROUNDS : Number(rounds)
    if (count > QNX_MAX_ROUNDS)
      throw new HashError('too-costly', `a QNX hash has at most ${QNX_MAX_ROUNDS} rounds`)
    const expected = hex(digits)
    if (expected.length !== digest(algorithm).length) throw malformed('the digest of a QNX hash is complete')
    return {
      expected,
      digestOf: (password) => {
        if (password.length > QNX_MAX_PASSWORD_BYTES) return null
        const hash = createHash(algorithm).update(salt)
        for (let round = 0; round <= count; round += 1) hash.update(password)
        return hash.digest()
      },
    }
  },
})

/** The characters that RACF takes, as EBCDIC. */
const EBCDIC: ReadonlyMap<string, number> = new Map([
  ...letters('ABCDEFGHI', 0xc1),
  ...letters('JKLMNOPQR', 0xd1),
  ...letters('STUVWXYZ', 0xe2),
  ...letters('0123456789', 0xf0),
  ['#', 0x7b],
  ['@', 0x7c],
  ['$', 0x5b],
  ['.', 0x4b],
  ['<', 0x4c],
  ['+', 0x4e],
  ['|', 0x4f],
  ['&', 0x50],
  ['!', 0x5a],
  ['*', 0x5c],
  ['-', 0x60],
  ['%', 0x6c],
  ['_', 0x6d],
  ['>', 0x6e],
  ['?', 0x6f],
  [':', 0x7a],
  ['=', 0x7e],
])
const EBCDIC_BLANK = 0x40
/** Small letters stand as far before the capitals. */
const EBCDIC_CASE = 0x40

function letters(signs: string, first: number): readonly (readonly [string, number])[] {
  return Array.from(signs, (sign, index) => [sign, first + index] as const)
}

const RACF = /^\$racf\$\*([^*]{1,8})\*([0-9a-f]{16})$/i

/** RACF with DES: the password, blurred, is the key that encrypts the name of the user. */
const racf = digestFormat({
  name: 'racf',
  note: 'with DES; at most eight characters, as typed or in capitals',
  sources: 'IBM z/OS (RACF)',
  ceiling: ceilingWords.fixed,
  example: `$racf$*CARRY*${'5A'.repeat(8)}`,
  shape: /^\$racf\$\*/i,
  parts: (encoded) => {
    const [, login = '', digits = ''] = RACF.exec(encoded) ?? []
    const block = ebcdic(login.toUpperCase())
    if (!block || digits === '') throw malformed('a RACF hash has a name of eight characters and 16 digits')
    const expected = hex(digits)
    return {
      expected,
      // Systems that tell capitals from small letters exist since z/OS 1.7; nothing in the string says which.
      digestOf: (password) => {
        const text = textOfUtf8(password) ?? ''
        const made = [racfDigest(text, block), racfDigest(text.toUpperCase(), block)]
        return made.find((bytes) => bytes !== null && equalBytes(bytes, expected)) ?? null
      },
    }
  },
})

function racfDigest(text: string, block: Buffer): Buffer | null {
  const key = ebcdic(text)
  return key && desEncrypt(Buffer.from(key.map((byte) => ((byte ^ 0x55) << 1) & 0xff)), block)
}

function ebcdic(text: string): Buffer | null {
  const bytes = Array.from(text, ebcdicByte)
  if (bytes.length > 8 || bytes.includes(-1)) return null
  return Buffer.from([...bytes, ...Array.from({ length: 8 - bytes.length }, () => EBCDIC_BLANK)])
}

function ebcdicByte(sign: string): number {
  const capital = EBCDIC.get(sign.toUpperCase()) ?? -1
  return /[a-z]/.test(sign) ? capital - EBCDIC_CASE : capital
}

const HEX_SHA1 = 40

const huawei = digestFormat({
  name: 'huawei',
  note: 'with the salt in the row or after a colon',
  sources: 'Huawei devices',
  ceiling: ceilingWords.fixed,
  example: `${'5a'.repeat(20)}:carryover`,
  shape: /^[0-9a-f]{40}(?::.{0,128})?$/is,
  byNameOnly: true,
  parts: (encoded, stored) => {
    const salt = encoded.length > HEX_SHA1 ? encoded.slice(HEX_SHA1 + 1) : stored.salt
    if (salt === null) throw new HashError('bad-salt', 'the salt is in the row or after a colon')
    return {
      expected: hex(encoded.slice(0, HEX_SHA1)),
      digestOf: (password) =>
        digest('sha1', Buffer.from(digest('md5', password).toString('hex')), Buffer.from(salt)),
    }
  },
})

const rsaNetwitness = digestFormat({
  name: 'rsa-netwitness',
  sources: 'RSA NetWitness',
  ceiling: ceilingWords.fixed,
  example: `${'5A'.repeat(32)}:Y2FycnlvdmVyY2Fycg==`,
  shape: /^[0-9A-F]{64}:[A-Za-z0-9+/]{10,64}={1,2}$/,
  probable: true,
  shapeByName: /^[0-9a-f]{64}:[A-Za-z0-9+/]{2,64}={0,2}$/i,
  parts: (encoded) => {
    const [digits = '', salt = ''] = encoded.split(':')
    const salted = base64(salt)
    return {
      expected: hex(digits),
      digestOf: (password) =>
        digest('sha256', Buffer.from(digest('sha256', password).toString('hex').toUpperCase()), salted),
    }
  },
})

/** Network devices and servers, each with a digest of its own. */
export const deviceDigests: readonly Family[] = [
  ciscoPix,
  ciscoAsa,
  ciscoType4,
  ciscoType7,
  sybaseAse,
  juniperNetscreen,
  fortigate,
  fortigate256,
  citrixNetscaler,
  arubaos,
  qnx,
  racf,
  huawei,
  rsaNetwitness,
]
