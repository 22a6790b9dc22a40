import { hash } from 'node:crypto'

/**
 * The loop that md5crypt and SHA-crypt share: each round hashes the digest before it, the password and the salt
 * in an order that depends on the round. Costs one digest a round.
 */
export function cryptRounds(
  algorithm: 'md5' | 'sha256' | 'sha512',
  { first, password, salt, rounds }: CryptRounds,
): Buffer {
  const layouts = Array.from({ length: 8 }, (_, kind) => layoutOf(kind, first.length, password, salt))
  let digest = first
  for (let round = 0; round < rounds; round += 1) {
    const layout = layouts[(round & 1) | (round % 3 ? 2 : 0) | (round % 7 ? 4 : 0)]
    if (!layout) break
    digest.copy(layout.message, layout.digestAt)
    digest = hash(algorithm, layout.message, 'buffer')
  }
  return digest
}

interface CryptRounds {
  readonly first: Buffer
  readonly password: Uint8Array
  readonly salt: Uint8Array
  readonly rounds: number
}

/** A message with room for the digest. There are eight, so that rounds only copy the digest. */
interface Layout {
  readonly message: Buffer
  readonly digestAt: number
}

function layoutOf(kind: number, digestLength: number, password: Uint8Array, salt: Uint8Array): Layout {
  const room = Buffer.alloc(digestLength)
  const middle = [...(kind & 2 ? [salt] : []), ...(kind & 4 ? [password] : [])]
  const message = Buffer.concat(kind & 1 ? [password, ...middle, room] : [room, ...middle, password])
  return { message, digestAt: kind & 1 ? message.length - digestLength : 0 }
}

/** The first `length` bytes of these bytes repeated. */
export function repeatedTo(length: number, bytes: Uint8Array): Buffer {
  return Buffer.alloc(length, bytes)
}
