import { HashError } from './format.ts'
import { formatAround, isSchemeName } from './index.ts'
import { variablesOf } from './recipe.ts'

/** A longer name would make every log line longer. */
const NAME = /^[a-z0-9-]{1,64}$/

/** A line of the file of recipes is wrong. The message names the line and repeats nothing of it. */
export class RecipesFileError extends Error {
  constructor(line: number, expected: string) {
    super(`line ${line}: ${expected}`)
    this.name = 'RecipesFileError'
  }
}

/**
 * Reads the text of RECIPES_FILE: lines `name = recipe`, blank lines and lines that start with `#`. The names are
 * what `hash_scheme` may say from then on. Throws RecipesFileError.
 */
export function readRecipesFile(text: string): ReadonlyMap<string, string> {
  const recipes = new Map<string, string>()
  text.split(/\r?\n/).forEach((written, index) => {
    const line = index + 1
    if (/^\s*(?:#|$)/.test(written)) return
    const [name, recipe] = namedRecipe(written, line)
    if (recipes.has(name)) throw new RecipesFileError(line, 'expected a name that no other line has')
    recipes.set(name, recipe)
  })
  return recipes
}

function namedRecipe(written: string, line: number): readonly [string, string] {
  const equals = written.indexOf('=')
  if (equals === -1) throw new RecipesFileError(line, 'expected a name, an equals sign and a recipe')
  const name = written.slice(0, equals).trim()
  if (!NAME.test(name))
    throw new RecipesFileError(line, 'position 1: expected a name of lower-case letters, digits and hyphens')
  if (isSchemeName(name))
    throw new RecipesFileError(line, 'position 1: expected a name that no built-in scheme has')
  const recipe = written.slice(equals + 1)
  const blanks = /^\s*/.exec(recipe)?.[0].length ?? 0
  checkRecipe(recipe.trim(), line, equals + 1 + blanks)
  return [name, recipe.trim()]
}

function checkRecipe(recipe: string, line: number, column: number): void {
  try {
    variablesOf(recipe, formatAround)
  } catch (error) {
    if (!(error instanceof HashError)) throw error
    throw new RecipesFileError(line, `the recipe starts at position ${column + 1}; ${error.message}`)
  }
}
