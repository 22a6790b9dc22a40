import type { StoredHash } from '../domain.ts'
import { compared } from './compared.ts'
import type { HashContext } from './context.ts'
import { NO_CONTEXT } from './context.ts'
import type { ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { portably } from './portable-form.ts'
import type { Around } from './recipe-around.ts'
import { ownAround, readAround } from './recipe-around.ts'
import type { Recipe } from './recipe-compile.ts'
import { compile } from './recipe-compile.ts'
import { decoyOf } from './recipe-decoy.ts'
import { digests } from './recipe-functions.ts'
import { fixedInputs, NOTHING } from './recipe-inputs.ts'
import { parseRecipe } from './recipe-parser.ts'
import { portableResult } from './recipe-portable.ts'
import { comparable, expectedBytes } from './recipe-result.ts'

/** Recipes come from rows; a store has a handful. */
const KEPT_RECIPES = 256

/** How a recipe is known. */
export interface Known {
  /** What it is recorded as; the recipe itself where it has no name. */
  readonly name?: string
  /** The formats that may stand around it. */
  readonly around?: Around
}

/** Reads a digest together with the recipe that made it. Throws HashError. */
export function readRecipe(
  text: string,
  stored: StoredHash,
  encoded: string,
  context: HashContext = NO_CONTEXT,
  known: Known = {},
): ReadHash {
  const recipe = labelled(text, known)
  const { evaluate, around, form } = recipe
  const inputs = { fixed: fixedInputs(recipe.uses, stored, context), pass: NOTHING, running: NOTHING }
  if (recipe.fixed.some((part) => part(inputs) === null)) {
    throw new HashError(
      'bad-salt',
      'a part of the recipe cannot be read: it decodes something of another encoding',
    )
  }
  const made = (password: Uint8Array) =>
    evaluate({ ...inputs, pass: Buffer.from(password.buffer, password.byteOffset, password.length) })
  if (around) return readAround(around, recipe, { encoded, stored, context }, made)
  if (form === 'open') throw new Error('a recipe was compiled whose result is no digest')
  const expected = expectedBytes(encoded, form, recipe.length)
  return {
    scheme: recipe.label,
    millis: recipe.millis,
    ...(recipe.memory > 0 && { memory: recipe.memory }),
    decoy: decoyOf(recipe),
    nulIsData: true,
    ...portably(
      compared(expected, (password) => {
        const result = made(password)
        return result && comparable(result, form)
      }),
      () => portableResult(recipe, inputs, expected),
    ),
  }
}

/** A digest of this recipe that nobody knows a password of. Throws HashError if there is no such recipe. */
export function recipeExample(text: string, known: Known = {}): StoredHash {
  return decoyOf(labelled(text, known))
}

/** The variables that a recipe uses. Throws HashError if there is no such recipe. */
export function variablesOf(text: string, around: Around = ownAround): ReadonlySet<string> {
  return keptRecipe(text, around).uses
}

/** The digest that a scheme's name stands for: `SHA-256` and `sha256` are `sha256($pass)`. */
export function recipeOfDigest(scheme: string): string | undefined {
  const name = scheme
    .toLowerCase()
    .replace(/^(md|sha)[-_]/, '$1')
    .replaceAll('-', '_')
  return digests.has(name) ? `${name}($pass)` : undefined
}

function labelled(text: string, { name, around = ownAround }: Known): Recipe {
  const recipe = keptRecipe(text, around)
  return name === undefined ? recipe : { ...recipe, label: name }
}

const kept = new Map<string, Recipe>()

function keptRecipe(text: string, around: Around): Recipe {
  const known = kept.get(text)
  if (known) return known
  const recipe = compile(parseRecipe(text, around))
  const [oldest] = kept.keys()
  if (kept.size >= KEPT_RECIPES && oldest !== undefined) kept.delete(oldest)
  kept.set(text, recipe)
  return recipe
}
