import { createHash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import { bytesOfHex, textOfUtf8 } from './encodings.ts'
import type { Family } from './format.ts'
import { decoyKey, keyBytes, malformed, storedAs } from './key-derivation.ts'

/** Two digests. */
const MILLIS = 0.1
const MAX_NAME_CHARACTERS = 40

/** Constants of the work process disp+work, known from the plug-ins of John the Ripper. */
const WALLDORF_G = Buffer.from(
  '91ac51149f67544324e73be028747bc2863313eb5a4fcb5c080a73370e5d1c2f338fe6e5f89baedd16f24b8d2ce1d4dc' +
    'b0cbdf9dd4706d17f94d423f9b1b11949f5bc19b06059d039d5e138a1e9a6ae8d97c141758c72af6a199630ad7fd70c3' +
    'f65e741303c90b042698f7268a929325b0a20d23ed63796d1332fa3c35029aa3b3dd8e0a24bf51c37ccd559f37af944c' +
    '29085282b23b4e379f170791113bfdcd',
  'hex',
)
const WALLDORF_B = Buffer.from(
  '1477f3d4bb7123d003ff479355aa6691f2886b99bfcb321a19d9a7822249a251e2b733718b9f5d014470ae11ef28f00d',
  'hex',
)
/** SAP's own code of the printable characters, from the blank on; capitals and small letters differ. */
const SAP_CODE = Buffer.from(
  '3f4041504344454b47484d4e5451534635363738393a3b3c3d3e56555c495d4a420102030405060708090a0b0c0d0e0f' +
    '101112131415161718191a585b59ff524c1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334575e5a4fff',
  'hex',
)
const SAP_CODE_UNKNOWN = 0xff
const B_PASSWORD_CHARACTERS = 8
const B_NAME_CHARACTERS = 12

/** CODVN B: eight characters in capitals; MD5, folded. */
export const sapB: Family = {
  name: 'sap-b',
  note: 'USER$digest; eight characters count, and capitals and small letters are the same',
  sources: 'SAP (CODVN B)',
  ceiling: ceilingWords.fixed,
  example: 'CARRYOVER$5A5A5A5A5A5A5A5A',
  shape: /^[^${}:]{1,40}\$[0-9A-F]{16}$/,
  probable: true,
  shapeByName: /^.{1,40}\$[0-9a-f]{16}$/is,
  read: (encoded) => {
    const { name, expected } = partsOf(encoded, 8)
    const user = sapCoded(name.slice(0, B_NAME_CHARACTERS))
    return {
      scheme: sapB.name,
      millis: MILLIS,
      decoy: storedAs(`CARRYOVER$${decoyKey(8).toString('hex').toUpperCase()}`, sapB.name),
      ...compared(expected, (password) => {
        const text = textOfUtf8(password)
        return text === null
          ? null
          : bcode(sapCoded(text.toUpperCase().slice(0, B_PASSWORD_CHARACTERS)), user)
      }),
    }
  },
}

/** CODVN F and G: SHA-1 of password and user, in between a part of a constant that a first SHA-1 chooses. */
export const sapG: Family = {
  name: 'sap-g',
  note: 'USER$digest; CODVN F and G',
  sources: 'SAP (CODVN F and G)',
  ceiling: ceilingWords.fixed,
  example: `CARRYOVER$${'5A'.repeat(20)}`,
  shape: /^[^${}:]{1,40}\$[0-9A-F]{40}$/,
  probable: true,
  shapeByName: /^.{1,40}\$[0-9a-f]{40}$/is,
  read: (encoded) => {
    const { name, expected } = partsOf(encoded, 20)
    const user = Buffer.from(name)
    return {
      scheme: sapG.name,
      millis: MILLIS,
      decoy: storedAs(`CARRYOVER$${decoyKey(20).toString('hex').toUpperCase()}`, sapG.name),
      ...compared(expected, (password) => passcode(password, user)),
    }
  },
}

/** The name of the user is in capitals, and may itself hold a dollar sign. */
function partsOf(encoded: string, bytes: number): { name: string; expected: Buffer } {
  const at = encoded.lastIndexOf('$')
  const name = encoded.slice(0, at).trimEnd().toUpperCase()
  if (at < 1 || name.length > MAX_NAME_CHARACTERS)
    throw malformed('a hash of SAP has a user, a $ and a digest')
  return { name, expected: keyBytes(bytesOfHex(encoded.slice(at + 1)), bytes) }
}

function passcode(password: Uint8Array, user: Buffer): Buffer {
  const first = createHash('sha1').update(password).update(user).digest()
  const length = first.subarray(0, 10).reduce((sum, byte) => sum + (byte % 6), 0x20)
  const offset = first.subarray(10).reduce((sum, byte) => sum + (byte % 8), 0)
  const part = WALLDORF_G.subarray(offset, offset + length)
  return createHash('sha1').update(password).update(part).update(user).digest()
}

function sapCoded(text: string): Buffer {
  return Buffer.from(
    Array.from(text, (sign) => SAP_CODE[(sign.codePointAt(0) ?? 0) - 0x20] ?? SAP_CODE_UNKNOWN),
  )
}

/** Password, user and constants are interleaved as the first digest says; the rest stays zero. */
function bcode(password: Buffer, user: Buffer): Buffer {
  const first = createHash('md5').update(password).update(user).digest()
  const length = [0, 1, 2, 3, 5].reduce((sum, index) => sum + ((first[index] ?? 0) & 3), 0x20)
  const mixed = Buffer.alloc(length + 8)
  let at = 0
  let fromPassword = 0
  let fromUser = 0
  while (at < length) {
    if (fromPassword < password.length) {
      if ((first[15 - fromPassword] ?? 0) & 1)
        mixed[at++] = WALLDORF_B[WALLDORF_B.length - 1 - fromPassword] ?? 0
      mixed[at++] = password[fromPassword++] ?? 0
    }
    if (fromUser < user.length) mixed[at++] = user[fromUser++] ?? 0
    mixed[at] = WALLDORF_B[at - fromPassword - fromUser] ?? 0
    at += 2
  }
  const digest = createHash('md5').update(mixed.subarray(0, length)).digest()
  return Buffer.from(digest.subarray(0, 8).map((byte, index) => byte ^ (digest[8 + index] ?? 0)))
}
