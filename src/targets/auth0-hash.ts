import type { PortableHash } from '../portable-hash.ts'
import { argon2Phc, bcryptText, pbkdf2Phc } from './phc.ts'

/** `custom_password_hash` of an import file. */
export type Auth0Hash = Readonly<Record<string, unknown>>

/**
 * A hash as Auth0 imports it, or null where it cannot.
 * https://auth0.com/docs/manage-users/user-migration/bulk-user-import-database-schema-and-examples#custom-password-hash
 *
 * Bytes go as hex, so that no text is taken for another encoding. argon2d is not read by libsodium, with which Auth0 checks.
 */
export function auth0Hash(hash: PortableHash): Auth0Hash | null {
  switch (hash.kind) {
    case 'bcrypt':
      return { algorithm: 'bcrypt', hash: { value: bcryptText(hash), encoding: 'utf8' } }
    case 'digest':
      return {
        algorithm: hash.algorithm,
        hash: hex(hash.digest),
        ...(hash.salt !== null && { salt: { ...hex(hash.salt), position: hash.position } }),
      }
    case 'hmac':
      return {
        algorithm: 'hmac',
        hash: { ...hex(hash.digest), digest: hash.algorithm, key: hex(hash.key) },
      }
    case 'pbkdf2':
      return { algorithm: 'pbkdf2', hash: { value: pbkdf2Phc(hash), encoding: 'utf8' } }
    case 'scrypt':
      return {
        algorithm: 'scrypt',
        hash: hex(hash.derived),
        salt: hex(hash.salt),
        keylen: hash.derived.length,
        cost: hash.cost,
        blockSize: hash.blockSize,
        parallelization: hash.parallelism,
      }
    case 'argon2':
      if (hash.type === 'argon2d') return null
      return { algorithm: 'argon2', hash: { value: argon2Phc(hash), encoding: 'utf8' } }
    case 'crypt':
    case 'phpass':
    case 'firebase-scrypt':
      return null
  }
}

function hex(bytes: Buffer) {
  return { value: bytes.toString('hex'), encoding: 'hex' }
}
