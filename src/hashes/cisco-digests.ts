import { ceilingWords } from './ceilings.ts'
import { bytesOfBigEndianCrypt64, crypt64 } from './crypt64.ts'
import { digest, digestFormat, hex, zeroFilled } from './digest-format.ts'
import { keyBytes } from './key-derivation.ts'
import { portableDigest } from './portable-form.ts'

const PIX_BYTES = 16
const ASA_BYTES = 32
/** A password that leaves less room than the login takes is hashed without it, since ASA 7. */
const ASA_LOGIN_LIMIT = 28
const LOGIN_BYTES = 4
const CISCO_EXAMPLE = 'nobody.knows.it.'

/** PIX: 16 bytes of password and login; three of every four bytes of MD5. */
export const ciscoPix = digestFormat({
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
export const ciscoAsa = digestFormat({
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
  const groups = [0, 4, 8, 12].map((at) => crypt64(md5.subarray(at, at + 3)))
  return Buffer.from(groups.join(''))
}

/** Type 4 of Cisco IOS: SHA-256 alone. */
export const ciscoType4 = digestFormat({
  name: 'cisco-type4',
  sources: 'Cisco IOS 15',
  ceiling: ceilingWords.fixed,
  example: `${'L'.repeat(42)}.`,
  shape: /^(?:\$4\$)?[./0-9A-Za-z]{43}$/,
  byNameOnly: true,
  parts: (encoded) => {
    const expected = keyBytes(bytesOfBigEndianCrypt64(encoded.slice(-43)), 32)
    return {
      expected,
      digestOf: (password) => digest('sha256', password),
      portable: () => portableDigest('sha256', expected, 'suffix', Buffer.alloc(0)),
    }
  },
})

const TYPE7_KEY = Buffer.from('dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87')

/** Type 7 of Cisco IOS can be read back by anybody: two digits say where in a known key it begins. */
export const ciscoType7 = digestFormat({
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
