import { ceilingWords } from './ceilings.ts'
import { container } from './container.ts'
import { bytesOfBase64 } from './encodings.ts'
import type { Family } from './format.ts'

const NOBODYS_MD5 = '6e6f626f64796b6e6f777361206d6435'
const NOBODYS_SHA256 = '6e6f626f64796b6e6f77736170617373776f7264666f72746869736861736821'
const NOBODYS_SHA512 = NOBODYS_SHA256.repeat(2)
const NOBODYS_BCRYPT = 'CarryoverCarryoverCarOnobodyKnowsAPasswordForThisHas.'

/** base64 with its padding, which Go insists on. */
const PADDED = '(?:[A-Za-z0-9+/]{4}){0,64}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?'

/** Families whose stored string tells itself, and whose hash is a recipe over its parts. */
export const contained: readonly Family[] = [
  // bcrypt over something that was hashed before
  container({
    name: 'wordpress-wp',
    note: 'WordPress since 6.8',
    sources: 'WordPress 6.8 and later',
    ceiling: ceilingWords.bcrypt,
    shape: /^\$wp(?<hash>\$2y\$.{0,64})$/,
    recipes: ["bcrypt(b64(hmac_sha384('wp-sha384',trim($pass))))"],
    example: `$wp$2y$10$${NOBODYS_BCRYPT}`,
  }),
  container({
    name: 'bcrypt-sha256-django',
    sources: 'Django',
    ceiling: ceilingWords.bcrypt,
    shape: /^bcrypt_sha256\$(?<hash>\$2[abxy]?\$.{0,64})$/,
    recipes: ['bcrypt(hex(sha256($pass)))'],
    example: `bcrypt_sha256$$2b$12$${NOBODYS_BCRYPT}`,
  }),
  container({
    name: 'bcrypt-django',
    sources: 'Django',
    ceiling: ceilingWords.bcrypt,
    shape: /^bcrypt\$(?<hash>\$2[abxy]?\$.{0,64})$/,
    recipes: ['bcrypt($pass)'],
    example: `bcrypt$$2b$12$${NOBODYS_BCRYPT}`,
  }),
  container({
    name: 'jenkins',
    note: 'bcrypt and PBKDF2 with HMAC-SHA512',
    sources: 'Jenkins',
    ceiling: `${ceilingWords.bcrypt}; ${ceilingWords.recipe}`,
    shape:
      /^(?:#jbcrypt:(?=\$2)|\$PBKDF2\$HMACSHA512:(?<rounds>\d{1,9}):(?<salt>[0-9a-f]{2,128})\$(?=[0-9a-f]))(?<hash>\$2[abxy]?\$.{0,64}|[0-9a-f]{128})$/i,
    recipes: ({ rounds }) =>
      rounds === undefined ? 'bcrypt($pass)' : `pbkdf2_sha512($pass,unhex($salt),${rounds},64)`,
    example: `#jbcrypt:$2a$10$${NOBODYS_BCRYPT}`,
  }),
  // Applications in PHP
  container({
    name: 'mediawiki-b',
    sources: 'MediaWiki 1.13 to 1.23',
    ceiling: ceilingWords.fixed,
    shape: /^(?::B:(?<salt>[^:$]{0,64}):|\$B\$(?<salt1>[^:$]{0,64})\$)(?<hash>[0-9a-f]{32})$/i,
    recipes: ({ salt1 }) => mediawikiB(salt1),
    example: `:B:00000000:${NOBODYS_MD5}`,
  }),
  container({
    name: 'mediawiki-a',
    sources: 'MediaWiki without salts',
    ceiling: ceilingWords.fixed,
    shape: /^:A:(?<hash>[0-9a-f]{32})$/i,
    recipes: ['md5($pass)'],
    example: `:A:${NOBODYS_MD5}`,
  }),
  container({
    name: 'phps',
    sources: 'PHPS',
    ceiling: ceilingWords.fixed,
    shape: /^\$PHPS\$(?<salt>(?:[0-9a-f]{2}){0,64})\$(?<hash>[0-9a-f]{32})$/i,
    recipes: ['md5(hex(md5($pass)).unhex($salt))'],
    example: `$PHPS$73616c74$${NOBODYS_MD5}`,
  }),
  container({
    name: 'authme',
    sources: 'AuthMe (Minecraft)',
    ceiling: ceilingWords.fixed,
    shape: /^\$SHA\$(?<salt>[^$]{1,64})\$(?<hash>[0-9a-f]{64})$/i,
    recipes: ['sha256(hex(sha256($pass)).$salt)'],
    example: `$SHA$0000000000000000$${NOBODYS_SHA256}`,
  }),
  container({
    name: 'joomla-sha256',
    sources: 'Joomla 2.5 and 3',
    ceiling: ceilingWords.fixed,
    shape: /^\{SHA256\}(?<hash>[0-9a-f]{64}):(?<salt>.{0,64})$/i,
    recipes: ['sha256($pass.$salt)'],
    example: `{SHA256}${NOBODYS_SHA256}:0000000000000000`,
  }),
  // Databases and directories
  container({
    name: 'postgres-md5',
    note: 'the login is the salt',
    sources: 'PostgreSQL up to 13, PgBouncer',
    ceiling: ceilingWords.fixed,
    nulIsData: false,
    shape: /^md5(?<hash>[0-9a-f]{32})$/i,
    recipes: ['md5($pass.$login)'],
    example: `md5${NOBODYS_MD5}`,
  }),
  // Identity services
  container({
    name: 'kratos-pf',
    note: 'Ory: md5, sha1, sha256 and sha512 with a template of salt and password',
    sources: 'Ory Kratos',
    ceiling: ceilingWords.fixed,
    shape: new RegExp(
      `^\\$(?:(?<digest>md5|sha1|sha256|sha512)\\$pf=(?<template>${PADDED})\\$(?<salt>${PADDED})|md5)\\$(?<hash>${PADDED})$`,
    ),
    recipes: ({ digest, template }) =>
      digest === undefined ? 'md5($pass)' : `${digest}(${joinedOf(template ?? '') ?? ''})`,
    example: '$sha256$pf=e1NBTFR9e1BBU1NXT1JEfQ==$c2FsdA==$Tm9ib2R5S25vd3NBUGFzc3dvcmRGb3JUaGlzSGFzaCE=',
  }),
  container({
    name: 'kratos-hmac',
    note: 'Ory: base64 of a hexadecimal HMAC, and the key',
    sources: 'Ory Kratos',
    ceiling: ceilingWords.fixed,
    shape: new RegExp(
      `^\\$hmac-(?<digest>md4|md5|sha1|sha224|sha256|sha384|sha512)\\$(?<hash>${PADDED})\\$(?<salt>${PADDED})$`,
    ),
    recipes: ({ digest }) => `b64(hex(hmac_${digest}(unb64($salt),$pass)))`,
    example: `$hmac-sha256$${Buffer.from(NOBODYS_SHA256).toString('base64')}$c2FsdA==`,
  }),
  container({
    name: 'passwap-md5salted',
    note: 'ZITADEL; the salt is not decoded',
    sources: 'ZITADEL',
    ceiling: ceilingWords.fixed,
    shape: /^\$md5salted-(?<place>prefix|suffix)\$(?<salt>[^$]{0,128})\$(?<hash>[A-Za-z0-9+/]{22}==)$/,
    recipes: ({ place }) => (place === 'prefix' ? 'md5($salt.$pass)' : 'md5($pass.$salt)'),
    example: '$md5salted-prefix$c2FsdA==$Tm9ib2R5S25vd3NJdC4uLg==',
  }),
  // Frameworks and appliances
  container({
    name: 'episerver',
    note: 'Episerver 6: SHA-1 and SHA-256 of ASP.NET Membership',
    sources: 'Episerver 6, ASP.NET Membership',
    ceiling: ceilingWords.fixed,
    shape:
      /^\$episerver\$\*(?<version>[01])\*(?<salt>[A-Za-z0-9+/]{1,88}={0,2})\*(?<hash>[A-Za-z0-9+/]{27,43}={0,2})$/,
    recipes: ({ version }) => `${version === '0' ? 'sha1' : 'sha256'}(unb64($salt).utf16le($pass))`,
    example: '$episerver$*0*c2FsdHNhbHRzYWx0c2FsdA==*Tm9ib2R5S25vd3NBUGFzc3dvcmQ',
  }),
  container({
    name: 'otm-sha256',
    note: 'Oracle Transportation Management',
    sources: 'Oracle Transportation Management',
    ceiling: ceilingWords.recipe,
    shape: /^otm_sha256:(?<rounds>\d{1,9}):(?<salt>[^:]{1,64}):(?<hash>[A-Za-z0-9+/]{43}=)$/,
    recipes: ({ rounds }) => rounded('sha256', '$salt.$pass', rounds),
    example: 'otm_sha256:1000:0000000000:Tm9ib2R5S25vd3NBUGFzc3dvcmRGb3JUaGlzSGFzaCE=',
  }),
  container({
    name: 'netiq-sspr',
    sources: 'NetIQ Self Service Password Reset',
    ceiling: ceilingWords.recipe,
    shape:
      /^\$(?:sspr\$(?<type>[0-4])|pbkdf2-hmac-(?<digest>sha1|sha256|sha512))\$(?<rounds>\d{1,9})[.$](?<salt>NONE|[0-9a-z]{1,128})[.$](?<hash>(?:[0-9a-f]{2}){16,64})$/i,
    recipes: ({ type, digest, rounds, hash = '' }) =>
      type === undefined
        ? `pbkdf2_${digest?.toLowerCase()}($pass,unhex($salt),${rounds},${hash.length / 2})`
        : sspr(Number(type), rounds),
    example: `$sspr$3$1000$0000000000000000$${NOBODYS_SHA256}`,
  }),
  container({
    name: 'solarwinds-orion',
    sources: 'SolarWinds Orion',
    ceiling: ceilingWords.fixed,
    shape: /^\$solarwinds\$(?<version>[01])\$(?<salt>[^$]{1,64})\$(?<hash>[A-Za-z0-9+/]{86}==)$/,
    recipes: ({ version, salt = '' }) => solarwinds(version, salt),
    example: `$solarwinds$0$admin$${Buffer.from(NOBODYS_SHA512, 'hex').toString('base64')}`,
  }),
]

/** hashcat writes dollar signs for the colons. */
function mediawikiB(salt: string | undefined): string {
  const salted = salt === undefined ? '$salt' : literal(Buffer.from(salt, 'utf8'))
  return `md5(${salted}.'-'.hex(md5($pass)))`
}

/** `{SALT}--{PASSWORD}` as what a recipe joins; null for a template without the password. */
function joinedOf(template: string): string | null {
  const text = bytesOfBase64(template)?.toString('latin1')
  if (!text?.includes('{PASSWORD}')) return null
  const parts = text
    .split(/(\{SALT\}|\{PASSWORD\})/)
    .filter((part) => part !== '')
    .map((part) => {
      if (part === '{SALT}') return 'unb64($salt)'
      return part === '{PASSWORD}' ? '$pass' : literal(Buffer.from(part, 'latin1'))
    })
  return parts.join('.')
}

function literal(bytes: Buffer): string {
  return `unhex('${bytes.toString('hex')}')`
}

/** The digest of something, and the digest of that until there were so many. */
function rounded(digest: string, joined: string, rounds: string | undefined): string | null {
  const count = Number(rounds)
  if (count < 1) return null
  const first = `${digest}(${joined})`
  return count === 1 ? first : `repeat(${count - 1},${digest},${first})`
}

/** NetIQ Self Service Password Reset: the first two kinds have no salt. */
const SSPR = [
  { digest: 'md5', joined: '$pass' },
  { digest: 'sha1', joined: '$pass' },
  { digest: 'sha1', joined: '$salt.$pass' },
  { digest: 'sha256', joined: '$salt.$pass' },
  { digest: 'sha512', joined: '$salt.$pass' },
] as const

function sspr(type: number, rounds: string | undefined): string | null {
  const kind = SSPR[type]
  return kind === undefined ? null : rounded(kind.digest, kind.joined, rounds)
}

/** What fills up a user name that is too short for a salt. */
const SOLARWINDS_FILL = '1244352345234'

/** The salt is the user name, of eight characters at least; in later releases bytes of its own. */
function solarwinds(version: string | undefined, salt: string): string | null {
  const name = salt.toLowerCase()
  const bytes =
    version === '0'
      ? Buffer.from(name + SOLARWINDS_FILL.slice(0, Math.max(0, 8 - name.length)), 'utf8')
      : bytesOfBase64(salt)
  return bytes === null ? null : `sha512(pbkdf2_sha1($pass,${literal(bytes)},1000,1024))`
}
