import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import { readAnyOf, readContained } from './container.ts'
import type { HashContext } from './context.ts'
import { digestFunctions } from './digests/digest.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { recipeExample, variablesOf } from './recipe.ts'

/**
 * A family that is no more than a recipe, and that nothing tells but its name in `hash_scheme`. The hash is
 * hexadecimal or base64; its salt is in the column `salt`, or behind the hash and a colon.
 */
export interface NamedRecipe extends Pick<Family, 'name' | 'sources' | 'ceiling'> {
  /** Where stores of this name differ, one of them has made the hash. */
  readonly recipes: readonly string[]
  readonly note?: string
  /** The stored string, where it is more than the hash: with a group `hash` and, as a rule, a group `salt`. */
  readonly shape?: RegExp
  /** A string of this shape that nobody knows a password of. */
  readonly example?: string
}

const AUTHLOGIC_JOINED = "$_.'--'.$salt"

export const namedRecipes: readonly NamedRecipe[] = [
  ...Array.from(digestFunctions.keys()).flatMap(ofDigest),
  {
    name: 'raw-sha3',
    sources: 'home-grown stores',
    ceiling: ceilingWords.fixed,
    recipes: [224, 256, 384, 512].map((bits) => `sha3_${bits}($pass)`),
  },
  {
    name: 'half-md5',
    sources: 'old PHP sites',
    ceiling: ceilingWords.fixed,
    recipes: ['substr(md5($pass),0,8)'],
  },
  {
    name: 'nthash',
    sources: 'Active Directory, Samba',
    ceiling: ceilingWords.fixed,
    recipes: ['md4(utf16le($pass))'],
    note: 'NTLM',
  },
  {
    name: 'htdigest',
    sources: 'Apache, Trac, SIP, ZoneMinder',
    ceiling: ceilingWords.fixed,
    recipes: ["md5($login.':'.$salt.':'.$pass)"],
    note: 'the salt is the realm',
  },
  {
    name: 'postgres-md5-nopfx',
    sources: 'PostgreSQL up to 13',
    ceiling: ceilingWords.fixed,
    recipes: ['md5($pass.$login)'],
  },
  // Forums and shops in PHP
  {
    name: 'vbulletin',
    sources: 'vBulletin 3 and 4',
    ceiling: ceilingWords.fixed,
    recipes: ['md5(hex(md5($pass)).$salt)'],
  },
  {
    name: 'mybb-ipb',
    sources: 'MyBB, Invision Power Board 2 and 3',
    ceiling: ceilingWords.fixed,
    recipes: ['md5(hex(md5($salt)).hex(md5($pass)))', 'md5(hex(md5(unhex($salt))).hex(md5($pass)))'],
    note: 'MyBB, Invision Power Board 2 and 3',
  },
  {
    name: 'smf',
    sources: 'SMF 1.1 and 2.0',
    ceiling: ceilingWords.fixed,
    recipes: ['sha1(lower($login).$pass)', 'sha1(lower($login).latin1($pass))'],
    note: 'SMF 1.1 and 2.0',
  },
  {
    name: 'smf21',
    sources: 'SMF 2.1',
    ceiling: ceilingWords.bcrypt,
    recipes: ['bcrypt(lower($login).$pass)'],
    note: 'SMF 2.1',
  },
  {
    name: 'punbb',
    sources: 'PunBB, FluxBB',
    ceiling: ceilingWords.fixed,
    recipes: ['sha1($salt.hex(sha1($pass)))'],
    note: 'PunBB, FluxBB',
  },
  {
    name: 'wbb3',
    sources: 'WoltLab Burning Board 3',
    ceiling: ceilingWords.fixed,
    recipes: ['sha1($salt.hex(sha1($salt.hex(sha1($pass)))))'],
  },
  {
    name: 'xenforo',
    sources: 'XenForo 1, imports from vBulletin',
    ceiling: ceilingWords.fixed,
    recipes: ['sha256(hex(sha256($pass)).$salt)', 'sha1(hex(sha1($pass)).$salt)'],
    note: 'XenForo 1',
  },
  {
    name: 'phpbb2-md5-latin1',
    sources: 'phpBB 2, vBulletin in ISO 8859-1',
    ceiling: ceilingWords.fixed,
    recipes: ['md5(latin1($pass))'],
  },
  {
    name: 'opencart',
    sources: 'OpenCart',
    ceiling: ceilingWords.fixed,
    recipes: ['sha1($salt.hex(sha1($salt.hex(sha1($pass)))))'],
  },
  {
    name: 'oscommerce',
    sources: 'osCommerce, xt:Commerce, Zen Cart',
    ceiling: ceilingWords.fixed,
    recipes: ['md5($salt.$pass)', 'md5(unhex($salt).$pass)'],
  },
  {
    name: 'prestashop',
    sources: 'PrestaShop',
    ceiling: ceilingWords.fixed,
    recipes: ['md5($salt.$pass)', 'md5($pepper.$pass)'],
    note: 'the pepper is _COOKIE_KEY_',
  },
  {
    name: 'joomla-md5',
    sources: 'Joomla 1.0 to 2.5',
    ceiling: ceilingWords.fixed,
    recipes: ['md5($pass.$salt)', 'md5($pass)'],
  },
  {
    name: 'empirecms',
    sources: 'EmpireCMS',
    ceiling: ceilingWords.fixed,
    recipes: ["md5($salt2.'E!m^p-i(r#e.C:M?S'.hex(md5(hex(md5($pass)).$salt)).'d)i.g^o-d'.$salt)"],
    note: 'both salts in the salt, with a colon between',
  },
  {
    name: 'unb-kmd5',
    sources: 'Unclassified NewsBoard',
    ceiling: ceilingWords.fixed,
    recipes: ['md5($salt.hex(md5($pass)))'],
    shape: /^(?<hash>[0-9a-f]{16})(?<salt>.{2})(?<hash2>[0-9a-f]{16})$/i,
    example: 'a'.repeat(34),
  },
  {
    name: 'symfony-digest',
    sources: 'Symfony 2 and 3, FOSUserBundle',
    ceiling: ceilingWords.fixed,
    recipes: ['md5', 'sha1', 'sha256', 'sha512'].map(symfony),
    note: '5,000 rounds',
  },
  // Ruby
  {
    name: 'redmine',
    sources: 'Redmine',
    ceiling: ceilingWords.fixed,
    recipes: ['sha1($salt.hex(sha1($pass)))'],
  },
  {
    name: 'clearance-sha1',
    sources: 'Rails (Clearance)',
    ceiling: ceilingWords.fixed,
    recipes: ["sha1('--'.$salt.'--'.$pass.'--')"],
  },
  {
    name: 'rails-restful-auth',
    sources: 'Rails 2 and 3 (restful_authentication)',
    ceiling: ceilingWords.fixed,
    recipes: [
      "sha1('--'.$salt.'--'.$pass.'--')",
      "repeat(9,hex(sha1($_.'--'.$salt.'--'.$pass.'--'.$pepper)),hex(sha1($pepper.'--'.$salt.'--'.$pass.'--'.$pepper)))",
    ],
    note: 'the pepper is REST_AUTH_SITE_KEY, with 10 rounds',
  },
  {
    name: 'authlogic',
    sources: 'Rails (Authlogic)',
    ceiling: ceilingWords.fixed,
    recipes: [
      'repeat(19,hex(sha512($_)),hex(sha512($pass.$salt)))',
      'repeat(19,sha512,sha512($pass.$salt))',
      'repeat(19,hex(sha256($_)),hex(sha256($pass.$salt)))',
      'repeat(19,sha256,sha256($pass.$salt))',
      `repeat(9,hex(sha1(${AUTHLOGIC_JOINED})),hex(sha1($pass.'--'.$salt)))`,
      `repeat(9,sha1(${AUTHLOGIC_JOINED}),sha1($pass.'--'.$salt))`,
      'md5($pass.$salt)',
    ],
    note: 'the stretches that are preset: 20 of SHA-512 and SHA-256, 10 of SHA-1, 1 of MD5',
  },
  {
    name: 'devise-pepper',
    sources: 'Rails (Devise)',
    ceiling: ceilingWords.bcrypt,
    recipes: ['bcrypt($pass.$pepper)'],
  },
  // Java and .NET
  {
    name: 'coldfusion10',
    sources: 'ColdFusion 10 and later',
    ceiling: ceilingWords.fixed,
    recipes: ['sha256($salt.HEX(sha1($pass)))'],
  },
  {
    name: 'peoplesoft',
    sources: 'PeopleSoft',
    ceiling: ceilingWords.fixed,
    recipes: ['sha1(utf16le($pass))'],
  },
  {
    name: 'umbraco-hmacsha1',
    sources: 'Umbraco 4 to 7',
    ceiling: ceilingWords.fixed,
    recipes: ['hmac_sha1(utf16le($pass),utf16le($pass))'],
  },
  {
    name: 'episerver-old',
    sources: 'Episerver 3 to 5',
    ceiling: ceilingWords.fixed,
    recipes: ["sha1(substr(unhex($salt),0,29).$pass.'\\0')"],
    shape: /^0x(?<salt>[0-9a-f]{60}) 0x(?<hash>[0-9a-f]{40})$/i,
    note: 'Episerver 3 to 5',
  },
  {
    name: 'pbkdf2-then-hmac',
    sources: 'a FusionAuth sample',
    ceiling: ceilingWords.fixed,
    recipes: ['hmac_sha1(pbkdf2_sha1($pass,$salt,10000,64),$pass)'],
    note: '10,000 rounds',
  },
  // Servers and devices
  {
    name: 'filezilla',
    sources: 'FileZilla Server',
    ceiling: ceilingWords.fixed,
    recipes: ['sha512($pass.$salt)'],
  },
  {
    name: 'hmailserver',
    sources: 'hMailServer',
    ceiling: ceilingWords.fixed,
    recipes: ['sha256($salt.$pass)'],
    shape: /^(?<salt>[0-9a-f]{6})(?<hash>[0-9a-f]{64})$/i,
    example: `abcdef${'5a'.repeat(32)}`,
  },
  {
    name: 'skype',
    sources: 'Skype',
    ceiling: ceilingWords.fixed,
    recipes: ["md5($login.'\\nskyper\\n'.$pass)"],
  },
  {
    name: 'serv-u',
    sources: 'Serv-U FTP Server',
    ceiling: ceilingWords.fixed,
    recipes: ['md5($salt.$pass)'],
    shape: /^(?<salt>[a-z0-9]{2})(?<hash>[0-9a-f]{32})$/i,
    example: `aa${'5A'.repeat(16)}`,
  },
]

