import { setImmediate } from 'node:timers/promises'
import type { StoredHash } from '../domain.ts'
import type { ReadHash } from '../hashes/format.ts'
import { listSchemes } from '../hashes/listed.ts'
import { digests } from '../hashes/recipe-functions.ts'
import { catalogue, iterated, prehashes } from './catalogue.ts'
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
  type ValueForm,
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

/** Every attempt on the account, by weight. What is further away is made when nothing nearer has matched. */
function* attemptsOf(account: Account, read: Read): Generator<AttemptedPattern> {
  const forms = distinct(passwordForms, (form) => inputsOf(account.stored, form.text(account.password)))
  const rows = rowsOf(account)
  const near = nearOf(account)
  const patterns: Pattern[] = []
  for (let weight = 0; weight <= FURTHEST; weight++) {
    if (weight === 2) near.push(...secondOf(near))
    for (const row of rows) patterns.push(...recipePatterns(row, near, weight, read))
    for (const row of rows) patterns.push(...namedPatterns(row, weight, read))
    for (const pattern of patterns) {
      for (const passwordForm of forms) {
        if (pattern.weight + passwordForm.weight === weight) yield { weight, pattern, passwordForm }
      }
    }
  }
}

/** A reading of the row, with what has been found out about it. */
interface Row {
  readonly form: RowForm
  readonly stored: StoredHash
  readonly salts: readonly ValueForm[]
  readonly logins: readonly ValueForm[]
  /** Whether a recipe fits the digest, whatever its salt is. */
  readonly fitting: Map<string, boolean>
  /** Recipes that are patterns already. */
  readonly made: Set<string>
}

function rowsOf(account: Account): Row[] {
  return rowForms.flatMap((form) => {
    const stored = form.row(account.stored, account)
    if (stored === null) return []
    const inputs = () => inputsOf(stored, '')
    const [salts, logins] = [distinct(saltForms, inputs), distinct(loginForms, inputs)]
    return [{ form, stored, salts, logins, fitting: new Map(), made: new Set<string>() }]
  })
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
    ...iterated.map((recipe) => ({ recipe, weight: 2 })),
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

function* recipePatterns(row: Row, near: readonly Near[], wanted: number, read: Read): Generator<Pattern> {
  const { form, stored, made } = row
  for (const { recipe, weight } of near) {
    const ofBoth = weight + form.weight
    if (ofBoth > wanted || ofBoth > MOST_OF_RECIPE_AND_ROW || !fits(recipe, row, read)) continue
    for (const salt of uses(recipe, '$salt') ? row.salts : row.salts.slice(0, 1)) {
      for (const login of uses(recipe, '$login') ? row.logins : row.logins.slice(0, 1)) {
        if (ofBoth + salt.weight + login.weight !== wanted) continue
        // The login first: a salt that is the login stays as it was put there.
        const own = replaceVariable(recipe, '$login', login.expression)
        const scheme = replaceVariable(own, '$salt', salt.expression)
        if (made.has(scheme) || (form.loginOnly && !uses(scheme, '$login'))) continue
        made.add(scheme)
        const hash = readable({ ...stored, scheme }, read)
        if (hash !== null) yield { scheme, row: stored, rowForm: form, hash, before: '$pass', weight: wanted }
      }
    }
  }
}

function fits(recipe: string, { form, stored, fitting }: Row, read: Read): boolean {
  if (form.loginOnly && !uses(recipe, '$login') && !uses(recipe, '$salt')) return false
  const known = fitting.get(recipe)
  if (known !== undefined) return known
  const found = readable({ ...stored, salt: stored.salt ?? '', scheme: recipe }, read) !== null
  fitting.set(recipe, found)
  return found
}

function* namedPatterns({ form, stored }: Row, wanted: number, read: Read): Generator<Pattern> {
  const declared = declaredBy(stored)
  const names = listSchemes()
    .map(({ name }) => name)
    .filter((name) => !isRecipe(name) && !digests.has(name))
  const isOfDigest = declared !== null && (isRecipe(declared) || digests.has(declared))
  const first = declared === null || isOfDigest ? [] : [declared]
  // Whoever has declared a recipe is nearer to another recipe than to a family by its name.
  const named = isOfDigest ? 2 : 1
  const labels = new Set<string>()
  for (const scheme of [...first, null, ...names]) {
    const hash = readable({ ...stored, scheme }, read)
    if (hash === null || labels.has(hash.scheme)) continue
    labels.add(hash.scheme)
    const weight = (scheme === declared ? 0 : scheme === null ? 1 : named) + form.weight
    const common = { scheme, row: stored, rowForm: form, hash, weight: wanted }
    if (weight === wanted) yield { ...common, before: '$pass' }
    if (weight + 1 === wanted) for (const before of prehashes) yield { ...common, before }
  }
}

function isRecipe(scheme: string | null): scheme is string {
  return scheme?.includes('(') ?? false
}

/** `md5($pass)` is what the name `md5` says. */
function shortest(recipe: string): string {
  const name = /^([a-z0-9]+)\(\$pass\)$/.exec(recipe)?.[1]
  return name !== undefined && digests.has(name) ? name : recipe
}
