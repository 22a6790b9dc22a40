import { createHash, createHmac, pbkdf2Sync, randomBytes, scryptSync } from 'node:crypto'
import { hashSync } from '@node-rs/bcrypt'
import { argon2d, argon2i, argon2id, hash as hashArgon2 } from 'argon2'
import type { PortableHash } from '../../../src/portable-hash.ts'

// Hashes of known passwords, made by node and by libraries that the targets do not use.

export function bcryptOf(password: string, cost = 4): PortableHash {
  const [, cost2 = '', salt = '', digest = ''] =
    /^\$2[aby]\$(\d\d)\$(.{22})(.{31})$/.exec(hashSync(password, cost)) ?? []
  return { kind: 'bcrypt', revision: '2b', cost: Number(cost2), salt, digest }
}

export function digestOf(
  password: string,
  algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512',
  salt: Buffer | null = null,
  position: 'prefix' | 'suffix' = 'prefix',
): PortableHash {
  const parts = [Buffer.from(password), salt ?? Buffer.alloc(0)]
  const whole = Buffer.concat(position === 'prefix' ? parts.reverse() : parts)
  return { kind: 'digest', algorithm, digest: createHash(algorithm).update(whole).digest(), salt, position }
}

export function hmacOf(password: string, algorithm: 'md5' | 'sha1' | 'sha256' | 'sha512'): PortableHash {
  const key = Buffer.concat([Buffer.from([0, 255]), randomBytes(14)])
  return { kind: 'hmac', algorithm, key, digest: createHmac(algorithm, key).update(password).digest() }
}

export function pbkdf2Of(password: string, algorithm: 'sha1' | 'sha256' | 'sha512'): PortableHash {
  const salt = randomBytes(16)
  const derived = pbkdf2Sync(password, salt, 1000, 32, algorithm)
  return { kind: 'pbkdf2', algorithm, iterations: 1000, salt, derived }
}

export function scryptOf(password: string): PortableHash {
  const salt = randomBytes(16)
  const derived = scryptSync(password, salt, 48, { N: 2048, r: 4, p: 2 })
  return { kind: 'scrypt', cost: 2048, blockSize: 4, parallelism: 2, salt, derived }
}

export async function argon2Of(
  password: string,
  type: 'argon2i' | 'argon2d' | 'argon2id' = 'argon2id',
): Promise<PortableHash> {
  const salt = randomBytes(17)
  const types = { argon2i, argon2d, argon2id }
  const cost = { memoryCost: 64, timeCost: 2, parallelism: 2, hashLength: 33 }
  const digest = await hashArgon2(password, { ...cost, type: types[type], salt, raw: true })
  return { kind: 'argon2', type, memory: 64, passes: 2, lanes: 2, salt, digest }
}

/** Kinds that have a notation of their own and nothing else. */
export const ownNotations: readonly PortableHash[] = [
  { kind: 'crypt', scheme: 'sha512-crypt', text: '$6$saltsalt$x' },
  { kind: 'phpass', log2Rounds: 13, salt: 'saltsalt', text: '$P$Bsaltsaltx' },
  {
    kind: 'firebase-scrypt',
    memoryCost: 14,
    rounds: 8,
    salt: Buffer.from('salt'),
    saltSeparator: Buffer.from('a'),
    signerKey: Buffer.from('key'),
    digest: Buffer.from('digest'),
  },
]
