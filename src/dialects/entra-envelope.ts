import { createPrivateKey, type KeyObject } from 'node:crypto'
import { compactDecrypt, decodeJwt, decodeProtectedHeader } from 'jose'
import { z } from 'zod'

/** RSA private keys, tried in this order. */
export type DecryptionKeys = readonly KeyObject[]

/** What the person typed, and what the answer has to repeat. */
export interface PasswordContext {
  readonly password: string
  readonly username: string | undefined
  readonly nonce: string
}

/** Microsoft says nowhere which it uses. RSA1_5 is none of them: it tells an attacker about the key. */
const allowed = {
  keyManagementAlgorithms: ['RSA-OAEP', 'RSA-OAEP-256'],
  contentEncryptionAlgorithms: ['A256CBC-HS512', 'A128CBC-HS256', 'A256GCM', 'A128GCM'],
}

/** Bits. Also the least that the algorithms above allow (RFC 7518, section 4.3). */
const LEAST_MODULUS = 2_048

/** More would only multiply the work of a caller's nonsense. */
const MOST_KEYS = 4

const claims = z.object({
  'user-password': z.string(),
  username: z.string().optional().catch(undefined),
  // A GUID today. Bounded, because it is repeated in the answer.
  nonce: z.string().min(1).max(256),
})

/** The private keys of a PEM text, certificates beside them left out; undefined where one is unusable or none is there. */
export function decryptionKeys(pem: string): DecryptionKeys | undefined {
  const blocks = pem.match(/-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^-]+-----END \1PRIVATE KEY-----/g) ?? []
  const named = pem.match(/-----BEGIN [A-Z ]*PRIVATE KEY-----/g) ?? []
  if (blocks.length === 0 || blocks.length !== named.length || blocks.length > MOST_KEYS) return undefined
  const keys = blocks.flatMap((block) => readKey(block) ?? [])
  return keys.length === blocks.length ? keys : undefined
}

function readKey(pem: string): KeyObject | undefined {
  try {
    const key = createPrivateKey(pem)
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    return key.asymmetricKeyType === 'rsa' && bits >= LEAST_MODULUS ? key : undefined
  } catch {
    return undefined
  }
}

/**
 * Opens `encryptedPasswordContext`: a compact JWE (RFC 7516) around a compact JWT. Whose it is, is known from the token
 * of the call, and that nobody has changed it from the JWE, so the JWT inside is not signed. undefined for everything that
 * cannot be opened or lacks a claim; why is not told, so that nothing can be learned from trying.
 */
export async function openEnvelope(jwe: string, keys: DecryptionKeys): Promise<PasswordContext | undefined> {
  if (!isReadable(jwe)) return undefined
  for (const key of keys) {
    const inner = await decrypted(jwe, key)
    if (inner !== undefined) return contextIn(inner)
  }
  return undefined
}

/** Five parts, and nothing compressed: a short text that unfolds to a long one has no place here. */
function isReadable(jwe: string): boolean {
  if (!/^[\w-]+(\.[\w-]+){4}$/.test(jwe)) return false
  try {
    return decodeProtectedHeader(jwe).zip === undefined
  } catch {
    return false
  }
}

async function decrypted(jwe: string, key: KeyObject): Promise<string | undefined> {
  try {
    const { plaintext } = await compactDecrypt(jwe, key, allowed)
    const text = Buffer.from(plaintext).toString('latin1')
    plaintext.fill(0)
    return text
  } catch {
    return undefined
  }
}

function contextIn(jwt: string): PasswordContext | undefined {
  try {
    const read = claims.safeParse(decodeJwt(jwt))
    if (!read.success) return undefined
    const { 'user-password': password, username, nonce } = read.data
    return { password, username, nonce }
  } catch {
    return undefined
  }
}
