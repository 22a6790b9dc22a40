import { namedRecipe } from '../hashes/named-recipes.ts'

/** What is made of password and salt with one digest, `H`. The first lines are the most common ones. */
const WITH_ONE_DIGEST = [
  'H($pass)',
  'H($salt.$pass)',
  'H($pass.$salt)',
  'H($salt.$pass.$salt)',
  'H(hex(H($pass)))',
  'H(H($pass))',
  'H(HEX(H($pass)))',
  'H(b64(H($pass)))',
  'H(hex(H($pass)).$salt)',
  'H($salt.hex(H($pass)))',
  'H(H($pass).$salt)',
  'H($salt.H($pass))',
  'H(hex(H($salt)).hex(H($pass)))',
  'H(hex(H($pass)).hex(H($salt)))',
  'H(hex(H($salt)).$pass)',
  'H($pass.hex(H($salt)))',
  'H(hex(H($salt.$pass)))',
  'H(hex(H($pass.$salt)))',
  'H($salt.hex(H($salt.$pass)))',
  'H($salt.hex(H($pass.$salt)))',
  'H(hex(H($salt.$pass)).$salt)',
  'H(hex(H($pass.$salt)).$salt)',
  'H($salt.hex(H($salt.hex(H($pass)))))',
  'H(hex(H(hex(H($pass)))))',
  'H($pass.$pass)',
  'H($pass.$salt.$pass)',
  'hmac_H($salt,$pass)',
  'hmac_H($pass,$salt)',
  'hmac_H($pass,$pass)',
  "H($pass.'{'.$salt.'}')",
  "H($salt.':'.$pass)",
  "H($pass.':'.$salt)",
  "H($salt.'$'.$pass)",
  "H('--'.$salt.'--'.$pass.'--')",
  'H($login.$salt.$pass)',
  'H($salt.$login.$pass)',
  'H($login.$pass.$salt)',
  'H($salt.$pass.$login)',
  'H($pass.$salt.$login)',
  'H($pass.$login.$salt)',
  'b64(hex(H($pass)))',
]

/** What is made with an outer digest `H` and an inner one, `G`. */
const WITH_TWO_DIGESTS = [
  'H(hex(G($pass)))',
  'H(G($pass))',
  'H(HEX(G($pass)))',
  'H(b64(G($pass)))',
  'H(hex(G($pass)).$salt)',
  'H($salt.hex(G($pass)))',
  'H($salt.HEX(G($pass)))',
  'H(hex(G($salt)).$pass)',
]

/** Recipes of single systems that the patterns above do not give. */
const OF_SYSTEMS = [
  "md5($login.':'.$salt.':'.$pass)", // HTTP digest, the realm as the salt
  'md5(hex(md5(hex(md5($pass)))).$salt)',
  'md5(hex(sha1(hex(md5($pass)))))',
  'sha1(hex(md5(hex(sha1($pass)))))',
  'md5(substr(hex(md5($pass)),0,16))',
  'sha1($pass.substr($salt,0,8))',
  'sha1(lower($login).$pass)', // SMF
  'sha1(hex(sha1(lower($login).$pass)).$salt)', // SMF, its cookie
  "sha1(upper($login).':'.upper($pass))", // game servers
  'sha1(unb64($salt).utf16le($pass))', // ASP.NET Membership
  'sha256(unb64($salt).utf16le($pass))',
  'hmac_sha256(unb64($salt),utf16le($pass))',
  'hmac_sha1(utf16le($pass),utf16le($pass))', // Umbraco
  'sha256(substr(b64(md5($pass.$salt)),0,24))', // seen in one shop
  'sha256(hex(md5($pass.$salt)))',
  'sha256($pass.hex(md5($pass)))',
  'sha512($pass.$salt.hex(md5($pass)))',
  'substr(hex(md5($pass)),0,16)',
  'substr(hex(md5($pass)),8,16)',
  'substr(hex(md5($pass)),16,16)',
  'substr(hex(sha1($pass)),0,16)',
  'substr(hex(sha1($pass)),0,32)',
  'substr(hex(sha1($salt.$pass)),0,32)',
  'substr(hex(sha1($pass.$salt)),0,32)',
  'substr(hex(sha256($pass)),0,32)',
  'substr(hex(sha256($pass)),0,40)',
  'substr(hex(sha512($pass)),0,32)',
  'substr(hex(sha512($pass)),0,40)',
  'substr(hex(sha512($pass)),0,64)',
  'substr(md5($pass),0,8)',
  'substr(sha1($pass),0,16)',
]

