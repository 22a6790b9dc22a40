import type { Classified } from '../hashes/classify.ts'
import { schemeInside } from '../hashes/hardened.ts'
import { formatAround } from '../hashes/index.ts'
import { digests } from '../hashes/recipe-functions.ts'
import { DES, INSIDE, ITERATED, OLD_DIGESTS, REVERSIBLE, UNSALTED } from './families.ts'

/** What makes a store easy to break once it has been stolen, and what that means. */
export const weaknesses = {
  plaintext: 'the password itself is stored: whoever has had this store has the passwords',
  reversible: 'the password can be computed back from what is stored, by anybody',
  unsalted:
    'equal passwords have equal hashes, and one table made beforehand, or one guess, serves for all rows at once',
  'md5-or-sha1':
    'one graphics card tries thousands of millions of MD5 or SHA-1 (MD4 is faster still) a second; a salt does not change that',
  'bcrypt-cost': 'bcrypt below cost 8 is at least four times as fast to guess as cost 10, the usual least',
  'pbkdf2-cost':
    'PBKDF2 with less than a quarter of the rounds that OWASP names (1,300,000 of SHA-1, 600,000 of SHA-256, 210,000 of SHA-512)',
  des: 'DES has keys of 56 bits: one graphics card tries hundreds of millions a second, and no password of eight characters holds',
  'argon2-cost':
    'Argon2 below the least that OWASP names (m=47104 t=1, m=19456 t=2, m=12288 t=3, m=9216 t=4 or m=7168 t=5)',
} as const

export type Weakness = keyof typeof weaknesses

export const weaknessNames = Object.keys(weaknesses) as readonly Weakness[]

/** Below this a check is a handful of digests; md5crypt, phpass and PBKDF2 with MD5 or SHA-1 inside take longer. */
const FEW_DIGESTS_MILLIS = 1
const LEAST_BCRYPT_COST = 8
/** OWASP Password Storage Cheat Sheet: KiB for one pass, two, and so on. */
const LEAST_KIBIBYTES = [47_104, 19_456, 12_288, 9_216, 7_168]

/** A quarter of what the OWASP Password Storage Cheat Sheet names; those without a figure count as their like. */
const LEAST_SHA1_ROUNDS = 325_000
const LEAST_SHA256_ROUNDS = 150_000
const LEAST_SHA512_ROUNDS = 52_500
const LEAST_ROUNDS: Readonly<Record<string, number>> = {
  md4: LEAST_SHA1_ROUNDS,
  md5: LEAST_SHA1_ROUNDS,
  sha1: LEAST_SHA1_ROUNDS,
  sha224: LEAST_SHA256_ROUNDS,
  sha256: LEAST_SHA256_ROUNDS,
}

const OLD_DIGEST = /(?:^|[^a-z0-9])s?(?:md4|md5|sha-?1)(?:$|[^a-z0-9])/i
const PLAINTEXT = /^(?:plaintext|plain|cleartext|noop)$/i
const PLAINTEXT_PREFIX = /^\{(?:plain|cleartext|noop|plaintext)\}/i

/** Says of a readable hash what is weak about it, from its scheme and its cost alone. */
export function weaknessesOf({
  scheme,
  millis,
  parameters,
  algorithm,
}: {
  readonly scheme: string
  readonly millis: number
  readonly parameters: string
  /** See `algorithmOf`. */
  readonly algorithm: string
}): readonly Weakness[] {
  // Whatever is inside, a guess costs the Argon2 around it.
  if (schemeInside(scheme) !== undefined) return hasSmallArgon2(parameters) ? ['argon2-cost'] : []
  if (PLAINTEXT.test(scheme)) return ['plaintext']
  if (REVERSIBLE.has(scheme)) return ['reversible']
  const found: Weakness[] = []
  if (isUnsalted(scheme) || /\bunsalted\b/.test(algorithm)) found.push('unsalted')
  if (isOfOldDigest(scheme, algorithm) && millis < FEW_DIGESTS_MILLIS) found.push('md5-or-sha1')
  if (DES.has(scheme) || /\bdes\b/.test(algorithm)) found.push('des')
  if (hasFewRounds(scheme, algorithm)) found.push('pbkdf2-cost')
  const cost = /^cost (\d+)$/.exec(parameters)?.[1]
  if (cost !== undefined && Number(cost) < LEAST_BCRYPT_COST) found.push('bcrypt-cost')
  if (hasSmallArgon2(parameters)) found.push('argon2-cost')
  return found
}

/** A row that says of itself that it holds a password, whether or not a setting lets it be read. */
export function saysPlaintext({
  scheme,
  encoded,
}: {
  scheme: string | null
  encoded: string | null
}): boolean {
  return PLAINTEXT.test(scheme?.trim() ?? '') || PLAINTEXT_PREFIX.test(encoded ?? '')
}

/** What its string says besides its scheme, as `md5 unsalted` or `pbkdf2 sha1 27500`; empty: nothing. */
export function algorithmOf({ scheme, read }: Extract<Classified, { usable: true }>): string {
  if (read.pbkdf2) return `pbkdf2 ${read.pbkdf2.digest} ${read.pbkdf2.iterations}`
  return INSIDE.get(scheme)?.(read.decoy.encoded ?? '') ?? ''
}

function isOfOldDigest(scheme: string, algorithm: string): boolean {
  if (ROUNDS_INSIDE.test(algorithm) || ITERATED.has(scheme)) return false
  return OLD_DIGESTS.has(scheme) || OLD_DIGEST.test(withoutTexts(scheme)) || OLD_DIGEST.test(algorithm)
}

const ROUNDS_IN_RECIPE = /\bpbkdf2_([a-z0-9_]+)\(.*?,\s*(\d+)\s*,\s*\d+\s*\)/
const ROUNDS_INSIDE = /^pbkdf2 (\S+) (\d+)$/

function hasFewRounds(scheme: string, algorithm: string): boolean {
  const found = ROUNDS_INSIDE.exec(algorithm) ?? ROUNDS_IN_RECIPE.exec(withoutTexts(scheme))
  const [, digest, rounds] = found ?? []
  if (digest === undefined) return false
  return Number(rounds) < (LEAST_ROUNDS[digest] ?? LEAST_SHA512_ROUNDS)
}

/** A recipe is unsalted that uses nothing of the row but the password, and has no format with a salt around it. */
function isUnsalted(scheme: string): boolean {
  if (scheme.includes('(')) {
    const around = formatAround(scheme.slice(0, scheme.indexOf('(')))
    if (around && !isUnsalted(around.name)) return false
    return !/\$(?:salt2?|login|id)\b/.test(withoutTexts(scheme))
  }
  return digests.has(scheme) || UNSALTED.has(scheme) || scheme.startsWith('raw-')
}

/** A recipe without its literals, which may hold any word. */
function withoutTexts(scheme: string): string {
  return scheme.replace(/'(?:[^'\\]|\\.)*'/g, "''")
}

function hasSmallArgon2(parameters: string): boolean {
  const [, m, t] = /^m=(\d+), t=(\d+)/.exec(parameters) ?? []
  return m !== undefined && t !== undefined && isSmallArgon2(Number(m), Number(t))
}

function isSmallArgon2(kibibytes: number, passes: number): boolean {
  return !LEAST_KIBIBYTES.some((least, at) => kibibytes >= least && passes > at)
}
