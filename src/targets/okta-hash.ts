import type { PortableHash } from '../portable-hash.ts'

/** `credentials.password.hash` of the Users API. */
export type OktaHash = Readonly<Record<string, string | number>>

const DIGESTS = { md5: 'MD5', sha1: 'SHA-1', sha256: 'SHA-256', sha512: 'SHA-512' } as const

/** Fewer rounds are refused. */
const LEAST_ITERATIONS = 4096

/** The highest work factor that is taken. */
const MOST_BCRYPT_COST = 20

/**
 * The hash in Okta's own notation, or null where Okta does not read it: scrypt, Argon2, HMAC, crypt(3), PBKDF2 with SHA-1 or
 * with fewer than 4,096 rounds. Salts and values are base64, but for bcrypt, which keeps its own alphabet.
 * https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/ (PasswordCredentialHash)
 */
export function oktaHash(hash: PortableHash): OktaHash | null {
  switch (hash.kind) {
    case 'bcrypt':
      if (hash.cost < 1 || hash.cost > MOST_BCRYPT_COST) return null
      // There is no field for 2a, 2b or 2y: for passwords in UTF-8 they are the same.
      return { algorithm: 'BCRYPT', workFactor: hash.cost, salt: hash.salt, value: hash.digest }
    case 'digest':
      return {
        algorithm: DIGESTS[hash.algorithm],
        ...(hash.salt !== null &&
          hash.salt.length > 0 && {
            salt: hash.salt.toString('base64'),
            saltOrder: hash.position === 'prefix' ? 'PREFIX' : 'POSTFIX',
          }),
        value: hash.digest.toString('base64'),
      }
    case 'pbkdf2':
      if (hash.algorithm === 'sha1' || hash.iterations < LEAST_ITERATIONS || hash.salt.length === 0)
        return null
      return {
        algorithm: 'PBKDF2',
        salt: hash.salt.toString('base64'),
        value: hash.derived.toString('base64'),
        iterationCount: hash.iterations,
        keySize: hash.derived.length,
        digestAlgorithm: hash.algorithm === 'sha256' ? 'SHA256_HMAC' : 'SHA512_HMAC',
      }
    case 'hmac':
    case 'scrypt':
    case 'argon2':
    case 'crypt':
    case 'phpass':
    case 'firebase-scrypt':
      return null
  }
}
