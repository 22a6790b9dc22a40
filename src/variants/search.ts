import { setImmediate } from 'node:timers/promises'
import type { StoredHash } from '../domain.ts'
import type { ReadHash } from '../hashes/format.ts'
import { listSchemes } from '../hashes/index.ts'
import { digests } from '../hashes/recipe-functions.ts'
import { catalogue, prehashes } from './catalogue.ts'
import { evaluate } from './evaluate.ts'
import {
  type Account,
  distinct,
  inputsOf,
  loginForms,
  type PasswordForm,
  passwordForms,
  type RowForm,
  rowForms,
  saltForms,
} from './forms.ts'
import { neighbours, replaceVariable, uses } from './notation.ts'
import { matches, type Read, readable, trialOf, type Variant } from './variant.ts'

export interface Limits {
  /** Variants of one account. */
  readonly most: number
  /** Milliseconds of slow hashes (a millisecond and more each) of one account, by what their formats say. */
  readonly slowMillis: number
}

export interface Search {
  /** Those of the least distance that match, and none that is further. */
  readonly found: readonly Variant[]
  readonly tried: number
  /** Whether a limit or a stop ended it. */
  readonly cut: boolean
}

/** Changes to what was declared, all parts together: a pattern, its salt, the password and the row. */
const FURTHEST = 4
/** Two changes to one recipe can be thousands; no more are looked at. */
const MOST_SECOND_NEIGHBOURS = 1_500
/** Another row with a recipe that differs twice would be a guess. */
const MOST_OF_RECIPE_AND_ROW = 2
/** Enough to choose from: accounts of one scheme are compared afterwards. */
const MOST_FOUND = 12
/** About ten milliseconds, after which others have their turn. */
const TRIES_A_TURN = 500

/**
 * Tries what people get wrong, the nearest first, until something matches and its equals in distance have been tried.
 * @param seen told how many have been tried, now and then
 */
export async function search(
  account: Account,
  read: Read,
  { most, slowMillis }: Limits,
  { stop, seen }: { stop?: AbortSignal; seen?: (tried: number) => void } = {},
): Promise<Search> {
  const found: Variant[] = []
  let tried = 0
  let slow = slowMillis
  let weight = 0
  let cut = false
  for (const attempt of attemptsOf(account, read)) {
    if ((attempt.weight > weight && found.length > 0) || found.length >= MOST_FOUND) break
    weight = attempt.weight
    if (tried >= most || stop?.aborted) {
      cut = true
      break
    }
    const { hash } = attempt.pattern
    const isSlow = hash.millis >= 1
    if (isSlow && hash.millis > slow) {
      cut = true
      continue
    }
    const password = passwordOf(attempt, account)
    if (password === null) continue
    if (isSlow) slow -= hash.millis
    tried++
    if (await matches({ read: hash, password })) {
      const variant = variantOf(attempt, read)
      // As a row with this hash_scheme would be checked.
      const trial = trialOf(variant, account, read)
      if (trial !== null && (await matches(trial))) found.push(variant)
    }
    if (isSlow || tried % TRIES_A_TURN === 0) {
      seen?.(tried)
      await setImmediate()
    }
  }
  return { found, tried, cut }
}

/** A scheme that reads the row, before the password is looked at. */
interface Pattern {
  readonly weight: number
  readonly scheme: string | null
  readonly row: StoredHash
  readonly rowForm: RowForm
  readonly hash: ReadHash
  /** What is put around the password before a named scheme; `$pass` for none and for every recipe. */
  readonly before: string
}

interface AttemptedPattern {
  readonly weight: number
  readonly pattern: Pattern
  readonly passwordForm: PasswordForm
}

/** Every attempt on the account, by weight. */
function* attemptsOf(account: Account, read: Read): Generator<AttemptedPattern> {
  const near = nearOf(account)
  let patterns = patternsOf(account, near, read)
  const forms = distinct(passwordForms, (form) => inputsOf(account.stored, form.text(account.password)))
  for (let weight = 0; weight <= FURTHEST; weight++) {
    // The many that differ twice are made when nothing nearer has matched.
    if (weight === 2) patterns = patternsOf(account, [...near, ...secondOf(near)], read)
    for (const pattern of patterns) {
      for (const passwordForm of forms) {
        if (pattern.weight + passwordForm.weight === weight) yield { weight, pattern, passwordForm }
      }
    }
  }
}

/** The password as the pattern gets it: to make it beforehand spares reading a recipe for every form of it. */
function passwordOf({ pattern, passwordForm }: AttemptedPattern, account: Account): Buffer | null {
  const inner = replaceVariable(pattern.before, '$pass', passwordForm.expression)
  const text = passwordForm.text(account.password)
  const made = inner === '$pass' ? Buffer.from(text) : evaluate(inner, inputsOf(pattern.row, text))
  return made === null || made.length === 0 ? null : made
}

