import type { StoredHash } from '../domain.ts'
import { argon2 } from './argon2.ts'
import { bcrypt } from './bcrypt.ts'
import { affordable, ceilings } from './ceilings.ts'
import { readClaimed } from './claimed.ts'
import type { HashContext } from './context.ts'
import type { HashFormat, ReadHash } from './format.ts'
import { portablyAs } from './portable-form.ts'
import type { Recipe } from './recipe-compile.ts'
import { decoyOf } from './recipe-decoy.ts'
import { LONGEST_INPUT } from './recipe-inputs.ts'
import { isPasswordAlone } from './recipe-portable.ts'

/** The format that a name stands for around a recipe. */
export type Around = (name: string) => HashFormat | undefined

/**
 * Bytes. A password in UTF-16, or one with a salt and a login: some formats read what they get a thousand times, and their
 * estimates are for passwords.
 */
const LONGEST_PREPARED = 2 * LONGEST_INPUT

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
  const inner = readClaimed(around, encoded, { ...stored, encoded, scheme: around.name }, context)
  const usesSalt = recipe.uses.has('salt') || recipe.uses.has('salt2')
  const outer = decoyOf(recipe)
  const memory = Math.max(recipe.memory, inner.memory ?? 0)
  const check = workAlways(inner, (password) => {
    const result = made(password)
    if (result === null || result.length > LONGEST_PREPARED) return null
    return asOriginReads(inner, encoded, result)
  })
  return {
    ...inner,
    scheme: recipe.label,
    millis: affordable(
      recipe.millis + inner.millis,
      ceilings.check.millis,
      'the milliseconds of the recipe and its hash',
    ),
    ...(memory > 0 && { memory }),
    decoy: {
      ...inner.decoy,
      scheme: recipe.label,
      // The salt of the row where both read it, because only that is known to suit both.
      salt: usesSalt && inner.decoy.salt !== null ? stored.salt : (inner.decoy.salt ?? outer.salt),
    },
    // Of a digest no NUL that was typed is left, and one of its own was there when the hash was made.
    nulIsData: inner.nulIsData === true || recipe.form !== 'open',
    ...check,
    ...(isPasswordAlone(recipe) && portablyAs(inner, check.matches)),
  }
}

/** As `prepared`, with the work of a check where nothing can be made of the password, so that the time does not tell. */
function workAlways(
  inner: ReadHash,
  prepare: (password: Uint8Array) => Uint8Array | null,
): Pick<ReadHash, 'matches' | 'lane'> {
  const { lane } = inner
  return {
    matches: async (password) => {
      const made = prepare(password)
      const matches = await inner.matches(made ?? password)
      return made !== null && matches
    },
    ...(lane && {
      lane: {
        ...lane,
        job: (password) => {
          const made = prepare(password)
          const job = lane.job(made ?? password)
          return made === null && job !== null ? { ...job, digest: NOBODYS_DIGEST } : job
        },
      },
    }),
  }
}

const NOBODYS_DIGEST = Buffer.alloc(23)

/**
 * C programs stop at the first NUL, and so does `$2y$`, which is PHP's. Other origins of bcrypt count every byte: raw
 * digests before it have some NUL among them.
 */
function asOriginReads(inner: ReadHash, encoded: string, bytes: Uint8Array): Uint8Array {
  if (inner.nulIsData || (inner.scheme === bcrypt.name && !encoded.startsWith('$2y$'))) return bytes
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}
