import type { StoredHash } from '../domain.ts'
import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import { bytesOfBase64, bytesOfHex } from './encodings.ts'
import type { HashFormat, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { readRecipe, recipeExample, recipeOfDigest } from './recipe.ts'
import { digests } from './recipe-functions.ts'

/** Every family, one line each. */
export const formats: readonly HashFormat[] = [bcrypt, argon2]

/** The longest known format, SCRAM with several digests, takes about 400. */
const MAX_ENCODED_CHARACTERS = 1024

/** What systems write in place of a hash that nobody may sign in with. MySQL's `*` and 40 digits is not one. */
const LOCKED = /^(?:\*[01]?|\*\*|!.*|x|\*?(?:np|up|nl|lk)\*?|\*lk\*.*|\*?lock(?:ed)?\*?|\*?disabled\*?)$/is
/** How a missing value comes out of exports. */
const MISSING = /^(?:\s*|null|\\n)$/i
/** What no hash of a modern format begins with, to tell millions of them quickly. */
const MARKER_START = /^[*!xnuld]/i

/**
 * Reads a stored hash. Throws HashError and nothing else, whatever the row holds, and does no work. The scheme
 * is a format's name, a digest's name or a recipe; without one it is told by the shape. Never guessed.
 */
export function readHash(stored: StoredHash): ReadHash {
  const encoded = presentHash(stored.encoded)
  const scheme = stored.scheme?.trim() ?? ''
  if (scheme === '') return detected(encoded).read(encoded, stored)
  const format = formatNamed(scheme)
  if (format) return readClaimed(format, encoded, stored)
  const digest = recipeOfDigest(scheme)
  if (digest !== undefined) return readRecipe(digest, stored, encoded)
  // With its blanks, so that the places in messages are those in the row.
  if (stored.scheme?.includes('(')) return readRecipe(stored.scheme, stored, encoded)
  throw new HashError(
    'unknown-scheme',
    'hash_scheme is the name of a format or of a digest, a recipe, or empty',
  )
}

/** A stored hash of this scheme that nobody knows a password of; of ordinary bcrypt when there is no such scheme. */
export function exampleStored(scheme: string): StoredHash {
  const format = formatNamed(scheme)
  if (format) return exampleOf(format)
  try {
    return recipeExample(recipeOfDigest(scheme) ?? scheme)
  } catch {
    return detectable(bcrypt.example)
  }
}

export interface ListedScheme {
  readonly name: string
  readonly example: string
  readonly note?: string
  readonly told: 'by its shape' | 'by hash_scheme'
}

/** Every scheme that can be checked, for people to read. */
export function listSchemes(): readonly ListedScheme[] {
  return [
    ...formats.map(({ name, example, note, byNameOnly }) => ({
      name,
      example,
      ...(note === undefined ? {} : { note }),
      told: byNameOnly ? ('by hash_scheme' as const) : ('by its shape' as const),
    })),
    ...Array.from(digests.keys(), (name) => byHashScheme(name, 'without salt; hexadecimal or base64')),
    byHashScheme('sha256($salt.$pass)', 'an example of a recipe; see docs/schemes.md for the notation'),
  ]
}

function byHashScheme(name: string, note: string): ListedScheme {
  return { name, example: exampleStored(name).encoded ?? '', note, told: 'by hash_scheme' }
}

function presentHash(encoded: string | null): string {
  if (encoded === null || MISSING.test(encoded)) throw new HashError('missing', 'the row has no hash')
  if (encoded.length > MAX_ENCODED_CHARACTERS) {
    throw new HashError('malformed', `a stored hash has at most ${MAX_ENCODED_CHARACTERS} characters`)
  }
  if (MARKER_START.test(encoded) && LOCKED.test(encoded))
    throw new HashError('locked-marker', 'in place of a hash the row says that nobody may sign in')
  return encoded
}

const told = formats.filter(({ byNameOnly }) => !byNameOnly)
/** A store has one or two formats, so the one that fitted last is tried first. No other can fit the same string. */
let fittedLast: HashFormat | undefined = told[0]

function detected(encoded: string): HashFormat {
  if (fittedLast?.shape.test(encoded)) return fittedLast
  const format = told.find(({ shape }) => shape.test(encoded))
  if (format) {
    fittedLast = format
    return format
  }
  if (isBareDigest(encoded)) {
    throw new HashError(
      'ambiguous',
      'a digest alone fits many schemes: name the scheme or a recipe in hash_scheme',
    )
  }
  throw new HashError('unrecognised', 'no known format has this shape')
}

/** The lengths of every digest in use, MySQL 3.23 and halved MD5 included. */
const DIGEST_BYTES: ReadonlySet<number> = new Set([8, 16, 20, 28, 32, 48, 64])

function isBareDigest(encoded: string): boolean {
  const bytes = bytesOfHex(encoded.replace(/^0x/i, '')) ?? bytesOfBase64(encoded)
  return bytes !== null && DIGEST_BYTES.has(bytes.length)
}

function formatNamed(scheme: string): HashFormat | undefined {
  const name = scheme.toLowerCase()
  return formats.find((format) => format.name === name || format.aliases?.includes(name))
}

function readClaimed(format: HashFormat, encoded: string, stored: StoredHash): ReadHash {
  if (format.shape.test(encoded)) return format.read(encoded, stored)
  throw new HashError('malformed', `not of the shape that ${format.name} hashes have`)
}

function exampleOf({ name, example, byNameOnly }: HashFormat): StoredHash {
  return { ...detectable(example), scheme: byNameOnly ? name : null }
}

function detectable(encoded: string): StoredHash {
  return { encoded, scheme: null, salt: null, login: '', id: '' }
}
