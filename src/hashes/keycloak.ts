import { argon2 } from './argon2.ts'
import { ceilingWords } from './ceilings.ts'
import { NO_CONTEXT } from './context.ts'
import { enveloped } from './dispatched.ts'
import { bytesOfBase64, unpadded } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import type { DerivationDigest } from './key-derivation.ts'
import { boundedBytes, derivedKeyHash, malformed, pbkdf2, saltBytes, storedAs } from './key-derivation.ts'

const DIGESTS: ReadonlyMap<unknown, DerivationDigest> = new Map([
  ['pbkdf2', 'sha1'],
  ['pbkdf2-sha256', 'sha256'],
  ['pbkdf2-sha512', 'sha512'],
])
const ARGON2 = 'argon2'
const ARGON2_VERSIONS: ReadonlyMap<string, number> = new Map([
  ['1.0', 16],
  ['1.3', 19],
])
/** What Keycloak takes when its record does not say. */
const ARGON2_DEFAULTS = { type: 'id', version: '1.3', memory: '7168', parallelism: '1' }
const KEY_BYTES = { least: 16, most: 128 }

/** One credential of a realm export: flat up to Keycloak 7, later two objects or two texts of JSON. */
export const keycloak: Family = {
  name: 'keycloak',
  note: 'the JSON of one password credential, with PBKDF2 or Argon2',
  sources: 'Keycloak',
  ceiling: `${ceilingWords.pbkdf2}; ${ceilingWords.argon2}`,
  example: written(
    { algorithm: 'pbkdf2-sha512', hashIterations: 210_000 },
    Buffer.alloc(16, 'carryover'),
    Buffer.alloc(64, 'Z'),
  ),
  shape: /^\s*\{\s*"/,
  read,
}

type Fields = Readonly<Record<string, unknown>>

function read(encoded: string): ReadHash {
  const record = fieldsOf(encoded)
  const cost = 'credentialData' in record ? fieldsOf(record.credentialData) : record
  const secret = 'secretData' in record ? fieldsOf(record.secretData) : record
  const salt = bytesIn(secret.salt)
  const key = boundedBytes(bytesIn(secret.value ?? secret.hashedSaltedValue), 'the value', KEY_BYTES)
  const iterations = cost.hashIterations
  if (typeof iterations !== 'number' || !Number.isInteger(iterations)) {
    throw malformed('the hashIterations of a Keycloak credential are a whole number')
  }
  if (cost.algorithm === ARGON2) return readArgon2(cost, saltBytes(salt), key)
  const digest = DIGESTS.get(cost.algorithm)
  if (!digest) throw malformed('the algorithm of a Keycloak credential is one of PBKDF2 or argon2')
  return derivedKeyHash({
    scheme: keycloak.name,
    derivation: pbkdf2(digest, iterations, key.length),
    salt: saltBytes(salt),
    key,
    written: (otherSalt, otherKey) =>
      written({ algorithm: cost.algorithm, hashIterations: iterations }, otherSalt, otherKey),
  })
}

function readArgon2(cost: Fields, salt: Buffer, key: Buffer): ReadHash {
  const more = 'additionalParameters' in cost ? fieldsOf(cost.additionalParameters) : {}
  const setting = (name: keyof typeof ARGON2_DEFAULTS) => firstText(more[name]) ?? ARGON2_DEFAULTS[name]
  const version = ARGON2_VERSIONS.get(setting('version'))
  if (version === undefined) throw malformed('the version of Argon2 is 1.0 or 1.3')
  const parameters = `m=${setting('memory')},t=${cost.hashIterations},p=${setting('parallelism')}`
  const prefix = `$argon2${setting('type')}$v=${version}$${parameters}`
  if (!argon2.shape.test(prefix)) throw malformed('the type of Argon2 is id, i or d')
  const inner = argon2.read(`${prefix}$${base64(salt)}$${base64(key)}`, storedAs(''), NO_CONTEXT)
  return enveloped(inner, keycloak.name, () =>
    written(cost, Buffer.alloc(salt.length, 'carryover'), Buffer.alloc(key.length, 'Z')),
  )
}

/** An object, or the text of one. */
function fieldsOf(value: unknown): Fields {
  const parsed = typeof value === 'string' ? parsedJson(value) : value
  if (isFields(parsed)) return parsed
  throw malformed('a Keycloak credential is a JSON object with secretData and credentialData')
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function bytesIn(value: unknown): Buffer | null {
  return typeof value === 'string' ? bytesOfBase64(value) : null
}

/** Keycloak's additional parameters are lists of texts, of which the first counts. */
function firstText(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value
  return typeof first === 'string' || typeof first === 'number' ? String(first) : undefined
}

function written(cost: Fields, salt: Buffer, key: Buffer): string {
  return JSON.stringify({
    secretData: JSON.stringify({ value: key.toString('base64'), salt: salt.toString('base64') }),
    credentialData: JSON.stringify(cost),
  })
}

function base64(bytes: Buffer): string {
  return unpadded(bytes.toString('base64'))
}