function variantOf(
  { weight, pattern: { scheme, row, rowForm, before }, passwordForm }: AttemptedPattern,
  read: Read,
): Variant {
  const words = [rowForm.words, passwordForm.words].filter((said) => said !== null)
  const common = { weight, rowForm, passwordForm, words }
  if (isRecipe(scheme)) {
    const hashScheme = shortest(replaceVariable(scheme, '$pass', passwordForm.expression))
    return { ...common, hashScheme, before: null }
  }
  const inner = replaceVariable(before, '$pass', passwordForm.expression)
  if (inner === '$pass') return { ...common, hashScheme: scheme, before: null }
  const wrapped = wrappedScheme(row, scheme, inner, read)
  return wrapped === null
    ? { ...common, hashScheme: scheme, words: [...words, `the password as ${inner}`], before: inner }
    : { ...common, hashScheme: wrapped, before: null }
}

/** `bcrypt(hex(md5($pass)))`, where the notation has such a function. */
function wrappedScheme(row: StoredHash, scheme: string | null, inner: string, read: Read): string | null {
  const name = scheme ?? readable({ ...row, scheme }, read)?.scheme
  const wrapped = `${name}(${inner})`
  return readable({ ...row, scheme: wrapped }, read) === null ? null : wrapped
}

/** A recipe, and how far it is from the declared one. */
interface Near {
  readonly recipe: string
  readonly weight: number
}

function nearOf({ stored }: Account): Near[] {
  const declared = declaredBy(stored)
  const recipes = isRecipe(declared) ? neighbours(declared) : []
  return [
    ...(isRecipe(declared) ? [{ recipe: declared, weight: 0 }] : []),
    ...[...recipes, ...catalogue].map((recipe) => ({ recipe, weight: 1 })),
  ]
}

function secondOf(near: readonly Near[]): Near[] {
  const first = near.filter(({ weight }) => weight === 0).flatMap(({ recipe }) => neighbours(recipe))
  return [...new Set(first.flatMap(neighbours))]
    .slice(0, MOST_SECOND_NEIGHBOURS)
    .map((recipe) => ({ recipe, weight: 2 }))
}

function declaredBy({ scheme }: StoredHash): string | null {
  return scheme?.trim() || null
}

function patternsOf(account: Account, near: readonly Near[], read: Read): Pattern[] {
  return rowForms.flatMap((rowForm) => {
    const row = rowForm.row(account.stored, account)
    if (row === null) return []
    return [...namedPatterns(row, rowForm, read), ...recipePatterns(row, near, rowForm, read)]
  })
}

function recipePatterns(row: StoredHash, near: readonly Near[], rowForm: RowForm, read: Read): Pattern[] {
  const probe = { ...row, salt: row.salt ?? '' }
  const weights = new Map<string, number>()
  for (const { recipe, weight } of near) {
    if (weight + rowForm.weight > MOST_OF_RECIPE_AND_ROW) continue
    if (rowForm.loginOnly && !uses(recipe, '$login') && !uses(recipe, '$salt')) continue
    if (!weights.has(recipe) && readable({ ...probe, scheme: recipe }, read) !== null)
      weights.set(recipe, weight)
  }
  const inputs = () => inputsOf(row, '')
  const salts = distinct(saltForms, inputs)
  const logins = distinct(loginForms, inputs)
  const patterns = new Map<string, Pattern>()
  for (const [recipe, weight] of weights) {
    for (const salt of uses(recipe, '$salt') ? salts : salts.slice(0, 1)) {
      for (const login of uses(recipe, '$login') ? logins : logins.slice(0, 1)) {
        // The login first: a salt that is the login stays as it was put there.
        const scheme = replaceVariable(
          replaceVariable(recipe, '$login', login.expression),
          '$salt',
          salt.expression,
        )
        if (patterns.has(scheme) || (rowForm.loginOnly && !uses(scheme, '$login'))) continue
        const hash = readable({ ...row, scheme }, read)
        if (hash === null) continue
        const total = weight + salt.weight + login.weight + rowForm.weight
        patterns.set(scheme, { scheme, row, rowForm, hash, before: '$pass', weight: total })
      }
    }
  }
  return [...patterns.values()]
}

function namedPatterns(row: StoredHash, rowForm: RowForm, read: Read): Pattern[] {
  const declared = declaredBy(row)
  const names = listSchemes()
    .map(({ name }) => name)
    .filter((name) => !isRecipe(name) && !digests.has(name))
  const first = declared === null || isRecipe(declared) || digests.has(declared) ? [] : [declared]
  const labels = new Set<string>()
  const patterns: Pattern[] = []
  for (const scheme of [...first, null, ...names]) {
    const hash = readable({ ...row, scheme }, read)
    if (hash === null || labels.has(hash.scheme)) continue
    labels.add(hash.scheme)
    const weight = (scheme === declared ? 0 : 1) + rowForm.weight
    const common = { scheme, row, rowForm, hash }
    patterns.push({ ...common, before: '$pass', weight })
    for (const before of prehashes) patterns.push({ ...common, before, weight: weight + 1 })
  }
  return patterns
}

function isRecipe(scheme: string | null): scheme is string {
  return scheme?.includes('(') ?? false
}

/** `md5($pass)` is what the name `md5` says. */
function shortest(recipe: string): string {
  const name = /^([a-z0-9]+)\(\$pass\)$/.exec(recipe)?.[1]
  return name !== undefined && digests.has(name) ? name : recipe
}
