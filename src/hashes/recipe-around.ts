import type { StoredHash } from '../domain.ts'
import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import type { HashContext } from './context.ts'
import type { HashFormat, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import type { Recipe } from './recipe-compile.ts'
import { decoyOf } from './recipe-decoy.ts'

/** The format that a name stands for around a recipe. */
export type Around = (name: string) => HashFormat | undefined

/** What the recipes of this folder's own families have around them. The registry knows the others. */
const OWN: ReadonlyMap<string, HashFormat> = new Map([bcrypt, argon2].map((format) => [format.name, format]))

export const ownAround: Around = (name) => OWN.get(name)

export interface AroundRow {
  readonly encoded: string
  readonly stored: StoredHash
  readonly context: HashContext
}

/** The stored string is an ordinary one of `around`, and what it is of is what the recipe makes. Throws HashError. */
export function readAround(
  around: HashFormat,
  recipe: Recipe,
  { encoded, stored, context }: AroundRow,
  made: (password: Uint8Array) => Buffer | null,
): ReadHash {
  if (!(around.shapeByName ?? around.shape).test(encoded))
    throw new HashError('malformed', `not of the shape that ${around.name} hashes have`)
  const inner = around.read(encoded, { ...stored, encoded, scheme: around.name }, context)
  const usesSalt = recipe.uses.has('salt') || recipe.uses.has('salt2')
  const outer = decoyOf(recipe)
  return {
    ...inner,
    scheme: recipe.label,
    millis: recipe.millis + inner.millis,
    decoy: {
      ...inner.decoy,
      scheme: recipe.label,
      // The salt of the row where both read it, because only that is known to suit both.
      salt: usesSalt && inner.decoy.salt !== null ? stored.salt : (inner.decoy.salt ?? outer.salt),
    },
    nulIsData: true,
    matches: async (password) => {
      const result = made(password)
      const matches = await inner.matches(asOriginReads(inner, encoded, result ?? password))
      return matches && result !== null && !holdsTypedNul(inner, recipe, password, result)
    },
  }
}

/**
 * C programs stop at the first NUL, and so does `$2y$`, which is PHP's. Other origins of bcrypt count every byte: raw
 * digests before it have some NUL among them.
 */
function asOriginReads(inner: ReadHash, encoded: string, bytes: Uint8Array): Uint8Array {
  if (inner.nulIsData || (inner.scheme === bcrypt.name && !encoded.startsWith('$2y$'))) return bytes
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}

/** A NUL that was typed would reach an origin that does not take any. One of a digest or of a text of the recipe may. */
function holdsTypedNul(inner: ReadHash, { form }: Recipe, password: Uint8Array, result: Buffer): boolean {
  return !inner.nulIsData && form === 'open' && password.includes(0) && result.includes(0)
}
