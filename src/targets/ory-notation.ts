import type { PortableHash } from '../portable-hash.ts'

// Bounds of github.com/ory/kratos, hash/hash_limits.go: costlier hashes are refused, and the whole batch with them.
const MOST_BCRYPT_COST = 15
const MOST_SCRYPT_COST = 2 ** 17
const MOST_FIREBASE_COST = 17
const MOST_BLOCK_SIZE = 8
const MOST_SCRYPT_PARALLELISM = 10
/** KiB. */
const MOST_ARGON2_MEMORY = 2 ** 20
const MOST_ARGON2_PASSES = 10
const MOST_ARGON2_LANES = 16
const MOST_PBKDF2_ITERATIONS = 10_000_000

/** What Firebase always works with. */
const FIREBASE_PARALLELISM = 1

/**
 * `hashed_password` as Kratos reads it, or null where it does not: Argon2d, phpass, costs above its bounds.
 * github.com/ory/kratos, hash/hash_comparator.go
 */
export function kratosHash(hash: PortableHash): string | null {
  switch (hash.kind) {
    case 'bcrypt':
      if (hash.cost > MOST_BCRYPT_COST) return null
      return `$${hash.revision}$${String(hash.cost).padStart(2, '0')}$${hash.salt}${hash.digest}`
    case 'digest':
      return digestOf(hash)
    case 'hmac': {
      // Kratos compares the hexadecimal text, and wants the base64 of that.
      const text = Buffer.from(hash.digest.toString('hex')).toString('base64')
      return `$hmac-${hash.algorithm}$${text}$${hash.key.toString('base64')}`
    }
    case 'pbkdf2': {
      if (hash.iterations > MOST_PBKDF2_ITERATIONS) return null
      const cost = `i=${hash.iterations},l=${hash.derived.length}`
      return `$pbkdf2-${hash.algorithm}$${cost}$${unpadded(hash.salt)}$${unpadded(hash.derived)}`
    }
    case 'scrypt': {
      const { cost, blockSize, parallelism } = hash
      if (cost > MOST_SCRYPT_COST || blockSize > MOST_BLOCK_SIZE || parallelism > MOST_SCRYPT_PARALLELISM)
        return null
      // `ln` is N itself here, whatever its name.
      const costs = `ln=${cost},r=${blockSize},p=${parallelism}`
      return `$scrypt$${costs}$${hash.salt.toString('base64')}$${hash.derived.toString('base64')}`
    }
    case 'argon2': {
      const { type, memory, passes, lanes } = hash
      if (type === 'argon2d' || memory > MOST_ARGON2_MEMORY) return null
      if (passes > MOST_ARGON2_PASSES || lanes > MOST_ARGON2_LANES) return null
      return `$${type}$v=19$m=${memory},t=${passes},p=${lanes}$${unpadded(hash.salt)}$${unpadded(hash.digest)}`
    }
    case 'crypt':
      return cryptOf(hash.scheme, hash.text)
    case 'firebase-scrypt': {
      const { memoryCost, rounds } = hash
      if (memoryCost > MOST_FIREBASE_COST || rounds > MOST_BLOCK_SIZE) return null
      const costs = `ln=${memoryCost},r=${rounds},p=${FIREBASE_PARALLELISM}`
      const parts = [hash.salt, hash.digest, hash.saltSeparator, hash.signerKey]
      return `$firescrypt$${costs}$${parts.map((part) => part.toString('base64')).join('$')}`
    }
    case 'phpass':
      return null
  }
}

/** With a template that says where the salt stands; without one for MD5 alone, which has a form for it. */
function digestOf({ algorithm, digest, salt, position }: Extract<PortableHash, { kind: 'digest' }>): string {
  const value = digest.toString('base64')
  const salted = salt !== null && salt.length > 0
  if (algorithm === 'md5' && !salted) return `$md5$${value}`
  const template = !salted ? '{PASSWORD}' : position === 'prefix' ? '{SALT}{PASSWORD}' : '{PASSWORD}{SALT}'
  const saltText = salted ? salt.toString('base64') : ''
  return `$${algorithm}$pf=${Buffer.from(template).toString('base64')}$${saltText}$${value}`
}

const cryptPrefixes = {
  'md5-crypt': '$1$',
  'sha256-crypt': '$5$',
  'sha512-crypt': '$6$',
} as const

/** crypt(3) with the name of the scheme instead of its number. */
function cryptOf(scheme: keyof typeof cryptPrefixes, text: string): string | null {
  const prefix = cryptPrefixes[scheme]
  return text.startsWith(prefix) ? `$${scheme}$${text.slice(prefix.length)}` : null
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/={1,2}$/, '')
}