/** The bare digest, salted in every order, and HMAC in both; the password in UTF-8 or in UTF-16 as .NET has it. */
function ofDigest(digest: string): readonly NamedRecipe[] {
  const name = digest.replaceAll('_', '-')
  // hashcat writes both BLAKE2 with the same mark.
  const shape = digest.startsWith('blake2') ? { shape: prefixed('\\$BLAKE2\\$') } : {}
  return [
    {
      name: `raw-${name}`,
      sources: 'home-grown stores',
      ceiling: ceilingWords.fixed,
      recipes: [`${digest}($pass)`, `${digest}(utf16le($pass))`],
      ...shape,
    },
    {
      name: `salted-${name}`,
      sources: 'home-grown stores, shops and forums',
      ceiling: ceilingWords.fixed,
      recipes: [
        '$salt.$pass',
        '$pass.$salt',
        '$salt.utf16le($pass)',
        'utf16le($pass).$salt',
        'unb64($salt).$pass',
        '$pass.unb64($salt)',
        'unb64($salt).utf16le($pass)',
        'unhex($salt).$pass',
        '$pass.unhex($salt)',
      ].map((joined) => `${digest}(${joined})`),
      note: 'salt before or after, as text, base64 or hexadecimal',
      ...shape,
    },
    {
      name: `hmac-${name}`,
      sources: 'PHP (hash_hmac), Node.js (createHmac)',
      ceiling: ceilingWords.fixed,
      recipes: [`hmac_${digest}($salt,$pass)`, `hmac_${digest}($pass,$salt)`],
      note: 'salt or password is the key',
    },
  ]
}

