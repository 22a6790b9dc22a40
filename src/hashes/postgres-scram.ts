import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { keyBytes, malformed, saltBytes } from './key-derivation.ts'
import { scramHash } from './scram.ts'

const KEY_BYTES = 32
const WHOLE = /^SCRAM-SHA-256\$(\d{1,20}):([^$:]+)\$([^$:]+):([^$:]+)$/

/** pg_authid.rolpassword since PostgreSQL 10. */
export const postgresScram: Family = {
  name: 'postgres-scram',
  sources: 'PostgreSQL 10 and later',
  ceiling: ceilingWords.pbkdf2,
  example: written('4096', Buffer.alloc(16, 'carryover'), Buffer.alloc(2 * KEY_BYTES, 'Z')),
  shape: /^SCRAM-SHA-256\$/,
  read,
}

function read(encoded: string): ReadHash {
  const [, iterations, salt, storedKey, serverKey] = WHOLE.exec(encoded) ?? []
  if (iterations === undefined || salt === undefined || storedKey === undefined || serverKey === undefined) {
    throw malformed('a SCRAM hash of PostgreSQL has iterations, a salt, a stored key and a server key')
  }
  const keys = [storedKey, serverKey].map((key) => keyBytes(bytesOfPaddedBase64(key), KEY_BYTES))
  return scramHash({
    scheme: postgresScram.name,
    nulIsData: false,
    digest: 'sha256',
    iterations,
    salt: saltBytes(bytesOfPaddedBase64(salt)),
    key: Buffer.concat(keys),
    written: (otherSalt, otherKeys) => written(iterations, otherSalt, otherKeys),
    keeps: ['storedKey', 'serverKey'],
  })
}

function written(iterations: string, salt: Buffer, keys: Buffer): string {
  const [storedKey, serverKey] = [keys.subarray(0, KEY_BYTES), keys.subarray(KEY_BYTES)]
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${serverKey.toString('base64')}`
}
