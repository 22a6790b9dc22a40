import { ConfigError, type HashSettings } from './config.ts'
import { CandidatesFileError, readCandidatesFile } from './hashes/candidates-file.ts'
import type { HashContext } from './hashes/context.ts'
import { HardeningError, hardeningOf, recipeSecrets } from './hashes/hardening.ts'
import { RecipesFileError, readRecipesFile } from './hashes/recipes-file.ts'

/** The operator's recipes, secrets, permission and candidates, for whatever reads stored hashes. Throws ConfigError. */
export function hashContextOf(settings: HashSettings): HashContext {
  const { plaintext, memory, forms } = settings
  try {
    const hardening = hardeningOf(settings.secrets, settings.hardening)
    const secrets = recipeSecrets(settings.secrets)
    const recipes = readRecipesFile(settings.recipes)
    const candidates = readCandidatesFile(settings.candidates, recipes)
    const common = { recipes, secrets, plaintext, candidates, memory, forms }
    return hardening === undefined ? common : { ...common, hardening }
  } catch (error) {
    if (error instanceof CandidatesFileError)
      throw new ConfigError(`wrong settings:\n  CANDIDATE_SCHEMES_FILE, ${error.message}`)
    if (error instanceof RecipesFileError)
      throw new ConfigError(`wrong settings:\n  RECIPES_FILE, ${error.message}`)
    if (error instanceof HardeningError) throw new ConfigError(`wrong settings:\n  ${error.message}`)
    throw error
  }
}
