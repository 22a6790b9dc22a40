import type { StoredHash } from '../domain.ts'
import { digestOfAny } from './compared.ts'
import type { HashContext } from './context.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { readRecipe, variablesOf } from './recipe.ts'
import { withoutLane } from './wrapped.ts'

/** What the named groups of a shape have found. */
export type Groups = Readonly<Record<string, string | undefined>>

/** A family that is a recipe over a stored string of some shape. */
export interface Contained {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly note?: string
  /**
   * The whole stored string, with a group `hash` (what is left of it in a group `hash2`) and, where it carries one,
   * a group `salt`.
   */
  readonly shape: RegExp
  /**
   * The recipes that may have made the hash; one of the right length that makes it is enough. Null for parameters
   * that no such hash has.
   */
  readonly recipes: readonly string[] | ((groups: Groups) => string | null)
  /** For origins in C. */
  readonly nulIsData?: false
}

/** A format of the registry whose strings tell themselves, or are known by name alone. */
export function container(
  contained: Contained & Pick<Family, 'sources' | 'ceiling' | 'example' | 'byNameOnly'>,
): Family {
  const { name, aliases, note, sources, ceiling, shape, example, byNameOnly } = contained
  return {
    name,
    ...(aliases === undefined ? {} : { aliases }),
    ...(note === undefined ? {} : { note }),
    sources,
    ceiling,
    example,
    shape,
    ...(byNameOnly ? { byNameOnly } : {}),
    read: (encoded, stored, context) => readContained(contained, encoded, stored, context),
  }
}

/** Reads the parts of a stored string and hands them to the recipe. Throws HashError. */
export function readContained(
  { name, shape, recipes, nulIsData }: Contained,
  encoded: string,
  stored: StoredHash,
  context: HashContext,
): ReadHash {
  const groups: Groups = shape.exec(encoded)?.groups ?? {}
  const { hash, hash2 = '', salt } = groups
  if (hash === undefined) throw new HashError('malformed', `not of the shape that ${name} hashes have`)
  const row = salt === undefined ? stored : { ...stored, salt }
  const texts = typeof recipes === 'function' ? [parameterised(recipes, groups)] : recipes
  const read = readAnyOf(name, texts, row, hash + hash2, context)
  const constant = (text: string) =>
    text.startsWith('$') ? (read.decoy.encoded ?? '') : text.replace(/[A-Za-z0-9+/.]/g, 'A')
  return {
    ...read,
    ...(nulIsData === false && { nulIsData }),
    decoy: {
      encoded: replaced(encoded, shape, constant),
      scheme: name,
      salt: read.decoy.salt,
      login: '',
      id: '',
    },
  }
}

function parameterised(recipe: (groups: Groups) => string | null, groups: Groups): string {
  const text = recipe(groups)
  if (text === null) throw new HashError('malformed', 'the parameters of the hash are out of range')
  try {
    variablesOf(text)
    return text
  } catch (error) {
    // The operator has written no recipe, so none is bad.
    if (error instanceof HashError && error.defect === 'bad-recipe')
      throw new HashError('malformed', 'the parameters of the hash are out of range')
    throw error
  }
}

/** The hash of any of these recipes. The refusal of the first is thrown when all of them refuse. */
export function readAnyOf(
  name: string,
  recipes: readonly string[],
  stored: StoredHash,
  hash: string,
  context: HashContext,
): ReadHash {
  const readings: ReadHash[] = []
  const refusals: unknown[] = []
  for (const recipe of recipes) {
    try {
      readings.push(readRecipe(recipe, stored, hash, context, { name }))
    } catch (error) {
      refusals.push(error)
    }
  }
  const [first, ...others] = readings
  if (!first) throw refusals[0]
  if (others.length === 0) return first
  const matches = async (password: Uint8Array) => {
    const verdicts = await Promise.all(readings.map((reading) => reading.matches(password)))
    return verdicts.includes(true)
  }
  return {
    ...withoutLane(first),
    millis: readings.reduce((total, { millis }) => total + millis, 0),
    decoy: { ...first.decoy, salt: readings.find(({ decoy }) => decoy.salt !== null)?.decoy.salt ?? null },
    matches,
    ...digestOfAny(readings, matches),
  }
}

/** The same string with other letters in its hash and its salt. */
function replaced(encoded: string, shape: RegExp, constant: (text: string) => string): string {
  const places = Object.entries(new RegExp(shape, `${shape.flags}d`).exec(encoded)?.indices?.groups ?? {})
    .filter(([group, place]) => /^(?:hash2?|salt1?)$/.test(group) && place !== undefined)
    .map(([, place]) => place)
    .sort(([one], [other]) => other - one)
  return places.reduce(
    (text, [from, to]) => text.slice(0, from) + constant(text.slice(from, to)) + text.slice(to),
    encoded,
  )
}
