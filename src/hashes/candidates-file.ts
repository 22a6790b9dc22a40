import { CANDIDATES } from './candidates.ts'
import type { Candidates } from './context.ts'
import { HashError } from './format.ts'
import { formatAround, isSchemeName, schemeName } from './index.ts'
import { plaintext } from './plaintext.ts'
import { variablesOf } from './recipe.ts'

/** Each one more is one more way for a wrong password to match. */
const MOST = 5

/** A line of the file of candidates is wrong. The message names the line and repeats nothing of it. */
export class CandidatesFileError extends Error {
  constructor(line: number, expected: string) {
    super(`line ${line}: expected ${expected}`)
    this.name = 'CandidatesFileError'
  }
}

/**
 * Reads the text of CANDIDATE_SCHEMES_FILE: lines `COHORT = scheme, scheme`, blank lines and lines that start with `#`.
 * A scheme is a name, a recipe, or the name of one of the operator's recipes. Throws CandidatesFileError.
 */
export function readCandidatesFile(text: string, recipes: ReadonlyMap<string, string>): Candidates {
  const candidates = new Map<string, readonly string[]>()
  text.split(/\r?\n/).forEach((written, index) => {
    const line = index + 1
    if (/^\s*(?:#|$)/.test(written)) return
    const equals = written.indexOf('=')
    const cohort = written.slice(0, Math.max(equals, 0)).trim()
    if (cohort === '') throw new CandidatesFileError(line, 'a cohort or *, an equals sign and schemes')
    if (candidates.has(cohort)) throw new CandidatesFileError(line, 'a cohort that no other line has')
    const schemes = partsOf(written.slice(equals + 1)).map((part) => part.trim())
    if (schemes.length > MOST) throw new CandidatesFileError(line, `${MOST} schemes at most`)
    schemes.forEach((scheme, place) => {
      if (!isCandidate(scheme, recipes))
        throw new CandidatesFileError(line, `a scheme or a recipe, and no plaintext, in place ${place + 1}`)
    })
    candidates.set(cohort, schemes)
  })
  return candidates
}

/** A digest that is taken for a password would let in whoever has it. */
function isCandidate(scheme: string, recipes: ReadonlyMap<string, string>): boolean {
  if (isSchemeName(scheme)) return schemeName(scheme) !== plaintext.name && scheme !== CANDIDATES
  return recipes.has(scheme.toLowerCase()) || isRecipe(scheme)
}

function isRecipe(text: string): boolean {
  if (!text.includes('(')) return false
  try {
    variablesOf(text, formatAround)
    return true
  } catch (error) {
    if (error instanceof HashError) return false
    throw error
  }
}

/** The texts between commas, but not those in parentheses or quotes of a recipe. */
function partsOf(text: string): readonly string[] {
  const parts = ['']
  let depth = 0
  for (const [token] of text.matchAll(/'(?:[^'\\]|\\.)*'|[\s\S]/g)) {
    if (token === '(') depth += 1
    if (token === ')') depth -= 1
    if (token === ',' && depth === 0) parts.push('')
    else parts.push((parts.pop() ?? '') + token)
  }
  return parts
}
