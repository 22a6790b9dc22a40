import { createHash } from 'node:crypto'
import type { StoredHash } from '../domain.ts'
import type { PortableHash } from '../portable-hash.ts'
import { compared } from './compared.ts'
import { bytesOfBase64, bytesOfHex } from './encodings.ts'
import type { Family } from './format.ts'
import { malformed } from './key-derivation.ts'
import { portably } from './portable-form.ts'

/** A digest or two of a password of 4 KiB. */
const MILLIS = 0.1
const MAX_LOGIN_CHARACTERS = 256

/** What tells one such family from another. */
export interface Digest extends Omit<Family, 'read'> {
  readonly millis?: number
  /** Null for passwords that the origin could not have taken. */
  parts(
    encoded: string,
    stored: StoredHash,
  ): {
    readonly expected: Buffer
    digestOf(password: Uint8Array): Buffer | null
    /** What it is made of; absent: of nothing portable. */
    portable?(): PortableHash | null
  }
}

/** A family of one cheap digest. Its example is its decoy: there is no cost that could differ. */
export function digestFormat({ parts, millis = MILLIS, ...format }: Digest): Family {
  return {
    ...format,
    read: (encoded, stored) => {
      if (stored.login.length > MAX_LOGIN_CHARACTERS) {
        throw malformed(`the login has at most ${MAX_LOGIN_CHARACTERS} characters`)
      }
      const { expected, digestOf, portable } = parts(encoded, stored)
      return {
        scheme: format.name,
        millis,
        decoy: { encoded: format.example, scheme: format.name, salt: null, login: 'carryover', id: '' },
        ...portably(compared(expected, digestOf), () => portable?.() ?? null),
      }
    },
  }
}

/** One digest of all of it. */
export function digest(name: string, ...messages: readonly Uint8Array[]): Buffer {
  return createHash(name).update(Buffer.concat(messages)).digest()
}

/** The bytes of what the shape has found to be hexadecimal. Throws HashError. */
export function hex(text: string): Buffer {
  const bytes = bytesOfHex(text)
  if (bytes) return bytes
  throw malformed('hexadecimal digits come in pairs')
}

/** The bytes of base64 whose spare bits are zero. Throws HashError. */
export function base64(text: string): Buffer {
  const bytes = bytesOfBase64(text)
  if (bytes) return bytes
  throw malformed('the spare bits of base64 are zero')
}

/** Cut or filled up to this length. */
export function zeroFilled(bytes: Uint8Array, length: number): Buffer {
  const filled = Buffer.alloc(length)
  filled.set(bytes.subarray(0, length))
  return filled
}
