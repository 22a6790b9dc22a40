import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import type { HashContext } from './context.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { malformed, storedAs } from './key-derivation.ts'
import { md5crypt } from './md5-crypt.ts'

/** The same in every device, as hashcat has it. */
const KEY = Buffer.from('a6707a7e8df91059dea70ae52f9c2442', 'hex')
/** Stored in front; the other four bytes of the first block's vector are zero. */
const VECTOR_BYTES = 12
const BYTES = 76
/** The salt is the same everywhere too. Behind the NUL stands a block that nothing is known about. */
const MD5CRYPT = /^(\$1\$danastre\$[./0-9A-Za-z]{22})\0/

/** Pulse Connect Secure, Juniper IVE before: an md5crypt hash, enciphered with AES under a key that is no secret. */
export const juniperIve: Family = {
  name: 'juniper-ive',
  note: 'base64 of 76 bytes',
  sources: 'Pulse Connect Secure, Juniper IVE',
  ceiling: ceilingWords.fixed,
  example: enciphered(Buffer.alloc(VECTOR_BYTES, 'carryover'), `$1$danastre$${'.'.repeat(22)}`),
  shape: /^[A-Za-z0-9+/]{102}==$/,
  byNameOnly: true,
  read,
}

function read(encoded: string, stored: StoredHash, context: HashContext): ReadHash {
  const bytes = bytesOfPaddedBase64(encoded)
  if (bytes?.length !== BYTES) throw malformed(`a hash of Juniper IVE has ${BYTES} bytes`)
  const vector = bytes.subarray(0, VECTOR_BYTES)
  const [, inner] = MD5CRYPT.exec(deciphered(vector, bytes.subarray(VECTOR_BYTES))) ?? []
  if (inner === undefined) throw malformed('a hash of Juniper IVE deciphers to an md5crypt hash')
  const read = md5crypt.read(inner, { ...stored, encoded: inner }, context)
  return { ...read, scheme: juniperIve.name, decoy: storedAs(juniperIve.example, juniperIve.name) }
}

function deciphered(vector: Buffer, text: Buffer): string {
  const cipher = createDecipheriv('aes-128-cbc', KEY, blockOf(vector)).setAutoPadding(false)
  return Buffer.concat([cipher.update(text), cipher.final()]).toString('latin1')
}

function enciphered(vector: Buffer, text: string): string {
  const filled = Buffer.alloc(BYTES - VECTOR_BYTES)
  filled.write(text, 'latin1')
  const cipher = createCipheriv('aes-128-cbc', KEY, blockOf(vector)).setAutoPadding(false)
  return Buffer.concat([vector, cipher.update(filled), cipher.final()]).toString('base64')
}

function blockOf(vector: Buffer): Buffer {
  return Buffer.concat([vector, Buffer.alloc(4)])
}
