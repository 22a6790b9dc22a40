import { timingSafeEqual } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { bytesOfBase64 } from './encodings.ts'

/** The digits of crypt(3), in the order of their values. */
export const CRYPT64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Writes bytes as crypt(3) does since MD5: the first byte is the lowest, and so is the first digit. */
export function crypt64(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 3) {
    const group = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16)
    const digits = Math.min(3, bytes.length - at) + 1
    for (let digit = 0; digit < digits; digit += 1) text += CRYPT64.charAt((group >>> (6 * digit)) & 63)
  }
  return text
}

/** The number that these digits are, lowest first; at most five digits. */
export function numberOfCrypt64(text: string): number {
  return Array.from(text).reduce((sum, digit, place) => sum + CRYPT64.indexOf(digit) * 64 ** place, 0)
}

/** Writes bytes with these digits as base64 does, highest first: the way of DES and of Cisco. */
export function bigEndianCrypt64(bytes: Uint8Array): string {
  const standard = Buffer.from(bytes)
    .toString('base64')
    .replace(/(?<!=)=+$/, '')
  return standard.replace(/./g, (digit) => CRYPT64.charAt(BASE64.indexOf(digit)))
}

/** The digits of base64, in the order of their values. */
export const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Reads what `bigEndianCrypt64` writes; null when it is anything else. */
export function bytesOfBigEndianCrypt64(text: string): Buffer | null {
  const standard = Array.from(text, (digit) => BASE64.charAt(CRYPT64.indexOf(digit)))
  return standard.includes('') ? null : bytesOfBase64(standard.join(''))
}

/** Compares texts, or bytes, of which one is a secret. */
export function sameBytes(made: string | Uint8Array, expected: string | Uint8Array): boolean {
  const [one, other] = [Buffer.from(made), Buffer.from(expected)]
  return one.length === other.length && timingSafeEqual(one, other)
}

/** A stored hash that carries its salt. `scheme` only where the shape does not tell the family. */
export function selfContained(encoded: string, scheme: string | null = null): StoredHash {
  return { encoded, scheme, salt: null, login: '', id: '' }
}
