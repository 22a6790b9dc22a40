import type { PortableHash } from '../portable-hash.ts'

/** Members of a user of the import: the hash as FusionAuth's own schemes take it. */
export interface ImportedPassword {
  readonly encryptionScheme: string
  readonly factor: number
  readonly salt: string
  readonly password: string
}

/** Java's int, which counts rounds there. */
const MOST = 2 ** 31 - 1

/**
 * The hash for a scheme that FusionAuth has built in, or null. The constructions are those of
 * https://fusionauth.io/docs/reference/password-hashes: digests are over the password followed by the salt, `factor` times, so that only
 * salts at the end and one round fit; PBKDF2 is cut at 256 or 512 bits. Its page gives phpass a base64 of its own that is not
 * phpass's, and says two things of the salt: those hashes are left to the hook.
 */
export function fusionauthPassword(hash: PortableHash): ImportedPassword | null {
  switch (hash.kind) {
    case 'bcrypt':
      return { encryptionScheme: 'bcrypt', factor: hash.cost, salt: hash.salt, password: hash.digest }
    case 'digest': {
      const salt = hash.salt ?? Buffer.alloc(0)
      if (hash.algorithm !== 'md5' && hash.algorithm !== 'sha256') return null
      if (hash.position !== 'suffix' && salt.length > 0) return null
      return written(`salted-${hash.algorithm}`, 1, salt, hash.digest)
    }
    case 'hmac':
      // The key is the salt. Java takes no empty key, and the scheme has no rounds.
      if (hash.algorithm !== 'sha256' || hash.key.length === 0) return null
      return written('salted-hmac-sha256', 1, hash.key, hash.digest)
    case 'pbkdf2': {
      const scheme = PBKDF2.get(`${hash.algorithm} ${hash.derived.length}`)
      if (scheme === undefined || hash.salt.length === 0 || hash.iterations > MOST) return null
      return written(scheme, hash.iterations, hash.salt, hash.derived)
    }
    case 'scrypt':
    case 'argon2':
    case 'crypt':
    case 'phpass':
    case 'firebase-scrypt':
      return null
  }
}

/** By digest and bytes of the key. */
const PBKDF2: ReadonlyMap<string, string> = new Map([
  ['sha256 32', 'salted-pbkdf2-hmac-sha256'],
  ['sha256 64', 'salted-pbkdf2-hmac-sha256-512'],
  ['sha512 64', 'salted-pbkdf2-hmac-sha512-512'],
])

function written(encryptionScheme: string, factor: number, salt: Buffer, password: Buffer): ImportedPassword {
  return {
    encryptionScheme,
    factor,
    salt: salt.toString('base64'),
    password: password.toString('base64'),
  }
}