const DIGESTS = ['md5', 'sha1', 'sha224', 'sha256', 'sha384', 'sha512']
const OUTER_AND_INNER = [
  ['sha1', 'md5'],
  ['md5', 'sha1'],
  ['sha256', 'md5'],
  ['sha256', 'sha1'],
  ['sha512', 'md5'],
  ['sha512', 'sha1'],
  ['sha512', 'sha256'],
  ['md5', 'sha256'],
  ['sha1', 'sha256'],
  ['sha256', 'sha512'],
] as const

/** Recipes that stores are known to use, common ones first. Which of them fit a digest is told by its length. */
export const catalogue: readonly string[] = [
  ...WITH_ONE_DIGEST.flatMap((pattern) => DIGESTS.map((digest) => filled(pattern, digest, digest))),
  ...WITH_TWO_DIGESTS.flatMap((pattern) =>
    OUTER_AND_INNER.map(([outer, inner]) => filled(pattern, outer, inner)),
  ),
  ...OF_SYSTEMS,
]

/** Digests of a digest, many times: the rounds that stores are known to have, and one more, as some count. */
const ROUNDS = [1_000, 1_001, 1_024, 1_025, 5_000]
const WITH_ROUNDS = [
  'repeat(N,H,H($salt.$pass))',
  'repeat(N,H,H($pass.$salt))',
  'repeat(N,H,H($pass))',
  'repeat(N,hex(H($_)),hex(H($salt.$pass)))',
  'repeat(N,hex(H($_)),hex(H($pass.$salt)))',
  'repeat(N,hex(H($_)),hex(H($pass)))',
]
const ITERATED_DIGESTS = ['md5', 'sha1', 'sha256', 'sha512']

/** Recipes of a millisecond and more. A repetition of 999 steps makes 1,000 rounds. */
export const iterated: readonly string[] = [
  ...['symfony-digest', 'authlogic'].flatMap((name) => namedRecipe(name)?.recipes ?? []),
  ...ROUNDS.flatMap((rounds) =>
    WITH_ROUNDS.flatMap((pattern) =>
      ITERATED_DIGESTS.map((digest) => pattern.replaceAll('H', digest).replace('N', String(rounds - 1))),
    ),
  ),
].filter((recipe) => recipe.startsWith('repeat('))

function filled(pattern: string, outer: string, inner: string): string {
  return pattern.replace(/\b(hmac_)?([HG])(?=\()/g, (_, hmac = '', place) => {
    return `${hmac}${place === 'H' ? outer : inner}`
  })
}

/** What passwords are put through before a slow hash. */
export const prehashes: readonly string[] = [
  'hex(md5($pass))',
  'hex(sha1($pass))',
  'hex(sha256($pass))',
  'b64(sha256($pass))',
  'b64(sha384($pass))',
  'hex(sha512($pass))',
  'b64(sha512($pass))',
  'b64(sha1($pass))',
  'b64(md5($pass))',
  'HEX(md5($pass))',
  'HEX(sha1($pass))',
  'HEX(sha256($pass))',
  'md5($pass)',
  'sha1($pass)',
  'sha256($pass)',
  'sha512($pass)',
  'hex(sha384($pass))',
  'hex(md5(hex(md5($pass))))',
  'hex(sha1(hex(md5($pass))))',
  '$pass.$salt',
  '$salt.$pass',
  '$login.$pass',
  '$pass.$login',
  'hex(md5($pass.$salt))',
  'hex(md5($salt.$pass))',
  'hex(sha1($salt.$pass))',
  'hex(sha256($pass.$salt))',
  'hex(sha256($salt.$pass))',
  'hex(md5(hex(md5($pass)).$salt))',
]
