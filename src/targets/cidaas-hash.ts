import type { PortableHash } from '../portable-hash.ts'
import { argon2Phc, bcryptText } from './phc.ts'

/** `password_hash_info` of a user. */
export interface CidaasHash {
  readonly algorithmTypeId: string
  readonly passwordHash: string
}

/** BCRYPT_1 to BCRYPT_20 are what cidaas lists. */
const MOST_BCRYPT_COST = 20

/**
 * A hash as cidaas reads it without any setting of its own, or null.
 * https://docs.cidaas.com/integration/migration/password-migration
 *
 * The page says neither which digest its PBKDF2 uses nor how salts and keys are written, and the order of salt and password is
 * configured by the maker for each customer: with a wrong guess the right password would be refused, so these are not sent.
 */
export function cidaasHash(hash: PortableHash): CidaasHash | null {
  switch (hash.kind) {
    case 'bcrypt':
      if (hash.cost > MOST_BCRYPT_COST) return null
      return { algorithmTypeId: `BCRYPT_${hash.cost}`, passwordHash: bcryptText(hash) }
    case 'digest': {
      if (hash.salt !== null || (hash.algorithm !== 'sha1' && hash.algorithm !== 'sha256')) return null
      return { algorithmTypeId: hash.algorithm.toUpperCase(), passwordHash: hash.digest.toString('hex') }
    }
    case 'argon2':
      return { algorithmTypeId: 'ARGON', passwordHash: argon2Phc(hash) }
    case 'hmac':
    case 'pbkdf2':
    case 'scrypt':
    case 'crypt':
    case 'phpass':
    case 'firebase-scrypt':
      return null
  }
}
