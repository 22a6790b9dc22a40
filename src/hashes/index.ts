import type { StoredHash } from '../domain.ts'
import { aix } from './aix.ts'
import { anopeSha256 } from './anope-sha256.ts'
import { argon2 } from './argon2.ts'
import { argon2Django } from './argon2-django.ts'
import { aspnetIdentity } from './aspnet-identity.ts'
import { azureadSyncPph1 } from './azuread-sync-pph1.ts'
import { bcrypt } from './bcrypt.ts'
import { bcryptSha256 } from './bcrypt-sha256.ts'
import { CANDIDATES, candidatesOf, readCandidates } from './candidates.ts'
import { ciscoType8, ciscoType9 } from './cisco-crypt.ts'
import { readClaimed } from './claimed.ts'
import { contained } from './contained.ts'
import type { HashContext } from './context.ts'
import { NO_CONTEXT } from './context.ts'
import { bigcrypt, bsdiCrypt, crypt16, descrypt } from './des-crypt.ts'
import { createDetector, type Detection } from './detect.ts'
import { deviceDigests } from './device-digests.ts'
import { djangoCrypt } from './django-crypt.ts'
import { djangoSalted } from './django-salted.ts'
import { cramMd5, digestMd5, dovecotScram, plainMd4 } from './dovecot.ts'
import { firebaseScrypt } from './firebase-scrypt.ts'
import { firebaseScryptKratos } from './firebase-scrypt-kratos.ts'
import type { Family, HashFormat, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import { HARDENED, hardenedExample, readHardened, schemeInside } from './hardened.ts'
import { readableBlanks } from './hardened-blank.ts'
import { type HardenedRow, hardenRow } from './hardened-row.ts'
import { isHardened } from './hardened-text.ts'
import type { Hardening } from './hardening.ts'
import { as400Ssha1, macosSha1, macosSha512 } from './hex-with-salt.ts'
import { fshp, samsungAndroid, sapH } from './iterated-digests.ts'
import { juniperIve } from './juniper-ive.ts'
import { keycloak } from './keycloak.ts'
import { argon2Prefixed, kratosCrypts, ldapCrypt } from './ldap-crypt.ts'
import { ldapDigests, ldapSaltedDigests } from './ldap-digests.ts'
import {
  atlassian,
  dovecotPbkdf2,
  elasticsearchPbkdf2,
  ldap389Pbkdf2,
  ldapPbkdf2,
  macosMl,
} from './ldap-pbkdf2.ts'
import { lmHalf, lmhash } from './lmhash.ts'
import { lotus5, lotus6, lotus8 } from './lotus.ts'
import { magento } from './magento.ts'
import { apr1, md5crypt } from './md5-crypt.ts'
import { mediawikiArgon2, mediawikiBcrypt, mediawikiLayered, mediawikiPbkdf2 } from './mediawiki.ts'
import { mongodbScram, mongodbStoredkey } from './mongodb-scram.ts'
import { msdcc, msdcc2 } from './msdcc.ts'
import { mssql } from './mssql.ts'
import { mysqlCachingSha2 } from './mysql-caching-sha2.ts'
import { mysql41 } from './mysql41.ts'
import { mysql323 } from './mysql323.ts'
import { namedExample, namedRecipe, readNamed } from './named-recipes.ts'
import { nthash3 } from './nthash-3.ts'
import { oracle10, oracle11, oracle11S, oracle12 } from './oracle.ts'
import { pbkdf2Containers } from './pbkdf2-containers.ts'
import { pbkdf2Django } from './pbkdf2-django.ts'
import { pbkdf2Passlib } from './pbkdf2-passlib.ts'
import { pbkdf2Phc } from './pbkdf2-phc.ts'
import { drupal7, phpass, phpassMd5Latin1 } from './phpass.ts'
import { plaintext } from './plaintext.ts'
import { postgresScram } from './postgres-scram.ts'
import { isBareDigest, presentHash } from './present-hash.ts'
import { readRecipe, recipeExample, recipeOfDigest } from './recipe.ts'
import { sapB, sapG } from './sap.ts'
import { scramPasslib } from './scram-passlib.ts'
import { scryptDjango, scryptDjango3rdparty } from './scrypt-django.ts'
import { scryptHashcat } from './scrypt-hashcat.ts'
import { scryptKratos, scryptPhc } from './scrypt-phc.ts'
import { scryptRaw } from './scrypt-raw.ts'
import { sha256crypt, sha512crypt } from './sha-crypt.ts'
import { sha1crypt } from './sha1-crypt.ts'
import { shiro1, shiro2 } from './shiro.ts'
import { springDelegating } from './spring-delegating.ts'
import { springDigest } from './spring-digest.ts'
import { springPbkdf2 } from './spring-pbkdf2.ts'
import { springScrypt } from './spring-scrypt.ts'
import { springStandard } from './spring-standard.ts'
import { sunmd5 } from './sun-md5.ts'
import { wbb4 } from './wbb4.ts'
import { werkzeug } from './werkzeug.ts'
import { xmppScram } from './xmpp-scram.ts'
import { gostYescrypt, scrypt7, yescrypt } from './yescrypt.ts'

/** Every family, one line each. */
export const formats: readonly Family[] = [
  bcrypt,
  argon2,
  bcryptSha256,
  wbb4,
  sha512crypt,
  sha256crypt,
  md5crypt,
  apr1,
  phpass,
  phpassMd5Latin1,
  drupal7,
  yescrypt,
  gostYescrypt,
  scrypt7,
  descrypt,
  bsdiCrypt,
  bigcrypt,
  crypt16,
  ...ldapDigests,
  ...ldapSaltedDigests,
  ldapCrypt,
  argon2Prefixed,
  ...kratosCrypts,
  sha1crypt,
  sunmd5,
  nthash3,
  ldapPbkdf2,
  ldap389Pbkdf2,
  atlassian,
  elasticsearchPbkdf2,
  dovecotPbkdf2,
  macosMl,
  aix,
  sapH,
  fshp,
  samsungAndroid,
  cramMd5,
  digestMd5,
  plainMd4,
  dovecotScram,
  macosSha1,
  macosSha512,
  as400Ssha1,
  pbkdf2Django,
  aspnetIdentity,
  werkzeug,
  djangoSalted,
  djangoCrypt,
  anopeSha256,
  pbkdf2Passlib,
  pbkdf2Phc,
  argon2Django,
  keycloak,
  springDigest,
  springPbkdf2,
  springScrypt,
  springStandard,
  springDelegating((stored) => readHash(stored)),
  mssql,
  mysql41,
  mysql323,
  mysqlCachingSha2,
  postgresScram,
  scramPasslib,
  mongodbScram,
  mongodbStoredkey,
  xmppScram,
  scryptPhc,
  scryptKratos,
  scryptDjango,
  scryptDjango3rdparty,
  scryptHashcat,
  firebaseScryptKratos,
  firebaseScrypt,
  magento,
  ...pbkdf2Containers,
  ciscoType8,
  ciscoType9,
  mediawikiPbkdf2,
  mediawikiArgon2,
  mediawikiBcrypt,
  mediawikiLayered,
  shiro1,
  shiro2,
  lmhash,
  lmHalf,
  msdcc,
  msdcc2,
  oracle10,
  oracle11,
  oracle11S,
  oracle12,
  azureadSyncPph1,
  ...deviceDigests,
  juniperIve,
  lotus5,
  lotus6,
  lotus8,
  sapB,
  sapG,
  scryptRaw,
  ...contained,
  plaintext,
]

/** By name and alias, which are in lower case; none is another's. */
const byName: ReadonlyMap<string, Family> = new Map(
  formats.flatMap((format) => [format.name, ...(format.aliases ?? [])].map((name) => [name, format])),
)

const detector = createDetector(formats)
/** What the string alone says of its scheme, without reading it. */
export function detect(encoded: string): Detection {
  return isHardened(encoded) ? { confidence: 'exact', format: HARDENED } : detector.detect(encoded)
}

/** Hardens a row, if it is weak and can be. `hardening`: that of the context. */
export function harden(
  stored: StoredHash,
  context: HashContext & { readonly hardening: Hardening },
  { dry }: { readonly dry: boolean },
): Promise<HardenedRow> {
  const read = (legacy: StoredHash) => readHash(legacy, context)
  return hardenRow(stored, { hardening: context.hardening, read, dry })
}

/**
 * Reads a stored hash. Throws HashError and nothing else, whatever the row holds, and does no work. The scheme
 * is a format's name, a digest's name, the name of a recipe or a recipe; without one it is told by the shape. Never
 * guessed.
 */
export function readHash(stored: StoredHash, context: HashContext = NO_CONTEXT): ReadHash {
  const hash = readScheme(stored, context)
  if (hash.memory !== undefined && hash.memory > (context.memory ?? Number.POSITIVE_INFINITY))
    throw new HashError('too-costly', 'a check may take no more memory than CHECK_MEMORY_MIB allows')
  return hash
}

function readScheme(stored: StoredHash, context: HashContext): ReadHash {
  const encoded = presentHash(stored.encoded)
  if (isHardened(encoded))
    return readHardened(encoded, stored, context, (legacy) => readHash(legacy, context))
  const scheme = stored.scheme?.trim() ?? ''
  if (scheme === '') return readTold(encoded, stored, context)
  const format = formatNamed(scheme)
  if (format) return readClaimed(format, encoded, stored, context)
  const named = namedRecipe(scheme)
  if (named) return readNamed(named, encoded, stored, context)
  const digest = recipeOfDigest(scheme)
  if (digest !== undefined) return readRecipe(digest, stored, encoded, context)
  const own = ownRecipe(scheme, context)
  if (own) return readRecipe(own.recipe, stored, encoded, context, { name: own.name, around: formatAround })
  // With its blanks, so that the places in messages are those in the row.
  if (stored.scheme?.includes('('))
    return readRecipe(stored.scheme, stored, encoded, context, { around: formatAround })
  throw new HashError(
    'unknown-scheme',
    'hash_scheme is the name of a format or of a digest, a recipe, or empty',
  )
}

/** A stored hash of this scheme that nobody knows a password of; of ordinary bcrypt when there is no such scheme. */
export function exampleStored(scheme: string, context: HashContext = NO_CONTEXT): StoredHash {
  const inside = schemeInside(scheme)
  if (inside !== undefined) return hardenedExampleOf(inside, context)
  const format = formatNamed(scheme)
  if (format) return exampleOf(format)
  const named = namedRecipe(scheme)
  if (named) return namedExample(named)
  const own = ownRecipe(scheme, context)
  try {
    const known = { around: formatAround, ...(own && { name: own.name }) }
    return recipeExample(own?.recipe ?? recipeOfDigest(scheme) ?? scheme, known)
  } catch {
    return detectable(bcrypt.example)
  }
}

/** Whether a name is taken, so that no recipe of the operator's may have it. */
export function isSchemeName(name: string): boolean {
  return (
    name === CANDIDATES ||
    formatNamed(name) !== undefined ||
    namedRecipe(name) !== undefined ||
    recipeOfDigest(name) !== undefined
  )
}

/** The name of the format that a name or an alias stands for. */
export function schemeName(name: string): string | undefined {
  return formatNamed(name)?.name
}

function readTold(encoded: string, stored: StoredHash, context: HashContext): ReadHash {
  const format = detector.formatOf(encoded)
  if (format) return format.read(encoded, stored, context)
  if (!isBareDigest(encoded)) throw new HashError('unrecognised', 'no known format has this shape')
  const candidates = candidatesOf(stored, context.candidates)
  if (candidates) return readCandidates(candidates, stored, (candidate) => readHash(candidate, context))
  throw new HashError(
    'ambiguous',
    'a digest alone fits many schemes: name the scheme or a recipe in hash_scheme',
  )
}

function formatNamed(scheme: string): Family | undefined {
  return byName.get(scheme.toLowerCase())
}

/** What may stand around a recipe: every format. A password that is stored itself is not hashed. */
export function formatAround(name: string): HashFormat | undefined {
  const format = formatNamed(name)
  return format === plaintext ? undefined : format
}

/** Of ordinary bcrypt where there is no key, or the scheme cannot be hardened. */
function hardenedExampleOf(scheme: string, context: HashContext): StoredHash {
  const { hardening } = context
  const stored = exampleStored(scheme, context)
  try {
    const read = (legacy: StoredHash) => readHash(legacy, context)
    const [found] = readableBlanks(stored, read(stored), read)
    if (hardening && found) return hardenedExample({ ...stored, encoded: found.blank }, hardening)
  } catch (error) {
    if (!(error instanceof HashError)) throw error
  }
  return detectable(bcrypt.example)
}

function ownRecipe(scheme: string, { recipes }: HashContext): { name: string; recipe: string } | undefined {
  const name = scheme.toLowerCase()
  const recipe = recipes.get(name)
  return recipe === undefined ? undefined : { name, recipe }
}

function exampleOf({ name, example, byNameOnly }: HashFormat): StoredHash {
  return { ...detectable(example), scheme: byNameOnly ? name : null }
}

function detectable(encoded: string): StoredHash {
  return { encoded, scheme: null, salt: null, login: '', id: '' }
}
