import { createHash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { compared } from './compared.ts'
import { bytesOfHex } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { decoyKey, keyBytes, storedAs } from './key-derivation.ts'

const SHA1_BYTES = 20
/** Two digests, one of them of a password of 4 KiB. */
const MILLIS = 0.03

/** PASSWORD() of MySQL 4.1 and later, mysql_native_password: SHA-1 of SHA-1. */
export const mysql41: Family = {
  name: 'mysql41',
  note: 'under its name also without the asterisk',
  sources: 'MySQL 4.1 to 5.7, MariaDB',
  ceiling: ceilingWords.fixed,
  example: `*${'5A'.repeat(SHA1_BYTES)}`,
  shape: /^\*[0-9a-f]{40}$/i,
  shapeByName: /^\*?[0-9a-f]{40}$/i,
  read,
}

function read(encoded: string): ReadHash {
  const expected = keyBytes(bytesOfHex(encoded.replace(/^\*/, '')), SHA1_BYTES)
  return {
    scheme: mysql41.name,
    millis: MILLIS,
    decoy: storedAs(`*${decoyKey(SHA1_BYTES).toString('hex').toUpperCase()}`),
    ...compared(expected, (password) => {
      const once = createHash('sha1').update(password).digest()
      return createHash('sha1').update(once).digest()
    }),
  }
}
