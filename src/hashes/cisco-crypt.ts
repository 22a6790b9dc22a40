import { ceilingWords } from './ceilings.ts'
import { bytesOfBigEndianCrypt64 } from './crypt64.ts'
import type { Family } from './format.ts'
import type { Derivation } from './key-derivation.ts'
import { derivedKeyHash, keyBytes, malformed, pbkdf2, scrypt } from './key-derivation.ts'

const KEY_BYTES = 32
const EXAMPLE_KEY = `${'L'.repeat(42)}.`

/** Type 8 of Cisco IOS: the salt is used as the text that stands there. */
export const ciscoType8 = ciscoCrypt('cisco-type8', '$8$', pbkdf2('sha256', 20_000, KEY_BYTES))
/** Type 9 of Cisco IOS. */
export const ciscoType9 = ciscoCrypt(
  'cisco-type9',
  '$9$',
  scrypt({ cost: 16_384, width: 1, lanes: 1 }, KEY_BYTES),
)

function ciscoCrypt(name: string, prefix: '$8$' | '$9$', derivation: Derivation): Family {
  return {
    name,
    sources: 'Cisco IOS and NX-OS',
    ceiling: ceilingWords.fixed,
    example: `${prefix}carryovercarry$${EXAMPLE_KEY}`,
    shape: prefix === '$8$' ? /^\$8\$[./0-9A-Za-z]{1,64}\$/ : /^\$9\$[./0-9A-Za-z]{1,64}\$/,
    read: (encoded) => {
      const [salt, key, ...more] = encoded.slice(prefix.length).split('$')
      if (salt === undefined || key === undefined || more.length > 0) {
        throw malformed('a hash of Cisco IOS has a salt and a key, each after a $')
      }
      return derivedKeyHash({
        scheme: name,
        nulIsData: false,
        derivation,
        salt: Buffer.from(salt),
        key: keyBytes(bytesOfBigEndianCrypt64(key), KEY_BYTES),
        written: () => `${prefix}carryovercarry$${EXAMPLE_KEY}`,
      })
    },
  }
}
