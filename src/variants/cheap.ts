import type { StoredHash } from '../domain.ts'
import { digests } from '../hashes/recipe-functions.ts'
import { evaluate } from './evaluate.ts'
import { inputsOf } from './forms.ts'
import { neighbours, replaceVariable, uses } from './notation.ts'

/** What a mismatch may have come from. Metric labels, so never renamed. */
export type CheapVariant =
  | 'nfc'
  | 'nfkc'
  | 'nfd'
  | 'trimmed'
  | 'lower-case'
  | 'upper-case'
  | 'html-escaped'
  | 'latin1'
  | 'utf16le'
  | 'md5-first'
  | 'sha1-first'
  | 'sha256-first'
  | 'login-lower-case'
  | 'salt-hexadecimal'
  | 'salt-base64'
  /** The declared recipe with one change: another order, a writing more or less, another digest. */
  | 'recipe-changed'

export interface CheapTrial {
  readonly variant: CheapVariant
  readonly stored: StoredHash
  /** To be cleared by whoever tries it. */
  readonly password: Buffer
}

const TEXTS: readonly (readonly [CheapVariant, (typed: string) => string])[] = [
  ['nfc', (typed) => typed.normalize('NFC')],
  ['nfkc', (typed) => typed.normalize('NFKC')],
  ['nfd', (typed) => typed.normalize('NFD')],
  ['trimmed', (typed) => typed.trim()],
  ['lower-case', (typed) => typed.toLowerCase()],
  ['upper-case', (typed) => typed.toUpperCase()],
  ['html-escaped', (typed) => typed.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')],
]

const WRITINGS: readonly (readonly [CheapVariant, string])[] = [
  ['latin1', 'latin1($pass)'],
  ['utf16le', 'utf16le($pass)'],
  ['md5-first', 'hex(md5($pass))'],
  ['sha1-first', 'hex(sha1($pass))'],
  ['sha256-first', 'hex(sha256($pass))'],
]

/**
 * A fixed list of some dozen variants for each row; those that change nothing are left out.
 * @param schemes what the row may be checked as
 */
export function* cheapTrials(
  stored: StoredHash,
  typed: Uint8Array,
  schemes: readonly string[],
): Generator<CheapTrial> {
  const text = Buffer.from(typed).toString()
  const same = () => Buffer.from(typed)
  for (const [variant, change] of TEXTS) {
    const changed = change(text)
    if (changed !== text && changed !== '') yield { variant, stored, password: Buffer.from(changed) }
  }
  for (const [variant, expression] of WRITINGS) {
    const inputs = inputsOf(stored, text)
    const password = evaluate(expression, inputs)
    inputs.pass.fill(0)
    if (password !== null && !password.equals(typed)) yield { variant, stored, password }
  }
  const login = stored.login.toLowerCase()
  if (login !== stored.login)
    yield { variant: 'login-lower-case', stored: { ...stored, login }, password: same() }
  for (const [variant, scheme] of schemes.flatMap((declared) => [...recipes(declared)]))
    yield { variant, stored: { ...stored, scheme }, password: same() }
}

function* recipes(scheme: string): Generator<readonly [CheapVariant, string]> {
  const recipe = digests.has(scheme) ? `${scheme}($pass)` : scheme
  if (!recipe.includes('(')) return
  if (uses(recipe, '$salt')) {
    yield ['salt-hexadecimal', replaceVariable(recipe, '$salt', 'unhex($salt)')]
    yield ['salt-base64', replaceVariable(recipe, '$salt', 'unb64($salt)')]
  }
  for (const changed of neighbours(recipe)) yield ['recipe-changed', changed]
}
