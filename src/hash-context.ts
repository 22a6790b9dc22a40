import { ConfigError, type HashSettings } from './config.ts'
import type { HashContext } from './hashes/context.ts'
import { RecipesFileError, readRecipesFile } from './hashes/recipes-file.ts'

/** The operator's recipes, secrets and permission, for whatever reads stored hashes. Throws ConfigError. */
export function hashContextOf({ recipes, secrets, plaintext }: HashSettings): HashContext {
  try {
    return { recipes: readRecipesFile(recipes), secrets, plaintext }
  } catch (error) {
    if (error instanceof RecipesFileError)
      throw new ConfigError(`wrong settings:\n  RECIPES_FILE, ${error.message}`)
    throw error
  }
}
