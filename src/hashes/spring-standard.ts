import { ceilingWords } from './ceilings.ts'
import { bytesOfHex } from './encodings.ts'
import type { Family, ReadHash } from './format.ts'
import { iterated } from './iterated.ts'
import { derivedKeyHash, malformed } from './key-derivation.ts'

const SALT_BYTES = 8
const ITERATIONS = 1024
/** 1,024 digests of 32 bytes, and one of a password of 4 KiB. */
const MILLIS = 0.2

/** StandardPasswordEncoder of Spring Security 3 and 4, without a secret: 8 bytes of salt, then SHA-256. */
export const springStandard: Family = {
  name: 'spring-standard',
  note: 'without a secret',
  sources: 'Spring Security 3 and 4, StandardPasswordEncoder',
  ceiling: ceilingWords.fixed,
  example: `6361727279303030${'5a'.repeat(32)}`,
  shape: /^[0-9a-f]{80}$/i,
  byNameOnly: true,
  read,
}

function read(encoded: string): ReadHash {
  const bytes = bytesOfHex(encoded)
  if (bytes?.length !== 40) throw malformed('a hash of StandardPasswordEncoder has 80 hexadecimal digits')
  return derivedKeyHash({
    scheme: springStandard.name,
    derivation: {
      millis: MILLIS,
      derive: (password, salt) => iterated('sha256', Buffer.concat([salt, password]), ITERATIONS),
    },
    salt: bytes.subarray(0, SALT_BYTES),
    key: bytes.subarray(SALT_BYTES),
    written: (salt, key) => Buffer.concat([salt, key]).toString('hex'),
  })
}
