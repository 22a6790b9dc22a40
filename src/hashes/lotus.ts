import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import { bytesOfHex } from './encodings.ts'
import { equalBytes } from './equal-bytes.ts'
import type { Family } from './format.ts'
import { boundedBytes, decoyKey, keyBytes, malformed, pbkdf2, storedAs } from './key-derivation.ts'

/** The substitution box of Lotus Notes, used as MD2 uses its own. */
const BOX = Buffer.from(
  'bd56eaf2a2f1ac2ab093d19c1b33fdd03004b6dc7ddf324bf7cb459b31bb215a419fe1d94a4d9edaa0682cc3275f8036' +
    '3eeefb951afecea834a913f0a63fd80c7824af2352c16717f56690e7e807b86048e61e53f392a4728c08156e860084fa' +
    'f47f8a4219f6dbcd148d5012ba3c064eecb33511a1888e2b9499b77174d3e4bf3ade960ebc0aed77fc376b03798962c6' +
    'd7c0d27c6a8b22a35b055d0275d561e3188f5551ad1f0b5e85e5c25763ca3d6cb4c5cc70b291590d4720c84f58e001e2' +
    '1638c46f3b0f6546be7e2d7b82f940b51d73f8eb26c787972554b128aa989da5646d7ad4108144ef49d6ae2edd765c2f' +
    'a71cc909699a83cf2939b9e94cff43ab',
  'hex',
)
const BLOCK = 16
const STATE = 48
const PASSES = 18
/** 4 KiB are 257 blocks of 864 steps. */
const MILLIS = 5
const LOTUS64 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/'
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const SALT6_BYTES = 5
const TEXT6_CHARACTERS = 19
const SALT8_BYTES = 16
const KEY8_BYTES = 8

/** Domino 5: without salt. */
export const lotus5: Family = {
  name: 'lotus5',
  sources: 'Lotus Notes and Domino 5',
  ceiling: ceilingWords.fixed,
  example: '5a'.repeat(BLOCK),
  shape: /^[0-9a-f]{32}$/i,
  byNameOnly: true,
  read: (encoded) => {
    const expected = keyBytes(bytesOfHex(encoded), BLOCK)
    return {
      scheme: lotus5.name,
      millis: MILLIS,
      decoy: storedAs(decoyKey(BLOCK).toString('hex'), lotus5.name),
      ...compared(expected, dominoDigest),
    }
  },
}

/** Domino 6: the digest of five bytes of salt and of the digest of Domino 5. */
export const lotus6: Family = {
  name: 'lotus6',
  sources: 'Lotus Notes and Domino 6 and 7',
  ceiling: ceilingWords.fixed,
  example: '(GMt7oLPZZZZZZZZZZZZZ)',
  shape: /^\(G[0-9A-Za-z+/]{19}\)$/,
  read: (encoded) => {
    const salt = unshifted(bytesOfLotus64(encoded.slice(2, 2 + TEXT6_CHARACTERS)).subarray(0, SALT6_BYTES))
    return {
      scheme: lotus6.name,
      millis: MILLIS,
      decoy: storedAs(lotus6.example, lotus6.name),
      matches: (password) => equalBytes(Buffer.from(salted(password, salt)), Buffer.from(encoded)),
    }
  },
}

