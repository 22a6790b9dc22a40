import { ceilingWords } from './ceilings.ts'
import { BASE64 } from './crypt64.ts'
import { base64, digest, digestFormat, hex } from './digest-format.ts'
import type { Family } from './format.ts'
import { HashError } from './format.ts'
import { malformed } from './key-derivation.ts'

/** Six letters at fixed places say that it is one. */
const NETSCREEN =
  /^n([A-Za-z0-9+/]{5})r([A-Za-z0-9+/]{5})c([A-Za-z0-9+/]{4})s([A-Za-z0-9+/]{5})t([A-Za-z0-9+/]{5})n(?::([^:]{1,64}))?$/

export const juniperNetscreen = digestFormat({
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

export const fortigate = fortinet('fortigate', 'AK1', 'sha1', 20)
export const fortigate256 = fortinet('fortigate256', 'SH2', 'sha256', 32)

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
export const citrixNetscaler = digestFormat({
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

export const arubaos = digestFormat({
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

const HEX_SHA1 = 40

export const huawei = digestFormat({
  name: 'huawei',
  note: 'with the salt in the row or after a colon',
  sources: 'Huawei devices',
  ceiling: ceilingWords.fixed,
  example: `${'5a'.repeat(20)}:carryover`,
  shape: /^[0-9a-f]{40}(?::.{0,128})?$/is,
  byNameOnly: true,
  parts: (encoded, stored) => {
    const salt = encoded.length > HEX_SHA1 ? encoded.slice(HEX_SHA1 + 1) : stored.salt || null
    if (salt === null) throw new HashError('bad-salt', 'the salt is in the row or after a colon')
    return {
      expected: hex(encoded.slice(0, HEX_SHA1)),
      digestOf: (password) =>
        digest('sha1', Buffer.from(digest('md5', password).toString('hex')), Buffer.from(salt)),
    }
  },
})
