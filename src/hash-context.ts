import { ConfigError, type HashSettings } from './config.ts'
import { CandidatesFileError, readCandidatesFile } from './hashes/candidates-file.ts'
import type { HashContext } from './hashes/context.ts'
import { RecipesFileError, readRecipesFile } from './hashes/recipes-file.ts'

/** The operator's recipes, secrets, permission and candidates, for whatever reads stored hashes. Throws ConfigError. */
export function hashContextOf(settings: HashSettings): HashContext {
  const { secrets, plaintext, memory, forms } = settings
  try {
    const recipes = readRecipesFile(settings.recipes)
    const candidates = readCandidatesFile(settings.candidates, recipes)
    return { recipes, secrets, plaintext, candidates, memory, forms }
  } catch (error) {
    if (error instanceof CandidatesFileError)
      throw new ConfigError(`wrong settings:\n  CANDIDATE_SCHEMES_FILE, ${error.message}`)
    if (error instanceof RecipesFileError)
      throw new ConfigError(`wrong settings:\n  RECIPES_FILE, ${error.message}`)
    throw error
  }
}