/** MessageDigestPasswordEncoder: every round is over the one before and the salted password. */
function symfony(digest: string): string {
  const salted = "$pass.'{'.$salt.'}'"
  return `repeat(4999,${digest}($_.${salted}),${digest}(${salted}))`
}

function prefixed(prefix: string): RegExp {
  return new RegExp(`^(?:${prefix})?(?<hash>[A-Za-z0-9+/]{16,128}={0,2})(?::(?<salt>.*))?$`, 'i')
}

const byName: ReadonlyMap<string, NamedRecipe> = new Map(namedRecipes.map((named) => [named.name, named]))

export function namedRecipe(scheme: string): NamedRecipe | undefined {
  return byName.get(scheme.toLowerCase())
}

/** Reads a hash of a family that is known by its name. Throws HashError. */
export function readNamed(
  named: NamedRecipe,
  encoded: string,
  stored: StoredHash,
  context: HashContext,
): ReadHash {
  const { name, recipes, shape } = named
  if (shape?.test(encoded)) return readContained({ name, recipes, shape }, encoded, stored, context)
  const { hash, salt } = parts(named, encoded, stored)
  return readAnyOf(name, recipes, { ...stored, salt }, hash, context)
}

/** Without a salt in its column the salt stands behind the hash: no hexadecimal or base64 has a colon. */
function parts(
  { name, recipes, shape }: NamedRecipe,
  encoded: string,
  { salt }: StoredHash,
): { hash: string; salt: string | null } {
  const colon = encoded.indexOf(':')
  const usesSalt = recipes.some((recipe) => variablesOf(recipe).has('salt'))
  if (!usesSalt || (salt !== null && salt !== '')) return { hash: encoded, salt }
  if (colon === -1 && shape) throw new HashError('malformed', `not of the shape that ${name} hashes have`)
  if (colon === -1) return { hash: encoded, salt }
  return { hash: encoded.slice(0, colon), salt: encoded.slice(colon + 1) }
}

/** A hash of this family that nobody knows a password of. */
export function namedExample({ name, recipes, example }: NamedRecipe): StoredHash {
  const stored = recipeExample(recipes[0] ?? '', { name })
  return example === undefined ? stored : { ...stored, encoded: example, salt: null }
}
