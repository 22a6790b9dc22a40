import { ceilingWords } from './ceilings.ts'
import { comparedAny } from './compared.ts'
import { bytesOfHex, bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import type { Derivation } from './key-derivation.ts'
import { decoyKey, malformed, pbkdf2, portableOfOnly, storedAs } from './key-derivation.ts'
import { portably } from './portable-form.ts'

interface Release {
  readonly saltBytes: number
  readonly ways: readonly Derivation[]
}

/**
 * The string names no parameters; its length tells which release's defaults made it. 48 bytes are those of 5.8 and
 * later, or the older ones with a longer salt, so both are tried. A secret of the application is not supported.
 */
const RELEASES: ReadonlyMap<number, Release> = new Map([
  [8 + 20, { saltBytes: 8, ways: [pbkdf2('sha1', 360_000, 20)] }],
  [8 + 32, { saltBytes: 8, ways: [pbkdf2('sha1', 185_000, 32), pbkdf2('sha256', 185_000, 32)] }],
  [
    16 + 32,
    {
      saltBytes: 16,
      ways: [pbkdf2('sha256', 310_000, 32), pbkdf2('sha1', 185_000, 32), pbkdf2('sha256', 185_000, 32)],
    },
  ],
])

/** Pbkdf2PasswordEncoder of Spring Security: salt and key in one, as hexadecimal or base64. */
export const springPbkdf2: Family = {
  name: 'spring-pbkdf2',
  note: 'with the defaults of Spring Security and without a secret',
  sources: 'Spring Security, Pbkdf2PasswordEncoder',
  ceiling: ceilingWords.fixed,
  example: `${Buffer.alloc(16, 'carryover').toString('hex')}${'5a'.repeat(32)}`,
  shape: /^(?:[0-9a-f]{56}|[0-9a-f]{80}|[0-9a-f]{96}|[A-Za-z0-9+/]{36,64}={0,2})$/i,
  byNameOnly: true,
  read,
}

function read(encoded: string): ReadHash {
  const bytes = bytesOfHex(encoded) ?? bytesOfPaddedBase64(encoded)
  const release = bytes ? RELEASES.get(bytes.length) : undefined
  if (!bytes || !release)
    throw malformed('a PBKDF2 hash of Spring has 28, 40 or 48 bytes, in hexadecimal or base64')
  const salt = bytes.subarray(0, release.saltBytes)
  const key = bytes.subarray(release.saltBytes)
  const [{ pbkdf2: rounds } = {}] = release.ways
  return {
    scheme: springPbkdf2.name,
    ...(rounds && { pbkdf2: rounds }),
    millis: release.ways.reduce((sum, { millis }) => sum + millis, 0),
    decoy: storedAs(decoyKey(bytes.length).toString('hex'), springPbkdf2.name),
    nulIsData: true,
    ...portably(
      comparedAny(key, release.ways.length, (password) =>
        release.ways.map(({ derive }) => derive(password, salt)),
      ),
      () => portableOfOnly(release.ways, salt, key),
    ),
  }
}
