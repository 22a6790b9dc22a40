import type { Classified } from '../hashes/classify.ts'
import { formatAround } from '../hashes/index.ts'
import { digests } from '../hashes/recipe-functions.ts'

/** What makes a store easy to break once it has been stolen, and what that means. */
export const weaknesses = {
  plaintext: 'the password itself is stored: whoever has had this store has the passwords',
  reversible: 'the password can be computed back from what is stored, by anybody',
  unsalted:
    'equal passwords have equal hashes, and one table made beforehand, or one guess, serves for all rows at once',
  'md5-or-sha1':
    'one graphics card tries thousands of millions of MD5 or SHA-1 (MD4 is faster still) a second; a salt does not change that',
  'bcrypt-cost': 'bcrypt below cost 8 is at least four times as fast to guess as cost 10, the usual least',
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

/** Families without salt whose names do not begin with `raw-`. `postgres-md5` and Oracle's take the login as one. */
const UNSALTED: ReadonlySet<string> = new Set([
  'half-md5',
  'plain-md4',
  'ldap-md5',
  'ldap-sha',
  'ldap-sha224',
  'ldap-sha256',
  'ldap-sha384',
  'ldap-sha512',
  'lmhash',
  'lm-half',
  'nthash',
  'nthash-3',
  'mysql323',
  'mysql41',
  'cisco-pix',
  'cisco-type4',
  'cram-md5',
  'mediawiki-a',
  'peoplesoft',
  'umbraco-hmacsha1',
])

/** Cisco type 7 is the password under a key that everybody knows. */
const REVERSIBLE: ReadonlySet<string> = new Set(['cisco-type7'])

/** Families of MD4, MD5 or SHA-1 whose names do not say so. */
const OLD_DIGESTS: ReadonlySet<string> = new Set([
  ...[
    'ldap-sha',
    'ldap-ssha',
    'ldap-smd5',
    'nthash',
    'nthash-3',
    'msdcc',
    'mysql41',
    'oracle11',
    'oracle11-s',
  ],
  ...['vbulletin', 'mybb-ipb', 'smf', 'punbb', 'phps', 'prestashop', 'oscommerce', 'opencart', 'empirecms'],
  ...[
    'wbb3',
    'redmine',
    'rails-restful-auth',
    'cisco-pix',
    'cisco-asa',
    'htdigest',
    'skype',
    'sap-b',
    'sap-g',
  ],
  ...[
    'mediawiki-a',
    'mediawiki-b',
    'peoplesoft',
    'umbraco-hmacsha1',
    'unb-kmd5',
    'serv-u',
    'citrix-netscaler',
  ],
  ...['fortigate', 'juniper-netscreen', 'arubaos', 'passwap-md5salted'],
])

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
  if (PLAINTEXT.test(scheme)) return ['plaintext']
  if (REVERSIBLE.has(scheme)) return ['reversible']
  const found: Weakness[] = []
  if (isUnsalted(scheme)) found.push('unsalted')
  const old = OLD_DIGESTS.has(scheme) || OLD_DIGEST.test(withoutTexts(scheme)) || OLD_DIGEST.test(algorithm)
  if (old && millis < FEW_DIGESTS_MILLIS) found.push('md5-or-sha1')
  const cost = /^cost (\d+)$/.exec(parameters)?.[1]
  if (cost !== undefined && Number(cost) < LEAST_BCRYPT_COST) found.push('bcrypt-cost')
  const [, m, t] = /^m=(\d+), t=(\d+)/.exec(parameters) ?? []
  if (m !== undefined && t !== undefined && isSmallArgon2(Number(m), Number(t))) found.push('argon2-cost')
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

/** Where one family holds several digests its strings begin with the digest's name: `md5$salt$...`. */
export function algorithmOf(classified: Extract<Classified, { usable: true }>): string {
  return /^(?:md4|md5|sha1)(?=\$)/i.exec(classified.read.decoy.encoded ?? '')?.[0] ?? ''
}

/** A recipe is unsalted that uses nothing of the row but the password, and has no format with a salt around it. */
export function isUnsalted(scheme: string): boolean {
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

function isSmallArgon2(kibibytes: number, passes: number): boolean {
  return !LEAST_KIBIBYTES.some((least, at) => kibibytes >= least && passes > at)
}
