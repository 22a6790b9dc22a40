import type { PortableHash } from '../portable-hash.ts'
import { bcryptText } from './phc.ts'

export interface LoginRadiusHash {
  /** `PasswordEncryption` of a request: the same for all of its users. */
  readonly encryption: Readonly<Record<string, unknown>>
  /** `PasswordHash` of the user. */
  readonly text: string
}

/**
 * A hash as LoginRadius imports it, or null. Types and members: `PasswordEncryptionModel` of
 * https://github.com/LoginRadius/node-js-sdk.
 *
 * It is not published how a hash with a salt of its own, its salt and its parameters make one text, nor which digest the type
 * PBKDF2 means: with a wrong guess the right password would be refused, so these are not sent. bcrypt is one text everywhere.
 */
export function loginRadiusHash(hash: PortableHash): LoginRadiusHash | null {
  switch (hash.kind) {
    case 'bcrypt':
      return { encryption: { Type: 'BCRYPT' }, text: bcryptText(hash) }
    case 'digest':
      if (hash.salt !== null) return null
      return {
        encryption: {
          Type: hash.algorithm.toUpperCase(),
          IsPerPasswordSalt: false,
          SaltAttachType: 'None',
          PasswordHashEncodingType: 'HexaDecimal',
          PlaintextPasswordEncoding: 'UTF8',
        },
        text: hash.digest.toString('hex'),
      }
    case 'hmac':
    case 'pbkdf2':
    case 'scrypt':
    case 'argon2':
    case 'crypt':
    case 'phpass':
    case 'firebase-scrypt':
      return null
  }
}
