import { createHash } from 'node:crypto'
import { ceilingWords } from './ceilings.ts'
import { compared, keepingMore } from './compared.ts'
import { bytesOfHex, textOfUtf8 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { decoyKey, decoySalt, malformed, storedAs } from './key-derivation.ts'

const SALT_BYTES = 4
const SHA1_BYTES = 20
/** One digest of 8 KiB. */
const MILLIS = 0.05
const WHOLE = /^0x(0100|0200)([0-9a-f]{8})([0-9a-f]+)$/i

/**
 * SQL Server: a version, 4 bytes of salt, a digest of the password in UTF-16 and the salt. Release 2000 writes a
 * second digest, of the password in capitals, and under its usual collations it was that one which counted.
 */
export const mssql: Family = {
  name: 'mssql',
  note: '2000, 2005 (0x0100) and 2012 (0x0200); for 2000 the case of the password does not count',
  sources: 'Microsoft SQL Server',
  ceiling: ceilingWords.fixed,
  example: `0x0200${decoySalt(SALT_BYTES).toString('hex')}${'5a'.repeat(64)}`,
  shape: /^0x(?:0100[0-9a-f]{48}|0100[0-9a-f]{88}|0200[0-9a-f]{136})$/i,
  read,
}

function read(encoded: string): ReadHash {
  const [, version, saltDigits = '', digestDigits = ''] = WHOLE.exec(encoded) ?? []
  const salt = bytesOfHex(saltDigits)
  const digests = bytesOfHex(digestDigits)
  if (version === undefined || !salt || !digests)
    throw malformed('a hash of SQL Server is hexadecimal after 0x')
  const twice = version === '0100' && digests.length === 2 * SHA1_BYTES
  const expected = twice ? digests.subarray(SHA1_BYTES) : digests
  const digest = version === '0200' ? 'sha512' : 'sha1'
  const read: ReadHash = {
    scheme: mssql.name,
    millis: MILLIS,
    decoy: storedAs(
      `0x${version}${decoySalt(SALT_BYTES).toString('hex')}${decoyKey(digests.length).toString('hex')}`,
    ),
    ...compared(expected, (password) => {
      const text = textOfUtf8(password)
      if (text === null) return null
      const counted = Buffer.from(twice ? text.toUpperCase() : text, 'utf16le')
      return createHash(digest).update(counted).update(salt).digest()
    }),
  }
  return twice ? keepingMore(read) : read
}
