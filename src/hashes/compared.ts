import { equalBytes } from './equal-bytes.ts'
import type { PasswordDigest, ReadHash } from './format.ts'

type Check = Pick<ReadHash, 'matches' | 'digest'>

/** The check of a hash that is compared with one value made of the password; null is made where no password matches. */
export function compared(expected: Uint8Array, made: (password: Uint8Array) => Uint8Array | null): Check {
  return comparedAny(expected, 1, (password) => {
    const bytes = made(password)
    return bytes === null ? [] : [bytes]
  })
}

/** The same where the value is text in letters of ASCII, as crypt(3) writes it. */
export function comparedText(expected: string, made: (password: Uint8Array) => string | null): Check {
  return compared(Buffer.from(expected, 'latin1'), (password) => {
    const text = made(password)
    return text === null ? null : Buffer.from(text, 'latin1')
  })
}

/** The same where nothing tells which of several ways has made the hash; `most` of them. */
export function comparedAny(
  expected: Uint8Array,
  most: number,
  made: (password: Uint8Array) => readonly Uint8Array[],
): Check {
  const matches = (password: Uint8Array) => made(password).some((bytes) => equalBytes(bytes, expected))
  return { matches, digest: { expected, of: made, most, comparedBy: matches } }
}

/**
 * What several hashes that may be meant are compared by, for a check of all of them; nothing where one of them does not tell,
 * or where they are not compared with the same bytes.
 */
export function digestOfAny(
  hashes: readonly ReadHash[],
  comparedBy: ReadHash['matches'],
): Pick<ReadHash, 'digest'> {
  const digests = hashes.flatMap((hash) => digestIn(hash) ?? [])
  const [first] = digests
  if (!first || digests.length < hashes.length) return {}
  const { expected } = first
  if (!digests.every((digest) => equalBytes(digest.expected, expected))) return {}
  const of = async (password: Uint8Array) =>
    (await Promise.all(digests.map((digest) => digest.of(password)))).flat()
  const most = digests.reduce((sum, digest) => sum + digest.most, 0)
  return { digest: { expected, of, most, comparedBy } }
}

/**
 * What a hash is compared by. A hash that was given another check than the one that its family made, such as one that
 * prepares the password, does not tell.
 */
export function digestIn({ digest, matches }: ReadHash): PasswordDigest | undefined {
  return digest?.comparedBy === matches ? digest : undefined
}

/** The same hash where the string holds more that was made of the password: it would have to go, too. */
export function keepingMore({ digest: _, ...rest }: ReadHash): ReadHash {
  return rest
}
