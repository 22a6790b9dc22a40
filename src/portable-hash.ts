/**
 * A stored hash as what it is made of, for targets that take hashes in a notation of their own. This file imports nothing.
 * Bytes are raw; `salt` null: there is none. Every one of them means UTF-8 passwords without any treatment before the digest.
 */
export type PortableHash =
  /** `salt`: 22 characters, `digest`: 31, both in bcrypt's own alphabet. */
  | {
      readonly kind: 'bcrypt'
      readonly revision: '2a' | '2b' | '2y'
      readonly cost: number
      readonly salt: string
      readonly digest: string
    }
  /** One round over salt and password: `prefix` is salt then password. */
  | {
      readonly kind: 'digest'
      readonly algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512'
      readonly digest: Buffer
      readonly salt: Buffer | null
      readonly position: 'prefix' | 'suffix'
    }
  /** HMAC over the password, keyed with `key`. */
  | {
      readonly kind: 'hmac'
      readonly algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512'
      readonly digest: Buffer
      readonly key: Buffer
    }
  | {
      readonly kind: 'pbkdf2'
      readonly algorithm: 'sha1' | 'sha256' | 'sha512'
      readonly iterations: number
      readonly salt: Buffer
      readonly derived: Buffer
    }
  | {
      readonly kind: 'scrypt'
      /** N itself, a power of two. */
      readonly cost: number
      readonly blockSize: number
      readonly parallelism: number
      readonly salt: Buffer
      readonly derived: Buffer
    }
  | {
      readonly kind: 'argon2'
      readonly type: 'argon2i' | 'argon2d' | 'argon2id'
      /** KiB. */
      readonly memory: number
      readonly passes: number
      readonly lanes: number
      readonly salt: Buffer
      readonly digest: Buffer
    }
  /** crypt(3): the text is the notation everywhere. */
  | {
      readonly kind: 'crypt'
      readonly scheme: 'md5-crypt' | 'sha256-crypt' | 'sha512-crypt'
      readonly text: string
    }
  /** `$P$` or `$H$` with MD5: 2 to the power of `log2Rounds` rounds. */
  | { readonly kind: 'phpass'; readonly log2Rounds: number; readonly salt: string; readonly text: string }
  | {
      readonly kind: 'firebase-scrypt'
      readonly memoryCost: number
      readonly rounds: number
      readonly salt: Buffer
      readonly saltSeparator: Buffer
      readonly signerKey: Buffer
      readonly digest: Buffer
    }

export type PortableKind = PortableHash['kind']
