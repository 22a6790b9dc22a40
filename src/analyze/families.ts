// What is known of families by their names, and of their strings, for the list of weak stores.

/** Families without salt whose names do not begin with `raw-`. `postgres-md5` and Oracle's take the login as one. */
export const UNSALTED: ReadonlySet<string> = new Set([
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
  'lotus5',
  // The same salt in every device.
  'juniper-ive',
])

/** Cisco type 7 is the password under a key that everybody knows. */
export const REVERSIBLE: ReadonlySet<string> = new Set(['cisco-type7'])

/** Families of MD4, MD5 or SHA-1 whose names do not say so. */
export const OLD_DIGESTS: ReadonlySet<string> = new Set([
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
  ...['mediawiki-a', 'mediawiki-b', 'peoplesoft', 'umbraco-hmacsha1', 'unb-kmd5', 'serv-u'],
  ...['fortigate', 'juniper-netscreen', 'arubaos', 'passwap-md5salted', 'huawei', 'episerver-old'],
])

/** Families of a thousand rounds and more whose names say MD5. */
export const ITERATED: ReadonlySet<string> = new Set(['kratos-md5-crypt', 'phpass-md5-latin1'])

/** Families of DES. Of `django-crypt` and `ldap-crypt` see below. */
export const DES: ReadonlySet<string> = new Set([
  'descrypt',
  'bsdi-crypt',
  'bigcrypt',
  'crypt16',
  'lmhash',
  'lm-half',
  'racf',
  'oracle10',
])

type Inside = (encoded: string) => string

/**
 * Families that hold strong and weak hashes alike: what a string of theirs says of itself. `encoded` is the decoy,
 * which has the row's parameters and neither its salt nor its digest.
 */
export const INSIDE: ReadonlyMap<string, Inside> = new Map<string, Inside>([
  // md5$salt$digest; an empty salt is none
  ['django-salted', method],
  ['werkzeug', method],
  ['django-crypt', () => 'des'],
  ['ldap-crypt', (encoded) => (/\}[^$]*$/.test(encoded) ? 'des' : '')],
  ['spring-digest', (encoded) => springDigest(encoded)],
  ['spring-delegating', springDelegating],
  ['magento', (encoded) => (/^[0-9a-f]{32}(?::|$)/i.test(encoded) ? 'md5' : '')],
  ['mssql', (encoded) => (/^0x0100/i.test(encoded) ? 'sha1' : '')],
  [
    'kratos-pf',
    (encoded) => (/^\$md5\$(?!pf=)/.test(encoded) ? 'md5 unsalted' : named(/^\$(md5|sha1)\$/, encoded)),
  ],
  ['kratos-hmac', (encoded) => named(/^\$hmac-(md4|md5|sha1)\$/, encoded)],
  ['episerver', (encoded) => (encoded.startsWith('$episerver$*0*') ? 'sha1' : '')],
  ['citrix-netscaler', (encoded) => (encoded.startsWith('1') ? 'sha1' : '')],
  ['xenforo', (encoded) => byLength(encoded)],
  ['authlogic', (encoded) => byLength(encoded)],
  ['symfony-digest', (encoded) => byLength(encoded)],
  ['shiro1', (encoded) => named(/^\$shiro1\$(md5|sha-1)\$/i, encoded)],
  ['fshp', (encoded) => (encoded.startsWith('{FSHP0|') ? 'sha1' : '')],
  ['sap-h', (encoded) => (/^\{x-issha,/i.test(encoded) ? 'sha1' : '')],
  ['qnx', (encoded) => (encoded.startsWith('@m') ? 'md5' : '')],
  ['netiq-sspr', netiq],
  ['jenkins', (encoded) => rounds('sha512', /^\$PBKDF2\$HMACSHA512:(\d+):/i, encoded)],
  ['solarwinds-orion', () => 'pbkdf2 sha1 1000'],
  ['pbkdf2-then-hmac', () => 'pbkdf2 sha1 10000'],
])

function method(encoded: string): string {
  const [, digest = '', salt = ''] = /^(\w+)\$([^$]*)\$/.exec(encoded) ?? []
  return `${named(/^(md4|md5|sha1)$/i, digest)}${digest !== '' && salt === '' ? ' unsalted' : ''}`.trim()
}

/** The salt stands in braces in front. */
function springDigest(encoded: string): string {
  const salt = /^\{[^}]*\}/.exec(encoded)?.[0] ?? ''
  const digest = byLength(encoded.slice(salt.length))
  return salt.length > 2 ? digest : `${digest} unsalted`.trim()
}

const SPRING_DIGESTS = /^\{(md4|md5|sha-1|sha-256)\}/i

function springDelegating(encoded: string): string {
  return SPRING_DIGESTS.test(encoded) ? springDigest(encoded.replace(SPRING_DIGESTS, '')) : ''
}

function netiq(encoded: string): string {
  const [, digest] = /^\$pbkdf2-hmac-(sha\d+)\$/i.exec(encoded) ?? []
  if (digest !== undefined) return rounds(digest.toLowerCase(), /^[^$]*\$[^$]+\$(\d+)/, encoded)
  const [, kind] = /^\$sspr\$([012])/.exec(encoded) ?? []
  return kind === undefined ? '' : (['md5 unsalted', 'sha1 unsalted', 'sha1'][Number(kind)] ?? '')
}

/** MD5 and SHA-1 are shorter than all others, in hexadecimal and in base64. */
function byLength(encoded: string): string {
  if (/^(?:[0-9a-f]{32}|[A-Za-z0-9+/]{22}==)$/i.test(encoded)) return 'md5'
  return /^(?:[0-9a-f]{40}|[A-Za-z0-9+/]{27}=)$/i.test(encoded) ? 'sha1' : ''
}

function named(pattern: RegExp, encoded: string): string {
  return pattern.exec(encoded)?.[1]?.toLowerCase() ?? ''
}

function rounds(digest: string, pattern: RegExp, encoded: string): string {
  const count = pattern.exec(encoded)?.[1]
  return count === undefined ? '' : `pbkdf2 ${digest} ${count}`
}
