import { createCipheriv } from 'node:crypto'
import type { PortableHash } from '../portable-hash.ts'
import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { boundedBytes, derivedKeyHash, malformed, saltBytes, scrypt, wholeNumber } from './key-derivation.ts'

/** The key of AES-256. */
export const DERIVED_BYTES = 32
/** Firebase's signer keys have 64 bytes; the stored hash is one of them encrypted. */
export const SIGNER_BYTES = { least: 16, most: 128 }
const MAX_LOG2 = 31
const WHOLE = /^\$firescrypt\$ln=(\d{1,9}),r=(\d{1,9}),p=(\d{1,9})\$([^$]*)\$([^$]+)\$([^$]*)\$([^$]+)$/

/**
 * Firebase's modified scrypt in the form of Ory Kratos, which carries the project's salt separator and signer key:
 * the derived key encrypts the signer key with AES in counter mode.
 */
export const firebaseScryptKratos: Family = {
  name: 'firebase-scrypt-kratos',
  note: '$firescrypt$, with the separator and the signer key of the project',
  sources: 'Firebase Auth by way of Ory Kratos',
  ceiling: ceilingWords.scrypt,
  example: written(
    '14',
    '8',
    '1',
    Buffer.from('carryover'),
    Buffer.alloc(64, 'Z'),
    'Bw==',
    Buffer.alloc(64, 'Y').toString('base64'),
  ),
  shape: /^\$firescrypt\$/,
  read,
}

function read(encoded: string): ReadHash {
  const [, log2, width, lanes, salt, hash, separator, signer] = WHOLE.exec(encoded) ?? []
  if (
    log2 === undefined ||
    width === undefined ||
    lanes === undefined ||
    salt === undefined ||
    hash === undefined ||
    separator === undefined ||
    signer === undefined
  ) {
    throw malformed('a $firescrypt$ hash has ln, r and p, a salt, a hash, a separator and a signer key')
  }
  const exponent = wholeNumber(log2, 'the ln')
  if (exponent < 1 || exponent > MAX_LOG2) throw malformed(`the ln of scrypt is 1 to ${MAX_LOG2}`)
  const cost = { cost: 2 ** exponent, width: wholeNumber(width, 'the r'), lanes: wholeNumber(lanes, 'the p') }
  const derivation = scrypt(cost, DERIVED_BYTES)
  const key = boundedBytes(bytesOfPaddedBase64(hash), 'the hash', SIGNER_BYTES)
  const signerKey = boundedBytes(bytesOfPaddedBase64(signer), 'the signer key', SIGNER_BYTES)
  if (key.length !== signerKey.length) throw malformed('the hash and the signer key are of the same length')
  const suffix = saltBytes(bytesOfPaddedBase64(separator))
  const own = saltBytes(bytesOfPaddedBase64(salt))
  return derivedKeyHash({
    scheme: firebaseScryptKratos.name,
    derivation,
    salt: Buffer.concat([own, suffix]),
    key,
    written: (_, otherKey) =>
      written(log2, width, lanes, Buffer.alloc(own.length, 'carryover'), otherKey, separator, signer),
    finished: (derived) => enciphered(signerKey, derived),
    portable: () =>
      portableFirebase({
        memoryCost: exponent,
        rounds: cost.width,
        lanes: cost.lanes,
        salt: own,
        saltSeparator: suffix,
        signerKey,
        digest: key,
      }),
  })
}

type Portable = Extract<PortableHash, { kind: 'firebase-scrypt' }>

/** Firebase itself has one lane, and so has everybody who takes its hashes. */
export function portableFirebase({
  lanes,
  ...parts
}: Omit<Portable, 'kind'> & { readonly lanes: number }): PortableHash | null {
  return lanes === 1 ? { kind: 'firebase-scrypt', ...parts } : null
}

/** What is stored: the signer key under the derived key. */
export function enciphered(signerKey: Buffer, derived: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-ctr', derived, Buffer.alloc(16))
  return Buffer.concat([cipher.update(signerKey), cipher.final()])
}

function written(
  log2: string,
  width: string,
  lanes: string,
  salt: Buffer,
  hash: Buffer,
  separator: string,
  signer: string,
): string {
  return `$firescrypt$ln=${log2},r=${width},p=${lanes}$${salt.toString('base64')}$${hash.toString('base64')}$${separator}$${signer}`
}
