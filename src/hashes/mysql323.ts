import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import { bytesOfHex } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { decoyKey, keyBytes, storedAs } from './key-derivation.ts'

const DIGEST_BYTES = 8
/** Some arithmetic for each of 4,096 bytes. */
const MILLIS = 0.2

/** OLD_PASSWORD() of MySQL: 62 bits without salt. Blanks and tabs of the password do not count. */
export const mysql323: Family = {
  name: 'mysql323',
  note: 'weak: passwords that collide are found in seconds',
  sources: 'MySQL up to 4.0',
  ceiling: ceilingWords.fixed,
  example: '5a5a5a5a5a5a5a5a',
  shape: /^[0-9a-f]{16}$/i,
  byNameOnly: true,
  read,
}

function read(encoded: string): ReadHash {
  const expected = keyBytes(bytesOfHex(encoded), DIGEST_BYTES)
  return {
    scheme: mysql323.name,
    millis: MILLIS,
    decoy: storedAs(decoyKey(DIGEST_BYTES).toString('hex'), mysql323.name),
    ...compared(expected, digestOf),
  }
}

/** hash_password() of MySQL, sql/password.c, in 32 bits: only the low 31 of each half are kept in the end. */
function digestOf(password: Uint8Array): Buffer {
  let first = 1345345333
  let second = 0x12345671
  let add = 7
  for (const byte of password) {
    if (byte === 0x20 || byte === 0x09) continue
    first ^= (Math.imul((first & 63) + add, byte) + (first << 8)) | 0
    second = (second + ((second << 8) ^ first)) | 0
    add = (add + byte) | 0
  }
  const digest = Buffer.alloc(DIGEST_BYTES)
  digest.writeUInt32BE(first & 0x7fffffff, 0)
  digest.writeUInt32BE(second & 0x7fffffff, 4)
  return digest
}
