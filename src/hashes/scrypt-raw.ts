import type { StoredHash } from '../domain.ts'
import { ceilingWords } from './ceilings.ts'
import { bytesOfHex, bytesOfPaddedBase64 } from './encodings.ts'
import { equalBytes } from './equal-bytes.ts'
import type { Family, ReadHash } from './format.ts'
import { HashError } from './format.ts'
import type { Derivation } from './key-derivation.ts'
import { decoyKey, malformed, portableOfOnly, saltBytes, scrypt, storedAs } from './key-derivation.ts'
import { portably } from './portable-form.ts'

/**
 * The string names no parameters; the length of the key tells whose defaults they are. 64 bytes: Node.js, or Better
 * Auth and Lucia with twice the width. 32 bytes: the documentation of Go, and Stytch.
 */
const DEFAULTS: ReadonlyMap<number, readonly Derivation[]> = new Map([
  [64, [scrypt({ cost: 16_384, width: 8, lanes: 1 }, 64), scrypt({ cost: 16_384, width: 16, lanes: 1 }, 64)]],
  [32, [scrypt({ cost: 32_768, width: 8, lanes: 1 }, 32)]],
])
const WHOLE = /^(?:([^:]{1,256}):)?([A-Za-z0-9+/]+={0,2})$/

/** A key of scrypt with a salt that is used as the text it is. */
export const scryptRaw: Family = {
  name: 'scrypt-raw',
  note: 'hexadecimal or base64, with the salt in the row or before a colon; 64 bytes N=16384, 32 bytes N=32768',
  sources: 'Node.js, Go, Better Auth, Lucia, Stytch',
  ceiling: ceilingWords.fixed,
  example: `carryover:${'5a'.repeat(64)}`,
  shape: WHOLE,
  byNameOnly: true,
  read,
}

function read(encoded: string, stored: StoredHash): ReadHash {
  const [, inside, text = ''] = WHOLE.exec(encoded) ?? []
  const key = [bytesOfHex(text), bytesOfPaddedBase64(text)].find(
    (bytes) => bytes && DEFAULTS.has(bytes.length),
  )
  const ways = key ? DEFAULTS.get(key.length) : undefined
  if (!key || !ways) throw malformed('a key of scrypt alone has 32 or 64 bytes, in hexadecimal or base64')
  const written = inside ?? stored.salt
  if (!written) throw new HashError('bad-salt', 'the salt is in the row or before a colon')
  const salt = saltBytes(Buffer.from(written))
  return {
    scheme: scryptRaw.name,
    millis: ways.reduce((sum, { millis }) => sum + millis, 0),
    memory: Math.max(...ways.map(({ memory = 0 }) => memory)),
    decoy: storedAs(`carryover:${decoyKey(key.length).toString('hex')}`, scryptRaw.name),
    nulIsData: true,
    ...portably(
      { matches: (password) => ways.some(({ derive }) => equalBytes(derive(password, salt), key)) },
      () => portableOfOnly(ways, salt, key),
    ),
  }
}
