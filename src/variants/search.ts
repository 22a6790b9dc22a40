import { setImmediate } from 'node:timers/promises'
import type { StoredHash } from '../domain.ts'
import { listSchemes } from '../hashes/index.ts'
import { digests } from '../hashes/recipe-functions.ts'
import { catalogue, prehashes } from './catalogue.ts'
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
/** Two changes to one recipe are thousands; no more are looked at. */
const MOST_SECOND_NEIGHBOURS = 3_000
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
  for (const variant of variantsOf(account, read)) {
    if (variant.weight > weight && found.length > 0) break
    weight = variant.weight
    if (found.length >= MOST_FOUND) break
    if (tried >= most || stop?.aborted) {
      cut = true
      break
    }
    const trial = trialOf(variant, account, read)
    if (trial === null) continue
    if (trial.read.millis >= 1) {
      if (trial.read.millis > slow) {
        cut = true
        continue
      }
      slow -= trial.read.millis
    }
    tried++
    if (await matches(trial)) found.push(variant)
    if (tried % TRIES_A_TURN === 0 || trial.read.millis >= 1) {
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
  readonly rowForm: RowForm
  /** What is put around the password before a named scheme; `$pass` for none and for every recipe. */
  readonly before: string
}

/** Every variant of the account, by weight. */
function* variantsOf(account: Account, read: Read): Generator<Variant> {
  const patterns = patternsOf(account, read)
  const passwords = distinct(passwordForms, (form) => inputsOf(account.stored, form.text(account.password)))
  for (let weight = 0; weight <= FURTHEST; weight++) {
    for (const pattern of patterns) {
      for (const passwordForm of passwords) {
        if (pattern.weight + passwordForm.weight === weight)
          yield variantOf(pattern, passwordForm, account, read)
      }
    }
  }
}

function variantOf(
  { scheme, weight, rowForm, before }: Pattern,
  form: PasswordForm,
  account: Account,
  read: Read,
): Variant {
  const said = [rowForm.words, form.words].filter((words) => words !== null)
  const common = { weight: weight + form.weight, rowForm, passwordForm: form }
  if (isRecipe(scheme)) {
    const hashScheme = shortest(replaceVariable(scheme, '$pass', form.expression))
    return { ...common, hashScheme, words: said, before: null }
  }
  const inner = replaceVariable(before, '$pass', form.expression)
  if (inner === '$pass') return { ...common, hashScheme: scheme, words: said, before: null }
  const row = rowForm.row(account.stored, account)
  const wrapped = row && wrappedScheme(row, scheme, inner, read)
  return wrapped
    ? { ...common, hashScheme: wrapped, words: said, before: null }
    : { ...common, hashScheme: scheme, words: [...said, `the password as ${inner}`], before: inner }
}

/** `bcrypt(hex(md5($pass)))`, where the notation has such a function. */
function wrappedScheme(row: StoredHash, scheme: string | null, inner: string, read: Read): string | null {
  const name = scheme ?? readable({ ...row, scheme }, read)?.scheme
  const wrapped = `${name}(${inner})`
  return readable({ ...row, scheme: wrapped }, read) === null ? null : wrapped
}

function patternsOf(account: Account, read: Read): Pattern[] {
  return rowForms.flatMap((rowForm) => {
    const row = rowForm.row(account.stored, account)
    if (row === null) return []
    const declared = account.stored.scheme?.trim() || null
    const recipes = recipePatterns(row, isRecipe(declared) ? declared : null, rowForm, read)
    const named = namedPatterns(row, declared, rowForm, read)
    return [...named, ...recipes]
  })
}

function recipePatterns(row: StoredHash, declared: string | null, rowForm: RowForm, read: Read): Pattern[] {
  const probe = { ...row, salt: row.salt ?? '' }
  const near = declared === null ? [] : neighbours(declared)
  const second = near.flatMap(neighbours).slice(0, MOST_SECOND_NEIGHBOURS)
  const weights = new Map<string, number>()
  const add = (recipe: string, weight: number) => {
    if (!weights.has(recipe) && readable({ ...probe, scheme: recipe }, read) !== null)
      weights.set(recipe, weight)
  }
  if (declared !== null) add(declared, 0)
  for (const recipe of near) add(recipe, 1)
  for (const recipe of catalogue) add(recipe, 1)
  for (const recipe of second) add(recipe, 2)

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
        if (readable({ ...row, scheme }, read) === null) continue
        const total = weight + salt.weight + login.weight + rowForm.weight
        patterns.set(scheme, { scheme, rowForm, before: '$pass', weight: total })
      }
    }
  }
  return [...patterns.values()]
}

function namedPatterns(row: StoredHash, declared: string | null, rowForm: RowForm, read: Read): Pattern[] {
  const names = listSchemes()
    .map(({ name }) => name)
    .filter((name) => !isRecipe(name) && !digests.has(name))
  const first = declared === null || isRecipe(declared) || digests.has(declared) ? [] : [declared]
  const labels = new Set<string>()
  const patterns: Pattern[] = []
  for (const scheme of [...first, null, ...names]) {
    const label = readable({ ...row, scheme }, read)?.scheme
    if (label === undefined || labels.has(label)) continue
    labels.add(label)
    const weight = (scheme === declared ? 0 : 1) + rowForm.weight
    patterns.push({ scheme, rowForm, before: '$pass', weight })
    for (const before of prehashes) patterns.push({ scheme, rowForm, before, weight: weight + 1 })
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
