import { ceilingWords } from './ceilings.ts'
import { bytesOfPaddedBase64 } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import type { DerivationDigest } from './key-derivation.ts'
import { boundedBytes, decoyKey, decoySalt, derivedKeyHash, malformed, pbkdf2 } from './key-derivation.ts'

/** Version 2: a zero byte, 16 bytes of salt, 32 of key; PBKDF2 with SHA-1, 1,000 iterations. */
const V2 = { bytes: 49, salt: 1, key: 17, iterations: 1000 } as const
/** Version 3: a one, then three numbers of four bytes, most significant first. */
const V3 = { header: 13, digest: 1, iterations: 5, saltLength: 9 } as const
const V3_DIGESTS: readonly DerivationDigest[] = ['sha1', 'sha256', 'sha512']
/** ASP.NET refuses shorter ones. */
const V3_BYTES = { least: 16, most: 128 }

/** PasswordHasher of ASP.NET Identity and ASP.NET Core Identity, and SimpleMembership. */
export const aspnetIdentity: Family = {
  name: 'aspnet-identity',
  note: 'versions 2 and 3',
  sources: 'ASP.NET Identity, ASP.NET Core Identity, SimpleMembership, Duende',
  ceiling: ceilingWords.pbkdf2,
  example: writtenV2(decoySalt(16), decoyKey(32)),
  shape: /^(?:A[A-P][A-Za-z0-9+/]{64}==|AQAAAA[A-Za-z0-9+/]{32,400}={0,2})$/,
  probable: true,
  read,
}

function read(encoded: string): ReadHash {
  const bytes = bytesOfPaddedBase64(encoded)
  if (bytes?.[0] === 0 && bytes.length === V2.bytes) return readV2(bytes)
  if (bytes?.[0] === 1) return readV3(bytes)
  throw malformed('a hash of ASP.NET Identity is padded base64 of version, salt and key')
}

function readV2(bytes: Buffer): ReadHash {
  const key = bytes.subarray(V2.key)
  return derivedKeyHash({
    scheme: aspnetIdentity.name,
    derivation: pbkdf2('sha1', V2.iterations, key.length),
    salt: bytes.subarray(V2.salt, V2.key),
    key,
    written: writtenV2,
  })
}

function writtenV2(salt: Buffer, key: Buffer): string {
  return Buffer.concat([Buffer.alloc(1), salt, key]).toString('base64')
}

function readV3(bytes: Buffer): ReadHash {
  if (bytes.length < V3.header) throw malformed('version 3 of ASP.NET Identity has a header of 13 bytes')
  const digest = V3_DIGESTS[bytes.readUInt32BE(V3.digest)]
  if (digest === undefined) throw malformed('the digest of ASP.NET Identity is numbered 0, 1 or 2')
  const saltEnd = V3.header + bytes.readUInt32BE(V3.saltLength)
  const salt = boundedBytes(bytes.subarray(V3.header, saltEnd), 'the salt', V3_BYTES)
  const key = boundedBytes(bytes.subarray(saltEnd), 'the derived key', V3_BYTES)
  return derivedKeyHash({
    scheme: aspnetIdentity.name,
    derivation: pbkdf2(digest, bytes.readUInt32BE(V3.iterations), key.length),
    salt,
    key,
    written: (otherSalt, otherKey) =>
      Buffer.concat([bytes.subarray(0, V3.header), otherSalt, otherKey]).toString('base64'),
  })
}