/** Domino 8: PBKDF2 over the string of Domino 6; the number of iterations is ten digits inside. */
export const lotus8: Family = {
  name: 'lotus8',
  sources: 'Lotus Notes and Domino 8 and later',
  ceiling: ceilingWords.pbkdf2,
  example: `(H${lotus64(Buffer.concat([Buffer.alloc(SALT8_BYTES, 'carryover'), Buffer.from('000000500002'), Buffer.alloc(KEY8_BYTES, 'Z')]))})`,
  shape: /^\(H[0-9A-Za-z+/]{48}\)$/,
  read: (encoded) => {
    const bytes = boundedBytes(bytesOfLotus64(encoded.slice(2, 50)), 'the body', { least: 36, most: 36 })
    const [, digits] = /^(\d{10})02$/.exec(bytes.toString('latin1', SALT8_BYTES, SALT8_BYTES + 12)) ?? []
    if (digits === undefined) throw malformed('a hash of Domino 8 holds ten digits of iterations, then 02')
    const salt = unshifted(bytes.subarray(0, SALT8_BYTES))
    const key = bytes.subarray(-KEY8_BYTES)
    const derivation = pbkdf2('sha1', Number(digits), KEY8_BYTES)
    return {
      scheme: lotus8.name,
      ...(derivation.pbkdf2 && { pbkdf2: derivation.pbkdf2 }),
      millis: MILLIS + derivation.millis,
      decoy: storedAs(
        `(H${lotus64(Buffer.concat([bytes.subarray(0, -KEY8_BYTES), decoyKey(KEY8_BYTES)]))}${encoded.slice(50)}`,
        lotus8.name,
      ),
      matches: (password) =>
        equalBytes(
          derivation.derive(Buffer.from(salted(password, salt.subarray(0, SALT6_BYTES))), salt),
          key,
        ),
    }
  },
}

/** The string of Domino 6. Of its 15 bytes the 19 characters hold two bits less. */
function salted(password: Uint8Array, salt: Buffer): string {
  const inner = dominoDigest(password).toString('hex').toUpperCase().slice(0, 28)
  const digest = dominoDigest(Buffer.concat([salt, Buffer.from(`(${inner}`)]))
  const raw = Buffer.concat([salt, digest.subarray(0, 10)])
  raw[3] = ((raw[3] ?? 0) + 4) & 0xff
  return `(G${lotus64(raw).slice(0, TEXT6_CHARACTERS)})`
}

/** Domino adds four to the fourth byte of a salt that it writes. */
function unshifted(written: Buffer): Buffer {
  const salt = Buffer.from(written)
  salt[3] = ((salt[3] ?? 0) - 4) & 0xff
  return salt
}

/** MD2's construction with other padding of the checksum and another way through the box. */
function dominoDigest(message: Uint8Array): Buffer {
  const missing = BLOCK - (message.length % BLOCK)
  const blocks = Buffer.concat([message, Buffer.alloc(missing, missing)])
  const state = Buffer.alloc(STATE)
  const checksum = Buffer.alloc(BLOCK)
  for (let at = 0; at < blocks.length; at += BLOCK) {
    const block = blocks.subarray(at, at + BLOCK)
    absorb(state, block)
    addToChecksum(checksum, block)
  }
  absorb(state, checksum)
  return state.subarray(0, BLOCK)
}

function absorb(state: Buffer, block: Buffer): void {
  for (let index = 0; index < BLOCK; index += 1) {
    const byte = block[index] ?? 0
    state[BLOCK + index] = byte
    state[2 * BLOCK + index] = byte ^ (state[index] ?? 0)
  }
  let last = 0
  for (let pass = 0; pass < PASSES; pass += 1) {
    for (let index = 0; index < STATE; index += 1) {
      last = (state[index] ?? 0) ^ (BOX[(last + STATE - index) & 0xff] ?? 0)
      state[index] = last
    }
  }
}

function addToChecksum(checksum: Buffer, block: Buffer): void {
  let last = checksum[BLOCK - 1] ?? 0
  for (let index = 0; index < BLOCK; index += 1) {
    last = (checksum[index] ?? 0) ^ (BOX[(block[index] ?? 0) ^ last] ?? 0)
    checksum[index] = last
  }
}

function lotus64(bytes: Buffer): string {
  const standard = bytes.toString('base64').replaceAll('=', '')
  return standard.replace(/./g, (sign) => LOTUS64.charAt(BASE64.indexOf(sign)))
}

/** Spare bits are allowed: Domino 6 cuts its text in the middle of a byte. */
function bytesOfLotus64(text: string): Buffer {
  return Buffer.from(
    text.replace(/./g, (sign) => BASE64.charAt(LOTUS64.indexOf(sign))),
    'base64',
  )
}
