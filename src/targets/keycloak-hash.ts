import type { PortableHash } from '../portable-hash.ts'

/** Java's int, which counts rounds and KiB there. */
const MOST = 2 ** 31 - 1

/** Of Argon2 itself (RFC 9106, section 3.1): what is shorter is not read there. */
const ARGON2_LEAST = { salt: 8, digest: 4 }

const PBKDF2 = { sha1: 'pbkdf2', sha256: 'pbkdf2-sha256', sha512: 'pbkdf2-sha512' } as const

/** One of `credentials` in a representation; both members are texts of JSON. */
export interface PasswordCredential {
  readonly type: 'password'
  readonly secretData: string
  readonly credentialData: string
}

/**
 * The credential for a hash that Keycloak checks itself, or null. Seen with Keycloak 26.4.2, which takes any credential when a user is
 * created and finds out at the sign-in: every kind here was signed in with, and one without a salt never matches. As
 * PasswordCredentialData and PasswordSecretData of https://github.com/keycloak/keycloak have it.
 */
export function keycloakCredential(hash: PortableHash): PasswordCredential | null {
  switch (hash.kind) {
    case 'pbkdf2':
      if (hash.salt.length === 0 || hash.derived.length === 0 || hash.iterations > MOST) return null
      return credential(hash.derived, hash.salt, {
        hashIterations: hash.iterations,
        algorithm: PBKDF2[hash.algorithm],
        additionalParameters: {},
      })
    case 'argon2':
      if (hash.salt.length < ARGON2_LEAST.salt || hash.digest.length < ARGON2_LEAST.digest) return null
      if (hash.passes > MOST || hash.memory > MOST) return null
      return credential(hash.digest, hash.salt, {
        hashIterations: hash.passes,
        algorithm: 'argon2',
        additionalParameters: {
          type: [hash.type.slice('argon2'.length)],
          version: ['1.3'],
          memory: [String(hash.memory)],
          parallelism: [String(hash.lanes)],
          hashLength: [String(hash.digest.length)],
        },
      })
    case 'bcrypt':
    case 'digest':
    case 'hmac':
    case 'scrypt':
    case 'crypt':
    case 'phpass':
    case 'firebase-scrypt':
      return null
  }
}

function credential(value: Buffer, salt: Buffer, data: object): PasswordCredential {
  return {
    type: 'password',
    secretData: JSON.stringify({ value: value.toString('base64'), salt: salt.toString('base64') }),
    credentialData: JSON.stringify(data),
  }
}
